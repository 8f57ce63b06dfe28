"""A run asks its people as it learns, and says how well they can be told apart."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from custome.cli.app import main
from custome.corpus.build import build
from custome.errors import InputError
from custome.evaluation.panel import open_panel
from custome.reporter import METRICS_FILE, NullReporter, read_metrics
from tiny import make_tiny_base


def test_whoever_talks_like_the_book_is_recognised(corpus: Path):
    panel = open_panel(corpus, 3, canonical=True)
    asked = panel.asked("novel")
    cues = [request.speaker for request in asked]
    assert len(asked) == 6 and set(cues) == {"张大牛", "李小二"}
    assert all(
        re.fullmatch(
            f"{one.speaker}，《演义》中人。.*客问{one.speaker}曰：“[^”]+”", one.messages[0].content
        )
        for one in asked
    )  # as on the page
    for one in panel.asked("template"):
        told, question = one.messages
        assert (
            told.role == "system"
            and f"你就是{one.speaker}" in told.content
            and "问" + one.speaker not in question.content
        )
    own = ["俺怕甚酒肉" if cue == "张大牛" else "小人不敢吃酒" for cue in cues]
    other = ["小人不敢吃酒" if cue == "张大牛" else "俺怕甚酒肉" for cue in cues]
    assert panel.measure(own)["persona_voice"] == 1 and panel.measure(other)["persona_voice"] == 0
    alike = panel.measure(["俺怕甚酒肉"] * 6)
    assert (
        alike["persona_near"] == 1
        and alike["persona_length"] == 5
        and panel.measure(own)["persona_near"] == 0
    )


def test_a_run_draws_it(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    base = make_tiny_base(tmp_path / "base")
    words = [
        "train",
        "--base-model",
        str(base),
        "--train-path",
        str(corpus / "dialogues_train.jsonl"),
        "--names",
        "canonical",
        "--persona-prefix",
        "0.5",
        "--output-dir",
        str(tmp_path / "run"),
        "--steps",
        "2",
        "--batch-size",
        "2",
        "--micro-batch-size",
        "2",
        "--cutoff-len",
        "160",
        "--persona-questions",
        "2",
    ]
    assert main(words) == 0, capsys.readouterr()
    series = read_metrics(tmp_path / "run" / METRICS_FILE)
    assert [step for step, _ in series["persona_voice"]] == [0, 2]
    assert all(0 <= value <= 1 for _, value in series["persona_voice"] + series["persona_near"])
    # A second run of one in which nobody has a persona prefix has other data.
    words[words.index("0.5")] = "0"
    assert (
        main([*words, "--resume"]) == 2
        and "data.persona_prefix（0.5 → 0.0）" in capsys.readouterr().err
    )


@pytest.mark.parametrize("flag", ["--persona-prefix", "--persona-questions"])
def test_without_people_it_is_said(tmp_path: Path, flag: str, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "own.jsonl").write_text(
        '{"context": "问。", "chat": "答。"}\n' * 40, encoding="utf-8"
    )
    assert (
        main(
            ["train", "--train-path", str(tmp_path / "own.jsonl"), flag, "1", "--val-set-size", "4"]
        )
        == 2
    )
    assert "custome corpus build" in capsys.readouterr().err


def test_a_book_too_short_to_judge_is_named(tmp_path: Path):
    (tmp_path / "短.txt").write_text(
        "第1回 上\n" + "张三曰：“粮草何在？”李四曰：“在后。”" * 9, encoding="utf-8"
    )
    build([tmp_path / "短.txt"], tmp_path / "corpus", NullReporter())
    with pytest.raises(InputError, match="太少"):
        open_panel(tmp_path / "corpus", 2, canonical=True)
