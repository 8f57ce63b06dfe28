"""The words of a turn say what is so and nothing else, at once and without a model; other words of a model are let through or not."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from little import BUILT_IN, little

from custome.apps.adventure.game import Game
from custome.apps.adventure.narrating import AUTHORED, narrated
from custome.apps.adventure.rewording import TRIES, Rewriter, astray
from custome.apps.adventure.rules import Action, admissible
from custome.apps.adventure.scenario import Scenario, read_scenario
from custome.apps.adventure.speaking import astray as astray_said
from custome.apps.adventure.storyteller import Storyteller
from custome.apps.context import Line, Part
from custome.engine.scripted import ScriptedEngine
from custome.errors import InputError

SCENARIOS = [little(), *(read_scenario(path)[0] for path in BUILT_IN)]


def walk(scenario: Scenario, turns: int, seed: int = 1) -> Game:
    game, dice = Game(scenario, seed), random.Random(seed)
    for _ in range(turns):
        if game.state.ended:
            game.go(0)
        game.act(dice.choice(admissible(game.world, game.state)))
    return game


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: f"{one.id}-{len(one.places)}")
def test_every_turn_has_words_and_they_name_nobody_who_is_elsewhere(scenario: Scenario):
    game = walk(scenario, 300)
    world = game.world
    for number in range(1, len(game.turns)):
        turn, outcome = game.turns[number], game.outcome(number)
        assert turn.action is not None
        before = game.outcome(turn.before).state
        for version in range(3):
            words = narrated(world, before, turn.action, outcome, version=version)
            assert words.prose, turn.action
            assert "{" not in str(words) and "None" not in str(words)
            # what the author wrote stands whole
            for fact in outcome.facts:
                if fact.kind in AUTHORED:
                    assert fact.text in words.prose
            said = words.prose
            for one in (*scenario.people, *scenario.places, *scenario.items):
                written = [one.about for one in (*scenario.places, *scenario.items)]
                written += [fact.text for fact in outcome.facts]
                said = words.prose
                for text in filter(None, written):
                    said = said.replace(text, "")
                if one.name in said and one.name in world.people:
                    assert one.name in before.company() or outcome.state.people[one.name].at in (
                        before.at,
                        outcome.state.at,
                    )


def test_the_same_turn_has_the_same_words_and_another_version_others():
    game = walk(SCENARIOS[0], 60)
    teller = Storyteller()
    for number in range(1, len(game.turns)):
        assert teller.words(game, number) == teller.words(game, number)
    at = next(n for n in range(1, len(game.turns)) if game.turns[n].action == Action("等"))
    assert len({teller.words(game, at, version=version) for version in range(6)}) >= 2


def test_what_is_counted_stands_behind_the_prose():
    game = Game(SCENARIOS[0], 1)
    game.act(Action("拾钱"))
    assert "〔钱 +4，现在 9〕" in Storyteller().words(game, game.here)


OWN = "你来到茶棚。锅里冒着气。茶婆看了你一眼，没有说话。"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("你走到茶棚，锅里正冒着气。茶婆看了你一眼，也没有说话。", ""),
        ("你来到茶棚，锅里冒着气。茶婆看了你一眼，递来一把刀。", "递"),
        ("你来到茶棚，锅里冒着气，墙边靠着一支枪。茶婆看了你一眼，没有说话。", "墙枪"),
        ("你来到茶棚，锅里冒着气。茶婆看了你一眼，道：“坐。”没有说话。", "：“”"),
        ("你来到茶棚，锅里冒着气。你心中一动。茶婆看了你一眼，没有说话。", "心"),
        ("你来到茶棚。锅里冒着气。没有说话。你看了一眼又看了一眼。", "茶婆"),
        ("你来到茶棚。锅里冒着气。茶婆看了老魏一眼，没有说话。", "老魏"),
        ("你来到茶棚。", "长短"),
        ("你来到茶棚。锅里 pot 冒着气。茶婆看了你一眼，没有说话。", "p"),
        ("你来到茶棚。锅里不冒气。茶婆不看你，没有说话，也没有动。", "不"),
    ],
)
def test_other_words_that_say_something_else_are_not_let_through(text: str, wrong: str):
    game = Game(next(one for one in SCENARIOS if one.id == "wugang" and len(one.places) > 4), 1)
    found = astray(game.world, game.state, OWN, text)
    assert (found in wrong or found == wrong) if found else not wrong


def test_a_model_that_goes_astray_four_times_is_not_heard():
    game = walk(SCENARIOS[0], 1)
    engine = ScriptedEngine(["天上飞来一条龙。"])
    told = Rewriter(engine).reworded(game.world, game.state, OWN, 1)
    assert told.text == "" and told.tries == TRIES == len(engine.requests)


def speaker(*answers: str):
    """A model that says these in turn."""
    said: list[Line] = []
    left = list(answers)

    def speaks(part: Part):
        def say(lines, seed, cancel):
            said.append(lines[-1])
            return left.pop(0) if left else "……"

        return say

    return speaks, said


def asked(*answers: str, typed: str = "问老魏灯怎么灭的") -> tuple[str, list[Line], Game]:
    speaks, said = speaker(*answers)
    game = Game(SCENARIOS[0], 1)
    game.act(Action("问", "老魏"), typed)
    teller = Storyteller(speaks)
    assert teller.is_asked(game, game.here)
    return teller.answered(game, game.here), said, game


def test_somebody_answers_what_they_were_asked():
    text, said, _ = asked("油没了，它自己灭的。（叹气）你还问什么？")
    assert text == "老魏道：“油没了，它自己灭的。你还问什么？”"
    assert said[-1].by_player and said[-1].text == "灯怎么灭的"


def test_what_the_player_knows_only_whoever_knows_it_too_may_say():
    game = Game(SCENARIOS[0], 1)
    state = replace(game.state, secrets=frozenset(["暗门"]))
    assert astray_said(game.world, state, "老魏", "鱼市底下有暗门。") == ""
    assert astray_said(game.world, state, "小满", "鱼市底下有暗门。") == "暗门"
    assert astray_said(game.world, game.state, "老魏", "魚市底下有暗門。") == "暗门"


@pytest.mark.parametrize(
    "answer",
    [
        "鱼市底下有一道暗门。",  # a secret that is not told yet
        "这把铜钥匙给你，拿去吧。",  # a thing that stays where it is
        "作为一个AI，我不知道。",
        "这是游戏里的剧情。",
        "",
        "没有说完的话",
    ],
)
def test_what_nobody_may_say_is_asked_again_and_then_left_out(answer: str):
    text, said, game = asked(answer, "夜里风大，早些回去。")
    assert text == "老魏道：“夜里风大，早些回去。”" and len(said) == 2
    text, said, _ = asked(answer, answer, answer, answer)
    assert text == "" and len(said) == 4
    assert game.state.secrets == frozenset() and "铜钥匙" not in game.state.bag()


def test_whoever_wrote_the_scenario_speaks_for_the_people_where_they_did():
    speaks, _ = speaker("别的话。")
    game = Game(SCENARIOS[0], 1)
    game.act(Action("问", "老魏", "灯"))
    teller = Storyteller(speaks)
    assert not teller.is_asked(game, game.here)
    assert "他望着灯塔不作声。" in teller.words(game, game.here)
    with pytest.raises(InputError, match="写剧本的人"):
        teller.otherwise(game, game.here)


def test_words_of_an_author_that_are_too_long_are_cut_and_the_turn_stands():
    raw = SCENARIOS[0].model_dump()
    raw["rules"][6]["text"] = "长" * 30_000
    game = Game(Scenario.model_validate(raw), 1)
    rule = game.world.scenario.rules[6]
    assert not game.act(Action(rule.verb, rule.target, rule.using)).refused
    game.tell(Storyteller().words(game, game.here))
    assert len(game.turns[game.here].text) == 20_000


def test_other_words_are_other_words_and_change_nothing_that_is_so():
    game = Game(SCENARIOS[0], 1)
    game.act(Action("走", "鱼市"))
    teller, before = Storyteller(), game.state
    game.tell(teller.words(game, game.here))
    for _ in range(2):
        game.tell(teller.otherwise(game, game.here))
    assert len(set(game.turns[game.here].texts)) == 3 and game.state == before
    game.turns[game.here] = replace(
        game.turns[game.here],
        texts=tuple(teller.words(game, game.here, version=v) for v in range(24)),
    )
    with pytest.raises(InputError, match="想不出"):
        teller.otherwise(game, game.here)
