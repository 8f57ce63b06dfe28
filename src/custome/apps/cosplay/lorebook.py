"""What comes to mind when a word is said: entries with keys, found in Chinese text as plain substrings.

Character Card V2 and V3 `character_book`. A key that is a regular expression is kept and shown, and used only where the
user turned that on: a stranger's pattern can run for ever.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...errors import DataError
from ...models.normalisation import normalise

SCAN_DEPTH = 4
"""Latest messages that are looked at."""
BUDGET = 400
"""Tokens of entries in a prompt."""
_PATTERN = re.compile(r"^/(.+)/([a-z]*)$", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of a lorebook: keys that trigger it and the text it inserts."""

    keys: tuple[str, ...]
    content: str
    name: str = ""
    secondary_keys: tuple[str, ...] = ()
    """With `selective`: one of these must be said too."""
    selective: bool = False
    constant: bool = False
    """Always in mind."""
    enabled: bool = True
    order: int = 100
    """Lower comes first."""
    priority: int = 10
    """Lower is left out first when there is no room."""
    use_regex: bool = False
    chapter: int = 0
    """Known from this chapter on; 0 always."""
    rest: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else a card says of it, kept for the way out."""


@dataclass(frozen=True, kw_only=True)
class Lorebook:
    entries: tuple[Entry, ...] = ()
    name: str = ""
    scan_depth: int = SCAN_DEPTH
    token_budget: int = BUDGET
    rest: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Fired:
    """An entry that was triggered, and by which key."""

    entry: Entry
    why: str


def recall(
    book: Lorebook, texts: Sequence[str], *, as_of: int | None = None, regex: bool = False
) -> list[Fired]:
    """Entries whose keys are said in the last `scan_depth` texts, in the book's order.

    Args:
        as_of: leave out what the book tells later than in this chapter.
        regex: use keys that are regular expressions (of a card one trusts).
    """
    said = normalise("\n".join(texts[-max(1, book.scan_depth) :]))
    found = []
    for entry in sorted(book.entries, key=lambda entry: entry.order):
        if not entry.enabled or (as_of is not None and entry.chapter > as_of):
            continue
        key = "" if entry.constant else _said(entry, entry.keys, said, regex)
        second = (
            _said(entry, entry.secondary_keys, said, regex)
            if entry.selective and entry.secondary_keys
            else ""
        )
        if entry.constant or (key and (second or not (entry.selective and entry.secondary_keys))):
            found.append(
                Fired(
                    entry=entry,
                    why="常驻"
                    if entry.constant
                    else f"说到“{key}”" + (f"和“{second}”" if second else ""),
                )
            )
    return found


def _said(entry: Entry, keys: Sequence[str], text: str, regex: bool) -> str:
    """The first key that is said, or ''."""
    for key in keys:
        pattern = _PATTERN.match(key) if entry.use_regex or _PATTERN.match(key) else None
        if pattern is None and not entry.use_regex:
            if (plain := normalise(key)) and plain.casefold() in text.casefold():
                return key
        elif regex:
            body, flags = (pattern[1], pattern[2]) if pattern else (key, "")
            try:
                if re.search(body, text, re.IGNORECASE if "i" in flags else 0):
                    return key
            except re.error:
                continue
    return ""


def read_book(raw: Any, where: str) -> Lorebook:
    """A `character_book`, or a world file of SillyTavern (entries in an object).

    Raises:
        DataError: another shape.
    """
    entries = raw.get("entries") if isinstance(raw, dict) else None
    if isinstance(entries, dict):
        entries = list(entries.values())
    if not isinstance(entries, list):
        raise DataError(
            f"{where}: 世界书里没有 entries",
            "需要 V2/V3 人物卡里的 character_book，或 SillyTavern 的世界书文件",
        )
    known = {"entries", "name", "scan_depth", "token_budget"}
    return Lorebook(
        entries=tuple(
            _read_entry(row, f"{where} 第 {number} 条") for number, row in enumerate(entries, 1)
        ),
        name=str(raw.get("name") or ""),
        scan_depth=_number(raw.get("scan_depth"), SCAN_DEPTH),
        token_budget=_number(raw.get("token_budget"), BUDGET),
        rest={k: v for k, v in raw.items() if k not in known},
    )


def _read_entry(row: Any, where: str) -> Entry:
    if not isinstance(row, dict):
        raise DataError(f"{where}: 应是一个对象，这里是 {type(row).__name__}", "改正后再导入")
    used = {
        "keys",
        "key",
        "secondary_keys",
        "keysecondary",
        "content",
        "name",
        "comment",
        "selective",
        "constant",
        "enabled",
        "disable",
        "insertion_order",
        "order",
        "priority",
        "use_regex",
    }
    given: Any = row.get("extensions")
    extensions: dict[str, Any] = given if isinstance(given, dict) else {}
    given = extensions.get("custome")
    own: dict[str, Any] = given if isinstance(given, dict) else {}
    return Entry(
        keys=_words(row.get("keys", row.get("key")), where),
        content=str(row.get("content") or ""),
        name=str(row.get("name") or row.get("comment") or ""),
        secondary_keys=_words(row.get("secondary_keys", row.get("keysecondary")), where),
        selective=bool(row.get("selective")),
        constant=bool(row.get("constant")),
        enabled=bool(row.get("enabled", not row.get("disable", False))),
        order=_number(row.get("insertion_order", row.get("order")), 100),
        priority=_number(row.get("priority"), 10),
        use_regex=bool(row.get("use_regex")),
        chapter=_number(own.get("chapter"), 0),
        rest={
            **{key: value for key, value in row.items() if key not in used},
            "extensions": extensions,
        },
    )


def dump_book(book: Lorebook) -> dict[str, Any]:
    """As V3's `character_book`; a reader of V2 finds everything it knows."""
    entries = []
    for number, entry in enumerate(book.entries):
        extensions = dict(entry.rest.get("extensions") or {})
        if entry.chapter:
            extensions["custome"] = {"chapter": entry.chapter}
        entries.append(
            {
                "id": number,
                **entry.rest,
                "keys": list(entry.keys),
                "secondary_keys": list(entry.secondary_keys),
                "selective": entry.selective,
                "content": entry.content,
                "name": entry.name,
                "comment": entry.name,
                "constant": entry.constant,
                "enabled": entry.enabled,
                "insertion_order": entry.order,
                "priority": entry.priority,
                "use_regex": entry.use_regex,
                "case_sensitive": False,
                "position": entry.rest.get("position") or "before_char",
                "extensions": extensions,
            }
        )
    return {
        "extensions": {},
        "recursive_scanning": False,
        **book.rest,
        "name": book.name,
        "scan_depth": book.scan_depth,
        "token_budget": book.token_budget,
        "entries": entries,
    }


def within(fired: Sequence[Fired], budget: int, count: Any) -> list[Fired]:
    """Those that fit into `budget` tokens, the ones of low priority left out first, in their order."""
    kept, used = set(), 0
    for place in sorted(
        range(len(fired)),
        key=lambda place: (not fired[place].entry.constant, -fired[place].entry.priority, place),
    ):
        size = count(fired[place].entry.content)
        if used + size <= budget:
            used += size
            kept.add(place)
    return [one for place, one in enumerate(fired) if place in kept]


def _words(value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split(",")
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise DataError(f"{where}: keys 应是一列文字，这里是 {value!r}", "改正后再导入")
    return tuple(word.strip() for word in value if word.strip())


def _number(value: Any, default: int) -> int:
    number = (
        isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    )
    return int(value) if number else default


def joined(*books: Lorebook | None) -> Lorebook:
    """All entries of several books, with the first one's settings."""
    present = [book for book in books if book is not None]
    if not present:
        return Lorebook()
    return replace(present[0], entries=tuple(entry for book in present for entry in book.entries))
