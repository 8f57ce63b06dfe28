"""Speed, memory and cost of building a corpus, and how many speakers are right.

python benchmarks/corpus.py NOVELS            four text files: sanguo shuihu xiyou honglou .txt
    speed       all four in one process on one core, with peak memory
    linearity   one copy against ten copies of one book
    accuracy    against tests/golden/speakers, by book and by rule, with 95 % Wilson intervals; --part dev for the half
                that rules were written against, --no-tables to read every book as if nobody had written its names down
    identity    against tests/golden/identity, 400 drawn uniformly: who it really is (那妇人 is 潘金莲); no rule was written
                against them
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import resource
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from custome.corpus.aliases import AliasTable, shipped_tables
from custome.corpus.build import build
from custome.corpus.dialogue import extract
from custome.corpus.reading import read_novel
from custome.corpus.text import Novel
from custome.reporter import NullReporter
from custome.types import Utterance

BOOKS = ("sanguo", "shuihu", "xiyou", "honglou")
GOLD = Path(__file__).parents[1] / "tests" / "golden" / "speakers"
IDENTITY = GOLD.with_name("identity")
COPIES = 10


def measured(work: Callable[[], Any]) -> tuple[float, float]:
    """(seconds, peak MB) of some work in a fresh process."""

    def inside(pipe: Any) -> None:
        start = time.monotonic()
        work()
        pipe.send(
            (time.monotonic() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        )

    receiver, sender = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=inside, args=(sender,))
    process.start()
    result: tuple[float, float] = receiver.recv()
    process.join()
    return result


def wilson(right: int, count: int) -> str:
    """Share with its 95 % interval."""
    if not count:
        return "—"
    z, p = 1.96, right / count
    middle, half = (
        p + z * z / (2 * count),
        z * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count)),
    )
    scale = 1 + z * z / count
    return f"{right}/{count} = {100 * p:.1f} % ({100 * (middle - half) / scale:.1f}–{100 * (middle + half) / scale:.1f})"


def is_right(label: dict[str, Any], found: Utterance | None) -> bool:
    """Lenient: the canonical name or an accepted alias; what is not speech must have no speaker."""
    if label["speaker"] == "无":
        return found is None or not found.speaker or found.kind in ("name", "nested")
    return found is not None and (
        found.speaker == label["speaker"] or found.speaker in label["aliases"]
    )


class Score:
    """Counts of right answers by question."""

    def __init__(self) -> None:
        self.counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])

    def add(self, question: str, right: bool) -> None:
        self.counts[question][0] += right
        self.counts[question][1] += 1

    def show(self, question: str) -> str:
        return wilson(*self.counts[question])


def accuracy(novels: Path, part: str, tables: bool) -> Score:
    """Score the labels of one part (test or dev)."""
    score = Score()
    for book in BOOKS:
        text = read_novel(novels / f"{book}.txt").text
        name = book if tables else f"没有表的书{BOOKS.index(book)}"
        novel = Novel(name=name, text=text)
        found = {
            u.offset: u for u in extract(novel, None if tables else _found_table(novel)).utterances
        }
        for line in (GOLD / f"{book}.jsonl").read_text(encoding="utf-8").splitlines():
            label = json.loads(line)
            if label["part"] != part:
                continue
            utterance = found.get(label["offset"])
            right = is_right(label, utterance)
            if label["speaker"] == "无":
                score.add("not speech", right)
                continue
            if label["pool"] == "uniform":
                score.add(book, right)
                score.add("all", right)
                score.add("found", utterance is not None)
            if label["kind"] in ("anaphoric", "implicit"):
                score.add("hard", right)
            score.add(f"rule {utterance.rule if utterance else 'not found'}", right)
    return score


def is_who(label: dict[str, Any], found: Utterance | None, table: AliasTable) -> bool:
    """Is it the person, by whichever of their names? What nobody says must have no speaker."""
    if label["speaker"] == "无":
        return is_right(label, found)
    owners = table.owners()

    def known(name: str) -> str:
        bearers = owners.get(name, ())
        return bearers[0] if len(bearers) == 1 else name

    wanted = {name for one in (label["speaker"], *label["aliases"]) for name in (one, known(one))}
    joint = set(label["speaker"].split("、"))
    return found is not None and (
        bool({found.speaker, known(found.speaker)} & wanted)
        or set(found.speaker.split("、")) == joint
    )


def identity(novels: Path, tables: bool) -> Score:
    """Score the labels of who it really is."""
    score, shipped = Score(), shipped_tables()
    for book in BOOKS:
        text = read_novel(novels / f"{book}.txt").text
        novel = Novel(name=book if tables else f"没有表的书{BOOKS.index(book)}", text=text)
        found = {
            u.offset: u for u in extract(novel, None if tables else _found_table(novel)).utterances
        }
        for line in (IDENTITY / f"{book}.jsonl").read_text(encoding="utf-8").splitlines():
            label = json.loads(line)
            right = is_who(label, found.get(label["offset"]), shipped[book])
            if label["speaker"] == "无":
                score.add("not speech", right)
                continue
            score.add("all", right)
            score.add(book, right)
            score.add("hard" if label["kind"] != "explicit" else "explicit", right)
    return score


MOST_TALKATIVE = 40


def people(novels: Path, book: str) -> tuple[float, float, float]:
    """(B³ precision, recall, F1) of the names the program joins by itself (Bagga and Baldwin 1998)."""
    text = read_novel(novels / f"{book}.txt").text
    written, novel = shipped_tables()[book], Novel(name="没有表的书", text=text)
    found = {one.offset: one for one in extract(novel, _found_table(novel)).utterances}
    spoken = [
        one
        for one in extract(Novel(name=book, text=text)).utterances
        if one.speaker in written.people and one.kind in ("speech", "thought")
    ]
    counts = Counter(one.speaker for one in spoken)
    main = {name for name, _ in counts.most_common(MOST_TALKATIVE)}
    pairs = [
        (one.speaker, found[one.offset].speaker or str(one.offset))
        for one in spoken
        if one.speaker in main and one.offset in found
    ]
    wanted, given = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    both = Counter(pairs)
    precision = sum(n * n / given[pair[1]] for pair, n in both.items()) / len(pairs)
    recall = sum(n * n / wanted[pair[0]] for pair, n in both.items()) / len(pairs)
    return precision, recall, 2 * precision * recall / (precision + recall)


def _found_table(novel: Novel) -> AliasTable:
    """What the program finds by itself: a book whose people no shipped table knows."""
    from custome.corpus import dialogue

    shipped = dialogue.shipped_table_for
    dialogue.shipped_table_for = lambda name, text: None  # type: ignore[assignment]
    try:
        return extract(novel).table
    finally:
        dialogue.shipped_table_for = shipped


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("novels", type=Path)
    parser.add_argument("--part", choices=("test", "dev"), default="test")
    parser.add_argument("--no-tables", action="store_true")
    parser.add_argument("--accuracy-only", action="store_true")
    options = parser.parse_args()
    if not options.accuracy_only:
        speed(options.novels)
    score = accuracy(options.novels, options.part, not options.no_tables)
    print(
        f"speakers, {options.part} half of the labels, {'without' if options.no_tables else 'with'} alias tables"
    )
    for question in ("found", *BOOKS, "all", "hard", "not speech"):
        print(f"  {question:<12} {score.show(question)}")
    for question in sorted(
        (q for q in score.counts if q.startswith("rule")), key=lambda q: -score.counts[q][1]
    ):
        print(f"  {question:<16} {score.show(question)}")

    who = identity(options.novels, not options.no_tables)
    print("who it really is, 400 labels")
    for question in (*BOOKS, "all", "explicit", "hard", "not speech"):
        print(f"  {question:<12} {who.show(question)}")

    print("one person one name, without tables: B³ precision, recall, F1")
    scores = [people(options.novels, book) for book in BOOKS]
    for name, numbers in zip((*BOOKS, "mean"), (*scores, _mean(scores)), strict=True):
        print(f"  {name:<12} " + "  ".join(f"{100 * number:.1f}" for number in numbers))


def _mean(rows: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))


def speed(novels: Path) -> None:
    paths = [novels / f"{book}.txt" for book in BOOKS]
    characters = sum(len(read_novel(path).text) for path in paths)
    with tempfile.TemporaryDirectory() as folder:
        seconds, megabytes = measured(
            lambda: build(paths, Path(folder) / "all", NullReporter(), processes=1)
        )
        print(
            f"four books, {characters:,} characters, one core: {seconds:.2f} s, {megabytes:.0f} MB, {characters / seconds:,.0f} characters/s"
        )
        one = Path(folder) / "one.txt"
        ten = Path(folder) / "ten.txt"
        text = read_novel(paths[0]).text
        one.write_text(text, encoding="utf-8")
        ten.write_text(text * COPIES, encoding="utf-8")
        times = [
            min(
                measured(
                    lambda p=p, n=n: build([p], Path(folder) / n, NullReporter(), names=["sanguo"])
                )[0]
                for _ in range(2)
            )
            for p, n in ((one, "o"), (ten, "t"))
        ]
        print(
            f"ten copies take {times[1] / times[0]:.2f} times as long ({times[0]:.2f} s, {times[1]:.2f} s)"
        )


if __name__ == "__main__":
    main()
