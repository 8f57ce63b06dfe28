"""The words of an index: every Chinese character and every pair of neighbours, Latin words and numbers, written in ASCII.

Written so they pass unharmed through the tokenizers of SQLite, Milvus, Lucene and PostgreSQL, and all of them find the same. A
question drops what is made of function characters only. Pure functions of a text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from ..corpus.script import convert

_RUN = re.compile(
    r"(?P<signs>[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]+)|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+(?:[._-][a-z0-9]+)*"
)
FUNCTION = frozenset(
    "的了是在有和与或就都也还又被把给让对从到向于以之其而则乃且若如此这那哪些个么什怎谁何为吗呢吧啊呀嘛哦请问告诉说道我你他她它们您咱会能可要想得着过不没很最更再才"
)
"""Characters that say nothing of what is asked: a term made of them only is left out of a question."""


def folded(text: str) -> str:
    """Full-width, compatibility and traditional characters as their plain ones, Latin in lower case; for the index only."""
    return convert(unicodedata.normalize("NFKC", text).lower(), "t2s")


def terms(text: str) -> Iterator[str]:
    """Every term of a text, in order, as often as it occurs."""
    for match in _RUN.finditer(folded(text)):
        run = match.group()
        if not match["signs"]:
            yield run
            continue
        for place, letter in enumerate(run):
            yield letter
            if place + 1 < len(run):
                yield run[place : place + 2]


def asked(text: str) -> list[str]:
    """The terms of a question, each once, without those that say nothing; all of them where nothing is left."""
    every = list(dict.fromkeys(terms(text)))
    telling = [term for term in every if not all(letter in FUNCTION for letter in term)]
    return telling or every


def as_word(term: str) -> str:
    """A term as an ASCII word: 孔明 → u5b54u660e, gpt-4 → wgpt_4."""
    if term.isascii():
        return "w" + re.sub(r"[^a-z0-9]", "_", term)
    return "".join(f"u{ord(letter):x}" for letter in term)


def as_words(found: Iterable[str]) -> str:
    """Terms as one text of ASCII words."""
    return " ".join(map(as_word, found))
