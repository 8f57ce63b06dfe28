"""Text that grows → the same text with line breaks where Chinese has them, for a terminal that would break anywhere.

Closing marks do not begin a line, opening ones do not end it (GB/T 15834 5.1, https://www.w3.org/TR/clreq/#h-line_breaking),
—— and …… are not split, Latin words and numbers are not cut. Knows nothing of who speaks, and of terminals only the width.
"""

from __future__ import annotations

import math
import unicodedata

NOT_FIRST = frozenset(
    "，。、；：！？”’）》〉】〕〗〙〛」』］｝｠〞〟．％…‥⋯·•‧・～〜／｡､｣,.;:!?)]}%‰℃°»›-–~/"
)
"""What does not begin a line."""
NOT_LAST = frozenset("“‘（《〈【〔〖〘〚「『［｛｟〝｢￥／([{«‹$€£")
"""What does not end one."""
DASHES = frozenset("—―")
BLANKS = frozenset(" \t\u3000")
EITHER = frozenset("\"'")
"""Marks that open and close: they stay with both neighbours."""
TAB = 8
FREE, BLANK, PART, WORD, MARK, GLYPH = range(6)
"""How bad a break is: not at all; before a blank; between the parts of a word (http://, 3.); inside one; against the marks;
inside one character."""


class LineBreaks:
    """Takes a text piece by piece and says what can be printed of it. However it is cut into pieces, the whole is the same.

    What may still have to go to the next line is held back: a character that a mark could follow, or a word.

    Args:
        columns: width of the terminal; None where there is none, and nothing is broken or held back.
    """

    def __init__(self, columns: int | None) -> None:
        self._limit = math.inf if columns is None else columns
        self._column, self._held = 0, ""

    def feed(self, text: str) -> str:
        """What can be printed now."""
        return text if self._limit == math.inf else "".join(map(self._take, text))

    def rest(self) -> str:
        """What was held back, when nothing more comes."""
        held, self._held = self._held, ""
        return self._placed(held)

    def _take(self, character: str) -> str:
        if character == "\n":
            printed, self._column = self.rest() + character, 0
            return printed
        printed = ""
        if self._held and _badness(self._held[-1], character) == FREE:
            printed = self.rest()
        self._held += character
        while len(self._held) > 1 and _width(self._held) > self._limit:
            printed += self._broken_by_force()
        return printed

    def _broken_by_force(self) -> str:
        """The head of what is held back and is wider than a line, broken where it is least bad."""
        held = self._held
        at = min(range(1, len(held)), key=lambda at: (_badness(held[at - 1], held[at]), -at))
        self._held = held[at:]
        return self._placed(held[:at])

    def _placed(self, part: str) -> str:
        """A part that stays together, on this line or the next."""
        width = _width(part)
        wraps = self._column > 0 and self._column + width > self._limit
        self._column = width if wraps else self._column + width
        return "\n" + part if wraps else part


def broken(text: str, columns: int | None) -> str:
    """A whole text with its line breaks."""
    lines = LineBreaks(columns)
    return lines.feed(text) + lines.rest()


def _badness(before: str, after: str) -> int:
    """Of a break between two characters."""
    if not _columns_of(after) or before == "\u200d":  # a zero-width joiner
        return GLYPH
    if after in NOT_FIRST or before in NOT_LAST or (before == after and before in DASHES):
        return MARK
    if after in BLANKS:
        return BLANK
    if before in BLANKS or (before in NOT_FIRST and after in NOT_LAST):
        return FREE
    if before in EITHER or after in EITHER or (_is_latin(before) and _is_latin(after)):
        return WORD if before.isalnum() and after.isalnum() else PART
    return FREE


def _is_latin(character: str) -> bool:
    """Is it of a script with words, a digit, or a mark within them (3.14, it’s)?"""
    width = unicodedata.east_asian_width(character)
    return width in ("Na", "N", "H") or (
        width != "W" and (character == "’" or unicodedata.category(character)[0] in "LN")
    )


def _width(text: str) -> int:
    """Columns of a text at most."""
    return sum(map(_columns_of, text))


def _columns_of(character: str) -> int:
    """Columns of a character; one of ambiguous width (“ … —) has two in a Chinese terminal and is counted so."""
    if character == "\t":
        return TAB
    if unicodedata.category(character) in ("Mn", "Me", "Cf", "Cc"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WFA" else 1
