"""One novel → its utterances, in story order; and several novels → a corpus folder.

train.jsonl  valid.jsonl   the seed's rows {"context", "chat"} + speaker, mention, novel, chapter, offset
characters.json            who can be talked to
funnel.json                what was found, kept and dropped
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import write_json, write_jsonl
from ..report import Reporter
from ..types import Utterance
from .aliases import alias_table
from .dataset import characters, drop_leaks, drop_repeats, held_out, with_units
from .quotes import find_quotations, unify_marks
from .speakers import find_speaker, is_cue, is_writing
from .text import Novel, read_novel, split_chapters

VALID_SHARE = 0.05
CONTEXT_CHARACTERS = 100
"""Longest narration kept before a quotation; cut at a sentence where one ends in reach."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """What `build` made, and where."""

    folder: Path
    train: int
    valid: int
    funnel: dict[str, int]


def build(paths: Sequence[Path], folder: Path, reporter: Reporter, *, names: Sequence[str] = ()) -> Corpus:
    """Read novels and write a corpus folder.

    Raises:
        InputError: a novel cannot be read, or no quotation with a cue was found in any.
    """
    counts: Counter[str] = Counter()
    utterances: list[Utterance] = []
    for index, path in enumerate(paths):
        novel = read_novel(path, names[index] if index < len(names) else "")
        utterances += find_utterances(novel, counts, reporter)
    if not utterances:
        marks = f"引号 {counts['引文']} 处，带“某某曰/道”提示的 0 处"
        raise InputError(
            f"{', '.join(repr(str(p)) for p in paths)} 里没有找到对话（{marks}）",
            "需要带引号对话的小说；看看文件内容是否正确",
        )
    unique = drop_repeats(utterances)
    kept_out = held_out(unique, VALID_SHARE)
    train = [u for unit, u in with_units(unique) if unit not in kept_out]
    candidates = [u for unit, u in with_units(unique) if unit in kept_out]
    valid = drop_leaks(candidates, train)
    counts["弃：完全重复"] = len(utterances) - len(unique)
    counts["弃：与训练近重复"] = len(candidates) - len(valid)
    counts["对话（训练）"], counts["对话（验证）"] = len(train), len(valid)
    _write(folder, train, valid, dict(counts))
    reporter.table("语料漏斗", ("", "数目"), [(name, f"{count:,}") for name, count in counts.items()])
    return Corpus(folder=folder, train=len(train), valid=len(valid), funnel=dict(counts))


def find_utterances(novel: Novel, counts: Counter[str], reporter: Reporter) -> list[Utterance]:
    """All quotations of a novel that a cue announces; `counts` gets what was found and why the rest went."""
    text, aliases = unify_marks(novel.text), alias_table(novel.name)
    chapters = split_chapters(novel)
    found = []
    for done, chapter in enumerate(chapters, 1):
        quotations, unpaired = find_quotations(text, chapter.start, chapter.end)
        counts["章"] += chapter.number > 0
        counts["引文"] += len(quotations)
        counts["未配对的引号"] += unpaired
        for quotation in quotations:
            narration = text[quotation.narration_start : quotation.start]
            quote = text[quotation.start : quotation.end]
            if not is_cue(narration):
                counts["弃：前面没有“曰/道”类提示"] += 1
                continue
            if is_writing(narration):
                counts["弃：诗文书信"] += 1
                continue
            if not re.search(r"\w", quote):
                counts["弃：空引文"] += 1
                continue
            speaker = find_speaker(narration, aliases)
            counts["认出说话人"] += bool(speaker.name)
            found.append(Utterance(novel=novel.name, chapter=chapter.number, offset=quotation.start,
                                   context=_context(narration), quote=quote,
                                   mention=speaker.mention, speaker=speaker.name))  # fmt: skip
        reporter.progress(f"读 {novel.name}", done, len(chapters))
    return found


def _context(narration: str) -> str:
    """The last CONTEXT_CHARACTERS of a narration, from the start of a sentence where possible."""
    narration = re.sub(r"\s+", "", narration)
    if len(narration) <= CONTEXT_CHARACTERS:
        return narration
    tail = narration[-CONTEXT_CHARACTERS:]
    sentence = re.search(r"[。！？；](?=.)", tail)
    return tail[sentence.end() :] if sentence else tail


def _write(folder: Path, train: list[Utterance], valid: list[Utterance], funnel: dict[str, int]) -> None:
    write_json(folder / "funnel.json", funnel)  # first: it marks the folder as ours
    write_jsonl(folder / "train.jsonl", [_row(u) for u in train])
    if valid:
        write_jsonl(folder / "valid.jsonl", [_row(u) for u in valid])
    else:
        (folder / "valid.jsonl").unlink(missing_ok=True)
    write_json(folder / "characters.json", [asdict(person) for person in characters(train)])


def _row(utterance: Utterance) -> dict[str, Any]:
    return {"context": utterance.context, "chat": utterance.quote, "speaker": utterance.speaker,
            "mention": utterance.mention, "novel": utterance.novel, "chapter": utterance.chapter,
            "offset": utterance.offset}  # fmt: skip
