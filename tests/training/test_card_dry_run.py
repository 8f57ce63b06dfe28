"""The check for cards runs to its end where there is none: on a CPU, with tiny shapes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_check_for_cards_runs_dry(tmp_path: Path):
    done = subprocess.run(
        ["bash", "benchmarks/cuda.sh", "--dry-run", "--only", "LoRA,seed,answer", "--steps", "1"],
        cwd=ROOT,
        env={**os.environ, "PYTHON": sys.executable, "OUT": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    rows = {row["part"]: row for row in json.loads((tmp_path / "cuda.json").read_text())["rows"]}
    assert {"tiny LoRA", "tiny QLoRA nf4", "tiny seed", "tiny answer"} <= set(rows)
    assert not any("error" in row for row in rows.values())
    assert "| tiny LoRA |" in (tmp_path / "cuda.md").read_text(encoding="utf-8")
