"""Tries of a model are cut where they go astray; the best of what is left is taken, or the plan's own sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from custome.apps.novel.brief import Brief, Person
from custome.apps.novel.drafting import (
    AS_SURE,
    Draft,
    Drawing,
    Novelist,
    PlanItself,
    Storyteller,
    plan_of,
    ranked,
)
from custome.apps.novel.folder import Beat
from custome.apps.novel.style import Manner, manner
from custome.engine.scripted import ScriptedEngine

BRIEF = Brief(
    title="盐灯",
    premise="一本账。",
    people=(Person(name="沈青"), Person(name="马彪", aliases=("马爷",)), Person(name="顾三娘")),
    forbidden=("手枪",),
)
BEAT = Beat(
    event="马彪低头看见地上的脚印，起了疑心。", people=("马彪",), keywords=("脚印",), length=40
)


def tries(*texts: str) -> list[Draft]:
    return [Draft(text=text) for text in texts]


def best(*drafts: str, written: str = "", beat: Beat = BEAT) -> str:
    return ranked(tries(*drafts), beat, BRIEF, written, Storyteller(ScriptedEngine(), "x"))[0].text


@pytest.mark.parametrize(
    ("tail", "why"),
    [
        ("沈青看着他。", "沈青 不在场"),
        ("钱勇笑了。", "没有叫 钱勇 的人"),
        ("赵大郎道：“走。”", "没有叫 赵大郎 的人"),
        ("他掏出手枪。", "不许出现 手枪"),
        ("未完待续。", "不像正文"),
        ("他正要说话", "没有写完"),
        ("他道：“走。", "引号不成对"),
    ],
)
def test_a_try_is_cut_where_it_goes_astray(tail: str, why: str):
    good = "马彪低头一看，地上有一行脚印，心里起了疑心，把火把压低了些。"
    first, *_ = ranked(tries(good + tail), BEAT, BRIEF, "", Storyteller(ScriptedEngine(), "x"))
    assert first.text == good and first.problems == (why,)


def test_a_try_that_says_something_else_is_not_taken():
    assert best("马彪哈哈大笑，把酒喝干了。", "天黑了。") == BEAT.event
    assert best() == best("") == best("沈青跑了。") == BEAT.event


def test_a_try_that_says_the_opposite_is_not_taken():
    calm = Beat(event="沈青要对着油灯起誓。", people=("沈青",), keywords=("油灯",), length=40)
    assert best("沈青不要对着油灯起誓，不肯，也没有说话。", beat=calm) == calm.event


def test_what_stands_there_already_is_not_said_again():
    said = "他把火把压低了些，照着墙根看了半天。"
    more = "马彪低头看见地上的脚印，起了疑心。" + said
    assert best(more) == more
    assert best(more, written=said) == BEAT.event


def test_the_same_tries_are_one():
    order = ranked(tries("马彪看见地上的脚印，起了疑心。") * 4, BEAT, BRIEF, "", PlanItself())
    assert len(order) == 2


def test_how_the_models_are_asked():
    engine = ScriptedEngine(["好。"])
    plan = plan_of(BEAT, BRIEF, "天黑了。火把灭了。")
    assert plan.before == "火把灭了。" and plan.event == BEAT.event
    assert (
        Storyteller(engine, "x").drafts(plan, BEAT.event, Drawing(candidates=3), None)
        == tries("好。") * 3
    )
    assert engine.requests[-1].messages[-1].content == BEAT.event
    Novelist(engine, "x").drafts(plan, BEAT.event, Drawing(candidates=1), None)
    asked = engine.requests[-1].messages[-1].content
    assert asked.startswith("【上文】火把灭了。\n【人】马彪\n【事】马彪低头")


def test_a_novelist_must_name_what_was_planned():
    novelist = Novelist(ScriptedEngine(), "x")
    with_all = "马彪举着火把，照见地上一行脚印，当下立住了脚，半晌不作声，只把眼睛往草里看。"
    without = "马彪举着火把，立住了脚，半晌不作声，只把眼睛往草里看去，风吹得草叶沙沙地响。"
    assert ranked(tries(without, with_all), BEAT, BRIEF, "", novelist)[0].text == with_all


def test_a_novelist_likes_what_is_in_the_manner_of_its_book_and_keeps_its_people_out():
    book, plain = "马彪乃曰：“吾见之矣。”" * 40, "马彪就说：“我看见了。”" * 40
    how = manner(book, plain, ["曹公明", "权"])
    assert how.of(book) > 1 > -1 > how.of(plain) and how.people == {"曹公明"}
    assert how.of("") == Manner(favours={}).of(book) == 0
    novelist = Novelist(ScriptedEngine(), "x", how)
    new, old = "马彪低头看见了地上的脚印，就起了疑心。", "马彪低头见地上之脚印，乃起疑心。"
    assert ranked(tries(new, old), BEAT, BRIEF, "", novelist)[0].text == old
    other = "马彪低头见曹公明之脚印，乃起疑心。"
    order = ranked(tries(other), BEAT, BRIEF, "", novelist)
    assert [one.text for one in order] == [BEAT.event]


def test_of_tries_that_say_the_same_the_surer_one_is_taken_and_what_is_unsure_gives_way_to_the_plan():
    novelist = Novelist(ScriptedEngine(), "x")
    sure = Draft(text="马彪低头见地上之脚印，乃起疑心。", sure=-0.4)
    unsure = Draft(text="马彪低头见地下之脚印，乃起疑心。", sure=-1.2)
    assert ranked([unsure, sure], BEAT, BRIEF, "", novelist)[0].text == sure.text
    assert ranked([unsure], BEAT, BRIEF, "", novelist)[0].text == BEAT.event


def test_a_try_keeps_the_marks_it_begins_with_and_says_how_sure_it_is():
    class Sure(ScriptedEngine):
        supports = ScriptedEngine.supports | {"logprobs", "strength"}

        def generate(self, requests, options, cancel=None, on_piece=None):
            assert options.as_written
            replies = super().generate(requests, options, cancel, on_piece)
            if options.logprobs is None:
                return replies
            return [replace(one, logprob=-0.5 * one.completion_tokens) for one in replies]

    plan = plan_of(BEAT, BRIEF, "")
    for writer, sure in ((Novelist, -0.5), (Storyteller, AS_SURE)):
        (draft,) = writer(Sure(["“走。”马彪说。"]), "x").drafts(
            plan, BEAT.event, Drawing(candidates=1), None
        )
        assert draft == Draft(text="“走。”马彪说。", sure=sure)


def test_saying_again_what_stands_right_before_is_worth_less_than_the_plan():
    novelist = Novelist(ScriptedEngine(), "x")
    before = "马彪在灯下看了一回，又放下了。"
    again = Draft(text="马彪低头见了脚印，看了一回，又放下了。", sure=-0.3)
    plain = Draft(text="马彪低头见了地上脚印，便起疑心。", sure=-0.5)
    assert ranked([again, plain], BEAT, BRIEF, before, novelist)[0].text == plain.text


def test_a_novelists_try_that_loses_a_speech_gives_way_to_the_plan():
    said = Beat(event="“谁在那里？”马彪问。", people=("马彪",), length=12)
    lost = Draft(text="谁在那里，马彪问。", sure=-0.3)
    assert ranked([lost], said, BRIEF, "", Novelist(ScriptedEngine(), "x"))[0].text == said.event
