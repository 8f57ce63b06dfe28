"""Passages of a book, told again by a model in plain words: the plain words are what a novelist is asked for, the passage is its answer.

A small model cannot write like a book, yet it can say plainly what a book's sentence says (docs/log.md). Knows engines, no folder.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Sequence

from ...engine.base import Engine
from ...types import GenerateOptions, Message, Request
from .passages import Keywords, Material, Plan
from .prose import letters

_ORDER = "把下面小说里的句子改成最普通的现代白话。意思不变，人名不变，不添不减，越短越好。"
_SHOTS = (
    ("周掌柜乃取银十两，求钱勇连夜渡一箱过江。", "周掌柜拿十两银子求钱勇连夜送一只箱子过江。"),
    ("钱勇曰：“箱中何物？”周掌柜笑而不答。", "钱勇说：“箱子里是什么？”周掌柜笑着不肯说。"),
    ("小豆子大惊，遂弃箱于水，急奔岸上。", "小豆子吓坏了，把箱子扔进水里，跑上了岸。"),
    (
        "却说钱勇自别周掌柜，行至三更，忽闻林中有人声，勒马视之，乃旧友也。",
        "钱勇离开周掌柜，走到半夜，听见树林里有人说话，停下马一看，是老朋友。",
    ),
)
"""(a sentence of a book, the same in plain words)."""
SHOWN = ("周掌柜", "钱勇", "小豆子")
"""Whom the examples name."""
SHORTER, LONGER = 0.6, 1.8
"""Letters of what is told again, for one of the passage."""
CLAUSES = 3
"""Clauses of something told again, from which one may be left out: the novelist is to find it itself."""
_CLAUSE = re.compile(r"(?:“[^”]*”|[^，；。！？])+[，；。！？]*")
_FOREIGN = re.compile(r"[A-Za-z\n]")


def retold(engine: Engine, some: Sequence[Material], people: Collection[str] = ()) -> list[str]:
    """Each in plain words; '' where the model lost somebody, somebody's words or the thread, or brought somebody in.

    Args:
        people: names of the book's own.
    """
    shots = [
        message
        for text, plain in _SHOTS
        for message in (
            Message(role="user", content=text),
            Message(role="assistant", content=plain),
        )
    ]
    head = (Message(role="system", content=_ORDER), *shots)
    requests = [Request(messages=(*head, Message(role="user", content=one.text))) for one in some]
    options = GenerateOptions(max_new_tokens=140, do_sample=False, as_written=True)
    replies = engine.generate(requests, options)
    return [
        plain if _keeps(one, plain := reply.text.strip(), (*SHOWN, *people)) else ""
        for one, reply in zip(some, replies, strict=True)
    ]


def _keeps(one: Material, plain: str, others: Sequence[str]) -> bool:
    """Does it name the same people, let them speak, and have about the length?"""
    size = len(letters(plain)) / len(letters(one.text))
    return (
        SHORTER <= size <= LONGER
        and plain != one.text
        and not _FOREIGN.search(plain)
        and plain[-1] in "。！？”"
        and ("“" in plain) == ("“" in one.text)
        and plain.count("“") == plain.count("”")
        and not any(name in plain and name not in one.text for name in others)
        and all((name[1:] in plain) == (name[1:] in one.text) for name in one.people)
    )


def plan_of_lesson(one: Material, plain: str, keywords: Keywords, dice: random.Random) -> Plan:
    """What is asked for a passage: what happens in it in plain words, now and then with a clause left out."""
    clauses = _CLAUSE.findall(plain)
    spare = [
        at
        for at, clause in enumerate(clauses[:-1])
        if "“" not in clause and not any(name[1:] in clause for name in one.people)
    ]
    if len(clauses) >= CLAUSES and spare and dice.random() < 0.5:
        del clauses[dice.choice(spare)]
    event = "".join(clauses)
    return Plan(
        before=one.before,
        people=one.people,
        event=event,
        keywords=keywords.of_both(event, one.text),
        length=len(letters(one.text)),
    )
