"""How good a base and its answers are, on questions whose places are known: found, answered from the right place, refused when
nothing is there. Prints what was missed, whole.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...engine.base import Engine
from ...errors import DataError
from ...files import read_text
from ...reporter import Reporter
from ...retrieval.store import Passage
from .answering import answer
from .base import PASSAGES, KnowledgeBase

DEPTH = 10
"""Passages that are looked at for recall and rank."""
OVERLAP = 0.5
"""Of the shorter of a passage and a place that must be in both."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question with the places that answer it."""

    question: str
    document: str = ""
    places: tuple[tuple[int, int], ...] = ()
    """(start, end) in the document; none where nothing answers it."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of a question."""

    question: str
    answerable: bool
    rank: int
    """Of the first passage that has a place, from 1; 0 where none of the first ten has."""
    kind: str = ""
    """checked, nearest, nothing; '' where no answer was asked for."""
    right: bool = False
    """Does a citation stand in one of the places?"""
    text: str = ""
    seconds: float = 0.0

    @property
    def missed(self) -> str:
        """What went wrong; '' for nothing."""
        if not self.answerable:
            return "该说没有" if self.kind == "checked" else ""
        if self.kind in ("", "checked") and not self.rank:
            return "没找到"
        if self.kind == "checked":
            return "" if self.right else "引错地方"
        return "没答" if self.kind else ""

    def row(self) -> dict[str, Any]:
        return {**asdict(self), "missed": self.missed}


def read_questions(path: Path) -> list[Question]:
    """The questions of a file; rows that say an answer was wrong have no places and are passed over.

    Raises:
        DataError: a row has other keys or values: file, line, key, reason.
    """
    found: list[Question] = []
    wrong = 0
    for number, line in enumerate(read_text(path, "问题文件").split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{where} 不是 JSON：{error}", "一行一个 JSON") from error
        if not isinstance(row, dict) or not isinstance(row.get("question"), str):
            raise DataError(
                f"{where} 没有 question",
                '例如 {"question": "…", "document": "书.txt", "places": [[10, 60]]}',
            )
        if row.get("wrong"):
            wrong += 1
            continue
        places, document = row.get("places"), str(row.get("document", row.get("book", "")))
        if not isinstance(places, list) or not all(map(_is_place, places)):
            raise DataError(f"{where} 的 places 应是 [[开始, 结束], …]", "资料里没有答案的写 []")
        if places and not document:
            raise DataError(
                f"{where} 没有 document", "写答案在哪个文件里，照 custome knowledge list"
            )
        found.append(
            Question(
                question=row["question"],
                document=document,
                places=tuple((start, end) for start, end in places),
            )
        )
    if not found and wrong:
        raise DataError(
            f"{str(path)!r} 里只有打了“不对”的，不知道对的在哪里，量不了",
            "在页面上给答得对的也点一下，或自己写问题文件",
        )
    if not found:
        raise DataError(
            f"{str(path)!r} 里没有一个能用的问题", "一行一个 JSON：question、document、places"
        )
    return found


def _is_place(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(at, int) for at in value)
        and 0 <= value[0] < value[1]
    )


def measure(
    base: KnowledgeBase,
    questions: Sequence[Question],
    engine: Engine | None,
    reporter: Reporter,
    *,
    answers: bool = True,
) -> list[Result]:
    """Ask every question.

    Args:
        engine: words the answers; without one they are the nearest sentences.
        answers: False looks only whether the passages are found.
    """
    names, results = base.names(), []
    for done, one in enumerate(questions, 1):
        begun = time.monotonic()
        hits = base.search(one.question, DEPTH)
        rank = next((at for at, hit in enumerate(hits, 1) if _is_there(hit.passage, one)), 0)
        kind, right, text = "", False, ""
        if answers:
            given = answer(hits[:PASSAGES], engine, one.question, names=names)
            kind, text = given.kind, given.text
            right = any(
                _covers(c.passage.name, c.start, c.end, one, whole=False) for c in given.citations
            )
        results.append(
            Result(
                question=one.question,
                answerable=bool(one.places),
                rank=rank,
                kind=kind,
                right=right,
                text=text,
                seconds=time.monotonic() - begun,
            )
        )
        reporter.progress("提问", done, len(questions), one.question)
    return results


def _is_there(passage: Passage, one: Question) -> bool:
    return _covers(passage.name, passage.start, passage.end, one, whole=True)


def _covers(name: str, start: int, end: int, one: Question, *, whole: bool) -> bool:
    """Is a stretch of a document one of a question's places? A passage must hold half of the shorter of both."""
    if one.document not in (name, Path(name).stem):
        return False
    for first, last in one.places:
        shared = min(end, last) - max(start, first)
        if shared > 0 and (not whole or shared >= OVERLAP * min(last - first, end - start)):
            return True
    return False


def summary(results: Sequence[Result]) -> dict[str, str]:
    """The figures, as they are shown."""
    known = [one for one in results if one.answerable]
    others = [one for one in results if not one.answerable]
    figures = {"问题": f"{len(known)} 个有答案，{len(others)} 个没有"}
    for depth in (1, 3, 5, DEPTH):
        figures[f"recall@{depth}"] = _share(sum(0 < one.rank <= depth for one in known), len(known))
    if known:
        figures["MRR"] = f"{sum(1 / one.rank for one in known if one.rank) / len(known):.3f}"
    if any(one.kind for one in results):
        found = [one for one in known if 0 < one.rank <= PASSAGES]
        said = [one for one in known if one.kind == "checked"]
        figures |= {
            "答了，引的是对的地方": _share(sum(one.right for one in said), len(known)),
            "答了，引的是别的地方": _share(sum(not one.right for one in said), len(known)),
            "找到了却没答": _share(sum(one.kind != "checked" for one in found), len(found)),
            "没有的说没有": _share(sum(one.kind != "checked" for one in others), len(others)),
            "一个问题": f"{sum(one.seconds for one in results) / len(results):.1f} 秒",
        }
    return figures


def _share(count: int, of: int) -> str:
    return f"{count}/{of} = {count / of:.2f}" if of else "—"
