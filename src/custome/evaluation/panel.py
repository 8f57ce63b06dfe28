"""Who is measured and against what: the people of a corpus, and the few of them that a training run asks as it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..apps.cosplay.casting import Company, company_of
from ..apps.cosplay.prompt import GUEST, Setting, asked_of, own_line, persona_of, system_text
from ..corpus.cast import Cast, by_canonical_names, read_cast
from ..corpus.folder import CorpusFolder
from ..corpus.voices import Voices
from ..errors import InputError
from ..types import Message, Request
from . import measures
from .persona import Question, Reference, odd_half, shipped, some_questions

SPEAKERS = 12
LEAST_LINES = 20
"""Real lines in held-out chapters that a person needs to be judged."""


def reference_of(corpus: Path) -> Reference:
    """What replies are measured with, from a corpus folder.

    Raises:
        InputError: no corpus, or nobody speaks enough in its held-out chapters.
    """

    folder = CorpusFolder(corpus)
    folder.info()
    cast, held_out = read_cast(corpus), folder.rows("valid", "test")
    real = [(row["speaker"], row["chat"].strip("“”")) for row in held_out]
    known = {person.name for person in cast.people}
    names = [name for name in shipped("cast.json")["cast"] if name in known]
    if len(names) < 3:  # another book: whoever speaks most
        counts = {name: sum(speaker == name for speaker, _ in real) for name in known}
        names = sorted((n for n in known if counts[n] >= LEAST_LINES), key=lambda n: -counts[n])[
            :SPEAKERS
        ]
    if len(names) < 2:
        raise InputError(f"{str(corpus)!r} 里留作检验的章节太少，比不出谁是谁", "换一本长一些的书")
    return Reference(
        names=tuple(names),
        voices=Voices(odd_half(cast.lines), names),
        real=tuple(pair for pair in real if pair[0] in names),
        aliases={person.name: person.aliases for person in cast.people},
        book=measures.letters("".join(folder.texts())),
    )


@dataclass(frozen=True, kw_only=True)
class PersonaPanel:
    """The same questions to the same people at every evaluation of a run, put to them as on the chat page."""

    reference: Reference
    questions: tuple[Question, ...]
    company: Company
    """Shows own lines the judge has not learnt from."""

    @property
    def names(self) -> list[str]:
        """Who is asked, place by place as in `asked`."""
        return [name for _ in self.questions for name in self.reference.names]

    def asked(self, kind: str) -> list[Request]:
        """What a model of this kind reads."""
        return [
            self._read(question.text, name, kind)
            for question in self.questions
            for name in self.reference.names
        ]

    def _read(self, text: str, name: str, kind: str) -> Request:
        card = self.company.card(name, with_facts=kind == "novel")
        lines = self.company.own_lines(name)
        if kind != "novel":
            system = Message(
                role="system",
                content=system_text(
                    card, GUEST, [line.text for line in lines.typical(Setting.examples)]
                ),
            )
            return Request(messages=(system, Message(role="user", content=text)), speaker=card.cue)
        near = lines.nearest(text, Setting.examples, novel=card.novel)
        shown = [own_line(card, line.text, novel=True) for line in near]
        prose = "".join([persona_of(card, GUEST, novel=True), *shown, asked_of(GUEST, card, text)])
        return Request(messages=(Message(role="user", content=prose),), speaker=card.cue)

    def measure(self, replies: Sequence[str]) -> dict[str, float]:
        """Curves for a run: recognised, alike and characters a reply."""
        hits = measures.recognised(
            self.reference.voices, list(zip(self.names, replies, strict=True))
        )
        alike = measures.nearly_same(replies, self.names)
        return {
            "persona_voice": sum(hits.values()) / len(hits),
            "persona_near": sum(alike) / len(alike),
            "persona_length": measures.mean_length(replies),
        }


def open_panel(corpus: Path, count: int, *, canonical: bool) -> PersonaPanel:
    """A panel of `count` questions, of all kinds alike.

    Args:
        canonical: the run learns canonical names.

    Raises:
        InputError: see reference_of.
    """
    reference, cast = reference_of(corpus), read_cast(corpus)
    company = company_of(unseen_by_judge(by_canonical_names(cast) if canonical else cast))
    return PersonaPanel(
        reference=reference, questions=tuple(some_questions(0)[:count]), company=company
    )


def unseen_by_judge(cast: Cast) -> Cast:
    """Without the lines the judge has learnt from: those of the odd chapters."""
    return replace(cast, lines=tuple(line for line in cast.lines if not line.chapter % 2))
