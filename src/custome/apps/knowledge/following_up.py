"""A question that leans on what was said before → one that stands alone: 那他后来呢？ → 诸葛亮后来呢？

By rules: whoever was named last takes the pronoun's place, and what has no name of its own is put behind the question before it.
A small model that was asked to do it changed what was asked. Pure functions of texts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ...retrieval.terms import asked

_PRONOUN = re.compile(r"他们俩|她们俩|他们|她们|它们|这个人|那个人|此人|他|她|它")
_LEANS = re.compile(
    r"^(?:那么|那|然后|后来|接着|还有|另外|除此之外|结果|为什么呢|为何呢|具体|再)|(?:这|那)(?:个|件|些|样|次|里|时)|呢[？?]?$"
)
_END = "？?。！! "
SHORT = 8
"""Characters of a question that can hardly stand alone."""


def standing_alone(
    question: str, earlier: Sequence[tuple[str, str]], names: Collection[str]
) -> str:
    """The question as it is looked for.

    Args:
        earlier: (question as it was looked for, answer) of the conversation, in order.
        names: names that are somebody's.
    """
    question = question.strip()
    if not earlier:
        return question
    before, told = earlier[-1]
    named = _named(question, names)
    pronoun = _PRONOUN.search(question)
    if pronoun and not named:
        who = _named(before, names) or _named(told, names)
        if who:
            return _PRONOUN.sub(lambda _: who[-1], question, count=1)
    if named or not (pronoun or _LEANS.search(question) or _says_little(question)):
        return question
    return f"{before.rstrip(_END)}，{question}"


def _named(text: str, names: Collection[str]) -> list[str]:
    """Names in a text in the order they stand there, without those inside a longer one."""
    found = sorted((text.find(name), -len(name), name) for name in names if name in text)
    kept: list[tuple[int, str]] = []
    for at, _, name in found:
        if not any(start <= at < start + len(other) for start, other in kept):
            kept.append((at, name))
    return [name for _, name in kept]


def _says_little(question: str) -> bool:
    return len(question) < SHORT and len([term for term in asked(question) if len(term) > 1]) < 2
