"""A corpus → a file of lessons for a novelist, which `custome train` learns like any other: what is asked, and the passage that did it."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

from ...corpus.folder import CorpusFolder
from ...corpus.text import split_chapters
from ...errors import InputError
from ...files import disk_errors, read_text, write_json, write_jsonl
from .passages import asked, lessons

MARK = "novelist.json"
"""Stands in a run folder whose model was taught to write novels."""
HELD_OUT = 20
"""Every so many chapters one is held out."""
VALID = 200
"""Most passages to validate with."""


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """Where they lie, and how many there are."""

    train: Path
    valid: Path
    learnt: int
    held_out: int


def write_lessons(corpus: Path, folder: Path, *, seed: int = 0) -> Lessons:
    """The lessons of all books of a corpus.

    Raises:
        InputError: it is no corpus, or there is no prose in it.
    """
    source = CorpusFolder(corpus)
    source.info()
    learnt: list[dict[str, str]] = []
    held_out: list[dict[str, str]] = []
    for path in sorted((corpus / "texts").glob("*.txt")):
        text = source.text(path.stem)
        chapters = [text[one.start : one.end] for one in split_chapters(text)]
        people = json.loads(read_text(source.aliases_path(path.stem), "别名表"))["people"]
        for number, plan, passage in lessons(chapters, people, seed=seed):
            row = {"context": asked(plan), "chat": passage}
            (held_out if number % HELD_OUT == 0 else learnt).append(row)
    if not learnt:
        raise InputError(
            f"{str(corpus)!r} 里没有可学的正文", "要有成段的叙事；只有对话的语料学不了写小说"
        )
    random.Random(seed).shuffle(learnt)
    random.Random(seed).shuffle(held_out)
    made = Lessons(
        train=folder / "train.jsonl",
        valid=folder / "valid.jsonl",
        learnt=len(learnt),
        held_out=min(VALID, len(held_out)),
    )
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_jsonl(made.train, learnt)
    write_jsonl(made.valid, held_out[:VALID])
    return made


def mark_as_novelist(run: Path, corpus: Path) -> None:
    """Note in a run folder what its model was taught."""
    write_json(run / MARK, {"corpus": str(corpus)})


def is_novelist(run: Path | None) -> bool:
    return run is not None and (run / MARK).is_file()
