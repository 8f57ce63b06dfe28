"""A novel's folder: plain files that can be read, edited and kept under git. What was derived from something says from what, so that
an edit makes stale what depends on it, and nothing that somebody wrote by hand is written over.

novel.yaml               the brief (brief.py)
outline.json             one row a chapter: title, event, people, place
beats/0001.json          what happens in a chapter, piece by piece
passages/0001.json       the candidates of each piece, and which one was chosen
chapters/0001.md         the chapter as it is read; whoever edits it has the last word
versions/0001/0001.md    what it said before
calls.jsonl, days.jsonl  what was asked and answered, letters a day (journal.py)
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import DataError, InputError
from ...files import disk_errors, read_text, write_json, write_text
from .brief import Brief, Person, read_brief, write_brief
from .journal import Journal
from .prose import letters
from .rows import rows_of


@dataclass(frozen=True, kw_only=True)
class Row:
    """A chapter of the outline."""

    number: int
    title: str = ""
    event: str = ""
    people: tuple[str, ...] = ()
    place: str = ""
    scenes: tuple[Mapping[str, str], ...] = ()
    """What its event is made of, where the program made it: the kind of scene (种) and who stands in it."""


@dataclass(frozen=True, kw_only=True)
class Beat:
    """A piece of a chapter, some hundred characters long."""

    event: str
    place: str = ""
    people: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    length: int = 120


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What was written for a beat."""

    candidates: tuple[str, ...]
    chosen: int = 0

    @property
    def text(self) -> str:
        return self.candidates[self.chosen]


_LOCKS: dict[Path, threading.RLock] = {}
_LOCKING = threading.Lock()


def _lock_of(path: Path) -> threading.RLock:
    with _LOCKING:
        return _LOCKS.setdefault(path.resolve(), threading.RLock())


class NovelFolder:
    """One novel on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = Journal(path)
        self._lock = _lock_of(path)
        """Held from looking at a file to writing it: a page, a route and the writer are threads of one process."""

    def is_there(self) -> bool:
        return (self.path / "novel.yaml").is_file()

    # -- the brief ---------------------------------------------------------------------------------------------------

    def brief(self) -> Brief:
        """
        Raises:
            InputError: there is no novel here.
            DataError: everything that is wrong in it.
        """
        if not self.is_there():
            raise InputError(
                f"{str(self.path)!r} 里没有小说", f"先开一本：custome novel new {self.path}"
            )
        return read_brief(self.path / "novel.yaml")

    def keep_brief(self, brief: Brief) -> None:
        with disk_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        write_brief(self.path / "novel.yaml", brief)

    # -- what is derived, with what it was derived from ----------------------------------------------------------------

    def outline(self) -> tuple[Row, ...]:
        """The rows there are, by number; () where there is none yet.

        Raises:
            DataError: somebody edited it into something else.
        """
        return rows_of(Row, self._read(self.path / "outline.json"), "chapters", "outline.json")

    def keep_outline(self, rows: Sequence[Row]) -> None:
        numbers = [row.number for row in rows]
        assert numbers == sorted(set(numbers)), "each chapter once, in order"
        path = self.path / "outline.json"
        with self._lock:
            before = self.outline()
            if before and before != tuple(rows):
                _keep_earlier(self.path / "versions" / "outline", path.read_text("utf-8"), ".json")
            self._keep(path, _from_brief(self.brief()), chapters=rows)

    def row(self, number: int) -> Row:
        """
        Raises:
            InputError: the outline has no such chapter.
        """
        for row in self.outline():
            if row.number == number:
                return row
        raise InputError(f"目录里没有第 {number} 回", f"先排目录：custome novel plan {self.path}")

    def edit_row(self, before: Row, title: str, event: str) -> None:
        """Somebody's own title and event for a chapter; what was made from the old ones is stale then.

        Args:
            before: the row as they saw it.

        Raises:
            InputError: it says something else by now.
        """
        with self._lock:
            if self.row(before.number) != before:
                raise InputError(
                    f"第 {before.number} 回的目录在别处改过了", "看看现在写的是什么，再改一次"
                )
            kept = self._read(self.path / "outline.json")
            people = before.people if event == before.event else self.brief().named(event)
            after = replace(before, title=title, event=event, people=people)
            if event != before.event:
                after = replace(after, scenes=())
            rows = [after if row == before else row for row in self.outline()]
            write_json(
                self.path / "outline.json", {**kept, "chapters": [asdict(row) for row in rows]}
            )

    def outline_is_stale(self) -> bool:
        """Was it made for another brief than today's?"""
        return self._is_older(self.path / "outline.json", _from_brief(self.brief()))

    def beats(self, number: int) -> tuple[Beat, ...]:
        return rows_of(Beat, self._read(self._beats(number)), "beats", self._beats(number).name)

    def keep_beats(self, number: int, beats: Sequence[Beat]) -> None:
        self._keep(self._beats(number), self._from_outline(number), beats=beats)

    def pieces(self, number: int) -> tuple[Piece, ...]:
        """What was written for the beats of a chapter, as far as it is."""
        path = self._passages(number)
        found: tuple[Piece, ...] = rows_of(Piece, self._read(path), "passages", path.name)
        for at, one in enumerate(found, 1):
            if not 0 <= one.chosen < len(one.candidates):
                raise DataError(
                    f"{path.name} 的第 {at} 条：没有第 {one.chosen} 个候选",
                    "改回来，或用 git 取回以前的",
                )
        return found

    def keep_pieces(self, number: int, pieces: Sequence[Piece]) -> None:
        with self._lock:
            self._keep(self._passages(number), self._from_beats(number), passages=pieces)

    def choose(self, number: int, at: int, chosen: int) -> None:
        """Take another candidate for a passage; of what plan they are stays as it is noted.

        Raises:
            InputError: there is no such passage or candidate.
        """
        with self._lock:
            pieces = list(self.pieces(number))
            if not (0 <= at < len(pieces) and 0 <= chosen < len(pieces[at].candidates)):
                raise InputError(f"第 {number} 回没有这一段了", "它刚重写过，再看一眼")
            pieces[at] = replace(pieces[at], chosen=chosen)
            path = self._passages(number)
            write_json(path, {**self._read(path), "passages": [asdict(one) for one in pieces]})

    # -- chapters ----------------------------------------------------------------------------------------------------

    def chapter(self, number: int) -> str:
        """The chapter as it is read; '' where it is not written."""
        path = self._chapter(number)
        if not path.is_file() or not path.read_bytes().strip():
            return ""
        return read_text(path, "这一回")

    def has_chapter(self, number: int) -> bool:
        path = self._chapter(number)
        return path.is_file() and path.stat().st_size > 0

    def written(self) -> list[int]:
        """Numbers of the chapters that are written; of those that the outline has, where there is one."""
        there = [
            int(path.stem) for path in (self.path / "chapters").glob("*.md") if path.stem.isdigit()
        ]
        planned = {row.number for row in self.outline()} or set(there)
        return [one for one in sorted(there) if one in planned and self.has_chapter(one)]

    def keep_chapter(self, number: int, text: str) -> None:
        """Write a chapter that the program made out of its pieces.

        Raises:
            InputError: somebody has edited the one that is there.
        """
        with self._lock:
            if self.is_edited(number):
                raise InputError(
                    f"第 {number} 回有人改过，不会盖掉",
                    f"要重写就先把 {self._chapter(number)} 挪走",
                )
            path, now = self._passages(number), self.chapter(number)
            made = {"written": _digest(text), "written of": self._chosen(number)}
            # First: killed in between, the chapter is an older text of the program's, and known as one.
            write_json(path, {**self._read(path), **made, "written before": _digest(now)})
            self._replace(number, text)
            write_json(path, {**self._read(path), "written before": ""})

    def edit_chapter(self, number: int, text: str) -> None:
        """Somebody's own words: from now on nothing writes over them.

        Raises:
            InputError: there are no words.
        """
        if not text.strip():
            raise InputError("正文是空的", "要不要这一回：放下自己的改动，或把这一回的文件删掉")
        with self._lock:
            self._replace(number, text)

    def let_go_of(self, number: int) -> None:
        """Somebody's own words may be written over again: the chapter goes, its words stay among the versions."""
        with self._lock:
            self._replace(number, "")

    def versions(self, number: int) -> list[str]:
        """What a chapter said before, the oldest first."""
        paths = sorted(self._versions(number).glob("*.md"))
        return [read_text(path, "以前的一稿") for path in paths]

    def _replace(self, number: int, text: str) -> None:
        """Write a chapter; what it said before is kept."""
        before = self.chapter(number)
        if before and before != text and before not in self.versions(number)[-1:]:
            _keep_earlier(self._versions(number), before, ".md")
        with disk_errors(self.path):
            self._chapter(number).parent.mkdir(parents=True, exist_ok=True)
        write_text(self._chapter(number), text)
        self.journal.letters(number, len(letters(text)) - len(letters(before)))

    def is_edited(self, number: int) -> bool:
        """Does it say something else than the program last wrote?"""
        text, kept = self.chapter(number), self._read(self._passages(number))
        ours = kept.get("written", ""), kept.get("written before", "")
        return bool(text) and _digest(text) not in ours

    # -- what is stale -----------------------------------------------------------------------------------------------

    def stale(self, number: int) -> list[str]:
        """What of a chapter was made from something that is different now: outline, beats, passages, chapter."""
        found = []
        if self.outline_is_stale():
            found.append("outline")
        if self._is_older(self._beats(number), self._from_outline(number)):
            found.append("beats")
        if self._is_older(self._passages(number), self._from_beats(number)):
            found.append("passages")
        whole = len(self.pieces(number)) == len(self.beats(number))
        made_of = self._read(self._passages(number)).get("written of")
        if (
            self.chapter(number)
            and whole  # else it is being written anew, and goes on
            and not self.is_edited(number)
            and made_of != self._chosen(number)
        ):
            found.append("chapter")
        return found

    def is_partial(self, number: int) -> bool:
        """Are some of its passages written, and not all?"""
        return 0 < len(self.pieces(number)) < len(self.beats(number))

    def _chosen(self, number: int) -> str:
        """What a chapter is made of."""
        return _digest([one.text for one in self.pieces(number)])

    def _is_older(self, path: Path, now: str) -> bool:
        kept = self._read(path)
        return bool(kept) and kept.get("from") != now

    def _from_outline(self, number: int) -> str:
        brief, row = self.brief(), self.row(number)
        people = {one.name: one for one in brief.people}
        here = [_of_plot(people[name], brief) for name in row.people if name in people]
        promises = [asdict(one) for one in brief.promises if row.number in (one.planted, one.paid)]
        plot = [brief.length, brief.scenes, brief.era, brief.seed, brief.things, promises]
        told = {"number": number, "event": row.event, "people": row.people, "place": row.place}
        return _digest(told, here, plot)

    def _from_beats(self, number: int) -> str:
        return _digest([asdict(one) for one in self.beats(number)])

    # -- inside ------------------------------------------------------------------------------------------------------

    def _beats(self, number: int) -> Path:
        return self.path / "beats" / f"{number:04}.json"

    def _passages(self, number: int) -> Path:
        return self.path / "passages" / f"{number:04}.json"

    def _chapter(self, number: int) -> Path:
        return self.path / "chapters" / f"{number:04}.md"

    def _versions(self, number: int) -> Path:
        return self.path / "versions" / f"{number:04}"

    def _read(self, path: Path) -> dict[str, Any]:
        if not path.is_file():
            return {}
        try:
            found = json.loads(read_text(path, "小说的文件"))
        except json.JSONDecodeError as error:
            raise DataError(
                f"{path.relative_to(self.path)} 第 {error.lineno} 行不是 JSON：{error.msg}",
                "改回来，或用 git 取回以前的；别的文件都没有动",
            ) from error
        if not isinstance(found, dict):
            raise DataError(
                f"{path.relative_to(self.path)} 不是一个对象", "改回来，或用 git 取回以前的"
            )
        return found

    def _keep(self, path: Path, derived_from: str, **lists: Sequence[Any]) -> None:
        with disk_errors(self.path):
            path.parent.mkdir(parents=True, exist_ok=True)
        kept = {key: value for key, value in self._read(path).items() if key.startswith("written")}
        rows = {key: [asdict(one) for one in some] for key, some in lists.items()}
        write_json(path, {"from": derived_from, **rows, **kept})


def _from_brief(brief: Brief) -> str:
    """What an outline depends on: what the planner reads, and nothing else."""
    plot = [
        brief.chapters, brief.length, brief.scenes, brief.era, brief.titles, brief.seed, brief.things, brief.places,
        [one.what for one in brief.secrets],
    ]  # fmt: skip
    return _digest(plot, [_of_plot(one, brief) for one in brief.people])


def _of_plot(person: Person, brief: Brief) -> list[Any]:
    """What the plot depends on of somebody."""
    part = next(part for part, names in brief.parts().items() if person.name in names)
    return [person.name, part, person.gender, person.enters, person.dies]


def _keep_earlier(folder: Path, text: str, ending: str) -> None:
    """Put what a file said before among its versions, behind the last of them."""
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    last = max(
        (int(one.stem) for one in folder.glob(f"*{ending}") if one.stem.isdigit()), default=0
    )
    write_text(folder / f"{last + 1:04}{ending}", text)


def _digest(*parts: Any) -> str:
    return hashlib.sha256(
        json.dumps(parts, ensure_ascii=False, sort_keys=True).encode()
    ).hexdigest()
