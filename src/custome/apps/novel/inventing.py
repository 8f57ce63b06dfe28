"""People for a novel: those of a book, with what else they are called there, and an invented name for every part that nobody has."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ...corpus.folder import CorpusFolder
from ...corpus.subjects import is_role
from ...files import read_text
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


def from_book(corpus: Path, names: Sequence[str]) -> list[Person]:
    """People by name, those of a corpus with the names that only they have there; titles are left out.

    Raises:
        InputError: it is no corpus.
    """
    CorpusFolder(corpus).info()
    known: dict[str, list[str]] = {}
    for path in sorted((corpus / "aliases").glob("*.json")):
        known |= json.loads(read_text(path, "别名表"))["people"]
    bearers = Counter(alias for aliases in known.values() for alias in {*aliases})
    return [
        Person(
            name=name,
            aliases=tuple(
                one
                for one in known.get(name, ())
                if len(one) > 1 and bearers[one] == 1 and one not in known and not is_role(one)
            ),
        )
        for name in names
    ]
