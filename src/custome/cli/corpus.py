"""`custome corpus …`: build, look, repair, convert, draw, fetch. Starts without torch."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from rich.console import Console
from rich.text import Text
from tyro.conf import Positional, arg

from ..corpus.folder import CorpusFolder
from ..errors import InputError, RunError
from ..reporter import ConsoleReporter, Reporter
from .flags import parse

_COLOURS = (
    "cyan",
    "magenta",
    "green",
    "yellow",
    "blue",
    "red",
    "bright_cyan",
    "bright_magenta",
    "bright_green",
    "bright_yellow",
)


@dataclass(frozen=True, kw_only=True)
class CorpusBuild:
    """小说、剧本、聊天记录 → 带说话人的多轮对话语料。"""

    novels: Positional[tuple[str, ...]]
    """小说（txt、md、html、epub 或章节列表 json）、剧本、访谈、字幕、对白表、聊天记录，按内容认，编码自动认；可以给几本，同时处理；embedded 是内置的《三国演义》。"""
    output: Annotated[str, arg(aliases=["-o"])]
    """语料目录；里面有训练、验证、测试数据，多轮对话，人物表，可以改的别名表。"""
    script: Literal["keep", "simplified", "traditional"] = "keep"
    """输出用简体还是繁体；keep 照原书。位置始终指向原书。"""
    processes: int | None = None
    """同时读几本书；默认每个核心一本。"""
    keep_private: bool = False
    """聊天记录里的电话、身份证号、卡号、邮箱、账号、地址、密钥留着不隐去。"""


def corpus_build(argv: list[str]) -> int:
    flags = parse(CorpusBuild, argv, "custome corpus build")
    if not flags.novels:
        raise InputError("没有给小说", "例如：custome corpus build 三国演义.txt -o corpus/sanguo")
    build_corpus(
        flags.novels,
        Path(flags.output),
        ConsoleReporter(),
        script=flags.script,
        processes=flags.processes,
        keep_private=flags.keep_private,
    )
    return 0


def build_corpus(
    novels: tuple[str, ...],
    folder: Path,
    reporter: Reporter,
    *,
    script: Literal["keep", "simplified", "traditional"] = "keep",
    processes: int | None = None,
    keep_private: bool = False,
) -> None:
    """Build a corpus from novel files or the embedded one.

    Raises:
        RunError: the folder holds something else.
    """
    from ..corpus.build import build
    from ..resources import EMBEDDED_NAME, EMBEDDED_NOVEL, book_name, fetch

    if folder.exists() and (
        not folder.is_dir() or (any(folder.iterdir()) and not CorpusFolder(folder).is_corpus)
    ):
        raise RunError(
            f"输出位置 {str(folder)!r} 里有别的东西，不是语料目录", "换一个目录：-o corpus/别的名字"
        )
    paths = [
        fetch(EMBEDDED_NAME, reporter) if novel == EMBEDDED_NOVEL else Path(novel)
        for novel in novels
    ]
    corpus = build(
        paths,
        folder,
        reporter,
        names=[book_name(novel) for novel in novels],
        script=script,
        processes=processes,
        keep_private=keep_private,
    )
    reporter.note(f"对话 {corpus.train + corpus.valid + corpus.test:,} 条 → {folder}")
    reporter.note(
        f"看一看：custome corpus inspect {folder}　画成网页：custome corpus report {folder}　改别名：custome corpus fix {folder}"
    )


@dataclass(frozen=True, kw_only=True)
class CorpusInspect:
    """看语料：一章原文，每句话标出说话人；或按条件找句子。"""

    corpus: Positional[str]
    """语料目录。"""
    chapter: int = 0
    """看哪一章；不给条件时看第一章。"""
    novel: str = ""
    """看哪一本书；默认第一本。"""
    speaker: str = ""
    """只列这个人说的话。"""
    rule: str = ""
    """只列由这条规则认出的（cue、sentence、earlier、same、…）。"""
    kind: str = ""
    """只列这一类：speech、thought、verse、writing、name。"""
    below: float = 0.0
    """只列可信度低于它的。"""
    limit: int = 40
    """最多列多少句。"""


def corpus_inspect(argv: list[str]) -> int:

    flags = parse(CorpusInspect, argv, "custome corpus inspect")
    folder = CorpusFolder(Path(flags.corpus))
    info = folder.info()
    novel = flags.novel or info["novels"][0]
    if novel not in info["novels"]:
        raise InputError(f"语料里没有书 {novel!r}", f"有：{'、'.join(info['novels'])}")
    rows = folder.utterances()
    console = Console(highlight=False)
    if flags.speaker or flags.rule or flags.kind or flags.below:
        chosen = [
            row
            for row in rows
            if _wanted(row, flags) and (not flags.novel or row["novel"] == novel)
        ]
        for row in chosen[: flags.limit]:
            console.print(_line(row))
        console.print(f"[dim]共 {len(chosen):,} 句，列出 {min(flags.limit, len(chosen))} 句[/]")
        return 0
    chapters = sorted({row["chapter"] for row in rows if row["novel"] == novel})
    chapter = flags.chapter or next((c for c in chapters if c > 0), chapters[0])
    mine = [row for row in rows if row["novel"] == novel and row["chapter"] == chapter]
    if not mine:
        raise InputError(
            f"{novel} 的第 {chapter} 章没有引文", f"有的章：{chapters[0]}–{chapters[-1]}"
        )
    console.print(_chapter(folder.text(novel), mine))
    return 0


def _wanted(row: dict[str, Any], flags: CorpusInspect) -> bool:
    return (
        (not flags.speaker or row["speaker"] == flags.speaker)
        and (not flags.rule or row["rule"] == flags.rule)
        and (not flags.kind or row["kind"] == flags.kind)
        and (not flags.below or row["confidence"] < flags.below)
        and (not flags.chapter or row["chapter"] == flags.chapter)
    )


def _colour(name: str) -> str:
    return _COLOURS[sum(map(ord, name)) % len(_COLOURS)]


def _line(row: dict[str, Any]) -> Text:
    line = Text()
    line.append(f"{row['novel']} {row['chapter']:>3} ", style="dim")
    line.append(f"{row['speaker'] or '—'}", style=f"bold {_colour(row['speaker'])}")
    line.append(f" [{row['rule']} {row['confidence']:.2f} {row['kind']}] ", style="dim")
    line.append(row["context"][-40:], style="dim")
    line.append(row["quote"])
    return line


def _chapter(text: str, rows: list[dict[str, Any]]) -> Text:
    """A chapter's text from its first to its last quotation, speakers in front of what they say."""
    page, position = Text(), max(0, text.rfind("\n", 0, rows[0]["offset"]))
    for row in rows:
        if row["offset"] < position:
            continue  # inside another
        page.append(text[position : row["offset"]], style="dim")
        colour = _colour(row["speaker"])
        if row["kind"] in ("speech", "thought"):
            page.append(f"[{row['speaker'] or '?'}]", style=f"bold reverse {colour}")
        page.append(text[row["offset"] : row["end"]], style=colour if row["speaker"] else "")
        position = row["end"]
    return page


@dataclass(frozen=True, kw_only=True)
class CorpusFix:
    """改别名表，就地重做语料。什么都不给就打开编辑器（$EDITOR）。"""

    corpus: Positional[str]
    """语料目录。"""
    alias: tuple[str, ...] = ()
    """别名=人名：两个名字是同一个人，例如 --alias 玄德=刘备；只在几回里指他的写上章：妇人@24-26=潘金莲。"""
    drop: tuple[str, ...] = ()
    """从表里去掉的名字（人名或别名）。"""
    novel: str = ""
    """只改这本书的表；默认每本都改。"""
    review: bool = False
    """把程序拿不准的（唐僧和唐三藏是不是一个人）一个一个问，附上原文；答过的记在表里，重做也不再问。"""
    edit: bool = True
    """没有 --alias、--drop、--review 时打开编辑器；--no-edit 只按现在的表重做。"""


def corpus_fix(argv: list[str]) -> int:
    from ..corpus.aliases import read_table, write_table
    from ..corpus.build import rebuild
    from ..corpus.fixing import edited

    flags = parse(CorpusFix, argv, "custome corpus fix")
    folder = Path(flags.corpus)
    kept = CorpusFolder(folder)
    info = kept.info()
    if flags.novel and flags.novel not in info["novels"]:
        raise InputError(f"语料里没有书 {flags.novel!r}", f"有：{'、'.join(info['novels'])}")
    tables = [kept.aliases_path(name) for name in info["novels"] if flags.novel in ("", name)]
    reporter = ConsoleReporter()
    if flags.alias or flags.drop:
        changed = [(path, edited(read_table(path), flags.alias, flags.drop)) for path in tables]
        for path, table in changed:
            write_table(path, table)
    if flags.review:
        from .corpus_review import review

        if not review({path.stem: path for path in tables}) and not (flags.alias or flags.drop):
            reporter.note("没有合并谁，语料不用重做")
            return 0
    elif flags.edit and not (flags.alias or flags.drop):
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
        if not editor or not sys.stdin.isatty():
            raise InputError(
                f"没有编辑器可开；别名表在 {', '.join(str(path) for path in tables)}",
                f"改好文件后：custome corpus fix {folder} --no-edit；或直接：custome corpus fix {folder} --alias 玄德=刘备",
            )
        subprocess.run([*shlex.split(editor), *map(str, tables)], check=False)
        for path in tables:
            read_table(path)
    corpus = rebuild(folder, reporter)
    reporter.note(f"对话 {corpus.train + corpus.valid + corpus.test:,} 条 → {folder}")
    return 0


@dataclass(frozen=True, kw_only=True)
class CorpusConvert:
    """数据换一种格式；读入的格式按内容认，不用说明。"""

    data: Positional[str]
    """数据文件：seed、多轮对话、alpaca、sharegpt、openai messages 都行。"""
    output: Annotated[str, arg(aliases=["-o"])]
    """写到哪里；.json 写成一个列表，其余一行一条。"""
    to: Literal["seed", "dialogue", "alpaca", "sharegpt", "openai"] = "openai"
    """换成哪一种。"""


def corpus_convert(argv: list[str]) -> int:
    from ..corpus.formats import read_samples, rows_of
    from ..files import write_json, write_jsonl

    flags = parse(CorpusConvert, argv, "custome corpus convert")
    target = Path(flags.output)
    if target.exists() and (target.is_dir() or target.resolve() == Path(flags.data).resolve()):
        raise InputError(f"不能写到 {str(target)!r}", "换一个文件名：-o 新文件.jsonl")
    rows = rows_of(read_samples(Path(flags.data)), flags.to)
    if target.suffix == ".json":
        write_json(target, rows)
    else:
        write_jsonl(target, rows)
    ConsoleReporter().note(f"{len(rows):,} 条 {flags.to} → {target}")
    return 0


@dataclass(frozen=True, kw_only=True)
class CorpusReport:
    """语料画成一个网页：漏斗、谁说得最多、谁对谁说、每章谁在说、话有多长、每条规则的例子。"""

    corpus: Positional[str]
    """语料目录；网页写在里面的 report.html。"""


def corpus_report(argv: list[str]) -> int:
    from ..corpus.page import write_page

    flags = parse(CorpusReport, argv, "custome corpus report")
    target = write_page(Path(flags.corpus))
    ConsoleReporter().note(f"网页 → {target}（用浏览器打开，不需要网络）")
    return 0


@dataclass(frozen=True, kw_only=True)
class CorpusFetch:
    """取四大名著的原文（公有领域）。三国演义随软件源来，其余三本从固定的网址取。"""

    names: Positional[tuple[str, ...]]
    """sanguo、shuihu、xiyou、honglou，或 all。"""
    output: Annotated[str, arg(aliases=["-o"])] = "novels"
    """放到哪个目录。"""


def corpus_fetch(argv: list[str]) -> int:
    import shutil

    from ..resources import catalogue, fetch

    flags = parse(CorpusFetch, argv, "custome corpus fetch")
    novels = [name for name, resource in catalogue().items() if resource.kind == "novel"]
    wanted = novels if flags.names == ("all",) else list(flags.names)
    for name in wanted or ["?"]:
        if name not in novels:
            raise InputError(f"没有小说 {name!r}", f"有：{'、'.join(novels)}，或 all")
    reporter = ConsoleReporter()
    folder = Path(flags.output)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in wanted:
        source = fetch(name, reporter)
        target = folder / f"{name}{source.suffix}"
        shutil.copyfile(source, target)
        paths.append(str(target))
        reporter.note(f"{catalogue()[name].title} → {target}")
    reporter.note(f"做语料：custome corpus build {' '.join(paths)} -o corpus/我的语料")
    return 0
