"""A brief → what happens, scene by scene, without a model: scenes are drawn from a stock (data/plots.json), and each has what must be so
for it and what it changes, so that nobody loses what they do not have or is freed who was not caught.

A small model cannot plot: asked for a chapter it tells the last one again (docs/log.md). It is asked for words only.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from .brief import Brief
from .stock import Frame, Scene, filled, frame_of, pronouns, stock

ARC = 24
"""Scenes, about, until what the story is about is settled; a longer book begins another, with another thing and another foe, as long as
there are foes."""
ENDING = 2
"""Scenes at the end of an arc in which it may be settled."""
AGAIN = 12
"""Scenes until one of a kind may come again in the same arc."""
SHUFFLE = 2
"""How much oftener than others a frame may have been used and still come first."""
FILLER = 6
"""How much oftener others must have been used before a frame that changes nothing comes."""
REMEMBERED = 20
"""Scenes of a kind that a new one is compared with."""
TRIES = 300
"""Scenes that are tried in a row before the search begins anew: an unlucky beginning cannot be mended at the end."""
TRIES_A_SCENE = 10
BEGINNINGS = 8
"""So often, before an arc is allowed to begin with more known."""
LASTING = ("亡", "盟", "义", "授", "毁家")
"""Facts that outlive an arc."""


def scenes(brief: Brief, count: Sequence[int]) -> list[list[Scene]]:
    """The scenes of every chapter.

    Args:
        count: scenes of each chapter; one number a chapter.
    """
    foes, whole = len(brief.parts()[stock()["letters"]["敌"]]), len(count)
    by_length = round(sum(count) / ARC)
    books = max(1, min(whole, foes if by_length < foes <= 1.5 * by_length else by_length))
    stage = _Stage(brief, random.Random(brief.seed), books)
    rows: list[list[Scene]] = []
    for number in range(books):
        begin, end = whole * number // books, whole * (number + 1) // books
        chapters = [at + 1 for at in range(begin, end) for _ in range(count[at])]
        found = iter(stage.arc(number, chapters))
        rows += [[next(found) for _ in range(count[at])] for at in range(begin, end)]
    return rows


_Step = tuple[Frame, dict[str, str], frozenset[str]]
"""(frame, who stands in its slots, what is so after it)"""
_WAYS = (
    ((), AGAIN, True),
    (("知 主",), AGAIN, True),
    (("知 主", "物在 主"), AGAIN, True),
    (("知 主", "物在 主"), AGAIN // 2, True),
    (("知 主", "物在 主"), AGAIN, False),
    (("知 主", "物在 主"), AGAIN // 2, False),
    (("知 主", "物在 主"), 1, False),
)
"""(what is so from the beginning, scenes until one of a kind may come again, must it be settled at the end), as they are tried."""


class _Stage:
    """Who is there, what is so, and what was already shown."""

    def __init__(self, brief: Brief, dice: random.Random, books: int) -> None:
        self._brief, self._dice, self._books = brief, dice, books
        self._people = {one.name: one for one in brief.people}
        self._parts = brief.parts()
        self._frames = [frame_of(row) for row in stock()["frames"]]
        self._facts: frozenset[str] = frozenset()
        self._shown: Counter[str] = Counter()
        """How often a frame was used, and how often somebody was in one."""
        self._events: dict[str, list[str]] = {}
        self._told: set[str] = set()
        self._last: list[str] = []
        """Frames of the end of the arc before."""
        self._ready: dict[tuple[str, int], list[str]] = {}
        """(letter, chapter) → who may be it, while nothing is shown."""

    def arc(self, number: int, chapters: Sequence[int]) -> list[Scene]:
        """The scenes of one story, each in its chapter."""
        settled = self._cast(number, chapters)
        lasting = frozenset(fact for fact in self._facts if fact.split()[0] in LASTING)
        path: list[_Step] = []
        for known, again, whole in _WAYS:
            start = lasting | {_grounded(fact, settled) for fact in known}
            for _ in range(BEGINNINGS):
                path = path or self._search(start, settled, chapters, again, whole=whole)
        assert len(path) == len(chapters), "the last way asks for nothing"
        self._last = [frame.name for frame, _, _ in path[-AGAIN:]]
        made = []
        for frame, bound, facts in path:
            self._facts = facts
            made.append(self._shown_as(frame, {**settled, **bound}))
        return made

    def _cast(self, number: int, chapters: Sequence[int]) -> dict[str, str]:
        """Who and what stays the same through an arc: the hero, the foe, the thing, the secret."""
        brief, known = self._brief, stock()
        things = [*brief.things, *(t for t in known["things"][brief.era] if t not in brief.things)]
        words = {**known["words"][brief.era], "物": things[number % len(things)]}
        for letter, part in known["letters"].items():
            names = self._parts[part]
            able = self._able(letter, chapters[len(chapters) // 2]) or list(names)
            # Of a part that more people have than there are stories, all of them take turns in each.
            if able and (letter in "主敌" or len(names) <= self._books):
                words[letter] = able[0]
        secrets = [one.what.rstrip("。！？") for one in brief.secrets]
        words["秘"] = secrets[number % len(secrets)] if secrets else filled(known["secret"], words)
        return words

    def _able(self, letter: str, chapter: int) -> list[str]:
        """Who may be somebody in a chapter, the least shown first."""
        if (letter, chapter) not in self._ready:
            names = self._parts[stock()["letters"][letter]]
            able = [name for name in names if self._people[name].may_act(chapter)]
            able.sort(key=lambda name: self._shown[f"of {name}"])
            self._ready[letter, chapter] = able
        return self._ready[letter, chapter]

    def _search(
        self,
        start: frozenset[str],
        words: Mapping[str, str],
        chapters: Sequence[int],
        again: int,
        *,
        whole: bool,
    ) -> list[_Step]:
        """Frames in a row, each possible after the one before; [] where none were found.

        Args:
            again: scenes until one of a kind may come again.
            whole: it must be settled at the end.
        """
        path: list[_Step] = []
        tries = max(TRIES, TRIES_A_SCENE * len(chapters))

        def go(at: int, facts: frozenset[str]) -> bool:
            nonlocal tries
            if at == len(chapters):
                return not whole or _holds("破 *", facts)
            before = [*self._last, *(frame.name for frame, _, _ in path)]
            recent = frozenset(before[-again:])
            for frame, bound in self._possible(at, facts, words, chapters, recent):
                tries -= 1
                if tries < 0:
                    return False
                path.append((frame, bound, _after(frame, facts, bound)))
                if go(at + 1, path[-1][2]):
                    return True
                path.pop()
            return False

        return path if go(0, start) else []

    def _possible(
        self,
        at: int,
        facts: frozenset[str],
        words: Mapping[str, str],
        chapters: Sequence[int],
        recent: frozenset[str],
    ) -> Iterator[tuple[Frame, dict[str, str]]]:
        """What may come next, the least used first; whoever is to die in this chapter dies before anything else happens."""
        acts, left = set(_acts(at, len(chapters))), len(chapters) - at
        dying = self._dying(chapters, at, facts)
        order = []
        for frame in self._frames:
            in_time = acts & set(frame.acts) and (not frame.ends or left <= ENDING)
            if frame.name not in recent and (in_time or (frame.death and dying)):
                often = self._shown[frame.name] + SHUFFLE * self._dice.random()
                first = not frame.death, not (frame.ends and left <= ENDING)
                order.append((*first, often + FILLER * (not frame.does), frame))
        for *_, frame in sorted(order, key=lambda one: one[:3]):
            bound = self._bound(frame, words, chapters[at], dying, facts)
            if bound and all(_holds(_grounded(one, bound), facts) for one in frame.needs):
                yield frame, bound

    def _dying(self, chapters: Sequence[int], at: int, facts: frozenset[str]) -> list[str]:
        """Who is to die in this chapter and still lives."""
        return [
            one.name
            for one in self._brief.people
            if one.dies == chapters[at] and f"亡 {one.name}" not in facts
        ]

    def _bound(
        self,
        frame: Frame,
        words: Mapping[str, str],
        chapter: int,
        dying: Sequence[str],
        facts: frozenset[str],
    ) -> dict[str, str] | None:
        """Who stands in the frame's slots; None where somebody is missing."""
        bound = dict(words)
        for letter in frame.people:
            able = [one for one in self._able(letter, chapter) if f"亡 {one}" not in facts]
            if letter == frame.death:
                able = [name for name in able if name in dying]
            elif words.get(letter) in able:
                able = [words[letter]]
            if not able:
                return None
            bound[letter] = able[0]
        return bound

    def _shown_as(self, frame: Frame, words: Mapping[str, str]) -> Scene:
        """The scene, at a place and in words that were used least."""
        places = list(self._brief.places or stock()["places"][self._brief.era])
        self._dice.shuffle(places)
        places.sort(key=lambda place: self._shown[f"at {place}"])
        earlier = self._events.setdefault(frame.name, [])
        places += [one for one in stock()["places"][self._brief.era] if one not in places]
        told = [{**words, "地": place, **pronouns(words, self._people)} for place in places]
        every = [(filled(text, one), one) for one in told for text in frame.events]
        fresh = [one for one in every if one[0] not in self._told] or every
        event, chosen = next(
            (
                one
                for one in fresh
                if not any(likeness(one[0], other) > ALIKE for other in earlier[-REMEMBERED:])
            ),
            fresh[0],
        )
        earlier.append(event)
        self._told.add(event)
        scene = Scene(frame=frame, words=chosen, event=event)
        self._ready.clear()
        self._shown.update(
            [frame.name, f"at {scene.place}", *(f"of {name}" for name in scene.people)]
        )
        return scene


ALIKE = 0.6
"""Pairs of characters that two chapters share of all they have, from which they are one told twice."""


def likeness(one: str, other: str) -> float:
    """Share of pairs of characters that two texts have in common (Jaccard)."""
    pairs, others = ({text[at : at + 2] for at in range(len(text) - 1)} for text in (one, other))
    return len(pairs & others) / max(1, len(pairs | others))


def _acts(at: int, whole: int) -> str:
    """Which of 起承转合 a scene may be of, by where it stands."""
    if at + 1 == whole:
        return "合"
    share = at / max(1, whole - 1)
    return "起" if at == 0 else "起承" if share < 0.3 else "承转" if share < 0.6 else "转合"


def _after(frame: Frame, facts: frozenset[str], bound: Mapping[str, str]) -> frozenset[str]:
    done = [_grounded(one, bound) for one in frame.does]
    gone = {one[1:] for one in done if one.startswith("!")}
    return (facts - gone) | {one for one in done if not one.startswith("!")}


def _holds(fact: str, facts: frozenset[str]) -> bool:
    wanted, bare = not fact.startswith("!"), fact.removeprefix("!")
    if bare.endswith("*"):
        return wanted == any(one.startswith(bare[:-1]) for one in facts)
    return wanted == (bare in facts)


def _grounded(fact: str, words: Mapping[str, str]) -> str:
    """A fact about somebody: 伤 主 → 伤 沈青."""
    head, *rest = fact.split()
    return " ".join([head, *(words.get(one, one) for one in rest)])
