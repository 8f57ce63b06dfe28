"""Characters somebody brought along: their cards, and the pictures they came in, kept under their owner."""

from __future__ import annotations

from typing import Any

from ...conversations.records import Thing
from ...conversations.store import Store
from .card import Card, card_from, dump_card


class OwnCards:
    """The cards of everybody."""

    def __init__(self, store: Store) -> None:
        self._cards = store.things("cosplay", "card")

    def all(self, owner: str) -> dict[str, Card]:
        """An owner's cards by name."""
        return {
            thing.name: card_from(thing.content, thing.name) for thing in self._cards.all(owner)
        }

    def portraits(self, owner: str) -> dict[str, str]:
        """Name → a small picture's address, '' for none."""
        return {thing.name: _portrait(thing.content) for thing in self._cards.all(owner)}

    def portrait(self, owner: str, name: str) -> str:
        """The small picture of one of them, '' for none."""
        found = self._cards.get(owner, name)
        return "" if found is None else _portrait(found.content)

    def picture(self, owner: str, name: str) -> bytes:
        """The picture a card came in; b'' where it came in none."""
        found = self._cards.get(owner, name)
        return b"" if found is None else found.data

    def keep(self, owner: str, card: Card, portrait: str = "", picture: bytes = b"") -> None:
        """Keep a card in place of an older one of that name.

        Args:
            portrait: a small picture's address, for the page.
            picture: the PNG the card came in, for the way out.
        """
        content = dump_card(card)
        content["data"]["extensions"]["custome"]["portrait"] = portrait
        self._cards.keep(owner, Thing(name=card.name, content=content, data=picture))

    def forget(self, owner: str, name: str) -> None:
        self._cards.forget(owner, name)


def _portrait(content: dict[str, Any]) -> str:
    extensions = (content.get("data") or {}).get("extensions") or {}
    return str(extensions.get("custome", {}).get("portrait") or "")
