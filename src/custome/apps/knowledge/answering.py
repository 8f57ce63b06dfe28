"""A question → an answer that stands on sentences of the documents, or these sentences themselves.

A model reads the best passages sentence by sentence, numbered, and says which of them answer and what; code finds the sentences that
prove what it said, and where there are none shows the nearest ones in its place. Knows passages and an engine, no page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ...engine.base import Cancel, Engine
from ...retrieval.search import Hit
from ...retrieval.store import Passage
from ...retrieval.terms import asked, terms
from ...types import GenerateOptions, Message, Request
from .checking import REFUSES, strays, unproven

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
_SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {
            "sentences": {
                "type": "array",
                "maxItems": CITED,
                "items": {"type": "integer", "minimum": 1, "maximum": 99},
            },
            "answer": {"type": "string", "maxLength": 120},
        },
        "required": ["sentences", "answer"],
        "x-guidance": {"whitespace_flexible": False},
    }
)
_ORDER = (
    "根据下面编了号的句子回答问题。先写出能回答问题的句子的编号（sentences），再用一句话回答（answer），只说句子里有的。"
    "句子里没有答案，编号留空，回答写“没有写到”。只输出 JSON。"
)


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
    reply = engine.run(_request(question, sentences), _options(engine), cancel=cancel)
    stopped = cancel is not None and cancel.is_set()
    text, named = _parsed(reply.text)
    chosen = [sentences[number - 1] for number in named if 0 < number <= len(sentences)]
    proof, wrong = _proof(text, chosen, sentences, question, names)
    if stopped or wrong:
        given = _nearest(question, hits, (wrong,) if not stopped else (), refused=not stopped)
    else:
        given = Answer(
            text=text, kind="checked", citations=tuple(proof), hits=tuple(hits), question=question
        )
    return replace(
        given, prompt_tokens=reply.prompt_tokens, completion_tokens=reply.completion_tokens
    )


def _options(engine: Engine) -> GenerateOptions:
    """The likeliest words, copied without a penalty for repeating, of the base and not of what was learnt over it."""
    options = GenerateOptions(
        do_sample=False, repetition_penalty=1.0, max_new_tokens=LONGEST, afresh=False
    )
    if "json_schema" in engine.supports:
        options = replace(options, json_schema=_SCHEMA)
    if "strength" in engine.supports:
        options = replace(options, strength=0.0)
    return options


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
            Message(role="user", content="\n".join(lines)),
        )
    )


def _parsed(text: str) -> tuple[str, list[int]]:
    """(answer, numbers of sentences) of what the model said; '' where it is no JSON of ours."""
    try:
        said = json.loads(text[text.find("{") : text.rfind("}") + 1])  # some put words around it
    except json.JSONDecodeError:
        return "", []
    if not isinstance(said, dict) or not isinstance(said.get("answer"), str):
        return "", []
    numbers = said.get("sentences")
    named = [one for one in numbers if isinstance(one, int)] if isinstance(numbers, list) else []
    return said["answer"].strip(), named


def _proof(
    text: str,
    chosen: Sequence[Citation],
    sentences: Sequence[Citation],
    question: str,
    names: Mapping[str, Sequence[str]],
) -> tuple[list[Citation], str]:
    """(the sentences an answer stands on, '' or why there are none): those the model named if they prove it, else with what else was
    read and has most of its words, a sentence at a time."""
    if not text or REFUSES.search(text):
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
