"""Where quotations begin and end. Knows marks, not meanings.

Marks of other styles are mapped to “ ” character for character, so offsets stay those of the source. A paragraph whose
marks alternate is taken as it stands; any other is repaired from what surrounds each mark, and never further than its own
paragraph, unless the quotation plainly runs on.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .text import Span

LONGEST_PARAGRAPHS = 20
"""A quotation that is still open after so many paragraphs lost its closing mark."""
_MARK = re.compile("[“”]")
_STRAIGHT = re.compile('["＂]')
_SENTENCE_END = re.compile(r"[。！？!?…；]")
_PAIRS = (
    ("“", "”"),
    ("「", "」"),
    ("『", "』"),
    ("‘", "’"),
    ("〝", "〞"),
    ("﹁", "﹂"),
    ("﹃", "﹄"),
)
_CUE_MARKS = "：:"
_BLANK = " \t\u3000\n"


@dataclass(frozen=True, kw_only=True)
class Quotation:
    """A stretch between two marks."""

    start: int
    """Offset of the opening mark; of the first character where the mark is missing."""
    end: int
    """Offset after the closing mark."""
    depth: int = 0
    """0 for what the book says; 1 and more inside another quotation."""
    repaired: bool = False
    """A mark was missing, doubled or reversed."""


def unify_marks(text: str) -> str:
    """Text of the same length whose outer quotation marks are “ ”; straight ones are paired by what surrounds them."""
    counts: dict[str, int] = {opening: text.count(opening) for opening, _ in _PAIRS}
    straight = len(_STRAIGHT.findall(text))
    if straight > 2 * sum(counts.values()):
        return _pair_straight(text)
    outer = _outer_style(text, counts)
    inner = {"“": "‘", "「": "『", "『": "「", "‘": "“"}.get(outer, "")
    table: dict[str, str | int | None] = {}
    for opening, closing in _PAIRS:
        if opening == inner:
            table[opening], table[closing] = "‘", "’"
        elif opening == outer or opening not in "‘『﹃":
            table[opening], table[closing] = "“", "”"
    text = text.translate(str.maketrans(table))
    return _pair_straight(text) if straight else text


def _outer_style(text: str, counts: Mapping[str, int]) -> str:
    """The kind of mark that stands outside the others: the first of the two commonest in most paragraphs."""
    best = sorted(counts, key=lambda mark: -counts[mark])[:2]
    if counts[best[1]] == 0:
        return best[0]
    either = re.compile(f"[{best[0]}{best[1]}]")
    firsts = [match.group() for line in text.split("\n") if (match := either.search(line))]
    return max(best, key=firsts.count)


def _pair_straight(text: str) -> str:
    """Straight marks become “ after a cue or at a line's start, and alternate otherwise."""

    def pair(line: str) -> str:
        if '"' not in line and "＂" not in line:
            return line
        out, opened, last = [], False, 0
        for match in _STRAIGHT.finditer(line):
            before = line[last : match.start()].rstrip(_BLANK)
            opened = not opened or before.endswith(tuple(_CUE_MARKS))
            out += [line[last : match.start()], "“" if opened else "”"]
            last = match.end()
        return "".join(out) + line[last:]

    return "\n".join(pair(line) for line in text.split("\n"))


def find_quotations(text: str, paragraphs: Sequence[Span]) -> tuple[list[Quotation], int]:
    """Quotations of one chapter (marks unified) in order of their opening marks, and how many marks had no partner."""
    found: list[Quotation] = []
    unpaired = 0
    index = 0
    while index < len(paragraphs):
        start, end = paragraphs[index]
        marks = [match.start() for match in _MARK.finditer(text, start, end)]
        index += 1
        alternate = len(marks) % 2 == 0 and all(text[m] == "“”"[i % 2] for i, m in enumerate(marks))
        if alternate and not any(
            text[m - 1] in _CUE_MARKS for m in marks[1::2]
        ):  # …曰：” is no closing mark
            found += [
                Quotation(start=o, end=c + 1) for o, c in zip(marks[::2], marks[1::2], strict=True)
            ]
            continue
        last = _runs_on(text, marks, paragraphs, index)
        if last >= index:
            end, index = paragraphs[last][1], last + 1
            marks = [
                m.start() for m in _MARK.finditer(text, start, end) if not _reopens(text, m.start())
            ]
        repair = _Repair(text, start, end)
        found += repair.run(marks)
        unpaired += repair.unpaired
    found.sort(key=lambda quotation: (quotation.start, quotation.depth))
    return found, unpaired


def _reopens(text: str, mark: int) -> bool:
    """Is this the mark that starts each further paragraph of one long quotation?"""
    return text[mark] == "“" and text[max(0, mark - 64) : mark].rstrip(" \t\u3000").endswith("\n")


def _runs_on(text: str, marks: list[int], paragraphs: Sequence[Span], following: int) -> int:
    """Index of the paragraph in which a quotation left open by `marks` is closed, or -1.

    Two habits: every further paragraph opens with “ and only the last one closes; or none opens and one closes.
    """
    opened = 0
    for mark in marks:
        opened = max(0, opened + (1 if text[mark] == "“" else -1))
    if opened != 1 or text[marks[-1]] != "“":
        return -1
    for index in range(following, min(following + LONGEST_PARAGRAPHS, len(paragraphs))):
        start, end = paragraphs[index]
        inside = [match.start() for match in _MARK.finditer(text, start, end)]
        if inside and text[inside[0]] == "“" and not text[start : inside[0]].strip(_BLANK):
            inside = inside[1:]  # the mark repeated
            if not inside:
                continue
        elif index > following and _reopens(text, paragraphs[following][0]):
            return -1
        if inside:
            return index if text[inside[0]] == "”" and text[inside[0] - 1] not in _CUE_MARKS else -1
    return -1


class _Repair:
    """Marks of one stretch that do not alternate, read one by one with what surrounds them."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self._text, self._start, self._end = text, start, end
        self._open: list[int] = []
        self._free = start
        """Where narration began: after the last outer quotation."""
        self._found: list[Quotation] = []
        self.unpaired = 0

    def run(self, marks: list[int]) -> list[Quotation]:
        for index, mark in enumerate(marks):
            before = self._text[self._start : mark][-12:].rstrip(_BLANK)
            cued = before.endswith(tuple(_CUE_MARKS)) or not before
            opening = self._text[mark] == "“"
            if opening and before.endswith("“") and self._open:
                self.unpaired += 1
                self._open[-1] = mark  # doubled
            elif not opening and before.endswith("”") and not self._open:
                self.unpaired += 1
            elif not self._open:
                if opening or cued:
                    self._open.append(mark)
                    self.unpaired += not opening
                else:
                    self._open_at_the_cue(mark)
            elif opening or cued:
                self._another_opening(marks, index, cued)
            else:
                self._close(mark + 1)
        if self._open:  # never closed: the paragraph's end closes it
            self.unpaired += len(self._open)
            del self._open[1:]
            self._close(self._rstrip(self._end), repaired=True)
        return self._found

    def _close(self, end: int, repaired: bool = False) -> None:
        start = self._open.pop()
        if end > start + 1:
            self._found.append(
                Quotation(start=start, end=end, depth=len(self._open), repaired=repaired)
            )
        if not self._open:
            self._free = end

    def _open_at_the_cue(self, mark: int) -> None:
        """A closing mark without its opening: the quotation began after the last colon, if there is one."""
        self.unpaired += 1
        colon = max(self._text.rfind(c, self._free, mark) for c in _CUE_MARKS)
        if colon >= 0:
            self._open.append(colon + 1)
            self._close(mark + 1, repaired=True)

    def _another_opening(self, marks: list[int], index: int, cued: bool) -> None:
        """An opening mark (or one that follows a cue) inside an open quotation."""
        text, mark = self._text, marks[index]
        rest = [
            text[m] == "“" and text[m - 1] not in "。！？" for m in marks[index + 1 : index + 3]
        ]
        ends_sentence = text[mark - 1] in "。！？!?…—～"
        following = text[
            mark + 1 : marks[index + 1] if index + 1 < len(marks) else self._end
        ].strip(_BLANK)
        if (
            ends_sentence
            and not cued
            and (not following or following[-1:] in _CUE_MARKS or following == "”")
        ):
            self.unpaired += 1
            self._close(mark + 1, repaired=True)  # a closing mark typed the wrong way round
        elif cued and rest != [False, False]:
            self.unpaired += 1
            cut = self._before_the_cue(mark)
            del self._open[1:]
            self._close(cut, repaired=True)  # the earlier quotation lost its closing mark
            self._open.append(mark)
        elif rest[:1] == [False]:
            self._open.append(mark)  # a word in marks, or a quotation inside
        else:
            self.unpaired += 1

    def _before_the_cue(self, mark: int) -> int:
        """The end of the last sentence before the cue that stands before `mark`."""
        ends = [m.end() for m in _SENTENCE_END.finditer(self._text, self._open[0] + 1, mark)]
        return ends[-1] if ends else self._rstrip(mark)

    def _rstrip(self, end: int) -> int:
        while end > self._start and self._text[end - 1] in _BLANK:
            end -= 1
        return end


_THINKS = re.compile(
    r"(?:心想|心道|心说|暗想|暗道|暗忖|想道|心里想|心中想|心中暗想)[着的道]?[：，:,](?P<thought>[^“”\n。！？!?…]{3,60}[。！？!?…]+)"
)


def unmarked_thoughts(
    text: str, spans: Sequence[Span], quotations: Sequence[Quotation]
) -> list[Quotation]:
    """Quotations and, between them, what somebody thinks without marks: 他心想：这下麻烦了。 The sentence that follows."""
    found = list(quotations)
    outer = [one for one in quotations if one.depth == 0]
    starts = [one.start for one in outer]
    for begin, end in spans:
        for match in _THINKS.finditer(text, begin, end):
            place = match.span("thought")
            before = bisect_left(starts, place[1])
            if not before or outer[before - 1].end <= place[0]:
                found.append(Quotation(start=place[0], end=place[1]))
    return sorted(found, key=lambda one: one.start)
