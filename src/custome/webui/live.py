"""Replies that are being written now, by conversation: who watches one, what waits behind it, how it is stopped.

A reply belongs to the server, not to the tab that asked for it: a tab that is closed, reloaded or loses its connection costs
nothing, and whoever opens the conversation meanwhile sees it grow. What is said while somebody is being answered waits its
turn, and is kept in the store until it is said.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ..apps.cosplay.scene import Scene, scene_of
from ..apps.cosplay.service import ConversationService
from ..apps.cosplay.writing import Grown, Tab
from ..conversations.records import Thing
from ..errors import CustomeError, InputError
from ..types import GenerateOptions

T = TypeVar("T")
LOG = logging.getLogger(__name__)
NEW = "new"
"""Name under which words are kept that belong to no conversation yet."""
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
    error: Exception | None = None
    words: str = ""
    """What could not be said."""


Watch = Callable[[News], bool]
"""Told something; has somebody seen it?"""
Write = Callable[[str], Iterator[tuple[Tab, Grown]]]
"""Key of the writer → the conversation as it grows."""


@dataclass(kw_only=True)
class _Reply:
    tab: Tab
    key: str
    model: str
    now: Grown | None = None
    stopped: bool = False
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

    def ahead(self, chat: str) -> int:
        """How many others are answered before this one is begun."""
        mine = self._replies.get(chat)
        if mine is None or (mine.now and _has_begun(mine.now)):
            return 0
        slots = self._service.model(mine.model).engine.slots
        before = 0
        for one in self._replies.values():
            if one is mine:
                break
            before += one.model == mine.model
        return max(0, before - slots + 1)

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
            self._start(tab, asked.model, self._saying(tab, asked), tell, asked)
        elif len(reply.waiting) >= MOST_WAITING:
            raise InputError(f"已经有 {MOST_WAITING} 句在等了", "等前面的答完，或先停下")
        else:
            reply.waiting.append(asked)
            self._keep(reply)
            self._tell(tab.chat, News(tab=tab, grown=reply.now))

    def write(
        self, tab: Tab, model: str, write: Callable[[str], Iterator[Grown]], tell: Watch
    ) -> None:
        """Have something else written into a conversation: another version, more of the last reply.

        Raises:
            InputError: somebody is being answered in it.
        """
        if self.busy(tab.chat):
            raise InputError("还在回答上一句", "等它说完，或先停下")
        self._start(tab, model, lambda key: ((tab, grown) for grown in write(key)), tell, None)

    def stop(self, chat: str) -> list[str]:
        """Stop what is being written; what is there stays. Returns what waited behind it and is not said."""
        reply = self._replies.get(chat)
        if reply is None:
            return []
        words = [asked.words for asked in reply.waiting]
        reply.waiting.clear()
        self._keep(reply)
        reply.stopped = True
        self._service.running.stop(reply.key)
        return words

    def unsaid(self, tab: Tab) -> list[str]:
        """What waited when the server went down; told once."""
        name = tab.chat or NEW
        found = None if self.busy(tab.chat) else self._kept.get(tab.owner, name)
        if found is None:
            return []
        self._kept.forget(tab.owner, name)
        return [str(words) for words in found.content.get("words", [])]

    # -- inside ------------------------------------------------------------------------------------------------------

    def _saying(self, tab: Tab, asked: Asked) -> Write:
        return lambda key: self._service.say(
            tab, key, asked.words, asked.model, asked.scene, asked.options
        )

    def _start(self, tab: Tab, model: str, write: Write, tell: Watch, asked: Asked | None) -> None:
        reply = _Reply(tab=tab, key=secrets.token_hex(8), model=model)
        if tab.chat:
            self._replies[tab.chat] = reply
        task = asyncio.get_running_loop().create_task(self._run(reply, write, tell, asked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, reply: _Reply, write: Write, tell: Watch, asked: Asked | None) -> None:
        error: Exception | None = None
        try:
            async for tab, grown in each(lambda: write(reply.key), self._pool):
                fresh, reply.tab, reply.now = not reply.tab.chat, tab, grown
                if reply.stopped:  # before there was anything to stop
                    self._service.running.stop(reply.key)
                if fresh:  # its first words gave it a name; who asked now watches it
                    self._replies[tab.chat] = reply
                    _told(tell, News(tab=tab, grown=grown))
                else:
                    self._tell(tab.chat, News(tab=tab, grown=grown))
        except Exception as wrong:
            error = wrong
            if not isinstance(wrong, CustomeError):
                LOG.exception("a reply for the page failed")
        self._over(reply, tell, asked, error)

    def _over(
        self, reply: _Reply, tell: Watch, asked: Asked | None, error: Exception | None
    ) -> None:
        """Tell the end, and say what waits next. What could not be said is given back with all that waited behind it."""
        tab, service = reply.tab, self._service
        there = service.store_has(tab)
        self._replies.pop(tab.chat, None)
        for chat, one in self._replies.items():
            if one.model == reply.model and one.now and not _has_begun(one.now):
                self._tell(chat, News(tab=one.tab, grown=one.now))  # it is one place further
        if error is None and reply.waiting and there:
            self._say_next(reply, tell)
            return
        unsaid = []
        if error is not None:
            answered = asked is not None and there and service.ends_answered(tab, asked.words)
            unsaid = [asked.words] if asked is not None and not answered else []
            unsaid += [one.words for one in reply.waiting]
            reply.waiting.clear()
            self._keep(reply)
        self._tell_end(tab if there else replace(tab, chat=""), tab.chat, tell, (error, unsaid))

    def _say_next(self, reply: _Reply, tell: Watch) -> None:
        """What waits first, as the scene is by now."""
        following, tab = reply.waiting.pop(0), reply.tab
        following = replace(following, scene=scene_of(self._service.chat(tab)))
        self._start(tab, following.model, self._saying(tab, following), tell, following)
        self._replies[tab.chat].waiting = reply.waiting
        self._keep(self._replies[tab.chat])

    def _tell_end(
        self, tab: Tab, chat: str, tell: Watch, outcome: tuple[Exception | None, list[str]]
    ) -> None:
        """The error and the words go to who asked, else to whoever looks; where nobody does they are kept."""
        error, unsaid = outcome
        ended = News(tab=tab)
        with_words = replace(ended, error=error, words="\n".join(unsaid))
        watching = list(self._watching.get(chat, ()))
        asker = tell if tell in watching or not chat else next(iter(watching), None)
        heard = asker is not None and _told(asker, with_words)
        for one in watching:
            if one != asker:
                _told(one, ended)
        if unsaid and not heard:
            self._keep_words(tab, unsaid)

    def _tell(self, chat: str, news: News) -> None:
        for tell in list(self._watching.get(chat, ())):
            _told(tell, news)

    def _keep(self, reply: _Reply) -> None:
        self._keep_words(reply.tab, [asked.words for asked in reply.waiting])

    def _keep_words(self, tab: Tab, words: list[str]) -> None:
        if words:
            self._kept.keep(tab.owner, Thing(name=tab.chat or NEW, content={"words": words}))
        elif tab.chat:
            self._kept.forget(tab.owner, tab.chat)


def _told(tell: Watch, news: News) -> bool:
    """Tell one watcher; what goes wrong in their tab is theirs alone."""
    try:
        return tell(news)
    except Exception:
        LOG.exception("a tab could not show what it was told")
        return False


def _has_begun(grown: Grown) -> bool:
    """Has the reply its first words?"""
    turns = grown.chat.turns
    return bool(turns and not turns[-1].by_user and turns[-1].text)


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
