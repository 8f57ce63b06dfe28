"""A book whose two people talk as differently as can be."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from custome.corpus.build import build
from custome.reporter import NullReporter

TALKS = {"张大牛": ("俺只要{}吃", "俺老牛怕甚{}"), "李小二": ("小人不敢{}", "小人有礼{}")}
WORDS = "酒肉刀马山水风云花鸟金木火土"


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, dice, chapters = tmp_path_factory.mktemp("panel"), random.Random(0), []
    for number in range(1, 121):
        said = [
            f"{name}曰：“{dice.choice(TALKS[name]).format(''.join(dice.choices(WORDS, k=8)))}。”"
            for name in TALKS
            for _ in range(6)
        ]
        chapters.append(
            f"第{number}回 {''.join(dice.choices(WORDS, k=7))}\n却说{''.join(dice.choices(WORDS, k=9))}。"
            + "".join(said)
        )
    (folder / "演义.txt").write_text("\n".join(chapters), encoding="utf-8")
    build([folder / "演义.txt"], folder / "corpus", NullReporter())
    return folder / "corpus"
