"""The effect table, on scripted engines: what is asked, what is shown, what is escaped."""

from __future__ import annotations

from pathlib import Path

import pytest

from custome.engine.scripted import ScriptedEngine
from custome.errors import DataError
from custome.evaluation.compare import compare, loss_table, markdown, read_prompts, valid_samples, web_page, write
from custome.report import NullReporter
from custome.types import Character, Sample

PEOPLE = [Character(name="诸葛亮", cue="孔明")]
VALID = [Sample(context="甲曰：", chat="“一二三”"), Sample(context="乙曰：", chat="“四”")]


def result():
    base, tuned = ScriptedEngine(["<b>底|座</b>"]), ScriptedEngine(["微调"])
    return compare(base, tuned, [("救猫？", "诸葛亮"), ("自己写。曹操曰：", "")], PEOPLE, VALID, NullReporter()), base


def test_everybody_is_asked_with_the_cue_of_the_book():
    found, base = result()
    assert [request.speaker for request in base.requests[:2]] == ["孔明", ""]
    assert [row.replies for row in found.rows] == [("<b>底|座</b>", "微调", "<b>底|座</b>", "微调")] * 2
    assert found.losses == (1.0, 1.0) and found.valid_rows == 2


def test_documents_escape_what_models_say(tmp_path: Path):
    found, _ = result()
    assert "<b>底\\|座</b>" in markdown(found) and "困惑度" in markdown(found)
    page = web_page(found)
    assert "&lt;b&gt;底|座&lt;/b&gt;" in page and "<b>" not in page
    assert "http" not in page.replace("http-equiv", "")  # self-contained
    paths = write(found, tmp_path)
    assert [path.read_text(encoding="utf-8") for path in paths] == [markdown(found), page]
    assert loss_table(found)[1][1][1] == "2.7"  # perplexity of 1 nat


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
    found = compare(ScriptedEngine(["甲"]), ScriptedEngine(["乙"]), [("问", "")], [], [], NullReporter())
    assert "困惑度" not in markdown(found)
