"""What people call one another and, before somebody in particular, themselves. Knows utterances and names.

Whom somebody speaks to is told by the cue (谓X曰), or is whoever spoke right before and answers right after. A form of address
opens what is said: “妹妹，…”.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from ..types import Utterance
from .dialogue import is_near
from .subjects import is_role

LEAST_CALLS = 2
"""How often a form of address must open what one says to somebody …"""
LEAST_SHARE = 0.5
"""… and of all one calls them."""
LEAST_SELF = 4
"""How often one must call oneself so before somebody."""
SELVES = (
    "吾",
    "某",
    "俺",
    "洒家",
    "贫僧",
    "老孙",
    "老猪",
    "朕",
    "孤",
    "臣",
    "妾",
    "奴家",
    "小人",
    "小可",
    "在下",
    "弟子",
    "小弟",
    "老身",
    "本座",
    "末将",
)
_SELF = re.compile(rf"(?:^|(?<=[，。！？；：、]))(?:{'|'.join(SELVES)})(?![之等辈日规])")
"""A word for oneself opens a clause: 群臣 and 你这小人 are others."""
_OPENS = re.compile(r"^(?P<word>[\u4e00-\u9fff]{1,4})(?=[，！？：])")
_CROWDS = re.compile(r"^(?:众|列|诸|各|大家|你们|二位|两位|三位)")
_CALLED = re.compile(
    r"(?:哥哥?|兄长?|弟弟?|姐姐?|妹妹?|嫂嫂?|叔叔?|伯伯?|爷爷?|奶奶|娘|妈妈?|爹爹?|师父|师傅|师兄|师弟|大哥|二哥|三弟|贤弟|老爷|太太|姑娘|小姐|公子|丫头|先生|将军|主公|丞相|都督|军师"
    r"|大王|陛下|大圣|长老|呆子|猴哥|菩萨|员外|老师|老板|[一-龥](?:总|队|局|哥|姐|叔|姨|爷|兄|弟|妹))$"
)


class Address(NamedTuple):
    """A habit between two people."""

    person: str
    other: str
    word: str
    """What the person calls the other, or themselves before the other."""
    itself: bool
    """Is it a word for oneself?"""
    chapter: int
    offset: int
    """Where it is said so first."""
    times: int

    def told(self) -> str:
        """As a sentence."""
        if self.itself:
            return f"{self.person}在{self.other}面前自称“{self.word}”。"
        return f"{self.person}叫{self.other}“{self.word}”。"


def partners(utterances: Sequence[Utterance]) -> Iterable[tuple[Utterance, str]]:
    """(utterance, to whom it is said) where that is known."""
    spoken = [one for one in utterances if one.kind == "speech" and one.speaker]
    for place, one in enumerate(spoken):
        if one.addressee:
            yield one, one.addressee
            continue
        before = spoken[place - 1] if place else None
        after = spoken[place + 1] if place + 1 < len(spoken) else None
        if before is None or before.speaker == one.speaker or not is_near(before, one):
            continue
        if after is None or not is_near(one, after) or after.speaker == before.speaker:
            yield one, before.speaker


def addresses(
    utterances: Sequence[Utterance], names: Mapping[str, str], people: Collection[str]
) -> list[Address]:
    """The habits of a book's people, the most frequent first.

    Args:
        names: every name that is one person's → that person.
        people: whose habits are wanted.
    """
    calls: dict[tuple[str, str], list[tuple[str, Utterance]]] = defaultdict(list)
    selves: dict[tuple[str, str], list[tuple[str, Utterance]]] = defaultdict(list)
    for one, other in partners(utterances):
        if one.speaker not in people or other not in names.values() or other == one.speaker:
            continue
        said = one.quote.strip("“”")
        match = _OPENS.match(said)
        if match and _is_address(match["word"], other, names):
            calls[one.speaker, other].append((match["word"], one))
        for word in dict.fromkeys(_SELF.findall(said)):
            selves[one.speaker, other].append((word, one))
    usual = _usual(selves)
    found = [*_habits(calls, LEAST_CALLS, itself=False)]
    found += [
        habit
        for habit in _habits(selves, LEAST_SELF, itself=True)
        if habit.word != usual[habit.person]
    ]
    return sorted(found, key=lambda habit: -habit.times)


def _is_address(word: str, other: str, names: Mapping[str, str]) -> bool:
    """A kinship word, a title, or another name of theirs; nobody else's name."""
    if _CROWDS.match(word) or word == other:
        return False
    if word in names:
        return names[word] == other
    return len(word) > 1 and (is_role(word) or bool(_CALLED.search(word)))


def _usual(selves: Mapping[tuple[str, str], Sequence[tuple[str, Utterance]]]) -> dict[str, str]:
    """What each calls themselves most, before anybody."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for (person, _), said in selves.items():
        counts[person].update(word for word, _ in said)
    return {person: words.most_common(1)[0][0] for person, words in counts.items()}


def _habits(
    said: Mapping[tuple[str, str], Sequence[tuple[str, Utterance]]], least: int, *, itself: bool
) -> Iterable[Address]:
    for (person, other), words in said.items():
        word, times = Counter(word for word, _ in words).most_common(1)[0]
        if times >= least and times >= LEAST_SHARE * len(words):
            first = next(one for called, one in words if called == word)
            yield Address(person, other, word, itself, first.chapter, first.offset, times)
