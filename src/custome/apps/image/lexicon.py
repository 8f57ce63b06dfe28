"""What words look like: Chinese words with what is seen where they stand, in Chinese and English; several senses of one word apart.

A picture is asked for in words whose characters name other things: 车水马龙 is a crowded street, no dragon. So sense comes first.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files

from ...errors import DataError

ERAS = ("", "古", "今")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One sense of a word."""

    zh: str
    kind: str
    seen: str
    """What one sees, in Chinese."""
    en: str
    """The same in English."""
    also: tuple[str, ...] = ()
    """Other words for it."""
    avoid: tuple[str, ...] = ()
    """English words that a literal translation would bring into the picture."""
    era: str = ""
    """古: only before 1900; 今: only now."""
    near: tuple[str, ...] = ()
    """Words beside which the word has this sense; none for its usual one."""


class Lexicon:
    """Senses by word."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        senses: dict[str, list[Entry]] = {}
        for one in entries:
            for word in (one.zh, *one.also):
                senses.setdefault(word, []).append(one)
        self.senses: Mapping[str, tuple[Entry, ...]] = {
            word: tuple(sorted(some, key=lambda one: len(one.near) > 0))
            for word, some in senses.items()
        }
        self.longest = max(map(len, self.senses), default=0)

    def __len__(self) -> int:
        return sum(1 for some in self.senses.values() for _ in some)


def entry_of(row: Mapping[str, object], where: str) -> Entry:
    """An entry of a file.

    Raises:
        DataError: a field is missing, empty or not known.
    """

    def text(key: str) -> str:
        value = row.get(key, "")
        if not isinstance(value, str):
            raise DataError(f"{where}：{key} 要是一句话", "改好再来")
        return value.strip()

    def several(key: str) -> tuple[str, ...]:
        value = row.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise DataError(f"{where}：{key} 要是一列词", "改好再来")
        return tuple(value)

    known = {"zh", "also", "kind", "seen", "en", "not", "era", "near"}
    if unknown := set(row) - known:
        raise DataError(f"{where}：不认识 {'、'.join(sorted(unknown))}", f"有：{'、'.join(known)}")
    entry = Entry(
        zh=text("zh"),
        kind=text("kind"),
        seen=text("seen"),
        en=text("en"),
        also=several("also"),
        avoid=several("not"),
        era=text("era"),
        near=several("near"),
    )
    if not (entry.zh and entry.kind and entry.seen and entry.en) or entry.era not in ERAS:
        raise DataError(
            f"{where}：{entry.zh!r} 没有写全", "要有 zh、kind、seen、en；era 是 古、今 或空"
        )
    return entry


@functools.cache
def lexicon() -> Lexicon:
    """The one that comes with the program."""
    path = files("custome") / "data" / "visual_lexicon.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    return Lexicon(
        entry_of(json.loads(line), f"visual_lexicon.jsonl 第 {number} 行")
        for number, line in enumerate(lines, 1)
    )
