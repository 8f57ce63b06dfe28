"""A corpus → a file of lessons for a novelist, which `custome train` learns like any other: what is asked, and the passage that did it."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ...corpus.aliases import read_table
from ...corpus.dialogue import reading_view
from ...corpus.folder import CorpusFolder
from ...corpus.subjects import is_role
from ...corpus.text import split_chapters
from ...engine.base import Engine
from ...errors import InputError
from ...files import disk_errors, is_cut_off, read_text, write_json, write_jsonl
from .passages import Keywords, Material, asked, material
from .retelling import plan_of_lesson, retold
from .stock import stock
from .style import Manner, manner

MARK = "novelist.json"
"""Stands in a run folder whose model was taught to write novels."""
FOLDER, RETOLD, TRAIN, VALIDATE = "novelist", "retold.jsonl", "train.jsonl", "valid.jsonl"
"""In a corpus: where its lessons are put, what was told again for them, and they themselves."""
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
    if not learnt or not held_out:
        raise InputError(
            f"{str(corpus)!r} 里没有可学的正文", "要有成段的叙事；只有对话的语料学不了写小说"
        )
    folder, dice = corpus / FOLDER, random.Random(seed)
    dice.shuffle(learnt)
    dice.shuffle(held_out)
    told = _Retold(folder, engine, people_of(corpus))
    try:
        whole = wanted + min(VALID, len(held_out))
        train = told.some(learnt, wanted, lambda done: seen and seen(done, whole))
        valid = told.some(held_out, VALID, lambda done: seen and seen(len(train) + done, whole))
    finally:
        told.close()
    if not train or not valid:
        raise InputError(
            f"{str(corpus)!r} 里的句子一句都没有说成白话",
            f"看看 {folder / RETOLD}；换一个底座，或换一本书",
        )
    keywords = Keywords([one.text for one in learnt])
    made = Lessons(
        train=folder / TRAIN,
        valid=folder / VALIDATE,
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
    forms = {one["name"]: one.get("form") for one in source.info().get("sources", ())}
    found = []
    for path in sorted((corpus / "texts").glob("*.txt")):
        if forms.get(path.stem, "novel") != "novel":
            continue
        text = reading_view(source.text(path.stem))
        chapters = [text[one.start : one.end] for one in split_chapters(text)]
        people = read_table(source.aliases_path(path.stem)).people
        found += material(chapters, people, seed=seed)
    return found


def people_of(corpus: Path) -> list[str]:
    """What the people of a corpus are called, and nobody and nothing else: no titles, no words of the plots."""
    tables = [read_table(path) for path in sorted((corpus / "aliases").glob("*.json"))]
    rows = [(name, aliases) for table in tables for name, aliases in table.people.items()]
    bearers = Counter(one for name, aliases in rows for one in {name, *aliases})
    plots = json.dumps(stock(), ensure_ascii=False)
    return sorted(
        one
        for one, count in bearers.items()
        if count == 1 and len(one) > 1 and not is_role(one) and one not in plots
    )


def _divided(every: Sequence[Material]) -> tuple[list[Material], list[Material]]:
    """(to learn from, to validate with): every so many chapters one, else every so many passages one, and one at least."""
    held_out = [one for one in every if one.chapter % HELD_OUT == 0]
    if held_out and len(held_out) < len(every) / 2:
        return [one for one in every if one.chapter % HELD_OUT], held_out
    held_out = list(every[HELD_OUT - 1 :: HELD_OUT] or every[-1:])
    return [one for one in every if one not in held_out], held_out


class _Retold:
    """What was told again, kept as it is made."""

    def __init__(self, folder: Path, engine: Callable[[], Engine], people: Sequence[str]) -> None:
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._path, self._open, self._people = folder / RETOLD, engine, people
        self._engine: Engine | None = None
        self._plain = dict(_told(self._path))

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
        plain = retold(self._engine, missing, self._people)
        cut_off = is_cut_off(self._path)
        with disk_errors(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write("\n" * cut_off)
            for one, told in zip(missing, plain, strict=True):
                self._plain[one.text] = told
                row = {**asdict(one), "plain": told}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()


def mark_as_novelist(run: Path, corpus: Path) -> None:
    """Note in a run folder what its model was taught, and the manner of the book."""
    book = reading_view("".join(CorpusFolder(corpus).texts()))
    plain = "".join(plain for _, plain in _told(corpus / FOLDER / RETOLD))
    how = manner(book, plain, people_of(corpus))
    write_json(
        run / MARK,
        {"corpus": str(corpus), "favours": how.favours, "people": sorted(how.people)},
    )


def is_novelist(run: Path | None) -> bool:
    """Was it taught by `custome novel train-style`? One that was stopped and gone on with as any run is, is known by its lessons."""
    if run is None:
        return False
    recipe = run / "recipe.yaml"
    return (run / MARK).is_file() or (
        recipe.is_file() and f"{FOLDER}/{TRAIN}" in recipe.read_text(encoding="utf-8")
    )


def manner_of(run: Path) -> Manner:
    """What a novelist knows of its book; nothing where that was not noted."""
    path = run / MARK
    kept = json.loads(read_text(path, "笔法")) if path.is_file() else {}
    return Manner(favours=kept.get("favours", {}), people=frozenset(kept.get("people", ())))


def lessons_there(corpus: Path) -> Lessons | None:
    """Those that were written for a run that goes on."""
    train, valid = (corpus / FOLDER / one for one in (TRAIN, VALIDATE))
    if not train.is_file() or not valid.is_file():
        return None
    learnt, held_out = (len(one.read_bytes().splitlines()) for one in (train, valid))
    return Lessons(train=train, valid=valid, learnt=learnt, held_out=held_out)


def _told(path: Path) -> Iterator[tuple[str, str]]:
    """(passage, in plain words) of a file that may have been cut off anywhere."""
    whole = path.read_bytes().decode("utf-8", "ignore") if path.is_file() else ""
    for line in whole.split("\n"):
        try:
            row = json.loads(line)
            yield str(row["text"]), str(row["plain"])
        except (ValueError, KeyError, TypeError):
            continue
