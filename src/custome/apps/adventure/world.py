"""A scenario made ready to be played: its names, what is so at the beginning, whether a condition holds, what an effect makes of a state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .phrases import HP, RELATION, TURN, Phrase, condition, effect
from .scenario import Check, Exit, Scenario
from .state import ME, NOWHERE, Somebody, State

MONEY = "钱"
Condition = tuple[Phrase, ...]
LEAST_RELATION, MOST_RELATION = -10, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """A rule, an event or an ending with its conditions and effects read."""

    name: str
    verb: str = ""
    target: str = ""
    using: str = ""
    who: str = ""
    when: tuple[Condition, ...] = ()
    check: Check | None = None
    success: tuple[Phrase, ...] = ()
    failure: tuple[Phrase, ...] = ()
    once: bool = True
    every: int = 0
    chance: int = 0
    text: str = ""
    failure_text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that has come to be so, with a plain sentence for it."""

    kind: str
    text: str
    who: str = ""
    what: str = ""
    where: str = ""
    amount: int = 0


class World:
    """A scenario to be played.

    Raises:
        InputError: a condition or an effect cannot be read; `problems` tells all at once.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.places = {one.name: one for one in scenario.places}
        self.items = {one.name: one for one in scenario.items}
        self.people = {one.name: one for one in scenario.people}
        self.counters = {one.name: one for one in scenario.counters}
        self.secrets = {one.name: one for one in scenario.secrets}
        self.rules = [
            Deed(
                name=one.name,
                verb=one.verb,
                target=one.target,
                using=one.using,
                when=_conditions(one.needs),
                check=one.check,
                success=_effects(one.success),
                failure=_effects(one.failure),
                once=one.once,
                text=one.text,
                failure_text=one.failure_text,
            )
            for one in scenario.rules
        ]
        self.events = [
            Deed(
                name=one.name,
                who=one.who,
                when=_conditions(one.when),
                success=_effects(one.do),
                once=one.every == 0,
                every=one.every,
                chance=one.chance,
                text=one.text,
            )
            for one in scenario.events
        ]
        self.endings = [
            Deed(name=one.name, when=_conditions(one.when), text=one.text)
            for one in scenario.endings
        ]
        self.good = frozenset(one.name for one in scenario.endings if one.good)
        self._ways = {
            (place.name, way.to): (way, _conditions(way.needs))
            for place in scenario.places
            for way in place.exits
        }

    def first(self) -> State:
        """The beginning."""
        scenario = self.scenario
        return State(
            at=scenario.player.at,
            hp=scenario.player.hp,
            things={one.name: one.at for one in scenario.items},
            people={
                one.name: Somebody(at=one.at, hp=one.hp, relation=one.relation, follows=one.follows)
                for one in scenario.people
            },
            counters={one.name: one.start for one in scenario.counters},
            visited=frozenset([scenario.player.at]),
        )

    def hour(self, state: State) -> str:
        """The hour of the day; '' where a scenario has none."""
        clock = self.scenario.clock
        return clock[state.turn // self.scenario.hour_turns % len(clock)] if clock else ""

    def ways(self) -> Iterable[tuple[Exit, tuple[Condition, ...]]]:
        """Every way with what must be so to go it."""
        return self._ways.values()

    def way(self, start: str, to: str) -> Exit | None:
        found = self._ways.get((start, to))
        return found[0] if found else None

    def is_open(self, state: State, to: str) -> bool:
        """Can one go there from here now?"""
        found = self._ways.get((state.at, to))
        if found is None:
            return False
        way, needs = found
        return (not way.key or (state.at, to) in state.opened) and self.all_hold(needs, state)

    def all_hold(self, conditions: Iterable[Condition], state: State) -> bool:
        return all(any(self.holds(one, state) for one in some) for some in conditions)

    def holds(self, phrase: Phrase, state: State) -> bool:
        return self._holds(phrase, state) != phrase.negated

    def _holds(self, phrase: Phrase, state: State) -> bool:
        head, names = phrase.head, phrase.names
        if phrase.sign:
            figure = self.figure(phrase, state)
            return figure >= phrase.amount if phrase.sign == "≥" else figure <= phrase.amount
        name = names[0]
        if head == "在":
            return state.at == name
        if head == "有":
            return state.things.get(name) == ME
        if head == "某物在":
            return state.things.get(name) == names[1]
        if head == "记得":
            return name in state.flags
        if head == "知道":
            return name in state.secrets
        if head == "到过":
            return name in state.visited
        if head == "时辰":
            return self.hour(state) == name
        somebody = state.people[name]
        if head == "倒下":
            return somebody.down
        if head == "某人在":
            return somebody.at == names[1] and not somebody.down
        here = somebody.at == state.at and not somebody.down
        return here and (somebody.follows or head == "遇见")

    def figure(self, phrase: Phrase, state: State) -> int:
        """A counter, 体力, 好感 or 回合 as it is."""
        if phrase.head == TURN:
            return state.turn
        if phrase.head == HP:
            return state.people[phrase.names[0]].hp if phrase.names else state.hp
        if phrase.head == RELATION:
            return state.people[phrase.names[0]].relation
        return state.counters[phrase.head]

    # -- what becomes of it --------------------------------------------------------------------------------------------

    def after(self, effects: Sequence[Phrase], state: State) -> tuple[State, list[Fact]]:
        """The state in which they have happened, and what is told of it."""
        facts: list[Fact] = []
        for one in effects:
            state, told = self._done(one, state)
            facts += told
        return state, facts

    def _done(self, phrase: Phrase, state: State) -> tuple[State, list[Fact]]:
        if phrase.sign:
            return self._counted(phrase, state)
        head, name = phrase.head, phrase.names[0]
        if head in _FLAGS:
            return _FLAGS[head](state, name), []
        if head == "知道":
            if name in state.secrets:
                return state, []
            told = Fact(kind="secret", what=name, text=f"你知道了：{self.secrets[name].what}")
            return replace(state, secrets=state.secrets | {name}), [told]
        if head == "结局":
            return replace(state, ended=state.ended or name), []
        if head == "过":
            return replace(state, turn=state.turn + int(name)), [
                Fact(kind="time", text="过了一阵。", amount=int(name))
            ]
        if head == "打开":
            return replace(state, opened=state.opened | {(state.at, name)}), [
                Fact(kind="open", where=name, text=f"去{name}的路开了。")
            ]
        if head == "去":
            return self.moved(state, name)
        if head in ("移", "跟来", "离开"):
            return self._person(head, name, phrase.names[-1], state)
        where = {"得": ME, "失": NOWHERE}.get(head, phrase.names[-1])
        return self.put(state, name, where)

    def put(self, state: State, thing: str, where: str) -> tuple[State, list[Fact]]:
        """A thing elsewhere."""
        before = state.things[thing]
        if before == where:
            return state, []
        state = replace(state, things={**state.things, thing: where})
        if where == ME:
            told = Fact(kind="get", what=thing, text=f"你得了{thing}。")
        elif where in self.people:
            told = Fact(kind="give", what=thing, who=where, text=f"{thing}到了{where}手里。")
        elif where == NOWHERE:
            told = Fact(kind="lose", what=thing, text=f"{thing}没有了。")
        else:
            told = Fact(kind="drop", what=thing, where=where, text=f"{thing}放在{where}。")
        return state, [told]

    def moved(self, state: State, to: str) -> tuple[State, list[Fact]]:
        """The player elsewhere, with whoever follows."""
        if to == state.at:
            return state, []
        people = {
            name: replace(one, at=to)
            if one.follows and not one.down and one.at == state.at
            else one
            for name, one in state.people.items()
        }
        state = replace(state, at=to, people=people, visited=state.visited | {to})
        return state, [Fact(kind="go", where=to, text=f"你到了{to}。")]

    def _person(self, head: str, name: str, to: str, state: State) -> tuple[State, list[Fact]]:
        before = state.people[name]
        if head == "移":
            now = replace(before, at=to)
            text = f"{name}来了。" if to == state.at else f"{name}走了。"
            told = [Fact(kind="move", who=name, where=to, text=text)]
            seen = state.at in (to, before.at) and before.at != to
            return self.with_person(state, name, now), told if seen else []
        follows = head == "跟来"
        now = replace(before, follows=follows, at=state.at if follows else before.at)
        text = f"{name}跟你走。" if follows else f"{name}不跟你走了。"
        told = [Fact(kind="follow", who=name, text=text)] if before.follows != follows else []
        return self.with_person(state, name, now), told

    @staticmethod
    def with_person(state: State, name: str, somebody: Somebody) -> State:
        return replace(state, people={**state.people, name: somebody})

    def _counted(self, phrase: Phrase, state: State) -> tuple[State, list[Fact]]:
        before = self.figure(phrase, state)
        by = -phrase.amount if phrase.sign == "-" else phrase.amount
        wanted = phrase.amount if phrase.sign == "=" else before + by
        head, who = phrase.head, phrase.names[0] if phrase.names else ""
        if head == HP:
            return self._hurt(state, who, wanted)
        if head == RELATION:
            now = min(max(wanted, LEAST_RELATION), MOST_RELATION)
            state = self.with_person(state, who, replace(state.people[who], relation=now))
            text = f"{who}{'更信你了' if now > before else '对你冷了些'}。"
        else:
            counter = self.counters[head]
            now = min(max(wanted, counter.least), counter.most)
            state = replace(state, counters={**state.counters, head: now})
            text = f"{head} {now - before:+d}，现在 {now}。"
        told = Fact(kind="count", what=head, who=who, amount=now - before, text=text)
        return state, [told] if now != before else []

    def _hurt(self, state: State, who: str, wanted: int) -> tuple[State, list[Fact]]:
        if not who:
            before, now = state.hp, min(max(wanted, 0), self.scenario.player.hp)
            text = f"你{'伤了' if now < before else '好了些'}，体力 {now}。"
            told = [Fact(kind="hurt", amount=now - before, text=text)] if now != before else []
            return replace(state, hp=now), told
        somebody = state.people[who]
        now = min(max(wanted, 0), self.people[who].hp)
        down = somebody.down or (now == 0 and self.people[who].hp > 0)
        state = self.with_person(state, who, replace(somebody, hp=now, down=down))
        facts = []
        if now != somebody.hp:
            facts.append(
                Fact(
                    kind="hurt",
                    who=who,
                    amount=now - somebody.hp,
                    text=f"{who}{'伤了' if now < somebody.hp else '好了些'}。",
                )
            )
        if down and not somebody.down:
            facts.append(Fact(kind="down", who=who, text=f"{who}倒下了。"))
            for thing in state.held_by(who):
                state, told = self.put(state, thing, somebody.at)
                facts += told
        return state, facts


def _conditions(lines: Iterable[str]) -> tuple[Condition, ...]:
    return tuple(map(condition, lines))


def _effects(lines: Iterable[str]) -> tuple[Phrase, ...]:
    return tuple(map(effect, lines))


_FLAGS: dict[str, Any] = {
    "记": lambda state, name: replace(state, flags=state.flags | {name}),
    "忘": lambda state, name: replace(state, flags=state.flags - {name}),
}
