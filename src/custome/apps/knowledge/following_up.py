"""A question that leans on what was said before → one that stands alone: 那他后来呢？ → 诸葛亮后来呢？

By rules: whoever was named last takes the pronoun's place, and what says hardly anything by itself is put behind the last question
that stood alone. Pure functions of texts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ...retrieval.terms import asked

_PRONOUN = re.compile(r"这个人|那个人|此人|(?<![其吉])[他她](?![人乡山们俩])|(?<!其)它(?!们)")
_PLURAL = re.compile(r"[他她它]们俩?|[他她]俩")
_LEADS_ON = re.compile(
    r"^(?:那么|那|然后|后来|接着|还有|另外|结果|具体|再)?(?:呢|为什么呢?|为何呢?)?"
)
_END = "？?。！!呢 "
LITTLE = 2
"""Words of two characters that a question has at least, to stand alone when it begins with 那 or the like."""


def standing_alone(
    question: str, earlier: Sequence[tuple[str, str]], names: Collection[str]
) -> str:
    """The question as it is looked for.

    Args:
        earlier: (question, answer) of the conversation, in order, as they were asked.
        names: names that are somebody's.
    """
    alone = told = ""
    whole = ""
    for asked_then, answered in earlier:
        if asked_then.strip():
            whole, alone = _leaning(asked_then.strip(), whole, alone, told, names)
            told = answered
    return _leaning(question.strip(), whole, alone, told, names)[0]


def _leaning(
    question: str, whole: str, alone: str, told: str, names: Collection[str]
) -> tuple[str, str]:
    """(the question as it is looked for, the last question that stood alone)

    Args:
        whole: the one before as it was looked for.
        alone: the last one that stood alone.
        told: the answer to the one before.
    """
    if not whole:
        return question, question
    named = _named(question, names)
    if not named and _PRONOUN.search(question):
        who = _named(whole, names) or _named(told, names)
        if who:
            filled = _PRONOUN.sub(lambda _: who[-1], question, count=1)
            return filled, filled
    if not named and _PLURAL.search(question):
        who = _named(whole, names)
        if len(who) > 1:
            filled = _PLURAL.sub(lambda _: "和".join(who), question, count=1)
            return filled, filled
    leans = _PRONOUN.search(question) or _PLURAL.search(question) or _says_little(question)
    if named or not leans:
        return question, question
    return f"{alone.rstrip(_END)}，{question}", alone


def _named(text: str, names: Collection[str]) -> list[str]:
    """Names in a text in the order they stand there, without those inside a longer one."""
    found = sorted((text.find(name), -len(name), name) for name in names if name in text)
    kept: list[tuple[int, str]] = []
    for at, _, name in found:
        if not any(start <= at < start + len(other) for start, other in kept):
            kept.append((at, name))
    return [name for _, name in kept]


def _says_little(question: str) -> bool:
    """Is there hardly anything to look for: 那电池呢, 为什么?"""
    rest = _LEADS_ON.sub("", question.strip(_END), count=1)
    words = [term for term in asked(rest) if len(term) > 1] if rest else []
    return len(words) < LITTLE or (rest != question.strip(_END) and len(rest) < 5)
