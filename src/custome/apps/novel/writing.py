"""The order of the work: outline, what happens in each chapter, passages, the chapter. Each step is kept when it is done, so that a
stopped or killed run goes on where it was; what an edit has made stale is neither used nor written over until somebody says so.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...engine.base import Cancel
from ...errors import InputError
from .brief import Brief, Person
from .drafting import CANDIDATES, Draft, Drawing, Judged, Writer, plan_of, ranked
from .folder import Beat, NovelFolder, Piece, Row
from .planning import beats, outline
from .prose import sentences


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far the writing is."""

    chapter: int
    done: int
    """Passages of this chapter."""
    whole: int
    text: str
    """The passage that was written last, or as far as it is."""
    finished: bool = True
    """Is that passage whole?"""


OnProgress = Callable[[Progress], None]


def plan(folder: NovelFolder, *, again: bool = False) -> tuple[Row, ...]:
    """The outline: the one that is there, or a new one.

    Args:
        again: make a new one in place of one that was made for another brief or edited.

    Raises:
        InputError: the brief was changed since.
    """
    rows = folder.outline()
    if rows and not again:
        if folder.outline_is_stale():
            raise InputError(
                "设定改过了，目录还是照旧的设定排的",
                f"重排目录：custome novel plan {folder.path} --again（写好的各回不动）",
            )
        return rows
    rows = outline(folder.brief())
    folder.keep_outline(rows)
    return rows


class Writing:
    """One novel while it is being written."""

    def __init__(
        self,
        folder: NovelFolder,
        writer: Writer,
        *,
        candidates: int = CANDIDATES,
        cancel: Cancel | None = None,
    ) -> None:
        self._folder, self._writer = folder, writer
        self._candidates, self._cancel = candidates, cancel or Cancel()

    def chapter(self, number: int, seen: OnProgress | None = None, *, again: bool = False) -> str:
        """Write a chapter, or what is missing of it.

        Args:
            again: from the beginning, in place of what was made for another plan.

        Raises:
            InputError: somebody edited it, its plan was changed since, or there is none.
        """
        folder, brief = self._folder, self._folder.brief()
        text = folder.chapter(number)
        if folder.is_edited(number):
            return text
        stale = [] if again else folder.stale(number)
        if stale:
            raise InputError(
                f"第 {number} 回：{'、'.join(_STEPS[one] for one in stale)}是照旧的写的",
                f"照新的重写：custome novel write {folder.path} {number} --again"
                if "outline" not in stale
                else f"先重排目录：custome novel plan {folder.path} --again（写好的各回不动）",
            )
        planned = self._beats(brief, number, again=again)
        pieces = [] if again else list(folder.pieces(number))
        if text and len(pieces) == len(planned):
            return text
        while len(pieces) < len(planned):
            at = len(pieces)
            written = "".join(piece.text for piece in pieces)
            piece = self._piece(brief, number, at, planned, written, seen)
            if self._cancel.is_set():
                raise InputError(f"停在第 {number} 回第 {at + 1} 段", "写好的都在；再跑一次接着写")
            pieces.append(piece)
            folder.keep_pieces(number, pieces)
            if seen is not None:
                seen(Progress(chapter=number, done=at + 1, whole=len(planned), text=piece.text))
        if folder.is_edited(number):  # while it was written
            return folder.chapter(number)
        return compose(folder, number)

    def _beats(self, brief: Brief, number: int, *, again: bool) -> tuple[Beat, ...]:
        found = self._folder.beats(number)
        if not found or again:
            found = beats(brief, self._folder.row(number))
            self._folder.keep_beats(number, found)
        return found

    def _piece(
        self,
        brief: Brief,
        number: int,
        at: int,
        planned: Sequence[Beat],
        written: str,
        seen: OnProgress | None,
    ) -> Piece:
        beat, begun = planned[at], time.monotonic()
        seed = brief.seed * 1_000_003 + number * 1_009 + at
        drawing = Drawing(candidates=self._candidates, seed=seed % 2**31, cancel=self._cancel)
        asked = plan_of(beat, brief, written)

        def grows(text: str) -> None:
            if seen is not None:
                seen(
                    Progress(chapter=number, done=at, whole=len(planned), text=text, finished=False)
                )

        drafts = self._writer.drafts(asked, beat.event, drawing, lambda piece: grows(piece.text))
        order = ranked(drafts, beat, brief, written, self._writer)
        if not self._cancel.is_set():
            self._note(number, at, drawing, asked.before + beat.event, drafts, order, begun)
        return Piece(candidates=tuple(one.text for one in order))

    def _note(
        self,
        number: int,
        at: int,
        drawing: Drawing,
        asked: str,
        drafts: Sequence[Draft],
        order: Sequence[Judged],
        begun: float,
    ) -> None:
        self._folder.journal.call(
            {
                "chapter": number,
                "passage": at + 1,
                "writer": self._writer.name,
                "asked": hashlib.sha256(asked.encode()).hexdigest()[:16],
                "seed": drawing.seed,
                "drafts": [one.text for one in drafts],
                "sure": [round(one.sure, 2) for one in drafts],
                "chosen": order[0].text,
                "problems": [problem for one in order for problem in one.problems],
                "seconds": round(time.monotonic() - begun, 2),
            }
        )


def compose(folder: NovelFolder, number: int) -> str:
    """The chapter of the passages that are chosen now.

    Raises:
        InputError: somebody edited it.
    """
    texts = [piece.text for piece in folder.pieces(number)]
    text = as_chapter(folder.brief(), folder.row(number), folder.beats(number), texts)
    folder.keep_chapter(number, text)
    return text


def choose(folder: NovelFolder, number: int, at: int, chosen: int) -> None:
    """Take another candidate for a passage, and make the chapter anew where it is written whole.

    Raises:
        InputError: somebody edited the chapter, or there is no such candidate.
    """
    if folder.is_edited(number):
        raise InputError(
            f"第 {number} 回有人改过，不会盖掉",
            "在正文里直接改；或先放下自己的改动，它会留在以前的稿里",
        )
    folder.choose(number, at, chosen)
    if folder.chapter(number) and not folder.is_partial(number):
        compose(folder, number)


_STEPS = {"outline": "目录", "beats": "情节", "passages": "文字", "chapter": "正文"}


def as_chapter(brief: Brief, row: Row, planned: Sequence[Beat], texts: Sequence[str]) -> str:
    """A chapter as it is read: its title, a paragraph for every few things that happen in one place."""
    paragraphs: list[str] = []
    place, held = "", 0
    for beat, text in zip(planned, texts, strict=True):
        if paragraphs and beat.place == place and held + len(text) <= PARAGRAPH:
            paragraphs[-1] += text
            held += len(text)
        else:
            paragraphs.append(text)
            held = len(text)
        place = beat.place
    read = [with_pronouns(one, brief) for one in paragraphs]
    return f"# 第{row.number}回　{row.title}\n\n" + "\n\n".join(read) + "\n"


def with_pronouns(paragraph: str, brief: Brief) -> str:
    """他 or 她 where a sentence begins with whom the one before began with, and nobody else it could be was named there."""
    found, before, last = [], "", ""
    for one in sentences(paragraph):
        subject = _subject(one, brief)
        alone = subject is not None and not any(
            other.name in last
            for other in brief.people
            if other is not subject and other.gender == subject.gender
        )
        if subject is not None and subject.name == before and alone and subject.gender:
            pronoun = "她" if subject.gender == "女" else "他"
            found.append(one.replace(subject.name, pronoun, 1))
        else:
            found.append(one)
        before, last = subject.name if subject is not None else "", one
    return "".join(found)


def _subject(sentence: str, brief: Brief) -> Person | None:
    """With whom a sentence begins, or its second clause behind a time or a place."""
    begins = [sentence, sentence.partition("，")[2]]
    for clause in begins:
        for person in brief.people:
            if clause.startswith(person.name):
                return person
        if any(person.name in sentence.partition("，")[0] for person in brief.people):
            return None
    return None


PARAGRAPH = 160
"""Characters of a paragraph, about."""
