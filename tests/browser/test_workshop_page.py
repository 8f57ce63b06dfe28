"""A person with a book and no command line: `custome serve` with nothing, the book is brought and read in a real browser, wide and
on a phone, and the plan of a training is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [1280, 390])
def test_a_book_is_brought_looked_at_and_planned_for(
    browser: Browser, address: str, tiny_novel: Path, width: int
):
    page = browser.new_context(locale="zh-CN", viewport={"width": width, "height": 800}).new_page()
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.goto(address)
    expect(page.get_by_text("还没有可以说话的人")).to_be_visible(timeout=20_000)
    page.get_by_role("link", name="带一本书来").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="带一本书来").click()
    chooser.value.set_files(tiny_novel)
    made = page.locator(".made", has_text="xiaoshuo")
    expect(made).to_contain_text("句有主的话", timeout=60_000)
    made.get_by_role("button", name="训练").click()
    plan = page.locator(".gallery_card .text")
    expect(plan).to_have_text(
        re.compile(r"步，约 \d+ 分钟，最多占 .* GB 内存|这样练不成"), timeout=30_000
    )
    page.get_by_role("button", name="算了").click()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    made.get_by_role("link", name="看看").click()
    expect(page).to_have_title(re.compile("语料"), timeout=20_000)
    page.go_back()
    expect(made).to_be_visible(timeout=20_000)
    assert not wrong, wrong
