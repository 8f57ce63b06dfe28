"""Scenarios that are being written: kept with every change, wrong or not; they become games when everything fits together.

adventures/drafts/ID.json is the draft, adventures/ID.yaml the game.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...corpus.reading import read_novel
from ...errors import CustomeError, DataError, InputError
from ...files import disk_errors, read_text, write_json, write_text
from .building import built
from .finding import stage_of
from .library import FOLDER, Library
from .phrases import CONDITIONS, EFFECTS, HP, NOT, RELATION
from .problems import checked, problems
from .scenario import FORMAT, LONGEST, Scenario, as_file, parse_scenario, scenario_of

NAMED = ("places", "items", "people", "counters", "secrets")
"""Parts that others speak of by their names."""
_ID = re.compile(r"[^\w-]+")

Raw = dict[str, Any]
"""A scenario as plain data, under the English names of its fields."""


class Drafts:
    """Drafts of a working folder."""

    def __init__(self, place: Path) -> None:
        self._own = place / FOLDER
        self._library = Library(place)

    def _path(self, name: str) -> Path:
        if not name or _ID.search(name) or len(name) > 40:
            raise InputError(f"编号 {name!r} 不行", "用汉字、字母、数字和 -，40 个以内")
        return self._own / "drafts" / f"{name}.json"

    def names(self) -> dict[str, str]:
        """Id → title of everything that can be gone on with: drafts, and games of one's own."""
        found = {}
        for path in sorted(self._own.glob("drafts/*.json")):
            try:
                raw = json.loads(read_text(path, "剧本草稿"))
                found[path.stem] = str(raw.get("title", path.stem))
            except (ValueError, AttributeError, CustomeError):
                found[path.stem] = path.stem  # what is wrong with it is told when it is opened
        games = self._library.scenarios()[0]
        for path in sorted(self._own.glob("*.yaml")):
            known = games.get(path.stem)
            found.setdefault(path.stem, known.title if known is not None else path.stem)
        return found

    def begin(self, title: str) -> str:
        """A new draft; its id.

        Raises:
            InputError: there is one of that name.
        """
        name = _ID.sub("", title)[:40]
        if name in {**self.names(), **self._library.scenarios()[0]}:
            raise InputError(f"已经有剧本 {name!r}", "换一个题目，或打开那一个")
        self.save(name, dict(_EMPTY) | {"id": name, "title": title.strip()[:40]})
        return name

    def open(self, name: str) -> Raw:
        """A draft; of a game without one, that game, and of one that comes with the program a copy under another id.

        Raises:
            InputError: there is neither.
            DataError: it is damaged; it is left as it is.
        """
        path, found = self._path(name), self._library.scenarios()[0]
        if path.is_file():
            return self._draft(path)
        if name not in found:
            raise InputError(f"没有剧本 {name!r}", "从左边的单子里选一个")
        raw = found[name].model_dump(mode="json", exclude_defaults=True)
        own = any(one.id == name for one in self._own_games(found))
        changed = f"{name}-改"[:40]
        if not own and changed in self.names():
            return self.open(changed)
        return raw if own else raw | {"id": changed, "title": f"{raw['title']}（改）"[:40]}

    def _own_games(self, found: Mapping[str, Scenario]) -> Iterator[Scenario]:
        for path in sorted(self._own.glob("*.yaml")) if self._own.is_dir() else ():
            one = found.get(path.stem)
            if one is not None:
                yield one

    @staticmethod
    def _draft(path: Path) -> Raw:
        try:
            raw = json.loads(read_text(path, "剧本草稿"))
        except ValueError as error:
            raise DataError(f"草稿 {str(path)!r} 坏了：{error}", "它没有被动过；换一个") from error
        if not _has_shape(raw) or raw.get("id") != path.stem:
            raise DataError(f"草稿 {str(path)!r} 坏了", "它没有被动过；换一个")
        known: Raw = raw
        return known

    def save(self, name: str, raw: Raw, before: Raw | None = None) -> None:
        """Keep a draft as it is.

        Args:
            before: as it was when it was opened or kept last.

        Raises:
            InputError: somebody else has changed it since then.
        """
        path = self._path(name)
        if before is not None and path.is_file() and self._draft(path) != before:
            raise InputError(f"草稿 {name!r} 在别处改过了", "已经照新的画出来，再改一次")
        with disk_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, raw)

    def publish(self, raw: Raw) -> Scenario:
        """A draft becomes a game.

        Raises:
            DataError: everything that does not fit together.
        """
        scenario = checked(scenario_of(raw), where=str(raw.get("title", "")))
        path = self._path(scenario.id)
        write_text(self._own / f"{scenario.id}.yaml", as_file(scenario))
        path.unlink(missing_ok=True)
        return scenario

    def take(self, content: bytes) -> str:
        """A scenario's file that somebody was given; its id.

        Raises:
            DataError: what is wrong with it.
            InputError: there is one of that id.
        """
        if len(content) > LONGEST:
            raise DataError("这个剧本太大了", f"一份剧本不过 {LONGEST // 1_000_000} MB")
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError("这个文件不是 UTF-8 的文字", "剧本是 .yaml 或 .json 文件") from error
        scenario = checked(*parse_scenario(text), "这个文件")
        if scenario.id in {**self.names(), **self._library.scenarios()[0]}:
            raise InputError(f"已经有剧本 {scenario.id!r}", "改掉文件里的 编号 再来")
        with disk_errors(self._own):
            self._own.mkdir(parents=True, exist_ok=True)
        write_text(self._own / f"{scenario.id}.yaml", as_file(scenario))
        return scenario.id

    def build(self, name: str, content: bytes, chapter: int) -> str:
        """The draft of a chapter of a book; its id.

        Args:
            name: of the book's file.

        Raises:
            InputError: no game comes of it, or there is one of that chapter.
        """
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"book{Path(name).suffix.lower()[:8]}"
            path.write_bytes(content)
            novel = read_novel(path, _ID.sub("", Path(name).stem)[:20] or "书")
        raw = built(stage_of(novel, chapter)).model_dump(mode="json", exclude_defaults=True)
        made = str(raw["id"])
        if made in {**self.names(), **self._library.scenarios()[0]}:
            raise InputError(f"已经有剧本 {made!r}", "打开那一个，或换一回")
        self.save(made, raw)
        return made

    def remove(self, name: str) -> None:
        """A draft is thrown away; the game it would change stays."""
        self._path(name).unlink(missing_ok=True)


def faults(raw: Raw) -> list[str]:
    """Everything that is wrong, in sentences."""
    try:
        return [str(one) for one in problems(scenario_of(raw))]
    except DataError as error:
        return error.message.removeprefix("剧本：").split("；")


def rename(raw: Raw, section: str, old: str, new: str) -> None:
    """A place, a thing, a person, a counter or a secret has another name, wherever it is spoken of as such."""
    kind, fields = _SPOKEN_OF[section]
    for rows in raw.values():
        for row in rows if isinstance(rows, list) else [rows]:
            if isinstance(row, dict):
                _rename_in(row, kind, fields, old, new)


def _rename_in(row: Raw, kind: str, fields: Collection[str], old: str, new: str) -> None:
    for key, value in row.items():
        if key == "exits":
            for way in value:
                _rename_in(way, kind, fields, old, new)
        elif key in fields and value == old:
            row[key] = new
        elif key in fields and isinstance(value, list):
            row[key] = [new if one == old else one for one in value]
        elif key in _LINES and isinstance(value, list):
            row[key] = [_in_line(str(one), kind, old, new) for one in value]


_SPOKEN_OF: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "places": ("place", ("at", "to", "target")),
    "items": ("item", ("key", "target", "using", "wants")),
    "people": ("person", ("at", "target", "who", "known_to")),
    "counters": ("counter", ()),
    "secrets": ("secret", ()),
}
"""Section → what its names are in a condition, and fields that speak of one."""
_LINES = ("needs", "when", "success", "failure", "do")


def _in_line(line: str, kind: str, old: str, new: str) -> str:
    """A condition or an effect, or several with ｜ between them."""
    parts = re.split(r"([|｜])", line)
    return "".join(one if one in "|｜" else _in_part(one, kind, old, new) for one in parts)


def _in_part(part: str, kind: str, old: str, new: str) -> str:
    words = re.split(r"(\s+)", part)
    places = [at for at, word in enumerate(words) if word.strip() and word != NOT]
    if not places:
        return part
    head, rest = words[places[0]], places[1:]
    if kind == "counter" and head == old:
        words[places[0]] = new
    kinds: Sequence[str] = CONDITIONS.get(head) or EFFECTS.get(head) or ()
    if not kinds and head in (HP, RELATION):  # a figure: 好感 周瑜 ≥ 2
        kinds = ("person",)
    for at, one in zip(rest, kinds, strict=False):
        holds = one == kind or (one == "holder" and kind in ("place", "person"))
        if holds and words[at] == old:
            words[at] = new
    return "".join(words)


def _has_shape(raw: Any) -> bool:
    """Is it what a form can be made of, whatever is written in it?"""
    if not isinstance(raw, dict) or not isinstance(raw.get("player", {}), dict):
        return False
    for section in ("places", "people", "items", "rules", "events", "endings", *NAMED):
        rows = raw.get(section, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            return False
        for row in rows:
            ways, source = row.get("exits", []), row.get("source") or {}
            check = row.get("check") or {}
            if not isinstance(ways, list) or not all(isinstance(way, dict) for way in ways):
                return False
            if not isinstance(source, dict) or not isinstance(check, dict):
                return False
            if not all(isinstance(row.get(key) or [], list) for key in _LINES):
                return False
    return True


_EMPTY: Mapping[str, Any] = {
    "format": FORMAT,
    "about": "",
    "player": {"name": "我自己", "at": "家门口", "hp": 10, "skills": {"口才": 1}},
    "places": [{"name": "家门口", "about": "", "exits": []}],
    "endings": [{"name": "走到了", "good": True, "when": [], "text": ""}],
}
