"""Rows on disk: read, or refused with file, line, key and reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from custome.corpus.formats import read_samples
from custome.errors import DataError, InputError

GOOD = '{"context": "甲曰：", "chat": "“来。”"}'


def test_the_seeds_two_keys_are_enough(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_text(
        GOOD + "\n\n" + GOOD.replace("}", ', "speaker": "张三", "extra": [1]}') + "\n",
        encoding="utf-8",
    )
    one, two = read_samples(path)
    assert (one.context, one.chat, one.speaker) == ("甲曰：", "“来。”", "")
    assert two.speaker == "张三" and two.source == f"{path}:3"


def test_a_json_list_is_read_as_well(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_text(f"[{GOOD}, {GOOD}]", encoding="utf-8")
    assert len(read_samples(path)) == 2


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("{nope", "JSON"),
        ("[1", "JSON"),
        ('{"context": "甲"}', "'chat'"),
        ('{"chat": "乙"}', "'context'"),
        ("3", "对象"),
        ('{"context": 1, "chat": "乙"}', "'context'"),
        ('{"context": "甲", "chat": " "}', "空"),
    ],
)
def test_a_bad_row_names_line_and_reason(tmp_path: Path, bad: str, words: str):
    path = tmp_path / "a.jsonl"
    path.write_text(f"{GOOD}\n{bad}\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_samples(path)
    assert (
        f"{path}:2" in caught.value.message and words in caught.value.message and caught.value.hint
    )


def test_text_in_another_encoding_points_to_the_corpus_command(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_bytes("第一回　甲曰".encode("gb18030"))
    with pytest.raises(InputError) as caught:
        read_samples(path)
    assert "custome corpus build" in caught.value.hint
