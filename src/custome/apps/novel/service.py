"""The novels of a server: which there are, and the one that is being written, on a thread of its own, so that a page may be closed."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...engine.base import Cancel, ServedModel
from ...errors import CustomeError, EngineError, InputError
from ...files import disk_errors
from ..context import AppContext, Work
from .brief import Brief
from .drafting import Novelist, PlanItself, Storyteller, Writer
from .folder import NovelFolder
from .learning import is_novelist, manner_of
from .writing import Progress, Writing, plan

FOLDER = "novels"
_NAME = re.compile(r'[\\/:*?"<>|\x00-\x1f]|^\.')


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is being written, or was last."""

    name: str
    left: tuple[int, ...]
    """Chapters still to come, the one that is being written among them."""
    progress: Progress | None = None
    passage_s: float = 0.0
    """Seconds a passage takes, by those that were written."""
    running: bool = True
    error: CustomeError | None = None

    def left_s(self) -> float:
        """Until the chapter is written."""
        return (self.progress.whole - self.progress.done) * self.passage_s if self.progress else 0.0


class Novels:
    """All novels in a folder.

    Args:
        writer: who words them now.
    """

    def __init__(self, place: Path, writer: Callable[[], Writer]) -> None:
        self.place, self._writer = place, writer
        self._lock = threading.Lock()
        self._cancel = Cancel()
        self.job: Job | None = None
        self._thread: threading.Thread | None = None

    # -- which there are ---------------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        if not self.place.is_dir():
            return []
        return sorted(one.name for one in self.place.iterdir() if NovelFolder(one).is_there())

    def get(self, name: str) -> NovelFolder:
        """
        Raises:
            InputError: there is none of that name.
        """
        if name not in self.names():
            raise InputError(f"没有小说 {name!r}", "从左边的单子里选一本")
        return NovelFolder(self.place / name)

    def create(self, brief: Brief) -> str:
        """Begin a novel; its name is its title.

        Raises:
            InputError: the title cannot be a folder's name, or is taken.
            DataError: what is wrong in the brief.
        """
        name = brief.title.strip()
        if not name or _NAME.search(name) or len(name.encode()) > 200:
            raise InputError(f"书名 {name!r} 不能当文件夹的名字", "换一个，不带 / : * ? 一类的符号")
        if (self.place / name).exists():
            raise InputError(f"已经有一本 {name!r}", "换一个书名，或打开那一本")
        checked = replace(brief, title=name).checked()
        with disk_errors(self.place):
            self.place.mkdir(parents=True, exist_ok=True)
            (self.place / name).mkdir()
        NovelFolder(self.place / name).keep_brief(checked)
        return name

    # -- writing -----------------------------------------------------------------------------------------------------

    def busy(self, name: str = "") -> bool:
        """Is one being written, or this one?"""
        job = self.job
        return job is not None and job.running and name in ("", job.name)

    def begin(self, name: str, numbers: Sequence[int], *, again: bool = False) -> None:
        """Write chapters one after the other, behind.

        Raises:
            InputError: another is being written, the outline has no such chapter, or it is not today's.
        """
        folder = self.get(name)
        plan(folder)
        known = {row.number for row in folder.outline()}
        for number in numbers:
            if number not in known:
                folder.row(number)  # says so
        with self._lock:
            if self.busy():
                raise InputError("正在写，一次写一本", "等它写完，或先按“停”")
            self._cancel = Cancel()
            self.job = Job(name=name, left=tuple(numbers))
            self._thread = threading.Thread(target=self._write, args=(folder, again), daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop writing; what is written is kept."""
        self._cancel.set()

    def wait(self) -> None:
        """Until nothing is being written."""
        if self._thread is not None:
            self._thread.join()

    def _write(self, folder: NovelFolder, again: bool) -> None:
        error: CustomeError | None = None
        try:
            writing = Writing(folder, self._writer(), cancel=self._cancel)
            begun, done = time.monotonic(), 0

            def seen(now: Progress) -> None:
                nonlocal done
                done += now.finished
                spent = (time.monotonic() - begun) / done if done else 0.0
                self._tell(progress=now, passage_s=spent)

            while self.job is not None and self.job.left and not self._cancel.is_set():
                writing.chapter(self.job.left[0], seen, again=again)
                self._tell(left=self.job.left[1:], progress=None)
        except CustomeError as wrong:
            error = None if self._cancel.is_set() else wrong
        except Exception as wrong:  # nobody waits for this thread: told where somebody looks
            error = EngineError(f"写的时候出了意外：{wrong}", "写好的都在；再按一次接着写")
            raise
        finally:
            self._tell(running=False, error=error)

    def _tell(self, **now: object) -> None:
        assert self.job is not None
        self.job = replace(self.job, **now)  # type: ignore[arg-type]

    def told(self) -> str:
        """How far it is, in one line; '' while nothing is written."""
        job = self.job
        if job is None or not job.running or job.progress is None:
            return ""
        now = job.progress
        left = f"，这一回约剩 {job.left_s() / 60:.0f} 分钟" if job.left_s() >= 60 else ""
        return f"《{job.name}》第 {now.chapter} 回 {now.done}/{now.whole}{left}"


def novels_of(context: AppContext) -> Novels:
    """The novels that all pages and routes of a server work with."""

    def made() -> Novels:
        place = (context.workplace or Path()) / FOLDER
        novels = Novels(place, lambda: writer_of(context.hosted()))
        context.work.append(Work(progress=novels.told, stop=novels.stop))
        return novels

    return context.shared(Novels, made)


def writer_of(hosted: Sequence[ServedModel]) -> Writer:
    """A model that was taught to write novels; else the first that can be told what to write; else the plan itself."""
    able = [model for model in hosted if model.engine.kind == "template"]
    for model in able:
        if model.folder is not None and is_novelist(model.folder):
            return Novelist(model.engine, model.name, manner_of(model.folder))
    return Storyteller(able[0].engine, able[0].name) if able else PlanItself()
