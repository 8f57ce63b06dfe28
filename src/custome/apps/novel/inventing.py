"""People for a novel whose author has named none: an invented name for every part, more of them the longer the book."""

from __future__ import annotations

import random
from collections.abc import Sequence

from .brief import PARTS, Brief, Gender, Person
from .passages import invented_name

CHAPTERS = {"帮手": 30, "对头": 6, "爪牙": 6, "两面人": 12, "长辈": 12}
"""Part → chapters after which the book wants one more; there is one hero."""


def cast(chapters: int, seed: int, named: Sequence[Person] = ()) -> tuple[Person, ...]:
    """At least one of every part.

    Args:
        named: whom the author has named.
    """
    dice, found = random.Random(f"{seed} cast"), list(named)
    taken = {name for one in named for name in (one.name, *one.aliases)}
    have = Brief(title="", premise="", people=tuple(named)).parts()
    for part in PARTS:
        wanted = 1 + chapters // CHAPTERS[part] if part in CHAPTERS else 1
        for _ in range(wanted - len(have[part])):
            name = invented_name(dice, taken)
            taken.add(name)
            gender: Gender = dice.choice(("男", "女"))
            found.append(Person(name=name, part=part, gender=gender))
    return tuple(found)
