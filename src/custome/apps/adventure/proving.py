"""Can a scenario be won, by which line, and what of it is never used: every state that sensible moves lead to, with good luck and with
bad, those first in which most has been achieved.
"""

from __future__ import annotations

import functools
import heapq
import time
from collections import deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from .dice import Roll
from .phrases import HP, RELATION, TURN, Phrase
from .rules import ASK, DROP, FIGHT, GIVE, TAKE, WAIT, Action, Outcome, admissible, taken
from .scenario import Scenario
from .state import ME, State
from .world import MONEY, Condition, World

MOST_STATES = 60_000
SECONDS = 10.0
ACHIEVED = 4
"""Turns that something achieved is worth."""
SLACK = 3
"""How far below what is asked for liking is still counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One step of a line."""

    action: Action
    lucky: bool
    """Did dice have to fall well for it?"""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What was found."""

    line: tuple[Move, ...] | None
    """The shortest way to a good ending through what was looked at; None where there is none."""
    states: int
    whole: bool
    """Was every state looked at? Else there may be more than was found."""
    dead_ends: int = 0
    """States from which no good ending can be reached any more, though the game goes on; where the whole was looked at."""
    dead_line: tuple[Move, ...] = ()
    """The shortest way to one."""
    unused: tuple[str, ...] = ()
    """Rules, events, places and endings that never came."""


@dataclass(slots=True)
class _Seen:
    state: State
    ways_here: list[tuple[Hashable, Move]] = field(default_factory=list)


class _Fate:
    """Dice that fall as they are told; what they are not told falls well."""

    def __init__(self, told: tuple[bool, ...]) -> None:
        self.fell: list[bool] = []
        self._told = told

    def throw(self, turn: int, label: str, bonus: int, needed: int, skill: str) -> Roll:
        may = 12 + bonus >= needed, 2 + bonus < needed
        if not all(may):
            good = may[0]
        else:
            good = self._told[len(self.fell)] if len(self.fell) < len(self._told) else True
            self.fell.append(good)
        dice = (6, 6) if good else (1, 1)
        return Roll(label=label, dice=dice, bonus=bonus, needed=needed, skill=skill)


def prove(
    scenario: Scenario,
    *,
    most: int = MOST_STATES,
    seconds: float = SECONDS,
    first_line: bool = False,
) -> Proof:
    """Look at every state.

    Args:
        most: states that are looked at before it gives up.
        first_line: a line that wins is enough.
    """
    world, until = World(scenario), time.monotonic() + seconds
    sensible = _Sensible(world)
    first = world.first()
    root = sensible.key(first)
    seen = {root: _Seen(first)}
    queue: list[tuple[int, int, Hashable]] = [(0, 0, root)]
    won: list[Hashable] = []
    while queue and len(seen) < most and time.monotonic() < until and not (first_line and won):
        _, _, here = heapq.heappop(queue)
        for action, outcome, lucky in sensible.moves(seen[here].state):
            key = sensible.key(outcome.state)
            if key not in seen:
                seen[key] = _Seen(outcome.state)
                order = outcome.state.turn - ACHIEVED * sensible.achieved(outcome.state)
                heapq.heappush(queue, (order, len(seen), key))
                if outcome.state.ended in world.good:
                    won.append(key)
            if key != here:
                seen[key].ways_here.append((here, Move(action=action, lucky=lucky)))
    whole = not queue
    onward = _onward(seen, root)
    line = min((_line(onward, key) for key in won), key=len, default=None)
    hopeless = _hopeless(seen, won) if whole else []
    dead = min((_line(onward, key) for key in hopeless), key=len, default=())
    return Proof(
        line=line,
        states=len(seen),
        whole=whole,
        dead_ends=len(hopeless),
        dead_line=dead,
        unused=_unused(world, seen, sensible.idle) if whole else (),
    )


class _Sensible:
    """Which moves are looked at, and which states are taken for the same: what no condition asks about makes no difference.

    Of the time only the hour of the day counts, where a scenario asks for it, of liking what is asked for: the
    earliest way to a state is looked at first. So a line that is found is one; that there is none, or a dead end, is all but sure.
    """

    def __init__(self, world: World) -> None:
        self._world, scenario = world, world.scenario
        asked = list(_asked(world))
        heads = {phrase.head for phrase in asked}
        of = {
            head: {one.names[0] for one in asked if one.head == head and one.names}
            for head in heads
        }
        self._timed = bool(heads & {TURN, "时辰"}) or any(
            one.every or one.chance for one in scenario.events
        )
        self._day = len(scenario.clock) * scenario.hour_turns if "时辰" in heads else 1
        self._placed = {(one.names[0], one.names[1]) for one in asked if one.head == "某物在"}
        self._felled = of.get("倒下", set()) | of.get(HP, set())
        self._felled |= {one.at for one in scenario.items if one.at in world.people}
        self._flags = of.get("记得", set())
        self._visited = of.get("到过", set())
        self._counters = heads & set(world.counters)
        asked_for = [(one.names[0], one.amount) for one in asked if one.head == RELATION]
        asked_for += [(name, one.trust) for one in scenario.secrets for name in one.known_to]
        self._liked = {
            name: (min(some), max(some))
            for name in {name for name, _ in asked_for}
            for some in [[amount for other, amount in asked_for if other == name]]
        }
        prices = any(one.price for one in scenario.items)
        self._things = of.get("有", set()) | of.get("某物在", set())
        self._things |= {way.key for way, _ in world.ways()}
        self._things |= {name for one in world.rules for name in (one.target, one.using)}
        self._things |= {
            name for one in scenario.people for name in one.wants if one.name in self._liked
        }
        self._things &= set(world.items)
        if prices and MONEY in world.counters:
            self._counters |= {MONEY}
            self._things |= {one.name for one in scenario.items if one.price}

    def key(self, state: State) -> Hashable:
        return (
            state.turn % self._day,
            state.at,
            state.hp,
            tuple(state.things[name] for name in self._things),
            tuple(
                (one.at, one.hp, one.follows, self._liking(name, one.relation))
                for name, one in state.people.items()
            ),
            tuple(state.counters[name] for name in self._counters),
            state.flags & self._flags,
            state.opened,
            state.secrets,
            frozenset(name for name in state.done if name not in self.idle),
            state.visited & self._visited,
            state.ended,
        )

    def achieved(self, state: State) -> int:
        """How much has been done that a scenario asks about."""
        things = sum(state.things[name] == ME for name in self._things)
        done = sum(name not in self.idle for name in state.done)
        return (
            things + done + len(state.secrets) + len(state.flags & self._flags) + len(state.opened)
        )

    def _liking(self, name: str, relation: int) -> int:
        """How well one stands with somebody, as far as anything asks for it."""
        asked = self._liked.get(name)
        return 0 if asked is None else min(max(relation, asked[0] - SLACK), asked[1])

    @functools.cached_property
    def _rules(self) -> dict[Action, list[str]]:
        found: dict[Action, list[str]] = {}
        for one in self._world.rules:
            found.setdefault(Action(one.verb, one.target, one.using), []).append(one.name)
        return found

    @functools.cached_property
    def idle(self) -> set[str]:
        """What happens once and changes nothing that is asked about."""
        return {
            one.name
            for one in (*self._world.rules, *self._world.events)
            if not any(self._matters(effect) for effect in (*one.success, *one.failure))
        }

    def _matters(self, effect: Phrase) -> bool:
        name = effect.names[0] if effect.names else ""
        if effect.head in ("记", "忘"):
            return name in self._flags
        if effect.head in self._world.counters:
            return effect.head in self._counters
        if effect.head in ("得", "失", "给", "放"):
            return name in self._things
        return effect.head != RELATION or name in self._liked

    def moves(self, state: State) -> Iterator[tuple[Action, Outcome, bool]]:
        """(action, what comes of it, did it need luck?), each way the dice can fall."""
        for action in admissible(self._world, state):
            if self._skips(action, state):
                continue
            told: tuple[bool, ...] | None = ()
            while told is not None:
                fate = _Fate(told)
                outcome = taken(self._world, state, action, fate.throw)
                yield action, outcome, any(fate.fell)
                told = _next(fate.fell)

    def _skips(self, action: Action, state: State) -> bool:
        names = self._rules.get(action)
        if names:
            return all(name in self.idle for name in names)
        if action.verb == WAIT:
            return not self._timed
        if action.verb == TAKE:
            return action.target not in self._things
        if action.verb == DROP:
            return (action.target, state.at) not in self._placed
        if action.verb == GIVE:
            person = self._world.people[action.target]
            wanted = action.using in person.wants and person.name in self._liked
            return not wanted and (action.using, action.target) not in self._placed
        if action.verb == FIGHT:
            return action.target not in self._felled
        if action.verb == ASK:
            return not any(
                action.target in one.known_to and one.name not in state.secrets
                for one in self._world.scenario.secrets
            )
        return False


def _asked(world: World) -> Iterator[Phrase]:
    deeds = [*world.rules, *world.events, *world.endings]
    some: list[Condition] = [one for deed in deeds for one in deed.when]
    some += [one for _, needs in world.ways() for one in needs]
    for one in some:
        yield from one


def _next(fell: list[bool]) -> tuple[bool, ...] | None:
    """The next way in which they can fall; None after the last."""
    while fell and not fell[-1]:
        fell.pop()
    return (*fell[:-1], False) if fell else None


_Onward = dict[Hashable, tuple[Hashable, Move] | None]
"""State → the one before it on the shortest way from the beginning, and the move between; None for the beginning."""


def _onward(seen: dict[Hashable, _Seen], root: Hashable) -> _Onward:
    ways: dict[Hashable, list[tuple[Hashable, Move]]] = {}
    for key, one in seen.items():
        for before, move in one.ways_here:
            ways.setdefault(before, []).append((key, move))
    found: _Onward = {root: None}
    queue = deque([root])
    while queue:
        here = queue.popleft()
        for key, move in ways.get(here, ()):
            if key not in found:
                found[key] = here, move
                queue.append(key)
    return found


def _line(onward: _Onward, key: Hashable) -> tuple[Move, ...]:
    moves: list[Move] = []
    while (step := onward[key]) is not None:
        key, move = step
        moves.append(move)
    return tuple(reversed(moves))


def _hopeless(seen: dict[Hashable, _Seen], won: list[Hashable]) -> list[Hashable]:
    """Where the game goes on and can no longer be won."""
    good, queue = set(won), deque(won)
    while queue:
        for before, _ in seen[queue.popleft()].ways_here:
            if before not in good:
                good.add(before)
                queue.append(before)
    return [key for key, one in seen.items() if key not in good and not one.state.ended]


def _unused(world: World, seen: dict[Hashable, _Seen], idle: set[str]) -> tuple[str, ...]:
    states = [one.state for one in seen.values()]
    done = {name for state in states for name in (*state.done, *state.last)}
    moves = [move for one in seen.values() for _, move in one.ways_here]
    used = {(move.action.verb, move.action.target) for move in moves}
    visited = {name for state in states for name in state.visited}
    ended = {state.ended for state in states}
    rules = [
        one.name
        for one in world.rules
        if one.name not in (*done, *idle) and (one.once or (one.verb, one.target) not in used)
    ]
    return (
        *(f"规则 {name}" for name in rules),
        *(f"事件 {one.name}" for one in world.events if one.name not in (*done, *idle)),
        *(f"地方 {name}" for name in world.places if name not in visited),
        *(f"结局 {one.name}" for one in world.endings if one.name not in ended),
    )
