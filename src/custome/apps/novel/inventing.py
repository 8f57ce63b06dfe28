"""People for a novel whose author has named none: an invented name for every part, more of them the longer the book."""

from __future__ import annotations

import random

from .brief import PARTS, Person
from .passages import invented_name

CHAPTERS = {"帮手": 60, "对头": 24, "爪牙": 24, "两面人": 48, "长辈": 96}
"""Part → chapters after which the book wants one more; there is one hero."""


def cast(chapters: int, seed: int) -> tuple[Person, ...]:
    """At least one of every part."""
    dice, taken, found = random.Random(f"{seed} cast"), set[str](), []
    for part in PARTS:
        for _ in range(1 + chapters // CHAPTERS[part] if part in CHAPTERS else 1):
            name = invented_name(dice, taken)
            taken.add(name)
            gender = dice.choice(("男", "女"))
            found.append(Person(name=name, part=part, gender=gender))  # type: ignore[arg-type]
    return tuple(found)
