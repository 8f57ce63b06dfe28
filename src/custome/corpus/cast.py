"""Who can be talked to and what there is to know of them, in a folder that goes from a corpus into every run learnt from it.

characters.json   the people, as the corpus knows them
lines.jsonl       what they say in the chapters one may learn from, each with what it answers and where it stands
lore.jsonl        people, places, things and events, each sentence with its chapter
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..files import read_text, write_json, write_jsonl
from ..types import Portrait, Utterance
from .dialogue import is_near
from .lore import Fact, Lore

FOLDER = "cast"
CHARACTERS, LINES, LORE = "characters.json", "lines.jsonl", "lore.jsonl"


AT_ONCE = 40
"""Characters of narration between words and the answer to them."""
SURE = 0.85
"""Confidence in both speakers of a question and its answer."""
ASKED = 60
"""Characters kept of what a line answers."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """Something somebody says in a book."""

    speaker: str
    text: str
    """Without its marks."""
    asked: str
    """What is said before it in the scene, else the narration that leads up to it."""
    novel: str
    chapter: int
    answers: bool = False
    """Does it answer somebody else's words, surely and with nobody else in the talk?"""


@dataclass(frozen=True, kw_only=True)
class Cast:
    """Content of the folder."""

    people: tuple[Portrait, ...] = ()
    lines: tuple[Line, ...] = ()
    lore: tuple[Lore, ...] = ()


def lines_of(utterances: Sequence[Utterance], people: Iterable[str]) -> list[Line]:
    """What `people` say, in story order."""
    wanted, found = set(people), []
    said = [one for one in utterances if one.kind != "nested"]
    for place, utterance in enumerate(said):
        if utterance.speaker not in wanted or utterance.kind not in ("speech", "thought"):
            continue
        before = said[place - 1] if place and is_near(said[place - 1], utterance) else None
        asked = before.quote.strip("“”") if before else utterance.context
        found.append(
            Line(
                speaker=utterance.speaker,
                text=utterance.quote.strip("“”"),
                asked=asked[-ASKED:],
                novel=utterance.novel,
                chapter=utterance.chapter,
                answers=_answers(said, place),
            )
        )
    return found


def _answers(said: Sequence[Utterance], place: int) -> bool:
    """Do these words answer those right before them: two people surely named, and nobody else in the talk?"""
    one = said[place]
    asker = said[place - 1] if place else None
    if asker is None or not is_near(asker, one) or one.offset - asker.end > AT_ONCE:
        return False
    sure = min(one.confidence, asker.confidence) >= SURE and "speech" == one.kind == asker.kind
    to_each_other = asker.addressee in ("", one.speaker) and one.addressee in ("", asker.speaker)
    earlier = said[place - 2] if place > 1 and is_near(said[place - 2], asker) else asker
    later = said[place + 1] if place + 1 < len(said) and is_near(one, said[place + 1]) else one
    pair = {asker.speaker, one.speaker}
    return sure and to_each_other and len(pair) == 2 and {earlier.speaker, later.speaker} <= pair


def write_cast(folder: Path, cast: Cast) -> None:
    """Write the folder below a corpus or a run."""
    target = folder / FOLDER
    target.mkdir(exist_ok=True)
    write_json(target / CHARACTERS, [asdict(person) for person in cast.people])
    write_jsonl(target / LINES, (asdict(line) for line in cast.lines))
    write_jsonl(target / LORE, (asdict(lore) for lore in cast.lore))


def by_canonical_names(cast: Cast) -> Cast:
    """The people called as a run knows them that learnt 诸葛亮曰 where the book has 孔明曰."""
    people = (
        replace(
            one,
            cue=one.name,
            aliases=tuple(
                dict.fromkeys([*one.aliases, *([one.cue] if one.cue != one.name else [])])
            ),
        )
        for one in cast.people
    )
    return replace(cast, people=tuple(people))


def take_cast(corpus: Path, run: Path, *, canonical: bool) -> bool:
    """Copy a corpus's cast into a run; False where the data came from elsewhere.

    Args:
        canonical: the run learns canonical names.
    """
    cast = read_cast(corpus)
    if not cast.people:
        return False
    shutil.rmtree(run / FOLDER, ignore_errors=True)
    write_cast(run, by_canonical_names(cast) if canonical else cast)
    return True


def read_cast(folder: Path) -> Cast:
    """The cast of a corpus or a run; empty where there is none.

    Raises:
        DataError: a file is damaged.
    """
    here = folder / FOLDER
    if not (here / CHARACTERS).is_file():
        return Cast()
    try:
        people = json.loads(read_text(here / CHARACTERS, "人物表"))
        return Cast(
            people=tuple(
                Portrait(**{key: _tuples(value) for key, value in person.items()})
                for person in people
            ),
            lines=tuple(Line(**row) for row in _rows(here / LINES)),
            lore=tuple(
                Lore(
                    **{
                        **row,
                        "keys": tuple(row["keys"]),
                        "facts": tuple(Fact(**fact) for fact in row["facts"]),
                    }
                )
                for row in _rows(here / LORE)
            ),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{str(here)!r} 读不懂：{error}",
            "重做语料：custome corpus build；再训练，或把语料的 cast 目录复制过来",
        ) from error


def _rows(path: Path) -> list[dict[str, Any]]:
    return (
        [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        if path.is_file()
        else []
    )


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
