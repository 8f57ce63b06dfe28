"""Conversations as they are played and kept: nothing is lost when something goes wrong, nothing is remembered that is not so."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from custome.apps.cosplay.card import Card, read_card, write_png
from custome.apps.cosplay.casting import Company
from custome.apps.cosplay.lorebook import Entry, Lorebook
from custome.apps.cosplay.prompt import Said, Setting, write_prompt
from custome.apps.cosplay.responder import Responder
from custome.apps.cosplay.scene import Scene, scene_of
from custome.apps.cosplay.service import ConversationService
from custome.apps.cosplay.writing import Tab
from custome.conversations.store import Store
from custome.corpus.cast import Cast
from custome.engine.base import Cancel, ServedModel
from custome.engine.scripted import ScriptedEngine
from custome.errors import EngineError, InputError
from custome.types import Character, GenerateOptions, Piece

PEOPLE = (Character(name="甲", cue="甲"), Character(name="乙", cue="乙"))
SCENE, OPTIONS, KEY = Scene(people=("甲",)), GenerateOptions(max_new_tokens=128), "tab"


def play_of(engine: ScriptedEngine, folder: Path) -> ConversationService:
    return ConversationService(
        lambda: [ServedModel(name="m", engine=engine, people=PEOPLE)], Store(folder / "chats.db")
    )


def say(play: ConversationService, tab: Tab, words: str, scene: Scene = SCENE) -> Tab:
    *_, (tab, _) = play.say(tab, KEY, words, "m", scene, OPTIONS)
    return tab


def texts(play: ConversationService, tab: Tab) -> list[str]:
    return [turn.text for turn in play.chat(tab).turns]


def test_going_on_fits_whatever_the_room(tmp_path: Path):
    reply = "此事容吾细细思之。" * 11
    said = [Said(name="客", text="如何？", by_user=True), Said(name="甲", text=reply)] * 20
    for room in range(600, 1_000, 29):
        engine = ScriptedEngine([reply])
        engine.max_context = room
        Responder(engine, Company(Cast()), {"甲": Card(name="甲")}).go_on(
            "甲", said, Setting(), OPTIONS
        )
        asked = engine.requests[-1].text
        assert (
            asked.endswith(f"甲曰：“{reply}")
            and room * 0.6 < len(asked) + OPTIONS.max_new_tokens <= room
        )


def test_half_a_reply_of_an_engine_that_goes_away_is_kept_with_its_question(tmp_path: Path):
    class GoesAway(ScriptedEngine):
        def run(self, request, options, on_piece=None, cancel=None):
            if len(self.requests) == 1:
                on_piece(Piece(text="话说到一半"))
                raise EngineError("那边断了", "重启它")
            return super().run(request, options, on_piece, cancel)

    play = play_of(GoesAway(["好。"]), tmp_path)
    tab = say(play, Tab(owner="x"), "在么？")
    with pytest.raises(EngineError):
        say(play, tab, "然后呢？")
    assert texts(play, tab) == ["在么？", "好。", "然后呢？", "话说到一半"]


def test_several_candidates_are_seen_growing_and_kept_while_they_are_written(tmp_path: Path):
    engine = ScriptedEngine(["先写的这一句。", "另一句。"])
    seen: list[str] = []
    responder = Responder(engine, Company(Cast()), {"甲": Card(name="甲")})
    said = [Said(name="客", text="在么？", by_user=True)]
    responder.speak(
        "甲", said, Setting(), OPTIONS, candidates=2, on_piece=lambda piece: seen.append(piece.text)
    )
    assert seen[:3] == ["先", "先写", "先写的"] and seen[-1] == "先写的这一句。"
    stop = Cancel()
    spoken = responder.speak(
        "甲", said, Setting(), OPTIONS, candidates=2, on_piece=lambda _: stop.set(), cancel=stop
    )
    assert (
        spoken.reply.text == "先" and spoken.reply.finish_reason == "cancelled"
    )  # what was seen stays


def test_a_summary_is_not_wiped_out_when_less_is_left_out_than_it_tells(tmp_path: Path):
    engine = ScriptedEngine(["前情：说定了。"])
    engine.kind, engine.max_context = "template", 400
    play, tab = play_of(engine, tmp_path), Tab(owner="x")
    for number in range(8):
        tab = say(play, tab, f"第{number}问：" + "如何？" * 12)
    play.sum_up_now(tab, KEY, "m")
    assert play.chat(tab).summary.turns == 14
    for number in range(3):
        tab = say(
            play,
            tab,
            f"又{number}问：" + "如何？" * 12,
            Scene(people=("甲",), summary="前情：说定了。"),
        )
        assert play.chat(tab).summary.text == "前情：说定了。"


def test_a_branch_does_not_remember_what_came_after_it(tmp_path: Path):
    engine = ScriptedEngine(["好。" * 40])
    engine.max_context = 500
    play, tab = play_of(engine, tmp_path), Tab(owner="x")
    for number in range(10):
        made = play.chat(tab).summary.text if tab.chat else ""
        tab = say(play, tab, f"第{number}问：" + "如何？" * 12, Scene(people=("甲",), summary=made))
    assert "第4问" in play.chat(tab).summary.text
    early = play.branch(tab, play.chat(tab).turns[1].id)
    assert len(texts(play, early)) == 2 and not play.chat(early).summary.text
    own = play.chat(tab).summary.worded("我写的前情。")
    play.store.set(tab.chat, "x", summary=own)
    assert play.chat(play.branch(tab, None)).summary.text == "我写的前情。"


def test_a_removed_conversation_comes_back_the_latest_first(tmp_path: Path):
    play = play_of(ScriptedEngine(["好。"]), tmp_path)
    one, two = say(play, Tab(owner="x"), "一"), say(play, Tab(owner="x"), "二")
    for tab in (one, two):
        play.store.remove(tab.chat, "x")
    assert play.store.bring_back_latest("y") == ""
    assert [play.store.bring_back_latest("x") for _ in range(3)] == [two.chat, one.chat, ""]
    assert texts(play, one) == ["一", "好。"]


# -- cards -------------------------------------------------------------------------------------------------------------


def test_a_card_speaks_first_and_its_other_greetings_are_versions(tmp_path: Path):
    play = play_of(ScriptedEngine(["好。"]), tmp_path)
    card = Card(
        name="掌柜",
        greeting="{{user}}，住店么？",
        rest={"alternate_greetings": ["打烊了。", 3, ""]},
    )
    play.import_card(Tab(owner="x"), card)
    tab = play.greet(Tab(owner="x"), "m", Scene(people=("掌柜", "甲"), user="鲁肃"))
    (turn,) = play.chat(tab).turns
    assert (
        turn.versions == ("鲁肃，住店么？", "打烊了。") and not turn.by_user and turn.name == "掌柜"
    )
    with pytest.raises(InputError, match="没有开场白"):
        play.greet(Tab(owner="x"), "m", SCENE)
    list(play.again(tab, KEY, "m", Scene(people=("掌柜",)), OPTIONS))
    assert play.chat(tab).turns[0].text == "好。"  # a reply to nothing yet


@pytest.mark.parametrize("kind", ["novel", "template"])
def test_examples_and_orders_of_a_card_are_read_and_can_be_looked_at(kind):
    engine = ScriptedEngine([])
    engine.kind = kind
    card = Card(
        name="掌柜",
        cue="掌柜",
        reminder="别忘了算账。",
        examples="<START>\n{{user}}: 有房么？\n{{char}}: 三钱一夜。\n<START>\n" + "长" * 400,
    )
    prompt = write_prompt(
        engine, card, [Said(name="客", text="住店。", by_user=True)], Setting(), room=1_000
    )
    told = "\n".join(message.content for message in prompt.request.messages)
    titles = [part.title for part in prompt.parts]
    assert titles.count("例句") == 1 and "长长长" not in told  # a quarter of the room at most
    assert (
        "客曰：“有房么？”掌柜曰：“三钱一夜。”"
        if kind == "novel"
        else "客: 有房么？\n掌柜: 三钱一夜。"
    ) in told
    assert ("叮嘱" in titles) == ("别忘了算账。" in told) == (kind == "template")


def test_expressions_of_a_lorebook_wait_until_the_scene_allows_them(tmp_path: Path):
    play = play_of(ScriptedEngine(["好。"]), tmp_path)
    book = Lorebook(entries=(Entry(keys=("/三.酒/",), content="酒名透瓶香。", name="酒"),))
    play.import_card(Tab(owner="x"), Card(name="掌柜", book=book))
    for regex, found in ((False, False), (True, True)):
        scene = Scene(people=("掌柜",), regex=regex)
        parts = play.prompt(Tab(owner="x"), "m", scene, OPTIONS, "来三碗酒，三坛酒").parts
        assert any("透瓶香" in part.text for part in parts) == found


def test_what_the_user_writes_as_prose_is_shown_as_it_is_sent(tmp_path: Path):
    engine = ScriptedEngine(["好。"])
    play = play_of(engine, tmp_path)
    (part,) = play.prompt(Tab(owner="x"), "m", SCENE, OPTIONS, "救名画还是救猫？乙曰：").parts
    say(play, Tab(owner="x"), "救名画还是救猫？乙曰：")
    assert engine.requests[-1].messages[0].content == part.text


def test_the_picture_a_card_came_in_goes_out_with_it(tmp_path: Path):
    play, out = play_of(ScriptedEngine([]), tmp_path), io.BytesIO()
    Image.new("RGB", (300, 200), "green").save(out, "PNG")
    play.import_card(Tab(owner="x"), Card(name="掌柜"), picture=out.getvalue())
    kept = play.cards.picture("x", "掌柜")
    again = write_png(Card(name="掌柜", description="新"), kept)
    assert (
        Image.open(io.BytesIO(again)).size == (300, 200)
        and read_card(again, "x").description == "新"
    )
    assert play.cards.picture("x", "别人") == b""


def test_a_scene_of_the_last_release_keeps_its_settings(tmp_path: Path):
    play = play_of(ScriptedEngine(["好。"]), tmp_path)
    chat = play.store.begin("x", "旧", scene={"people": ["甲"], "manner": 0.7, "gone": 1})
    scene = scene_of(play.store.read(chat, "x"))
    assert (scene.people, scene.contrast_strength) == (("甲",), 0.7)


def test_a_second_tab_on_the_same_conversation_waits_its_turn(tmp_path: Path):
    play = play_of(ScriptedEngine(["好。"]), tmp_path)
    tab = say(play, Tab(owner="x"), "在么？")
    writing = play.say(tab, "one tab", "一", "m", SCENE, OPTIONS)
    next(writing)
    with pytest.raises(InputError, match="别的窗口"):
        next(play.say(tab, "another tab", "二", "m", SCENE, OPTIONS))
    list(writing)
    assert texts(play, tab) == ["在么？", "好。", "一", "好。"]


def test_what_another_tab_writes_meanwhile_is_not_overwritten(tmp_path: Path):
    """Going on, or another version, begins with what is there once the other one has ended."""
    play = play_of(ScriptedEngine(["好。"]), tmp_path)
    tab = say(play, Tab(owner="x"), "在么？")
    real, last = play.responder, play.chat(tab).turns[-1]

    def slow(*given):
        play.store.write(tab.chat, "x", last.id, "好，写完了的。", finished=True)
        return real(*given)

    play.responder = slow  # type: ignore[method-assign]
    list(play.go_on(tab, KEY, "m", SCENE, OPTIONS))
    assert texts(play, tab)[-1].startswith("好，写完了的。")


def test_words_for_the_user_hold_nobody_up(tmp_path: Path):
    play = play_of(ScriptedEngine(["好。"]), tmp_path)
    tab = say(play, Tab(owner="x"), "在么？")
    drafting = play.for_user(tab, "one tab", "m", SCENE, OPTIONS)
    next(drafting)
    list(play.say(tab, "another tab", "二", "m", SCENE, OPTIONS))
    assert texts(play, tab)[-2:] == ["二", "好。"]
    drafting.close()


def test_a_long_conversation_is_not_counted_to_its_beginning_for_every_reply():
    engine, counted = ScriptedEngine([]), []
    real = engine.count_tokens
    engine.count_tokens = lambda text: counted.append(text) or real(text)  # type: ignore[method-assign]
    said = [Said(name="客", text=f"第{n}问？", by_user=True) for n in range(5_000)]
    prompt = write_prompt(engine, Card(name="甲"), said, Setting(), room=300)
    assert prompt.left_out > 4_900 and len(counted) < 100


def test_a_title_that_came_with_a_conversation_stays_whole(tmp_path: Path):
    play = play_of(ScriptedEngine([]), tmp_path)
    tab = play.begin(Tab(owner="x"), "很" * 30, "m", SCENE)
    assert play.chat(tab).title == "很" * 30
