"""One novel → its utterances in story order, and scenes of several turns. Knows no file.

Everything is read from one view of the text (simplified, advertisements blanked, marks unified) that is as long as the
text itself, so that offsets need no translation.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..types import Dialogue, DialogueTurn, Utterance
from .aliases import AliasTable, shipped_table_for
from .book import Book
from .identity import Identities
from .modern import ModernReader
from .modern_names import is_modern
from .quotes import Quotation, find_quotations, unify_marks, unmarked_thoughts
from .script import Script, convert, is_traditional
from .speakers import Adjudicator, ChapterReader
from .text import (
    Chapter,
    Novel,
    Span,
    is_hard_wrapped,
    paragraphs,
    split_chapters,
    tidy,
    without_advertisements,
)

CONTEXT_CHARACTERS = 100
"""Longest narration kept before a quotation; cut at a sentence where one ends in reach."""
SCENE_GAP_CHARACTERS = 160
"""More narration than this between two quotations ends the scene."""
WINDOW_TURNS = 8
"""Longest dialogue; a longer scene becomes several that overlap …"""
OVERLAP_TURNS = 2
"""… by so many turns, so that each begins with what it answers."""
SPOKEN = ("speech", "thought")
"""Kinds that are learnt by default."""


@dataclass(frozen=True, kw_only=True)
class Extract:
    """What one novel gave."""

    utterances: list[Utterance]
    table: AliasTable
    """The alias table that was used, shipped, found or given."""
    funnel: dict[str, int]
    form: str = "novel"
    """What it was: a novel, or a key of said.FORMS."""


def extract(
    novel: Novel,
    table: AliasTable | None = None,
    *,
    script: Script = "keep",
    adjudicator: Adjudicator | None = None,
) -> Extract:
    """All quotations of a novel, with who speaks.

    Args:
        table: names of its people; without one a shipped table that fits, or else one found from the text.
        script: the characters of the output; offsets point into `novel.text` in any case.
        adjudicator: asked about what the grammar is not sure of.
    """
    shown, view = _views(novel.text, script)
    wrapped = is_hard_wrapped(view)
    chapters = split_chapters(view)
    table = table or shipped_table_for(novel.name, view)
    counts: Counter[str] = Counter({"章": len({chapter.number for chapter in chapters} - {0})})
    found: list[tuple[Chapter, list[Span], list[Quotation]]] = []
    for chapter in chapters:
        spans = paragraphs(view, chapter.start, chapter.end, hard_wrapped=wrapped)
        quotations, unpaired = find_quotations(view, spans)
        counts["未配对的引号"] += unpaired
        counts["修补的引文"] += sum(q.repaired for q in quotations)
        found.append((chapter, spans, quotations))
    modern = is_modern(view, [q for _, _, quotations in found for q in quotations])
    if modern:
        found = [
            (chapter, spans, unmarked_thoughts(view, spans, quotations))
            for chapter, spans, quotations in found
        ]
    book = Book(view, [q for _, _, quotations in found for q in quotations], table, modern=modern)
    utterances: list[Utterance] = []
    for chapter, spans, quotations in found:
        reader = ChapterReader(book, chapter.start, chapter.end, adjudicator)
        starts = _narration_starts(spans, quotations)
        speakers = Identities(book, chapter).resolve(quotations, reader.read(quotations))
        if modern:
            speakers = ModernReader(book, chapter.start, chapter.end).resolve(
                spans, quotations, speakers
            )
        for quotation, start, who in zip(quotations, starts, speakers, strict=True):
            utterances.append(
                Utterance(
                    novel=novel.name,
                    chapter=chapter.number,
                    offset=quotation.start,
                    end=quotation.end,
                    context=_context(
                        tidy(shown[start : quotation.start]),
                        "" if who.kind == "thought" and modern else who.mention or who.speaker,
                        book.classical,
                    ),
                    quote=_quoted(tidy(shown[quotation.start : quotation.end])),
                    kind=who.kind
                    if quotation.depth == 0
                    else "name"
                    if who.kind == "name"
                    else "nested",
                    mention=who.mention,
                    speaker=who.speaker,
                    addressee=who.addressee,
                    rule=who.rule,
                    confidence=round(who.confidence, 2),
                )
            )
    _count(utterances, counts)
    return Extract(utterances=utterances, table=book.table, funnel=dict(counts))


def reading_view(text: str) -> str:
    """What is read of a book, as long as its text: without advertisements, one kind of quotation marks, simplified characters."""
    return _views(text, "keep")[1]


def _views(text: str, script: Script) -> tuple[str, str]:
    """(what rows are cut from, what is read), both as long as `text`."""
    traditional = is_traditional(text)
    clean = unify_marks(without_advertisements(text))
    view = convert(clean, "t2s") if traditional else clean
    shown = clean
    if script == "simplified":
        shown = view
    elif script == "traditional" and not traditional:
        shown = convert(clean, "s2t")
    return shown, view


def _narration_starts(spans: Sequence[Span], quotations: Sequence[Quotation]) -> list[int]:
    """For every quotation, where the narration before it begins: its paragraph's start, or the end of the one before."""
    starts, paragraph, last_end = [], 0, 0
    for quotation in quotations:
        while paragraph + 1 < len(spans) and spans[paragraph + 1][0] <= quotation.start:
            paragraph += 1
        starts.append(max(spans[paragraph][0], last_end if quotation.depth == 0 else 0))
        if quotation.depth == 0:
            last_end = quotation.end
    return [
        min(start, quotation.start) for start, quotation in zip(starts, quotations, strict=True)
    ]


def _context(narration: str, who: str, classical: bool) -> str:
    """The last CONTEXT_CHARACTERS of a narration, from the start of a sentence where possible, ending with a cue."""
    if len(narration) > CONTEXT_CHARACTERS:
        tail = narration[-CONTEXT_CHARACTERS:]
        sentence = re.search(r"[。！？；](?=.)", tail)
        narration = tail[sentence.end() :] if sentence else tail
    if narration.endswith(("：", ":")) or not who:
        return narration
    return f"{narration}{who}{'曰' if classical else '道'}："


def _quoted(text: str) -> str:
    """With both outer marks, and without those that only open each paragraph of a long quotation."""
    inner = text.removeprefix("“").removesuffix("”")
    return f"“{inner}”"


def _count(utterances: Sequence[Utterance], counts: Counter[str]) -> None:
    counts["引文"] = len(utterances)
    counts["弃：书名、绰号、强调词"] = sum(u.kind == "name" for u in utterances)
    counts["弃：引文中的引文"] = sum(u.kind == "nested" for u in utterances)
    counts["弃：诗词文书"] = sum(u.kind in ("verse", "writing") for u in utterances)
    counts["说话"] = sum(u.kind == "speech" for u in utterances)
    counts["心想"] = sum(u.kind == "thought" for u in utterances)
    counts["说话或心想，有说话人"] = sum(is_spoken(u) for u in utterances)
    counts["弃：没找到说话人"] = sum(u.kind in SPOKEN and not u.speaker for u in utterances)


def is_spoken(utterance: Utterance) -> bool:
    """Said or thought by somebody we know."""
    return utterance.kind in SPOKEN and bool(utterance.speaker)


def is_near(one: Utterance, other: Utterance) -> bool:
    """Does the other stand behind the one in the same scene?"""
    return one.novel == other.novel and 0 <= other.offset - one.end <= SCENE_GAP_CHARACTERS


def dialogues(utterances: Sequence[Utterance]) -> list[Dialogue]:
    """Consecutive utterances of one scene as conversations of two turns and more."""
    scenes: list[list[Utterance]] = []
    for utterance in utterances:
        if not is_spoken(utterance):
            continue
        last = scenes[-1][-1] if scenes else None
        same = (
            last is not None
            and (last.novel, last.chapter) == (utterance.novel, utterance.chapter)
            and utterance.offset - last.end <= SCENE_GAP_CHARACTERS
        )
        if same:
            scenes[-1].append(utterance)
        else:
            scenes.append([utterance])
    found = []
    for scene in scenes:
        for begin in range(0, max(1, len(scene) - OVERLAP_TURNS), WINDOW_TURNS - OVERLAP_TURNS):
            window = scene[begin : begin + WINDOW_TURNS]
            if len(window) > 1:
                found.append(_dialogue(window))
    return found


def _dialogue(window: Sequence[Utterance]) -> Dialogue:
    first = window[0]
    cut = max(first.context.rfind(mark) for mark in "。！？；")
    turns = tuple(
        DialogueTurn(
            speaker=u.speaker,
            cue=u.context if index else u.context[cut + 1 :],
            text=u.quote[1:-1],
            mention=u.mention,
        )
        for index, u in enumerate(window)
    )
    return Dialogue(
        novel=first.novel,
        chapter=first.chapter,
        offset=first.offset,
        scene=first.context[: cut + 1],
        turns=turns,
    )
