"""Conversations an instruct model learns from: what somebody of a book answers, in the book and to what no book has.

A model that learns a book's scenes goes on with the plot instead of answering. So each conversation here is one person's:
questions of the book with the person's own answers give the voice, everyday questions of today with answers of ours
(data/answers.jsonl) give the sense. An answer of ours has three manners, learned, blunt and gentle; the person takes the one
that suits their way of talking, in their own words for 我 and 你. Knows samples and cards, no model.
"""

from __future__ import annotations

import functools
import json
import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import TypeVar

from ...corpus.cast import Line
from ...types import Exchange, Sample
from .casting import Company
from .prompt import GUEST, VIEW, Setting, system_text

_T = TypeVar("_T")
TURNS = 4
"""Questions of a conversation."""
SHORTEST, LONGEST, LONGEST_QUESTION = 6, 70, 30
"""Characters of a line that is learnt as an answer, and of what it answers."""
OWN = 0.25
"""Share of the questions that are the book's: with half of them a model answers a remark with a line of the plot."""
HEADINGS = 0.5
"""Share of the headings that are asked the way a bare one is put to a model."""
WHO = "来者何人？"
"""What everybody is shown answering first, with their name."""
LEAST_LINES = 4
"""Answers somebody must have in the book to be learnt."""
_YOU = ("你", "汝", "公", "尔", "您")
_SELF = "我"
_PRIOR = 0.5


@dataclass(frozen=True)
class Answered:
    """A question of today and the answers to it, one in each manner; {我} and {你} stand for the person's words for them."""

    asked: str
    said: tuple[str, ...]


@functools.cache
def answers() -> tuple[Answered, ...]:
    """Those that come with the program."""
    text = (files("custome") / "data" / "answers.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.split("\n") if line]
    return tuple(Answered(row["asked"], tuple(row["said"])) for row in rows)


def conversations(company: Company, count: int, *, seed: int, people: int, own: float = OWN) -> list[Sample]:
    """`count` conversations of the `people` most talkative, everybody about as often.

    Args:
        own: share of the questions that are the book's.
    """
    dice = random.Random(seed)
    players = [_Player(company, name, dice) for name in company.names[: people * 2]]
    players = [player for player in players if player.able][:people]
    if not players:
        return []
    made = []
    for number in range(count):
        player = players[number % len(players)]
        turns = [player.from_book() if dice.random() < own else player.of_today() for _ in range(TURNS)]
        made.append(player.sample(turns))
    return made


def questions_of(samples: Sequence[Sample], company: Company) -> list[Sample]:
    """What was held out, asked the same way: of scenes those that end with a question and somebody's answer to it."""
    found = []
    for sample in samples:
        before = sample.earlier[-1].chat.strip("“”") if sample.earlier else ""
        if before[-1:] not in ("？", "?") or sample.earlier[-1].speaker == sample.speaker or not company.lines(sample.speaker):  # fmt: skip
            continue
        card = company.card(sample.speaker, told=False)
        shown = [line.text for line in company.own_lines(card.name).nearest(before, Setting.examples)]
        found.append(replace(sample, context=before, earlier=(), mention=card.cue, front=system_text(card, GUEST, shown)))  # fmt: skip
    return found


def shown(company: Company, name: str, count: int) -> list[Exchange]:
    """What somebody would answer to whoever asks their name and to `count` questions of all kinds, for a model that learns from
    what it has just read. The same for every conversation, so that it is read once."""
    lines, called = [line.text for line in company.lines(name)], company.calls_self(name) or _SELF
    manner = Manner(lines)
    some = answers()[:: max(1, len(answers()) // max(1, count))][:count]
    said = [(WHO, f"{called}便是{name}。"), *((one.asked, manner.answer(one, called)) for one in some)]
    return [Exchange(context=asked, chat=text, speaker=name) for asked, text in said]


class _Player:
    """One person's questions and answers, each drawn once before any is drawn again."""

    def __init__(self, company: Company, name: str, dice: random.Random) -> None:
        self._company, self._card, self._dice = company, company.card(name, told=False), dice
        lines = [line for line in company.lines(name) if _is_answer(line)]
        self.able = len(lines) >= LEAST_LINES
        self._manner = Manner([line.text for line in company.lines(name)])
        self._lines, self._answers = self._endless(lines), self._endless(answers())

    def _endless(self, things: Sequence[_T]) -> Iterator[_T]:
        while things:
            yield from self._dice.sample(list(things), len(things))

    def from_book(self) -> tuple[str, str]:
        line = next(self._lines)
        return line.asked, line.text

    def of_today(self) -> tuple[str, str]:
        answered = next(self._answers)
        asked = answered.asked
        if _is_heading(asked) and self._dice.random() < HEADINGS:
            asked += VIEW
        return asked, self._manner.answer(answered, self._company.calls_self(self._card.name))

    def sample(self, turns: Sequence[tuple[str, str]]) -> Sample:
        said = {text for _, text in turns}
        near = self._company.own_lines(self._card.name).nearest(turns[-1][0], Setting.examples + TURNS)
        shown = [line.text for line in near if line.text not in said][: Setting.examples]
        exchanges = [Exchange(context=asked, chat=text, speaker=self._card.name) for asked, text in turns]
        *earlier, last = exchanges
        return Sample(context=last.context, chat=last.chat, earlier=tuple(earlier), speaker=self._card.name,
                      mention=self._card.cue, front=system_text(self._card, GUEST, shown))  # fmt: skip


def _is_heading(asked: str) -> bool:
    """Does it tell of something, and neither ask nor speak of the two who talk?"""
    return asked[-1:] == "。" and not set(asked) & set("我你")


def _is_answer(line: Line) -> bool:
    """Does a line of the book answer a question, by itself and in a few words? What asks back, or is asked at length about what
    went before, makes no sense outside of its scene."""
    question, answer = line.asked, line.text
    alone = question[-1:] in ("？", "?") and question[:1] not in "，。、；" and len(question) <= LONGEST_QUESTION
    return alone and SHORTEST <= len(answer) <= LONGEST and answer[-1:] not in ("？", "?")


class Manner:
    """How somebody talks, by their single characters: which of several wordings they would choose.

    Args:
        lines: of theirs.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self._own = Counter("".join(lines))
        self._size = self._own.total()
        self._you = max(_YOU, key=lambda word: self._own[word])

    def answer(self, answered: Answered, self_word: str) -> str:
        """The wording that is likelier in their mouth than in anybody's, in their own words for themselves and others."""
        chosen = max(answered.said, key=self._suits)
        return chosen.replace("{我}", self_word or _SELF).replace("{你}", self._you)

    def _suits(self, text: str) -> float:
        """Nats a character for the person against everybody who answers, slots left out."""
        everybody, size = _everybody()
        plain = text.replace("{我}", "").replace("{你}", "")
        scores = []
        for character in plain:
            share = (everybody[character] + _PRIOR) / (size + _PRIOR * len(everybody))
            scores.append(math.log((self._own[character] + 100 * share) / (self._size + 100) / share))
        return sum(scores) / max(1, len(scores))


@functools.cache
def _everybody() -> tuple[Counter[str], int]:
    counts = Counter("".join(text for answered in answers() for text in answered.said))
    return counts, counts.total()
