"""Many names, one person: 玄德, 刘豫州 and 先主 are 刘备.

Tables are JSON, {"title": …, "people": {name: [other names]}}. Those of the four classics ship in data/aliases; any other
book's is found from the book itself, written beside the corpus, edited by people and read back on the next run. A name
may stand with several people (丞相, 二爷): whoever the chapter named last is meant. What means somebody in some chapters
only is written with them: "妇人@24-26" beside 潘金莲.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..files import read_text, write_text

LEAST_PEOPLE = 6
"""A shipped table belongs to a book that names so many of its people …"""
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


@dataclass(frozen=True, kw_only=True)
class AliasTable:
    """Who goes by which names in one book."""

    title: str = ""
    people: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Canonical name → other names; a name of one character (操, 布) counts in books that write 操曰."""
    bound: Mapping[str, tuple[Bound, ...]] = field(default_factory=dict)
    """Canonical name → words that mean them in some chapters."""

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
    return AliasTable(title=str(data.get("title", "")), people=people, bound=bound)


def read_table(path: Path) -> AliasTable:
    """A table somebody may have edited.

    Raises:
        InputError, DataError: missing, not JSON (with the line), or of another shape.
    """
    try:
        data = json.loads(read_text(path, "别名表"))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}:{error.lineno}: 不是合法的 JSON：{error.msg}",
            "改正这一行后重跑；删掉文件会重新生成",
        ) from error
    return table_from(data, str(path))


def write_table(path: Path, table: AliasTable) -> None:
    """One person a line, so that it is easy to edit and to compare."""
    rows = ",\n".join(
        f"{json.dumps(name, ensure_ascii=False)}: {json.dumps([*aliases, *map(str, table.bound.get(name, ()))], ensure_ascii=False)}"
        for name, aliases in table.people.items()
    )
    title = json.dumps(table.title, ensure_ascii=False)
    write_text(path, f'{{\n"title": {title},\n"people": {{\n{rows}\n}}\n}}\n')


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


def find_aliases(
    text: str, names: Iterable[tuple[str, int]], surnames: frozenset[str]
) -> AliasTable:
    """A table for a book nobody wrote one for.

    Args:
        text: the book, simplified.
        names: what its cues call people, with how often.
        surnames: one-character and longer.

    A given name joins the full name it is the end of (道荣 → 邢道荣), where the book has one such full name or one that
    is far commoner than the others; 字, 号 and nicknames join by the sentence that introduces them.
    """
    known = {name: count for name, count in names if len(name) > 1}
    introduced = _introductions(text, surnames)
    full: dict[str, str] = {}
    for name in known:
        if name[0] in surnames or name[:2] in surnames:
            continue
        fulls = Counter(
            m.group()
            for m in re.finditer(
                f"[{''.join(s for s in surnames if len(s) == 1)}]{re.escape(name)}", text
            )
        )
        if fulls and len(name) == 2:
            (first, count), *others = fulls.most_common(2)
            if count >= 3 and (not others or count >= 4 * others[0][1]):
                full[name] = first
    people: dict[str, dict[str, None]] = {}
    for name in sorted(known, key=lambda name: -known[name]):
        canonical = full.get(name, name)
        canonical = introduced.get(canonical, canonical)
        aliases = people.setdefault(canonical, {})
        if name != canonical:
            aliases[name] = None
    for alias, name in introduced.items():
        if name in people:
            people[name][alias] = None
    taken = set(people)
    return AliasTable(
        people={
            name: tuple(a for a in aliases if a not in taken) for name, aliases in people.items()
        }
    )


def _introductions(text: str, surnames: frozenset[str]) -> dict[str, str]:
    """字, 号 and the like → full name: 姓王名冕，字元章 · 周进，字蒉轩 · 绰号某某."""
    single = "".join(s for s in surnames if len(s) == 1)
    double = "|".join(s for s in surnames if len(s) > 1)
    name = rf"(?P<name>(?:{double}|[{single}])[\u4e00-\u9fff]{{1,2}}?)"
    patterns = (
        rf"姓(?P<family>{double}|[{single}])[，,]?(?:单)?名(?:唤|叫|字|是)?(?:做|作)?(?P<given>[\u4e00-\u9fff]{{1,2}})[，,、]?(?:表字|字|号)(?P<alias>[\u4e00-\u9fff]{{2}})[，。,；]",
        rf"(?:^|[，。；、：“”（\s]){name}[，,、]?(?:表字|字|号|道号|法号|别号|绰号|诨名|浑名|小名|乳名|小字)(?:叫|唤|是)?(?:做|作)?“?(?P<alias>[\u4e00-\u9fff]{{2,3}})”?[，。,；]",
    )
    found: dict[str, str] = {}
    for pattern in patterns:
        for match in re.finditer(pattern, text):
            groups = match.groupdict()
            person = groups.get("name") or groups["family"] + groups["given"]
            found.setdefault(groups["alias"], person)
            if person[0] in single:
                found.setdefault(person[0] + groups["alias"], person)
    return found
