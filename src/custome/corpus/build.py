"""Novels → a corpus folder, several in parallel processes; and the same again after somebody edited the alias tables. What lies where in it: folder.py."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ..errors import DataError, InputError
from ..files import write_json, write_jsonl, write_text
from ..reporter import Reporter
from ..types import Utterance
from .aliases import AliasTable, read_table, shipped_table_for, speaks_of, write_table
from .cast import Cast, lines_of, write_cast
from .dataset import drop_leaks, drop_repeats, held_out, portraits, with_units
from .dialogue import Dialogue, Extract, dialogues, extract, is_spoken
from .folder import CorpusFolder, Part
from .formats import dialogue_row
from .lore import lore_of
from .plain_form import plain, utterances_of
from .reading import read_novel, text_of
from .said import FORMS
from .script import Script, convert, is_traditional
from .speakers import Adjudicator
from .text import Novel
from .transcripts import recognise

HELD_OUT_SHARE = 0.05
"""Share of the chapters for validation, and again for the test."""
HARDLY_MARKED = 0.1
"""Quotations for every place where somebody is about to speak, at least."""
SAMPLE, LEAST_CHINESE = 20_000, 0.1
"""Characters of a book that are looked at, and how many of them are Chinese in a book that can be read."""
HIDDEN = "隐去："
"""What the funnel calls what was left out of a chat."""
PARALLEL_FROM_BYTES = 1_000_000
"""Smaller jobs are done before a second process has started."""


Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class BookSource:
    """One book of a corpus."""

    name: str
    path: str
    form: str = "novel"
    """What it was recognised as: a novel, or a key of said.FORMS."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Folder and counts of a finished corpus."""

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
    keep_private: bool = False,
) -> Corpus:
    """Read novels, plays, chats and write a corpus folder; an alias table already in the folder is used.

    Args:
        keep_private: leave phone numbers, addresses and the like in chats.
        processes: how many books are read at once; by default as many as there are cores.
        adjudicator: asked about speakers the grammar is not sure of; keeps the work in this process.

    Raises:
        InputError: a novel cannot be read, two have one name, or none has a quotation with a speaker.
        DataError: an edited alias table has another shape.
    """
    sources = [
        BookSource(name=name or path.stem, path=str(path))
        for path, name in zip(paths, [*names, *[""] * len(paths)], strict=False)
    ]
    repeated = [
        name for name, count in Counter(source.name for source in sources).items() if count > 1
    ]
    if repeated:
        raise InputError(f"有两本书都叫 {repeated[0]!r}", "给其中一个文件改个名")
    jobs = [(source, folder, script, keep_private) for source in sources]
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
    corpus = CorpusFolder(folder)
    info = corpus.info()
    sources = [BookSource(**source) for source in info["sources"]]
    forms = {source.name: source.form for source in sources}
    found = []
    for done, name in enumerate(info["novels"], 1):
        text = corpus.text(name)
        table = _own_table(corpus.aliases_path(name), text)
        found.append(
            (
                Novel(name=name, text=text),
                _again(Novel(name=name, text=text), table, forms.get(name, "novel"), info)
                or extract(Novel(name=name, text=text), table, script=info["script"]),
            )
        )
        reporter.progress("读小说", done, len(info["novels"]), name)
    return _finish(folder, sources, info["script"], found, reporter)


def _again(novel: Novel, table: AliasTable, form: str, info: dict[str, Any]) -> Extract | None:
    """A transcript that is kept already, with the counts of what was hidden when it came; None for a novel."""
    result = utterances_of(novel, table, form)
    if result is None:
        return None
    before = info.get("books", {}).get(novel.name, {})
    hidden = {what: count for what, count in before.items() if what.startswith(HIDDEN)}
    return replace(result, funnel={**result.funnel, **hidden})


def _read(
    job: tuple[BookSource, Path, Script, bool], adjudicator: Adjudicator | None = None
) -> tuple[Novel, Extract]:
    source, folder, script, keep_private = job
    kept = CorpusFolder(folder).aliases_path(source.name)
    written = text_of(Path(source.path))
    if (transcript := recognise(written)) is not None:
        left_out: Counter[str] = Counter()
        text = plain(transcript, left_out, keep_private=keep_private)
        novel = Novel(name=source.name, text=text)
        table = _own_table(kept, text) if kept.is_file() else None
        result = utterances_of(novel, table, transcript.form)
        assert result is not None
        hidden = {f"{HIDDEN}{what}": count for what, count in left_out.items()}
        return novel, replace(result, funnel={**result.funnel, **hidden})
    novel = read_novel(Path(source.path), source.name, written)
    table = _own_table(kept, novel.text) if kept.is_file() else None
    return novel, extract(novel, table, script=script, adjudicator=adjudicator)


def _own_table(path: Path, text: str) -> AliasTable:
    """The alias table in the folder, which somebody may have edited.

    Raises:
        InputError, DataError: it cannot be read, or is another book's.
    """
    table = read_table(path)
    by_its_name = shipped_table_for(path.stem, "")  # a story of one's own called 水浒外传
    simplified = convert(text, "t2s") if is_traditional(text) else text
    if by_its_name is None and not speaks_of(simplified, table):
        raise DataError(
            f"{path}: 表里的人书里一个都没有，是别的书的表",
            "换回这本书的表；删掉这个文件，重新 custome corpus build 会再生成一张",
        )
    return table


def _finish(
    folder: Path,
    sources: list[BookSource],
    script: Script,
    found: list[tuple[Novel, Extract]],
    reporter: Reporter,
) -> Corpus:
    every = [utterance for _, result in found for utterance in result.utterances]
    spoken = [utterance for utterance in every if is_spoken(utterance)]
    if not spoken or _hardly_marked(found):
        raise InputError(*_why_nothing(sources, found))
    counts: Counter[str] = Counter()
    for _, result in found:
        counts.update(result.funnel)
    sources = [
        replace(source, form=result.form)
        for source, (_, result) in zip(sources, found, strict=True)
    ]
    for source in sources:
        if source.form in FORMS:
            reporter.note(f"{source.name}：认作{FORMS[source.form]}，说话人照写的认")
    reporter.stage("去重、切分")
    parts = _divide(spoken, every, counts)
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
    _write(folder, info, found, every, parts)
    people = portraits(
        spoken, {name: known for _, result in found for name, known in result.table.people.items()}
    )
    write_json(folder / "characters.json", [asdict(person) for person in people])
    names = [person.name for person in people]
    lore = [
        one
        for novel, result in found
        if result.form == "novel"
        for one in lore_of(novel.name, novel.text, result.utterances, result.table, names)
    ]
    lines = lines_of(parts.learnable, names)
    write_cast(folder, Cast(people=tuple(people), lines=tuple(lines), lore=tuple(lore)))
    _show(counts, found, reporter)
    if len({one.speaker for one in spoken}) == 1:
        reporter.note(f"只有{spoken[0].speaker}一个人说话：学得到口气，学不到怎么答话")
    return Corpus(
        folder=folder,
        train=len(parts.rows["train"]),
        valid=len(parts.rows["valid"]),
        test=len(parts.rows["test"]),
        funnel=dict(counts),
    )


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """Dialogues for training, validation and test."""

    unique: list[Utterance]
    learnable: list[Utterance]
    rows: dict[Part, list[Utterance]]
    dialogues: dict[Part | None, list[Dialogue]]


def _divide(
    spoken: Sequence[Utterance], every: Sequence[Utterance], counts: Counter[str]
) -> _Parts:
    """Chapters to learn from, to check with, and to test with; what is alike in two goes from the held-out one."""
    unique = drop_repeats(spoken)
    units = with_units(unique)
    valid_units, test_units = held_out((unit for unit, _ in units), HELD_OUT_SHARE)
    train = [u for unit, u in units if unit not in valid_units and unit not in test_units]
    kept_out = [[u for unit, u in units if unit in chosen] for chosen in (valid_units, test_units)]
    valid, test = (drop_leaks(candidates, train) for candidates in kept_out)
    places = {"valid": _places(kept_out[0]), "test": _places(kept_out[1])}
    learnable = [u for u in every if _place(u) not in places["valid"] | places["test"]]
    talks: dict[Part | None, list[Dialogue]] = {
        None: dialogues(every),  # for people to read; the others are to learn from
        "train": dialogues(learnable),
        "valid": dialogues([u for u in every if _place(u) in places["valid"]]),
    }
    counts["弃：完全重复"] = len(spoken) - len(unique)
    counts["弃：与训练近重复"] = sum(map(len, kept_out)) - len(valid) - len(test)
    counts["对话（训练）"], counts["对话（验证）"] = len(train), len(valid)
    counts["对话（测试）"] = len(test)
    counts["多轮对话"], counts["多轮对话（训练）"] = len(talks[None]), len(talks["train"])
    return _Parts(
        unique=unique,
        learnable=learnable,
        rows={"train": train, "valid": valid, "test": test},
        dialogues=talks,
    )


def _write(
    folder: Path,
    info: dict[str, Any],
    found: Sequence[tuple[Novel, Extract]],
    every: Sequence[Utterance],
    parts: _Parts,
) -> None:
    corpus = CorpusFolder(folder)
    write_json(corpus.info_path, info)  # first: it marks the folder as ours
    for novel, result in found:
        write_text(corpus.text_path(novel.name), novel.text)
        table = replace(result.table, title=result.table.title or novel.name)
        write_table(corpus.aliases_path(novel.name), table)
    write_jsonl(corpus.utterances_path, (vars(u) for u in every))
    for part, some in parts.dialogues.items():
        _write_rows(corpus.dialogues_path(part), some, dialogue_row)
    for part, rows in parts.rows.items():
        _write_rows(corpus.rows_path(part), rows, _row)
        if part != "test" and len(info["novels"]) > 1:
            _write_rows(folder / f"{folder.resolve().name}_{part}.json", rows, _seed_row)
    for novel, _ in found:
        own = [u for u in parts.unique if u.novel == novel.name]
        _write_rows(folder / f"{novel.name}_qa.json", own, _seed_row)


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


def _cues(found: list[tuple[Novel, Extract]]) -> int:
    """Places of the novels where somebody is about to speak."""
    texts = [novel.text for novel, result in found if result.form == "novel"]
    return sum(text.count(f"{verb}：") for text in texts for verb in "道曰说")


def _hardly_marked(found: list[tuple[Novel, Extract]]) -> bool:
    """Books without marks around what is said, but for a title or two."""
    quotations = sum(result.funnel.get("引文", 0) for _, result in found)
    return quotations < HARDLY_MARKED * _cues(found)


def _why_nothing(sources: list[BookSource], found: list[tuple[Novel, Extract]]) -> tuple[str, str]:
    quotations = sum(result.funnel.get("引文", 0) for _, result in found)
    names = ", ".join(repr(source.path) for source in sources)
    letters = "".join(novel.text[:SAMPLE] for novel, _ in found)
    if len(re.findall("[\u3400-\u9fff]", letters)) < LEAST_CHINESE * len(letters):
        return (
            f"{names} 里几乎没有汉字",
            "只认得出中文书里谁在说话；别的语言的剧本、聊天记录、对白表可以",
        )
    if not quotations or _hardly_marked(found):
        chapters = sum(result.funnel["章"] for _, result in found)
        why = f"{names} 里没有引号（{chapters} 章，“道：/曰：/说：” {_cues(found)} 处）"
        if quotations:
            why = f"{names} 里只有 {quotations} 处引号，“道：/曰：/说：”却有 {_cues(found)} 处"
        return (
            why,
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
