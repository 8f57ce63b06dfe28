"""Replies written into a conversation as they come: kept as they grow, shown as they grow, stopped by their cancel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...conversations.records import Chat, Summary, Turn
from ...conversations.store import Store
from ...engine.base import Cancel, OnPiece, stream_of
from ...models.normalisation import normalise
from ...types import GenerateOptions, Message, Reply, Request
from .memory import Memories
from .prompt import Said, Setting, names_who_answers
from .responder import Responder, Spoken
from .scene import Scene
from .summing import sum_up

SHOW_EVERY_S = 0.25
"""A message to a browser costs a server more than a token; the page writes the words out evenly (webui/turn.js) …"""
KEEP_EVERY_S = 1.0
"""… and more often than a disk should be written to: a crash costs this much of a reply."""
PROSE = 9
"""Turns that are told where the user writes the cues."""


@dataclass(frozen=True, kw_only=True)
class Tab:
    """Owner and conversation that a browser tab shows."""

    owner: str
    chat: str = ""
    """Id of the conversation; '' for one nothing was said in yet."""


@dataclass(frozen=True, kw_only=True)
class Grown:
    """A conversation as it is at one moment of a reply being written."""

    chat: Chat
    usage: str = ""
    """Speed in tokens a second and share of the context in use; set when a reply is finished."""


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Writes what people say into a conversation that nobody else is writing into."""

    store: Store
    tab: Tab
    responder: Responder
    scene: Scene
    options: GenerateOptions
    cancel: Cancel

    def next_speaker(self, words: str) -> str:
        """Whose turn it is; '' when the user's words say so themselves."""
        if not self.scene.people or names_who_answers(words):
            return ""
        said = said_of(self._chat().turns)
        return self.responder.next_speaker(self.scene.people, said, self.scene.order)

    def answer(self, name: str, into: tuple[int, int] | None = None) -> Iterator[Grown]:
        """One reply of `name`, of whoever the words before name for ''.

        Args:
            into: (turn, version) to write it into; a new turn without.
        """
        chat = self._chat()
        turns = [one for one in chat.turns if into is None or one.id != into[0]]
        said, setting = self._known_to(name, turns, chat.summary)
        turn, number = into or (self._new_turn(name), 0)
        spoken: list[Spoken] = []
        # Of several candidates the first is not always the one that is chosen: nothing is shown before.
        several = self.scene.candidates > 1

        def write(on_piece: OnPiece) -> Reply:
            if not name:
                request = as_prose(said, self.responder)
                return self.responder.engine.run(request, self.options, on_piece, self.cancel)
            spoken.append(
                self.responder.speak(
                    name,
                    said,
                    setting,
                    self.options,
                    candidates=self.scene.candidates,
                    among=self.scene.people,
                    on_piece=None if several else on_piece,
                    cancel=self.cancel,
                )
            )
            return spoken[0].reply

        yield from self._written(turn, number, "", write)
        if spoken and len(said) == len(said_of(turns)):  # of what all have heard
            left = said[: spoken[0].prompt.left_out]
            sum_up(self.store, self.tab.chat, self.tab.owner, self.responder, left, self.cancel)

    def go_on(self, last: Turn) -> Iterator[Grown]:
        """More of the last reply."""
        chat = self._chat()
        said, setting = self._known_to(last.name, chat.turns, chat.summary)

        def write(on_piece: OnPiece) -> Reply:
            return self.responder.go_on(
                last.name,
                said,
                setting,
                self.options,
                on_piece=on_piece,
                cancel=self.cancel,
            )

        yield from self._written(last.id, last.chosen, last.text, write)

    def _known_to(
        self, name: str, turns: Sequence[Turn], summary: Summary
    ) -> tuple[list[Said], Setting]:
        said, setting = known_to(name, turns, self.scene, summary)
        if self.scene.remember and name:
            count = self.responder.engine.count_tokens
            setting = remembering(setting, Memories(self.store), self.tab, name, said, count)
        return said, setting

    def _written(
        self, turn: int, number: int, head: str, write: Callable[[OnPiece], Reply]
    ) -> Iterator[Grown]:
        """Let a reply be written behind `head`, kept as it grows."""
        text, finished, started, shown, kept = "", False, time.monotonic(), 0.0, time.monotonic()
        chat = self._chat()
        try:
            yield Grown(chat=chat)
            for piece in stream_of(write, self.cancel):
                text, now = piece.text, time.monotonic()
                if piece.reply is not None and (text or head):
                    finished = True
                    self._keep(turn, number, head + text, piece.reply)
                    context = self.responder.engine.max_context
                    usage = _usage(piece.reply, now - started, context)
                    yield Grown(chat=self._chat(), usage=usage)
                if piece.reply is not None:
                    continue
                if now - kept >= KEEP_EVERY_S:
                    kept = now
                    self._keep(turn, number, head + text, finished=False)
                if now - shown >= SHOW_EVERY_S:
                    shown = now
                    yield Grown(chat=_with(chat, turn, head + text))
        finally:
            # stopped, the tab closed, or the engine gone: nothing more will come
            if not finished and (text or head):
                self._keep(turn, number, head + text)
            elif not finished:
                self.store.drop_version(self.tab.chat, self.tab.owner, turn, number)

    def _chat(self) -> Chat:
        return self.store.read(self.tab.chat, self.tab.owner)

    def _new_turn(self, name: str) -> int:
        chat, owner = self.tab.chat, self.tab.owner
        there = self.scene.people or None
        return self.store.say(chat, owner, name, "", by_user=False, finished=False, present=there)

    def _keep(
        self, turn: int, number: int, text: str, reply: Reply | None = None, finished: bool = True
    ) -> None:
        self.store.write(
            self.tab.chat,
            self.tab.owner,
            turn,
            text,
            finished=finished,
            stats=None if reply is None else _how(reply),
            number=number,
        )


def said_of(turns: Sequence[Turn]) -> list[Said]:
    return [
        Said(name=turn.name, text=turn.text, by_user=turn.by_user) for turn in turns if turn.text
    ]


def known_to(
    name: str, turns: Sequence[Turn], scene: Scene, summary: Summary
) -> tuple[list[Said], Setting]:
    """What somebody remembers of a conversation: what was said while they were there.

    A summary that was made of what they did not hear is not told to them; one of the user's own words is.
    """
    if not scene.only_heard or not name:
        return _last_rounds(said_of(turns), scene.max_history), scene.setting
    heard = [one for one in turns if one.present is None or name in one.present or name == one.name]
    missed = {one.id for one in turns} - {one.id for one in heard}
    told = not missed & {one.id for one in turns[: summary.turns]} or summary.by_user
    setting = scene.setting if told else replace(scene.setting, summary="")
    return _last_rounds(said_of(heard), scene.max_history), setting


def remembering(
    setting: Setting,
    memories: Memories,
    tab: Tab,
    name: str,
    said: Sequence[Said],
    count: Callable[[str], int],
) -> Setting:
    """A setting with what somebody remembers of other conversations, as far as what the user said last asks for it."""
    words = next((one.text for one in reversed(said) if one.by_user), "")
    told = memories.told(tab.owner, name, tab.chat, words, count)
    return replace(setting, memories=told)


def _last_rounds(said: list[Said], rounds: int) -> list[Said]:
    """What the user said last, and so many rounds before it; all of them for 0."""
    asked = [place for place, one in enumerate(said) if one.by_user]
    return said[asked[-rounds - 1] :] if 0 < rounds < len(asked) else said


def _with(chat: Chat, turn: int, text: str) -> Chat:
    """The conversation with a turn that is being written."""
    turns = tuple(
        replace(one, versions=(*one.versions[: one.chosen], text, *one.versions[one.chosen + 1 :]))
        if one.id == turn
        else one
        for one in chat.turns
    )
    return replace(chat, turns=turns)


def as_prose(said: Sequence[Said], responder: Responder) -> Request:
    """A conversation whose last words say themselves who answers."""
    prose = []
    for one in said[-PROSE:]:
        words = one.text if one.by_user else f"“{one.text}”"
        prose.append(words if one.by_user or not one.name else f"{one.name}曰：{words}")
    text = "".join(prose)
    return Request(
        messages=(
            Message(
                role="user", content=normalise(text) if responder.engine.kind == "novel" else text
            ),
        )
    )


def _how(reply: Reply) -> dict[str, Any]:
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "finish": reply.finish_reason,
    }


def _usage(reply: Reply, seconds: float, context: int) -> str:
    used = reply.prompt_tokens + reply.completion_tokens
    return (
        f"{reply.completion_tokens / max(seconds, 1e-3):.0f} token/秒　上下文 {used:,}/{context:,}"
    )
