"""What can be done, what comes of it, and why not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from little import little

from custome.apps.adventure.dice import die, throw
from custome.apps.adventure.rules import FALLEN, Action, admissible, step, why_not
from custome.apps.adventure.scenario import Scenario
from custome.apps.adventure.state import ME, State
from custome.apps.adventure.world import World

WORLD = World(little())
SEED = 7


def after(*actions: Action, state: State | None = None, seed: int = SEED) -> State:
    state = state or WORLD.first()
    for action in actions:
        outcome = step(WORLD, state, action, seed)
        assert not outcome.refused, (action, outcome.refused)
        state = outcome.state
    return state


def lucky(action: Action, state: State, success: bool = True) -> State:
    """With a seed whose dice fall as wanted."""
    for seed in range(500):
        outcome = step(WORLD, state, action, seed)
        if outcome.rolls and outcome.rolls[0].success == success:
            return outcome.state
    raise AssertionError("no such dice")


def test_dice_are_even_and_know_seed_turn_and_what_for():
    throws = [die(1, turn, "打 老魏") for turn in range(6_000)]
    assert all(900 < throws.count(eyes) < 1_100 for eyes in range(1, 7))
    assert throw(1, 2, "打", 1, 8) == throw(1, 2, "打", 1, 8)
    differ = {
        tuple(die(*one, number) for number in range(12))
        for one in [(1, 2, "打"), (2, 2, "打"), (1, 3, "打"), (1, 2, "劝")]
    }
    assert len(differ) == 4
    roll = replace(throw(1, 2, "打", 1, 8, "口才"), dice=(4, 3))
    assert str(roll) == "口才 1 + 骰 4+3 = 8 ≥ 8" and roll.success


def test_going_taking_dropping_giving():
    state = after(Action("走", "鱼市"), Action("拿", "咸鱼"))
    assert state.things["咸鱼"] == ME and state.turn == 2 and state.visited == {"码头", "鱼市"}
    dropped = after(Action("放", "咸鱼"), state=state)
    assert dropped.things["咸鱼"] == "鱼市"
    given = after(Action("走", "码头"), Action("给", "老魏", "咸鱼"), state=state)
    assert given.things["咸鱼"] == "老魏" and given.people["老魏"].relation == 2


@pytest.mark.parametrize(
    ("action", "why"),
    [
        (Action("走", "地窖"), "从码头去不了地窖"),
        (Action("走", "码头"), "你就在码头"),
        (Action("走", "灯塔"), "去灯塔的路锁着"),
        (Action("拿", "咸鱼"), "这里没有咸鱼"),
        (Action("拿", "铁锚"), "铁锚拿不动"),
        (Action("放", "咸鱼"), "这里没有咸鱼"),
        (Action("给", "鱼贩", "灯油"), "鱼贩不在这里"),
        (Action("打", "小满"), "小满不在这里"),
        (Action("飞", "灯塔"), "现在做不了这件事"),
        (Action("拿", "金子"), "现在做不了这件事"),
    ],
)
def test_what_is_refused_says_why_and_changes_nothing(action: Action, why: str):
    state = WORLD.first()
    outcome = step(WORLD, state, action, SEED)
    assert outcome.refused == why == why_not(WORLD, state, action)
    assert outcome.state is state and not outcome.facts and not outcome.rolls


def test_whoever_trusts_one_tells_a_secret_and_the_way_opens():
    state = after(Action("问", "老魏", "灯"), Action("问", "老魏"))
    assert not state.secrets
    state = after(Action("夸", "老魏"), Action("问", "老魏"), state=state)
    assert state.secrets == {"暗门"}
    there = after(Action("走", "鱼市"), state=state)
    assert Action("走", "地窖") not in admissible(WORLD, there)
    assert after(Action("找", "鱼市"), Action("走", "地窖"), state=there).at == "地窖"


def test_a_key_opens_a_way_and_it_stays_open():
    state = after(Action("夸", "老魏"), Action("讨", "老魏"))
    assert Action("走", "灯塔") not in admissible(WORLD, state)
    state = after(
        Action("开", "灯塔", "铜钥匙"), Action("放", "铜钥匙"), Action("走", "灯塔"), state=state
    )
    assert state.at == "灯塔"


def test_buying_and_selling():
    state = after(Action("走", "鱼市"), Action("买", "鱼贩", "灯油"))
    assert state.things["灯油"] == ME and state.counters["钱"] == 2
    state = after(
        Action("卖", "鱼贩", "灯油"),
        Action("拿", "咸鱼"),
        Action("卖", "鱼贩", "咸鱼"),
        state=state,
    )
    assert state.counters["钱"] == 7 and state.things["咸鱼"] == "鱼贩"
    poor = replace(state, counters={"钱": 1})
    assert not [one for one in admissible(WORLD, poor) if one.verb == "买"]


def test_a_fight_hurts_one_of_two_and_the_fallen_drop_what_they_hold():
    state = WORLD.first()
    assert lucky(Action("打", "老魏"), state, success=False).hp == 6
    down = lucky(Action("打", "老魏"), state)
    assert down.people["老魏"].down and down.things["铜钥匙"] == "码头"
    assert down.people["老魏"].relation == -2 and "老魏" not in down.company()
    assert why_not(WORLD, down, Action("问", "老魏")) == "老魏倒在地上，什么也做不了"
    weak = replace(state, hp=2)
    assert lucky(Action("打", "老魏"), weak, success=False).ended == FALLEN


def test_a_check_that_fails_may_be_tried_again_and_who_follows_comes_along():
    state = replace(WORLD.first(), at="地窖")
    assert lucky(Action("劝", "小满"), state, success=False).people["小满"].relation == 0
    state = lucky(Action("劝", "小满"), state)
    assert state.people["小满"].follows
    assert after(Action("走", "鱼市"), state=state).people["小满"].at == "鱼市"


def test_what_happens_by_itself_once_and_again():
    state = after(*[Action("等")] * 5)
    assert WORLD.hour(state) == "夜" and state.people["鱼贩"].at == "码头"
    state = replace(state, at="地窖")
    hurt = [after(*[Action("等")] * 4, state=state, seed=seed).hp for seed in range(40)]
    assert {9, 7, 5} >= set(hurt) and len(set(hurt)) == 3


def test_after_an_ending_nothing_can_be_done():
    late = after(Action("等"), state=replace(WORLD.first(), turn=59))
    assert late.ended == "天亮了" and admissible(WORLD, late) == []
    assert step(WORLD, late, Action("等"), SEED).refused == "这一局已经完了"


def test_a_cycle_of_events_ends():
    raw = little().model_dump(mode="json")
    raw["events"] = [
        {"name": "甲", "when": ["记得 乙"], "every": 1, "do": ["忘 乙", "记 甲"]},
        {"name": "乙", "when": ["记得 甲"], "every": 1, "do": ["忘 甲", "记 乙"]},
    ]
    raw["rules"].append({"name": "起", "verb": "起", "success": ["记 甲"]})
    world = World(Scenario.model_validate(raw))
    assert step(world, world.first(), Action("起"), 1).state.flags in ({"甲"}, {"乙"})


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (Action("走", "鱼市"), "去鱼市"),
        (Action("给", "老魏", "咸鱼"), "把咸鱼给老魏"),
        (Action("问", "老魏", "灯"), "问老魏：灯"),
        (Action("买", "鱼贩", "灯油"), "向鱼贩买灯油"),
        (Action("卖", "鱼贩", "咸鱼"), "把咸鱼卖给鱼贩"),
        (Action("开", "灯塔", "铜钥匙"), "用铜钥匙打开去灯塔的路"),
        (Action("等"), "等"),
    ],
)
def test_an_action_in_words(action: Action, words: str):
    assert str(action) == words
