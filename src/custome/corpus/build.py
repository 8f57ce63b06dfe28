"""Novels → a corpus folder, several in parallel processes; and the same again after somebody edited the alias tables.

corpus.json              what it was built from and how, and the funnel; marks the folder as ours
texts/NAME.txt           the book as read; every offset points into it
aliases/NAME.json        who goes by which names; edit it and run `corpus fix`
utterances.jsonl         every quotation, with kind, speaker, rule and confidence
dialogues.jsonl          scenes of several turns; dialogues_train and _valid: those of the chapters one may learn from, or check with
train · valid · test .jsonl   rows {"context", "chat"} + speaker, mention, novel, chapter, offset
NAME_qa.json, FOLDER_train.json, FOLDER_valid.json   the original project's files: rows with its two keys only
characters.json          who can be talked to
cast/                    what there is to know of them, copied into every run that is learnt from here
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ..errors import InputError
from ..files import read_text, write_json, write_jsonl, write_text
from ..report import Reporter
from ..types import Utterance
from .aliases import AliasTable, read_table, write_table
from .cast import Cast, lines_of, write_cast
from .dataset import drop_leaks, drop_repeats, held_out, portraits, with_units
from .dialogue import Extract, dialogues, extract, is_spoken
from .formats import dialogue_row
from .lore import lore_of
from .reading import read_novel
from .script import Script
from .speakers import Adjudicator
from .text import Novel

HELD_OUT_SHARE = 0.05
"""Share of the chapters for validation, and again for the test."""
PARALLEL_FROM_BYTES = 1_000_000
"""Smaller jobs are done before a second process has started."""


Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One book of a corpus."""

    name: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """What `build` made, and where."""

    folder: Path
    train: int
    valid: int
    test: int
    funnel: dict[str, int]


def build(
    paths: Sequence[Path],
    folder: Path,
    reporter: Reporter,
    *,
    names: Sequence[str] = (),
    script: Script = "keep",
    processes: int | None = None,
    adjudicator: Adjudicator | None = None,
) -> Corpus:
    """Read novels and write a corpus folder; an alias table already in the folder is used.

    Args:
        processes: how many books are read at once; by default as many as there are cores.
        adjudicator: asked about speakers the grammar is not sure of; keeps the work in this process.

    Raises:
        InputError: a novel cannot be read, two have one name, or none has a quotation with a speaker.
        DataError: an edited alias table has another shape.
    """
    sources = [
        Source(name=name or path.stem, path=str(path))
        for path, name in zip(paths, [*names, *[""] * len(paths)], strict=False)
    ]
    repeated = [
        name for name, count in Counter(source.name for source in sources).items() if count > 1
    ]
    if repeated:
        raise InputError(f"有两本书都叫 {repeated[0]!r}", "给其中一个文件改个名")
    jobs = [(source, folder, script) for source in sources]
    size = sum(path.stat().st_size for path in paths if path.is_file())
    count = min(len(jobs), processes or os.cpu_count() or 1)
    found: list[tuple[Novel, Extract]] = []
    if count > 1 and size > PARALLEL_FROM_BYTES and adjudicator is None:
        with ProcessPoolExecutor(count) as pool:
            for done, result in enumerate(pool.map(_read, jobs), 1):
                found.append(result)
                reporter.progress("读小说", done, len(jobs), result[0].name)
    else:
        for done, job in enumerate(jobs, 1):
            found.append(_read(job, adjudicator))
            reporter.progress("读小说", done, len(jobs), found[-1][0].name)
    return _finish(folder, sources, script, found, reporter)


def rebuild(folder: Path, reporter: Reporter) -> Corpus:
    """The same corpus again, from the texts it keeps and the alias tables as they are now.

    Raises:
        InputError: the folder is no corpus.
    """
    info = read_corpus(folder)
    found = []
    for done, name in enumerate(info["novels"], 1):
        text = read_text(folder / "texts" / f"{name}.txt", "小说正文")
        table = read_table(folder / "aliases" / f"{name}.json")
        found.append(
            (
                Novel(name=name, text=text),
                extract(Novel(name=name, text=text), table, script=info["script"]),
            )
        )
        reporter.progress("读小说", done, len(info["novels"]), name)
    sources = [Source(**source) for source in info["sources"]]
    return _finish(folder, sources, info["script"], found, reporter)


def read_corpus(folder: Path) -> dict[str, Any]:
    """corpus.json of a folder.

    Raises:
        InputError: the folder is no corpus.
    """
    if not (folder / "corpus.json").is_file():
        raise InputError(
            f"{str(folder)!r} 不是语料目录（没有 corpus.json）",
            f"先做语料：custome corpus build 小说.txt -o {folder}",
        )
    info: dict[str, Any] = json.loads(read_text(folder / "corpus.json", "语料说明"))
    return info


def _read(
    job: tuple[Source, Path, Script], adjudicator: Adjudicator | None = None
) -> tuple[Novel, Extract]:
    source, folder, script = job
    novel = read_novel(Path(source.path), source.name)
    kept = folder / "aliases" / f"{source.name}.json"
    table: AliasTable | None = read_table(kept) if kept.is_file() else None
    return novel, extract(novel, table, script=script, adjudicator=adjudicator)


def _finish(
    folder: Path,
    sources: list[Source],
    script: Script,
    found: list[tuple[Novel, Extract]],
    reporter: Reporter,
) -> Corpus:
    every = [utterance for _, result in found for utterance in result.utterances]
    spoken = [utterance for utterance in every if is_spoken(utterance)]
    if not spoken:
        raise InputError(*_why_nothing(sources, found))
    counts: Counter[str] = Counter()
    for _, result in found:
        counts.update(result.funnel)
    reporter.stage("去重、切分")
    unique = drop_repeats(spoken)
    units = with_units(unique)
    valid_units, test_units = held_out((unit for unit, _ in units), HELD_OUT_SHARE)
    train = [u for unit, u in units if unit not in valid_units and unit not in test_units]
    kept_out = [[u for unit, u in units if unit in chosen] for chosen in (valid_units, test_units)]
    valid, test = (drop_leaks(candidates, train) for candidates in kept_out)
    counts["弃：完全重复"] = len(spoken) - len(unique)
    counts["弃：与训练近重复"] = sum(map(len, kept_out)) - len(valid) - len(test)
    counts["对话（训练）"], counts["对话（验证）"], counts["对话（测试）"] = (
        len(train),
        len(valid),
        len(test),
    )
    kept = {"valid": _places(kept_out[0]), "test": _places(kept_out[1])}
    learnable = [u for u in every if _place(u) not in kept["valid"] | kept["test"]]
    talks = {
        "": dialogues(every),  # for people to read; the others are to learn from
        "_train": dialogues(learnable),
        "_valid": dialogues([u for u in every if _place(u) in kept["valid"]]),
    }
    counts["多轮对话"], counts["多轮对话（训练）"] = len(talks[""]), len(talks["_train"])
    info = {
        "version": 1,
        "novels": [source.name for source in sources],
        "sources": [asdict(source) for source in sources],
        "script": script,
        "funnel": dict(counts),
        "books": {
            novel.name: {"title": result.table.title or novel.name, **result.funnel}
            for novel, result in found
        },
    }
    write_json(folder / "corpus.json", info)  # first: it marks the folder as ours
    for novel, result in found:
        write_text(folder / "texts" / f"{novel.name}.txt", novel.text)
        write_table(
            folder / "aliases" / f"{novel.name}.json",
            replace(result.table, title=result.table.title or novel.name),
        )
    write_jsonl(folder / "utterances.jsonl", (vars(u) for u in every))
    for name, some in talks.items():
        _write_rows(folder / f"dialogues{name}.jsonl", some, dialogue_row)
    for name, rows in (("train", train), ("valid", valid), ("test", test)):
        _write_rows(folder / f"{name}.jsonl", rows, _row)
        if name != "test" and len(sources) > 1:
            _write_rows(folder / f"{folder.resolve().name}_{name}.json", rows, _seed_row)
    for source in sources:
        _write_rows(
            folder / f"{source.name}_qa.json",
            [u for u in unique if u.novel == source.name],
            _seed_row,
        )
    aliases = {name: people for _, result in found for name, people in result.table.people.items()}
    people = portraits(spoken, aliases)
    write_json(folder / "characters.json", [asdict(person) for person in people])
    names = [person.name for person in people]
    lore = [
        one
        for novel, result in found
        for one in lore_of(novel.name, novel.text, result.utterances, result.table, names)
    ]
    write_cast(
        folder,
        Cast(people=tuple(people), lines=tuple(lines_of(learnable, names)), lore=tuple(lore)),
    )
    _show(counts, found, reporter)
    return Corpus(
        folder=folder, train=len(train), valid=len(valid), test=len(test), funnel=dict(counts)
    )


def _place(utterance: Utterance) -> tuple[str, int]:
    return utterance.novel, utterance.offset


def _places(utterances: Iterable[Utterance]) -> set[tuple[str, int]]:
    return {_place(utterance) for utterance in utterances}


def _write_rows(path: Path, rows: Sequence[Row], form: Callable[[Row], dict[str, Any]]) -> None:
    if rows:
        write_jsonl(path, (form(u) for u in rows))
    else:
        path.unlink(missing_ok=True)


def _show(counts: Counter[str], found: list[tuple[Novel, Extract]], reporter: Reporter) -> None:
    books = [novel.name for novel, _ in found]
    if len(books) == 1:
        reporter.table(
            "语料漏斗", ("", "数目"), [(name, f"{count:,}") for name, count in counts.items()]
        )
        return
    rows = [
        (
            name,
            *(
                f"{result.funnel.get(name, 0):,}" if name in result.funnel else ""
                for _, result in found
            ),
            f"{count:,}",
        )
        for name, count in counts.items()
    ]
    reporter.table("语料漏斗", ("", *books, "合计"), rows)


def _why_nothing(sources: list[Source], found: list[tuple[Novel, Extract]]) -> tuple[str, str]:
    quotations = sum(result.funnel.get("引文", 0) for _, result in found)
    names = ", ".join(repr(source.path) for source in sources)
    if not quotations:
        cues = sum(
            novel.text.count("道：") + novel.text.count("曰：") + novel.text.count("说：")
            for novel, _ in found
        )
        chapters = sum(result.funnel["章"] for _, result in found)
        return (
            f"{names} 里没有引号（{chapters} 章，“道：/曰：/说：” {cues} 处）",
            '需要用引号标出对话的版本（“” 「」 『』 " 都认得）；换一个版本再试',
        )
    return (
        f"{names} 里没有找到对话（引号 {quotations} 处，没有一处看得出是谁说的）",
        "需要带“某某道：”的小说；看看文件内容是否正确",
    )


def _row(utterance: Utterance) -> dict[str, Any]:
    return {
        "context": utterance.context,
        "chat": utterance.quote,
        "speaker": utterance.speaker,
        "mention": utterance.mention,
        "novel": utterance.novel,
        "chapter": utterance.chapter,
        "offset": utterance.offset,
        "kind": utterance.kind,
    }


def _seed_row(utterance: Utterance) -> dict[str, Any]:
    return {"context": utterance.context, "chat": utterance.quote}
