"""What a book tells of its people, places, things and events, each sentence with its chapter: facts for lorebooks.

By rule, without a model: a person is told of where the narration introduces somebody (姓…名…, 字…, 乃…也, 生得…), a place is a
word of places that people go to, a thing is a noun that ends like one, an event is a chapter's title.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..types import Utterance
from .aliases import AliasTable
from .statements import Statement, Statements
from .text import Chapter, split_chapters, tidy, without_number

SHORTEST, LONGEST = 6, 90
"""Characters of a sentence worth keeping."""
FACTS = 4
"""Sentences kept of a place or a thing; twice as many of a person."""
LEAST_VISITS = 3
"""How often people must go to a place …"""
LEAST_PLACE, LEAST_THING = 6, 3
"""… and how often place and thing must be named."""
NEAR = 8
"""Characters between a name and the words that introduce somebody."""
_SENTENCE = re.compile(r"[^。！？\n]+[。！？]?")
_GOING = re.compile(r"(?:来至|来到|直至|前往|至|到|入|往|在|取|守|攻|回|离|出|过|投)$")
_TELLS = re.compile(
    r"姓.名|[，、也]字.{1,2}[，、。]|表字|小字|乳名|绰号|诨名|道号|法号|人氏|人也|身长|身高|生得|面如|乃.{1,14}之[子女孙侄妻弟兄妹后]|"
    r"官拜|拜为|封为|是.{1,12}(?:的|之)(?:儿子|女儿|妻|妾|弟|兄|妹|孙|侄|丫|母|父|嫂|姐|媳)|惯使|善使|为人"
)
_NO_THING = re.compile(r"^[那这和问见向把将与听有闻扶往看一二两三几骑拍纵勒马牛大小]")
_THING = re.compile(
    r"(?:刀|剑|戟|枪|棒|钯|斧|矛|弓|锤|马|玉|印|珠|镜|图|扇|袍|甲|瓶|杖|钵|绳|袋|经|书|丹|果|丸|船|车)$"
)

Kind = Literal["person", "place", "thing", "event"]


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One sentence of a book."""

    novel: str
    chapter: int
    text: str
    kind: str = ""
    """Of what is said of a person: see statements.py."""


@dataclass(frozen=True, kw_only=True)
class Lore:
    """Facts of the book about one person or thing, in the order of the book."""

    kind: Kind
    name: str
    keys: tuple[str, ...]
    """Words that call it to mind."""
    facts: tuple[Fact, ...]


def lore_of(
    novel: str, text: str, quotations: Sequence[Utterance], table: AliasTable, people: Iterable[str]
) -> list[Lore]:
    """People, places, things and events of one book.

    Args:
        text: the book as its corpus keeps it; the quotations' offsets point into it.
        people: canonical names of those worth an entry.
    """
    chapters = split_chapters(text)
    placed = _narration(novel, text, chapters, quotations)
    sentences = [fact for _, fact in placed]
    told = Statements(
        chapters,
        ((fact.chapter, at, fact.text) for at, fact in placed),
        quotations,
        table,
        people,
    )
    found = _people(told.of_everybody(), novel, table)
    names = {name for owner, aliases in table.people.items() for name in (owner, *aliases)}
    places, things = _words(sentences, names)
    found += _told("place", places, sentences)
    found += _told("thing", things, sentences)
    return [*found, *_events(novel, chapters, found)]


def _narration(
    novel: str, text: str, chapters: Sequence[Chapter], quotations: Sequence[Utterance]
) -> list[tuple[int, Fact]]:
    """Sentences outside quotation marks, each with its offset."""
    starts, found = [chapter.start for chapter in chapters], []
    outside, at = [], 0
    for quotation in sorted(quotations, key=lambda q: q.offset):
        if quotation.offset >= at:
            outside.append((at, quotation.offset))
            at = quotation.end
    for start, end in [*outside, (at, len(text))]:
        for match in _SENTENCE.finditer(text, start, end):
            sentence = tidy(match.group()).strip("　 ，；：:")
            place = bisect_right(starts, match.start()) - 1
            inside = place >= 0 and match.start() < chapters[place].end
            if inside and SHORTEST <= len(sentence) <= LONGEST and sentence[-1] in "。！？":
                fact = Fact(novel=novel, chapter=chapters[place].number, text=sentence)
                found.append((match.start(), fact))
    return found


def _people(told: Mapping[str, Sequence[Statement]], novel: str, table: AliasTable) -> list[Lore]:
    owners = table.owners()
    return [
        Lore(
            kind="person",
            name=name,
            keys=tuple(
                n for n in (name, *table.people[name]) if len(n) > 1 and owners[n] == (name,)
            ),
            facts=tuple(
                Fact(novel=novel, chapter=one.chapter, text=one.text, kind=one.kind)
                for one in statements
            ),
        )
        for name, statements in told.items()
    ]


def _words(sentences: Sequence[Fact], names: set[str]) -> tuple[list[str], list[str]]:
    """(places, things), most often named first."""
    import rjieba  # its dictionary takes a tenth of a second

    counts: dict[str, Counter[str]] = {"place": Counter(), "thing": Counter()}
    visits: Counter[str] = Counter()
    for fact in sentences:
        before = ""
        for word, tag in rjieba.tag(fact.text):
            if len(word) > 1 and word not in names:
                if tag in ("ns", "nt"):
                    counts["place"][word] += 1
                    visits[word] += bool(_GOING.search(before))
                elif tag.startswith("n") and len(word) > 2 and _is_thing(word, names):
                    counts["thing"][word] += 1
            before = word
    places = [
        word
        for word, n in counts["place"].most_common()
        if n >= LEAST_PLACE and visits[word] >= LEAST_VISITS
    ]
    things = [word for word, n in counts["thing"].most_common() if n >= LEAST_THING]
    return places, things


def _is_thing(word: str, names: set[str]) -> bool:
    inside = (word[i : i + 2] in names for i in range(len(word) - 1))
    return bool(_THING.search(word)) and not _NO_THING.search(word) and not any(inside)


def _told(kind: Kind, words: Sequence[str], sentences: Sequence[Fact]) -> list[Lore]:
    facts: dict[str, list[Fact]] = defaultdict(list)
    known = set(words)
    sizes = sorted({len(word) for word in known})
    for fact in sentences:
        for word in {
            fact.text[i : i + n] for n in sizes for i in range(len(fact.text) - n + 1)
        } & known:
            if len(facts[word]) < FACTS:
                facts[word].append(fact)
    return [
        Lore(kind=kind, name=word, keys=(word,), facts=tuple(facts[word]))
        for word in words
        if facts[word]
    ]


def _events(novel: str, chapters: Sequence[Chapter], known: Sequence[Lore]) -> list[Lore]:
    """A chapter's title tells what happens in it; who and what it names brings it to mind."""
    keys: Mapping[str, str] = {key: lore.name for lore in known for key in lore.keys}
    found = []
    for chapter in chapters:
        title = tidy(without_number(chapter.title))
        named = tuple(
            dict.fromkeys(key for key in sorted(keys, key=len, reverse=True) if key in title)
        )
        if chapter.number and len(title) >= SHORTEST and named:
            fact = Fact(novel=novel, chapter=chapter.number, text=title)
            found.append(Lore(kind="event", name=title, keys=named, facts=(fact,)))
    return found
