"""A whole server, killed again and again while somebody talks to it in a browser: what was finished is there afterwards."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from chat_tab import answers, ask, finished, open_tab, owner, questions, words
from custome.apps.cosplay.writing import KEEP_EVERY_S
from custome.conversations.records import Turn
from custome.conversations.store import Store
from page_server import DELAY_S, REPLY, Server

pytestmark = pytest.mark.browser

KILLS = 20
PATIENCE_MS = 30_000


def test_killed_twenty_times_no_finished_turn_is_lost(browser: Browser, tmp_path: Path):
    dice, server, store = (
        random.Random(1),
        Server(tmp_path / "chats.db"),
        Store(tmp_path / "chats.db"),
    )
    page = browser.new_context(locale="zh-CN").new_page()
    said: list[str] = []
    where = ""
    try:
        for number in range(KILLS):
            page.goto("about:blank")  # the old page reloads itself when its server is back
            open_tab(page, server.start() + where)
            expect(questions(page)).to_have_count(2 * number)  # it shows where it was
            ask(page, f"第{number}问：此事如何？")
            expect(answers(page)).to_have_count(2 * number + 1, timeout=PATIENCE_MS)
            finished(page)
            where = "/" + page.url.rpartition("/")[2]
            said += [f"第{number}问：此事如何？", REPLY]
            ask(page, f"第{number}问：然后呢？")
            expect(answers(page)).to_have_count(2 * number + 2, timeout=PATIENCE_MS)
            expect(words(answers(page).last)).to_contain_text("其一曰", timeout=PATIENCE_MS)
            page.wait_for_timeout(dice.uniform(0, 1500))
            seen = words(answers(page).last).inner_text()
            server.kill()

            said.append(f"第{number}问：然后呢？")
            *before, tail = turns(store, owner(page))
            assert [turn.text for turn in before if turn.finished] == said, (
                "a finished turn is lost"
            )
            assert (
                REPLY.startswith(tail.text)
                and len(seen) - len(tail.text) <= (KEEP_EVERY_S + 0.5) / DELAY_S
            )
            assert not tail.finished, "it was killed too late to be in the middle"
    finally:
        server.kill()
        store.close()
        page.context.close()


def turns(store: Store, whose: str) -> list[Turn]:
    (chat,) = store.chats(whose)
    return list(store.read(chat.id, whose).turns)
