"""The chat page in a real browser: everything a person can do with it, on the scripted engine and on a trained run."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from custome.webui.launch import open_page
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from chat_tab import answers, ask, meet, open_tab, pick, questions, tab_of
from custome.apps.cosplay.card import Card, read_card, write_png
from custome.apps.cosplay.lorebook import Entry, Lorebook
from custome.conversations.store import Store
from custome.engine.base import ServedModel
from custome.engine.scripted import ScriptedEngine
from custome.types import Character
from custome.webui.chat_page import build_chat_page
from custome.webui.portrait import seal_png

pytestmark = pytest.mark.browser

PEOPLE = tuple(
    Character(name=name, cue=cue, utterances=9)
    for name, cue in (("曹操", "操公"), ("诸葛亮", "孔明"), ("刘备", "玄德"), ("孙权", "孙权"))
)
LONG = "此事容吾细细思之，" * 12
REPLIES = ["先救猫。", LONG, "第三次回答。", "第四次回答。", "第五次回答。", "第六次回答。"]
PATIENCE_MS = 30_000
DESKTOP, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine(REPLIES, delay_s=0.03, slots=2)


@pytest.fixture
def serving(engine: ScriptedEngine, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Opens the page on the same conversations, as often as wanted; an earlier one is closed."""
    open_pages = []

    def start(*names: str) -> str:
        for page in open_pages:
            page.close()
        models = [
            ServedModel(name=name, engine=engine, people=PEOPLE) for name in names or ("scripted",)
        ]
        open_pages.append(build_chat_page(lambda: models, tmp_path / "chats.db"))
        return open_page(
            open_pages[-1],
            host="127.0.0.1",
            port=None,
            share=False,
            say=lambda line: None,
            block=False,
        )

    yield start
    open_pages[-1].close()


@pytest.fixture
def address(serving: Callable[..., str]) -> str:
    return serving()


@pytest.fixture
def store(tmp_path: Path, address: str) -> Iterator[Store]:
    store = Store(tmp_path / "chats.db")
    yield store
    store.close()


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def tab(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A person's tab, on a screen of either width."""
    context = browser.new_context(
        locale="zh-CN", viewport=request.param, has_touch=request.param is PHONE
    )
    yield open_tab(context.new_page(), address)
    context.close()


def owner(page: Page) -> str:
    return page.evaluate("localStorage.getItem('custome-owner')")


def talks(page: Page) -> None:
    """Open the list at the left; on a phone it goes by itself once something is chosen."""
    page.wait_for_timeout(400)
    if page.locator("#new").bounding_box()["x"] < 0:
        page.locator("#talks .toggle-button, .toggle-button").first.click()
    expect(page.locator("#new")).to_be_in_viewport()
    page.wait_for_timeout(400)  # it slides


def said(page: Page, text: str, place: int = 0) -> None:
    expect(answers(page).nth(place)).to_have_text(text, timeout=PATIENCE_MS)


def test_who_answers_is_picked_and_a_typed_cue_wins(tab: Page, engine: ScriptedEngine):
    meet(tab, "诸葛亮")
    expect(tab.locator("#faces img")).to_have_count(1)
    ask(tab, "博物馆大火,救名画还是救猫?")
    said(tab, "先救猫。")
    assert (
        engine.requests[0].speaker == "孔明"
        and engine.requests[0].messages[-1].content == "客问孔明曰：“博物馆大火，救名画还是救猫？”"
    )
    ask(tab, "玄德曰：")
    expect(answers(tab).nth(1)).to_contain_text("此事", timeout=PATIENCE_MS)
    assert engine.requests[1].speaker == "" and engine.requests[1].messages[0].content.endswith(
        "孔明曰：“先救猫。”玄德曰：".replace("孔明", "诸葛亮")
    )


def test_a_reply_streams_and_stop_keeps_what_is_there(tab: Page, store: Store):
    ask(tab, "一")
    said(tab, "先救猫。")
    ask(tab, "二")
    expect(answers(tab).nth(1)).to_contain_text("此事", timeout=PATIENCE_MS)
    early = answers(tab).nth(1).inner_text()
    expect(answers(tab).nth(1)).not_to_have_text(early)  # it grows
    tab.locator("#stop").click()
    tab.wait_for_timeout(1_000)
    stopped = answers(tab).nth(1).inner_text()
    tab.wait_for_timeout(700)
    assert answers(tab).nth(1).inner_text() == stopped
    assert 0 < len(stopped) < len(LONG)
    ask(tab, "三")
    said(tab, "第三次回答。", 2)
    kept = store.read(store.chats(owner(tab))[0].id, owner(tab)).turns
    assert [turn.text for turn in kept][3] == stopped and all(turn.finished for turn in kept)


def test_versions_are_swiped_and_kept(tab: Page, engine: ScriptedEngine):
    ask(tab, "一")
    said(tab, "先救猫。")
    engine.requests.append(engine.requests[0])  # skip the long reply
    tab.locator("#retry").click()
    said(tab, "第三次回答。")
    expect(tab.locator("#version")).to_have_text("第 2/2 版")
    tab.locator("#older").click()
    said(tab, "先救猫。")
    expect(tab.locator("#version")).to_have_text("第 1/2 版")
    tab.locator("#newer").click()
    said(tab, "第三次回答。")
    tab.locator("#newer").click()  # behind the last one a new one is written
    said(tab, "第四次回答。")
    expect(tab.locator("#version")).to_have_text("第 3/3 版")
    expect(answers(tab)).to_have_count(1)


def test_edit_delete_bring_back_and_branch(tab: Page, engine: ScriptedEngine, store: Store):
    ask(tab, "一")
    said(tab, "先救猫。")
    questions(tab).first.hover()
    tab.locator("#chat").get_by_label("编辑").first.click()
    tab.locator("#chat textarea").fill("改过的话")
    tab.locator("#chat").get_by_label("发送").click()
    expect(questions(tab).first).to_have_text("改过的话")
    engine.requests.append(engine.requests[0])
    ask(tab, "二")
    said(tab, "第三次回答。", 1)
    assert "改过的话" in engine.requests[-1].messages[0].content

    answers(tab).first.click()
    expect(tab.locator("#delete")).to_have_text("删除第 2 句")
    tab.locator("#branch").click()
    expect(answers(tab)).to_have_count(1)
    said(tab, "先救猫。")
    whole, copy = [
        store.read(one.id, owner(tab))
        for one in sorted(store.chats(owner(tab)), key=lambda one: one.turns, reverse=True)
    ]
    assert len(whole.turns) == 4 and len(copy.turns) == 2 and copy.parent == whole.id

    tab.locator("#delete").click()
    expect(answers(tab)).to_have_count(0)
    expect(questions(tab)).to_have_count(1)
    tab.locator("#undelete").click()
    said(tab, "先救猫。")


def test_going_on_and_speaking_for_the_user(tab: Page, engine: ScriptedEngine):
    ask(tab, "一")
    said(tab, "先救猫。")
    engine.requests.append(engine.requests[0])
    tab.locator("#go_on").click()
    said(tab, "先救猫。第三次回答。")
    assert engine.requests[-1].text.endswith("操公曰：“先救猫。")
    tab.locator("#for_me").click()
    expect(tab.locator("#say textarea")).to_have_value("第四次回答。", timeout=PATIENCE_MS)
    assert engine.requests[-1].speaker == "客"


def test_three_in_one_scene(tab: Page, engine: ScriptedEngine):
    pick(tab, "刘备、曹操、孙权", "trio")
    expect(tab.locator("#faces img")).to_have_count(3)
    tab.get_by_label("轮流").check()
    tab.locator("#answers input[type=number]").fill("3")
    tab.locator("#answers input[type=number]").press("Enter")
    ask(tab, "三国归晋。")
    expect(answers(tab)).to_have_count(3, timeout=PATIENCE_MS)
    expect(answers(tab).nth(2)).to_contain_text("第三次回答。", timeout=PATIENCE_MS)
    assert [text.split("：")[0] for text in answers(tab).all_inner_texts()] == [
        "刘备",
        "曹操",
        "孙权",
    ]
    assert [request.speaker for request in engine.requests] == ["玄德", "操公", "孙权"]
    tab.get_by_label("点到谁").check()
    tab.locator("#answers input[type=number]").fill("1")
    tab.locator("#answers input[type=number]").press("Enter")
    ask(tab, "孙权，你说呢？")
    expect(answers(tab).nth(3)).to_have_text("孙权：第四次回答。", timeout=PATIENCE_MS)


def test_persona_note_and_summary_reach_the_model_and_can_be_looked_at(
    tab: Page, engine: ScriptedEngine, address: str
):
    tab.locator("#user textarea, #user input").first.fill("许攸")
    tab.locator("#user_persona textarea").fill("许攸从袁绍处来投。")
    tab_of(tab, "记忆")
    tab.locator("#note textarea").fill("夜已深")
    tab.locator("#summary textarea").fill("官渡相持已久。")
    tab_of(tab, "提示")
    tab.locator("#say textarea").fill("粮草尚有几何？")
    tab.locator("#look").click()
    expect(tab.locator("#prompt")).to_contain_text("许攸从袁绍处来投。")
    expect(tab.locator("#prompt")).to_contain_text("官渡相持已久。")
    expect(tab.locator("#prompt")).to_contain_text(re.compile(r"共约 \d+ token"))
    tab.locator("#send").click()
    said(tab, "先救猫。")
    assert (
        engine.requests[0].messages[0].content
        == "许攸从袁绍处来投。官渡相持已久。夜已深。许攸问操公曰：“粮草尚有几何？”"
    )
    open_tab(tab, address)  # settings belong to the conversation
    expect(tab.locator("#user textarea, #user input").first).to_have_value("许攸")


def test_conversations_are_listed_searched_renamed_deleted_and_survive_the_server(
    tab: Page, serving: Callable[..., str], browser: Browser
):
    ask(tab, "赤壁之事")
    said(tab, "先救猫。")
    talks(tab)
    expect(tab.locator("#chats label")).to_have_text("赤壁之事（2）")
    tab.locator("#new").click()
    expect(answers(tab)).to_have_count(0)
    ask(tab, "官渡之事")
    tab.locator("#stop").click()
    talks(tab)
    expect(tab.locator("#chats label")).to_have_count(2, timeout=PATIENCE_MS)
    tab.locator("#search textarea, #search input").first.fill("救猫")
    expect(tab.locator("#chats label")).to_have_count(1)
    tab.locator("#chats label").first.click()
    said(tab, "先救猫。")
    talks(tab)
    tab.locator("#title textarea, #title input").first.fill("火烧赤壁")
    tab.locator("#rename").click()
    expect(tab.locator("#chats label")).to_have_text("火烧赤壁（2）")

    address = serving()  # another server on the same conversations
    open_tab(tab, address)
    said(tab, "先救猫。")
    stranger = open_tab(browser.new_context().new_page(), address)
    talks(stranger)
    expect(stranger.locator("#chats label")).to_have_count(0)  # nobody sees what is somebody else's
    stranger.context.close()
    talks(tab)
    tab.locator("#remove_chat").click()
    expect(answers(tab)).to_have_count(0)
    expect(tab.locator("#chats label")).to_have_count(1)
    tab.locator("#undelete").click()
    said(tab, "先救猫。")  # the whole of it
    expect(tab.locator("#chats label")).to_have_count(2)


def test_when_the_last_model_is_gone_conversations_can_still_be_read(
    browser: Browser, engine: ScriptedEngine, tmp_path: Path
):
    models = [ServedModel(name="only", engine=engine, people=PEOPLE)]
    page = build_chat_page(lambda: list(models), tmp_path / "chats.db")
    address = open_page(
        page, host="127.0.0.1", port=None, share=False, say=lambda line: None, block=False
    )
    tab = open_tab(browser.new_context(locale="zh-CN").new_page(), address)
    ask(tab, "一")
    said(tab, "先救猫。")
    models.clear()
    tab.reload()
    said(tab, "先救猫。")
    ask(tab, "二")
    expect(tab.get_by_text(re.compile("已经不在了")).first).to_be_visible()
    expect(tab.locator("#say textarea")).to_have_value("二")  # nothing is lost
    talks(tab)
    with tab.expect_download():
        tab.locator("#save").click()
    tab.context.close()
    page.close()


@pytest.mark.parametrize("form", ["jsonl", "txt", "md"])
def test_export_and_import(tab: Page, tmp_path: Path, form: str):
    ask(tab, "记住这句")
    said(tab, "先救猫。")
    talks(tab)
    pick(tab, form, "form")
    with tab.expect_download() as download:
        tab.locator("#save").click()
    saved = tmp_path / f"saved.{form}"
    download.value.save_as(saved)
    assert download.value.suggested_filename == f"记住这句.{form}"
    if form == "jsonl":
        lines = [json.loads(line) for line in saved.read_text(encoding="utf-8").splitlines()]
        assert lines[2]["mes"] == "先救猫。" and lines[1]["is_user"] is True
    tab.locator("#new").click()
    expect(answers(tab)).to_have_count(0)
    tab.locator("#talks input[type=file], input[type=file]").first.set_input_files(saved)
    said(tab, "先救猫。")
    expect(questions(tab).first).to_have_text("记住这句")
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"a": 1}', encoding="utf-8")
    tab.locator("#talks input[type=file], input[type=file]").first.set_input_files(wrong)
    expect(tab.get_by_text(re.compile("不是对话"))).to_be_visible()
    said(tab, "先救猫。")  # a wrong file costs nothing


def test_a_card_comes_in_and_goes_out(tab: Page, tmp_path: Path, engine: ScriptedEngine):
    card = Card(
        name="王掌柜",
        cue="王掌柜",
        description="<b>开</b>客栈的{{user}}，爱算账。",
        book=Lorebook(entries=(Entry(keys=("客栈",), content="客栈在东门外。"),)),
    )
    path = tmp_path / "card.png"
    path.write_bytes(write_png(card, seal_png(card.name)))
    tab_of(tab, "人物")
    tab.locator("input[type=file]").last.set_input_files(path)
    expect(tab.locator("#person .token")).to_have_count(2)
    expect(tab.locator("#card")).to_contain_text(
        "<b>开</b>客栈的{{user}}，爱算账。"
    )  # text, never run
    meet(tab, "王掌柜")
    ask(tab, "客栈何在？")
    said(tab, "先救猫。")
    assert (
        engine.requests[0].messages[0].content
        == "<b>开</b>客栈的客，爱算账。客栈在东门外。客问王掌柜曰：“客栈何在？”"
    )
    with tab.expect_download() as download:
        tab.locator("#card_png").click()
    out = tmp_path / "out.png"
    download.value.save_as(out)
    assert read_card(out.read_bytes(), "out").description == card.description
    picture = tmp_path / "picture.png"
    picture.write_bytes(seal_png("无卡"))
    tab.locator("input[type=file]").last.set_input_files(picture)
    expect(tab.get_by_text(re.compile("里面没有人物卡"))).to_be_visible()


def test_what_people_and_files_say_is_text_and_never_a_page(
    tab: Page, tmp_path: Path, engine: ScriptedEngine
):
    wild = "<img src=x onerror=document.title='run'> &lt;b&gt; a<b"
    talks(tab)
    path = tmp_path / "wild.jsonl"
    rows = [
        {"user_name": "客", "character_name": "曹操"},
        {"name": "客", "is_user": True, "mes": f"  {wild}\n"},
        {"name": "曹操", "is_user": False, "mes": wild},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    tab.locator("#talks input[type=file], input[type=file]").first.set_input_files(path)
    expect(answers(tab)).to_have_count(1)
    for bubble in (questions(tab).first, answers(tab).first):
        assert bubble.inner_text().replace("\u200b", "").strip() == wild
    expect(tab.locator("#chat img[src=x]")).to_have_count(0)
    card = tmp_path / "card.json"
    card.write_text(
        json.dumps({"name": "<img src=y>掌柜", "first_mes": "<h1>来</h1>"}), encoding="utf-8"
    )
    if tab.viewport_size == PHONE:
        tab.locator("#talks .toggle-button, .toggle-button").first.click()
    tab_of(tab, "人物")
    tab.locator("input[type=file]").last.set_input_files(card)
    expect(tab.get_by_text(re.compile("掌柜 来了"))).to_be_visible()
    assert tab.locator("img[src=y]").count() == 0 and tab.title() != "run"
    questions(tab).first.hover()
    tab.locator("#chat").get_by_label("编辑").first.click()
    tab.locator("#chat textarea").fill("改过的话")
    tab.locator("#chat").get_by_label("发送").click()
    expect(questions(tab).first).to_have_text("改过的话")  # though blanks stood around it


def test_a_card_speaks_first_keeps_its_picture_and_goes(
    tab: Page, tmp_path: Path, engine: ScriptedEngine
):
    out = io.BytesIO()
    Image.new("RGB", (300, 200), "green").save(out, "PNG")
    card = Card(
        name="王掌柜",
        cue="王掌柜",
        greeting="客官住店么？",
        rest={"alternate_greetings": ["打烊了。"]},
    )
    path = tmp_path / "card.png"
    path.write_bytes(write_png(card, out.getvalue()))
    tab_of(tab, "人物")
    tab.locator("input[type=file]").last.set_input_files(path)
    expect(tab.locator("#person .token")).to_have_count(2)
    meet(tab, "王掌柜")
    with tab.expect_download() as download:
        tab.locator("#card_png").click()
    download.value.save_as(tmp_path / "out.png")
    assert Image.open(tmp_path / "out.png").size == (300, 200)
    tab_of(tab, "场景")
    tab.locator("#greet").click()
    said(tab, "客官住店么？")
    expect(tab.locator("#version")).to_have_text("第 1/2 版")
    tab.locator("#newer").click()
    said(tab, "打烊了。")
    ask(tab, "住。")
    expect(answers(tab).nth(1)).to_have_text("先救猫。", timeout=PATIENCE_MS)
    assert "打烊了。" in engine.requests[0].messages[0].content
    tab_of(tab, "人物")
    tab.locator("#card_away").click()
    expect(tab.locator("#person .token")).to_have_count(0)
    said(tab, "打烊了。")  # what they said stays


def test_of_several_candidates_the_first_is_seen_until_one_is_chosen(tab: Page, store: Store):
    tab_of(tab, "生成")
    tab.locator("#candidates input[type=number]").fill("2")
    tab.locator("#candidates input[type=number]").press("Enter")
    ask(tab, "一")
    expect(answers(tab).first).to_contain_text("先救猫", timeout=PATIENCE_MS)
    said(tab, LONG)  # three characters are too few
    assert [turn.text for turn in store.read(store.chats(owner(tab))[0].id, owner(tab)).turns] == [
        "一",
        LONG,
    ]


def test_starting_anew_ends_a_generation_for_good(tab: Page, engine: ScriptedEngine):
    ask(tab, "一")
    said(tab, "先救猫。")
    ask(tab, "二")
    expect(answers(tab).nth(1)).to_contain_text("此事", timeout=PATIENCE_MS)
    talks(tab)
    tab.locator("#new").click()
    expect(answers(tab)).to_have_count(0)
    tab.wait_for_timeout(1_500)
    expect(answers(tab)).to_have_count(0)  # the old generation does not come back
    ask(tab, "三")
    said(tab, "第三次回答。")
    assert "一" not in engine.requests[-1].messages[0].content


def test_two_tabs_show_two_conversations_and_a_reload_keeps_each(browser: Browser, address: str):
    context = browser.new_context(locale="zh-CN")
    one, two = open_tab(context.new_page(), address), open_tab(context.new_page(), address)
    ask(one, "只在第一页")
    said(one, "先救猫。")
    expect(answers(two)).to_have_count(0)
    ask(two, "只在第二页")
    expect(questions(two).first).to_contain_text("只在第二页")
    open_tab(one, address)
    expect(questions(one)).to_have_count(1)
    expect(questions(one).first).to_contain_text("只在第一页")
    context.close()


def test_a_model_that_is_gone_costs_no_conversation(tab: Page, serving: Callable[..., str]):
    ask(tab, "一")
    said(tab, "先救猫。")
    open_tab(tab, serving("another"))
    expect(tab.get_by_text(re.compile("原来的模型 'scripted' 已经不在了"))).to_be_visible()
    said(tab, "先救猫。")
    ask(tab, "三")
    expect(answers(tab)).to_have_count(2, timeout=PATIENCE_MS)


def test_keys_and_dark(tab: Page):
    expect(tab.locator("body.dark")).to_have_count(0)
    tab.locator("#dark").click()
    expect(tab.locator("body.dark")).to_have_count(1)
    ask(tab, "一")
    said(tab, "先救猫。")
    ask(tab, "二")
    expect(answers(tab).nth(1)).to_contain_text("此事", timeout=PATIENCE_MS)
    tab.locator("#say textarea").press("Escape")
    tab.wait_for_timeout(800)
    assert len(answers(tab).nth(1).inner_text()) < len(LONG)
    tab.keyboard.press("Alt+n")
    expect(answers(tab)).to_have_count(0)


def test_on_a_phone_everything_is_in_reach(browser: Browser, address: str):
    context = browser.new_context(locale="zh-CN", viewport=PHONE, has_touch=True)
    page = open_tab(context.new_page(), address)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    ask(page, "一")
    said(page, "先救猫。")
    for button in (
        "#send",
        "#stop",
        "#retry",
        "#go_on",
        "#for_me",
        "#older",
        "#newer",
        "#branch",
        "#delete",
        "#undelete",
    ):
        page.locator(button).scroll_into_view_if_needed()
        box = page.locator(button).bounding_box()
        assert (
            box is not None and box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"] + 1
        ), button
    talks(page)
    expect(page.locator("#chats label")).to_have_count(1)
    context.close()


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
    page = build_chat_page(
        lambda: [ServedModel(name="run", engine=engine, people=tuple(people), folder=Path(folder))],
        tmp_path / "chats.db",
    )
    address = open_page(
        page, host="127.0.0.1", port=None, share=False, say=lambda line: None, block=False
    )
    context = browser.new_context(locale="zh-CN")
    tab = open_tab(context.new_page(), address)
    meet(tab, "曹操")
    tab_of(tab, "生成")
    tab.locator("#do_sample input").uncheck()
    ask(tab, "博物馆大火，救名画还是救猫？")
    expect(tab.locator("#status")).to_have_text(re.compile("token/秒"), timeout=120_000)
    first = answers(tab).first.inner_text()
    assert len(first) > 1
    tab_of(tab, "提示")
    tab.locator("#look").click()
    expect(tab.locator("#prompt")).to_contain_text("曹操")
    open_tab(tab, address)
    expect(answers(tab).first).to_have_text(first)
    context.close()
    page.close()
    engine.close()


def test_cards_are_read_by_others(tmp_path: Path):
    """The chunks a picture travels with, read without our code."""
    data = write_png(Card(name="曹操", description="魏王"), seal_png("曹操"))
    place = data.index(b"ccv3\0") + 5
    size = int.from_bytes(data[place - 13 : place - 9], "big") - 5
    assert json.loads(base64.b64decode(data[place : place + size]))["data"]["name"] == "曹操"


def test_a_second_tab_on_the_same_conversation_waits_and_keeps_its_words(
    tab: Page, engine: ScriptedEngine, store: Store
):
    meet(tab, "诸葛亮")
    ask(tab, "在么？")
    said(tab, REPLIES[0])
    expect(tab.locator("#status")).to_contain_text("token/秒", timeout=PATIENCE_MS)
    other = open_tab(tab.context.new_page(), tab.url)
    talks(other)
    other.locator("#chats label").first.click()
    said(other, REPLIES[0])
    engine._delay_s = 0.4  # the first tab is still being answered when the second one speaks
    ask(tab, "一")
    expect(answers(tab)).to_have_count(2, timeout=PATIENCE_MS)
    other.locator("#say textarea").fill("二")
    other.keyboard.press("Shift+Enter")
    expect(other.locator(".toast-body, .toast-wrap").first).to_contain_text(
        "别的窗口", timeout=PATIENCE_MS
    )
    expect(other.locator("#say textarea")).to_have_value("二")
    engine._delay_s = 0.0
    said(tab, REPLIES[1], 1)
    kept = [turn.text for turn in store.read(store.chats(owner(tab))[0].id, owner(tab)).turns]
    assert "一" in kept and "二" not in kept
