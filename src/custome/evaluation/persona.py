"""How well a model plays its people: the same questions put to twelve of them, and what the answers are like.

Knows engines and texts. Numbers beside those of real quotations, which are the ceiling.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from itertools import zip_longest
from typing import Any

import numpy as np

from ..corpus.cast import Line
from ..corpus.voices import Voices
from ..engine.base import Engine
from ..reporter import Reporter
from ..types import Message, Reply, Request
from . import measures

REAL = "真实引文"
AT_ONCE = 48
"""Questions handed over together."""
SCORED = 240
"""Replies whose likelihood is computed."""
ASSISTANT = "人工智能助手在网上用现代白话回答用户："
"""What a reply of somebody who has fallen out of the role stands behind."""

Answerer = Callable[[Sequence[tuple[str, str]], bool], Sequence[Reply]]
"""((question, who is asked) …, greedy?) → replies."""


@dataclass(frozen=True, kw_only=True)
class Question:
    kind: str
    """situation · modern · small · book · provoke"""
    text: str
    paraphrase: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One reply with what it answers."""

    question: str
    kind: str
    name: str
    text: str
    stopped: bool = True
    """Ended by itself."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What replies are measured with, from a corpus: who talks how, and what people really say."""

    names: tuple[str, ...]
    voices: Voices
    real: tuple[tuple[str, str], ...]
    """(name, what they say) in chapters nothing was learnt from."""
    aliases: Mapping[str, Sequence[str]]
    book: str = ""
    """All there is to recite from, without marks."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What `measure` found of one model; nan where it does not apply."""

    name: str
    voice: float
    """Share of replies that the classifier gives to the person who was asked, the mean over the people."""
    near: float
    """Share of replies that another person gives (nearly) too."""
    repeated: float
    """Share of replies that the same person gives (nearly) to another question."""
    distinct2: float
    self_bleu: float
    length: float
    """Characters."""
    in_role: float = math.nan
    in_role_modern: float = math.nan
    mentions: float = math.nan
    """Share of replies with a word of the question's content."""
    information: float = math.nan
    """Pointwise mutual information of question and reply under the base model, nats a character of the reply."""
    style: float = math.nan
    """How much likelier the base finds a reply as the person's speech than as an assistant's, nats a character."""
    stable: float = math.nan
    """Share of greedy replies that spacing, width and script leave as they are."""
    paraphrase: float = math.nan
    """Likeness of the greedy replies to a question and its paraphrase."""
    stops: float = math.nan
    same: float = math.nan
    """Share of replies that another is letter for letter."""
    recited: float = math.nan
    """Characters of the longest piece of a reply that stands in the book, the median of the replies."""
    facts: float = math.nan
    """Share of questions about the book that are answered right."""
    forgetting: float = math.nan
    """Change of the perplexity of everyday Chinese against the base."""
    by_person: Mapping[str, float] = field(default_factory=dict)
    trios: Mapping[str, float] = field(default_factory=dict)
    """The classifier's hits when it must only tell three people apart."""
    judged: Mapping[str, float] = field(default_factory=dict)
    """What another model gives for each rubric, 1–5."""


@cache
def shipped(name: str) -> Any:
    """A JSON file of data/evaluation."""
    return json.loads((files("custome") / "data" / "evaluation" / name).read_text(encoding="utf-8"))


@cache
def questions() -> tuple[Question, ...]:
    text = (files("custome") / "data" / "evaluation" / "questions.jsonl").read_text(
        encoding="utf-8"
    )
    return tuple(Question(**json.loads(line)) for line in text.splitlines())


def some_questions(most: int) -> list[Question]:
    """At most so many of each kind, the kinds in turn; all of them for 0."""
    by_kind: dict[str, list[Question]] = {}
    for question in questions():
        by_kind.setdefault(question.kind, []).append(question)
    rounds = zip_longest(*(some[:most] if most else some for some in by_kind.values()))
    return [question for round_ in rounds for question in round_ if question is not None]


@cache
def seed_prompts() -> tuple[dict[str, str], ...]:
    """The prompts of the original project's README with what its model answered."""
    text = (files("custome") / "data" / "evaluation" / "seed.jsonl").read_text(encoding="utf-8")
    return tuple(json.loads(line) for line in text.splitlines())


def odd_half(lines: Sequence[Line]) -> list[tuple[str, str]]:
    """What the judge learns from: the odd chapters. A chat page that chooses among candidates learns from the even ones."""
    return [(line.speaker, line.text) for line in lines if line.chapter % 2]


def ask(
    answerer: Answerer, names: Sequence[str], asked: Sequence[Question], reporter: Reporter
) -> list[Answer]:
    """Every question to everybody, one person after the other: what a model reads of a person is read once."""
    jobs = [(question, name) for name in names for question in asked]
    found: list[Answer] = []
    for start in range(0, len(jobs), AT_ONCE):
        part = jobs[start : start + AT_ONCE]
        replies = answerer([(question.text, name) for question, name in part], False)
        found += [
            Answer(
                question=question.text,
                kind=question.kind,
                name=name,
                text=reply.text,
                stopped=reply.finish_reason == "stop",
            )
            for (question, name), reply in zip(part, replies, strict=True)
        ]
        reporter.progress("提问", start + len(part), len(jobs))
    return found


def measure(name: str, answers: Sequence[Answer], reference: Reference) -> Scores:
    """What the answers' texts alone tell."""
    said = [(a.name, a.text) for a in answers]
    texts, names = [a.text for a in answers], [a.name for a in answers]
    hits = measures.recognised(reference.voices, said)
    rules = shipped("cast.json")["out_of_role"]
    role = [
        not measures.out_of_role(_less(a.text, a.question), a.name, rules, reference.aliases)
        for a in answers
    ]
    modern = [ok for ok, a in zip(role, answers, strict=True) if a.kind in ("modern", "provoke")]
    other = measures.nearly_same(texts, names)
    anyone = measures.nearly_same(texts)
    content = [bool(measures.pairs_of(a.text) & _content(a.question)) for a in answers]
    return Scores(
        name=name,
        voice=_mean(list(hits.values())),
        by_person=hits,
        near=_mean(other),
        repeated=_mean([one and not two for one, two in zip(anyone, other, strict=True)]),
        same=measures.same(texts),
        recited=_recited(texts, reference),
        distinct2=measures.distinct(texts),
        self_bleu=measures.self_bleu(texts),
        length=measures.mean_length(texts),
        in_role=_mean(role),
        in_role_modern=_mean(modern),
        mentions=_mean(content),
        stops=_mean([a.stopped for a in answers]),
        trios=_trios(reference, said),
    )


def on_as_many(scores: Sequence[Scores], texts: Sequence[Sequence[str]]) -> list[Scores]:
    """The same scores with distinct-2 on as many pairs of characters for all, since it falls with their number."""
    among = min(
        [
            measures.DISTINCT_AMONG,
            *(sum(max(0, len(measures.letters(t)) - 1) for t in some) for some in texts),
        ]
    )
    return [
        replace(one, distinct2=measures.distinct(some, among=among))
        for one, some in zip(scores, texts, strict=True)
    ]


def measure_real(reference: Reference) -> Scores:
    """The ceiling: what the people really say in chapters nobody learnt from."""
    texts, names = [text for _, text in reference.real], [name for name, _ in reference.real]
    hits = measures.recognised(reference.voices, reference.real)
    other = measures.nearly_same(texts, names)
    anyone = measures.nearly_same(texts)
    rules = shipped("cast.json")["out_of_role"]
    return Scores(
        name=REAL,
        voice=_mean(list(hits.values())),
        by_person=hits,
        near=_mean(other),
        repeated=_mean([one and not two for one, two in zip(anyone, other, strict=True)]),
        same=measures.same(texts),
        distinct2=measures.distinct(texts),
        self_bleu=measures.self_bleu(texts),
        length=_mean_of_people(reference.real),
        in_role=_mean(
            [
                not measures.out_of_role(text, name, rules, reference.aliases)
                for name, text in reference.real
            ]
        ),
        trios=_trios(reference, reference.real),
    )


def under_the_base(
    base: Engine, answers: Sequence[Answer], reporter: Reporter
) -> tuple[float, float]:
    """(information, style) of a selection of the answers, in nats for each character of them: how much likelier the base
    model finds a reply behind its question and cue than behind the cue alone, and behind the cue than as an assistant's.
    Information is nan for what answers no question.

    Information: Li et al. 2016, arXiv 1510.03055, as a measure instead of an objective.
    """
    chosen = [a for a in spread(answers, SCORED) if a.text.strip()]
    informed = manner = characters = 0.0
    for start in range(0, len(chosen), AT_ONCE):
        part = chosen[start : start + AT_ONCE]
        alone = _likelihood(base, [_plain("", a.name) for a in part], part)
        asked = (
            _likelihood(base, [_plain(a.question, a.name) for a in part], part)
            if part[0].question
            else math.nan
        )
        informed += asked - alone
        manner += alone - _likelihood(base, [_plain(ASSISTANT, "")] * len(part), part)
        characters += sum(len(a.text) for a in part)
        reporter.progress("互信息、文体", start + len(part), len(chosen))
    return (informed / characters, manner / characters) if characters else (math.nan, math.nan)


def _likelihood(base: Engine, behind: Sequence[Request], answers: Sequence[Answer]) -> float:
    return sum(score.logprob for score in base.score(behind, [a.text for a in answers]))


def spread(answers: Sequence[Answer], most: int) -> list[Answer]:
    """At most so many answers of a fixed shuffle: of all people and questions alike."""
    order = np.random.default_rng(0).permutation(len(answers))[:most]
    return [answers[place] for place in order]


@cache
def facts() -> tuple[dict[str, Any], ...]:
    """Questions about the books put to their people, each with words of which a right answer has one."""
    text = (files("custome") / "data" / "evaluation" / "facts.jsonl").read_text(encoding="utf-8")
    return tuple(json.loads(line) for line in text.splitlines())


def knows(
    answerer: Answerer, reference: Reference, reporter: Reporter
) -> tuple[float, list[Answer]]:
    """(share of the questions about the book that are answered right, what was said); nan where nobody of it is there."""
    asked = [row for row in facts() if row["name"] in reference.aliases]
    replies = answerer([(row["text"], row["name"]) for row in asked], False) if asked else []
    right = [
        any(word in reply.text for word in row["right"])
        for row, reply in zip(asked, replies, strict=True)
    ]
    reporter.progress("问书里的事", len(asked), max(1, len(asked)))
    said = [
        Answer(question=row["text"], kind=f"fact:{int(hit)}", name=row["name"], text=reply.text)
        for row, reply, hit in zip(asked, replies, right, strict=True)
    ]
    return _mean(right), said


def _plain(question: str, name: str) -> Request:
    return Request(messages=(Message(role="user", content=question),), speaker=name)


def _less(text: str, question: str) -> str:
    """A reply without the words the question put into its mouth."""
    for size in range(len(question), 1, -1):
        for start in range(len(question) - size + 1):
            if (piece := question[start : start + size]) in text:
                text = text.replace(piece, "\n")
    return text


@cache
def _content(question: str) -> frozenset[str]:
    """Pairs of characters inside the question's nouns and verbs."""
    import rjieba

    words = [
        word
        for word, tag in rjieba.tag(question)
        if len(word) > 1 and tag[0] in "nvait" and word not in _EMPTY
    ]
    return frozenset(word[i : i + 2] for word in words for i in range(len(word) - 1))


_EMPTY = {"怎么", "什么", "没有", "可以", "觉得", "还是", "一个", "这个", "那个", "时候"}


def _recited(texts: Sequence[str], reference: Reference) -> float:
    runs = (
        sorted(measures.longest_run(text, reference.book) for text in texts)
        if reference.book
        else []
    )
    return float(runs[len(runs) // 2]) if runs else math.nan


def _trios(reference: Reference, said: Sequence[tuple[str, str]]) -> dict[str, float]:
    found = {}
    for trio in shipped("cast.json")["trios"]:
        if not set(trio) <= set(reference.names):
            continue
        places = [reference.names.index(name) for name in trio]
        hits = [
            trio[int(reference.voices.log_shares(text)[places].argmax())] == name
            for name, text in said
            if name in trio
        ]
        found["、".join(trio)] = _mean(hits)
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _mean_of_people(said: Sequence[tuple[str, str]]) -> float:
    """Mean length where everybody counts alike."""
    by: dict[str, list[int]] = {}
    for name, text in said:
        by.setdefault(name, []).append(len(text))
    return _mean([sum(sizes) / len(sizes) for sizes in by.values()])
