"""Speakers and kinds on hand-labelled utterances of the four classics (offsets and labels only; the books are not ours)."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LABELS = Path(__file__).parent / "speakers"


def test_labels_are_well_formed():
    for path in LABELS.glob("*.jsonl"):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert len(rows) == len({row["offset"] for row in rows}) and len(rows) > 500
        for row in rows:
            assert set(row) == {"offset", "speaker", "aliases", "kind", "mode", "pool", "part"}
            assert row["kind"] in ("explicit", "anaphoric", "implicit", "none") and row["part"] in (
                "dev",
                "test",
            )
            assert (row["speaker"] == "无") == (row["kind"] == "none")


@pytest.mark.slow
@pytest.mark.parametrize(("tables", "least"), [(True, 0.93), (False, 0.90)])
def test_speakers_of_the_classics(request: pytest.FixtureRequest, tables: bool, least: float):
    """A floor under what benchmarks/corpus.py measures, below its interval, so that a change for the worse is seen."""
    novels = request.config.getoption("--novels")
    if novels is None:
        pytest.skip("the four classics are measured with --novels=FOLDER")
    spec = importlib.util.spec_from_file_location(
        "corpus_benchmark", REPOSITORY / "benchmarks" / "corpus.py"
    )
    assert spec and spec.loader
    benchmark = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = benchmark
    spec.loader.exec_module(benchmark)
    counts = benchmark.accuracy(Path(novels), "test", tables).counts

    def share(question: str) -> float:
        return counts[question][0] / counts[question][1]

    assert share("found") >= 0.98
    assert share("all") >= least
    assert share("hard") >= 0.60
    assert share("not speech") >= 0.75
