"""Who is measured and against what: the people of a corpus, and the few of them that a training run asks as it goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..apps.cosplay.prompt import GUEST
from ..corpus.build import read_corpus
from ..corpus.cast import read_cast
from ..corpus.voices import Voices
from ..errors import InputError
from ..files import read_text
from . import measures
from .persona import Judge, Question, odd_half, questions, shipped

SPEAKERS = 12
LEAST_LINES = 20
"""Real lines in held-out chapters that a person needs to be judged."""


def judge_of(corpus: Path) -> Judge:
    """What replies are measured with, from a corpus folder.

    Raises:
        InputError: no corpus, or nobody speaks enough in its held-out chapters.
    """

    read_corpus(corpus)
    cast = read_cast(corpus)
    held_out = [json.loads(line) for part in ("valid", "test") if (corpus / f"{part}.jsonl").is_file() for line in read_text(corpus / f"{part}.jsonl", "语料").splitlines()]  # fmt: skip
    real = [(row["speaker"], row["chat"].strip("“”")) for row in held_out]
    known = {person.name for person in cast.people}
    names = [name for name in shipped("cast.json")["cast"] if name in known]
    if len(names) < 3:  # another book: whoever speaks most
        counts = {name: sum(speaker == name for speaker, _ in real) for name in known}
        names = sorted((n for n in known if counts[n] >= LEAST_LINES), key=lambda n: -counts[n])[:SPEAKERS]
    if len(names) < 2:
        raise InputError(f"{str(corpus)!r} 里留作检验的章节太少，比不出谁是谁", "换一本长一些的书")
    return Judge(
        names=tuple(names), voices=Voices(odd_half(cast.lines), names), real=tuple(pair for pair in real if pair[0] in names),
        aliases={person.name: person.aliases for person in cast.people},
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The same questions to the same people at every evaluation of a run."""

    judge: Judge
    questions: tuple[Question, ...]
    cues: Mapping[str, str]
    """What the model calls each of them."""

    @property
    def names(self) -> list[str]:
        """Who is asked, place by place as in `asked`."""
        return [name for _ in self.questions for name in self.judge.names]

    def asked(self, kind: str) -> list[tuple[str, str]]:
        """(what a model of this kind reads, who is to answer)."""
        told = "{guest}问{cue}曰：“{text}”" if kind == "novel" else "{text}"
        return [
            (told.format(guest=GUEST, cue=self.cues[name], text=question.text), self.cues[name])
            for question in self.questions
            for name in self.judge.names
        ]

    def measure(self, replies: Sequence[str]) -> dict[str, float]:
        """Curves for a run: recognised, alike and characters a reply."""
        hits = measures.recognised(self.judge.voices, list(zip(self.names, replies, strict=True)))
        alike = measures.nearly_same(replies, self.names)
        return {
            "persona_voice": sum(hits.values()) / len(hits), "persona_near": sum(alike) / len(alike),
            "persona_length": measures.mean_length(replies),
        }  # fmt: skip


def open_panel(corpus: Path, count: int, *, canonical: bool) -> Panel:
    """A panel of `count` questions, of all kinds alike.

    Args:
        canonical: the run learns canonical names.

    Raises:
        InputError: see judge_of.
    """
    every, judge = questions(), judge_of(corpus)
    cues = {person.name: person.name if canonical else person.cue for person in read_cast(corpus).people}
    return Panel(judge=judge, questions=tuple(every[:: max(1, len(every) // count)][:count]), cues=cues)
