"""A question → an answer that stands on sentences of the documents, or these sentences themselves.

A model reads the best passages sentence by sentence, numbered, and says which of them answer and what; code finds the sentences that
prove what it said, and where there are none shows the nearest ones in its place. Knows passages and an engine, no page.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ...engine.base import Cancel, Engine
from ...retrieval.search import Hit
from ...retrieval.store import Passage
from ...retrieval.terms import asked, terms
from ...types import GenerateOptions, Message, Piece, Request, TokenChoice
from .checking import REFUSES, says_nothing, strays, unmentioned, unproven, unrelated

READ = 3
"""Of the passages that were found, those a model reads: each takes a 1.5B on two cores some seven seconds."""
CITED = 3
"""Sentences an answer may stand on."""
NEAREST = 2
"""Sentences shown where no answer can be proven."""
NOTHING = "资料里没有找到和这个问题有关的内容。"
NEAREST_ARE = "资料里没有直接写到。最接近的是："
FOUND = "原文里最接近的是："
"""Where no model was asked."""
LONGEST = 160
"""Tokens of an answer."""
_SENTENCE = re.compile(r"[^。！？!?；;\n]+[。！？!?；;]*[”’」』]*")
_NUMBER = re.compile(r"\[(\d{1,3})\]\s*")
REFUSAL = "没有写到。"
DOUBT = -1.0
"""Nats by which refusing may be less likely than naming a sentence, until an answer is not believed (docs/log.md)."""
ALTERNATIVES = 10
"""Words a model might have said in place of its first one that are looked at."""
_ORDER = (
    "根据下面编了号的句子回答最后的问题。先写能回答问题的句子的编号，再用一句现代汉语回答，只说句子里有的。"
    "句子里没有写到答案，就只写“没有写到。”"
)
_SHOWN = """出自　渡口记　第一回　掌柜夜渡　船缆中断
[1] 却说钱勇在渡口撑船三十年，人都唤他做钱老大。
[2] 那日大雨，钱勇的船缆断了，客人都上岸去投店。
[3] 掌柜取出五两银子，要他连夜渡河，钱勇只是不肯。

问题：客人为什么都上岸住店去了？"""
_SHOTS = (
    Message(role="user", content=_SHOWN),
    Message(role="assistant", content="[2] 那天下大雨，钱勇的船缆断了，走不了。"),
    Message(role="user", content="问题：钱勇的船是用什么木头做的？"),
    Message(role="assistant", content="没有写到。"),
    Message(role="user", content="问题：掌柜给钱勇多少钱，要他做什么？"),
    Message(role="assistant", content="[3] 给他五两银子，要他连夜渡河。"),
)
"""Shown to the model before every question, so that it keeps to the form without a grammar: one of JSON makes a small model write
tokens it would not choose, and answers nonsense (docs/log.md). They are read once and kept."""


@dataclass(frozen=True, kw_only=True)
class Citation:
    """Words of a document that prove an answer."""

    passage: Passage
    start: int
    end: int
    """Offsets in the document's text."""
    quote: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is said to a question."""

    text: str
    kind: Literal["checked", "nearest", "nothing"]
    """Proven, or the nearest sentences instead, or nothing to be found at all."""
    citations: tuple[Citation, ...]
    hits: tuple[Hit, ...]
    question: str
    """What was looked for: a follow-up is asked with what it is about."""
    problems: tuple[str, ...] = ()
    """Why what the model said was not shown."""
    prompt_tokens: int = 0
    completion_tokens: int = 0


def answer(
    hits: Sequence[Hit],
    engine: Engine | None,
    question: str,
    *,
    names: Mapping[str, Sequence[str]] | None = None,
    cancel: Cancel | None = None,
) -> Answer:
    """Answer from what was found.

    Args:
        hits: passages, best first.
        engine: who words the answer; without one the nearest sentences are shown.
        names: name → what else its bearer is called.
    """
    names = names or {}
    if not hits:
        return Answer(text=NOTHING, kind="nothing", citations=(), hits=(), question=question)
    if engine is None:
        return _nearest(question, hits, (), refused=False)
    sentences = _sentences(hits[:READ])
    first = _First()
    request, options = _request(question, sentences), _options(engine)
    reply = engine.run(request, options, first.see, cancel)
    stopped = cancel is not None and cancel.is_set()
    text, named = _parsed(reply.text)
    if first.doubt() > DOUBT:
        text = REFUSAL
    chosen = [sentences[number - 1] for number in named if 0 < number <= len(sentences)]
    proof, wrong = _proof(text, chosen, sentences, question, names)
    # What was found by its meaning may have no letter of the question.
    by_words = not any(hit.meant for hit in hits)
    if not wrong and by_words and unrelated(question, [one.quote for one in proof], names):
        wrong = "引文和问题没有一个相同的字"
    if stopped or wrong:
        given = _nearest(question, hits, (wrong,) if not stopped else (), refused=not stopped)
    else:
        given = Answer(
            text=text, kind="checked", citations=tuple(proof), hits=tuple(hits), question=question
        )
    return replace(
        given, prompt_tokens=reply.prompt_tokens, completion_tokens=reply.completion_tokens
    )


class _First:
    """The first word a model says: the number of a sentence, or that nothing is written."""

    def __init__(self) -> None:
        self._choice: TokenChoice | None = None

    def see(self, piece: Piece) -> None:
        if self._choice is None and piece.tokens:
            self._choice = piece.tokens[0]

    def doubt(self) -> float:
        """How much likelier it was to refuse than to name a sentence, in nats; less than any number where that is not known."""
        if self._choice is None:
            return -math.inf
        every = (self._choice, *self._choice.alternatives)
        refusing = [one.logprob for one in every if one.token.strip().startswith(REFUSAL[0])]
        naming = [one.logprob for one in every if one.token.strip().startswith("[")]
        return (
            max(refusing, default=-math.inf) - max(naming, default=0.0) if refusing else -math.inf
        )


def _options(engine: Engine) -> GenerateOptions:
    """The likeliest words, copied without a penalty for repeating, of the base and not of what was learnt over it."""
    options = GenerateOptions(
        do_sample=False, repetition_penalty=1.0, max_new_tokens=LONGEST, afresh=False
    )
    if "logprobs" in engine.supports:
        options = replace(options, logprobs=ALTERNATIVES)
    return replace(options, strength=0.0) if "strength" in engine.supports else options


def _sentences(hits: Sequence[Hit]) -> list[Citation]:
    """The sentences of passages, in order, each with its place."""
    found: list[Citation] = []
    for hit in hits:
        for match in _SENTENCE.finditer(hit.passage.text):
            blank = len(match.group()) - len(match.group().lstrip())
            quote = match.group().strip()
            if quote and quote not in hit.passage.heading:
                start = hit.passage.start + match.start() + blank
                found.append(
                    Citation(passage=hit.passage, start=start, end=start + len(quote), quote=quote)
                )
    return found


def _request(question: str, sentences: Sequence[Citation]) -> Request:
    lines: list[str] = []
    passage: Passage | None = None
    for number, one in enumerate(sentences, 1):
        if one.passage is not passage:
            passage = one.passage
            lines.append("　".join(["出自", passage.name, *passage.heading]))
        lines.append(f"[{number}] {one.quote}")
    lines.append(f"\n问题：{question}")
    return Request(
        messages=(
            Message(role="system", content=_ORDER),
            *_SHOTS,
            Message(role="user", content="\n".join(lines)),
        )
    )


def _parsed(text: str) -> tuple[str, list[int]]:
    """(answer, numbers of sentences) of what the model said; a sentence that was broken off is left out."""
    named = [int(number) for number in _NUMBER.findall(text)]
    said = "".join(line.strip() for line in _NUMBER.sub("", text).splitlines())
    whole = [match.group() for match in _SENTENCE.finditer(said)]
    if len(whole) > 1 and whole[-1][-1] not in "。！？!?；;”’」』":
        whole.pop()
    return "".join(whole).strip(), named


def _proof(
    text: str,
    chosen: Sequence[Citation],
    sentences: Sequence[Citation],
    question: str,
    names: Mapping[str, Sequence[str]],
) -> tuple[list[Citation], str]:
    """(the sentences an answer stands on, '' or why there are none): those the model named if they prove it, else with what else was
    read and has most of its words, a sentence at a time."""
    if not text or REFUSES.search(text) or says_nothing(text, question):
        return [], "没有回答"
    said = {term for term in terms(text) if len(term) > 1} - set(terms(question))

    def shared(one: Citation) -> int:
        return sum(len(term) for term in said & set(terms(one.quote)))

    named = list(dict.fromkeys(chosen))[:CITED]
    proof = [one for one in named if shared(one)] or named
    others = sorted((one for one in sentences if one not in proof), key=lambda one: -shared(one))
    wrong = _wrong(text, proof, question, names)
    for one in others[:CITED]:
        if not wrong or not shared(one) or len(proof) >= CITED:
            break
        proof.append(one)
        wrong = _wrong(text, proof, question, names)
    return proof, wrong


def _wrong(
    text: str, proof: Sequence[Citation], question: str, names: Mapping[str, Sequence[str]]
) -> str:
    """Why an answer cannot be shown with these sentences; '' where it can."""
    if not proof:
        return "没有一句资料能证明"
    quotes = [one.quote for one in proof]
    passages = ["\n".join([*one.passage.heading, one.passage.text]) for one in proof]
    if nobody := unmentioned(question, passages, names):
        return f"引文那一段没有说到“{nobody}”"
    missing = unproven(text, quotes, question, names)
    return f"引文里没有“{'”“'.join(missing)}”" if missing else strays(text, quotes, question)


def _nearest(
    question: str, hits: Sequence[Hit], problems: Sequence[str], *, refused: bool
) -> Answer:
    """The sentences that have most of the question's words, from different places."""
    wanted = set(asked(question))
    rated: list[tuple[float, int, Citation]] = []
    for order, one in enumerate(_sentences(hits)):
        words = set(terms(one.quote))
        score = sum(len(term) for term in wanted & words) / (8 + len(one.quote)) ** 0.5
        if score:
            rated.append((-score, order, one))
    best = [citation for _, _, citation in sorted(rated, key=lambda one: one[:2])[:NEAREST]]
    if not best:
        return Answer(
            text=NOTHING, kind="nothing", citations=(), hits=tuple(hits), question=question
        )
    quoted = "".join(f"“{one.quote}”" for one in best)
    return Answer(
        text=f"{NEAREST_ARE if refused else FOUND}{quoted}",
        kind="nearest",
        citations=tuple(best),
        hits=tuple(hits),
        question=question,
        problems=tuple(problems),
    )
