"""Talking: what is said goes into the store as it happens, is answered, and can be changed afterwards.

Nothing is kept here but who is generating. A page and a terminal show what the store has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...conversations.budget import Part, Prompt
from ...conversations.records import Chat, Summary, Turn
from ...conversations.running import Running
from ...conversations.store import Store
from ...engine.base import Cancel, OnPiece, ServedModel, stream_of
from ...errors import CustomeError, InputError
from ...models.chat_format import ends_with_cue
from ...models.normalisation import normalise
from ...types import GenerateOptions, Message, Reply, Request
from .card import Card, filled
from .casting import open_company
from .own_cards import OwnCards
from .prompt import GUEST, Said
from .responder import Responder, Spoken
from .scene import Scene, kept_scene
from .summing import keep_made, sum_up

SHOW_EVERY_S = 0.05
"""A fast engine writes more often than a browser can draw …"""
KEEP_EVERY_S = 1.0
"""… and more often than a disk should be written to: a crash costs this much of a reply."""
LONGEST = 2_000
"""Characters one may say at once."""
TITLE = 18
"""Characters of the first words that name a conversation."""
PROSE = 9
"""Turns that are told where the user writes the cues."""


@dataclass(frozen=True, kw_only=True)
class Tab:
    """What a browser tab looks at."""

    owner: str
    chat: str = ""
    """Id of the conversation; '' for one nothing was said in yet."""


@dataclass(frozen=True, kw_only=True)
class Grown:
    """A conversation while somebody speaks."""

    chat: Chat
    usage: str = ""
    """How fast, how full; with the last of a reply."""


class ConversationService:
    """Conversations with the people of what is being served.

    Args:
        hosted: what is served now.
        store: where conversations are kept.
    """

    def __init__(self, hosted: Callable[[], Sequence[ServedModel]], store: Store) -> None:
        self._hosted, self.store = hosted, store
        self.cards, self.running = OwnCards(store), Running()

    # -- who there is ------------------------------------------------------------------------------------------------

    def models(self) -> list[str]:
        return [one.name for one in self._hosted()]

    def model(self, name: str) -> ServedModel:
        known = {one.name: one for one in self._hosted()}
        if name not in known:
            raise InputError(
                f"模型 {name!r} 已经不在了；这段对话还在", f"换一个模型：{'、'.join(known)}"
            )
        return known[name]

    def responder(self, model: str, owner: str) -> Responder:
        """The model with everybody it can be: of its book, and the owner's own cards."""
        one = self.model(model)
        return responder_of(one, self.cards.all(owner))

    def people(self, model: str, owner: str) -> list[str]:
        """Whom one can talk to: the owner's own first, then the most talkative."""
        responder, one = self.responder(model, owner), self.model(model)
        own = list(self.cards.all(owner))
        return list(
            dict.fromkeys([*own, *(person.name for person in one.people), *responder.names])
        )

    # -- talking -----------------------------------------------------------------------------------------------------

    def say(
        self, tab: Tab, key: str, words: str, model: str, scene: Scene, options: GenerateOptions
    ) -> Iterator[tuple[Tab, Grown]]:
        """The user says something and is answered.

        Args:
            key: of the browser tab, for its Stop.

        Raises:
            CustomeError: nobody could answer; the conversation is as before, the words are the caller's to give back.
        """
        if not tab.owner:
            raise InputError("页面还没有打开好", "等一下再发")
        if len(words) > LONGEST:
            raise InputError(f"一次最多 {LONGEST} 字，这里有 {len(words)} 字", "分几次说")
        responder = self.responder(model, tab.owner)
        fresh = not tab.chat
        if fresh:
            tab = self.begin(tab, words.strip()[:TITLE], model, scene)
        with self.running.generation(tab.chat, key) as cancel:
            if not fresh:
                self._keep(tab, scene, model)
            asked = self.store.say(
                tab.chat, tab.owner, scene.user or GUEST, words.strip(), by_user=True
            )
            answered = False
            try:
                yield tab, self._grown(tab)
                alone = not scene.people or ends_with_cue(words)
                for _ in range(1 if alone else max(1, scene.answers)):
                    if cancel.is_set():
                        break
                    name = self._next(responder, tab, scene, words)
                    for grown in self._answer(tab, cancel, responder, name, scene, options):
                        answered = answered or not grown.chat.turns[-1].by_user  # if only in part
                        yield tab, grown
            except Exception:
                if not answered:  # nobody said anything: as if it had not been asked
                    self.store.take_back(tab.chat, tab.owner, asked)
                    if fresh:
                        self.store.remove(tab.chat, tab.owner)
                raise

    def again(
        self, tab: Tab, key: str, model: str, scene: Scene, options: GenerateOptions
    ) -> Iterator[Grown]:
        """Another version of the last reply."""
        responder = self.responder(model, tab.owner)
        with self.running.generation(tab.chat, key) as cancel:  # read only what is whole
            chat = self.chat(tab)
            last = next((turn for turn in reversed(chat.turns) if not turn.by_user), None)
            if last is None or chat.turns[-1].by_user:
                if chat.turns:
                    name = self._next(responder, tab, scene, chat.turns[-1].text)
                    yield from self._answer(tab, cancel, responder, name, scene, options)
                return
            number = self.store.another(tab.chat, tab.owner, last.id)
            yield from self._answer(
                tab, cancel, responder, last.name, scene, options, into=(last.id, number)
            )

    def greet(self, tab: Tab, model: str, scene: Scene) -> Tab:
        """A new conversation that the people of a scene begin, in the words of their cards; the others of a card are versions.

        Raises:
            InputError: nobody there has words to begin with.
        """
        responder, user = self.responder(model, tab.owner), scene.user or GUEST
        turns = []
        for name in scene.people:
            card = responder.card(name, scene.setting.as_of)
            if words := tuple(filled(text, card, user) for text in card.greetings):
                turns.append(Turn(id=0, name=card.name, by_user=False, versions=words))
        if not turns:
            raise InputError(
                f"{'、'.join(scene.people) or '没有选人物'}：没有开场白",
                "自己先说一句，或换一个有开场白的人物",
            )
        tab = self.begin(tab, turns[0].text[:TITLE], model, scene)
        self.store.fill(tab.chat, tab.owner, turns)
        return tab

    def branch(self, tab: Tab, turn: int | None) -> Tab:
        """A copy up to and with a turn, the last one without; a summary that was made of later turns stays behind."""
        chat = self.chat(tab)
        if not chat.turns:
            return tab
        ids = [one.id for one in chat.turns]
        copy = self.store.branch(
            tab.chat,
            tab.owner,
            turn if turn in ids else ids[-1],
            summary=chat.summary if chat.summary.by_user else Summary(),
        )
        return replace(tab, chat=copy)

    def go_on(
        self, tab: Tab, key: str, model: str, scene: Scene, options: GenerateOptions
    ) -> Iterator[Grown]:
        """More of the last reply."""
        responder = self.responder(model, tab.owner)
        with self.running.generation(tab.chat, key) as cancel:
            chat = self.chat(tab)
            if not chat.turns or chat.turns[-1].by_user or not chat.turns[-1].name:
                raise InputError("最后一句不是人物说的，没有可以接着说的", "先说一句，等人回答")
            last = chat.turns[-1]

            def write(on_piece: OnPiece) -> Reply:
                said = said_of(chat.turns)
                return responder.go_on(
                    last.name, said, scene.setting, options, on_piece=on_piece, cancel=cancel
                )

            yield from self._written(tab, cancel, last.id, last.chosen, last.text, write, responder)

    def for_user(
        self, tab: Tab, key: str, model: str, scene: Scene, options: GenerateOptions
    ) -> Iterator[str]:
        """What the user might say, as it is written."""
        responder = self.responder(model, tab.owner)
        chat = self.chat(tab)
        with self.running.generation("", key) as cancel:  # it is written nowhere yet
            pieces = stream_of(
                lambda on_piece: responder.speak_for_user(
                    said_of(chat.turns),
                    scene.setting,
                    options,
                    scene.people,
                    on_piece=on_piece,
                    cancel=cancel,
                ),
                cancel,
            )
            for piece in pieces:
                yield piece.text

    def _next(self, responder: Responder, tab: Tab, scene: Scene, words: str) -> str:
        """Whose turn it is; '' when the user's words say so themselves."""
        if not scene.people or ends_with_cue(words):
            return ""
        return responder.next_speaker(scene.people, said_of(self.chat(tab).turns), scene.order)

    def _answer(
        self,
        tab: Tab,
        cancel: Cancel,
        responder: Responder,
        name: str,
        scene: Scene,
        options: GenerateOptions,
        into: tuple[int, int] | None = None,
    ) -> Iterator[Grown]:
        """One reply, written into a new turn or into a version of one that is there."""
        turns = self.chat(tab).turns
        said = said_of([turn for turn in turns if into is None or turn.id != into[0]])
        turn, number = into or (
            self.store.say(tab.chat, tab.owner, name, "", by_user=False, finished=False),
            0,
        )
        spoken: list[Spoken] = []

        def write(on_piece: OnPiece) -> Reply:
            if not name:
                return responder.engine.run(_as_prose(said, responder), options, on_piece, cancel)
            spoken.append(
                responder.speak(
                    name,
                    said,
                    scene.setting,
                    options,
                    candidates=scene.candidates,
                    among=scene.people,
                    on_piece=on_piece,
                    cancel=cancel,
                )
            )
            return spoken[0].reply

        yield from self._written(tab, cancel, turn, number, "", write, responder)
        if spoken:
            left = said[: spoken[0].prompt.left_out]
            sum_up(self.store, tab.chat, tab.owner, responder, left, cancel)

    def _written(
        self,
        tab: Tab,
        cancel: Cancel,
        turn: int,
        number: int,
        head: str,
        write: Callable[[OnPiece], Reply],
        responder: Responder,
    ) -> Iterator[Grown]:
        """Let a reply be written behind `head`, kept as it grows."""
        text, finished, started, shown, kept = "", False, time.monotonic(), 0.0, time.monotonic()
        chat = self.chat(tab)

        def keep(finished: bool, stats: dict[str, Any] | None = None) -> None:
            self.store.write(
                tab.chat,
                tab.owner,
                turn,
                head + text,
                finished=finished,
                stats=stats,
                number=number,
            )

        try:
            for piece in stream_of(write, cancel):
                text, now = piece.text, time.monotonic()
                if piece.reply is not None and (text or head):
                    finished = True
                    keep(True, _how(piece.reply))
                    yield Grown(
                        chat=self.chat(tab),
                        usage=_usage(piece.reply, now - started, responder.engine.max_context),
                    )
                if piece.reply is not None:
                    continue
                if now - kept >= KEEP_EVERY_S:
                    kept = now
                    keep(False)
                if now - shown >= SHOW_EVERY_S:
                    shown = now
                    yield Grown(chat=_with(chat, turn, head + text))
        finally:
            if not finished and (
                text or head
            ):  # stopped, the tab closed, or the engine gone: nothing more will come
                keep(True)
            elif not finished:
                self.store.drop_version(tab.chat, tab.owner, turn, number)

    def sum_up_now(self, tab: Tab, key: str, model: str) -> str:
        """A summary of all but the last two turns, in place of whatever was there."""
        responder = self.responder(model, tab.owner)
        with self.running.generation(tab.chat, key) as cancel:
            said = said_of(self.chat(tab).turns)[:-2]
            text = responder.summary(said, cancel=cancel)
        if not cancel.is_set() and text:
            before = self.chat(tab).summary.text
            keep_made(self.store, tab.chat, tab.owner, before, text, len(said))
        return text

    def _keep(self, tab: Tab, scene: Scene, model: str) -> None:
        """The scene as it is now; of its summary the words."""
        summary = self.chat(tab).summary.worded(scene.summary)
        self.store.set(tab.chat, tab.owner, scene=kept_scene(scene), summary=summary, model=model)

    def begin(self, tab: Tab, title: str, model: str, scene: Scene) -> Tab:
        """A new conversation."""
        chat = self.store.begin(
            tab.owner,
            title or "新对话",
            model=model,
            scene=kept_scene(scene),
            summary=Summary(text=scene.summary),
        )
        return replace(tab, chat=chat)

    # -- looking at it -----------------------------------------------------------------------------------------------

    def chat(self, tab: Tab) -> Chat:
        """What the tab looks at; an empty one before the first word."""
        return self.store.read(tab.chat, tab.owner) if tab.chat else Chat(id="", title="")

    def store_has(self, tab: Tab) -> bool:
        try:
            return bool(tab.chat and self.store.read(tab.chat, tab.owner))
        except CustomeError:
            return False

    def ends_answered(self, tab: Tab, words: str) -> bool:
        """Is what was said in the conversation, with an answer?"""
        turns = self.chat(tab).turns
        asked = next(
            (place for place in reversed(range(len(turns))) if turns[place].by_user), len(turns)
        )
        return asked + 1 < len(turns) and turns[asked].text == words.strip()

    def _grown(self, tab: Tab) -> Grown:
        return Grown(chat=self.chat(tab))

    def prompt(
        self, tab: Tab, model: str, scene: Scene, options: GenerateOptions, words: str
    ) -> Prompt:
        """What the model would read if `words` were said now."""
        responder, said = self.responder(model, tab.owner), said_of(self.chat(tab).turns)
        if words.strip():
            said = [*said, Said(name=scene.user or GUEST, text=words.strip(), by_user=True)]
        if ends_with_cue(words) or not scene.people:
            request = _as_prose(said, responder)
            text = request.messages[0].content
            part = Part(
                title="原文",
                text=text,
                tokens=responder.engine.count_tokens(text),
                why="自己写了提示",
            )
            return Prompt(request=request, parts=(part,) if text else ())
        return responder.prompt(
            responder.next_speaker(scene.people, said, scene.order), said, scene.setting, options
        )

    def import_card(self, tab: Tab, card: Card, portrait: str = "", picture: bytes = b"") -> None:
        """Keep somebody the user brought along.

        Args:
            portrait: a small picture's address, for the page.
            picture: the PNG the card came in, for the way out.
        """
        if not tab.owner:
            raise InputError("页面还没有打开好", "等一下再导入")
        self.cards.keep(tab.owner, card, portrait, picture)


def responder_of(one: ServedModel, own: Mapping[str, Card] | None = None) -> Responder:
    """A model with everybody it can be: of its book, of its data, and cards brought along."""
    company = open_company(one.folder)
    plain = {
        p.name: Card(name=p.name, cue=p.cue) for p in one.people if p.name not in company.names
    }
    return Responder(one.engine, company, {**plain, **(own or {})})


def said_of(turns: Sequence[Turn]) -> list[Said]:
    return [
        Said(name=turn.name, text=turn.text, by_user=turn.by_user) for turn in turns if turn.text
    ]


def _with(chat: Chat, turn: int, text: str) -> Chat:
    """The conversation with a turn that is being written."""
    turns = tuple(
        replace(one, versions=(*one.versions[: one.chosen], text, *one.versions[one.chosen + 1 :]))
        if one.id == turn
        else one
        for one in chat.turns
    )
    return replace(chat, turns=turns)


def _as_prose(said: Sequence[Said], responder: Responder) -> Request:
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
