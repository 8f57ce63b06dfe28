"""`custome novel …`: a brief, an outline, chapters that keep to it, checks, a file to read; and a novelist taught from a book."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from ..engine.open import EngineOptions, open_models
from ..errors import InputError
from ..reporter import ConsoleReporter
from .bases import NO_MODEL, USUAL_BASE, open_named, usual_or
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


@dataclass(frozen=True, kw_only=True)
class NovelStyle:
    """拆书：一本书写成什么样（句子多长、对话多少、爱用哪些虚字），自己写的并排；像不像、抄没抄，都有数。"""

    book: Positional[str]
    """一本书（txt、epub、md……）或语料目录。"""
    folder: Positional[str] = ""
    """自己的小说；不给就只看那本书。"""


@dataclass(frozen=True, kw_only=True)
class NovelTrainStyle:
    """教它照一本书的笔法写：书里的句子让底座说成白话，再练它从白话写回书里的样子（人名都换成编的）。给 novel write --run 用。"""

    corpus: Positional[str]
    """语料目录（custome corpus build 做的）。"""
    recipe: str = "novelist-1.5b"
    """配方：novelist-1.5b、novelist-0.5b，或自己的 YAML。"""
    steps: int = 0
    """练几步；0 照配方。"""
    output_dir: str = ""
    """运行目录；留空照配方。"""
    resume: bool = False
    """从最新的检查点接着练。"""


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
        after=flags.after,
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

    for number in numbers:
        edited = folder.is_edited(number)
        text = writing.chapter(number, seen, again=again)
        size = len("".join(text.split()))
        told = "，自己改过，没有动" if edited else ""
        reporter.note(f"{parted(text).title}　{size:,} 字{told}")
    reporter.note(
        f"各回 → {folder.path / 'chapters'}　查：custome novel check {folder.path}"
        f"　成书：custome novel export {folder.path} 书名.epub"
    )


@contextmanager
def opened(flags: WhoWrites, reporter: ConsoleReporter) -> Iterator[Writer]:
    """Whoever writes, for as long as it writes."""
    from ..apps.novel.drafting import PlanItself, Storyteller
    from ..apps.novel.service import writer_of

    if flags.run or flags.engine.engine == "remote":
        hosted = open_models([flags.run] if flags.run else [], flags.engine, reporter).hosted
        try:
            yield writer_of(hosted)
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
        _tell_likeness(own, _book(Path(brief.after)), reporter)
    return 1 if broken else 0


def novel_export(argv: list[str]) -> int:
    flags = parse(NovelExport, argv, "custome novel export")
    from ..apps.novel.export import export

    path = export(_folder(flags.folder), Path(flags.output))
    ConsoleReporter().note(f"{path}　{path.stat().st_size / 1e3:,.0f} KB")
    return 0


def novel_style(argv: list[str]) -> int:
    flags = parse(NovelStyle, argv, "custome novel style")
    from ..apps.novel.export import chapters
    from ..apps.novel.style import Card, card

    book = _book(Path(flags.book))
    own = ""
    if flags.folder:
        own = "".join("".join(one.paragraphs) for one in chapters(_folder(flags.folder)))
    cards = [card(book), *([card(own)] if own else [])]
    told: list[tuple[str, Callable[[Card], str]]] = [
        ("字数", lambda one: f"{one.letters:,}"),
        ("一句几个字（中位数）", lambda one: f"{one.sentence:.0f}"),
        ("对话占", lambda one: f"{one.speech:.0%}"),
        ("用词不单调（distinct-2）", lambda one: f"{one.distinct:.2f}"),
        ("十字重复", lambda one: f"{one.repeated:.1%}"),
        *(
            (f"每千字几个“{letter}”", lambda one, letter=letter: f"{one.function[letter]:.1f}")
            for letter in cards[0].manners()
        ),
    ]
    reporter = ConsoleReporter()
    heads = ["", Path(flags.book).stem, *([Path(flags.folder).name] if own else [])]
    reporter.table("", heads, [[what, *(figure(one) for one in cards)] for what, figure in told])
    if own:
        _tell_likeness(own, book, reporter)
    return 0


def _book(path: Path) -> str:
    """The words of a book, or of all books of a corpus."""
    from ..corpus.folder import CorpusFolder
    from ..corpus.reading import read_novel

    corpus = CorpusFolder(path)
    return "".join(corpus.texts()) if corpus.is_corpus else read_novel(path).text


def _tell_likeness(own: str, book: str, reporter: ConsoleReporter) -> None:
    from ..apps.novel.prose import WINDOW, letters
    from ..apps.novel.style import likeness

    how, size = likeness(own, book), len(letters(own))
    reporter.note(f"离那本书的笔法：Delta {how.delta:.2f}（书里自己的一段 0.8 上下，别的时代 1.8）")
    reporter.note(f"照抄（连着十二字）：{how.copied:.2%}")
    if size < WINDOW:
        reporter.note(f"才 {size:,} 字；到 {WINDOW:,} 字这两个数才作得准")


def novel_train_style(argv: list[str]) -> int:
    flags = parse(NovelTrainStyle, argv, "custome novel train-style")
    import dataclasses

    from .. import recipe_file
    from ..apps.novel.learning import mark_as_novelist, write_lessons
    from .training import run_training

    reporter = ConsoleReporter()
    filed = recipe_file.load_recipe(recipe_file.find_recipe(flags.recipe))
    train = dataclasses.replace(
        filed.train,
        steps=flags.steps or filed.train.steps,
        output_dir=flags.output_dir or filed.train.output_dir,
    )
    made = write_lessons(
        Path(flags.corpus),
        lambda: open_named(_teller(filed.model.base_model), reporter),
        train.steps * train.batch_size,
        seen=lambda done, whole: reporter.progress("书里的句子说成白话", done, whole),
    )
    reporter.note(f"{made.learnt:,} 段拿来学，{made.held_out:,} 段拿来验 → {made.train}")
    data = dataclasses.replace(
        filed.data,
        corpus=flags.corpus,
        train_path=str(made.train),
        valid_path=str(made.valid),
    )
    recipe = dataclasses.replace(filed, train=train, data=data)
    code = run_training(recipe, filed, resume=flags.resume)
    if code == 0:
        mark_as_novelist(Path(train.output_dir), Path(flags.corpus))
    reporter.note(f"用它写：custome novel write 目录 --run {train.output_dir}")
    return code


def _teller(base: str) -> str:
    """Who tells a book's sentences again: the usual base where it is on this machine, else the one that is trained."""
    from ..resources import where

    return USUAL_BASE if where(USUAL_BASE).is_file() else base


def _folder(path: str) -> NovelFolder:
    from ..apps.novel.folder import NovelFolder

    return NovelFolder(Path(path))
