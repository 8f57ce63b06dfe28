"""The people page: cards in, changed and out."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace

import pytest
from nicegui import ui
from nicegui.elements.upload_files import SmallFileUpload
from PIL import Image

from custome.apps.cosplay.card import Card, read_card, write_json, write_png
from custome.apps.cosplay.lorebook import Entry, Lorebook
from custome.corpus.cast import Cast, Line, write_cast
from custome.corpus.lore import Fact, Lore
from custome.types import Portrait
from custome.webui.seal import seal_png
from simulated_tab import Tab

pytestmark = pytest.mark.anyio
CARD = Card(
    name="王掌柜",
    cue="王掌柜",
    description="<b>开</b>客栈的{{user}}，爱算账。",
    greeting="客官住店么？",
    book=Lorebook(entries=(Entry(keys=("客栈",), content="客栈在东门外。"),)),
    rest={"alternate_greetings": ["打烊了。"], "tags": ["客栈"], "creator": "某人"},
)


@pytest.fixture
async def people(site) -> Tab:
    tab = Tab(site.new_user(), site)
    await tab.user.open("/people")
    return tab


async def bring(tab: Tab, name: str, data: bytes) -> None:
    (upload,) = tab.user.find(ui.upload).elements
    await upload.handle_uploads([SmallFileUpload(name=name, content_type="x", _data=data)])
    await asyncio.sleep(0.1)


def value(tab: Tab, marker: str, new: str | None = None) -> str:
    (box,) = tab.user.find(marker=marker).elements
    if new is not None:
        with tab.user:
            box.set_value(new)
    return box.value


async def test_everybody_has_a_face_and_says_how_much_they_speak(people):
    assert len(people.user.find(marker="tile").elements) == 4
    assert people.sees("9 句")


async def test_searching(people):
    with people.user:
        (box,) = people.user.find(marker="search").elements
        box.set_value("孙")
    assert len(people.user.find(marker="tile").elements) == 1
    with people.user:
        box.set_value("没有")
    assert people.sees("没有这个人")


@pytest.mark.parametrize("form", ["png", "json"])
async def test_a_card_comes_in_is_read_and_goes_out(people, site, form):
    data = write_png(CARD, seal_png("王掌柜")) if form == "png" else write_json(CARD)
    await bring(people, f"card.{form}", data)
    assert people.sees("王掌柜 来了") and people.sees("<b>开</b>客栈的你，爱算账。")
    assert people.sees("世界书：1 条") and people.sees("客栈在东门外。")
    (words,) = people.user.find(marker="try_words").elements
    with people.user:
        words.set_value("今晚住客栈吗")
    assert people.sees("说到“客栈”")
    await people.click(form)
    back = read_card(people.user.download.http_responses[-1].content, "back")
    assert (
        back.description == CARD.description
        and back.book.entries[0].content == CARD.book.entries[0].content
    )
    assert back.rest["tags"] == ["客栈"]


async def test_an_imported_person_answers(people, site):
    await bring(people, "card.json", write_json(CARD))
    tab = await Tab(site.new_user(), site).open("/?with=王掌柜")
    await tab.say("客栈何在？")
    assert tab.turns()[1].shows("name") == "王掌柜"
    assert site.engine.requests[0].messages[0].content == (
        "<b>开</b>客栈的客，爱算账。客栈在东门外。客问王掌柜曰：“客栈何在？”"
    )


async def test_what_the_book_says_of_somebody_stands_on_the_card(site, tmp_path):
    """Of an instruct base's people too, whose model does not read it."""
    name = site.models[0].people[0].name
    portrait = Portrait(
        name=name, cue=name, utterances=9, aliases=(), chapters=1, speaks_to=(), openings=()
    )
    line = Line(speaker=name, text="来了。", asked="谁？", novel="书", chapter=1)
    fact = Fact(novel="书", chapter=3, text=f"{name}使朴刀。", kind="arms")
    write_cast(
        tmp_path,
        Cast(
            people=(portrait,),
            lines=(line,),
            lore=(Lore(kind="person", name=name, keys=(name,), facts=(fact,)),),
        ),
    )
    site.models = [replace(site.models[0], folder=tmp_path)]
    tab = Tab(site.new_user(), site)
    await tab.user.open("/people")
    tab.user.find(f"tile-{name}").click()
    await tab.user.should_see(f"第3回：{name}使朴刀。")


async def test_they_speak_first(people, site):
    await bring(people, "card.json", write_json(CARD))
    tab = await Tab(site.new_user(), site).open("/?with=王掌柜")
    await tab.click("greet")
    assert tab.texts() == ["客官住店么？"] and tab.turns()[0].shows("versions") == 2
    await tab.act(0, "newer")
    assert tab.texts() == ["打烊了。"]
    await tab.say("住。")
    assert "打烊了。" in site.engine.requests[0].messages[0].content


async def test_somebody_without_a_greeting_does_not_begin(tab):
    await tab.click("greet")
    assert tab.sees("没有开场白") and tab.texts() == []


async def test_a_card_keeps_its_picture(people, site):
    out = io.BytesIO()
    Image.new("RGB", (300, 200), "green").save(out, "PNG")
    await bring(people, "card.png", write_png(CARD, out.getvalue()))
    await people.click("png")
    picture = people.user.download.http_responses[-1].content
    assert Image.open(io.BytesIO(picture)).size == (300, 200)
    face = await people.user.http_client.get("/portrait?name=王掌柜")
    assert face.headers["content-type"] == "image/png"
    strangers = await site.new_user("f" * 32).http_client.get("/portrait?name=王掌柜")
    assert strangers.headers["content-type"] == "image/svg+xml", "it is its owner's only"


async def test_a_card_is_taken_away_and_brought_back(people, site):
    await bring(people, "card.json", write_json(CARD))
    await people.click("forget")
    assert "王掌柜" not in site.store_cards()
    undo = max(people.user.find(marker="undo").elements, key=lambda one: one.id)
    people.user.find(marker="undo").elements = {undo}
    with people.user:
        undo._handle_event({"listener_id": next(iter(undo._event_listeners)), "args": {}})
    assert site.store_cards()["王掌柜"].description == CARD.description


async def test_the_persons_card_is_changed_and_the_books_stays(people, site):
    await people.click("tile-曹操")
    await people.click("edit")
    value(people, "field-description", "魏王，字孟德。")
    await people.click("add_entry")
    value(people, "entry_keys", "铜雀台、邺城")
    value(people, "entry_text", "台在邺城。")
    await people.click("save")
    card = site.store_cards()["曹操"]
    assert card.description == "魏王，字孟德。"
    assert card.book.entries[0].keys == ("铜雀台", "邺城")
    tab = await Tab(site.new_user(), site).open()
    await tab.say("铜雀台何在？")
    assert "魏王，字孟德。台在邺城。" in site.engine.requests[0].messages[0].content


async def test_a_new_card_needs_a_name(people, site):
    await people.click("write")
    value(people, "field-description", "无名")
    await people.click("save")
    assert people.sees("还没有写名字") and not site.store_cards()
    value(people, "field-name", "无名氏")
    await people.click("save")
    assert site.store_cards()["无名氏"].description == "无名"


async def test_an_entry_is_switched_off(people, site):
    await bring(people, "card.json", write_json(CARD))
    await people.click("edit")
    with people.user:
        (on,) = people.user.find(marker="entry_on").elements
        on.set_value(False)
    await people.click("save")
    tab = await Tab(site.new_user(), site).open("/?with=王掌柜")
    await tab.say("客栈何在？")
    assert "东门" not in site.engine.requests[0].messages[0].content


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("picture.png", seal_png("无卡"), "里面没有人物卡"),
        ("wrong.json", b"{", "不是人物卡"),
        ("empty.json", b"", "不是人物卡"),
        ("noname.json", b'{"description": "x"}', "没有名字"),
        ("big.json", b'{"name": "x", "description": "' + b"a" * 20_001 + b'"}', "最多"),
    ],
)
async def test_what_is_no_card_is_named(people, site, name, data, told):
    await bring(people, name, data)
    assert people.sees(told) and not site.store_cards()


@pytest.mark.parametrize(
    "name", ["<img src=y>掌柜", 'x" :y="alert(1)', "{{char}}", "a/b", "..", "‮"]
)
async def test_wild_names(people, site, name):
    await bring(people, "card.json", write_json(Card(name=name, description="x")))
    assert name in site.store_cards()
    tab = await Tab(site.new_user(), site).open("/")
    await tab.click(f"chip-{name}")
    await tab.say("在么？")
    assert tab.turns()[1].shows("name") == name
    face = await tab.user.http_client.get(tab.turns()[1].shows("portrait"))
    assert face.status_code == 200 and b"<img" not in face.content
