"""The chat page in a real browser: what only a browser shows. Everything else is clicked through in tests/webui."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from chat_tab import (
    PATIENCE_MS,
    act,
    answers,
    ask,
    box,
    drawer,
    finished,
    open_tab,
    owner,
    questions,
    said,
    serving,
    settings,
    talk_to,
    words,
)
from custome.apps.cosplay.card import Card, read_card, write_png
from custome.conversations.store import Store
from custome.engine.base import ServedModel
from custome.engine.scripted import ScriptedEngine
from custome.ports import free_port
from custome.server.catalogue import Catalogue
from custome.types import Character
from custome.webui.seal import seal_png

pytestmark = pytest.mark.browser

PEOPLE = tuple(
    Character(name=name, cue=cue, utterances=9)
    for name, cue in (("曹操", "操公"), ("诸葛亮", "孔明"), ("刘备", "玄德"), ("孙权", "孙权"))
)
LONG = "此事容吾细细思之，" * 12
REPLIES = ["先救猫。", LONG, "第三次回答。", "第四次回答。", "第五次回答。", "第六次回答。"]
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine(REPLIES, delay_s=0.03, slots=2)


@pytest.fixture
def catalogue(engine: ScriptedEngine) -> Catalogue:
    return Catalogue([ServedModel(name="三国", engine=engine, people=PEOPLE)])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "chats.db")
    yield store
    store.close()


@pytest.fixture
def address(catalogue: Catalogue, store: Store) -> Iterator[str]:
    with serving(catalogue, store) as address:
        yield address


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    phone = request.param is PHONE
    context = browser.new_context(
        locale="zh-CN", viewport=request.param, has_touch=phone, is_mobile=phone
    )
    yield context
    context.close()


@pytest.fixture
def tab(context: BrowserContext, address: str) -> Iterator[Page]:
    """A person's tab, on a screen of either width; it asks nobody else for anything, and nothing goes wrong in it."""
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request",
        lambda one: (
            wrong.append(one.url)
            if not one.url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))
            else None
        ),
    )
    yield open_tab(page, address)
    assert not wrong


def test_first_word_another_person_another_version(tab: Page, engine: ScriptedEngine):
    ask(tab, "博物馆大火,救名画还是救猫?")
    said(tab, "先救猫。")
    expect(answers(tab).first.locator(".name")).to_have_text("曹操")
    finished(tab)
    engine.requests.append(engine.requests[0])  # skip the long reply
    act(tab, answers(tab).first, "换一个说法")
    said(tab, "第三次回答。")
    expect(answers(tab).first.locator(".count")).to_have_text("2/2")
    act(tab, answers(tab).first, "上一个说法")
    said(tab, "先救猫。")
    talk_to(tab, "诸葛亮")
    ask(tab, "在么？")
    said(tab, "第四次回答。", 1)
    expect(answers(tab).nth(1).locator(".name")).to_have_text("诸葛亮")


def test_enter_sends_shift_enter_does_not_and_composing_is_left_alone(tab: Page):
    expect(tab.get_by_role("button", name="发送")).to_be_disabled()
    box(tab).fill("第一行")
    box(tab).press("Shift+Enter")
    box(tab).press_sequentially("第二行")
    assert box(tab).input_value() == "第一行\n第二行" and questions(tab).count() == 0
    client = tab.context.new_cdp_session(tab)
    client.send("Input.imeSetComposition", {"text": "ni", "selectionStart": 2, "selectionEnd": 2})
    box(tab).dispatch_event("keydown", {"key": "Enter", "keyCode": 229, "isComposing": True})
    tab.wait_for_timeout(200)
    assert questions(tab).count() == 0, "an input method's Enter sends nothing"
    client.send("Input.insertText", {"text": "你"})
    box(tab).press("Enter")
    expect(questions(tab)).to_have_count(1)
    assert words(questions(tab).first).inner_text() == "第一行\n第二行你"
    assert box(tab).input_value() == ""


def test_what_is_typed_meanwhile_stays_and_what_is_sent_waits(tab: Page, engine: ScriptedEngine):
    engine.requests.append(None)
    ask(tab, "一")
    expect(words(answers(tab).first)).to_contain_text("此事", timeout=PATIENCE_MS)
    ask(tab, "二")
    expect(tab.locator(".turn.waiting .words")).to_have_text("二")
    box(tab).press_sequentially("还在写")
    expect(answers(tab)).to_have_count(2, timeout=PATIENCE_MS)
    said(tab, "第三次回答。", 1)
    assert box(tab).input_value() == "还在写"
    expect(tab.locator(".turn.waiting")).to_have_count(0)


def test_a_draft_is_kept_for_each_conversation(tab: Page, address: str):
    ask(tab, "一")
    said(tab, "先救猫。")
    finished(tab)
    box(tab).press_sequentially("草稿甲")
    tab.reload()
    expect(box(tab)).to_have_value("草稿甲")
    said(tab, "先救猫。")
    drawer(tab)
    tab.locator(".left .new").click()
    expect(box(tab)).to_have_value("")
    box(tab).press_sequentially("草稿乙")
    drawer(tab)
    tab.locator(".chat_row .open").first.click()
    expect(box(tab)).to_have_value("草稿甲")


def test_stop_is_there_while_something_runs(tab: Page, store: Store, engine: ScriptedEngine):
    engine.requests.append(None)
    expect(tab.locator(".composer .stop")).to_have_count(0)
    ask(tab, "二")
    expect(words(answers(tab).first)).to_contain_text("此事", timeout=PATIENCE_MS)
    tab.get_by_role("button", name="停下").click()
    finished(tab)
    stopped = words(answers(tab).first).inner_text()
    tab.wait_for_timeout(500)
    assert words(answers(tab).first).inner_text() == stopped and 0 < len(stopped) < len(LONG)
    chat = store.chats(owner(tab))[0].id
    assert store.read(chat, owner(tab)).turns[1].text == stopped


def test_words_are_written_out_evenly(tab: Page, engine: ScriptedEngine):
    """The server sends words four times a second; nobody sees them come in lumps."""
    ask(tab, "一")
    finished(tab)
    tab.evaluate("""() => {
        window.lengths = [];
        const look = () => {
            const last = [...document.querySelectorAll('.turn.theirs .words')].at(1);
            window.lengths.push(last ? last.textContent.length : 0);
            requestAnimationFrame(look);
        };
        look();
    }""")
    ask(tab, "二")
    said(tab, LONG, 1)
    finished(tab)
    lengths = tab.evaluate("window.lengths")
    assert lengths == sorted(lengths)
    assert len(set(lengths)) > len(LONG) / 4  # some 14 messages bring 108 characters
    tab.emulate_media(reduced_motion="reduce")
    ask(tab, "三")
    said(tab, "第三次回答。", 2)


def test_edit_in_place_and_ask_anew(tab: Page, engine: ScriptedEngine):
    ask(tab, "一")
    said(tab, "先救猫。")
    finished(tab)
    act(tab, answers(tab).first, "修改")
    wide = tab.locator(".editing textarea").bounding_box()["width"]
    assert wide > 0.7 * tab.locator(".talk .column").bounding_box()["width"]
    tab.locator(".editing textarea").fill("改过的话")
    tab.locator(".editing textarea").press("Enter")
    said(tab, "改过的话")
    tab.get_by_role("button", name="撤销").click()
    said(tab, "先救猫。")
    engine.requests.append(None)
    act(tab, questions(tab).first, "修改")
    tab.locator(".editing textarea").fill("换一个问题")
    tab.get_by_role("button", name="保存并重新回答").click()
    expect(words(questions(tab).first)).to_have_text("换一个问题")
    said(tab, "第三次回答。")


def test_three_in_one_scene(tab: Page, engine: ScriptedEngine):
    tab.locator(".chip", has_text="选人").click()
    tab.get_by_role("button", name="刘备、曹操、孙权").click()
    expect(tab.locator(".chip.here")).to_have_count(3)
    ask(tab, "孙权，你说呢？")
    expect(answers(tab).first.locator(".name")).to_have_text("孙权", timeout=PATIENCE_MS)
    finished(tab)


def test_an_old_conversation_is_found(tab: Page):
    ask(tab, "赤壁之事")
    said(tab, "先救猫。")
    finished(tab)
    drawer(tab)
    tab.locator(".left .new").click()
    drawer(tab)
    tab.get_by_label("搜对话里的话").fill("救猫")
    expect(tab.locator(".chat_row mark")).to_have_text("救猫")
    tab.locator(".chat_row .open").first.click()
    said(tab, "先救猫。")


def test_a_card_comes_in_by_a_real_file_and_goes_out(tab: Page, tmp_path: Path, address: str):
    path = tmp_path / "card.png"
    card = Card(name="王掌柜", cue="王掌柜", description="<b>开</b>客栈的，爱算账。")
    path.write_bytes(write_png(card, seal_png(card.name)))
    tab.goto(f"{address}/people")
    with tab.expect_file_chooser() as chooser:
        tab.get_by_role("button", name=re.compile("导入人物卡")).click()
    chooser.value.set_files(path)
    expect(tab.get_by_text("<b>开</b>客栈的，爱算账。")).to_be_visible(timeout=PATIENCE_MS)
    with tab.expect_download() as download:
        tab.get_by_role("button", name="PNG", exact=True).click()
    download.value.save_as(tmp_path / "out.png")
    assert read_card((tmp_path / "out.png").read_bytes(), "out").description == card.description
    tab.get_by_role("button", name="和他说话").click()
    expect(tab.locator(".chip.here")).to_have_text("王掌柜", timeout=PATIENCE_MS)


def test_what_the_model_reads(tab: Page):
    settings(tab)
    tab.get_by_label("你的来历").fill("许攸从袁绍处来投。")
    tab.wait_for_timeout(600)
    settings(tab, "模型读到什么")
    tab.get_by_role("button", name="看一看").click()
    expect(tab.locator(".prompt")).to_contain_text("许攸从袁绍处来投。", timeout=PATIENCE_MS)
    expect(tab.locator(".prompt")).to_contain_text(re.compile(r"共约 \d+ token"))


def test_words_are_text_and_never_a_page(tab: Page):
    wild = "<img src=x onerror=document.title='run'> &lt;b&gt; *笑*"
    ask(tab, wild)
    said(tab, "先救猫。")
    expect(questions(tab).first.locator("em")).to_have_text("笑")
    assert words(questions(tab).first).inner_text() == wild.replace("*", "")
    assert tab.locator("img[src=x]").count() == 0 and "run" not in tab.title()


def test_a_server_that_comes_back_shows_what_is_stored(
    context: BrowserContext, catalogue: Catalogue, store: Store
):
    port = free_port("127.0.0.1", None)
    with serving(catalogue, store, port=port) as address:
        page = open_tab(context.new_page(), address)
        ask(page, "一")
        said(page, "先救猫。")
        finished(page)
        box(page).press_sequentially("写到一半")
    expect(page.locator("#popup")).to_be_visible(timeout=PATIENCE_MS)
    assert "连接" in page.locator("#popup").inner_text()
    assert box(page).input_value() == "写到一半"
    with serving(catalogue, store, port=port):
        expect(page.locator("#popup")).to_be_hidden(timeout=PATIENCE_MS)
        page.wait_for_function("window.socket && window.socket.connected", timeout=PATIENCE_MS)
        said(page, "先救猫。")
        expect(box(page)).to_have_value("写到一半")
        page.close()


def test_a_cut_connection_costs_no_reply_and_no_draft(tab: Page, engine: ScriptedEngine):
    ask(tab, "一")
    finished(tab)
    engine._delay_s = 0.03
    ask(tab, "二")
    expect(words(answers(tab).nth(1))).to_contain_text("此事", timeout=PATIENCE_MS)
    for _ in range(2):  # again and again, as on a train
        box(tab).press_sequentially("写")
        tab.evaluate("window.socket.io.engine.close()")
        tab.wait_for_timeout(400)
    tab.wait_for_function("window.socket && window.socket.connected", timeout=PATIENCE_MS)
    said(tab, LONG, 1)
    finished(tab)
    expect(box(tab)).to_have_value("写写")
    engine._delay_s = 0.0
    box(tab).press("Enter")
    said(tab, "第三次回答。", 2)


def test_two_tabs_on_one_conversation(tab: Page, store: Store):
    ask(tab, "一")
    said(tab, "先救猫。")
    finished(tab)
    other = open_tab(tab.context.new_page(), tab.url)
    said(other, "先救猫。")
    ask(other, "二")
    expect(words(answers(tab).nth(1))).to_contain_text("此事", timeout=PATIENCE_MS)
    ask(tab, "三")
    said(other, "第三次回答。", 2)
    chat = store.chats(owner(tab))[0].id
    assert [turn.text for turn in store.read(chat, owner(tab)).turns] == [
        *("一", "先救猫。", "二", LONG, "三", "第三次回答。")
    ]


def test_keys_and_theme(tab: Page, engine: ScriptedEngine):
    drawer(tab)
    tab.get_by_role("button", name="深色").click()
    expect(tab.locator("body.body--dark")).to_have_count(1)
    tab.reload()
    expect(tab.locator("body.body--dark")).to_have_count(1, timeout=PATIENCE_MS)
    expect(box(tab)).to_be_visible(timeout=PATIENCE_MS)
    engine.requests.append(None)
    ask(tab, "二")
    expect(words(answers(tab).first)).to_contain_text("此事", timeout=PATIENCE_MS)
    box(tab).press("Escape")
    finished(tab)
    assert len(words(answers(tab).first).inner_text()) < len(LONG)
    tab.keyboard.press("Alt+n")
    expect(answers(tab)).to_have_count(0)


def test_everything_is_in_reach_and_large_enough(tab: Page, context: BrowserContext):
    ask(tab, "一")
    said(tab, "先救猫。")
    finished(tab)
    width = tab.viewport_size["width"]
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert box(tab).bounding_box()["y"] < tab.viewport_size["height"] - 30, "the box is in view"
    small = []
    for button in tab.get_by_role("button").all():
        place = button.bounding_box()
        seen = place and button.is_visible() and 0 <= place["x"] < width
        if seen and min(place["width"], place["height"]) < 40 - 0.5:
            small.append((button.inner_text() or button.get_attribute("aria-label"), place))
    assert not small


def test_a_trained_run_answers(browser: Browser, request: pytest.FixtureRequest, tmp_path: Path):
    """Only where --run-folder names one (.ci/run does): a real model, from the picker to the reloaded conversation."""
    folder = request.config.getoption("--run-folder")
    if folder is None:
        pytest.skip("no --run-folder given")
    from custome.engine.open_local import open_local
    from custome.models.run_folder import read_run
    from custome.reporter import NullReporter

    people = read_run(Path(folder)).characters
    engine = open_local(
        run=Path(folder),
        base_model="",
        reporter=NullReporter(),
        home=Path(request.config.getoption("--home")),
    )
    hosted = ServedModel(name="run", engine=engine, people=tuple(people), folder=Path(folder))
    store = Store(tmp_path / "chats.db")
    with serving(Catalogue([hosted]), store) as address:
        context = browser.new_context(locale="zh-CN", viewport=DESKTOP)
        tab = open_tab(context.new_page(), address)
        talk_to(tab, "曹操")
        ask(tab, "博物馆大火，救名画还是救猫？")
        expect(tab.locator(".status")).to_have_text(re.compile("token/秒"), timeout=120_000)
        first = words(answers(tab).first).inner_text()
        assert len(first) > 1
        settings(tab, "模型读到什么")
        tab.get_by_role("button", name="看一看").click()
        expect(tab.locator(".prompt")).to_contain_text("曹操", timeout=PATIENCE_MS)
        tab.reload()
        expect(words(answers(tab).first)).to_have_text(first, timeout=PATIENCE_MS)
        context.close()
    store.close()
    engine.close()


def test_cards_are_read_by_others(tmp_path: Path):
    """The chunks a picture travels with, read without our code."""
    data = write_png(Card(name="曹操", description="魏王"), seal_png("曹操"))
    place = data.index(b"ccv3\0") + 5
    size = int.from_bytes(data[place - 13 : place - 9], "big") - 5
    assert json.loads(base64.b64decode(data[place : place + size]))["data"]["name"] == "曹操"
