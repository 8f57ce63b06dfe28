"""A novel measured: outlines of many chapters, and eight briefs written and checked.

    python benchmarks/novel.py                         the plan's own sentences, no model
    python benchmarks/novel.py --base qwen2.5-coder-1.5b --chapters 2
    python benchmarks/novel.py --run runs/novelist --after corpus/sanguo
    python benchmarks/novel.py --judge novels/demo-sanguo --after corpus/sanguo

The last one has an untuned base read fifty passages of a novel and fifty of the book, each beside the plain words it was made of: is
it likelier under its own words than under five others', by how many nats a character, and how surprising are its characters.

Briefs are invented here; every one has what code can check: who comes later, who dies, words that must not stand in it, promises, a
secret, couplets, a length.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

from custome.apps.novel.brief import Brief, Promise, Secret
from custome.apps.novel.checking import Check, check
from custome.apps.novel.folder import NovelFolder
from custome.apps.novel.inventing import cast
from custome.apps.novel.learning import FOLDER, RETOLD, people_of
from custome.apps.novel.planning import outline
from custome.apps.novel.prose import Style, book_grams, copied, coverage, letters
from custome.apps.novel.writing import Writing, plan
from custome.cli.novel import WhoWrites, opened
from custome.corpus.folder import CorpusFolder
from custome.engine.open_local import open_local
from custome.evaluation.persona import Answer, spread
from custome.evaluation.sense import sense_of, shuffled
from custome.reporter import ConsoleReporter, NullReporter

JUDGED = 50
"""Passages that a judge reads."""
REWORDED = "把这句话改写成旧小说里的句子，意思不变。"
"""What the judge reads before the plain words; version 1."""
THINGS = ("账簿", "玉佩", "密信", "铁匣", "欠条", "录音笔", "老照片", "药方")
WORDS = ("铜铃", "红伞", "旧鞋", "木梳", "灯笼", "竹哨", "砚台", "风筝")


def briefs(chapters: int) -> list[Brief]:
    """Eight briefs."""
    made = []
    for number in range(8):
        people = list(cast(chapters, number))
        last = max(2, chapters)
        elder = next(at for at, one in enumerate(people) if one.part == "长辈")
        two_faced = next(at for at, one in enumerate(people) if one.part == "两面人")
        people[elder] = replace(people[elder], dies=max(1, chapters // 2))
        people[two_faced] = replace(people[two_faced], enters=min(3, chapters))
        words = WORDS[number]
        made.append(
            Brief(
                title=f"第{number + 1}本",
                premise=f"{people[0].name}得了一件不该得的东西。",
                era="今" if number in (5, 6) else "古",
                chapters=chapters,
                titles="couplet" if number % 2 == 0 else "plain",
                seed=number,
                things=(THINGS[number],),
                people=tuple(people),
                forbidden=("手枪", "皇帝"),
                secrets=(
                    Secret(
                        what=f"{THINGS[number]}里有名单",
                        words=(THINGS[number], "名单"),
                        known_to=(people[0].name,),
                    ),
                ),
                promises=(
                    (Promise(what=f"{words}是故人留下的", words=(words,), planted=1, paid=last),)
                    if chapters > 1
                    else ()
                ),
            )
        )
    return made


def long_outlines() -> None:
    print(f"{'chapters':>9}{'people':>8}{'seconds':>9}{'holes':>7}{'twice':>7}{'forgotten':>11}")
    for chapters in (10, 100, 500, 1_000):
        brief = Brief(
            title="长",
            premise="长。",
            chapters=chapters,
            titles="couplet",
            people=cast(chapters, 1),
        )
        begun = time.monotonic()
        rows = outline(brief)
        spent = time.monotonic() - begun
        holes = sum(not (row.title and row.event and row.people) for row in rows)
        twice = len(rows) - len({row.event for row in rows})
        named = {name for row in rows for name in row.people}
        forgotten = len({one.name for one in brief.people} - named)
        print(
            f"{chapters:9,}{len(brief.people):8}{spent:9.1f}{holes:7}{twice:7}{forgotten:11}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", default="", help="a novelist (custome novel train-style)")
    parser.add_argument(
        "--base", default="none", help="a base that rewords the plan; none: no model"
    )
    parser.add_argument("--after", default="", help="a corpus: how like its style, how much copied")
    parser.add_argument("--chapters", type=int, default=10, help="of each brief")
    parser.add_argument("--briefs", type=int, default=8)
    parser.add_argument("--scenes", type=int, default=0, help="of each chapter; 0: by its length")
    parser.add_argument("--candidates", type=int, default=4)
    parser.add_argument("--keep", default="", help="a folder for what is written")
    parser.add_argument("--judge", default="", help="a novel's folder that is read by a base")
    parser.add_argument("--judge-base", default="qwen2.5-coder-1.5b")
    options = parser.parse_args()
    if options.judge:
        judged(NovelFolder(Path(options.judge)), Path(options.after), options.judge_base)
        return
    long_outlines()
    place = Path(options.keep or tempfile.mkdtemp())
    found: dict[str, list[Check]] = defaultdict(list)
    texts, seconds = [], []
    who = WhoWrites(run=options.run, base=options.base)
    with opened(who, ConsoleReporter()) as writer:
        for brief in briefs(options.chapters)[: options.briefs]:
            folder = NovelFolder(place / brief.title)
            if not folder.is_there():
                folder.keep_brief(replace(brief, scenes=options.scenes))
            for row in plan(folder):
                begun = time.monotonic()
                texts.append(
                    Writing(folder, writer, candidates=options.candidates).chapter(row.number)
                )
                seconds.append(time.monotonic() - begun)
                for one in check(folder, row.number):
                    found[kind(one.what)].append(one)
    own = [one.name for brief in briefs(options.chapters) for one in brief.people]
    report(found, texts, seconds, options.after, own)
    report_drafts([NovelFolder(one) for one in sorted(place.iterdir())])


def report_drafts(folders: list[NovelFolder]) -> None:
    """What must be named of a beat, in the first try and in the best of all; how often no try was taken."""
    first, best, own, count = 0.0, 0.0, 0, 0
    for folder in folders:
        aliases = folder.brief().aliases()
        for line in (folder.path / "calls.jsonl").read_text(encoding="utf-8").splitlines():
            call = json.loads(line)
            beat = folder.beats(call["chapter"])[call["passage"] - 1]
            named = [
                coverage(one, (*beat.keywords, *beat.people), aliases) for one in call["drafts"]
            ]
            if named:
                first, best, count = first + named[0], best + max(named), count + 1
                own += call["chosen"] == beat.event
    if count:
        print(
            f"{count} passages: named in the first try {first / count:.2f}, in the best {best / count:.2f}; "
            f"the plan's own sentence {own / count:.0%}"
        )


def judged(folder: NovelFolder, corpus: Path, base: str) -> None:
    """What an untuned base thinks of passages: of a novel, of the book, and of the book under other words."""
    calls = [json.loads(one) for one in (folder.path / "calls.jsonl").read_text().splitlines()]
    written = [
        Answer(
            question=folder.beats(one["chapter"])[one["passage"] - 1].event,
            kind="novel",
            name="novel",
            text=one["chosen"],
        )
        for one in calls
    ]
    told = [json.loads(one) for one in (corpus / FOLDER / RETOLD).read_text("utf-8").splitlines()]
    real = [
        Answer(question=one["plain"], kind="book", name="book", text=one["text"])
        for one in told
        if one["plain"]
    ]
    written, real = spread(written, JUDGED), spread(real, JUDGED)
    judge = open_local(run=None, base_model=base, reporter=ConsoleReporter(), fast=True)
    print(f"{'':18}{'own of six':>12}{'nats of it':>12}{'language':>10}{'characters':>12}")
    for name, some in (("novel", written), ("book", real), ("book, mismatched", shuffled(real))):
        means = sense_of(judge, some, NullReporter(), played=REWORDED).means()
        size = statistics.mean(len(one.text) for one in some)
        print(f"{name:18}{means['wins']:12.2f}{means['information']:12.2f}{means['language']:10.2f}{size:12.0f}", flush=True)  # fmt: skip


def kind(what: str) -> str:
    """A check without the names in it."""
    for part in ("才出场", "不再说话"):
        if part in what:
            return part
    return what.split(" ")[0].split("（")[0]


def report(
    found: dict[str, list[Check]],
    texts: list[str],
    seconds: list[float],
    after: str,
    own: list[str],
) -> None:
    print(f"\n{'what':24}{'hold':>12}")
    for what, some in sorted(found.items()):
        print(f"{what:24}{sum(one.passed for one in some):6}/{len(some)}")
        for one in [one for one in some if not one.passed][:3]:
            print(f"    chapter {one.chapter}: {one.what}: {one.found}")
    every = [one for some in found.values() for one in some]
    print(f"{'all':24}{sum(one.passed for one in every):6}/{len(every)}")
    print(f"seconds a chapter {statistics.median(seconds):.1f}, characters {statistics.median(len(letters(text)) for text in texts):.0f}")  # fmt: skip
    if after:
        book = "".join(CorpusFolder(Path(after)).texts())
        whole = "".join(texts)
        print(
            f"Delta to {after} at 3,000 characters: {Style(book).delta(letters(whole)[:3000]):.2f}"
        )
        print(f"copied 12-grams: {copied(whole, book_grams(book)):.2%}")
        foreign = [one for one in people_of(Path(after)) if not any(one in name for name in own)]
        leaked = Counter(name for name in foreign if name in whole)
        print(f"names of the book in {len(texts)} chapters: {', '.join(leaked) or 'none'}")


if __name__ == "__main__":
    main()
