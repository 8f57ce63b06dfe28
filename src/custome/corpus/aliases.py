"""Many names, one person: 玄德, 刘豫州 and 先主 are 刘备. Tables are JSON in data/aliases, one file a novel."""

from __future__ import annotations

import json
from importlib.resources import files


class AliasTable:
    """Looks names up both ways; empty for a novel without a table."""

    def __init__(self, canonical_to_aliases: dict[str, list[str]]) -> None:
        self._canonical = {name: name for name in canonical_to_aliases}
        for name, aliases in canonical_to_aliases.items():
            self._canonical.update((alias, name) for alias in aliases)
        self._lengths = sorted({len(alias) for alias in self._canonical}, reverse=True)

    def canonical(self, mention: str) -> str:
        """The person's canonical name, or the mention itself where the table does not know it."""
        return self._canonical.get(mention, mention)

    def first_in(self, text: str) -> str:
        """The leftmost known name of two or more characters in `text` (longest at that place), or ''."""
        for start in range(len(text)):
            for length in self._lengths:
                if length > 1 and text[start : start + length] in self._canonical and start + length <= len(text):
                    return text[start : start + length]
        return ""

    def single_at_start(self, text: str) -> str:
        """A one-character name (操, 权, 布) that opens `text`, or ''."""
        return text[:1] if text[:1] in self._canonical else ""


def alias_table(novel: str) -> AliasTable:
    """The table shipped for a novel, by its short name."""
    source = files("custome") / "data" / "aliases" / f"{novel}.json"
    return AliasTable(json.loads(source.read_text(encoding="utf-8")) if source.is_file() else {})
