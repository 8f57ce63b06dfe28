"""The page as `custome serve` serves it, beside the API: two people at once, Stop, models to choose from, a login."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect

from chat_tab import answers, ask, meet, open_tab, pick, tab_of
from custome.engine.base import ServedModel
from custome.engine.remote import RemoteEngine
from custome.engine.scripted import ScriptedEngine
from custome.models.gguf_cache import prepare
from custome.models.run_folder import read_run
from custome.ports import free_port
from custome.reporter import NullReporter
from custome.server.app import create_app
from custome.server.auth import KeyAuth, add_key, read_keys
from custome.server.catalogue import Catalogue
from custome.types import Character
from custome.webui.chat_page import build_chat_page
from custome.webui.launch import mount_page
from llama_server import Llama

pytestmark = pytest.mark.browser

THREE = (
    Character(name="曹操", cue="操", utterances=9),
    Character(name="诸葛亮", cue="孔明", utterances=8),
)
FOUR = (Character(name="林黛玉", cue="黛玉", utterances=9),)
PATIENCE_MS = 30_000


class Echo(ScriptedEngine):
    """Says slowly who it is, over and over."""

    def stream(self, request, options, cancel=None):
        self._replies = [f"{request.speaker}说" * 40]
        return super().stream(request, options, cancel)


@contextmanager
def serving(
    doorkeeper: KeyAuth, chats: Path, hosted: list[ServedModel] | None = None
) -> Iterator[str]:
    hosted = hosted or [
        ServedModel(name="三国", engine=Echo(delay_s=0.05, slots=4), people=THREE),
        ServedModel(name="红楼", engine=Echo(delay_s=0.05, slots=4), people=FOUR),
    ]
    catalogue = Catalogue(hosted)
    check = None if doorkeeper.open else lambda _, text: doorkeeper.find(text) is not None
    app = create_app(catalogue, doorkeeper)
    let_go = mount_page(app, build_chat_page(catalogue.hosted, chats / "chats.db"), check)
    port = free_port("127.0.0.1", None)
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_level="warning", timeout_graceful_shutdown=2)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:  # else a test that fails leaves a thread that nobody ends
        let_go()
        server.should_exit = True
        thread.join()


def metric(address: str, name: str) -> float:
    lines = [
        line
        for line in httpx.get(f"{address}/metrics").text.splitlines()
        if line.startswith(name + "{")
    ]
    return sum(float(line.split()[-1]) for line in lines)


def new_tab(browser: Browser, address: str) -> Page:
    return open_tab(
        browser.new_context(locale="zh-CN", viewport={"width": 1280, "height": 860}).new_page(),
        address,
    )


def test_two_people_two_characters_at_the_same_time_and_stop_frees_the_slot(
    browser: Browser, tmp_path: Path
):
    with serving(KeyAuth([]), tmp_path) as address:
        first, second = new_tab(browser, address), new_tab(browser, address)
        meet(first, "诸葛亮")
        pick(second, "红楼")
        expect(second.locator("#person .token")).to_have_text("林黛玉")
        ask(first, "何计可破？")
        ask(second, "何故伤春？")
        expect(answers(first).first).to_contain_text("孔明说", timeout=PATIENCE_MS)
        expect(answers(second).first).to_contain_text("黛玉说", timeout=PATIENCE_MS)
        assert metric(address, "custome_running") == 2  # neither waits for the other
        before = [len(answers(page).first.inner_text()) for page in (first, second)]
        first.wait_for_timeout(600)
        assert all(
            len(answers(page).first.inner_text()) > old
            for page, old in zip((first, second), before, strict=True)
        )
        assert (
            "黛玉" not in answers(first).first.inner_text()
            and "孔明" not in answers(second).first.inner_text()
        )

        first.locator("#stop").click()
        deadline = time.monotonic() + 3
        while metric(address, "custome_running") > 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert metric(address, "custome_running") == 1
        first.wait_for_timeout(600)  # what was still on its way is shown
        stopped = answers(first).first.inner_text()
        second.wait_for_timeout(400)
        assert answers(first).first.inner_text() == stopped and len(stopped) < 120
        expect(second.locator("#status")).to_have_text(
            re.compile(r"token/秒.*上下文"), timeout=PATIENCE_MS
        )
        answer = httpx.post(
            f"{address}/v1/chat/completions",
            json={"model": "红楼:林黛玉", "messages": [{"role": "user", "content": "安否？"}]},
            timeout=30,
        )
        assert (
            "黛玉说" in answer.json()["choices"][0]["message"]["content"]
        )  # the API, beside the page


def test_with_keys_the_page_asks_for_one(browser: Browser, tmp_path: Path):
    text = add_key(tmp_path / "keys.json", "小王")
    with serving(KeyAuth(read_keys(tmp_path / "keys.json")), tmp_path) as address:
        page = browser.new_context(locale="zh-CN").new_page()
        page.goto(address)
        fields = page.locator("input")
        expect(fields.nth(1)).to_be_visible(timeout=PATIENCE_MS)
        expect(page.locator("#say textarea")).to_have_count(0)
        fields.nth(0).fill("小王")
        fields.nth(1).fill(text)
        page.locator("button").first.click()
        expect(page.locator("#say textarea")).to_be_visible(timeout=PATIENCE_MS)


def test_the_engine_behind_is_killed_the_page_says_so_and_recovers(
    browser: Browser, gguf_runs: dict[str, Path], tmp_path: Path
):
    run = gguf_runs["east"]
    llama = Llama(prepare(run, NullReporter(), home=run.parents[1] / "home").model)
    engine = RemoteEngine(llama.url, "any", kind="novel")
    with serving(
        KeyAuth([]),
        tmp_path,
        [ServedModel(name="east", engine=engine, people=read_run(run).characters)],
    ) as address:
        page = new_tab(browser, address)
        tab_of(page, "生成")
        page.locator(
            "#do_sample input"
        ).uncheck()  # what a random model draws may be nothing at all
        ask(page, "粮草何在？")
        expect(page.locator("#status")).to_contain_text(
            "token/秒", timeout=PATIENCE_MS
        )  # it has said its last
        expect(answers(page).first).to_have_text(re.compile(r"[^…\s]"))
        llama.kill()
        ask(page, "书信何在？")
        expect(page.locator(".toast-body, .toast-wrap").first).to_contain_text(
            "连不上", timeout=PATIENCE_MS
        )
        expect(page.locator("#say textarea")).to_have_value("书信何在？")  # nothing is lost
        assert answers(page).count() == 1
        llama.start()
        page.locator("#send").click()
        expect(answers(page).nth(1)).to_have_text(re.compile(r"[^…\s]"), timeout=PATIENCE_MS)
    llama.kill()
