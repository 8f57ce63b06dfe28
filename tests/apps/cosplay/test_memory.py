"""What people remember across conversations: the user's own words, for whoever heard them; pinned, changed, forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from custome.apps.cosplay.memory import BUDGET, MOST, Memories, asks_of_oneself, noticed
from custome.apps.cosplay.scene import Scene
from custome.apps.cosplay.service import ConversationService
from custome.apps.cosplay.writing import Tab
from custome.conversations.store import Store
from custome.engine.base import ServedModel
from custome.engine.scripted import ScriptedEngine
from custome.types import Character, GenerateOptions

OPTIONS = GenerateOptions()
ASKED = "你还记得我叫什么吗？"


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("我叫阿宁，是教书的。你呢？", ["我叫阿宁，是教书的。"]),
        ("我最怕打雷！今天天气好。", ["我最怕打雷！"]),
        ("对了，我养了一只猫", ["对了，我养了一只猫"]),
        ("记住：周五要交稿。", ["记住：周五要交稿。"]),
        ("我今年三十岁。我家在成都。", ["我今年三十岁。", "我家在成都。"]),
        ("我该怎么办？", []),
        ("我是不是错了", []),
        ("我想知道谁杀了他", []),
        ("你是谁？曹操来了。", []),
        ("博物馆大火，救名画还是救猫？", []),
        ("我" + "爱读书，" * 40, []),
    ],
)
def test_what_is_worth_remembering(words: str, kept: list[str]):
    assert noticed(words) == kept


@pytest.mark.parametrize(
    ("words", "asks"),
    [
        ("你还记得我叫什么吗？", True),
        ("我是做什么的？", True),
        ("我最怕什么？", True),
        ("我家住哪里", True),
        ("你认得我么", True),
        ("我说过什么？", True),
        ("今晚要打雷了，我怎么办？", False),
        ("我喜欢你", False),
        ("你叫什么？", False),
        ("你怕什么？", False),
        ("选择喜欢的工作还是高薪的工作", False),
    ],
)
def test_when_it_is_asked_for(words: str, asks: bool):
    assert asks_of_oneself(words) == asks


@pytest.fixture
def store(tmp_path: Path):
    made = Store(tmp_path / "chats.db")
    yield made
    made.close()


def service_of(
    store: Store, *, kind: str = "template"
) -> tuple[ConversationService, ScriptedEngine]:
    engine = ScriptedEngine(["善。"])
    engine.kind = kind  # type: ignore[assignment]
    people = tuple(Character(name=name, cue=name, utterances=3) for name in ("曹操", "刘备"))
    served = [ServedModel(name="三国", engine=engine, people=people)]
    return ConversationService(lambda: served, store), engine


def say(service: ConversationService, tab: Tab, words: str, scene: Scene) -> Tab:
    for now, _ in service.say(tab, "k", words, "三国", scene, OPTIONS):
        tab = now
    return tab


def read(service: ConversationService, tab: Tab, words: str, scene: Scene) -> str:
    prompt = service.prompt(tab, "三国", scene, OPTIONS, words)
    return "".join(part.text for part in prompt.parts if part.title == "记得")


@pytest.mark.parametrize("kind", ["template", "novel"])
def test_who_heard_it_remembers_it_in_another_conversation(store: Store, kind: str):
    service, engine = service_of(store, kind=kind)
    with_cao, with_liu = Scene(people=("曹操",)), Scene(people=("刘备",))
    first = say(service, Tab(owner="a"), "我叫阿宁，最怕打雷。", with_cao)
    assert read(service, first, ASKED, with_cao) == ""  # it stands in this conversation
    fresh = Tab(owner="a")
    assert "“我叫阿宁，最怕打雷。”" in read(service, fresh, ASKED, with_cao)
    assert read(service, fresh, ASKED, with_liu) == ""  # he was not there
    assert read(service, Tab(owner="b"), ASKED, with_cao) == ""  # nobody else's
    assert read(service, fresh, ASKED, Scene(people=("曹操",), remember=False)) == ""
    assert read(service, fresh, "博物馆大火，救名画还是救猫？", with_cao) == ""  # beside the point
    say(service, fresh, ASKED, with_cao)
    assert "阿宁" in "".join(one.content for one in engine.requests[-1].messages)


def test_switched_off_nothing_is_kept(store: Store):
    service, _ = service_of(store)
    say(service, Tab(owner="a"), "我叫阿宁。", Scene(people=("曹操",), remember=False))
    say(service, Tab(owner="a"), "我叫阿宁。", Scene(people=("曹操",), as_speech=False))
    assert service.memories.of("a", "曹操") == []


def test_pinned_changed_forgotten(store: Store):
    memories = Memories(store)
    memories.notice("a", ("曹操",), "我叫阿宁。我养猫。我叫阿宁。", "c1")
    name, cat = memories.of("a", "曹操")
    memories.notice("a", ("曹操",), "我养猫。", "c2")  # known already
    assert len(memories.of("a", "曹操")) == 2
    memories.change("a", "曹操", cat.id, text="我养了两只猫。", pinned=True)
    assert memories.told("a", "曹操", "c1", "你好", len) == (
        "我养了两只猫。",
    )  # pinned: in its own talk too
    memories.forget("a", "曹操", name.id)
    assert [one.text for one in memories.of("a", "曹操")] == ["我养了两只猫。"]
    memories.add("a", "曹操", name)
    assert [one.text for one in memories.of("a", "曹操")][0] == "我叫阿宁。"


def test_there_is_a_limit_to_what_is_kept_and_to_what_is_told(store: Store):
    memories = Memories(store)
    for number in range(MOST + 20):
        memories.notice("a", ("曹操",), f"我喜欢第{number}本书。", "c")
        if not number:
            memories.change("a", "曹操", memories.of("a", "曹操")[0].id, pinned=True)
    kept = memories.of("a", "曹操")
    assert len(kept) == MOST and kept[0].text == "我喜欢第0本书。"  # pinned stays
    told = memories.told("a", "曹操", "", ASKED, len)
    assert sum(map(len, told)) <= BUDGET and told[0] == kept[0].text and told[-1] == kept[-1].text
