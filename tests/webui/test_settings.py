"""The settings: each reaches the model, belongs to the conversation, and says what it does."""

from __future__ import annotations

import asyncio
import re

import pytest

from custome.apps.cosplay.memory import Memories
from custome.apps.cosplay.scene import Scene, scene_of
from custome.types import GenerateOptions
from custome.webui.elements import Composer
from simulated_tab import OWN, REPLIES, Site, Tab

pytestmark = pytest.mark.anyio


def put(tab: Tab, marker: str, value: object) -> None:
    (widget,) = tab.user.find(marker=marker).elements
    with tab.user:
        widget.set_value(value)


def value(tab: Tab, marker: str) -> object:
    (widget,) = tab.user.find(marker=marker).elements
    return widget.value


SCENE = {
    "order": "turn",
    "answers": 3,
    "candidates": 2,
    "user": "许攸",
    "user_persona": "许攸从袁绍处来投。",
    "note": "夜已深",
    "summary": "官渡相持已久。",
    "as_of": 30,
    "as_speech": False,
    "examples": 1,
    "persona": False,
    "regex": True,
    "only_heard": False,
    "remember": False,
    "max_history": 2,
}
OPTIONS = {
    "do_sample": False,
    "temperature": 0.7,
    "top_p": 0.5,
    "top_k": 7,
    "repetition_penalty": 1.3,
    "max_new_tokens": 64,
}


@pytest.mark.parametrize("name", sorted(SCENE))
async def test_a_setting_belongs_to_its_conversation(tab, site, name):
    await tab.say("一")
    put(tab, name, SCENE[name])
    chat = site.store.chats(OWN)[0].id
    assert getattr(scene_of(site.store.read(chat, OWN)), name) == SCENE[name]
    await tab.click("new")
    assert value(tab, name) == getattr(Scene(), name), "a new conversation is new"
    other = await Tab(site.new_user(), site).open(f"/?chat={chat}")
    assert value(other, name) == SCENE[name]


@pytest.mark.parametrize("name", sorted(OPTIONS))
async def test_a_sampling_setting_reaches_the_engine(tab, site, name):
    seen = []
    stream = site.engine.stream

    def watched(request, options, cancel=None):
        seen.append(options)
        return stream(request, options, cancel)

    site.engine.stream = watched
    put(tab, name, OPTIONS[name])
    await tab.say("一")
    assert getattr(seen[0], name) == OPTIONS[name]
    assert type(getattr(seen[0], name)) is type(getattr(GenerateOptions(), name))


async def test_who_one_is_and_what_came_before_reach_the_model(tab, site):
    for name in ("user", "user_persona", "note", "summary"):
        put(tab, name, SCENE[name])
    await tab.say("粮草尚有几何？")
    assert site.engine.requests[0].messages[0].content == (
        "许攸从袁绍处来投。官渡相持已久。夜已深。许攸问操公曰：“粮草尚有几何？”"
    )


async def test_what_the_model_reads_can_be_looked_at(tab, site):
    put(tab, "user_persona", "许攸从袁绍处来投。")
    tab.user.javascript_rules[re.compile(r".*written")] = lambda _: "粮草何在？"  # in the box
    await tab.click("look")
    await tab.user.should_see("粮草何在？", retries=20)
    await tab.user.should_see("许攸从袁绍处来投。")
    assert any("token" in str(one.text) for one in tab.user.find(content="共约").elements)


async def test_a_summary_is_made_on_demand(tab, site):
    for words in ("一", "三"):
        await tab.say(words)
    await tab.click("digest")
    await tab.user.should_see("前情整理好了", retries=30)
    assert value(tab, "summary") == site.store.read(site.store.chats(OWN)[0].id, OWN).summary.text


async def test_speaking_for_oneself(tab, site, monkeypatch):
    put_in: list[str] = []
    monkeypatch.setattr(Composer, "put", lambda composer, words: put_in.append(words))
    await tab.say("一")
    site.engine.requests.append(None)
    tab.user.javascript_rules[re.compile(r".*written")] = lambda _: ""  # in the box
    await tab.click("for_me")
    await tab.settle(0.3)
    assert put_in[-1] == "第三次回答。" and site.engine.requests[-1].speaker == "客"


async def test_what_is_written_for_oneself_is_stopped_by_the_one_button(tab, site, monkeypatch):
    put_in: list[str] = []
    monkeypatch.setattr(Composer, "put", lambda composer, words: put_in.append(words))
    site.engine._delay_s = 0.02
    tab.user.javascript_rules[re.compile(r".*written")] = lambda _: ""
    await tab.click("for_me")
    await tab.settle_until(lambda: put_in)
    assert tab.composer.shows("busy")
    tab.user.find(Composer).trigger("stop")
    await tab.settle(0.05)
    assert not tab.composer.shows("busy") and len(put_in[-1]) < len(REPLIES[1])


@pytest.mark.parametrize("name", ["num_beams", "strength", "contrast_strength"])
async def test_what_an_engine_cannot_do_is_not_offered(tab, site, name):
    able = {"num_beams": "num_beams", "strength": "strength", "contrast_strength": "logit_bias"}
    offered = able[name] in site.engine.supports
    widgets = [one for one in tab.user.client.elements.values() if name in one._markers]
    assert len(widgets) == 1 and widgets[0].parent_slot.parent.visible == offered


async def test_each_remembers_what_they_heard(tab, site):
    await tab.say("密约：今夜三更举火。")
    await tab.click("chip-诸葛亮")
    site.engine.requests.append(None)
    await tab.say("可有密约？")
    read = site.engine.requests[-1].messages[0].content
    assert "三更" not in read and "可有密约" in read
    await tab.click("chip-曹操")
    await tab.say("方才说到哪里？")
    read = site.engine.requests[-1].messages[0].content
    assert "三更" in read and "可有密约" not in read
    put(tab, "only_heard", False)
    await tab.say("如今呢？")
    assert "可有密约" in site.engine.requests[-1].messages[0].content


async def test_no_more_rounds_are_remembered_than_wanted(tab, site):
    put(tab, "max_history", 1)
    for words in ("头一句", "第二句", "第三句"):
        await tab.say(words)
        site.engine.requests.append(None)
    read = site.engine.requests[-2].messages[0].content
    assert "头一句" not in read and "第二句" in read and "第三句" in read


async def test_what_somebody_remembers_is_read_pinned_and_forgotten(site: Site, tab: Tab):
    await tab.say("我叫阿宁。")
    memories = Memories(site.store)
    name = site.store.chats(OWN)[0].scene["people"][0]
    assert [one.text for one in memories.of(OWN, name)] == ["我叫阿宁。"]
    await tab.open("/")  # another conversation
    await tab.user.should_see(f"{name}记得你说过")
    await tab.click("pin")
    assert memories.of(OWN, name)[0].pinned
    await tab.click("forget_memory")
    assert memories.of(OWN, name) == []
    await tab.click("undo")
    assert [one.text for one in memories.of(OWN, name)] == ["我叫阿宁。"]
    tab.user.find(marker="new_memory").type("下周要考试").trigger("keydown.enter")
    await asyncio.sleep(0.05)
    assert [one.text for one in memories.of(OWN, name)] == ["我叫阿宁。", "下周要考试"]
