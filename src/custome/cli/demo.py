"""`custome demo …`: one command to a page one can try, with what comes along."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from ..engine.open import EngineOptions, Opened
from ..reporter import ConsoleReporter
from .bases import USUAL_BASE
from .flags import parse
from .knowledge import Answering, open_answering, shelf
from .novel import WhoWrites, novel_check, opened, write
from .novel_style import novel_train_style
from .serve import Serve, run_server, who_may

BOOK = "三国演义"


@dataclass(frozen=True, kw_only=True)
class DemoKnowledge:
    """试一试本地知识：内置的《三国演义》做成知识库，打开页面就能问；也可以把自己的文件拖上去。"""

    base: str = USUAL_BASE
    """谁来组织回答；没有会先取（约 1 GB）；none：不用模型，只给原文。"""
    run: str = ""
    """用一个运行目录的模型；它的人物可以来说。"""
    host: str = "127.0.0.1"
    """页面监听的地址。"""
    port: int | None = None
    """端口；默认从 7860 起找一个空闲的。"""
    engine: EngineOptions = field(default_factory=EngineOptions)


def demo_knowledge(argv: list[str]) -> int:
    flags = parse(DemoKnowledge, argv, "custome demo knowledge")
    from ..corpus.reading import read_novel
    from ..ports import free_port
    from ..resources import EMBEDDED_NAME, fetch

    serve = Serve(host=flags.host, port=flags.port)
    doorkeeper, port = who_may(serve), free_port(flags.host, flags.port)
    reporter = ConsoleReporter()
    base = shelf().create(BOOK)
    if not base.documents():
        reporter.stage(f"知识库 {BOOK}")
        novel = read_novel(fetch(EMBEDDED_NAME, reporter), BOOK)
        base.take_file(f"{BOOK}.txt", novel.text.encode("utf-8"))
    base.store.close()
    hosted = open_answering(
        Answering(run=flags.run, base=flags.base, engine=flags.engine), reporter
    )
    reporter.note("问它：打开下面的地址，点“知识库”（/knowledge）")
    return run_server(Opened(hosted=hosted), doorkeeper, serve, port)


EMBEDDED, NOVELIST = "corpus/sanguo", "runs/novelist-sanguo"
SHOP = "青石茶铺"


@dataclass(frozen=True, kw_only=True)
class DemoService:
    """试一试商品客服：一家编出来的茶铺，客人一页、客服一页；不用模型，马上就开。"""

    host: str = "127.0.0.1"
    """页面监听的地址。"""
    port: int | None = None
    """端口；默认从 7860 起找一个空闲的。"""
    chats: str = ""
    """存在哪里：文件，或 postgresql+psycopg://用户@主机/库；默认是缓存目录里的 chats.db。"""


def demo_service(argv: list[str]) -> int:
    flags = parse(DemoService, argv, "custome demo service")
    from importlib.resources import files

    from ..apps.service.importing import read_shop
    from ..apps.service.shelves import Catalogues
    from ..conversations.store import open_store
    from ..ports import free_port

    serve = Serve(host=flags.host, port=flags.port, chats=flags.chats)
    doorkeeper, port = who_may(serve), free_port(flags.host, flags.port)
    store = open_store(flags.chats)
    Catalogues(store).keep(read_shop(Path(str(files("custome") / "data" / "shop")), SHOP))
    store.close()
    reporter = ConsoleReporter()
    shown = f"[{flags.host}]" if ":" in flags.host else flags.host
    reporter.note(f"客人：http://{shown}:{port}/shop/{SHOP}")
    reporter.note(f"客服：http://{shown}:{port}/service")
    return run_server(Opened(hosted=[]), doorkeeper, serve, port)


@dataclass(frozen=True, kw_only=True)
class DemoNovel:
    """试一试写小说：三回的故事，目录、正文、检查、EPUB，都在一个文件夹里，哪一个字都能改。"""

    folder: str = ""
    """放在哪里，已经有了就接着写；不给是 novels/demo，学笔法的是 novels/demo-sanguo。"""
    chapters: int = 3
    """几回。"""
    learn: bool = False
    """先教底座内置《三国演义》的笔法，再用它写；两个核心上四十来分钟，停了再跑一次接着来。"""
    who: WhoWrites = field(default_factory=lambda: WhoWrites(base="qwen2.5-coder-1.5b"))


def _learn_embedded() -> int:
    """The embedded book's style, where it is not learnt yet."""
    from ..apps.novel.learning import is_novelist
    from ..corpus.folder import CorpusFolder
    from .corpus import corpus_build

    if is_novelist(Path(NOVELIST)):
        return 0
    if not CorpusFolder(Path(EMBEDDED)).is_corpus:
        corpus_build(["embedded", "-o", EMBEDDED])
    return novel_train_style([EMBEDDED, "--output-dir", NOVELIST, "--resume"])


def demo_novel(argv: list[str]) -> int:
    flags = parse(DemoNovel, argv, "custome demo novel")
    from ..apps.novel.brief import Brief
    from ..apps.novel.export import export
    from ..apps.novel.folder import NovelFolder
    from ..apps.novel.inventing import cast
    from ..apps.novel.writing import plan

    place = flags.folder or ("novels/demo-sanguo" if flags.learn else "novels/demo")
    folder, reporter = NovelFolder(Path(place)), ConsoleReporter()
    if not folder.is_there():
        brief = Brief(
            title="盐灯",
            premise="盐场上的一个年轻人得了一本账簿，被人一路追赶，最后当着众人把账念了出来。",
            chapters=flags.chapters,
            titles="couplet",
            things=("账簿",),
            places=("盐场", "渡口", "酒店", "盐运司", "破庙", "灯会"),
            people=cast(flags.chapters, 7),
            seed=7,
        )
        folder.keep_brief(brief.checked())
    rows = plan(folder)
    who = flags.who
    if flags.learn:
        if (code := _learn_embedded()) != 0:
            return code
        who = replace(who, run=NOVELIST)
    with opened(who, reporter) as writer:
        write(folder, writer, [row.number for row in rows], 4, reporter)
    novel_check([place])
    path = export(folder, folder.path / "book.epub")
    reporter.note(f"{path}；各回在 {folder.path / 'chapters'}，设定在 {folder.path / 'novel.yaml'}")
    return 0


@dataclass(frozen=True, kw_only=True)
class DemoAdventure:
    """试一试文字冒险：自带的五个剧本，再把内置《三国演义》的一回现做成一个；打开页面就能玩，有模型人物会自己答话。"""

    chapter: int = 46
    """把第几回做成剧本。"""
    base: str = USUAL_BASE
    """谁来演人物。没有会先取（约 1 GB）；none：不用模型，只说写好的话。"""
    run: str = ""
    """用一个运行目录的模型；它认得的人用自己的口吻。"""
    host: str = "127.0.0.1"
    """页面监听的地址。"""
    port: int | None = None
    """端口；默认从 7860 起找一个空闲的。"""
    engine: EngineOptions = field(default_factory=EngineOptions)


def demo_adventure(argv: list[str]) -> int:
    flags = parse(DemoAdventure, argv, "custome demo adventure")
    from ..ports import free_port
    from .adventure_build import adventure_build

    serve = Serve(host=flags.host, port=flags.port)
    doorkeeper, port = who_may(serve), free_port(flags.host, flags.port)
    made = Path("adventures") / f"{BOOK}-{flags.chapter}.yaml"
    if not made.exists():
        adventure_build(["embedded", "--chapter", str(flags.chapter), "--output", str(made)])
    reporter = ConsoleReporter()
    hosted = open_answering(
        Answering(run=flags.run, base=flags.base, engine=flags.engine), reporter
    )
    reporter.note("玩：打开下面的地址，点“冒险”（/adventure）；终端里玩：custome adventure play")
    return run_server(Opened(hosted=hosted), doorkeeper, serve, port)
