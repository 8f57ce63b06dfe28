"""The page of novels, clicked through: begun, planned, written, turned over, edited, set back, stale, checked, taken away."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nicegui import ui

from custome.apps.novel.brief import Brief, Person, Promise, Secret
from custome.apps.novel.folder import NovelFolder
from custome.apps.novel.inventing import cast
from custome.apps.novel.service import Novels
from custome.engine.base import ServedModel
from custome.engine.scripted import ScriptedEngine
from custome.errors import InputError
from simulated_tab import Site, Tab

pytestmark = pytest.mark.anyio


class Instructed(ScriptedEngine):
    kind = "template"


@pytest.fixture
async def tab(site: Site) -> Tab:
    # Told after the plan's own words, so that it is a candidate that is worth something.
    site.models = [ServedModel(name="m", engine=Instructed(["他站着没有动。"], slots=4))]
    made = Tab(site.new_user(), site)
    await made.user.open("/novel")
    return made


def one(tab: Tab, marker: str) -> Any:
    (found,) = tab.user.find(marker=marker).elements
    return found


def has(tab: Tab, marker: str) -> bool:
    try:
        tab.user.find(marker=marker)
    except AssertionError:
        return False
    return True


async def begin(tab: Tab, title: str = "盐灯", chapters: int = 3) -> NovelFolder:
    await tab.click("new")
    one(tab, "title-of-new").set_value(title)
    one(tab, "premise").set_value("一本账。")
    one(tab, "chapters").set_value(chapters)
    one(tab, "hero").set_value("沈青")
    await tab.click("make")
    folder = NovelFolder(tab.site.workplace / "novels" / title)
    await tab.settle_until(lambda: has(tab, "row-1"))
    return folder


async def to(tab: Tab, name: str) -> None:
    tab.user.find(ui.tabs).elements.copy().pop().set_value(name)
    await asyncio.sleep(0.05)


async def written(tab: Tab, folder: NovelFolder, number: int = 1) -> None:
    await tab.settle_until(lambda: folder.chapter(number))
    await asyncio.sleep(0.7)


async def test_a_novel_from_nothing_to_a_book(tab: Tab):
    assert tab.sees("写一本小说")
    folder = await begin(tab)
    assert folder.brief().people[0].name == "沈青" and len(folder.outline()) == 3
    assert has(tab, "row-1") and has(tab, "row-3")
    await to(tab, "写作")
    assert tab.sees("这一回还没有写")
    await tab.click("write")
    await written(tab, folder)
    assert tab.sees(folder.row(1).title) and has(tab, "edit")
    await to(tab, "事实")
    assert has(tab, "facts-1") and (tab.sees("在逃") or tab.sees("手里"))
    await to(tab, "检查")
    assert has(tab, "checks-1") and tab.sees("写好 1 回")
    await tab.click("export.epub")
    await tab.settle_until(lambda: tab.user.download.http_responses)
    assert tab.user.download.http_responses[-1].content.startswith(b"PK")


async def test_passages_are_turned_over_and_the_text_follows(tab: Tab):
    folder = await begin(tab)
    await to(tab, "写作")
    await tab.click("write")
    await written(tab, folder)
    await tab.click("pieces")
    at = next(n for n, piece in enumerate(folder.pieces(1)) if len(piece.candidates) > 1)
    other = folder.pieces(1)[at].candidates[1]
    before = folder.chapter(1)
    await tab.click(f"turn-{at}")
    assert folder.pieces(1)[at].text == other and folder.chapter(1) != before
    assert not folder.stale(1) and folder.versions(1) == [before]


async def test_somebodys_own_words_and_the_way_back(tab: Tab):
    folder = await begin(tab)
    await to(tab, "写作")
    await tab.click("write")
    await written(tab, folder)
    before = folder.chapter(1)
    await tab.click("edit")
    one(tab, "editor").set_value("# 第1回　我的\n\n都是我写的。")
    await tab.click("save")
    assert folder.is_edited(1) and has(tab, "edited") and tab.sees("都是我写的。")
    assert not has(tab, "pieces") and not has(tab, "again")
    await tab.click("versions")
    await tab.click("restore-1")
    assert folder.chapter(1) == before and not folder.is_edited(1)
    await tab.click("versions")
    assert has(tab, "version-2")


async def test_what_is_stale_says_so_and_is_written_anew_when_asked(tab: Tab):
    folder = await begin(tab)
    await to(tab, "写作")
    await tab.click("write")
    await written(tab, folder)
    before = folder.chapter(1)
    await to(tab, "目录")
    events = sorted(tab.user.find(marker="row-event").elements, key=lambda found: found.id)
    events[0].set_value("沈青在渡口等了一夜，没有人来。")
    for listener in list(events[0]._event_listeners.values()):
        if listener.type == "blur":
            events[0]._handle_event({"listener_id": listener.id, "args": {}})
    assert folder.row(1).event == "沈青在渡口等了一夜，没有人来。"
    await to(tab, "写作")
    assert has(tab, "stale") and folder.chapter(1) == before
    await tab.click("again")
    await tab.settle_until(lambda: "渡口等了一夜" in folder.chapter(1))
    await to(tab, "设定")
    one(tab, "brief-things").set_value("玉佩")
    await tab.click("save-brief")
    await to(tab, "写作")
    await asyncio.sleep(0.6)
    assert tab.sees("设定改过了")


async def test_people_secrets_and_promises_are_added_changed_and_taken_out(tab: Tab):
    folder = await begin(tab)
    people, folder_parts = folder.brief().people, folder.brief().parts()
    await to(tab, "设定")
    await tab.click("add-秘密")
    for mark, words in (("what", "账是假的"), ("words", "账，假的"), ("known_to", people[0].name)):
        one(tab, f"秘密-{mark}-1").set_value(words)
    await tab.click("add-伏笔")
    for mark, value in (("what", "铜铃是谁的"), ("words", "铜铃"), ("planted", 1), ("paid", 3)):
        one(tab, f"伏笔-{mark}-1").set_value(value)
    one(tab, "人物-aliases-1").set_value("阿青，青哥")
    await tab.click("add-人物")
    one(tab, f"人物-name-{len(people) + 1}").set_value("陆小满")
    await tab.click("save-brief")
    brief = folder.brief()
    assert brief.secrets == (
        Secret(what="账是假的", words=("账", "假的"), known_to=(people[0].name,)),
    )
    assert brief.promises == (Promise(what="铜铃是谁的", words=("铜铃",), planted=1, paid=3),)
    parts = {name: part for part, names in folder_parts.items() for name in names}
    as_shown = tuple(replace(person, part=parts[person.name]) for person in people)
    assert brief.people[0] == replace(as_shown[0], aliases=("阿青", "青哥"))
    assert brief.people[1:] == (*as_shown[1:], Person(name="陆小满"))
    await tab.click(f"take-out-人物-{len(brief.people)}")
    one(tab, "伏笔-paid-1").set_value(9)
    await tab.click("save-brief")
    assert tab.sees("第 9 回收") and folder.brief() == brief
    one(tab, "伏笔-paid-1").set_value(2)
    await tab.click("save-brief")
    assert folder.brief().people == brief.people[:-1] and folder.brief().promises[0].paid == 2


async def test_letters_of_today_are_told(tab: Tab):
    folder = await begin(tab)
    await to(tab, "写作")
    await tab.click("write")
    await written(tab, folder)
    await to(tab, "检查")
    (today,) = folder.journal.letters_a_day().values()
    assert today > 800 and has(tab, "days") and tab.sees(f"{today:,}")


async def test_a_brief_that_cannot_be_is_told_and_nothing_is_lost(tab: Tab):
    folder = await begin(tab)
    await to(tab, "设定")
    one(tab, "brief-chapters").set_value(0)
    await tab.click("save-brief")
    assert tab.sees("应在 1 到 1,000 之间") and folder.brief().chapters == 3
    await tab.click("new")
    one(tab, "title-of-new").set_value("盐/灯")
    one(tab, "premise").set_value("一本账。")
    await tab.click("make")
    assert tab.sees("不能当文件夹的名字")


async def test_an_outline_edited_into_nonsense_is_told(tab: Tab):
    folder = await begin(tab)
    (folder.path / "outline.json").write_text("{", encoding="utf-8")
    await to(tab, "写作")
    await to(tab, "目录")
    assert tab.sees("不是 JSON")


async def test_it_goes_on_while_nobody_looks_and_is_stopped(site: Site, tab: Tab):
    site.models = [ServedModel(name="m", engine=Instructed(["他站着没有动。"], delay_s=0.01))]
    folder = await begin(tab)
    await to(tab, "写作")
    await tab.click("write-all")
    await tab.settle_until(lambda: len(folder.pieces(1)) > 1)
    await asyncio.sleep(0.6)
    assert has(tab, "stop") and not folder.chapter(1)
    other = Tab(site.new_user(), site)
    await other.user.open("/novel?name=盐灯")
    await other.settle_until(lambda: has(other, "stop"))
    await other.click("stop")
    await other.settle_until(lambda: has(other, "write"))
    kept = len(folder.pieces(1))
    assert 0 < kept < len(folder.beats(1))


def test_one_at_a_time_and_an_error_is_kept(tmp_path: Path):
    novels = Novels(tmp_path, lambda: pytest.fail("nobody writes"))
    assert novels.names() == []
    people = cast(3, 1)
    brief = Brief(title="盐灯", premise="一本账。", chapters=3, people=people)
    assert novels.create(brief) == "盐灯"
    with pytest.raises(InputError, match="已经有一本"):
        novels.create(brief)
    with pytest.raises(InputError, match="没有小说"):
        novels.begin("没有", [1])
    assert novels.get("盐灯").brief() == brief
