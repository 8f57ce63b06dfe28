"""`custome novel …`: a brief, an outline, chapters that keep to it, checks, a file to read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from ..engine.open import EngineOptions, open_models
from ..errors import CustomeError, InputError
from ..reporter import ConsoleReporter
from .bases import NO_MODEL, open_named, usual_or
from .flags import parse

if TYPE_CHECKING:
    from ..apps.novel.drafting import Writer
    from ..apps.novel.folder import NovelFolder

SHOWN = 30
"""Rows of an outline that are printed."""


@dataclass(frozen=True, kw_only=True)
class NovelNew:
    """开一本小说：一个文件夹，设定在 novel.yaml 里，都是能改的字。不给人物就起六个名字，各有各的戏份。"""

    folder: Positional[str]
    """放在哪个文件夹。"""
    title: str = ""
    """书名；默认是文件夹的名字。"""
    premise: str = "一个普通人得了一件不该得的东西，被人追着跑，最后把真相说了出来。"
    """一句话：讲什么。"""
    chapters: int = 10
    """几回。"""
    length: int = 1_200
    """每回多少字。"""
    scenes: int = 0
    """每回几场；0 按字数，三百字一场。用练过的笔法（novel write --run）写，一场能写五六百字。"""
    era: Literal["古", "今"] = "古"
    """时代：灯是油灯还是台灯，差役还是警察。"""
    titles: Literal["plain", "couplet"] = "couplet"
    """回目：plain 一句，couplet 一副对子。"""
    thing: str = ""
    """大家争的那件东西，如 账簿；几件用逗号隔开，一件写十来回。"""
    places: str = ""
    """在哪些地方，用逗号隔开。"""
    people: str = ""
    """人物，用逗号隔开，依次是主角、帮手、对头、爪牙、两面人、长辈；别的（别名、第几回出场……）写在 novel.yaml 里。"""
    after: str = ""
    """写外传、仿写：照哪个语料目录。人物里书中的人带上书里的别名，novel check 会量笔法像不像、抄没抄。"""
    seed: int = 42
    """种子：同样的设定、种子、模型，写出同样的书。"""


@dataclass(frozen=True, kw_only=True)
class NovelPlan:
    """排目录：每回的回目、发生的事、谁在场，前后说得通；不用模型，五百回十来秒。outline.json 可以自己改。"""

    folder: Positional[str]
    """小说的文件夹。"""
    again: bool = False
    """照现在的设定重排，盖掉旧目录（写好的各回不动）。"""


@dataclass(frozen=True, kw_only=True)
class WhoWrites:
    """谁来写。"""

    run: str = ""
    """custome novel train-style 练出来的运行目录。"""
    base: str = "auto"
    """没有运行目录时用的底座；auto：这台机器上已经有 1.5B 就用它；none：不用模型，只有情节的原句。"""
    engine: EngineOptions = field(default_factory=EngineOptions)


@dataclass(frozen=True, kw_only=True)
class NovelWrite:
    """照目录写：每件事写几遍挑一遍，写一段存一段；断了再跑一次接着写。自己改过的回不会盖掉。"""

    folder: Positional[str]
    """小说的文件夹。"""
    chapters: Positional[tuple[int, ...]] = ()
    """写哪几回；一个都不给：把没写的都写了。"""
    candidates: int = 4
    """每一段写几遍来挑。"""
    again: bool = False
    """给出的这几回从头重写；自己改过的仍不动。"""
    who: WhoWrites = field(default_factory=WhoWrites)


@dataclass(frozen=True, kw_only=True)
class NovelCheck:
    """查写好的各回：字数、谁该出场、谁死了还说话、不许出现的、重复、要写到的写到没有；不对的指出原文。"""

    folder: Positional[str]
    """小说的文件夹。"""
    chapters: Positional[tuple[int, ...]] = ()
    """查哪几回；一个都不给是全部。"""


@dataclass(frozen=True, kw_only=True)
class NovelExport:
    """写好的各回合成一个文件：txt、md、epub、docx，看文件名。"""

    folder: Positional[str]
    """小说的文件夹。"""
    output: Positional[str]
    """写到哪里，如 盐灯.epub。"""


def novel_new(argv: list[str]) -> int:
    flags = parse(NovelNew, argv, "custome novel new")
    from ..apps.novel.brief import Brief, Person, listed
    from ..apps.novel.inventing import cast, from_book

    folder = _folder(flags.folder)
    if folder.is_there():
        raise InputError(
            f"{flags.folder!r} 里已经有一本小说", "换一个文件夹；要改设定就改它的 novel.yaml"
        )
    names = listed(flags.people)
    named = (
        from_book(Path(flags.after), names)
        if flags.after
        else [Person(name=name) for name in names]
    )
    brief = Brief(
        title=flags.title or Path(flags.folder).name,
        premise=flags.premise,
        era=flags.era,
        chapters=flags.chapters,
        length=flags.length,
        scenes=flags.scenes,
        titles=flags.titles,
        seed=flags.seed,
        things=listed(flags.thing),
        places=listed(flags.places),
        people=cast(flags.chapters, flags.seed, named),
        after=str(Path(flags.after).resolve()) if flags.after else "",
    )
    folder.keep_brief(brief.checked())
    reporter = ConsoleReporter()
    parts = [f"{part} {'、'.join(some)}" for part, some in brief.parts().items() if some]
    reporter.note(f"《{brief.title}》：{'；'.join(parts)}")
    reporter.note(f"设定 → {folder.path / 'novel.yaml'}，随便改")
    reporter.note(
        f"排目录：custome novel plan {flags.folder}　写：custome novel write {flags.folder}"
    )
    return 0


def novel_plan(argv: list[str]) -> int:
    flags = parse(NovelPlan, argv, "custome novel plan")
    from ..apps.novel.writing import plan

    folder, reporter = _folder(flags.folder), ConsoleReporter()
    rows = plan(folder, again=flags.again)
    shown = [[f"第{row.number}回", row.title, row.event] for row in rows[:SHOWN]]
    reporter.table("", ["", "回目", "事"], shown)
    if len(rows) > SHOWN:
        reporter.note(f"……共 {len(rows)} 回")
    reporter.note(
        f"目录 → {folder.path / 'outline.json'}，事可以自己改；写：custome novel write {flags.folder}"
    )
    return 0


def novel_write(argv: list[str]) -> int:
    flags = parse(NovelWrite, argv, "custome novel write")
    from ..apps.novel.writing import plan

    folder, reporter = _folder(flags.folder), ConsoleReporter()
    if flags.again and not flags.chapters:
        raise InputError(
            "--again 要说重写哪几回", f"如 custome novel write {flags.folder} 3 --again"
        )
    rows = plan(folder)
    numbers = flags.chapters or [row.number for row in rows]
    with opened(flags.who, reporter) as writer:
        write(folder, writer, numbers, flags.candidates, reporter, again=flags.again)
    return 0


def write(
    folder: NovelFolder,
    writer: Writer,
    numbers: tuple[int, ...] | list[int],
    candidates: int,
    reporter: ConsoleReporter,
    *,
    again: bool = False,
) -> None:
    """Write chapters, telling how far it is; Ctrl-C keeps what is written."""
    from ..apps.novel.export import parted
    from ..apps.novel.writing import Progress, Writing

    writing = Writing(folder, writer, candidates=candidates)

    def seen(now: Progress) -> None:
        if now.finished:
            reporter.progress(f"第 {now.chapter} 回", now.done, now.whole)

    there = [number for number in numbers if folder.has_chapter(number)]
    for number in numbers:
        edited = folder.is_edited(number)
        text = writing.chapter(number, seen, again=again)
        size = len("".join(text.split()))
        told = "，自己改过，没有动" if edited else ""
        reporter.note(f"{parted(text).title}　{size:,} 字{told}")
    if numbers and len(there) == len(numbers) and not again:
        reporter.note(
            f"这几回早就写好，没有动；重写：custome novel write {folder.path} {' '.join(map(str, numbers[:SHOWN]))} --again"
        )
    reporter.note(
        f"各回 → {folder.path / 'chapters'}　查：custome novel check {folder.path}"
        f"　成书：custome novel export {folder.path} 书名.epub"
    )


@contextmanager
def opened(flags: WhoWrites, reporter: ConsoleReporter) -> Iterator[Writer]:
    """Whoever writes, for as long as it writes."""
    from ..apps.novel.drafting import NO_MANNER, PlanItself, Storyteller
    from ..apps.novel.service import writer_of

    if flags.run or flags.engine.engine == "remote":
        hosted = open_models([flags.run] if flags.run else [], flags.engine, reporter).hosted
        writer = writer_of(hosted)
        if flags.run and writer.manner is NO_MANNER:
            reporter.note(
                "这个运行目录学的不是笔法，当作一般的底座用；学笔法：custome novel train-style"
            )
        try:
            yield writer
        finally:
            hosted[0].engine.close()
        return
    base = usual_or(flags.base, "这里没有会写的模型，先用情节的原句", reporter)
    if base == NO_MODEL:
        yield PlanItself()
        return
    engine = open_named(base, reporter)
    try:
        yield Storyteller(engine, base)
    finally:
        engine.close()


def novel_check(argv: list[str]) -> int:
    flags = parse(NovelCheck, argv, "custome novel check")
    from ..apps.novel.checking import check
    from ..apps.novel.export import chapters
    from .novel_style import book_text, tell_likeness

    folder, reporter = _folder(flags.folder), ConsoleReporter()
    brief = folder.brief()
    checks = [one for number in flags.chapters or folder.written() for one in check(folder, number)]
    if not checks:
        raise InputError("还没有写好的一回", f"先写：custome novel write {flags.folder}")
    broken = [one for one in checks if not one.passed]
    reporter.table(
        "",
        ["回", "查什么", "", "看到的"],
        [[str(one.chapter), one.what, "✓" if one.passed else "✗", one.found] for one in checks],
    )
    reporter.note(f"{len(checks)} 项，{len(checks) - len(broken)} 项对，{len(broken)} 项不对")
    if brief.after:
        own = "".join("".join(one.paragraphs) for one in chapters(folder))
        try:
            tell_likeness(own, book_text(Path(brief.after)), reporter)
        except CustomeError:
            reporter.note(f"参照的 {brief.after!r} 读不到，笔法没有量")
    return 1 if broken else 0


def novel_export(argv: list[str]) -> int:
    flags = parse(NovelExport, argv, "custome novel export")
    from ..apps.novel.export import export

    path = export(_folder(flags.folder), Path(flags.output))
    ConsoleReporter().note(f"{path}　{path.stat().st_size / 1e3:,.0f} KB")
    return 0


def _folder(path: str) -> NovelFolder:
    from ..apps.novel.folder import NovelFolder

    return NovelFolder(Path(path))
