"""A tab that was open before the program was upgraded: it comes back by itself, with what was said and what was being written."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from chat_tab import answers, ask, box, finished, open_tab, questions, said
from page_server import REPLY, Server, release

pytestmark = pytest.mark.browser

BEFORE = "fe1dad2"
"""A release with other scripts and styles of the page."""
PATIENCE_MS = 60_000


def test_a_tab_from_before_an_upgrade(browser: Browser, tmp_path: Path):
    server = Server(tmp_path / "chats.db")
    page, wrong = browser.new_context(locale="zh-CN").new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    try:
        open_tab(page, server.start(release(BEFORE, tmp_path / "before")))
        assert "face_" not in page.content()
        ask(page, "升级以前问的")
        said(page, REPLY)
        finished(page)
        box(page).press_sequentially("写到一半")
        server.kill()
        server.start()
        expect(page.locator("body.face_song")).to_be_visible(timeout=PATIENCE_MS)
        expect(questions(page)).to_have_text(["升级以前问的"], timeout=PATIENCE_MS)
        said(page, REPLY)
        expect(box(page)).to_have_value("写到一半")
        page.wait_for_function("window.socket && window.socket.connected", timeout=PATIENCE_MS)
        box(page).press("Enter")
        expect(answers(page)).to_have_count(2, timeout=PATIENCE_MS)
        finished(page)
        said(page, REPLY, 1)
        assert not wrong
    finally:
        server.kill()
        page.context.close()
