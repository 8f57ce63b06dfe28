"""A base of the four novels: what building and asking it cost, how much is found of questions in modern words, how cost grows.

python benchmarks/knowledge.py ../shared/novels
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from custome.apps.knowledge.base import KnowledgeBase
from custome.apps.knowledge.measuring import Question, measure, read_questions, summary
from custome.apps.knowledge.shelf import Shelf
from custome.reporter import ConsoleReporter, NullReporter
from custome.retrieval.search import search
from custome.retrieval.sqlite import SqliteStore

QUESTIONS = Path(__file__).parents[1] / "tests" / "golden" / "knowledge" / "questions.jsonl"
BOOKS = ("sanguo", "shuihu", "xiyou", "honglou")
COPIES = (1, 3, 9)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "novels", type=Path, help="folder with sanguo.txt, shuihu.txt, xiyou.txt, honglou.txt"
    )
    parser.add_argument("--questions", type=Path, default=QUESTIONS)
    parser.add_argument(
        "--growth", action="store_true", help="three and nine times the books as well"
    )
    flags = parser.parse_args()
    reporter = ConsoleReporter()
    with tempfile.TemporaryDirectory() as folder:
        before = memory_mb()
        base, seconds = built(Path(folder), flags.novels, 1)
        chunks = sum(one.chunks for one in base.documents())
        more = memory_mb() - before
        questions = moved(base, flags.novels, read_questions(flags.questions))
        rows = [
            ["一册四部", f"{chunks:,} 段，{size_mb(base):.0f} MB"],
            ["建", f"{seconds:.1f} CPU 秒"],
            ["进程比开始时多", f"{more:.0f} MB"],
            ["开了以后第一问", f"{first_s(base) * 1000:.0f} 毫秒"],
            ["一问", asked(base, [one.question for one in questions])],
        ]
        reporter.table("四大名著一个知识库", ["", ""], rows)
        found = summary(measure(base, questions, None, NullReporter(), answers=False))
        reporter.table("现代话的问题", ["", ""], [[name, value] for name, value in found.items()])
        if flags.growth:
            grown = []
            for copies in COPIES:
                larger, seconds = built(Path(folder) / f"x{copies}", flags.novels, copies)
                many = sum(one.chunks for one in larger.documents())
                told = asked(larger, [one.question for one in questions[::8]])
                grown.append(
                    [f"{many:,} 段", f"{seconds:.1f} CPU 秒", told, f"{size_mb(larger):.0f} MB"]
                )
            reporter.table("多起来", ["", "建", "一问", "大小"], grown)
    return 0


def built(folder: Path, novels: Path, copies: int) -> tuple[KnowledgeBase, float]:
    """(a base with each book so many times, seconds of processor)"""
    base = Shelf(folder).create("四大名著")
    begun = time.process_time()
    for copy in range(copies):
        for book in BOOKS:
            raw = (novels / f"{book}.txt").read_bytes()
            base.take_file(f"{book}{copy or ''}.txt", raw)
    return base, time.process_time() - begun


def moved(base: KnowledgeBase, novels: Path, questions: list[Question]) -> list[Question]:
    """Questions whose places are in the files, with their places in the base, where blanks of lines are gone."""
    found = []
    sources = {book: (novels / f"{book}.txt").read_text(encoding="utf-8") for book in BOOKS}
    texts = {book: base.store.text(f"{book}.txt") for book in BOOKS}
    bare = {
        book: [place for place, letter in enumerate(text) if not letter.isspace()]
        for book, text in texts.items()
    }
    joined = {book: "".join(texts[book][at] for at in places) for book, places in bare.items()}
    for one in questions:
        places = []
        for start, end in one.places:
            words = "".join(sources[one.document][start:end].split())
            at = joined[one.document].index(words)
            kept = bare[one.document]
            places.append((kept[at], kept[at + len(words) - 1] + 1))
        found.append(replace(one, places=tuple(places)))
    return found


def first_s(base: KnowledgeBase) -> float:
    begun = time.perf_counter()
    search(SqliteStore(base.folder / "index.db"), "诸葛亮是谁？")
    return time.perf_counter() - begun


def asked(base: KnowledgeBase, questions: list[str]) -> str:
    """Processor time of a question: median and 95th percentile."""
    names, taken = base.names(), []
    for one in questions:
        begun = time.process_time()
        search(base.store, one, names=names)
        taken.append((time.process_time() - begun) * 1000)
    return f"{statistics.median(taken):.0f}（九成五 {statistics.quantiles(taken, n=20)[-1]:.0f}）CPU 毫秒"


def memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024 if sys.platform == "linux" else 2**20
    )


def size_mb(base: KnowledgeBase) -> float:
    return (base.folder / "index.db").stat().st_size / 1e6


if __name__ == "__main__":
    raise SystemExit(main())
