"""What a newcomer waits for: help, an error, the corpus, loading the base. Prints a table of measured times and limits.

python benchmarks/first_run.py            (fetches and prepares the embedded novel and base if they are not cached)
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from custome.corpus.build import build
from custome.reporter import ConsoleReporter, NullReporter
from custome.resources import fetch


def command_s(*words: str) -> float:
    start = time.monotonic()
    subprocess.run([sys.executable, "-m", "custome", *words], capture_output=True, check=False)
    return time.monotonic() - start


def corpus_s(novel: Path) -> float:
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        build([novel], Path(folder), NullReporter(), names=["sanguo"])
    return time.monotonic() - start


def load_s(folder: Path) -> float:
    from custome.models.loading import load_base

    start = time.monotonic()
    load_base(folder)
    return time.monotonic() - start


def main() -> None:
    from custome.models.sources import resolve_base

    novel, base = fetch("sanguo", ConsoleReporter()), resolve_base("embedded", ConsoleReporter())
    rows = [
        ("custome --help", min(command_s("--help") for _ in range(5)), 0.5),
        (
            "an error message",
            min(command_s("train", "--train-path", "nowhere.jsonl") for _ in range(5)),
            1.0,
        ),
        ("corpus of 120 chapters", min(corpus_s(novel) for _ in range(3)), 5.0),
        ("load the base (weights + tokenizer)", min(load_s(base) for _ in range(3)), 6.0),
    ]
    print(f"{'':38}{'seconds':>9}{'limit':>9}")
    for name, seconds, limit in rows:
        print(f"{name:38}{seconds:9.2f}{limit:9.1f}")


if __name__ == "__main__":
    main()
