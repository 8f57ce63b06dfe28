"""Where quotations begin and end. Knows marks, not meanings.

Marks of other styles are mapped to “ ” character for character, so offsets stay those of the source. Pairing never
crosses a paragraph: a missing or doubled mark spoils its own paragraph at most.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_STYLES = str.maketrans({"「": "“", "」": "”", "『": "‘", "』": "’", "〝": "“", "〞": "”"})
_PARAGRAPH = re.compile(r"[^\n]+")


@dataclass(frozen=True, kw_only=True)
class Quotation:
    """A pair of marks and the narration before it in the same paragraph."""

    start: int
    """Offset of the opening mark."""
    end: int
    """Offset after the closing mark."""
    narration_start: int
    """Where the narration before it begins: after the previous quotation, or at the paragraph's start."""


def unify_marks(text: str) -> str:
    """Text of the same length with “ ” as its only double marks; straight ones are paired in turn by paragraph."""
    text = text.translate(_STYLES)
    if '"' not in text and "＂" not in text:
        return text

    def pair(paragraph: re.Match[str]) -> str:
        parts = re.split(r'["＂]', paragraph.group())
        return "".join(part + ("“" if i % 2 == 0 else "”") for i, part in enumerate(parts[:-1])) + parts[-1]

    return _PARAGRAPH.sub(pair, text)


def find_quotations(text: str, start: int, end: int) -> tuple[list[Quotation], int]:
    """Quotations in text[start:end] (marks unified), in order, and how many marks had no partner."""
    found: list[Quotation] = []
    unpaired = 0
    for paragraph in _PARAGRAPH.finditer(text, start, end):
        opened, narration = -1, paragraph.start()
        for position in range(paragraph.start(), paragraph.end()):
            mark = text[position]
            if mark == "“":
                unpaired += opened >= 0
                if opened < 0 or text[position - 1] in "：:，,":  # a new cue inside: the earlier mark lost its partner
                    opened = position
            elif mark == "”":
                if opened < 0:
                    unpaired += 1
                else:
                    found.append(Quotation(start=opened, end=position + 1, narration_start=narration))
                narration, opened = position + 1, -1
        unpaired += opened >= 0
    return found, unpaired
