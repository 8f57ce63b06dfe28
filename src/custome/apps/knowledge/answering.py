"""A question → an answer every sentence of which is proven by words of the documents, or the words themselves.

Passages are found, a model is asked for quotations and an answer as JSON, code checks both; what fails twice is left out and the
best sentences of the documents stand in its place. Knows a store and an engine, no page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ...engine.base import Cancel, Engine
from ...retrieval.search import Hit
from ...retrieval.store import Passage
from ...retrieval.terms import asked, terms
from ...types import GenerateOptions, Message, Request
from .checking import REFUSES, stands_in, strays, unproven

PASSAGES = 5
"""Passages a model is shown."""
TRIES = 2
NEAREST = 2
"""Sentences shown where no answer can be proven."""
NOTHING = "资料里没有找到和这个问题有关的内容。"
NEAREST_ARE = "资料里没有直接写到。最接近的是："
FOUND = "原文里最接近的是："
"""Where no model was asked."""
LONGEST = 320
"""Tokens of quotations and answer."""
_SENTENCE = re.compile(r"[^。！？!?；;\n]+[。！？!?；;]*[”’」』]*")
_SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {
            "evidence": {
                "type": "array",
                "maxItems": 3,
                "items": {
                    "type": "object",
                    "properties": {
                        "passage": {"type": "integer", "minimum": 1, "maximum": PASSAGES},
                        "quote": {"type": "string", "maxLength": 120},
                    },
                    "required": ["passage", "quote"],
                },
            },
            "answer": {"type": "string", "maxLength": 200},
        },
        "required": ["evidence", "answer"],
        "x-guidance": {"whitespace_flexible": False},
    }
)
_ORDER = (
    "根据下面编号的资料回答问题。先从资料里一字不差地抄出能回答问题的原文（quote）和它的编号（passage），再用一两句话回答（answer）。"
    "资料里没有写到，evidence 就留空，answer 写“没有写到”。只输出 JSON。"
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
    problems: list[str] = []
    spent = [0, 0]
    stopped = False
    for _ in range(TRIES if engine is not None else 0):
        assert engine is not None
        request = _request(question, hits, problems)
        reply = engine.run(request, _options(engine), cancel=cancel)
        spent = [spent[0] + reply.prompt_tokens, spent[1] + reply.completion_tokens]
        stopped = cancel is not None and cancel.is_set()
        if stopped:
            break
        said = _parsed(reply.text)
        citations = _proven(said, hits)
        wrong = _wrong(said, citations, question, names)
        if not wrong:
            return Answer(
                text=said["answer"].strip(),
                kind="checked",
                citations=tuple(citations),
                hits=tuple(hits),
                question=question,
                problems=tuple(problems),
                prompt_tokens=spent[0],
                completion_tokens=spent[1],
            )
        problems.append(wrong)
    found = _nearest(question, hits, problems, refused=engine is not None and not stopped)
    return replace(found, prompt_tokens=spent[0], completion_tokens=spent[1])


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


def _request(question: str, hits: Sequence[Hit], problems: Sequence[str]) -> Request:
    shown = "\n".join(
        f"[{number}] {'　'.join(hit.passage.heading)}\n{hit.passage.text}"
        for number, hit in enumerate(hits, 1)
    )
    again = f"\n上一次的回答不能用：{problems[-1]}。重新回答。" if problems else ""
    return Request(
        messages=(
            Message(role="system", content=_ORDER),
            Message(role="user", content=f"{shown}\n\n问题：{question}{again}"),
        )
    )


def _parsed(text: str) -> dict[str, Any]:
    """What the model said; an empty answer where it is no JSON of ours."""
    try:
        said = json.loads(text[text.find("{") : text.rfind("}") + 1])  # some put words around it
        if isinstance(said, dict) and isinstance(said.get("evidence"), list):
            return said
    except json.JSONDecodeError:
        pass
    return {"evidence": [], "answer": ""}


def _proven(said: Mapping[str, Any], hits: Sequence[Hit]) -> list[Citation]:
    """The quotations that stand in the passage they are said to be from, or in another that was shown."""
    found: list[Citation] = []
    for one in said["evidence"]:
        if not isinstance(one, dict) or not isinstance(one.get("quote"), str):
            continue
        number = one.get("passage")
        order = sorted(range(len(hits)), key=lambda place: place + 1 != number)
        for place in order:
            passage = hits[place].passage
            if span := stands_in(one["quote"], passage.text):
                start, end = (passage.start + offset for offset in span)
                found.append(
                    Citation(
                        passage=passage, start=start, end=end, quote=passage.text[span[0] : span[1]]
                    )
                )
                break
    return found


def _wrong(
    said: Mapping[str, Any],
    citations: Sequence[Citation],
    question: str,
    names: Mapping[str, Sequence[str]],
) -> str:
    """Why an answer cannot be shown; '' where it can."""
    text = said.get("answer")
    if not citations:
        return "没有一句引文在资料里"
    if not isinstance(text, str) or not text.strip() or REFUSES.search(text):
        return "没有回答"
    quotes = [one.quote for one in citations]
    missing = unproven(text, quotes, question, names)
    return f"引文里没有“{'”“'.join(missing)}”" if missing else strays(text, quotes, question)


def _nearest(
    question: str, hits: Sequence[Hit], problems: Sequence[str], *, refused: bool
) -> Answer:
    """The sentences that have most of the question's words, from different places."""
    wanted = set(asked(question))
    rated: list[tuple[float, int, Citation]] = []
    for order, hit in enumerate(hits):
        for match in _SENTENCE.finditer(hit.passage.text):
            if match.group().strip() in hit.passage.heading:
                continue
            words = set(terms(match.group()))
            score = sum(len(term) for term in wanted & words) / (8 + len(match.group())) ** 0.5
            if score:
                blank = len(match.group()) - len(match.group().lstrip())
                quote = match.group().strip()
                start = hit.passage.start + match.start() + blank
                citation = Citation(
                    passage=hit.passage, start=start, end=start + len(quote), quote=quote
                )
                rated.append((-score, order, citation))
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
