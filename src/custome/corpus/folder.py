"""A corpus folder: what lies where in it. Everybody who reads or writes one asks here.

corpus.json              what it was built from and how, and the funnel; marks the folder as ours
texts/NAME.txt           the book as read; every offset points into it
aliases/NAME.json        who goes by which names; edit it and run `corpus fix`
utterances.jsonl         every quotation, with kind, speaker, rule and confidence
dialogues.jsonl          scenes of several turns; dialogues_train and _valid: those of the chapters one may learn from, or check with
train · valid · test .jsonl   rows {"context", "chat"} + speaker, mention, novel, chapter, offset
NAME_qa.json, FOLDER_train.json, FOLDER_valid.json   the original project's files: rows with its two keys only
characters.json          who can be talked to
cast/                    what there is to know of them, copied into every run that is learnt from here (cast.py)
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import InputError
from ..files import read_text

Part = Literal["train", "valid", "test"]
MARK = "corpus.json"


@dataclass(frozen=True)
class CorpusFolder:
    """A folder that is a corpus, or is to become one."""

    path: Path

    @property
    def is_corpus(self) -> bool:
        return (self.path / MARK).is_file()

    @property
    def info_path(self) -> Path:
        return self.path / MARK

    def info(self) -> dict[str, Any]:
        """What corpus.json says.

        Raises:
            InputError: the folder is no corpus.
        """
        if not self.is_corpus:
            raise InputError(
                f"{str(self.path)!r} 不是语料目录（没有 {MARK}）",
                f"先做语料：custome corpus build 小说.txt -o {self.path}",
            )
        info: dict[str, Any] = json.loads(read_text(self.info_path, "语料说明"))
        return info

    def text_path(self, novel: str) -> Path:
        return self.path / "texts" / f"{novel}.txt"

    def text(self, novel: str) -> str:
        return read_text(self.text_path(novel), "小说正文")

    def texts(self) -> list[str]:
        """All books, by name."""
        return [read_text(path, "书") for path in sorted((self.path / "texts").glob("*.txt"))]

    def aliases_path(self, novel: str) -> Path:
        return self.path / "aliases" / f"{novel}.json"

    @property
    def utterances_path(self) -> Path:
        return self.path / "utterances.jsonl"

    def utterances(self) -> list[dict[str, Any]]:
        """Every quotation, as a row."""
        lines = read_text(self.utterances_path, "语料").split("\n")
        return [json.loads(line) for line in lines if line]

    def rows(self, *parts: Part) -> list[dict[str, Any]]:
        """The rows of some parts, as many as there are."""
        found = []
        for path in map(self.rows_path, parts):
            lines = read_text(path, "语料").split("\n") if path.is_file() else []
            found += [json.loads(line) for line in lines if line]
        return found

    def rows_path(self, part: Part) -> Path:
        return self.path / f"{part}.jsonl"

    def dialogues_path(self, part: Part | None = None) -> Path:
        """Scenes of a part; of all chapters without one."""
        return self.path / f"dialogues{'_' + part if part else ''}.jsonl"
