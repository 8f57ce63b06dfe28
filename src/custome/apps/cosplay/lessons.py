"""Conversations an instruct model learns from: what somebody of a book answers, in the book and to what no book has.

A model that learns a book's scenes goes on with the plot instead of answering. So each conversation here is one person's:
questions of the book with the person's own answers give the voice, everyday questions of today with answers of ours
(data/answers.jsonl) give the sense, and some about who they are (data/who.jsonl) the name. An answer of ours has four manners,
learned, blunt, gentle and that of old novels; the person takes the one that suits their way of talking, in their own words for
我 and 你. Knows samples and cards, no model.
"""

from __future__ import annotations

import functools
import json
import math
import random
import statistics
import weakref
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
WHO_THEY_ARE = 0.08
"""Share of the questions that are about who somebody is. Without them a name is made up: a base knows many of a book."""
HEADINGS = 0.5
"""Share of the headings that are asked the way a bare one is put to a model."""
WHO = "来者何人？"
"""What everybody is shown answering first, with their name."""
SHOWN = 24
"""Lines of somebody of which some stand before a conversation."""
OTHERS, NAMES, FRIENDS = 24, 3, 3
"""The main people of a book, of whom somebody may be taken for another; names of somebody's, and people they talk to, that are learnt."""
LEAD = 0.05
"""Nats a character by which a manner must be somebody's rather than any other to be theirs always …"""
FAR = 0.3
"""… and by which it may suit them less than another: an officer of today does not talk like an old novel."""
LEAST_LINES = 4
"""Answers somebody must have in the book to be learnt."""
_YOU = ("你", "汝", "公", "尔", "您")
_SELF = "我"
_PRIOR = 0.5


@dataclass(frozen=True)
class Answered:
    """A question of ours and the answers to it, one in each manner.

    {我} and {你} stand for the person's words for them, {名} and {号} for what they are called, {熟人} for somebody they talk to,
    {旁人} for somebody else of the book.
    """

    asked: str
    said: tuple[str, ...]


@functools.cache
def answers() -> tuple[Answered, ...]:
    """To questions of today."""
    return _shipped("answers.jsonl")


@functools.cache
def introductions() -> tuple[Answered, ...]:
    """To questions about who somebody is."""
    return _shipped("who.jsonl")


def _shipped(name: str) -> tuple[Answered, ...]:
    text = (files("custome") / "data" / name).read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.split("\n") if line]
    return tuple(Answered(row["asked"], tuple(row["said"])) for row in rows)


def conversations(
    company: Company, count: int, *, seed: int, people: int, own: float = OWN
) -> list[Sample]:
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
        made.append(player.sample([player.turn(own) for _ in range(TURNS)]))
    return made


def questions_of(samples: Sequence[Sample], company: Company) -> list[Sample]:
    """What was held out, asked the same way: of scenes those that end with a question and somebody's answer to it."""
    found = []
    for sample in samples:
        before = sample.earlier[-1].chat.strip("“”") if sample.earlier else ""
        if (
            before[-1:] not in ("？", "?")
            or sample.earlier[-1].speaker == sample.speaker
            or not company.lines(sample.speaker)
        ):
            continue
        card = company.card(sample.speaker, with_facts=False)
        shown = [line.text for line in company.own_lines(card.name).typical(Setting.examples)]
        found.append(
            replace(
                sample,
                context=before,
                earlier=(),
                mention=card.cue,
                persona_prefix=system_text(card, GUEST, shown),
            )
        )
    return found


def shown(company: Company, name: str, count: int) -> list[Exchange]:
    """What somebody would answer to whoever asks their name and to `count` questions of all kinds, for a model that learns from
    what it has just read. The same for every conversation, so that it is read once."""
    called = company.calls_self(name) or _SELF
    manner = manner_of(company, name)
    some = answers()[:: max(1, len(answers()) // max(1, count))][:count]
    said = [
        (WHO, f"{called}便是{name}。"),
        *((one.asked, manner.answer(one, called)) for one in some),
    ]
    return [Exchange(context=asked, chat=text, speaker=name) for asked, text in said]


class _Player:
    """One person's questions and answers, each drawn once before any is drawn again."""

    def __init__(self, company: Company, name: str, dice: random.Random) -> None:
        self._company, self._card, self._dice = company, company.card(name, with_facts=False), dice
        book = [other for other in company.names if company.novel(other) == company.novel(name)][
            :OTHERS
        ]
        self._others = [other for other in book if other != name and len(other) > 1]
        self._friends = [other for other in company.talks_to(name) if other in self._others][
            :FRIENDS
        ]
        lines = [line for line in company.lines(name) if _is_answer(line)]
        self.able = len(lines) >= LEAST_LINES
        self._manner = manner_of(company, name)
        self._lines_shown = company.own_lines(name).typical(SHOWN)
        self._lines, self._answers = self._endless(lines), self._endless(answers())
        self._who = self._endless(introductions())

    def _endless(self, things: Sequence[_T]) -> Iterator[_T]:
        while things:
            yield from self._dice.sample(list(things), len(things))

    def turn(self, own: float) -> tuple[str, str]:
        """A question and its answer: the book's with a share of `own`."""
        drawn = self._dice.random()
        if drawn < own:
            line = next(self._lines)
            return line.asked, line.text
        return self._of_themselves() if drawn < own + WHO_THEY_ARE else self._of_today()

    def _of_themselves(self) -> tuple[str, str]:
        """Who they are and who they are not; questions whose slots nothing fills are passed over."""
        card = self._card
        called = [alias for alias in card.aliases[:NAMES] if len(alias) > 1]
        slots = {
            "名": card.name if len(card.name) > 1 else "",
            "号": _one(self._dice, called),
            "旁人": _one(self._dice, self._others),
            "熟人": _one(self._dice, self._friends),
        }
        for _ in introductions():
            asked = next(self._who)
            if all(
                name
                for slot, name in slots.items()
                if f"{{{slot}}}" in asked.asked + "".join(asked.said)
            ):
                said = self._manner.answer(asked, self._company.calls_self(card.name))
                return _put_in(asked.asked, slots), _put_in(said, slots)
        return self._of_today()

    def _of_today(self) -> tuple[str, str]:
        answered = next(self._answers)
        asked = answered.asked
        if _is_heading(asked) and self._dice.random() < HEADINGS:
            asked += VIEW
        return asked, self._manner.answer(answered, self._company.calls_self(self._card.name))

    def sample(self, turns: Sequence[tuple[str, str]]) -> Sample:
        said = {text for _, text in turns}
        shown = [line.text for line in self._lines_shown if line.text not in said]
        shown = self._dice.sample(shown, min(Setting.examples, len(shown)))
        exchanges = [
            Exchange(context=asked, chat=text, speaker=self._card.name) for asked, text in turns
        ]
        *earlier, last = exchanges
        return Sample(
            context=last.context,
            chat=last.chat,
            earlier=tuple(earlier),
            speaker=self._card.name,
            mention=self._card.cue,
            persona_prefix=system_text(self._card, GUEST, shown),
        )


def _one(dice: random.Random, names: Sequence[str]) -> str:
    return dice.choice(names) if names else ""


def _put_in(text: str, slots: Mapping[str, str]) -> str:
    for slot, name in slots.items():
        text = text.replace(f"{{{slot}}}", name)
    return text


def _is_heading(asked: str) -> bool:
    """Does it tell of something, and neither ask nor speak of the two who talk?"""
    return asked[-1:] == "。" and not set(asked) & set("我你")


def _is_answer(line: Line) -> bool:
    """Does a line of the book answer a question, by itself and in a few words? What asks back, or is asked at length about what
    went before, makes no sense outside of its scene."""
    question, answer = line.asked, line.text
    alone = (
        question[-1:] in ("？", "?")
        and question[:1] not in "，。、；"
        and len(question) <= LONGEST_QUESTION
    )
    return alone and SHORTEST <= len(answer) <= LONGEST and answer[-1:] not in ("？", "?")


class Manner:
    """How somebody talks, by their single characters: which of several wordings they would choose.

    Args:
        lines: of theirs.
        usual: the mean of `suits` over the main people they are played beside, for each manner. Whoever leans to one of the manners
            more than they do, by `LEAD`, has it always, unless another suits them better by `FAR`; else every answer is chosen by itself.
    """

    def __init__(self, lines: Sequence[str], usual: Sequence[float] = ()) -> None:
        self._own = Counter("".join(lines))
        self._size = self._own.total()
        self._you = max(_YOU, key=lambda word: self._own[word])
        suits = [self.suits(manner) for manner in _manners()] if usual else [0.0, 0.0]
        leanings = [own - mean for own, mean in zip(suits, usual or suits, strict=True)]
        first, second = sorted(leanings, reverse=True)[:2]
        theirs = leanings.index(first)
        self.always = theirs if first - second > LEAD and suits[theirs] > max(suits) - FAR else None

    def answer(self, answered: Answered, self_word: str) -> str:
        """The wording that is likelier in their mouth than in anybody's, in their own words for themselves and others."""
        if self.always is not None and len(answered.said) == len(_manners()):
            chosen = answered.said[self.always]
        else:
            chosen = max(answered.said, key=lambda text: self.suits(Counter(_without_slots(text))))
        return chosen.replace("{我}", self_word or _SELF).replace("{你}", self._you)

    def suits(self, characters: Counter[str]) -> float:
        """Nats a character for the person against everybody who answers."""
        everybody, size = _everybody()
        score = 0.0
        for character, count in characters.items():
            share = (everybody[character] + _PRIOR) / (size + _PRIOR * len(everybody))
            score += count * math.log(
                (self._own[character] + 100 * share) / (self._size + 100) / share
            )
        return score / max(1, characters.total())


def manner_of(company: Company, name: str) -> Manner:
    """Somebody's, beside the main people of all the books."""
    if company not in _USUAL:
        everybody = [
            Manner([line.text for line in company.lines(other)]) for other in company.names[:OTHERS]
        ]
        _USUAL[company] = [
            statistics.fmean(one.suits(manner) for one in everybody) for manner in _manners()
        ]
    return Manner([line.text for line in company.lines(name)], _USUAL[company])


_USUAL: weakref.WeakKeyDictionary[Company, list[float]] = weakref.WeakKeyDictionary()


@functools.cache
def _manners() -> tuple[Counter[str], ...]:
    """The characters of all answers in each manner."""
    return tuple(
        Counter(_without_slots("".join(said)))
        for said in zip(*(one.said for one in answers()), strict=True)
    )


@functools.cache
def _everybody() -> tuple[Counter[str], int]:
    counts = Counter(
        _without_slots("".join(text for answered in answers() for text in answered.said))
    )
    return counts, counts.total()


def _without_slots(text: str) -> str:
    return text.replace("{我}", "").replace("{你}", "")
