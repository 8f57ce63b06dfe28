"""Many names, one person: 玄德, 刘豫州 and 先主 are 刘备.

Tables are JSON, {"title": …, "people": {name: [other names]}}. Those of the four classics ship in data/aliases; any other
book's is found from the book itself (joins.py), written beside the corpus, edited by people and read back on the next run; it
then also says what speaks for each name ("why"), what the program is not sure of ("doubts") and which names somebody said are
two people ("apart"). A name may stand with several people (丞相, 二爷): whoever the chapter named last is meant. What means somebody in some chapters
only is written with them: "妇人@24-26" beside 潘金莲.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..files import read_text, write_text

LEAST_PEOPLE = 6
"""A shipped table belongs to a book that names so many of its people …"""
FEW_PEOPLE = 3
"""An alias that was added to every table of a corpus stands in tables of books that do not know it."""
LEAST_SHARE = 1 / 2000
"""… and names them at least once in so many characters."""


@dataclass(frozen=True)
class Bound:
    """A word that means somebody in some chapters: 妇人@24-26, 老魔@32."""

    word: str
    first: int
    last: int
    """Chapters, both included."""

    def __str__(self) -> str:
        chapters = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.word}@{chapters}"


_BOUND = re.compile(r"(?P<word>[^@]+)@(?P<first>\d+)(?:-(?P<last>\d+))?")
_MEANT = re.compile(r"@[\d\s-]*$")
"""An @ with nothing but digits behind it is meant for chapters; 小明@北京 is a name."""


def is_bound(text: str) -> bool:
    return _MEANT.search(text) is not None


def bound_from(text: str, where: str) -> Bound:
    """A word with its chapters, as a table writes it.

    Raises:
        DataError: no chapters, or the last before the first.
    """
    match = _BOUND.fullmatch(text.replace(" ", ""))
    first, last = (int(match["first"]), int(match["last"] or match["first"])) if match else (1, 0)
    if match is None or last < first:
        raise DataError(f"{where}: 看不懂 {text!r}", "写成 叫法@章 或 叫法@章-章，例如 妇人@24-26")
    return Bound(match["word"], first, last)


@dataclass(frozen=True)
class Doubt:
    """Two names that may be one person: the reader is asked."""

    alias: str
    person: str
    reason: str
    """What speaks for it, with words of the book."""


@dataclass(frozen=True, kw_only=True)
class AliasTable:
    """Who goes by which names in one book."""

    title: str = ""
    people: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Canonical name → other names; a name of one character (操, 布) counts in books that write 操曰."""
    bound: Mapping[str, tuple[Bound, ...]] = field(default_factory=dict)
    """Canonical name → words that mean them in some chapters."""
    why: Mapping[str, str] = field(default_factory=dict)
    """Other name → what speaks for it, where the program found it."""
    doubts: tuple[Doubt, ...] = ()
    """What the program asks about (`custome corpus fix --review`)."""
    apart: tuple[tuple[str, str], ...] = ()
    """Pairs of names that somebody said are two people."""

    def bearers(self) -> dict[str, list[tuple[Bound, str]]]:
        """A word that means somebody in some chapters → where it means whom."""
        found: dict[str, list[tuple[Bound, str]]] = defaultdict(list)
        for name, words in self.bound.items():
            for one in words:
                found[one.word].append((one, name))
        return found

    def owners(self) -> dict[str, tuple[str, ...]]:
        """Every name, canonical ones included → the people who bear it, in the table's order."""
        bearers: dict[str, list[str]] = defaultdict(list)
        for name in self.people:
            bearers[name].append(name)
        for name, aliases in self.people.items():
            for alias in aliases:
                if name not in bearers[alias]:
                    bearers[alias].append(name)
        return {alias: tuple(names) for alias, names in bearers.items()}


def table_from(data: Any, where: str) -> AliasTable:
    """A table from its JSON form.

    Raises:
        DataError: another shape; the message names the person and the reason.
    """
    hint = '应形如 {"title": "书名", "people": {"刘备": ["玄德", "先主"]}}'
    if not isinstance(data, dict) or not isinstance(data.get("people"), dict):
        raise DataError(f"{where}: 不是别名表", hint)
    for name, aliases in data["people"].items():
        if (
            not name.strip()
            or not isinstance(aliases, list)
            or not all(isinstance(a, str) and a.strip() for a in aliases)
        ):
            raise DataError(f"{where}: {name!r} 的别名应是一列文字，这里是 {aliases!r}", hint)
    people = {
        name: tuple(dict.fromkeys(a for a in aliases if a != name and not is_bound(a)))
        for name, aliases in data["people"].items()
    }
    bound = {
        name: tuple(bound_from(a, f"{where}: {name}") for a in aliases if is_bound(a))
        for name, aliases in data["people"].items()
        if any(is_bound(a) for a in aliases)
    }
    for name, aliases in people.items():
        if circle := next((a for a in aliases if name in people.get(a, ())), ""):
            raise DataError(
                f"{where}: {name!r} 和 {circle!r} 互为别名", "只留一个做人名，另一个写在它的别名里"
            )
    return AliasTable(
        title=str(data.get("title", "")), people=people, bound=bound, **_found_in(data, where)
    )


def _found_in(data: dict[str, Any], where: str) -> dict[str, Any]:
    """What the program wrote beside the names of a table, or what people answered."""
    try:
        return {
            "why": {_name(alias): _name(reason) for alias, reason in data.get("why", {}).items()},
            "doubts": tuple(
                Doubt(*map(_name, (one["alias"], one["person"], one["reason"])))
                for one in data.get("doubts", ())
            ),
            "apart": tuple(
                (_name(one), _name(other))
                for pair in data.get("apart", ())
                if isinstance(pair, list)
                for one, other in [pair]
            ),
        }
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        raise DataError(
            f"{where}: why、doubts、apart 写得不对",
            "why 是 {别名: 依据}，doubts 里每项有 alias、person、reason 三段文字，apart 里每项是两个名字；整个删掉也行，apart 删了会再问",
        ) from error


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(value)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object none of whose names stands twice: of two lines for one person the first would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise DataError(
            f"{next(name for name in names if names.count(name) > 1)!r} 写了两行",
            "留一行；是人名就把两行的别名并成一行",
        )
    return found


def read_table(path: Path) -> AliasTable:
    """A table somebody may have edited.

    Raises:
        InputError, DataError: missing, not JSON (with the line), or of another shape.
    """
    try:
        data = json.loads(read_text(path, "别名表"), object_pairs_hook=_once)
    except DataError as error:
        raise DataError(f"{path}: {error.message}", error.hint) from error
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}:{error.lineno}: 不是合法的 JSON：{error.msg}",
            "改正这一行后重跑；删掉文件会重新生成",
        ) from error
    return table_from(data, str(path))


def write_table(path: Path, table: AliasTable) -> None:
    """One person a line, so that it is easy to edit and to compare."""
    rows = {
        name: [*aliases, *map(str, table.bound.get(name, ()))]
        for name, aliases in table.people.items()
    }
    parts = [
        f'"title": {_json(table.title)}',
        f'"people": {_lines("{}", [f"{_json(name)}: {_json(names)}" for name, names in rows.items()])}',
    ]
    if table.why:
        parts.append(
            f'"why": {_lines("{}", [f"{_json(alias)}: {_json(reason)}" for alias, reason in table.why.items()])}'
        )
    if table.doubts:
        parts.append(f'"doubts": {_lines("[]", [_json(asdict(one)) for one in table.doubts])}')
    if table.apart:
        parts.append(f'"apart": {_lines("[]", [_json(list(pair)) for pair in table.apart])}')
    write_text(path, "{\n" + ",\n".join(parts) + "\n}\n")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _lines(marks: str, rows: Sequence[str]) -> str:
    """One row a line between two marks."""
    return f"{marks[0]}\n" + ",\n".join(rows) + f"\n{marks[1]}"


def speaks_of(text: str, table: AliasTable) -> bool:
    """Does a book name anybody of a table? A table of hardly anybody is any book's."""
    return len(table.people) < FEW_PEOPLE or any(name in text for name in table.owners())


def shipped_tables() -> dict[str, AliasTable]:
    """The tables that come with the program, by short name."""
    folder = files("custome") / "data" / "aliases"
    return {
        Path(entry.name).stem: table_from(json.loads(entry.read_text(encoding="utf-8")), entry.name)
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".json")
    }


def shipped_table_for(name: str, text: str) -> AliasTable | None:
    """The shipped table that belongs to a book, by its name or else by the people it speaks of."""
    tables = shipped_tables()
    for short, table in tables.items():
        if name == short or table.title and table.title in name:
            return table
    sample = text[:300_000]
    best, most = None, 0
    for table in tables.values():
        counts = [sample.count(person) for person in table.people if len(person) > 1]
        if sum(count > 1 for count in counts) >= LEAST_PEOPLE and sum(counts) > max(
            most, LEAST_SHARE * len(sample)
        ):
            best, most = table, sum(counts)
    return best
