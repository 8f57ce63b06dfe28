"""A book → what a novelist learns from: passages of it under invented names, and how a model is asked for such a passage.

The people of the book get invented names, the same throughout a passage and others in the next, so that a model learns to use the names
it is given and not those it has read. What happens in each passage is told again by `retelling`. Knows books and their tables of names.
"""

from __future__ import annotations

import functools
import json
import random
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ...corpus.subjects import is_role
from .brief import COMMON, Gender
from .prose import letters, sentences

SIZES = (8, 16, 28)
"""Letters that a passage has at least, in turn."""
LONGEST = 70
BEFORE = 60
"""Characters of the sentence that stands before it."""
KEYWORDS = 2
ROUND_TO = 10
"""A length is asked for in steps of so many letters."""
VERSE = re.compile(r"诗曰|有诗|词曰|正是[：:]|但见[：:]|怎见得")
MOST_PARALLEL = 2
"""Semicolons of a passage; more is a description in couplets, which tells nothing."""
OFTEN = 2
"""Sentences of a chapter that begin with a character as somebody's name, for it to be one; passages of a book with a word, for it to be a word."""
ONE_GIVEN_NAME = 60
"""People of a story up to whom no given name comes twice."""
_ACTS = "[曰大笑怒闻见令引问拜谢乃遂急亲自喜惊叹泣哭从出入上下]"
_MARKS = "，。；：！？、”’"
_HAN = re.compile(r"[\u4e00-\u9fff]+")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a passage is to be."""

    before: str = ""
    """The words it goes on from."""
    people: tuple[str, ...] = ()
    event: str = ""
    """What happens, in a sentence."""
    keywords: tuple[str, ...] = ()
    """What must stand in it, in order."""
    length: int = 100
    """Characters, about."""


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A piece of a book."""

    chapter: int
    before: str
    text: str


def asked(plan: Plan) -> str:
    """How a model is asked for a passage, when it learns and when it writes."""
    about = max(ROUND_TO, round(plan.length / ROUND_TO) * ROUND_TO)
    lines = [
        f"【上文】{plan.before}",
        f"【人】{'，'.join(plan.people)}",
        f"【事】{plan.event}",
        f"【要】{'，'.join(plan.keywords)}",
    ]
    return "\n".join([*lines, f"【长】{about}字"])


def passages(chapters: Sequence[str]) -> list[Passage]:
    """Whole sentences in a row, one to a few; verse and what is around it is left out."""
    found: list[Passage] = []
    for number, chapter in enumerate(chapters, 1):
        before, text = "", ""
        for one in sentences("".join(chapter.split())):
            if VERSE.search(one) or len(one) > LONGEST:
                before = text = ""
                continue
            text += one
            wanted = SIZES[len(found) % len(SIZES)]
            if len(letters(text)) < wanted or text.count("“") > text.count("”"):
                continue
            if len(text) <= LONGEST and text.count("；") <= MOST_PARALLEL:
                found.append(
                    Passage(chapter=number, before=before[-BEFORE:].lstrip(_MARKS), text=text)
                )
            before, text = one, ""
    return found


class Names:
    """The people of a book, and invented names for them.

    Titles that stand alone (丞相) are left as they are; behind a surname (高太尉) they are kept and the surname is another.

    Args:
        people: name → what else its bearer is called, names of one character too (操 for 曹操).
    """

    def __init__(self, people: Mapping[str, Sequence[str]]) -> None:
        self._bearer: dict[str, str] = {}
        self._singles: dict[str, str] = {}
        for person, others in people.items():
            for name in (person, *others):
                if len(name) == 1:
                    self._singles[name] = person
                elif not is_role(name):
                    self._bearer.setdefault(name, person)
        every = sorted(self._bearer, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, every)) or r"(?!)")
        singles = "".join(map(re.escape, self._singles)) or r"\0"
        surnames = "".join(re.escape(person[0]) for person in people) or r"\0"
        self._left = re.compile(
            rf"(?:^|[ {_MARKS}])[{singles}]|[{singles}](?=[ {_MARKS}]|$)|[{surnames}]、[{surnames}]"
        )

    def people(self, text: str) -> list[str]:
        """Who is named, in order."""
        return list(dict.fromkeys(self._bearer[name] for name in self._pattern.findall(text)))

    def without(self, text: str) -> str:
        return self._pattern.sub(" ", text)

    def written_out(self, chapter: str) -> str:
        """A chapter with whole names where one character stands for somebody: 操曰 becomes 曹操曰.

        A character is somebody's name here that begins sentences as one (操曰, 操大怒) and stands apart from its neighbours.
        """
        borne = {
            single: person
            for single, person in self._singles.items()
            if len(re.findall(rf"(?:^|[，。；：！？”]){re.escape(single)}{_ACTS}", chapter))
            >= OFTEN
        }
        if not borne:
            return chapter
        names = self._pattern.split(chapter)
        between = self._pattern.findall(chapter)
        plain = ["".join(borne.get(word, word) for word in _cut(part)) for part in names]
        return "".join(part + name for part, name in zip(plain, [*between, ""], strict=True))

    def is_clear(self, text: str) -> bool:
        """Is nobody left in it by a single character, nor by a surname beside another (关、张)?"""
        rest = self._pattern.sub(" ", text)
        return not self._left.search(rest)

    def invented(
        self, parts: Sequence[str], dice: random.Random
    ) -> tuple[list[str], dict[str, str]]:
        """(the parts with invented names, person → their invented name): with a surname where the book's has it, without where not."""
        given: dict[str, tuple[str, str]] = {}
        taken: set[str] = set()

        def fresh(person: str) -> tuple[str, str]:
            if person not in given:
                surname = name = ""
                while not name or surname + name in taken or surname + name in self._bearer:
                    surname, name = dice.choice(_names()["surnames"]), _given(dice)
                taken.add(surname + name)
                given[person] = surname, name
            return given[person]

        def replaced(match: re.Match[str]) -> str:
            name, person = match.group(), self._bearer[match.group()]
            surname, own = fresh(person)
            if name[0] == person[0]:
                return surname + (name[1:] if is_role(name[1:]) else own)
            return own if len(own) > 1 else surname + own

        texts = [self._pattern.sub(replaced, part) for part in parts]
        return texts, {person: "".join(both) for person, both in given.items()}


def surnames() -> frozenset[str]:
    """Characters that somebody's surname may be."""
    return frozenset(_names()["surnames"])


def invented_name(dice: random.Random, taken: Collection[str], gender: Gender) -> str:
    """A name for somebody of a story, that nobody has yet and that is no part of another's."""
    people = _names()["people"]
    while True:
        surname, given = dice.choice(people["surnames"]), dice.choice(people[gender or "男"])
        name = surname + given
        own = given if len(taken) <= ONE_GIVEN_NAME else name
        if name not in COMMON and not any(own in one or one in name for one in taken):
            return name


def _given(dice: random.Random) -> str:
    return "".join(dice.choice(_names()["given"]) for _ in range(dice.choice((1, 2, 2))))


@functools.cache
def _names() -> dict[str, Any]:
    raw = (files("custome") / "data" / "invented_names.json").read_text(encoding="utf-8")
    names: dict[str, Any] = json.loads(raw)
    return names


class Keywords:
    """The words that tell a passage from the others.

    Args:
        every: passages.
    """

    def __init__(self, every: Sequence[str]) -> None:
        self._counts = Counter(word for text in every for word in set(_words(text)))

    def of_both(self, event: str, text: str, most: int = KEYWORDS) -> tuple[str, ...]:
        """Words of what happens that stand in its passage too, the rarest, in the order in which they come.

        A word that only one passage has is a name, or no word at all.
        """
        words = [
            word
            for word in dict.fromkeys(_words(event))
            if word in text and self._counts[word] >= OFTEN
        ]
        rare = sorted(words, key=lambda word: self._counts[word])
        chosen = set(rare[:most])
        return tuple(word for word in words if word in chosen)


def _words(text: str) -> list[str]:
    return [word for word in _cut(text) if len(word) > 1 and _HAN.fullmatch(word)]


def _cut(text: str) -> list[str]:
    import rjieba  # its dictionary takes a tenth of a second

    words: list[str] = rjieba.cut(text)
    return words


@dataclass(frozen=True, kw_only=True)
class Material:
    """A passage under invented names."""

    chapter: int
    before: str
    text: str
    people: tuple[str, ...]
    """Whole names of who is in it."""


def material(
    chapters: Sequence[str], people: Mapping[str, Sequence[str]], *, seed: int
) -> list[Material]:
    """All passages of a book, each with invented names of its own."""
    names, dice = Names(people), random.Random(seed)
    whole = [names.written_out("".join(one.split())) for one in chapters]
    found = []
    for one in passages(whole):
        if names.is_clear(one.before + one.text):
            (before, text), called = names.invented([one.before, one.text], dice)
            here = tuple(called[person] for person in names.people(one.text))
            found.append(Material(chapter=one.chapter, before=before, text=text, people=here))
    return found
