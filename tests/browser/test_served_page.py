"""The page as `custome serve` serves it, beside the API: two people at once, Stop, models to choose from, a login, an engine
that goes away."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from chat_tab import PATIENCE_MS, answers, ask, box, finished, open_tab, serving, settings, words
from custome.conversations.store import Store
from custome.engine.base import ServedModel
from custome.engine.remote import RemoteEngine
from custome.engine.scripted import ScriptedEngine
from custome.models.gguf_cache import prepare
from custome.models.run_folder import read_run
from custome.reporter import NullReporter
from custome.server.auth import KeyAuth, add_key, read_keys
from custome.server.catalogue import Catalogue
from custome.types import Character
from llama_server import Llama

pytestmark = pytest.mark.browser

THREE = (
    Character(name="曹操", cue="操", utterances=9),
    Character(name="诸葛亮", cue="孔明", utterances=8),
)
FOUR = (Character(name="林黛玉", cue="黛玉", utterances=9),)


class Echo(ScriptedEngine):
    """Says slowly who it is, over and over."""

    def stream(self, request, options, cancel=None):
        self._replies = [f"{request.speaker}说" * 40]
        return super().stream(request, options, cancel)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "chats.db")
    yield store
    store.close()


def both() -> Catalogue:
    return Catalogue(
        [
            ServedModel(name="三国", engine=Echo(delay_s=0.05, slots=4), people=THREE),
            ServedModel(name="红楼", engine=Echo(delay_s=0.05, slots=4), people=FOUR),
        ]
    )


def metric(address: str, name: str) -> float:
    lines = httpx.get(f"{address}/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name + "{"))


def new_tab(browser: Browser, address: str) -> Page:
    context = browser.new_context(locale="zh-CN", viewport={"width": 1280, "height": 860})
    return open_tab(context.new_page(), address)


def test_two_people_two_characters_at_the_same_time_and_stop_frees_the_slot(
    browser: Browser, store: Store
):
    with serving(both(), store) as address:
        first, second = new_tab(browser, address), new_tab(browser, address)
        first.locator(".chip", has_text="诸葛亮").click()
        second.locator(".models").click()
        second.get_by_role("option", name="红楼").click()
        expect(second.locator(".chip.here")).to_have_text("林黛玉")
        ask(first, "何计可破？")
        ask(second, "何故伤春？")
        expect(words(answers(first).first)).to_contain_text("孔明说", timeout=PATIENCE_MS)
        expect(words(answers(second).first)).to_contain_text("黛玉说", timeout=PATIENCE_MS)
        assert metric(address, "custome_running") == 2  # neither waits for the other
        before = [len(words(answers(page).first).inner_text()) for page in (first, second)]
        first.wait_for_timeout(600)
        after = [len(words(answers(page).first).inner_text()) for page in (first, second)]
        assert all(new > old for new, old in zip(after, before, strict=True))
        assert "黛玉" not in words(answers(first).first).inner_text()

        first.get_by_role("button", name="停下").click()
        deadline = time.monotonic() + 3
        while metric(address, "custome_running") > 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert metric(address, "custome_running") == 1
        finished(first)
        stopped = words(answers(first).first).inner_text()
        second.wait_for_timeout(400)
        assert words(answers(first).first).inner_text() == stopped and len(stopped) < 120
        expect(second.locator(".status")).to_have_text(
            re.compile(r"token/秒.*上下文"), timeout=PATIENCE_MS
        )
        asked = {"model": "红楼:林黛玉", "messages": [{"role": "user", "content": "安否？"}]}
        answer = httpx.post(f"{address}/v1/chat/completions", json=asked, timeout=30)
        assert "黛玉说" in answer.json()["choices"][0]["message"]["content"]
        first.context.close()
        second.context.close()


def test_with_keys_the_page_asks_for_one(browser: Browser, tmp_path: Path, store: Store):
    text = add_key(tmp_path / "keys.json", "小王")
    with serving(both(), store, KeyAuth(read_keys(tmp_path / "keys.json"))) as address:
        page = browser.new_context(locale="zh-CN").new_page()
        page.goto(address)
        expect(page.get_by_role("heading", name="请出示密钥")).to_be_visible()
        assert box(page).count() == 0
        page.get_by_label("密钥").fill("sk-custome-wrong")
        page.get_by_role("button", name="进去").click()
        expect(page.get_by_role("alert")).to_have_text("密钥不对")
        page.locator("#key").fill(text)
        page.get_by_role("button", name="进去").click()
        expect(box(page)).to_be_visible(timeout=PATIENCE_MS)
        page.context.close()


def test_the_engine_behind_is_killed_the_page_says_so_and_recovers(
    browser: Browser, gguf_runs: dict[str, Path], store: Store
):
    run = gguf_runs["east"]
    llama = Llama(prepare(run, NullReporter(), home=run.parents[1] / "home").model)
    engine = RemoteEngine(llama.url, "any", kind="novel")
    hosted = ServedModel(name="east", engine=engine, people=read_run(run).characters)
    with serving(Catalogue([hosted]), store) as address:
        page = new_tab(browser, address)
        settings(page, "怎么抽词")
        page.get_by_role("switch", name="采样").click()  # what a random model draws may be nothing
        ask(page, "粮草何在？")
        finished(page)
        expect(words(answers(page).first)).to_have_text(re.compile(r"\S"), timeout=PATIENCE_MS)
        llama.kill()
        ask(page, "书信何在？")
        expect(page.get_by_role("alert").first).to_contain_text("连不上", timeout=PATIENCE_MS)
        expect(box(page)).to_have_value("书信何在？")  # nothing is lost
        assert answers(page).count() == 1
        llama.start()
        box(page).press("Enter")
        expect(words(answers(page).nth(1))).to_have_text(re.compile(r"\S"), timeout=PATIENCE_MS)
        page.context.close()
    llama.kill()
