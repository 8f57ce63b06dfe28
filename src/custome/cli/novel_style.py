"""`custome novel style` and `train-style`: a book in figures, and a novelist taught from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from ..reporter import ConsoleReporter
from .bases import USUAL_BASE, open_named
from .flags import parse

if TYPE_CHECKING:
    from ..apps.novel.style import Card

BOOK_WINDOWS = 10
"""Windows of a book from which its style can be told."""


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


def novel_style(argv: list[str]) -> int:
    flags = parse(NovelStyle, argv, "custome novel style")
    from ..apps.novel.export import chapters
    from ..apps.novel.folder import NovelFolder
    from ..apps.novel.style import card

    book = book_text(Path(flags.book))
    own = ""
    if flags.folder:
        own = "".join("".join(one.paragraphs) for one in chapters(NovelFolder(Path(flags.folder))))
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
        tell_likeness(own, book, reporter)
    return 0


def book_text(path: Path) -> str:
    """The words of a book, or of all books of a corpus."""
    from ..corpus.dialogue import reading_view
    from ..corpus.folder import CorpusFolder
    from ..corpus.reading import read_novel

    corpus = CorpusFolder(path)
    text = "".join(corpus.texts()) if corpus.is_corpus else read_novel(path).text
    return reading_view(text)


def tell_likeness(own: str, book: str, reporter: ConsoleReporter) -> None:
    from ..apps.novel.prose import WINDOW, letters
    from ..apps.novel.style import likeness

    size = len(letters(own))
    if len(letters(book)) < BOOK_WINDOWS * WINDOW:
        reporter.note("那本书太短，量不出笔法")
        return
    how = likeness(own, book)
    reporter.note(f"离那本书的笔法：Delta {how.delta:.2f}（书里自己的一段 0.8 上下，别的时代 1.8）")
    reporter.note(f"照抄（连着十二字）：{how.copied:.2%}")
    if size < WINDOW:
        reporter.note(f"才 {size:,} 字；到 {WINDOW:,} 字这两个数才作得准")


def novel_train_style(argv: list[str]) -> int:
    flags = parse(NovelTrainStyle, argv, "custome novel train-style")
    import dataclasses

    from .. import recipe_file
    from ..apps.novel.learning import lessons_there, mark_as_novelist, write_lessons
    from ..training.run_claim import claim
    from .training import run_training

    reporter = ConsoleReporter()
    filed = recipe_file.load_recipe(recipe_file.find_recipe(flags.recipe))
    train = dataclasses.replace(
        filed.train,
        steps=flags.steps or filed.train.steps,
        output_dir=flags.output_dir or filed.train.output_dir,
    )
    run = Path(train.output_dir)
    claim(run, flags.resume)
    there = lessons_there(Path(flags.corpus)) if flags.resume and run.is_dir() else None
    made = there or write_lessons(
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
    if code != 0:
        reporter.note(f"或者：custome novel train-style {flags.corpus} --output-dir {run} --resume")
        return code
    mark_as_novelist(run, Path(flags.corpus))
    reporter.note(f"用它写：custome novel write 目录 --run {run}")
    return 0


def _teller(base: str) -> str:
    """Who tells a book's sentences again: the usual base where it is on this machine, else the one that is trained."""
    from ..resources import where

    return USUAL_BASE if where(USUAL_BASE).is_file() else base
