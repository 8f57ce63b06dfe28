"""The effect table, on scripted engines: what is asked, what is shown, what is escaped."""

from __future__ import annotations

from pathlib import Path

import pytest

from custome.corpus.cast import Cast, Line
from custome.engine.scripted import ScriptedEngine
from custome.errors import DataError
from custome.evaluation.compare import (
    ask_both,
    compare,
    markdown,
    numbers,
    read_prompts,
    valid_samples,
    web_page,
    write,
)
from custome.reporter import NullReporter
from custome.types import Reply, Sample

PROMPTS = [("救猫？", "诸葛亮"), ("自己写。曹操曰：", "")]
VALID = [Sample(context="甲曰：", chat="“一二三”"), Sample(context="乙曰：", chat="“四”")]


def says(text: str):
    """Somebody who always answers the same."""
    return lambda jobs, greedy: (
        [Reply(text=text, prompt_tokens=1, completion_tokens=1, finish_reason="stop")] * len(jobs)
    )


def result():
    rows = ask_both(says("<b>底|座</b>"), says("微调"), PROMPTS, NullReporter())
    return compare(
        "run",
        rows,
        base=ScriptedEngine(),
        tuned=ScriptedEngine(),
        valid=VALID,
        cast=Cast(),
        reporter=NullReporter(),
    )


def test_both_are_asked_everything_greedy_and_drawn():
    found = result()
    assert [row.replies for row in found.rows] == [
        ("<b>底|座</b>", "微调", "<b>底|座</b>", "微调")
    ] * 2
    assert found.losses == (1.0, 1.0) and found.valid_rows == 2 and not found.senses


def test_a_base_that_follows_orders_reads_the_replies_and_voices_are_told_apart():
    base = ScriptedEngine()
    base.kind = "template"
    lines = [
        Line(speaker=name, text=text, chapter=1, asked="", novel="x")
        for name, text in (("甲", "吾有妙计在此"), ("乙", "俺要吃酒去"))
    ]
    asked = [("如何？", "甲"), ("何往？", "乙")]
    rows = ask_both(says("吾有妙计在此"), says("俺要吃酒去"), asked, NullReporter())
    found = compare(
        "run",
        rows,
        base=base,
        tuned=ScriptedEngine(),
        valid=VALID,
        cast=Cast(lines=tuple(lines * 20)),
        reporter=NullReporter(),
    )
    assert len(found.senses) == 2 and found.voices == (0.5, 0.5)
    assert [row[0] for row in numbers(found)[1]][:2] == [
        "认得出是谁",
        "自己的问题最像（碰巧 0.17）",
    ]


def test_documents_escape_what_models_say(tmp_path: Path):
    found = result()
    assert "<b>底\\|座</b>" in markdown(found) and "困惑度" in markdown(found)
    page = web_page(found)
    assert "&lt;b&gt;底|座&lt;/b&gt;" in page and "<b>" not in page
    assert "http" not in page.replace("http-equiv", "")  # self-contained
    paths = write(found, tmp_path)
    assert [path.read_text(encoding="utf-8") for path in paths] == [markdown(found), page]
    assert numbers(found)[1][-1][1] == "2.7"  # perplexity of 1 nat


def test_shipped_prompts_are_the_seeds_and_have_speakers():
    prompts = read_prompts(None)
    text = "".join(context for context, _ in prompts)
    for words in ("三国归晋", "明朝被清朝取代", "国富民强", "pua", "救名画还是救猫"):
        assert words in text
    assert all(speaker for _, speaker in prompts)


def test_prompt_files_of_both_kinds_and_their_errors(tmp_path: Path):
    path = tmp_path / "p.txt"
    path.write_text('救猫？曹操曰：\n\n{"context": "甲", "speaker": "乙"}\n', encoding="utf-8")
    assert read_prompts(path) == [("救猫？曹操曰：", ""), ("甲", "乙")]
    path.write_text('甲\n{"speaker": "乙"}\n', encoding="utf-8")
    with pytest.raises(DataError, match="p.txt:2"):
        read_prompts(path)


def test_a_run_without_held_out_rows_has_no_loss(tmp_path: Path):
    assert valid_samples(tmp_path, 5) == []
    rows = ask_both(says("甲"), says("乙"), [("问", "")], NullReporter())
    found = compare(
        "run",
        rows,
        base=ScriptedEngine(),
        tuned=ScriptedEngine(),
        valid=[],
        cast=Cast(),
        reporter=NullReporter(),
    )
    assert "困惑度" not in markdown(found) and "问" in markdown(found)
