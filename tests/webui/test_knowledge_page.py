"""The page of the bases, clicked through: files in and out, questions, sources, what one thinks of an answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from nicegui.elements.upload_files import SmallFileUpload

from custome.apps.knowledge.shelf import Shelf
from custome.engine.base import ServedModel
from custome.engine.scripted import ScriptedEmbedder, ScriptedEngine
from custome.errors import EngineError
from custome.webui.elements import Composer
from simulated_tab import OWN, PEOPLE, Site, Tab

pytestmark = pytest.mark.anyio
TEXT = "渡口的末班船晚上八点开，船票五元一张。船夫叫钱勇，在这里撑了三十年船。"


class Instructed(ScriptedEngine):
    kind = "template"


def said(text: str) -> str:
    return f"[1] {text}"


@pytest.fixture
async def tab(site: Site) -> Tab:
    engine = Instructed([said("晚上八点。")])
    site.models = [ServedModel(name="m", engine=engine, people=PEOPLE)]
    made = Tab(site.new_user(), site)
    await made.user.open("/knowledge")
    return made


async def bring(tab: Tab, name: str = "船期.txt", text: str = TEXT) -> None:
    (upload,) = tab.user.find(marker="files").elements
    file = SmallFileUpload(name=name, content_type="x", _data=text.encode())
    await upload.handle_uploads([file])
    await asyncio.sleep(0.3)


async def ask(tab: Tab, words: str) -> None:
    tab.user.find(Composer).trigger("send", {"words": words})
    await tab.settle_until(lambda: not tab.composer.shows("busy"))
    await asyncio.sleep(0.6)


async def test_a_file_is_brought_asked_and_taken_out(tab: Tab):
    assert tab.sees("把文件拖进来，就能问")
    await bring(tab)
    assert Shelf().names() == ["我的资料"] and tab.sees("船期.txt")
    await ask(tab, "末班船几点开？")
    assert (
        tab.sees("晚上八点。")
        and tab.sees("末班船晚上八点开")
        and tab.sees("引文、数目、人名都和原文核对过")
    )
    tab.user.find(marker="citation").click()
    await asyncio.sleep(0.05)
    assert tab.sees("船夫叫钱勇，在这里撑了三十年船。")
    await tab.click("remove_document")
    assert not Shelf().get("我的资料").documents()
    await ask(tab, "末班船几点开？")
    assert tab.site.given_back == ["末班船几点开？"] and tab.sees("是空的")
    await tab.click("undo")
    assert Shelf().get("我的资料").documents()


async def test_what_was_asked_is_there_again(tab: Tab):
    await bring(tab)
    await ask(tab, "末班船几点开？")
    again = Tab(tab.site.new_user(), tab.site)
    await again.user.open("/knowledge")
    await again.click("open_chat")
    assert again.sees("晚上八点。") and again.sees("末班船晚上八点开")
    stranger = Tab(tab.site.new_user("f" * 32), tab.site)
    await stranger.user.open("/knowledge")
    assert not stranger.sees("末班船几点开？")


async def test_a_follow_up_is_shown_as_it_was_understood(tab: Tab):
    await bring(tab)
    await ask(tab, "末班船几点开？")
    await ask(tab, "那它呢？")
    assert tab.sees("当作在问：末班船几点开，那它呢？")


async def test_somebody_of_the_book_tells_it(tab: Tab):
    await bring(tab)
    (person,) = tab.user.find(marker="person").elements
    with tab.user:
        person.set_value("曹操")
    await ask(tab, "末班船几点开？")
    assert tab.sees("曹操说：晚上八点。") and tab.sees("末班船晚上八点开")


async def test_what_one_thinks_of_an_answer_becomes_a_question_to_measure_with(tab: Tab):
    await bring(tab)
    await ask(tab, "末班船几点开？")
    await tab.click("thumb_up")
    await tab.click("thumb_down")
    kept = (Shelf().folder / "我的资料" / "ratings.jsonl").read_text(encoding="utf-8").splitlines()
    right, wrong = map(json.loads, kept)
    assert right["document"] == "船期.txt"
    ((start, end),) = right["places"]
    assert "末班船晚上八点开" in TEXT[start:end] and wrong["wrong"]


async def test_what_nothing_is_written_of(tab: Tab):
    await bring(tab)
    tab.site.models[0].engine._replies[:] = [said("晚上九点。")]
    await ask(tab, "船票几元？")
    assert tab.sees("资料里没有直接写到") and tab.sees("船票五元一张")


async def test_it_finds_by_meaning_once_switched_on(tab: Tab):
    await bring(tab)
    await ask(tab, "车马费？")
    assert tab.sees("资料里没有找到")
    (switch,) = tab.user.find(marker="by_meaning").elements
    with tab.user:
        switch.set_value(True)
    await tab.settle_until(lambda: tab.site.embedder.read == [TEXT])
    await tab.settle_until(lambda: not tab.sees("正在读意思"))
    tab.site.models[0].engine._replies[:] = [said("船票五元一张。")]
    await ask(tab, "车马费？")
    assert tab.sees("船票五元一张。") and tab.sees("意思相近 1.00")
    with tab.user:
        switch.set_value(False)
    await tab.settle_until(lambda: not Shelf().get("我的资料").settings().embedder)


async def test_an_embedder_that_cannot_be_had_is_told(tab: Tab):
    class Away(ScriptedEmbedder):
        def passages(self, texts: Sequence[str]) -> Any:
            raise EngineError("向量服务没有回应", "看看那边的服务")

    tab.site.embedder = Away()
    await bring(tab)
    (switch,) = tab.user.find(marker="by_meaning").elements
    with tab.user:
        switch.set_value(True)
    await tab.settle_until(lambda: tab.sees("按意思找没有做完：向量服务没有回应"))


async def test_a_file_that_cannot_be_read_is_named(tab: Tab):
    await bring(tab, "坏.docx", "PK\x03\x04坏")
    assert tab.sees("坏的压缩文件") and not tab.site.given_back


async def test_where_others_come_too_no_files_are_taken(site: Site):
    site.workplace = None
    Shelf().create("渡口").take_file("船期.txt", TEXT.encode())
    async with site.serving() as new_user:
        tab = Tab(new_user(OWN), site)
        await tab.user.open("/knowledge")
        assert tab.sees("船期.txt") and not tab.sees("拖到这里")
        with pytest.raises(AssertionError):
            tab.user.find(marker="remove_document")
