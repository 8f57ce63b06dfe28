"""Does a reply make sense? A base model that was not tuned reads it, and what is likely to it tells three things:

answers    is the reply likelier under its own question than under five others of the set (chance 0.17), and by how many nats a
           character: the information it has of the question (Li et al. 2016, arXiv 1510.03055)
language   how surprising its characters are, in nats
asked      the log odds of 是 over 否 when it is asked whether the reply answers, orders swapped

Every judge is first shown to work: real replies of a book's held-out chapters against the same person's replies to something
else. Knows engines that score, and texts.
"""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..corpus.folder import CorpusFolder
from ..engine.base import Engine
from ..files import read_text
from ..reporter import Reporter
from ..types import Message, Request
from .persona import Answer, spread

OTHERS = 5
"""Questions that a reply's own is set against."""
PLAYED = "你是扮演{name}，用{name}的口吻回答。"
"""What the judge reads before a question; version 1."""
DIRECT = (
    "下面是一问一答。\n问：{question}\n答：{reply}\n这个回答通顺、并且答的是所问的事吗？只回答“是”或“否”。",
    "下面是一问一答。\n问：{question}\n答：{reply}\n这个回答不通顺，或者答非所问，对吗？只回答“是”或“否”。",
)
"""Asked directly, once each way round; version 1."""
AT_ONCE = 32
GOOD_JUDGE = 0.8
"""Area under the curve, real against shuffled, below which a judge is not believed."""


@dataclass(frozen=True, kw_only=True)
class Sense:
    """What a judge finds of some replies, one value a reply."""

    wins: tuple[bool, ...]
    """Its own question makes it likelier than each of the others."""
    information: tuple[float, ...]
    """Nats a character: under its own question more than, in the mean, under the others."""
    language: tuple[float, ...]
    """Nats a character under its own question; less is more like language."""
    direct: tuple[float, ...] = ()
    """Log odds that it answers, asked directly; empty where that was not asked."""

    def means(self) -> dict[str, float]:
        found = {
            "wins": self.wins,
            "information": self.information,
            "language": self.language,
            "direct": self.direct,
        }
        return {name: float(np.mean(values)) for name, values in found.items() if len(values)}


def sense_of(
    judge: Engine,
    answers: Sequence[Answer],
    reporter: Reporter,
    *,
    direct: bool = False,
    played: str = PLAYED,
) -> Sense:
    """What `judge` thinks of answers; empty replies make none.

    Args:
        played: what it reads before a question; '' for nothing.
    """
    questions = list(dict.fromkeys(answer.question for answer in answers))
    dice = np.random.default_rng(0)
    rows: list[tuple[str, Answer]] = []
    for answer in answers:
        others = [question for question in questions if question != answer.question]
        chosen = dice.permutation(len(others))[:OTHERS]
        rows += [
            (question, answer)
            for question in (answer.question, *(others[place] for place in chosen))
        ]
    scores = np.array(_likelihoods(judge, rows, reporter, played)).reshape(
        len(answers), -1
    )  # (A answers, own and others)
    sizes = np.array([max(1, len(answer.text)) for answer in answers])
    said = np.array([bool(answer.text.strip()) for answer in answers])
    own, others = scores[:, 0], scores[:, 1:]
    return Sense(
        wins=tuple((said & (own > others.max(axis=1))).tolist()),
        information=tuple(np.where(said, (own - others.mean(axis=1)) / sizes, 0.0).tolist()),
        language=tuple(np.where(said, -own / sizes, math.log(6000)).tolist()),
        direct=tuple(_asked_directly(judge, answers, reporter)) if direct else (),
    )


def _likelihoods(
    judge: Engine, rows: Sequence[tuple[str, Answer]], reporter: Reporter, played: str
) -> list[float]:
    found: list[float] = []
    for start in range(0, len(rows), AT_ONCE):
        part = rows[start : start + AT_ONCE]
        asked = [_request(played.format(name=answer.name), question) for question, answer in part]
        found += [
            score.logprob
            for score in judge.score(asked, [answer.text or "……" for _, answer in part])
        ]
        reporter.progress("裁判读回答", start + len(part), len(rows))
    return found


def _asked_directly(judge: Engine, answers: Sequence[Answer], reporter: Reporter) -> list[float]:
    odds = np.zeros(len(answers))
    for sign, words in ((1, DIRECT[0]), (-1, DIRECT[1])):
        asked = [_request("", words.format(question=a.question, reply=a.text)) for a in answers]
        for start in range(0, len(asked), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            yes, no = (
                [score.logprob for score in judge.score(asked[part], [word] * len(asked[part]))]
                for word in "是否"
            )
            odds[part] += sign * (np.array(yes) - np.array(no)) / 2
            reporter.progress("直接问裁判", start + len(asked[part]), len(asked))
    return [float(value) for value in odds]


def _request(system_text: str, question: str) -> Request:
    system = [Message(role="system", content=system_text)] if system_text else []
    return Request(messages=(*system, Message(role="user", content=question)))


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Does a judge tell sense from nonsense? Real replies of a book against the same person's replies to other questions."""

    pairs: int
    areas: dict[str, tuple[float, float, float]]
    """Measure → area under the curve with its 95 % interval."""
    real: Sense

    def trusted(self, measure: str) -> bool:
        return self.areas[measure][0] >= GOOD_JUDGE


def calibrate(judge: Engine, real: Sequence[Answer], reporter: Reporter) -> Calibration:
    """What a judge makes of real replies and of the same replies under other questions."""
    wrong = shuffled(real)
    good, bad = (sense_of(judge, some, reporter, direct=True) for some in (real, wrong))
    areas = {
        name: area_under_curve(getattr(good, name), getattr(bad, name))
        for name in ("information", "direct")
    }
    return Calibration(pairs=len(real), areas=areas, real=good)


def real_dialogues(corpus: Path, most: int) -> list[Answer]:
    """Questions of a book's held-out chapters with what was answered, by people who answer more than once."""
    found = []
    for part in ("valid", "test"):
        path = CorpusFolder(corpus).dialogues_path(part)
        for row in read_text(path, "语料").split("\n") if path.is_file() else ():
            turns = json.loads(row)["turns"] if row else []
            for before, turn in itertools.pairwise(turns):
                whole = before["text"][-1:] in ("？", "?") and before["speaker"] != turn["speaker"]
                if whole and 6 <= len(turn["text"]) <= 80 and turn["speaker"] not in NOBODY:
                    found.append(
                        Answer(
                            question=before["text"],
                            kind="real",
                            name=turn["speaker"],
                            text=turn["text"],
                        )
                    )
    counts = Counter(answer.name for answer in found)
    return spread([answer for answer in found if counts[answer.name] > 1], most)


NOBODY = ("", "群体", "某人", "其人", "后人")


def area_under_curve(good: Sequence[float], bad: Sequence[float]) -> tuple[float, float, float]:
    """(area, low, high): how often a good one scores above a bad one, with its 95 % interval.

    Hanley and McNeil 1982, "The meaning and use of the area under a receiver operating characteristic curve".
    """
    a, b = np.asarray(good, dtype=float), np.asarray(bad, dtype=float)
    area = float(np.mean((a[:, None] > b[None, :]) + 0.5 * (a[:, None] == b[None, :])))
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (len(a) - 1) * (q1 - area**2) + (len(b) - 1) * (q2 - area**2)
    spread = 1.96 * math.sqrt(max(0.0, variance) / (len(a) * len(b)))
    return area, max(0.0, area - spread), min(1.0, area + spread)


def shuffled(answers: Sequence[Answer]) -> list[Answer]:
    """Every question with another reply of the same person; people with one reply are left out."""
    found = []
    for name in dict.fromkeys(answer.name for answer in answers):
        own = [answer for answer in answers if answer.name == name]
        if len(own) > 1:
            found += [
                Answer(question=a.question, kind=a.kind, name=name, text=b.text)
                for a, b in zip(own, [*own[1:], own[0]], strict=True)
            ]
    return found
