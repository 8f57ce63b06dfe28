"""A training run seen from outside: how far it is, what it measured and answered, stop and resume. Needs only its folder;
the run itself may be any process of this machine, or none.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import psutil

from ...errors import RunError
from ...files import write_json
from ...models.run_folder import PROCESS_FILE, SAMPLES_FILE, STOP_FILE, training_process
from ...reporter import METRICS_FILE, read_metrics

LOG_FILE = "train.log"
Status = Literal["running", "stopped", "complete"]


class TrainingRun:
    """One run folder.

    Raises:
        RunError: it is no run folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / "run.json").is_file():
            raise RunError(
                f"{str(folder)!r} 不是训练目录：里面没有 run.json",
                "先开始训练：custome train --output-dir runs/名字，再 custome watch runs/名字",
            )

    def info(self) -> dict[str, Any]:
        raw: dict[str, Any] = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        return raw

    def status(self) -> Status:
        """complete once run.json says so; running while its process lives."""
        if self.info()["status"] == "complete":
            return "complete"
        return "stopped" if training_process(self.folder) is None else "running"

    def series(self) -> dict[str, list[tuple[int, float]]]:
        """Name → (step, value)."""
        return read_metrics(self.folder / METRICS_FILE)

    def samples(self) -> list[dict[str, Any]]:
        """One entry an evaluation: step, and the replies to the same questions."""
        path = self.folder / SAMPLES_FILE
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.is_file() else []
        return [json.loads(line) for line in lines]

    def stop(self) -> None:
        """Ask the run to save and leave."""
        if self.status() == "running":
            (self.folder / STOP_FILE).touch()

    def resume(self) -> None:
        """Go on in a process of its own, which outlives this one; what it says goes to train.log.

        Raises:
            RunError: it is running or complete.
        """
        if (status := self.status()) != "stopped":
            raise RunError(
                f"{str(self.folder)!r} 现在的状态是 {status}，不用接着训练",
                f"看它：custome watch {self.folder}",
            )
        folder, started_in = self.folder.resolve(), Path(self.info().get("started_in") or ".")
        command = [
            sys.executable,
            "-m",
            "custome",
            "train",
            "--recipe",
            str(folder / "recipe.yaml"),
            "--output-dir",
            str(folder),
            "--resume",
        ]
        with (folder / LOG_FILE).open("ab") as log:
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                cwd=started_in if started_in.is_dir() else None,
            )
        # It needs seconds to load; nobody may start another one meanwhile.
        write_json(
            folder / PROCESS_FILE,
            {"pid": process.pid, "created": psutil.Process(process.pid).create_time()},
        )
