"""Sentences to begin a conversation with: about the people of somebody's book, and about today."""

from __future__ import annotations

import random
from collections.abc import Sequence

from .casting import Company
from .lessons import answers

OF_TODAY = 2
SHORTEST, LONGEST = 6, 18
"""Characters of a sentence of today that is short enough to be tapped."""


def starters(company: Company, people: Sequence[str]) -> list[str]:
    """Three sentences for the first of these people, always the same ones.

    Args:
        people: who is there, at least one.
    """
    first = people[0]
    dice = random.Random(first)
    today = [
        one.asked
        for one in answers()
        if SHORTEST <= len(one.asked) <= LONGEST and one.asked[-1] in "？?"
    ]
    about = _of_the_book(company, first)
    return [*about, *dice.sample(today, OF_TODAY + 1 - len(about))]


def _of_the_book(company: Company, name: str) -> list[str]:
    """Whom they talk to most is worth a question."""
    if not company.knows(name):
        return []
    others = company.talks_to(company.find(name))
    return [f"你觉得{others[0]}这个人怎么样？"] if others else []
