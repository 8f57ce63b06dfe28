"""A chapter of a book → a scenario that can be won: one goes where the chapter goes, hears from its people what they say in the book, and
with that what the title says comes to pass. Everything has its words of the book beside it.

It is a draft: whoever has it strikes out what is wrong, and writes on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...errors import InputError
from ...types import Utterance
from .finding import Found, Present, Stage, lines_of
from .scenario import Scenario, scenario_of

LINES = 2
"""What somebody says in the book, of each."""
HEARD = 3
"""People whom one must have heard before something comes to pass."""
TURNS = 90
"""Turns until the chapter is over, whatever has happened."""
_NAME = re.compile(r"\W")


def built(stage: Stage, player: str = "", era: str = "古") -> Scenario:
    """The scenario of a chapter.

    Args:
        player: who one is, of its people; '' for whoever says most.

    Raises:
        InputError: nobody of that name speaks in it.
    """
    meant = [one for one in stage.people if player in ("", one.name, *one.aliases)]
    if not meant:
        names = "、".join(one.name for one in stage.people)
        raise InputError(f"第 {stage.number} 章里没有叫 {player!r} 的人说话", f"有：{names}")
    me = meant[0]
    others = [one for one in stage.people if one is not me]
    start = stage.place_at(me.offset)
    events = _events(stage, others)
    number = f"{_NAME.sub('', stage.novel)[:20]}-{stage.number}"
    raw = {
        "id": number,
        "title": f"{stage.novel[:18]}·{stage.title or stage.number}"[:40],
        "about": f"《{stage.novel}》第 {stage.number} 回“{stage.title}”。四处走走，听各人说些什么，看这一回怎样成。",
        "era": era,
        "player": {"name": me.name, "about": "", "at": start, "hp": 10, "skills": {"口才": 1}},
        "places": _places(stage),
        "items": _things(stage),
        "people": [_person(stage, one) for one in others],
        "rules": [rule for one in others for rule in _says(stage, one)]
        + [_looked(stage, one) for one in _apart(stage)],
        "events": events,
        "endings": _endings(stage, events),
        "source": _source(stage, stage.start, stage.title),
    }
    return scenario_of(raw, f"《{stage.novel}》第 {stage.number} 章")


def _source(stage: Stage, offset: int, quote: str) -> dict[str, object]:
    return {"book": stage.novel, "chapter": stage.number, "offset": offset, "quote": quote}


def _places(stage: Stage) -> list[dict[str, object]]:
    """Places, with ways where the chapter goes from one to the other."""
    names = [one.name for one in stage.places]
    ways = set(zip(names, names[1:], strict=False))
    went = [name for _, name in stage.visits]
    ways |= {(a, b) for a, b in zip(went, went[1:], strict=False) if a != b}
    return [
        {
            "name": one.name,
            "about": _clean(one.quote) + "。",
            "exits": [
                {"to": other}
                for other in names
                if (one.name, other) in ways or (other, one.name) in ways
            ],
            "source": _source(stage, one.offset, one.quote),
        }
        for one in stage.places
    ]


def _apart(stage: Stage) -> list[Found]:
    """Things whose name no place and no person has."""
    taken = {one.name for one in stage.places}
    taken |= {name for one in stage.people for name in (one.name, *one.aliases)}
    return [one for one in stage.things if one.name not in taken]


def _things(stage: Stage) -> list[dict[str, object]]:
    return [
        {
            "name": one.name,
            "about": _clean(one.quote) + "。",
            "at": stage.place_at(one.offset),
            "source": _source(stage, one.offset, one.quote),
        }
        for one in _apart(stage)
    ]


def _person(stage: Stage, one: Present) -> dict[str, object]:
    taken = {other.name for other in (*stage.places, *stage.things)}
    taken |= {n for other in stage.people if other is not one for n in (other.name, *other.aliases)}
    return {
        "name": one.name,
        "aliases": [name for name in one.aliases if name not in taken],
        "at": stage.place_of(said.offset for said in one.said),
        "source": _source(stage, one.offset, one.quote),
    }


def _heard(person: Present) -> str:
    """The flag that says one has heard them."""
    return f"听过{person.name}"


def _says(stage: Stage, person: Present) -> list[dict[str, object]]:
    """What somebody says in the book, one after the other."""
    rules: list[dict[str, object]] = []
    for number, said in enumerate(lines_of(person, LINES), 1):
        rules.append(
            {
                "name": f"听{person.name}说{number}",
                "verb": "问",
                "target": person.name,
                "needs": [f"记得 {_heard(person)}"] if number > 1 else [],
                "success": [f"记 {_heard(person)}", f"好感 {person.name} + 1"],
                "text": f"{person.name}道：{said.quote}",
                "source": _source(stage, said.offset, said.quote),
            }
        )
    return rules


def _looked(stage: Stage, thing: Found) -> dict[str, object]:
    return {
        "name": f"看{thing.name}",
        "verb": "查",
        "target": thing.name,
        "success": [],
        "text": f"{_clean(thing.quote)}。",
        "source": _source(stage, thing.offset, thing.quote),
    }


def _events(stage: Stage, others: Sequence[Present]) -> list[dict[str, object]]:
    """What the title says happens, one half after the other, each where its people are when they speak of it."""
    halves = [_NAME.sub("", one)[:20] for one in stage.events] or [f"第{stage.number}回"]
    halves = list(dict.fromkeys(one for one in halves if one))
    size = (stage.end - stage.start) // len(halves)
    made: list[dict[str, object]] = []
    for number, half in enumerate(halves):
        begin = stage.start + number * size
        named = [one for one in others if any(name in half for name in _names(one))]
        spoken = [
            (person, said)
            for person in (named or others)
            for said in person.said
            if begin <= said.offset < begin + size
        ]
        there = (
            stage.place_of(said.offset for _, said in spoken) if spoken else stage.place_at(begin)
        )
        who = _heard_first(named, [person for person, _ in spoken], others)
        before = [f"记得 {halves[number - 1]}"] if number else []
        heard = [f"记得 {_heard(one)}" for one in who]
        last = max((said for _, said in spoken), key=_weight, default=None)
        quote = f"{_clean(last.quote)}" if last is not None else half
        made.append(
            {
                "name": half,
                "when": [f"在 {there}", *heard, *before],
                "do": [f"记 {half}"],
                "text": f"——{half}。",
                "source": _source(stage, last.offset if last is not None else begin, quote),
            }
        )
    return made


def _names(person: Present) -> tuple[str, ...]:
    return (person.name, *person.aliases)


def _heard_first(
    named: Sequence[Present], speaking: Sequence[Present], others: Sequence[Present]
) -> list[Present]:
    """Whom one must have heard: those the title names, then whoever says most there, then anybody."""
    spoken = sorted(
        {one.name: one for one in speaking}.values(), key=lambda one: -speaking.count(one)
    )
    chosen = {one.name: one for one in (*named[:2], *spoken, *others)}
    return list(chosen.values())[:HEARD]


def _weight(said: Utterance) -> int:
    return min(len(said.quote), 60)


def _endings(stage: Stage, events: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    return [
        {
            "name": "这一回成了",
            "good": True,
            "when": [f"记得 {one['name']}" for one in events],
            "text": f"{stage.title}。这一回完了。",
        },
        {
            "name": "这一回过去了",
            "when": [f"回合 ≥ {TURNS}"],
            "text": "时候过去了，该听的话没有听全。",
        },
    ]


def _clean(quote: str) -> str:
    """A quote as a line of a scenario."""
    return re.sub(r"\s+", "", quote).strip("，。；：、“”")
