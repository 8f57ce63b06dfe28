"""Training in a process of its own behind a page: it waits while somebody is answered, and tells how far it is.

Knows run folders and processes, neither engines nor pages: who is busy and what is to happen at the end are given.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from ...models.run_folder import has_run, read_run, training_process
from ...reporter import METRICS_FILE, read_metrics
from .run import LOG_FILE, TrainingRun

LOOK_EVERY_S = 0.2
"""Whether somebody is being answered."""
LONGEST_WAIT_S = 120.0
"""A training that waited so long goes on for a while, whoever is talking."""
GOES_ON_S = 20.0


class TrainingBehind:
    """Trains `folder` by its recipe.yaml, beginning or going on.

    Args:
        busy: is somebody being answered now?
        steps: of the whole run.
        done: called once, on a thread of its own, when the run is complete.
        place: where the recipe's relative paths start from, if not here.
    """

    def __init__(
        self,
        folder: Path,
        *,
        steps: int,
        busy: Callable[[], bool],
        done: Callable[[], None],
        place: Path | None = None,
    ) -> None:
        self._folder, self._steps, self._busy, self._done = folder, steps, busy, done
        self._place = place
        self._ended = threading.Event()
        self._failed = ""
        self._waits = False
        self._process = self._already() or self._begin()
        with suppress(psutil.Error, OSError):
            self._process.nice(10)
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _already(self) -> psutil.Process | None:
        """The process that trains this folder already, left behind by a server that was killed; it may be standing still."""
        number = training_process(self._folder)
        if number is None:
            return None
        process = psutil.Process(number)
        process.resume()
        return process

    def _begin(self) -> psutil.Process:
        folder = self._folder
        command = [
            sys.executable,
            "-m",
            "custome",
            "train",
            "--recipe",
            str((folder / "recipe.yaml").resolve()),
        ]
        command += ["--resume"] if has_run(folder) else []
        with (folder / LOG_FILE).open("ab") as log:
            return psutil.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self._place
            )

    def running(self) -> bool:
        """Neither complete nor stopped."""
        return not self._ended.is_set()

    def progress(self) -> str:
        """How far it is, in one line; '' once it is over."""
        if self._failed:
            return self._failed
        if self._ended.is_set():
            return ""
        series = read_metrics(self._folder / METRICS_FILE)
        step = series["loss"][-1][0] if "loss" in series else 0
        waits = "（有人在说话，等一等）" if self._waits else ""
        return (
            f"边聊边练：第 {step}/{self._steps} 步{self._left(step, series['time'])}{waits}；练好了自动换上"
            if step
            else f"边聊边练：正在准备{waits}"
        )

    def stop(self) -> None:
        """Save and leave, so that the next start goes on."""
        with suppress(psutil.Error):
            self._process.resume()
            if has_run(self._folder):
                TrainingRun(self._folder).stop()
            else:
                self._process.terminate()
            self._process.wait(timeout=60)

    def _ended_badly(self) -> bool:
        """Not by being asked to stop."""
        with suppress(psutil.Error):
            return self._process.wait(timeout=5) not in (0, 130, None)
        return False

    # -- inside ------------------------------------------------------------------------------------------------------

    def _left(self, step: int, looked: Sequence[tuple[int, float]]) -> str:
        """Of the time, by when the last steps ended."""
        times = [when for at, when in looked if at][-4:]
        if len(times) < 2 or step >= self._steps:
            return ""
        step_s = (times[-1] - times[0]) / (len(times) - 1)
        return f"，还要约 {max(1, round(step_s * (self._steps - step) / 60))} 分钟"

    def _watch(self) -> None:
        waited_since, until = 0.0, 0.0
        while self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE:
            now = time.monotonic()
            wants = self._busy() and now >= until
            if wants and waited_since and now - waited_since > LONGEST_WAIT_S:
                wants, until = False, now + GOES_ON_S
            if wants != self._waits:
                with suppress(psutil.Error):
                    self._process.suspend() if wants else self._process.resume()
                self._waits, waited_since = wants, now if wants else 0.0
            time.sleep(LOOK_EVERY_S)
        self._waits = False
        if has_run(self._folder) and read_run(self._folder).status == "complete":
            try:
                self._done()
            except Exception as error:
                self._failed = f"练好了，可是换不上：{error}"
        elif self._ended_badly():
            self._failed = f"训练没有成功，经过在 {self._folder / LOG_FILE}；能说话的还是原来那些"
        self._ended.set()
