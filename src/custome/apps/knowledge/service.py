"""Asking a base: what is said goes into the store as it happens, the passages are shown at once, the answer when it is proven.

An answer belongs to the server: a tab that is closed costs nothing, and whoever opens the conversation sees how far it is.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from ...conversations.records import Turn
from ...conversations.running import Running
from ...conversations.store import Store
from ...engine.base import Cancel, Engine, ServedModel
from ...errors import InputError
from ...retrieval.search import Hit
from ..context import AppContext
from .answering import Answer, answer
from .embedding import Embedding
from .following_up import standing_alone
from .shelf import Shelf
from .voicing import Voice, voiced

APP = "knowledge"
LONGEST = 2_000
"""Characters one may ask at once."""
TITLE = 24
MOST_AT_ONCE = 16
LOG = logging.getLogger(__name__)
Stage = Literal["reading", "wording"]
VoiceOf = Callable[[ServedModel, str], Voice]
"""(model, one of its people) → how they tell a fact."""


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How a base is asked."""

    base: str
    person: str = ""
    """Who words the answer; '' for plain words."""
    chapter: int = 0
    """Nothing that comes after it is known; 0 for the whole book."""


@dataclass(kw_only=True)
class Working:
    """A question that is being answered."""

    turn: int
    stage: Stage = "reading"
    question: str = ""
    hits: tuple[Hit, ...] = ()


class KnowledgeService:
    """Conversations with bases.

    Args:
        hosted: what is served now; the first that takes instructions words the answers, without one the documents' own words are shown.
        voice_of: gives the people of a model a voice.
    """

    def __init__(
        self,
        shelf: Shelf,
        store: Callable[[], Store],
        hosted: Callable[[], Sequence[ServedModel]],
        voice_of: VoiceOf,
    ) -> None:
        self.shelf, self._store, self._hosted, self._voice_of = shelf, store, hosted, voice_of
        self.running = Running()
        self.vectors = Embedding()
        self._working: dict[str, Working] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="knowledge")

    @property
    def store(self) -> Store:
        """Where conversations are kept; opened when there is one."""
        return self._store()

    # -- who answers -------------------------------------------------------------------------------------------------

    def model(self) -> ServedModel | None:
        """Who words answers: the first model that takes instructions."""
        return next((one for one in self._hosted() if one.engine.kind == "template"), None)

    def engine(self) -> Engine | None:
        one = self.model()
        return one.engine if one is not None else None

    def people(self) -> list[str]:
        """Who can word an answer."""
        one = self.model()
        return [person.name for person in one.people] if one is not None else []

    # -- asking ------------------------------------------------------------------------------------------------------

    def answer(
        self,
        asking: Asking,
        question: str,
        earlier: Sequence[tuple[str, str]] = (),
        *,
        cancel: Cancel | None = None,
        on_hits: Callable[[str, Sequence[Hit]], None] = lambda *_: None,
        on_stage: Callable[[Stage], None] = lambda _: None,
    ) -> tuple[Answer, str]:
        """(the answer, what somebody of the book says in its place or '').

        Args:
            earlier: (question, answer) of the conversation.
            on_hits: sees the question as it is looked for, and what was found.

        Raises:
            InputError: no such base or person, or a question that is none.
        """
        question = question.strip()
        if not question:
            raise InputError("没有写问题", "写一个问题再发")
        if len(question) > LONGEST:
            raise InputError(
                f"问题有 {len(question):,} 字，超过 {LONGEST:,} 字", "只写要问的那一句"
            )
        base, model = self.shelf.get(asking.base), self.model()
        voice = None
        if asking.person:
            if model is None:
                raise InputError(
                    f"没有模型能让 {asking.person!r} 说话", "先开一个模型：custome serve 运行目录"
                )
            voice = self._voice_of(model, asking.person)
        names = base.names()
        alone = standing_alone(question, earlier, names)
        hits = base.search(alone, chapter=asking.chapter)
        on_hits(alone, hits)
        given = answer(hits, model.engine if model else None, alone, names=names, cancel=cancel)
        spoken = ""
        if voice is not None and not (cancel and cancel.is_set()):
            on_stage("wording")
            spoken = voiced(given, voice, names, cancel)
        return given, spoken

    def ask(
        self,
        owner: str,
        chat: str,
        asking: Asking,
        question: str,
        done: Callable[[str, Exception | None], None] = lambda *_: None,
    ) -> str:
        """Ask in a conversation, on a thread of its own; returns the conversation's id, a new one for ''.

        Args:
            done: told when the answer is kept, or why there is none.

        Raises:
            InputError: no such base, or the last question is still being answered.
        """
        if not self.shelf.get(asking.base).documents():
            raise InputError(
                f"知识库 {asking.base!r} 是空的", "先加文件：拖到页面上，或 custome knowledge add"
            )
        if chat in self._working:
            raise InputError("上一个问题还在答", "等它答完，或点停止")
        scene = dict(vars(asking))
        if not chat:
            chat = self.store.begin(owner, question.strip()[:TITLE], app=APP, scene=scene)
        else:
            self.store.set(chat, owner, scene=scene)
        earlier = said_before(self.store.read(chat, owner).turns)
        self.store.say(chat, owner, "", question, by_user=True)
        turn = self.store.say(chat, owner, asking.person, "", by_user=False, finished=False)
        with self._lock:
            self._working[chat] = Working(turn=turn)
        future = self._pool.submit(self._work, owner, chat, asking, question, earlier)
        future.add_done_callback(lambda ended: self._ended(owner, chat, turn, ended, done))
        return chat

    def working(self, chat: str) -> Working | None:
        """How far the answer in a conversation is; None where none is being written."""
        return self._working.get(chat)

    def stop(self, chat: str) -> None:
        self.running.stop(chat)

    def close(self) -> None:
        """Stop what is being written."""
        self.vectors.close()
        for chat in list(self._working):
            self.running.stop(chat)
        self._pool.shutdown(wait=False, cancel_futures=True)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _work(
        self,
        owner: str,
        chat: str,
        asking: Asking,
        question: str,
        earlier: Sequence[tuple[str, str]],
    ) -> None:
        working = self._working[chat]

        def see(alone: str, hits: Sequence[Hit]) -> None:
            working.question, working.hits = alone, tuple(hits)

        def turn_to(stage: Stage) -> None:
            working.stage = stage

        with self.running.generation(chat, chat) as cancel:
            given, spoken = self.answer(
                asking, question, earlier, cancel=cancel, on_hits=see, on_stage=turn_to
            )
        self.store.write(
            chat,
            owner,
            working.turn,
            spoken or given.text,
            finished=True,
            stats=kept(given, spoken),
        )

    def _ended(
        self,
        owner: str,
        chat: str,
        turn: int,
        ended: Future[None],
        done: Callable[[str, Exception | None], None],
    ) -> None:
        error = None if ended.cancelled() else ended.exception()
        if ended.cancelled() or error is not None:
            try:
                self.store.take_back(chat, owner, turn)
            except Exception:  # the conversation is gone; there is nobody to tell
                LOG.warning("an answer's place could not be taken back", exc_info=True)
        with self._lock:
            self._working.pop(chat, None)
        done(chat, error if isinstance(error, Exception) else None)


def service_of(context: AppContext) -> KnowledgeService:
    """The one of a server."""

    def make() -> KnowledgeService:
        shelf = Shelf(embedder_of=context.embedder_of)
        service = KnowledgeService(shelf, context.store, context.hosted, context.voice_of)
        context.closing.append(service.close)
        return service

    return context.shared(KnowledgeService, make)


def said_before(turns: Sequence[Turn]) -> list[tuple[str, str]]:
    """(question, answer in plain words) of a conversation."""
    pairs: list[tuple[str, str]] = []
    question = ""
    for turn in turns:
        if turn.by_user:
            question = turn.text
        elif turn.finished and question:
            pairs.append((question, turn.stats.get("plain", turn.text)))
    return pairs


def kept(given: Answer, spoken: str) -> dict[str, Any]:
    """What is kept beside an answer's words: where it stands, why these passages, what was looked for."""
    return {
        "kind": given.kind,
        "question": given.question,
        "plain": given.text,
        "problems": list(given.problems),
        "citations": [
            {**_place(one.passage), "start": one.start, "end": one.end, "quote": one.quote}
            for one in given.citations
        ],
        "hits": [
            {
                **_place(hit.passage),
                "score": round(hit.score, 2),
                "own": round(hit.own, 2),
                "words": list(hit.words),
                "meant": round(hit.meant, 2),
                "text": hit.passage.text,
            }
            for hit in given.hits
        ],
    }


def _place(passage: Any) -> dict[str, Any]:
    return {
        "document": passage.name,
        "heading": list(passage.heading),
        "page": passage.page,
        "start": passage.start,
        "end": passage.end,
    }
