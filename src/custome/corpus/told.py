"""One thing a book says of somebody, and which of many are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "self", "name", "looks", "temper", "kin", "office", "arms", "mount", "address", "deed"
]
MOST: dict[Kind, int] = {
    "self": 1,
    "name": 1,
    "looks": 1,
    "temper": 2,
    "kin": 3,
    "office": 3,
    "arms": 1,
    "mount": 1,
    "address": 5,
    "deed": 6,
}
"""Statements kept of each kind, in the order a card tells them."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One thing the book says of somebody."""

    kind: Kind
    chapter: int
    text: str
    """A whole sentence with its subject."""
    offset: int
    """Where it stands in the book."""


def few(statements: Sequence[Statement]) -> list[Statement]:
    """The first of each kind, without what was said before; deeds from all over the book, habits with whom they are oftenest."""
    kept: list[Statement] = []
    for kind, most in MOST.items():
        own, seen = [], set()
        of_kind = [one for one in statements if one.kind == kind]
        for one in of_kind if kind == "address" else sorted(of_kind, key=lambda s: s.offset):
            if one.text not in seen:
                seen.add(one.text)
                own.append(one)
        kept += (
            own[:: max(1, len(own) // most)][:most] if kind in ("deed", "office") else own[:most]
        )
    return kept
