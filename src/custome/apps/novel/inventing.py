"""People for a novel: those of a book, with what else they are called there, and an invented name for every part that nobody has."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ...corpus.aliases import read_table
from ...corpus.folder import CorpusFolder
from ...corpus.subjects import is_role
from .brief import COMMON, PARTS, Brief, Gender, Person
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
            gender: Gender = dice.choice(("男", "女"))
            name = invented_name(dice, taken, gender)
            taken.add(name)
            found.append(Person(name=name, part=part, gender=gender))
    return tuple(found)


def from_book(corpus: Path, names: Sequence[str]) -> list[Person]:
    """People by name, those of a corpus with the names that only they have there; titles are left out.

    Raises:
        InputError: it is no corpus.
    """
    CorpusFolder(corpus).info()
    tables = [read_table(path) for path in sorted((corpus / "aliases").glob("*.json"))]
    rows = {name: tuple(aliases) for table in tables for name, aliases in table.people.items()}
    bearers = Counter(one for name, aliases in rows.items() for one in {name, *aliases})
    found: list[Person] = []
    for name in names:
        whole = name if name in rows else next((one for one in rows if name in rows[one]), name)
        others = [other for other in names if other != name]
        others += [alias for person in found for alias in person.aliases]
        aliases = tuple(
            one
            for one in (whole, *rows.get(whole, ()))
            if one != name
            and len(one) > 1
            and bearers[one] == 1
            and not is_role(one)
            and one not in COMMON
            and not any(one in other or other in one for other in others)
        )
        found.append(Person(name=name, aliases=aliases))
    return found
