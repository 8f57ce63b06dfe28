"""Replies that are being written now, by conversation: who watches one, what waits behind it, how it is stopped.

A reply belongs to the server, not to the tab that asked for it: a tab that is closed, reloaded or loses its connection costs
nothing, and whoever opens the conversation meanwhile sees it grow. What is said while somebody is being answered waits its
turn, and is kept in the store until it is said.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ..apps.cosplay.scene import Scene
from ..apps.cosplay.service import ConversationService
from ..apps.cosplay.writing import Grown, Tab
from ..conversations.records import Thing
from ..errors import CustomeError, InputError
from ..types import GenerateOptions

T = TypeVar("T")
MOST_AT_ONCE = 64
"""Replies that are written or wait for the engine at the same time; the next one waits for a thread."""
MOST_WAITING = 8
"""Things said that wait behind one reply."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Something said, with how it is to be answered."""

    words: str
    model: str
    scene: Scene
    options: GenerateOptions


@dataclass(frozen=True, kw_only=True)
class News:
    """What whoever watches a conversation is told."""

    tab: Tab
    grown: Grown | None = None
    """The conversation as it is now; None once nothing more will come."""
    error: CustomeError | None = None
    words: str = ""
    """What could not be said."""


Watch = Callable[[News], None]
Write = Callable[[str], Iterator[tuple[Tab, Grown]]]
"""Key of the writer → the conversation as it grows."""


@dataclass(kw_only=True)
class _Reply:
    tab: Tab
    key: str
    now: Grown | None = None
    waiting: list[Asked] = field(default_factory=list)


class LiveReplies:
    """All replies of a server. To be called on its event loop."""

    def __init__(self, service: ConversationService) -> None:
        self._service = service
        self._pool = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="page-reply")
        self._replies: dict[str, _Reply] = {}
        self._watching: dict[str, list[Watch]] = {}
        self._kept = service.store.things("cosplay", "waiting")
        self._tasks: set[asyncio.Task[None]] = set()

    # -- watching ----------------------------------------------------------------------------------------------------

    def watch(self, chat: str, tell: Watch) -> Callable[[], None]:
        """Be told of a conversation; returns what ends it."""
        self._watching.setdefault(chat, []).append(tell)

        def leave() -> None:
            watching = self._watching.get(chat, [])
            if tell in watching:
                watching.remove(tell)
            if not watching:
                self._watching.pop(chat, None)

        return leave

    def now(self, chat: str) -> Grown | None:
        """A conversation that is being written, as it is now."""
        reply = self._replies.get(chat)
        return reply.now if reply else None

    def busy(self, chat: str) -> bool:
        return chat in self._replies

    def waiting(self, chat: str) -> list[str]:
        """What was said and has not been answered yet."""
        return [asked.words for asked in self._replies[chat].waiting] if self.busy(chat) else []

    # -- writing -----------------------------------------------------------------------------------------------------

    def say(self, tab: Tab, asked: Asked, tell: Watch) -> None:
        """Say something; behind what is being answered it waits.

        Args:
            tell: who asks, for a conversation that has no name yet.

        Raises:
            InputError: too much waits already.
        """
        reply = self._replies.get(tab.chat)
        if reply is None:
            self._start(tab, self._saying(tab, asked), tell, asked)
        elif len(reply.waiting) >= MOST_WAITING:
            raise InputError(f"已经有 {MOST_WAITING} 句在等了", "等前面的答完，或先停下")
        else:
            reply.waiting.append(asked)
            self._keep(reply)
            self._tell(tab.chat, News(tab=tab, grown=reply.now))

    def write(self, tab: Tab, write: Callable[[str], Iterator[Grown]], tell: Watch) -> None:
        """Have something else written into a conversation: another version, more of the last reply.

        Raises:
            InputError: somebody is being answered in it.
        """
        if self.busy(tab.chat):
            raise InputError("还在回答上一句", "等它说完，或先停下")
        self._start(tab, lambda key: ((tab, grown) for grown in write(key)), tell, None)

    def stop(self, chat: str) -> list[str]:
        """Stop what is being written; what is there stays. Returns what waited behind it and is not said."""
        reply = self._replies.get(chat)
        if reply is None:
            return []
        words = [asked.words for asked in reply.waiting]
        reply.waiting.clear()
        self._keep(reply)
        self._service.running.stop(reply.key)
        return words

    def unsaid(self, tab: Tab) -> list[str]:
        """What waited when the server went down; told once."""
        if self.busy(tab.chat) or not tab.chat:
            return []
        found = self._kept.get(tab.owner, tab.chat)
        if found is None:
            return []
        self._kept.forget(tab.owner, tab.chat)
        return [str(words) for words in found.content.get("words", [])]

    # -- inside ------------------------------------------------------------------------------------------------------

    def _saying(self, tab: Tab, asked: Asked) -> Write:
        return lambda key: self._service.say(
            tab, key, asked.words, asked.model, asked.scene, asked.options
        )

    def _start(self, tab: Tab, write: Write, tell: Watch, asked: Asked | None) -> None:
        reply = _Reply(tab=tab, key=secrets.token_hex(8))
        if tab.chat:
            self._replies[tab.chat] = reply
        task = asyncio.get_running_loop().create_task(self._run(reply, write, tell, asked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, reply: _Reply, write: Write, tell: Watch, asked: Asked | None) -> None:
        error: CustomeError | None = None
        try:
            async for tab, grown in each(lambda: write(reply.key), self._pool):
                fresh, reply.tab, reply.now = not reply.tab.chat, tab, grown
                if fresh:  # its first words gave it a name; who asked now watches it
                    self._replies[tab.chat] = reply
                    tell(News(tab=tab, grown=grown))
                else:
                    self._tell(tab.chat, News(tab=tab, grown=grown))
        except CustomeError as wrong:
            error = wrong
        self._over(reply, tell, asked, error)

    def _over(
        self, reply: _Reply, tell: Watch, asked: Asked | None, error: CustomeError | None
    ) -> None:
        """Tell the end, and say what waits next. What could not be said is given back with all that waited behind it."""
        tab, service = reply.tab, self._service
        there = service.store_has(tab)
        self._replies.pop(tab.chat, None)
        if error is None and reply.waiting and there:
            following = reply.waiting.pop(0)
            self._start(tab, self._saying(tab, following), tell, following)
            self._replies[tab.chat].waiting = reply.waiting
            self._keep(self._replies[tab.chat])
            return
        unsaid = []
        if error is not None:
            answered = asked is not None and there and service.ends_answered(tab, asked.words)
            unsaid = [asked.words] if asked is not None and not answered else []
            unsaid += [one.words for one in reply.waiting]
            reply.waiting.clear()
            self._keep(reply)
        ended = News(tab=tab if there else replace(tab, chat=""))
        for_asker = replace(ended, error=error, words="\n".join(unsaid))
        watching = list(self._watching.get(tab.chat, ()))
        for one in watching:
            one(for_asker if one == tell else ended)
        if tell not in watching and not tab.chat:
            tell(for_asker)
        elif tell not in watching and unsaid and there:  # they are there when somebody looks again
            self._keep_words(tab, unsaid)

    def _tell(self, chat: str, news: News) -> None:
        for tell in list(self._watching.get(chat, ())):
            tell(news)

    def _keep(self, reply: _Reply) -> None:
        self._keep_words(reply.tab, [asked.words for asked in reply.waiting])

    def _keep_words(self, tab: Tab, words: list[str]) -> None:
        if not tab.chat:
            return
        if words:
            self._kept.keep(tab.owner, Thing(name=tab.chat, content={"words": words}))
        else:
            self._kept.forget(tab.owner, tab.chat)


async def each(
    begin: Callable[[], Iterator[T]], pool: ThreadPoolExecutor | None = None
) -> AsyncIterator[T]:
    """What an iterator yields on a thread of its own, on this event loop."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[tuple[str, Any]]()

    def put(kind: str, value: Any = None) -> None:
        loop.call_soon_threadsafe(queue.put_nowait, (kind, value))

    def run() -> None:
        try:
            for one in begin():
                put("one", one)
        except BaseException as error:
            put("error", error)
        else:
            put("end")

    loop.run_in_executor(pool, run)
    while True:
        batch = [await queue.get()]
        while not queue.empty():
            batch.append(queue.get_nowait())
        if grown := [value for kind, value in batch if kind == "one"]:
            yield grown[-1]  # a loop that was held up shows the latest only
        for kind, value in batch:
            if kind == "error":
                raise value
            if kind == "end":
                return
