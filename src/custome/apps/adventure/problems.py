"""What in a scenario does not fit together: names that nobody has, ways that lead nowhere, two of one name, rules that can never be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from ...errors import DataError, InputError
from .phrases import CONDITIONS, EFFECTS, HP, ME, RELATION, TURN, Kind, Phrase, condition, effect
from .rules import MARTIAL, VERBS
from .scenario import KEYS, Lines, Scenario
from .world import MONEY

T = TypeVar("T")
Field = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One fault."""

    field: Field
    says: str
    line: int = 0

    def __str__(self) -> str:
        where = ".".join(
            KEYS.get(one, one) if isinstance(one, str) else str(one + 1) for one in self.field
        )
        return (f"第 {self.line} 行 " if self.line else "") + f"{where}：{self.says}"


def problems(scenario: Scenario, lines: Lines | None = None) -> list[Problem]:
    """Everything that is wrong, in the order of the file."""
    found = _Names(scenario)
    every = [Problem(field=field, says=says) for field, says in found.faults()]
    placed = [
        Problem(field=one.field, says=one.says, line=(lines or Lines()).of(one.field))
        for one in every
    ]
    return sorted(placed, key=lambda one: one.line)


def checked(scenario: Scenario, lines: Lines | None = None, where: str = "剧本") -> Scenario:
    """
    Raises:
        DataError: everything that does not fit together.
    """
    found = problems(scenario, lines)
    if found:
        raise DataError(
            f"{where}：" + "；".join(map(str, found[:20])), "改好再来；写法见 docs/adventure.md"
        )
    return scenario


class _Names:
    """All names of a scenario, and where they are used."""

    def __init__(self, scenario: Scenario) -> None:
        self._all = scenario
        self._places = {one.name for one in scenario.places}
        self._items = {one.name for one in scenario.items}
        self._people = {one.name for one in scenario.people}
        self._counters = {one.name for one in scenario.counters}
        self._known: dict[Kind, tuple[str, set[str]]] = {
            "place": ("地方", self._places),
            "item": ("东西", self._items),
            "person": ("人", self._people),
            "secret": ("秘密", {one.name for one in scenario.secrets}),
            "hour": ("时辰", set(scenario.clock)),
            "ending": ("结局", {one.name for one in scenario.endings}),
            "holder": ("地方或人", {*self._places, *self._people, ME, ""}),
        }
        self._flags: set[str] = set()
        """Those that something sets."""
        self._remembered: list[tuple[Field, str]] = []
        """Those that something asks for."""

    def faults(self) -> Iterator[tuple[Field, str]]:
        yield from self._twice()
        yield from self._map()
        yield from self._things()
        yield from self._deeds()
        for field, flag in self._remembered:
            if flag not in self._flags:
                yield field, f"没有哪里“记 {flag}”，它永远不会成立"

    # -- names -------------------------------------------------------------------------------------------------------

    def _twice(self) -> Iterator[tuple[Field, str]]:
        scenario = self._all
        named = [
            (("places", number), (one.name, *one.aliases))
            for number, one in enumerate(scenario.places)
        ]
        named += [(("items", n), (one.name, *one.aliases)) for n, one in enumerate(scenario.items)]
        named += [
            (("people", n), (one.name, *one.aliases)) for n, one in enumerate(scenario.people)
        ]
        counts = Counter(name for _, names in named for name in set(names))
        for field, names in named:
            for name in names:
                if counts[name] > 1 or name == ME:
                    yield (
                        field,
                        f"叫 {name!r} 的不止一个" if name != ME else "“我”是主角，别的不能叫这个",
                    )
        for part in ("rules", "events", "endings", "counters", "secrets"):
            counts = Counter(one.name for one in getattr(scenario, part))
            for number, one in enumerate(getattr(scenario, part)):
                if counts[one.name] > 1:
                    yield (part, number, "name"), f"有 {counts[one.name]} 个叫 {one.name!r}"

    def _named(self, kind: Kind, name: str, field: Field) -> Iterator[tuple[Field, str]]:
        if kind == "number":
            if not (name.isascii() and name.isdecimal() and len(name) < 5):
                yield field, f"{name!r} 要是一个数"
        elif kind != "flag":
            word, known = self._known[kind]
            if name not in known:
                yield field, f"没有叫 {name!r} 的{word}"

    # -- the world ---------------------------------------------------------------------------------------------------

    def _map(self) -> Iterator[tuple[Field, str]]:
        yield from self._named("place", self._all.player.at, ("player", "at"))
        for number, place in enumerate(self._all.places):
            for at, way in enumerate(place.exits):
                field: Field = ("places", number, "exits", at)
                yield from self._named("place", way.to, (*field, "to"))
                if way.key:
                    yield from self._named("item", way.key, (*field, "key"))
                if way.to == place.name:
                    yield (*field, "to"), "出口通回自己"
                yield from self._conditions(way.needs, (*field, "needs"))
            counts = Counter(way.to for way in place.exits)
            for to, count in counts.items():
                if count > 1:
                    yield ("places", number, "exits"), f"通 {to!r} 的出口有 {count} 个，只能有一个"

    def _things(self) -> Iterator[tuple[Field, str]]:
        for number, item in enumerate(self._all.items):
            yield from self._named("holder", item.at, ("items", number, "at"))
            if item.price and MONEY not in self._counters:
                yield ("items", number, "price"), f"有价钱，可是没有叫 {MONEY!r} 的计数"
        for number, person in enumerate(self._all.people):
            if person.at:
                yield from self._named("place", person.at, ("people", number, "at"))
            for at, name in enumerate(person.wants):
                yield from self._named("item", name, ("people", number, "wants", at))
        for number, secret in enumerate(self._all.secrets):
            for at, name in enumerate(secret.known_to):
                yield from self._named("person", name, ("secrets", number, "known_to", at))
        for number, counter in enumerate(self._all.counters):
            if counter.name in (HP, RELATION, TURN):
                yield ("counters", number, "name"), f"{counter.name!r} 每一局都有，不用再写"
            if not counter.least <= counter.start <= counter.most:
                yield (
                    ("counters", number),
                    f"开始的 {counter.start} 不在 {counter.least} 到 {counter.most} 之间",
                )

    def _deeds(self) -> Iterator[tuple[Field, str]]:
        every = {*self._places, *self._items, *self._people}
        for number, rule in enumerate(self._all.rules):
            field: Field = ("rules", number)
            if rule.target and rule.target not in every:
                yield (*field, "target"), f"没有叫 {rule.target!r} 的人、东西、地方"
            if rule.using and rule.using not in self._items and rule.using not in self._all.topics:
                yield (*field, "using"), f"没有叫 {rule.using!r} 的东西或话题"
            if rule.check and rule.check.skill not in (*self._all.player.skills, MARTIAL):
                yield (*field, "check"), f"主角没有本事 {rule.check.skill!r}"
            yield from self._conditions(rule.needs, (*field, "needs"))
            yield from self._effects(rule.success, (*field, "success"))
            yield from self._effects(rule.failure, (*field, "failure"))
        for number, event in enumerate(self._all.events):
            if event.who:
                yield from self._named("person", event.who, ("events", number, "who"))
            yield from self._conditions(event.when, ("events", number, "when"))
            yield from self._effects(event.do, ("events", number, "do"))
        for number, ending in enumerate(self._all.endings):
            yield from self._conditions(ending.when, ("endings", number, "when"))
        if not any(one.good for one in self._all.endings):
            yield ("endings",), "没有一个好结局，赢不了"
        for verb in {rule.verb for rule in self._all.rules} & set(VERBS[:1]):
            yield ("rules",), f"{verb!r} 是走路，别的规则不能用它"

    # -- phrases -----------------------------------------------------------------------------------------------------

    def _conditions(self, lines: tuple[str, ...], field: Field) -> Iterator[tuple[Field, str]]:
        held: list[Phrase] = []
        for number, line in enumerate(lines):
            some, fault = _read(condition, line)
            if fault:
                yield (*field, number), fault
            for phrase in some or ():
                yield from self._phrase(phrase, CONDITIONS, (*field, number))
                if phrase.head == "记得" and not phrase.negated:
                    self._remembered.append(((*field, number), phrase.names[0]))
            held += some if some and len(some) == 1 else ()
        plain = [str(one).removeprefix("非 ") for one in held]
        for number, one in enumerate(held):
            if one.negated and any(
                not other.negated and str(other) == plain[number] for other in held
            ):
                yield field, f"又要“{plain[number]}”又要“{one}”，永远不会成立"
        at = {one.names[0] for one in held if one.head == "在" and not one.negated}
        if len(at) > 1:
            yield field, f"不能同时在 {'、'.join(sorted(at))}"

    def _effects(self, lines: tuple[str, ...], field: Field) -> Iterator[tuple[Field, str]]:
        for number, line in enumerate(lines):
            phrase, fault = _read(effect, line)
            if fault:
                yield (*field, number), fault
            if phrase is not None:
                yield from self._phrase(phrase, EFFECTS, (*field, number))
                if phrase.head == "记":
                    self._flags.add(phrase.names[0])

    def _phrase(self, phrase: Phrase, table: object, field: Field) -> Iterator[tuple[Field, str]]:
        kinds = (CONDITIONS if table is CONDITIONS else EFFECTS).get(phrase.head, ())
        if not phrase.sign:
            for kind, name in zip(kinds, phrase.names, strict=True):
                yield from self._named(kind, name, field)
        elif phrase.head == RELATION or (phrase.head == HP and phrase.names):
            for name in phrase.names or ("",):
                yield from self._named("person", name, field)
        elif phrase.head not in (HP, TURN, *self._counters) or phrase.names:
            yield field, f"没有叫 {phrase.head!r} 的计数"
        elif phrase.head == TURN and phrase.sign in "+-=":
            yield field, "回合不能改，要过时间写“过 3”"


def _read(read: Callable[[str], T], line: str) -> tuple[T | None, str]:
    """(what a line says, why it cannot be read)."""
    try:
        return read(line), ""
    except InputError as error:
        return None, f"{error.message}（{error.hint}）"
