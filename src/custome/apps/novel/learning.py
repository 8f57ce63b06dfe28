"""A corpus → a file of lessons for a novelist, which `custome train` learns like any other: what is asked, and the passage that did it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ...corpus.folder import CorpusFolder
from ...corpus.text import split_chapters
from ...engine.base import Engine
from ...errors import InputError
from ...files import disk_errors, read_text, write_json, write_jsonl
from .passages import Keywords, Material, asked, material
from .retelling import plan_of_lesson, retold
from .style import Manner, manner

MARK = "novelist.json"
"""Stands in a run folder whose model was taught to write novels."""
FOLDER, RETOLD = "novelist", "retold.jsonl"
"""In a corpus: where its lessons are put, and what was told again for them."""
HELD_OUT = 20
"""Every so many chapters one is held out."""
VALID = 48
"""Lessons to validate with."""
AT_ONCE = 8
"""Passages that are told again together."""

OnProgress = Callable[[int, int], None]
"""(lessons so far, all that are wanted)"""


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """Where they lie, and how many there are."""

    train: Path
    valid: Path
    learnt: int
    held_out: int


def write_lessons(
    corpus: Path,
    engine: Callable[[], Engine],
    wanted: int,
    *,
    seed: int = 0,
    seen: OnProgress | None = None,
) -> Lessons:
    """Lessons of all books of a corpus, in a folder of its own there; as many as are wanted or as there are.

    What was told again is kept in `retold.jsonl`, so that a stopped run goes on where it was.

    Args:
        engine: opens the model that tells passages again; not asked where all were.

    Raises:
        InputError: it is no corpus, or there is no prose in it.
    """
    learnt, held_out = _divided(_passages_of(corpus, seed))
    if not learnt:
        raise InputError(
            f"{str(corpus)!r} 里没有可学的正文", "要有成段的叙事；只有对话的语料学不了写小说"
        )
    folder, dice = corpus / FOLDER, random.Random(seed)
    dice.shuffle(learnt)
    dice.shuffle(held_out)
    told = _Retold(folder, engine)
    try:
        whole = wanted + min(VALID, len(held_out))
        train = told.some(learnt, wanted, lambda done: seen and seen(done, whole))
        valid = told.some(held_out, VALID, lambda done: seen and seen(len(train) + done, whole))
    finally:
        told.close()
    keywords = Keywords([one.text for one in learnt])
    made = Lessons(
        train=folder / "train.jsonl",
        valid=folder / "valid.jsonl",
        learnt=len(train),
        held_out=len(valid),
    )
    for path, some in ((made.train, train), (made.valid, valid)):
        rows = (
            {"context": asked(plan_of_lesson(one, plain, keywords, dice)), "chat": one.text}
            for one, plain in some
        )
        write_jsonl(path, rows)
    return made


def _passages_of(corpus: Path, seed: int) -> list[Material]:
    source = CorpusFolder(corpus)
    source.info()
    found = []
    for path in sorted((corpus / "texts").glob("*.txt")):
        text = source.text(path.stem)
        chapters = [text[one.start : one.end] for one in split_chapters(text)]
        people = json.loads(read_text(source.aliases_path(path.stem), "别名表"))["people"]
        found += material(chapters, people, seed=seed)
    return found


def _divided(every: Sequence[Material]) -> tuple[list[Material], list[Material]]:
    """(to learn from, to validate with); of a book without chapters every twentieth passage is held out."""
    chapters = {one.chapter for one in every}
    if len(chapters) < HELD_OUT:
        return [one for at, one in enumerate(every, 1) if at % HELD_OUT], list(
            every[HELD_OUT - 1 :: HELD_OUT]
        )
    held_out = [one for one in every if one.chapter % HELD_OUT == 0]
    return [one for one in every if one.chapter % HELD_OUT], held_out


class _Retold:
    """What was told again, kept as it is made."""

    def __init__(self, folder: Path, engine: Callable[[], Engine]) -> None:
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._path, self._open = folder / RETOLD, engine
        self._engine: Engine | None = None
        rows = [json.loads(line) for line in _lines(self._path)]
        self._plain = {row["text"]: row["plain"] for row in rows}

    def some(
        self, every: Sequence[Material], wanted: int, done: Callable[[int], object]
    ) -> list[tuple[Material, str]]:
        """The first that can be told again, with how."""
        found: list[tuple[Material, str]] = []
        for start in range(0, len(every), AT_ONCE):
            batch = every[start : start + AT_ONCE]
            missing = [one for one in batch if one.text not in self._plain]
            if missing:
                self._tell(missing)
            found += [(one, plain) for one in batch if (plain := self._plain[one.text])]
            done(min(len(found), wanted))
            if len(found) >= wanted:
                break
        return found[:wanted]

    def _tell(self, missing: Sequence[Material]) -> None:
        if self._engine is None:
            self._engine = self._open()
        plain = retold(self._engine, missing)
        with disk_errors(self._path), self._path.open("a", encoding="utf-8") as file:
            for one, told in zip(missing, plain, strict=True):
                self._plain[one.text] = told
                row = {**asdict(one), "plain": told}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()


def mark_as_novelist(run: Path, corpus: Path) -> None:
    """Note in a run folder what its model was taught, and the manner of the book."""
    source = CorpusFolder(corpus)
    people = {
        name
        for path in (corpus / "aliases").glob("*.json")
        for name in json.loads(read_text(path, "别名表"))["people"]
    }
    told = [json.loads(line) for line in _lines(corpus / FOLDER / RETOLD)]
    plain = "".join(one["plain"] for one in told)
    how = manner("".join(source.texts()), plain, people)
    write_json(
        run / MARK,
        {"corpus": str(corpus), "favours": how.favours, "people": sorted(how.people)},
    )


def is_novelist(run: Path | None) -> bool:
    return run is not None and (run / MARK).is_file()


def manner_of(run: Path) -> Manner:
    """What a novelist knows of its book; nothing where an older release taught it."""
    kept = json.loads(read_text(run / MARK, "笔法"))
    return Manner(favours=kept.get("favours", {}), people=frozenset(kept.get("people", ())))


def _lines(path: Path) -> list[str]:
    """Whole lines of a file that may have been cut off."""
    lines = read_text(path, "重述").splitlines() if path.is_file() else []
    return [line for line in lines if line.endswith("}")]
