"""How long work speaks: a Reporter is handed down, and only its owner decides what is shown or written.

Four kinds: console (rich: bars with ETA on a terminal, a line now and then in a log file), metrics.jsonl, null, and a
fan-out. Knows nothing of what is being done.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from .files import disk_errors, write_text

QUIET_LINE_EVERY_S = 15.0


class Reporter(Protocol):
    """Receives progress, notes, tables and metrics of long work."""

    def stage(self, title: str) -> None:
        """A new part of the work begins."""

    def note(self, text: str) -> None:
        """One line worth reading."""

    def progress(self, task: str, done: float, total: float, detail: str = "") -> None:
        """`done` of `total` (any unit); equal values end the bar."""

    def table(self, title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A small table, such as a funnel."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers of one training step."""

    def close(self) -> None:
        """End all bars and files."""


class NullReporter:
    """Says nothing."""

    def stage(self, title: str) -> None: ...
    def note(self, text: str) -> None: ...
    def progress(self, task: str, done: float, total: float, detail: str = "") -> None: ...
    def table(self, title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None: ...
    def metrics(self, step: int, values: Mapping[str, float]) -> None: ...
    def close(self) -> None: ...


class FanOut:
    """Says everything to several reporters, in order."""

    def __init__(self, reporters: Iterable[Reporter]) -> None:
        self._reporters = list(reporters)

    def stage(self, title: str) -> None:
        for reporter in self._reporters:
            reporter.stage(title)

    def note(self, text: str) -> None:
        for reporter in self._reporters:
            reporter.note(text)

    def progress(self, task: str, done: float, total: float, detail: str = "") -> None:
        for reporter in self._reporters:
            reporter.progress(task, done, total, detail)

    def table(self, title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        for reporter in self._reporters:
            reporter.table(title, head, rows)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        for reporter in self._reporters:
            reporter.metrics(step, values)

    def close(self) -> None:
        for reporter in self._reporters:
            reporter.close()


class ConsoleReporter(NullReporter):
    """For people: bars with ETA on a terminal; where output is a file, one line every 15 s instead."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._quiet: dict[
            str, tuple[float, float, float]
        ] = {}  # task → (started at, done then, last line at), monotonic s

    def stage(self, title: str) -> None:
        self._end_bars()
        self._console.print(f"\n[bold cyan]▶ {title}[/]")

    def note(self, text: str) -> None:
        self._console.print(f"  {text}", markup=False, soft_wrap=True)

    def table(self, title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
        for index, name in enumerate(head):
            table.add_column(name, justify="left" if index == 0 else "right", overflow="fold")
        for row in rows:
            table.add_row(*row)
        self._console.print(table)

    def progress(self, task: str, done: float, total: float, detail: str = "") -> None:
        if not self._console.is_terminal:
            self._progress_line(task, done, total, detail)
            return
        if self._bars is None:
            self._bars = Progress(
                TextColumn("  {task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.percentage:>3.0f}%"),
                TimeElapsedColumn(),
                TextColumn("剩余"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[detail]}"),
                console=self._console,
            )
            self._bars.start()
        if task not in self._tasks:
            self._tasks[task] = self._bars.add_task(task, total=total, detail=detail)
        self._bars.update(self._tasks[task], completed=done, total=total, detail=detail)
        if done >= total:
            del self._tasks[task]
            if not self._tasks:
                self._end_bars()

    def _progress_line(self, task: str, done: float, total: float, detail: str) -> None:
        now = time.monotonic()
        started, before, last = self._quiet.setdefault(task, (now, done, now))
        if done < total and now - last < QUIET_LINE_EVERY_S:
            return
        if done >= total:
            del self._quiet[task]
            eta = f"用时 {now - started:.0f} 秒"
        else:
            self._quiet[task] = (started, before, now)
            eta = (
                f"剩余约 {(now - started) / (done - before) * (total - done):.0f} 秒"
                if done > before
                else "…"
            )
        self.note(f"{task} {100 * done / max(total, 1e-9):.0f}% {eta} {detail}".rstrip())

    def _end_bars(self) -> None:
        if self._bars is not None:
            self._bars.stop()
        self._bars, self._tasks = None, {}

    def close(self) -> None:
        self._end_bars()


METRICS_FILE = "metrics.jsonl"


def read_metrics(path: Path) -> dict[str, list[tuple[int, float]]]:
    """Name → (step, value) in order, from metrics.jsonl; a step written twice keeps the later value."""
    series: dict[str, dict[int, float]] = {}
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
    for row in (
        json.loads(line) for line in lines if line.endswith("\n")
    ):  # the last line may be half written
        for name, value in row.items():
            if name != "step":
                series.setdefault(name, {})[row["step"]] = value
    return {name: sorted(points.items()) for name, points in series.items()}


class JsonlReporter(NullReporter):
    """metrics.jsonl: one line a call, flushed, so that a crash loses nothing. A resumed run drops what it will redo."""

    def __init__(self, path: Path, keep_through_step: int = -1) -> None:
        self._path = path
        kept = []
        if path.exists() and keep_through_step >= 0:
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [
                line
                for line in lines
                if line.endswith("\n") and json.loads(line)["step"] <= keep_through_step
            ]
        write_text(path, "".join(kept))
        self._file = path.open("a", encoding="utf-8")

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        row: dict[str, Any] = {"step": step, "time": round(time.time(), 3), **values}
        with disk_errors(self._path):
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()

    def close(self) -> None:
        self._file.close()
