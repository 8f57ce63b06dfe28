"""A whole server, killed again and again while somebody talks to it in a browser: what was finished is there afterwards."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from chat_tab import answers, ask, finished, open_tab, owner, questions, words
from custome.apps.cosplay.writing import KEEP_EVERY_S
from custome.conversations.records import Turn
from custome.conversations.store import Store
from custome.ports import free_port

pytestmark = pytest.mark.browser

KILLS = 20
PATIENCE_MS = 30_000
DELAY_S = 0.03
REPLY = (
    "".join(f"其{number}曰天下之事不可不察也，" for number in "一二三四五六七八")
    + "此吾所以为将军忧也。"
)
SERVER = f"""
import sys
from pathlib import Path
from custome.conversations.store import Store
from custome.engine.base import ServedModel
from custome.engine.scripted import ScriptedEngine
from custome.server.app import create_app
from custome.server.auth import KeyAuth
from custome.server.catalogue import Catalogue
from custome.types import Character
from custome.apps.context import AppContext
from custome.cli.apps import mount_pages
import uvicorn

engine = ScriptedEngine([{REPLY!r}], delay_s={DELAY_S})
catalogue = Catalogue([ServedModel(name="三国", engine=engine, people=(Character(name="曹操", cue="曹操", utterances=9),))])
app = create_app(catalogue, KeyAuth([]))
store = Store(sys.argv[1])
mount_pages(app, AppContext(hosted=catalogue.hosted, store=lambda: store))
uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
"""


class Server:
    """The server in a process of its own."""

    def __init__(self, where: Path) -> None:
        self._where, self._port = where, free_port("127.0.0.1", None)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(self._where), str(self._port)]
        )
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return f"http://127.0.0.1:{self._port}"
            time.sleep(0.1)
        raise AssertionError("the server does not start")

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


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
