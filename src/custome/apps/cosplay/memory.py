"""What each person remembers of the user across conversations: the user's own sentences, word for word, so that nothing is made up.

A sentence is kept for those who heard it where the user says something of themselves, or asks to be remembered by it. It can
be read, changed, pinned and forgotten. Chosen by rules, not by a model: a base of this size invents.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ...conversations.records import Thing
from ...conversations.store import Store

MOST = 200
"""Of each person; beyond, the oldest that is not pinned goes."""
LONGEST = 80
"""Characters of a sentence that is kept by itself."""
BUDGET = 120
"""Tokens of memories in a prompt."""
_SENTENCE = re.compile(r"[^。！？!?；;\n]+[。！？!?；;]?")
_OF_ONESELF = re.compile(
    r"^(其实|对了|那个|嗯|不过|而且|现在)?[，,]?"
    r"(我|咱|吾|在下|俺)(也|就|还|从小|一直|最近|今年|刚|已经|只|真|很|最|特别|非常|常常?|总|不|没)*"
    r"(叫|是|姓|住|喜欢|爱|怕|恨|讨厌|养|有|在|属|会|想要?|要|学|教|做|当|写|来自|生在|家|的|[二三四五六七八九十\d]+岁)"
)
_ASKED_FOR = re.compile(r"记住|别忘了|不要忘|记得我")
_QUESTION = re.compile(
    r"[？?]|[吗呢么]$|什么|怎么|怎样|如何|为何|谁|哪|几时|多少|该不该|能不能|是不是|好不好|要不要"
)
_ASKS = re.compile(
    r"(记得|记不记得|认得|认识|忘|知道).{0,6}我|我.{0,4}(说过|叫什么|是谁|姓什么|叫啥|做什么|干什么|是哪)"
    r"|我.{0,6}(住|家|怕|喜欢|爱|讨厌|恨|养|教|学|属).{0,3}(哪|什么|啥|谁)|我.{0,4}(多大|几岁)"
)


@dataclass(frozen=True, kw_only=True)
class Memory:
    """One sentence that somebody remembers."""

    id: str
    text: str
    pinned: bool = False
    """Told at every reply; the others where the user asks of themselves."""
    chat: str = ""
    """Of the conversation it was said in; '' where it was written down by hand."""
    at: float = 0.0
    """When, in seconds since 1970."""


def noticed(words: str) -> list[str]:
    """The sentences worth remembering."""
    found = []
    for match in _SENTENCE.finditer(words):
        text = match[0].strip()
        told = _OF_ONESELF.search(text) and not _QUESTION.search(text.rstrip("。！!；;"))
        if 3 <= len(text) <= LONGEST and (told or _ASKED_FOR.search(text)):
            found.append(text)
    return found


def asks_of_oneself(words: str) -> bool:
    """Does the user ask what somebody knows of them?"""
    return bool(_ASKS.search(words))


class Memories:
    """Everybody's, by owner and name."""

    def __init__(self, store: Store) -> None:
        self._things = store.things("cosplay", "memory")

    def of(self, owner: str, name: str) -> list[Memory]:
        """What somebody remembers, oldest first."""
        thing = self._things.get(owner, name)
        return [Memory(**one) for one in thing.content["memories"]] if thing else []

    def notice(self, owner: str, names: Iterable[str], words: str, chat: str) -> None:
        """Keep what is worth remembering of the user's words, for everybody who heard them."""
        texts = list(dict.fromkeys(noticed(words)))
        for name in names if texts else ():
            known = self.of(owner, name)
            there = {one.text for one in known}
            new = [self.new(text, chat=chat) for text in texts if text not in there]
            if new:
                self.keep(owner, name, [*known, *new])

    @staticmethod
    def new(text: str, *, chat: str = "") -> Memory:
        return Memory(id=uuid.uuid4().hex[:12], text=text, chat=chat, at=time.time())

    def add(self, owner: str, name: str, memory: Memory) -> None:
        """Write one down, or bring one back."""
        self.keep(owner, name, sorted([*self.of(owner, name), memory], key=lambda one: one.at))

    def change(
        self,
        owner: str,
        name: str,
        memory: str,
        *,
        text: str | None = None,
        pinned: bool | None = None,
    ) -> None:
        """Other words for one, or pinned or not."""

        def changed(one: Memory) -> Memory:
            if one.id != memory:
                return one
            return replace(
                one,
                text=one.text if text is None else text,
                pinned=one.pinned if pinned is None else pinned,
            )

        self.keep(owner, name, [changed(one) for one in self.of(owner, name)])

    def forget(self, owner: str, name: str, memory: str) -> None:
        self.keep(owner, name, [one for one in self.of(owner, name) if one.id != memory])

    def keep(self, owner: str, name: str, memories: Sequence[Memory]) -> None:
        """All of somebody's, in place of what they remembered."""
        surplus = len(memories) - MOST
        loose = [one.id for one in memories if not one.pinned][: max(0, surplus)]
        kept = [vars(one) for one in memories if one.id not in loose]
        self._things.keep(owner, Thing(name=name, content={"memories": kept}))

    def told(
        self, owner: str, name: str, chat: str, words: str, count: Callable[[str], int]
    ) -> tuple[str, ...]:
        """What goes into a prompt, within BUDGET tokens: pinned ones, then the newest; oldest first.

        Those that are not pinned only where the user asks of themselves, for they lead a small base away from what was asked; and
        not where they stand in this very conversation.

        Args:
            words: what the user said last.
            count: tokens of a text.
        """
        asked = asks_of_oneself(words)
        known = [
            one
            for one in self.of(owner, name)
            if one.pinned or (asked and (one.chat != chat or not chat))
        ]
        chosen, used = set(), 0
        for one in sorted(known, key=lambda one: (not one.pinned, -one.at)):
            size = count(one.text)
            if used + size > BUDGET:
                break
            used += size
            chosen.add(one.id)
        return tuple(one.text for one in known if one.id in chosen)
