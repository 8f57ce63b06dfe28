"""Books, corpora and runs under one folder, and the work that goes on there: what `custome corpus build`, `train`, `compare`
and `export` do on the command line, begun from a page. The work is done by those very commands in processes of their own.

books/      what was brought      corpus/NAME  runs/NAME  exports/…   as the commands write them      logs/   what they said
"""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from ... import recipe_file
from ...corpus.folder import CorpusFolder
from ...errors import CustomeError, InputError, RunError
from ...files import atomic_file, write_text
from ...models.run_folder import has_run
from ...resources import EMBEDDED_NOVEL, book_name
from .behind import TrainingBehind
from .choosing import Chosen, choose_recipe, rates_here, without_missing
from .run import TrainingRun

READABLE = (
    ".txt",
    ".md",
    ".html",
    ".htm",
    ".epub",
    ".json",
    ".csv",
    ".tsv",
    ".srt",
    ".vtt",
    ".ass",
)
LONGEST_NAME = 60
REPORT_FILE, COMPARE_FILE = "report.html", "compare.html"


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A corpus as the page lists it."""

    name: str
    novels: tuple[str, ...]
    dialogues: int


class Job:
    """A command of this program in a process of its own; it is over when it says so, and its log stays."""

    def __init__(self, what: str, words: Sequence[str], log: Path, place: Path) -> None:
        self.what, self.began, self._log = what, time.monotonic(), log
        self.stopped = False
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "custome", *words],
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                cwd=place,
            )

    @property
    def seconds(self) -> int:
        return round(time.monotonic() - self.began)

    def running(self) -> bool:
        return self._process.poll() is None

    def failed(self) -> bool:
        """It ended, and neither well nor because it was stopped."""
        return not self.stopped and self._process.poll() not in (None, 0)

    def last_line(self) -> str:
        """What it said last."""
        with suppress(OSError):
            lines = self._log.read_text(encoding="utf-8", errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "")
        return ""

    def error(self) -> CustomeError:
        """What it complained of: the command line's last two lines."""
        lines = [""]
        with suppress(OSError):
            lines = self._log.read_text(encoding="utf-8", errors="replace").strip().split("\n")
        said = [re.sub("^(错误|怎么办)：", "", line.strip()) for line in lines[-2:]]
        return CustomeError(said[0], " ".join(said[1:]))

    def stop(self) -> None:
        """Break it off."""
        self.stopped = True
        with suppress(psutil.Error, OSError):
            process = psutil.Process(self._process.pid)
            for one in [*process.children(recursive=True), process]:
                one.terminate()


class Workshop:
    """One folder.

    Args:
        place: where `custome` was started.
        busy: is somebody being answered now?
        serve: puts a complete run, or one that was served before, among what one can talk to.
    """

    def __init__(
        self, place: Path, *, busy: Callable[[], bool], serve: Callable[[Path], None]
    ) -> None:
        self.place, self._busy, self._serve = place, busy, serve
        self.job: Job | None = None
        self._counted: dict[Path, tuple[float, int]] = {}
        """Corpus → when it was built, and its rows."""
        self._behind: TrainingBehind | None = None
        self._lock = threading.Lock()

    # -- what is there -----------------------------------------------------------------------------------------------

    def corpora(self) -> list[Corpus]:
        """Whatever lies in corpus/, by name."""
        found = []
        for path in sorted((self.place / "corpus").glob("*")):
            folder = CorpusFolder(path)
            if folder.is_corpus:
                novels = tuple(folder.info()["novels"])
                found.append(Corpus(name=path.name, novels=novels, dialogues=self._rows_of(folder)))
        return found

    def runs(self) -> list[TrainingRun]:
        """Whatever lies in runs/, newest first."""
        paths = [path for path in (self.place / "runs").glob("*") if has_run(path)]
        return [TrainingRun(path) for path in sorted(paths, key=_changed, reverse=True)]

    def run(self, name: str) -> TrainingRun:
        """A run by its name.

        Raises:
            RunError: there is none.
        """
        return TrainingRun(self.place / "runs" / checked(name))

    def report(self, name: str) -> Path:
        """The page of a corpus, drawn when first asked for, or when the corpus is newer."""
        from ...corpus.page import write_page

        folder = CorpusFolder(self.place / "corpus" / checked(name))
        folder.info()
        page = folder.path / REPORT_FILE
        if not page.is_file() or page.stat().st_mtime < folder.info_path.stat().st_mtime:
            write_page(folder.path)
        return page

    def comparison(self, name: str) -> Path | None:
        """The page of a comparison that was made."""
        page = self.run(name).folder / COMPARE_FILE
        return page if page.is_file() else None

    # -- books -------------------------------------------------------------------------------------------------------

    def keep_book(self, file: str, data: bytes) -> Path:
        """Keep what was brought under books/.

        Raises:
            InputError: it is of a kind that is not read.
        """
        path = Path(file.replace("\\", "/"))
        if path.suffix.lower() not in READABLE:
            raise InputError(
                f"{path.name!r} 不是读得了的书", f"要 {'、'.join(READABLE)}；pdf 先另存为 txt"
            )
        stem, kind = checked(path.stem), path.suffix.lower()
        names = [stem, *(f"{stem}-{number}" for number in range(2, 1000))]
        books = [self.place / "books" / (name + kind) for name in names]
        # another book of the same name is another book
        target = next(one for one in books if not one.is_file() or one.read_bytes() == data)
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(target) as temporary:
            temporary.write_bytes(data)
        return target

    def build(self, book: str) -> str:
        """Begin to make a corpus of a book, a file or EMBEDDED_NOVEL; its name."""
        name = checked(book_name(book))
        source = book if book == EMBEDDED_NOVEL else str(Path(book).resolve())
        self._begin(name, ["corpus", "build", source, "-o", f"corpus/{name}"])
        return name

    # -- training ----------------------------------------------------------------------------------------------------

    def plan(self, corpus: str, base: str, minutes: float) -> Chosen:
        """What training on a corpus would take. May measure for a few seconds.

        Raises:
            InputError: there is no such corpus.
        """
        CorpusFolder(self.place / "corpus" / checked(corpus)).info()
        return choose_recipe(corpus, rates_here, base=base, minutes=minutes)

    def train(self, chosen: Chosen, name: str) -> None:
        """Begin a new run; it gives way to whoever is being answered, and is served when it is done.

        Raises:
            RunError: something else is being trained, or the name is taken.
        """
        folder = self.place / "runs" / checked(name)
        with self._lock:
            self._nothing_else()
            if has_run(folder) or (folder / "adapter_config.json").is_file():
                raise RunError(f"已经有模型叫 {name!r}", "换一个名字")
            recipe = without_missing(chosen.recipe, self.place)
            train = dataclasses.replace(recipe.train, output_dir=f"runs/{name}")
            recipe = dataclasses.replace(recipe, train=train).resolved()
            recipe.check()
            write_text(folder / "recipe.yaml", recipe_file.dump(recipe))
            self._behind = self._train_behind(folder, recipe.train.steps)

    def go_on(self, name: str) -> None:
        """Go on with a run that stands still.

        Raises:
            RunError: it does not, or something else is being trained.
        """
        run = self.run(name)
        with self._lock:
            self._nothing_else()
            if run.status() != "stopped":
                raise RunError(f"{name!r} 不是停着的", "看看它现在怎样")
            self._behind = self._train_behind(run.folder, int(run.info().get("steps") or 0))

    def talk(self, name: str) -> None:
        """Put a run among what one can talk to; takes as long as its model takes to load."""
        self._serve(self.run(name).folder)

    # -- other work --------------------------------------------------------------------------------------------------

    def compare(self, name: str) -> None:
        self._begin(name, ["compare", str(self.run(name).folder)])

    def export(self, name: str, to: str, quant: str) -> None:
        """Begin to write a run for other programs, into exports/."""
        self._begin(name, ["export", str(self.run(name).folder), "--to", to, "--quant", quant])

    def progress(self) -> str:
        """What goes on, in one line for every page; '' when nothing does."""
        if self._behind is not None and (line := self._behind.progress()):
            return line
        job = self.job
        return f"{job.what}：{job.last_line()}" if job is not None and job.running() else ""

    def stop(self) -> None:
        """Training saves and leaves; other work is broken off. Called when the server goes down."""
        if self._behind is not None:
            self._behind.stop()
        if self.job is not None and self.job.running():
            self.job.stop()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _rows_of(self, folder: CorpusFolder) -> int:
        """Counted once for each time it was built: pages ask every two seconds."""
        built = folder.info_path.stat().st_mtime
        if self._counted.get(folder.path, (0.0, 0))[0] != built:
            paths = [folder.rows_path(part) for part in ("train", "valid", "test")]
            count = sum(path.read_bytes().count(b"\n") for path in paths if path.is_file())
            self._counted[folder.path] = (built, count)
        return self._counted[folder.path][1]

    def _nothing_else(self) -> None:
        for run in self.runs():
            if run.status() == "running":
                raise RunError(f"正在练 {run.folder.name!r}", "等它练完，或先停下它")
        if self._behind is not None and self._behind.running():
            raise RunError("正在练另一个", "等它练完，或先停下它")

    def _train_behind(self, folder: Path, steps: int) -> TrainingBehind:
        return TrainingBehind(
            folder, steps=steps, busy=self._busy, done=lambda: self._serve(folder), place=self.place
        )

    def _begin(self, name: str, words: list[str]) -> None:
        with self._lock:
            if self.job is not None and self.job.running():
                raise RunError(f"正在{self.job.what}", "等它做完，或先停下它")
            kind = words[0]
            doing = {"corpus": "做语料", "compare": "对比", "export": "导出"}[kind]
            log = self.place / "logs" / f"{kind}-{name}.log"
            self.job = Job(f"{doing} {name}", words, log, self.place)


def checked(name: str) -> str:
    """A name that is a file's name and nothing else.

    Raises:
        InputError: it is not.
    """
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or re.search(r'[/\\:*?"<>|\x00-\x1f]|^[.-]', name):
        raise InputError(
            f"{name[:LONGEST_NAME]!r} 做不了名字",
            f'不超过 {LONGEST_NAME} 个字，不用 / \\ : * ? " < > |，不以点或横线开头',
        )
    return name


def _changed(folder: Path) -> float:
    with suppress(OSError):
        return (folder / "run.json").stat().st_mtime
    return 0.0
