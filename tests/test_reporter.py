"""Reporters: what a log file shows, and what metrics.jsonl keeps when a run goes on."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from custome import reporter as reporters
from custome.reporter import ConsoleReporter, FanOut, JsonlReporter, NullReporter


def test_a_resumed_run_drops_the_lines_it_will_redo(tmp_path: Path):
    path = tmp_path / "metrics.jsonl"
    first = JsonlReporter(path)
    for step in range(5):
        first.metrics(step, {"loss": float(step)})
    first.close()
    with path.open("a", encoding="utf-8") as file:
        file.write('{"step": 5, "lo')  # killed in the middle of a line
    again = JsonlReporter(path, keep_through_step=2)
    again.metrics(3, {"loss": 30.0})
    again.close()
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [row["step"] for row in rows] == [0, 1, 2, 3] and rows[-1]["loss"] == 30.0


def test_a_log_file_gets_lines_with_eta_now_and_then(monkeypatch: pytest.MonkeyPatch):
    clock = iter(float(t) for t in range(0, 1000, 10))
    monkeypatch.setattr(reporters.time, "monotonic", lambda: next(clock))
    out = io.StringIO()
    reporter = ConsoleReporter(Console(file=out, width=120))
    for done in range(1, 5):
        reporter.progress("训练", done, 4, "损失 1.0")
    lines = out.getvalue().splitlines()
    assert "50%" not in lines[0] or "剩余约" in lines[0]
    assert "100%" in lines[-1] and "用时" in lines[-1] and "损失 1.0" in lines[-1]
    assert len(lines) < 4


def test_fan_out_reaches_everybody():
    heard = []

    class Ear(NullReporter):
        def note(self, text: str) -> None:
            heard.append(text)

    FanOut([Ear(), Ear()]).note("听")
    assert heard == ["听", "听"]
