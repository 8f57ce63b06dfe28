"""A small game of our own that has one of everything, and what must hold of every game."""

from __future__ import annotations

import random
from dataclasses import fields
from pathlib import Path

from custome.apps.adventure import game as games
from custome.apps.adventure import rules
from custome.apps.adventure.dice import throw
from custome.apps.adventure.game import Game, game_of
from custome.apps.adventure.rules import Action, admissible
from custome.apps.adventure.scenario import Scenario, parse_scenario
from custome.apps.adventure.state import ME, State
from custome.apps.adventure.world import LEAST_RELATION, MOST_RELATION

TEXT = """
格式: 1
编号: wugang
题目: 雾港
说明: 夜里丢了一盏灯。
主角: {名: 阿舟, 在: 码头, 体力: 9, 本事: {口才: 1, 武艺: 2}}
时辰: [日, 夜]
一个时辰几回合: 5
话题: {灯: [灯塔, 那盏灯]}
地方:
  - {名: 码头, 说明: 木桩上系着船。, 出口: [{去: 鱼市, 方向: 北}, {去: 灯塔, 方向: 东, 钥匙: 铜钥匙}]}
  - {名: 鱼市, 说明: 满地是水。, 出口: [{去: 码头, 方向: 南}, {去: 地窖, 方向: 下, 要: [记得 找到暗门]}]}
  - {名: 地窖, 说明: 黑得很。, 出口: [{去: 鱼市, 方向: 上}]}
  - {名: 灯塔, 说明: 一道旋梯。, 出口: [{去: 码头, 方向: 西}]}
东西:
  - {名: 铜钥匙, 别名: [钥匙], 在: 老魏}
  - {名: 咸鱼, 在: 鱼市, 价钱: 2}
  - {名: 灯油, 在: 鱼贩, 价钱: 3}
  - {名: 铁锚, 在: 码头, 拿不动: true}
  - {名: 灯芯, 在: 地窖}
人物:
  - {名: 老魏, 别名: [守灯人], 在: 码头, 想要: [咸鱼], 体力: 3, 本事: 1}
  - {名: 鱼贩, 在: 鱼市, 做买卖: true}
  - {名: 小满, 在: 地窖, 跟着: false, 好感: 1}
计数:
  - {名: 钱, 开始: 5, 最多: 9}
秘密:
  - {名: 暗门, 内容: 鱼市底下有一道暗门, 关键词: [鱼市, 暗门], 知道的人: [老魏], 好感到几才说: 2}
规则:
  - {名: 找暗门, 做: 找, 别的说法: [找暗门, 掀开木板], 对谁: 鱼市, 要: [知道 暗门], 成: [记 找到暗门], 说: 你掀开一块湿漉漉的板。}
  - {名: 劝小满, 做: 劝, 对谁: 小满, 考验: {本事: 口才, 难度: 8}, 成: [跟来 小满], 不成: [好感 小满 - 1], 不成时说: 她摇摇头。, 只一次: false}
  - {名: 问灯, 做: 问, 对谁: 老魏, 用什么: 灯, 成: [好感 老魏 + 1], 说: 他望着灯塔不作声。}
  - {名: 讨钥匙, 做: 讨, 对谁: 老魏, 要: [好感 老魏 ≥ 2], 成: [得 铜钥匙]}
  - {名: 点灯, 做: 点灯, 要: [在 灯塔, 有 灯油, 有 灯芯, 时辰 夜], 成: [失 灯油, 结局 灯亮了]}
  - {名: 夸老魏, 做: 夸, 别的说法: [好听的, 讨好, 奉承], 对谁: 老魏, 成: [好感 老魏 + 3], 只一次: false}
  - {名: 拾钱, 做: 拾钱, 别的说法: [捡钱, 捡起钱], 要: [在 码头], 成: [钱 + 4], 只一次: false}
  - {名: 歇, 做: 歇, 成: [体力 + 2, 过 2], 只一次: false}
事件:
  - {名: 涨潮, 当: [在 地窖, 时辰 夜], 每几回合: 2, 掷过: 8, 结果: [体力 - 2], 说: 水漫进地窖。}
  - {名: 鱼贩收摊, 谁: 鱼贩, 当: [时辰 夜], 结果: [移 鱼贩 码头], 说: 鱼贩收了摊。}
结局:
  - {名: 灯亮了, 好结局: true, 说: 灯亮了，船都看得见岸。}
  - {名: 天亮了, 当: [回合 ≥ 60]}
"""
BUILT_IN = sorted(
    (Path(games.__file__).parents[2] / "data" / "adventures").glob("*.yaml"),
    key=lambda one: one.name,
)


def little() -> Scenario:
    return parse_scenario(TEXT)[0]


def must_hold(game: Game, state: State) -> None:
    """Of every state of every game."""
    world, scenario = game.world, game.world.scenario
    first = world.first()
    assert set(state.things) == set(first.things) and set(state.people) == set(first.people)
    for thing, where in state.things.items():
        assert where in ("", ME) or where in world.places or where in world.people, thing
    assert state.at in world.places and 0 <= state.hp <= scenario.player.hp
    for name, one in state.people.items():
        assert 0 <= one.hp <= max(world.people[name].hp, 0)
        assert LEAST_RELATION <= one.relation <= MOST_RELATION
        assert not (one.down and state.held_by(name))
    for name, figure in state.counters.items():
        assert world.counters[name].least <= figure <= world.counters[name].most
    assert not (state.ended and rules.admissible(world, state))


def must_hold_of_a_turn(game: Game, before: State, action: Action, number: int) -> None:
    """Of every turn that was taken."""
    world, outcome = game.world, game.outcome(number)
    after, told = outcome.state, {fact.what for fact in outcome.facts}
    assert after.turn > before.turn and not outcome.refused
    assert outcome == rules.step(world, before, action, game.seed)
    for thing, where in after.things.items():
        assert where == before.things[thing] or thing in told, f"{thing} 不声不响地换了地方"
    assert before.done <= after.done and before.visited <= after.visited
    once = {one.name for one in (*world.rules, *world.events) if one.once}
    again = [fact.what for fact in outcome.facts if fact.what in once & before.done]
    assert not again, again
    if action.verb == rules.GO:
        way = world.way(before.at, action.target)
        assert way is not None and (not way.key or (before.at, action.target) in before.opened)
        for name, one in before.people.items():
            if one.follows and one.at == before.at and not one.down and not outcome.rolls:
                assert after.people[name].at == after.at or not after.people[name].follows
    for roll in outcome.rolls[:1]:
        if roll.label.split()[0] == action.verb:
            same = throw(game.seed, before.turn, roll.label, roll.bonus, roll.needed, roll.skill)
            assert roll == same


def same(one: State, other: State) -> bool:
    return all(getattr(one, field.name) == getattr(other, field.name) for field in fields(State))


def play(scenario: Scenario, turns: int, seed: int) -> Game:
    """A random walk with undo, redo, other words, free words, jumps and saves, in which everything that must hold is asked."""
    dice, game = random.Random(seed), Game(scenario, seed)
    first, taken = game.state, 0
    wrong = Action("飞", scenario.places[0].name)
    while taken < turns:
        state, number, at = game.state, game.here, len(game.turns)
        what = dice.random()
        if what < 0.06:
            back = game.undo()
            assert not back or game.here == game.turns[number].before
            assert (
                not back or (game.redo() and game.here == number) or game.turns[number].before < 0
            )
        elif what < 0.12:
            game.undo()
        elif what < 0.16:
            game.tell(f"第 {taken} 句")
            assert same(game.state, state) and game.turns[game.here].text == f"第 {taken} 句"
        elif what < 0.19:
            game.say("我要一百两银子，我捡到了令箭。")
            assert same(game.state, state)
        elif what < 0.22:
            game.go(dice.randrange(len(game.turns)))
        elif what < 0.26:
            refused = game.act(wrong)
            assert refused.refused and not refused.rolls and not refused.facts
            assert same(game.state, state) and game.here == number and len(game.turns) == at
        else:
            possible = admissible(game.world, state)
            if not possible:
                assert state.ended and game.act(Action(rules.WAIT)).refused
                game.go(0)
                continue
            action = dice.choice(possible)
            outcome = game.act(action)
            assert not outcome.refused, (action, outcome.refused)
            must_hold_of_a_turn(game, state, action, game.here)
            assert game.turns[game.here].before == number
        must_hold(game, game.state)
        taken += 1
    again = game_of(game.as_json(), lambda _: scenario)
    assert again.turns == game.turns and again.here == game.here
    for number in range(len(game.turns)):
        assert same(again.outcome(number).state, game.outcome(number).state)
    while game.undo():
        pass
    assert same(game.state, first)
    return game
