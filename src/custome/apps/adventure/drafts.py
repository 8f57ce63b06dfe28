"""Scenarios that are being written: kept with every change, wrong or not; they become games when everything fits together.

adventures/drafts/ID.json is the draft, adventures/ID.yaml the game.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...corpus.reading import read_novel
from ...errors import CustomeError, DataError, InputError
from ...files import disk_errors, read_text, write_json, write_text
from .building import built
from .finding import stage_of
from .library import FOLDER, Library
from .phrases import ME
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
        path = self._path(name)
        if path.is_file():
            return self._draft(path)
        found = self._library.scenarios()[0]
        if name not in found:
            raise InputError(f"没有剧本 {name!r}", "从左边的单子里选一个")
        raw = found[name].model_dump(mode="json", exclude_defaults=True)
        if not (self._own / f"{name}.yaml").is_file():
            raw |= {"id": f"{name}-改"[:40], "title": f"{raw['title']}（改）"[:40]}
        return raw

    @staticmethod
    def _draft(path: Path) -> Raw:
        try:
            raw = json.loads(read_text(path, "剧本草稿"))
        except ValueError as error:
            raise DataError(f"草稿 {str(path)!r} 坏了：{error}", "它没有被动过；换一个") from error
        if not isinstance(raw, dict):
            raise DataError(f"草稿 {str(path)!r} 坏了", "它没有被动过；换一个")
        return raw

    def save(self, name: str, raw: Raw) -> None:
        """Keep a draft as it is."""
        path = self._path(name)
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
            path = Path(folder) / Path(name).name
            path.write_bytes(content)
            novel = read_novel(path)
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


def rename(raw: Raw, old: str, new: str) -> None:
    """Something has another name, wherever it is spoken of."""
    if old and new and old not in (new, ME):
        _rename_in(raw, old, new)


_WORDS = frozenset(
    ("about", "text", "failure_text", "what", "title", "words", "said", "verb", "skill", "source")
)
"""Fields in which a name is only a word."""


def _rename_in(some: Any, old: str, new: str) -> None:
    for key, value in some.items() if isinstance(some, dict) else enumerate(some):
        if isinstance(value, dict | list):
            if key not in _WORDS:
                _rename_in(value, old, new)
        elif isinstance(value, str) and key not in _WORDS:
            some[key] = _in_line(value, old, new)


def _in_line(line: str, old: str, new: str) -> str:
    """A name alone, or between blanks in a condition."""
    return re.sub(rf"(?<![^\s|｜]){re.escape(old)}(?![^\s|｜])", lambda _: new, line)


_EMPTY: Mapping[str, Any] = {
    "format": FORMAT,
    "about": "",
    "player": {"name": "我自己", "at": "家门口", "hp": 10, "skills": {"口才": 1}},
    "places": [{"name": "家门口", "about": "", "exits": []}],
    "endings": [{"name": "走到了", "good": True, "when": [], "text": ""}],
}
