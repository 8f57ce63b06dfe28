"""The list of conversations, clicked through."""

from __future__ import annotations

import json

import pytest
from nicegui import ui
from nicegui.elements.upload_files import SmallFileUpload

from simulated_tab import OWN, Tab

pytestmark = pytest.mark.anyio


def rows(tab: Tab) -> list[str]:
    """The words of each row, from the top."""
    try:
        found = tab.user.find(marker="open_chat").elements
    except AssertionError:
        return []
    texts = []
    for row in sorted(found, key=_place):
        inside = [one.text for one in row.descendants() if isinstance(one, ui.label)]
        texts.append(" ".join(inside))
    return texts


def _place(link: ui.element) -> int:
    """Of a row in the list."""
    row = link.parent_slot.parent
    return row.parent_slot.children.index(row)


async def bring(tab: Tab, name: str, data: bytes, marker: str = "upload_chat") -> None:
    (upload,) = tab.user.find(ui.upload).elements
    await upload.handle_uploads([SmallFileUpload(name=name, content_type="text/plain", _data=data)])
    await tab.settle(0.05)


async def search(tab: Tab, words: str) -> None:
    with tab.user:
        (box,) = tab.user.find(marker="search").elements
        box.set_value(words)
    await tab.settle(0.02)


async def test_when_with_whom_and_the_last_words(tab, site):
    await tab.say("赤壁之事")
    (row,) = rows(tab)
    assert "赤壁之事" in row and "曹操｜先救猫。" in row and ":" in row


async def test_searching_marks_what_was_found(tab, site):
    await tab.say("赤壁之事")
    await tab.click("new")
    site.engine.requests.append(None)
    await tab.say("官渡之事")
    assert len(rows(tab)) == 2
    await search(tab, "救猫")
    (row,) = rows(tab)
    assert "赤壁之事" in row
    marks = [one for one in tab.user.client.elements.values() if one.tag == "mark"]
    assert len(marks) == 1
    await search(tab, "没有的词")
    assert rows(tab) == [] and tab.sees("没有找到")


async def test_a_tap_opens(tab, site):
    await tab.say("赤壁之事")
    await tab.click("new")
    assert tab.texts() == []
    await tab.click("open_chat")
    assert tab.texts() == ["赤壁之事", "先救猫。"]


async def test_rename_in_place_and_undo(tab, site):
    await tab.say("赤壁之事")
    await tab.click("more_of_chat")
    await tab.click("rename")
    with tab.user:
        (box,) = tab.user.find(marker="new_name").elements
        assert box.value == "赤壁之事"
        box.set_value("火烧赤壁")
    tab.user.find(marker="new_name").trigger("keydown.enter")
    assert "火烧赤壁" in rows(tab)[0] and site.store.chats(OWN)[0].title == "火烧赤壁"
    (title,) = tab.user.find(marker="title").elements
    assert title.text == "火烧赤壁"
    await tab.click("undo")
    assert "赤壁之事" in rows(tab)[0]


async def test_delete_and_undo(tab, site):
    await tab.say("赤壁之事")
    await tab.click("more_of_chat")
    await tab.click("remove")
    assert rows(tab) == [] and tab.texts() == []
    await tab.click("undo")
    assert len(rows(tab)) == 1 and tab.texts() == ["赤壁之事", "先救猫。"]


async def test_several_are_deleted_at_once(tab, site):
    for words in ("一", "三", "五"):
        await tab.say(words)
        await tab.click("new")
    await tab.click("tick")
    boxes = sorted(tab.user.find(marker="tick_one").elements, key=lambda one: one.id)
    with tab.user:
        for box in boxes[:2]:
            box.set_value(True)
    assert tab.sees("选了 2 段")
    await tab.click("remove_ticked")
    assert len(rows(tab)) == 1
    await tab.click("undo")
    assert len(rows(tab)) == 3


async def test_bringing_back_the_latest(tab, site):
    await tab.say("赤壁之事")
    await tab.click("more_of_chat")
    await tab.click("remove")
    await tab.click("restore")
    assert tab.texts() == ["赤壁之事", "先救猫。"]
    await tab.click("restore")
    assert tab.sees("没有删过对话")


@pytest.mark.parametrize("form", ["jsonl", "txt", "md"])
async def test_out_and_in_again(tab, site, form):
    await tab.say("记住这句")
    await tab.click("more_of_chat")
    await tab.click(f"export-{form}")
    response = tab.user.download.http_responses[-1]
    assert "先救猫。" in response.text
    await bring(tab, f"saved.{form}", response.content)
    assert len(rows(tab)) == 1 and tab.sees("已经在了"), "not twice"
    await tab.click("more_of_chat")
    await tab.click("remove")
    await bring(tab, f"saved.{form}", response.content)
    assert tab.texts() == ["记住这句", "先救猫。"] and len(rows(tab)) == 1
    assert tab.turns()[1].shows("name") == "曹操"


async def test_a_file_that_is_none_costs_nothing(tab, site):
    await tab.say("一")
    await bring(tab, "wrong.json", b'{"a": 1}')
    assert tab.sees("不是对话") and tab.texts() == ["一", "先救猫。"]


async def test_what_a_file_says_is_text(tab, site):
    wild = "<img src=x onerror=document.title='run'> &lt;b&gt; a<b"
    lines = [
        {"user_name": "客", "character_name": "曹操"},
        {"name": "客", "is_user": True, "mes": wild},
        {"name": "曹操", "is_user": False, "mes": wild},
    ]
    await bring(tab, "wild.jsonl", "\n".join(map(json.dumps, lines)).encode())
    assert [text.strip() for text in tab.texts()] == [wild, wild]


async def test_an_import_can_be_undone(tab, site):
    lines = [
        {"user_name": "客", "character_name": "曹操"},
        {"name": "客", "is_user": True, "mes": "话"},
    ]
    await bring(tab, "one.jsonl", "\n".join(map(json.dumps, lines)).encode())
    assert tab.texts() == ["话"]
    await tab.click("undo")
    assert rows(tab) == []


async def test_only_the_row_that_changed_is_drawn_anew(tab, site):
    for number in range(30):
        site.store.begin(OWN, f"第{number}段", model="三国")
    await tab.open()
    rows = {row.id for row in tab.user.find(marker="chat_row").elements}
    await tab.say("新的一段")
    now = {row.id for row in tab.user.find(marker="chat_row").elements}
    assert len(now) == len(rows) + 1 and rows <= now
    first = min(tab.user.find(marker="chats").elements, key=lambda one: one.id)
    assert first.default_slot.children[0].id not in rows  # the newest on top
