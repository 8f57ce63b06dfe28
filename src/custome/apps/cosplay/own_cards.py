"""Characters somebody brought along: their cards, and the pictures they came in, kept under their owner."""

from __future__ import annotations

from typing import Any

from ...conversations.records import Thing
from ...conversations.store import Store
from .card import Card, card_from, dump_card

APP, KIND = "cosplay", "card"


class OwnCards:
    """The cards of everybody."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self, owner: str) -> dict[str, Card]:
        """An owner's cards by name."""
        return {
            thing.name: card_from(thing.content, thing.name)
            for thing in self._store.things(owner, APP, KIND)
        }

    def portraits(self, owner: str) -> dict[str, str]:
        """Name → a small picture's address, '' for none."""
        return {
            thing.name: _portrait(thing.content) for thing in self._store.things(owner, APP, KIND)
        }

    def picture(self, owner: str, name: str) -> bytes:
        """The picture a card came in; b'' where it came in none."""
        found = self._store.thing(owner, APP, KIND, name)
        return b"" if found is None else found.data

    def keep(self, owner: str, card: Card, portrait: str = "", picture: bytes = b"") -> None:
        """Keep a card in place of an older one of that name.

        Args:
            portrait: a small picture's address, for the page.
            picture: the PNG the card came in, for the way out.
        """
        content = dump_card(card)
        content["data"]["extensions"]["custome"]["portrait"] = portrait
        self._store.keep(owner, APP, KIND, Thing(name=card.name, content=content, data=picture))

    def forget(self, owner: str, name: str) -> None:
        self._store.forget(owner, APP, KIND, name)


def _portrait(content: dict[str, Any]) -> str:
    extensions = (content.get("data") or {}).get("extensions") or {}
    return str(extensions.get("custome", {}).get("portrait") or "")
