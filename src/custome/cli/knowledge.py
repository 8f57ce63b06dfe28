"""`custome knowledge …`: bases of one's own documents, asked on the command line, measured, given to other programs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from ..engine.open import EngineOptions, open_models
from ..errors import InputError
from ..reporter import ConsoleReporter
from .bases import NO_MODEL, open_named, usual_or
from .flags import parse

if TYPE_CHECKING:
    from ..apps.knowledge.base import KnowledgeBase
    from ..apps.knowledge.service import KnowledgeService
    from ..apps.knowledge.shelf import Shelf
    from ..engine.base import ServedModel
    from ..retrieval.base import Added

SHOWN = 20
"""Files that are named of many."""


@dataclass(frozen=True, kw_only=True)
class KnowledgeAdd:
    """文件、文件夹、语料目录 → 知识库。txt、md、html、epub、pdf、docx、pptx、xlsx、csv、json、eml；再跑一次只读变了的，不见了的也拿掉。"""

    name: Positional[str]
    """知识库的名字；没有就新建。"""
    paths: Positional[tuple[str, ...]] = ()
    """文件或文件夹；一个都不给：把以前给过的再看一遍。"""
    milvus: str = ""
    """新建在 Milvus 服务上，如 http://主机:19530（要 pip install llm-custome[milvus]）；默认是自己的一个文件。"""
    embedder: str = ""
    """也按意思找：e5-small（下载 91 MB）、一个向量模型的 .gguf 文件，或 http://主机:端口/v1#模型名；none：不再按意思找。"""


@dataclass(frozen=True, kw_only=True)
class Answering:
    """谁来组织回答。"""

    run: str = ""
    """运行目录：用它的模型，--person 是它的人物。"""
    base: str = "auto"
    """没有运行目录时用的底座；auto：这台机器上已经有 1.5B 就用它，没有就只给原文；none：只给原文。"""
    engine: EngineOptions = field(default_factory=EngineOptions)


@dataclass(frozen=True, kw_only=True)
class KnowledgeAsk:
    """问知识库；每句话都指得出原文在哪，资料里没有就说没有。"""

    name: Positional[str]
    """知识库的名字。"""
    question: Positional[str]
    """问题。"""
    person: str = ""
    """让书里的谁来说，如 诸葛亮；要有 --run。"""
    chapter: int = 0
    """只用到第几章为止的内容；0 是全部。"""
    model: Answering = field(default_factory=Answering)


@dataclass(frozen=True, kw_only=True)
class KnowledgeList:
    """有哪些知识库；给出名字就列它的文件。"""

    name: Positional[str] = ""
    """知识库的名字。"""


@dataclass(frozen=True, kw_only=True)
class KnowledgeRemove:
    """拿掉一个文件，或整个知识库；你自己文件夹里的原件不动。"""

    name: Positional[str]
    """知识库的名字。"""
    document: Positional[str] = ""
    """文件名，照 knowledge list 写的；不给就是整个知识库。"""


@dataclass(frozen=True, kw_only=True)
class KnowledgeWatch:
    """一直看着知识库跟着的文件夹，变了就更新；Ctrl-C 结束。"""

    name: Positional[str]
    """知识库的名字。"""
    every_s: float = 5.0
    """几秒看一次。"""


@dataclass(frozen=True, kw_only=True)
class KnowledgeEval:
    """用一组问题量知识库：原文找得到吗（recall@k、MRR），答得对地方吗，资料里没有的说没有了吗；错的逐条列出来。"""

    name: Positional[str]
    """知识库的名字。"""
    questions: Positional[str] = ""
    """问题文件，一行一个 JSON：question、document、places（[[开始, 结束]]，空的是资料里没有的）；不给就用页面上打过分的。"""
    answers: bool = True
    """也让模型回答；--no-answers 只量找不找得到，快得多。"""
    most: int = 0
    """最多问几个；0 是全部。"""
    output: str = ""
    """每个问题的结果写到哪里（JSON 行）。"""
    model: Answering = field(default_factory=Answering)


@dataclass(frozen=True, kw_only=True)
class KnowledgeCompact:
    """删掉的文字从知识库文件里彻底清掉，腾出地方。"""

    name: Positional[str]
    """知识库的名字。"""


@dataclass(frozen=True, kw_only=True)
class KnowledgeMcp:
    """MCP 服务，给 Claude、Cursor 一类程序用：工具 search（找）和 read（读原文前后）。要装 pip install llm-custome[mcp]。"""

    names: Positional[tuple[str, ...]] = ()
    """哪些知识库；一个都不给是全部。"""
    http: bool = False
    """用 HTTP（/mcp）；默认走标准输入输出。"""
    host: str = "127.0.0.1"
    """HTTP：监听地址。"""
    port: int | None = None
    """HTTP：端口；默认从 7860 起找一个空闲的。"""


def shelf() -> Shelf:
    """The bases of this computer."""
    from ..apps.knowledge.shelf import Shelf
    from ..engine.embedding import embedder

    return Shelf(embedder_of=embedder)


def knowledge_add(argv: list[str]) -> int:
    flags = parse(KnowledgeAdd, argv, "custome knowledge add")

    bases, reporter = shelf(), ConsoleReporter()
    paths = [Path(path) for path in flags.paths]
    if not paths:
        added = bases.get(flags.name).refresh(reporter)
    else:
        if missing := next((path for path in paths if not path.exists()), None):
            raise InputError(
                f"没有 {str(missing)!r} 这个文件或文件夹",
                "看看路径有没有写错；可以给文件，也可以给整个文件夹",
            )
        added = bases.create(flags.name, flags.milvus).add(paths, reporter)
    _tell(added, reporter)
    base = bases.get(flags.name)
    if flags.embedder:
        _find_by(base, flags.embedder, reporter)
    base.embed(reporter)
    reporter.note(
        f"问它：custome knowledge ask {flags.name} 问题　页面：custome serve，打开“知识库”"
    )
    return 0 if added.read or added.unchanged or not added.failed else 2


def _find_by(base: KnowledgeBase, what: str, reporter: ConsoleReporter) -> None:
    """Set what gives a base's passages vectors."""
    from ..engine.embedding import open_embedder

    if what not in (NO_MODEL, base.settings().embedder):
        open_embedder(what, reporter)  # tells how far the download is
    is_file = what.endswith(".gguf")
    base.find_by("" if what == NO_MODEL else str(Path(what).resolve()) if is_file else what)


def _tell(added: Added, reporter: ConsoleReporter) -> None:
    """What became of the files."""
    parts = [f"读了 {len(added.read)} 个"]
    parts += [f"没变的 {added.unchanged} 个"] if added.unchanged else []
    parts += [f"不见了、已拿掉的 {len(added.gone)} 个"] if added.gone else []
    parts += [f"读不了的 {len(added.failed)} 个"] if added.failed else []
    reporter.note("，".join(parts))
    for error in list(added.failed.values())[:SHOWN]:
        reporter.note(f"  {error.message}；{error.hint}")


def knowledge_ask(argv: list[str]) -> int:
    flags = parse(KnowledgeAsk, argv, "custome knowledge ask")
    reporter = ConsoleReporter()
    from ..apps.knowledge.service import Asking

    if not shelf().get(flags.name).documents():
        raise InputError(
            f"知识库 {flags.name!r} 是空的", f"先加文件：custome knowledge add {flags.name} 文件夹"
        )
    service = _service(flags.model, reporter)
    asking = Asking(base=flags.name, person=flags.person, chapter=flags.chapter)
    given, spoken = service.answer(asking, flags.question)
    print(f"{flags.person}：“{spoken}”" if spoken else given.text)
    for number, one in enumerate(given.citations, 1):
        page = f"　第 {one.passage.page} 页" if one.passage.page else ""
        print(
            f"  [{number}] {'　'.join([one.passage.name, *one.passage.heading])}{page}：{one.quote}"
        )
    return 0


def _service(flags: Answering, reporter: ConsoleReporter) -> KnowledgeService:
    """Bases with the model that flags ask for."""
    from ..apps.knowledge.service import KnowledgeService
    from ..conversations.store import open_store
    from .serve import voice_of

    hosted = open_answering(flags, reporter)
    return KnowledgeService(shelf(), open_store, lambda: hosted, voice_of)


def open_answering(flags: Answering, reporter: ConsoleReporter) -> list[ServedModel]:
    """The model that words answers; none where there is none here."""
    from ..engine.base import ServedModel

    if flags.run:
        return open_models([flags.run], flags.engine, reporter).hosted
    base = usual_or(flags.base, "这里没有会组织回答的模型，只给原文", reporter)
    if base == NO_MODEL:
        return []
    return [ServedModel(name=base, engine=open_named(base, reporter))]


def knowledge_list(argv: list[str]) -> int:
    flags = parse(KnowledgeList, argv, "custome knowledge list")

    bases, reporter = shelf(), ConsoleReporter()
    if flags.name:
        base = bases.get(flags.name)
        rows = [
            [one.name, one.kind, f"{one.characters:,}", f"{one.chunks:,}"]
            for one in base.documents()
        ]
        reporter.table("", ["文件", "种类", "字", "段"], rows)
        for folder in base.settings().follows.values():
            reporter.note(f"跟着：{folder}")
        return 0
    rows = []
    for name in bases.names():
        documents = bases.get(name).documents()
        index = bases.folder / name / "index.db"
        size = f"{index.stat().st_size / 1e6:.1f} MB" if index.is_file() else "Milvus"
        characters = sum(one.characters for one in documents)
        rows.append([name, str(len(documents)), f"{characters:,}", size])
    reporter.table("", ["名字", "文件", "字", "大小"], rows)
    reporter.note(
        f"放在 {bases.folder}"
        + ("" if rows else "；还没有，做一个：custome knowledge add 名字 文件夹")
    )
    return 0


def knowledge_remove(argv: list[str]) -> int:
    flags = parse(KnowledgeRemove, argv, "custome knowledge remove")

    bases, reporter = shelf(), ConsoleReporter()
    if flags.document:
        bases.get(flags.name).remove(flags.document)
        reporter.note(
            f"拿掉了 {flags.document}；文件里的字迹用 custome knowledge compact {flags.name} 清掉"
        )
    else:
        bases.remove(flags.name)
        reporter.note(f"删掉了知识库 {flags.name}")
    return 0


def knowledge_watch(argv: list[str]) -> int:
    flags = parse(KnowledgeWatch, argv, "custome knowledge watch")
    from ..reporter import NullReporter

    base, reporter = shelf().get(flags.name), ConsoleReporter()
    follows = base.settings().follows
    if not follows:
        raise InputError(
            f"知识库 {flags.name!r} 没有跟着哪个文件夹",
            f"先 custome knowledge add {flags.name} 文件夹",
        )
    reporter.note(f"看着：{'、'.join(follows.values())}　按 Ctrl-C 结束")
    failed: dict[str, str] = {}
    while True:
        added = base.refresh(NullReporter())
        told = {name: error.message for name, error in added.failed.items()}
        if added.read or added.gone or told != failed:
            _tell(added, reporter)
        base.embed(NullReporter())
        failed = told
        time.sleep(flags.every_s)


def knowledge_eval(argv: list[str]) -> int:
    flags = parse(KnowledgeEval, argv, "custome knowledge eval")
    from ..apps.knowledge.measuring import measure, read_questions, summary
    from ..files import write_jsonl

    reporter = ConsoleReporter()
    base = shelf().get(flags.name)
    path = Path(flags.questions) if flags.questions else base.folder / "ratings.jsonl"
    questions = read_questions(path)
    questions = questions[: flags.most] if flags.most else questions
    hosted = open_answering(flags.model, reporter) if flags.answers else []
    engine = hosted[0].engine if hosted else None
    results = measure(base, questions, engine, reporter, answers=flags.answers)
    figures = summary(results)
    reporter.table("", ["量什么", "多少"], [[name, value] for name, value in figures.items()])
    for one in results:
        if one.missed:
            reporter.note(f"{one.missed}　{one.question}　→　{one.text or '（没问模型）'}")
    if flags.output:
        write_jsonl(Path(flags.output), [one.row() for one in results])
    return 0


def knowledge_compact(argv: list[str]) -> int:
    flags = parse(KnowledgeCompact, argv, "custome knowledge compact")

    base = shelf().get(flags.name)
    path = base.folder / "index.db"
    before = path.stat().st_size if path.is_file() else 0
    base.compact()
    if not path.is_file():
        return 0
    ConsoleReporter().note(f"{before / 1e6:.1f} MB → {path.stat().st_size / 1e6:.1f} MB")
    return 0


def knowledge_mcp(argv: list[str]) -> int:
    flags = parse(KnowledgeMcp, argv, "custome knowledge mcp")
    from ..server.mcp import serve_mcp

    return serve_mcp(shelf(), flags.names, http=flags.http, host=flags.host, port=flags.port)
