"""The chat page in a real browser: what a person does with it, on the scripted engine and on a trained run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from chat_tab import answers, ask, open_tab, pick
from custome.engine.base import Hosted
from custome.engine.scripted import ScriptedEngine
from custome.types import Character
from custome.webui.chat_page import build_chat_page
from custome.webui.launch import open_page

pytestmark = pytest.mark.browser

PEOPLE = [Character(name="曹操", cue="操公", utterances=9), Character(name="诸葛亮", cue="孔明", utterances=8)]
LONG = "此事容吾细细思之，" * 12
REPLIES = ["先救猫。", LONG, "第三次回答。", "第四次回答。"]
PATIENCE_MS = 60_000


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine(REPLIES, delay_s=0.03, slots=1)


@pytest.fixture
def address(engine: ScriptedEngine) -> Iterator[str]:
    page = build_chat_page(lambda: [Hosted(name="scripted", engine=engine, people=tuple(PEOPLE))])
    yield open_page(page, host="127.0.0.1", port=None, share=False, say=lambda line: None, block=False)
    page.close()


@pytest.fixture
def tab(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(locale="zh-CN", viewport={"width": 1280, "height": 860})
    yield open_tab(context.new_page(), address)
    context.close()


def questions(page: Page):
    return page.locator("#chat [data-testid='user']")


def test_the_picker_writes_the_cue_and_a_typed_cue_wins(tab: Page, engine: ScriptedEngine):
    pick(tab, "诸葛亮")
    ask(tab, "博物馆大火,救名画还是救猫?")
    expect(answers(tab).first).to_have_text("先救猫。", timeout=20_000)
    expect(questions(tab).first).to_have_text("博物馆大火，救名画还是救猫？孔明曰：")
    ask(tab, "玄德曰：")
    expect(questions(tab).nth(1)).to_have_text("玄德曰：")
    assert [m.content for m in engine.requests[1].messages] == [
        "博物馆大火，救名画还是救猫？孔明曰：",
        "先救猫。",
        "玄德曰：",
    ]


def test_a_reply_streams_and_stop_keeps_what_is_there(tab: Page):
    ask(tab, "一")
    expect(answers(tab).first).to_have_text("先救猫。", timeout=20_000)
    ask(tab, "二")
    expect(answers(tab).nth(1)).to_contain_text("此事", timeout=20_000)
    early = answers(tab).nth(1).inner_text()
    expect(answers(tab).nth(1)).not_to_have_text(early)  # it grows
    tab.locator("#stop").click()
    tab.wait_for_timeout(1_000)
    stopped = answers(tab).nth(1).inner_text()
    tab.wait_for_timeout(700)
    assert answers(tab).nth(1).inner_text() == stopped
    assert 0 < len(stopped) < len(LONG)
    ask(tab, "三")
    expect(answers(tab).nth(2)).to_have_text("第三次回答。", timeout=20_000)


def test_retry_edit_delete_and_clear(tab: Page, engine: ScriptedEngine):
    ask(tab, "一")
    expect(answers(tab).first).to_have_text("先救猫。", timeout=20_000)
    engine.requests.append(engine.requests[0])  # skip the long reply
    tab.locator("#retry").click()
    expect(answers(tab).first).to_have_text("第三次回答。", timeout=20_000)

    questions(tab).first.hover()
    tab.locator("#chat").get_by_label("编辑").first.click()
    tab.locator("#chat textarea").fill("改过的话")
    tab.locator("#chat").get_by_label("发送").click()
    expect(questions(tab).first).to_have_text("改过的话")
    ask(tab, "二")
    expect(answers(tab).nth(1)).to_have_text("第四次回答。", timeout=20_000)
    assert engine.requests[-1].messages[0].content == "改过的话"

    answers(tab).first.click()
    expect(tab.locator("#delete")).to_have_text("删除第 1 轮")
    tab.locator("#delete").click()
    expect(answers(tab)).to_have_count(1)
    expect(answers(tab).first).to_have_text("第四次回答。")
    tab.locator("#clear").click()
    expect(answers(tab)).to_have_count(0)


def test_clearing_ends_a_generation_for_good(tab: Page, engine: ScriptedEngine):
    ask(tab, "一")
    expect(answers(tab).first).to_have_text("先救猫。", timeout=20_000)
    ask(tab, "二")
    expect(answers(tab).nth(1)).to_contain_text("此事", timeout=20_000)
    tab.locator("#clear").click()
    expect(answers(tab)).to_have_count(0)
    tab.wait_for_timeout(1_500)
    expect(answers(tab)).to_have_count(0)  # the old generation does not come back
    ask(tab, "三")
    expect(answers(tab).first).to_have_text("第三次回答。", timeout=20_000)
    assert [m.content for m in engine.requests[-1].messages] == ["三。操公曰："]


def test_stop_reaches_a_question_that_still_waits(browser: Browser, address: str, engine: ScriptedEngine):
    context = browser.new_context()
    one, two = open_tab(context.new_page(), address), open_tab(context.new_page(), address)
    ask(one, "一")
    expect(answers(one).first).to_have_text("先救猫。", timeout=20_000)
    ask(one, "长")
    expect(answers(one).nth(1)).to_contain_text("此事", timeout=20_000)
    two.locator("#say textarea").fill("等")
    two.locator("#send").click()
    two.wait_for_timeout(300)
    two.locator("#stop").click()
    expect(answers(one).nth(1)).to_have_text(LONG, timeout=30_000)
    two.wait_for_timeout(1_000)
    assert len(engine.requests) == 2  # the waiting one was never asked
    context.close()


def test_save_reload_and_load(tab: Page, address: str, tmp_path: Path):
    ask(tab, "记住这句")
    expect(answers(tab).first).to_have_text("先救猫。", timeout=20_000)
    with tab.expect_download() as download:
        tab.locator("#save").click()
    saved = tmp_path / "saved.json"
    download.value.save_as(saved)
    assert json.loads(saved.read_text(encoding="utf-8"))["turns"][0]["reply"] == "先救猫。"

    open_tab(tab, address)  # a reload keeps this tab's conversation
    expect(answers(tab).first).to_have_text("先救猫。")
    tab.locator("#clear").click()
    expect(answers(tab)).to_have_count(0)
    tab.locator("input[type=file]").last.set_input_files(saved)
    expect(answers(tab).first).to_have_text("先救猫。")
    expect(questions(tab).first).to_contain_text("记住这句")


def test_a_wrong_file_is_refused_and_costs_nothing(tab: Page, tmp_path: Path):
    ask(tab, "一")
    expect(answers(tab).first).to_have_text("先救猫。", timeout=20_000)
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"a": 1}', encoding="utf-8")
    tab.locator("input[type=file]").last.set_input_files(wrong)
    expect(tab.get_by_text(re.compile("不是保存的对话"))).to_be_visible()
    expect(answers(tab).first).to_have_text("先救猫。")


def test_two_tabs_do_not_see_each_other(browser: Browser, address: str):
    context = browser.new_context()
    one, two = open_tab(context.new_page(), address), open_tab(context.new_page(), address)
    ask(one, "只在第一页")
    expect(answers(one).first).to_have_text("先救猫。", timeout=20_000)
    expect(answers(two)).to_have_count(0)
    ask(two, "只在第二页")
    expect(questions(two).first).to_contain_text("只在第二页")
    open_tab(one, address)
    expect(questions(one)).to_have_count(1)
    expect(questions(one).first).to_contain_text("只在第一页")
    context.close()


def test_dark_mode(tab: Page):
    expect(tab.locator("body.dark")).to_have_count(0)
    tab.locator("#dark").click()
    expect(tab.locator("body.dark")).to_have_count(1)


def test_a_trained_run_answers(browser: Browser, request: pytest.FixtureRequest, tmp_path: Path):
    """Only where --run-folder names one (.ci/run does): a real model, from the picker to the reloaded conversation."""
    folder = request.config.getoption("--run-folder")
    if folder is None:
        pytest.skip("no --run-folder given")
    from custome.engine.local import open_local
    from custome.models.run_folder import read_run
    from custome.report import NullReporter

    people = read_run(Path(folder)).characters
    engine = open_local(
        run=Path(folder), base_model="", reporter=NullReporter(), home=Path(request.config.getoption("--home"))
    )
    page = build_chat_page(lambda: [Hosted(name="run", engine=engine, people=tuple(people))])
    address = open_page(page, host="127.0.0.1", port=None, share=False, say=lambda line: None, block=False)
    tab = open_tab(browser.new_page(viewport={"width": 1280, "height": 860}), address)
    pick(tab, "诸葛亮")
    ask(tab, "博物馆大火，救名画还是救猫？")
    expect(answers(tab).first).to_have_text(re.compile(r"[\u4e00-\u9fff]"), timeout=PATIENCE_MS)
    expect(tab.locator("#send")).to_be_enabled(timeout=PATIENCE_MS)
    tab.screenshot(path=tmp_path / "page.png")
    page.close()
