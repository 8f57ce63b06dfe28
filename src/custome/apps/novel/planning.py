"""A brief → the outline and what happens in each chapter, piece by piece. No model takes part.

What somebody wrote into the outline themselves is taken apart into what happens in it, clause by clause.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from ...errors import InputError
from .brief import Brief
from .folder import Beat, Row
from .plots import scenes
from .prose import letters
from .stock import Scene, filled, marked, scene_again, stock

SCENE = 300
"""Characters of a chapter that a scene fills, where the brief does not say how many there are."""
SPARE = 2
"""Beats of a scene that may be left out."""
LONGEST_BEAT = 170
"""Characters that one thing that happens can fill."""
SHORTEST_CLAUSE = 8
"""Characters of a clause of somebody's own outline that is a thing of its own."""
TITLE = 8
"""Characters that a title, or half of a couplet, has at best."""


def outline(brief: Brief) -> tuple[Row, ...]:
    """A row a chapter.

    Raises:
        InputError: a part of the plot has nobody.
    """
    if missing := brief.missing_parts():
        raise InputError(
            f"人物里缺 {'、'.join(missing)}：没有他们排不成情节",
            "在 novel.yaml 的人物里各添一个，写上戏份；或重开一本，custome novel new 会起名字",
        )
    taken: set[str] = set()
    rows = []
    each = brief.scenes or max(1, round(brief.length / SCENE))
    for number, some in enumerate(scenes(brief, [each] * brief.chapters), 1):
        title = _title(brief, some, number, taken)
        taken.add(title)
        dying = [one.name for one in brief.people if one.dies == number]
        people = [name for scene in some for name in scene.people]
        rows.append(
            Row(
                number=number,
                title=title,
                event="".join(scene.event for scene in some),
                people=tuple(dict.fromkeys([*people, *dying])),
                place=some[0].place,
                scenes=tuple(scene.kept() for scene in some),
            )
        )
    return tuple(rows)


def beats(brief: Brief, row: Row) -> tuple[Beat, ...]:
    """What happens in a chapter, piece by piece."""
    some = scenes_of(brief, row)
    found = _of_scenes(brief, row, some) if some else _of_clauses(brief, row)
    allowed = [one for one in found if not any(word in one[0] for word in brief.forbidden)]
    found = allowed or found
    found += _promised(brief, row) if not some else []
    longer = brief.length / sum(len(event) for event, _, _ in found)
    return tuple(
        Beat(
            event=event,
            place=place,
            people=brief.named(event),
            keywords=words,
            length=min(LONGEST_BEAT, round(len(letters(event)) * longer)),
        )
        for event, place, words in found
    )


_WHEN = re.compile("半夜|夜|天|清早|傍晚|当晚|那天|第.天")
"""A scene that says when it is is given no other time."""
Told = tuple[str, str, tuple[str, ...]]
"""(what happens, where, what must be named)"""


def _of_scenes(brief: Brief, row: Row, some: Sequence[Scene]) -> list[Told]:
    dice = random.Random(f"{brief.seed} {row.number}")
    opening = filled(dice.choice(stock()["openings"]), some[0].words)
    later = dice.sample(stock()["later"], len(stock()["later"]))
    promised, dying = _promised(brief, row), _dying(brief, row, some)
    found: list[Told] = []
    for spared in range(1 + len(some) * SPARE):
        found = [(opening, some[0].place, (some[0].place,))]
        for number, scene in enumerate(some):
            told = scene.beats(spared=(spared + len(some) - 1 - number) // len(some))
            if number and not _WHEN.match(told[0][0]):
                event, words = told[0]
                told[0] = f"{later[number % len(later)]}{event}", words
            found += [(event, scene.place, words) for event, words in told]
            found += promised if number == 0 else []
        found += dying
        if sum(len(event) for event, _, _ in found) <= brief.length:
            break
    return found


def _promised(brief: Brief, row: Row) -> list[Told]:
    """What is shown and what is made good in this chapter."""
    heroes = [one for one in brief.people if one.name in brief.parts()["主角"]]
    hero = next((one.name for one in heroes if one.may_act(row.number)), "")
    found = []
    for promise in brief.promises:
        for chapter, text in ((promise.planted, "planted"), (promise.paid, "paid")):
            if chapter == row.number:
                words = {
                    "主": hero,
                    "地": row.place,
                    "词": promise.words[0],
                    "事": promise.what.rstrip("。"),
                }
                event, keywords = marked(filled(stock()[text], words))
                found.append((event, row.place, keywords))
    return found


def _dying(brief: Brief, row: Row, some: Sequence[Scene]) -> list[Told]:
    """Deaths that no scene of the chapter tells."""
    told = {scene.words[scene.frame.death] for scene in some if scene.frame.death}
    last = some[-1]
    return [
        (*_placed(filled(text, {**last.words, "谁": one.name}), last.place),)
        for one in brief.people
        if one.dies == row.number and one.name not in told
        for text in stock()["dying"]
        if one.name != last.words["主"] or "{主}" not in text
    ]


def _placed(text: str, place: str) -> Told:
    event, words = marked(text)
    return event, place, words


def _of_clauses(brief: Brief, row: Row) -> list[Told]:
    """Of somebody's own outline: a thing a clause, never inside what somebody says."""
    joined: list[str] = []
    for clause in _CLAUSE.findall(row.event):
        if joined and len(joined[-1]) < SHORTEST_CLAUSE:
            joined[-1] += clause
        else:
            joined.append(clause)
    texts = [_ended(one) for one in joined if any(map(str.isalnum, one))]
    return [(text, row.place, _words(brief, text)) for text in texts or [_ended(brief.premise)]]


_CLAUSE = re.compile(r"(?:“[^”]*”|[^，；。！？])+[，；。！？]*")


def _ended(text: str) -> str:
    bare = text.strip().rstrip("，；")
    return bare if bare[-1:] in "。！？…”" else f"{bare}。"


def _words(brief: Brief, text: str) -> tuple[str, ...]:
    """What must be named of a clause: its longest words that are nobody's name."""
    import rjieba  # its dictionary takes a tenth of a second

    names = {name for one in brief.people for name in (one.name, *one.aliases)}
    words = [one for one in dict.fromkeys(rjieba.cut(text)) if len(one) > 1 and one not in names]
    return tuple(sorted(words, key=len, reverse=True)[:2])


def scenes_of(brief: Brief, row: Row) -> list[Scene]:
    """The scenes that a chapter is made of; [] where somebody has worded it anew."""
    found: list[Scene] = []
    for kept in row.scenes:
        told = sum(len(one.event) for one in found)
        scene = scene_again(kept, brief, row.event[told:])
        if scene is None:
            return []
        found.append(scene)
    return found if "".join(one.event for one in found) == row.event else []


def _title(brief: Brief, some: Sequence[Scene], number: int, taken: set[str]) -> str:
    """A title nobody has yet: half a couplet, or two halves of the same length."""
    dice = random.Random(f"{brief.seed} title {number}")
    first, last = (_variants(one) for one in (some[0], some[-1]))
    if brief.titles == "plain":
        choices = [*first, *last]
    else:
        choices = [
            f"{one}　{other}"
            for one in first
            for other in last
            if len(one) == len(other) and one != other
        ]
    dice.shuffle(choices)
    fresh = [one for one in choices if one not in taken] or choices or [f"第{number}回"]
    return min(fresh, key=lambda one: abs(len(one.split("　")[0]) - TITLE))


def _variants(scene: Scene) -> list[str]:
    """Half titles, with every adverb where one may stand."""
    adverbs = ["", *stock()["adverbs"]["1"], *stock()["adverbs"]["2"]]
    return [
        half.replace("~", adverb)
        for half in scene.half_titles()
        for adverb in (adverbs if "~" in half else [""])
    ]
