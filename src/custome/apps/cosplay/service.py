"""Talking: what is said goes into the store as it happens, is answered, and can be changed afterwards.

Nothing is kept here but who is generating. A page and a terminal show what the store has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from ...conversations.budget import Part, Prompt
from ...conversations.records import Chat, Summary, Turn
from ...conversations.running import Running
from ...conversations.store import Store
from ...engine.base import Cancel, ServedModel, stream_of
from ...errors import CustomeError, InputError
from ...types import GenerateOptions
from .card import Card, filled
from .casting import open_company
from .memory import Memories
from .own_cards import OwnCards
from .prompt import GUEST, Said, names_who_answers
from .responder import Responder
from .scene import Scene, kept_scene
from .summing import keep_made
from .writing import Grown, Tab, Writer, as_prose, known_to, remembering, said_of

LONGEST = 2_000
"""Characters one may say at once."""
TITLE = 18
"""Characters of the first words that name a conversation."""


class ConversationService:
    """Conversations with the people of what is being served.

    Args:
        hosted: what is served now.
        store: where conversations are kept.
    """

    def __init__(self, hosted: Callable[[], Sequence[ServedModel]], store: Store) -> None:
        self._hosted, self.store = hosted, store
        self.cards, self.running = OwnCards(store), Running()
        self.memories = Memories(store)

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
                tab.chat,
                tab.owner,
                scene.user or GUEST,
                words.strip(),
                by_user=True,
                present=scene.people or None,
            )
            writer, answered = self._writer(tab, responder, scene, options, cancel), False
            try:
                yield tab, Grown(chat=self.chat(tab))
                alone = not scene.people or names_who_answers(words)
                for _ in range(1 if alone else max(1, scene.answers)):
                    if cancel.is_set():
                        break
                    for grown in writer.answer(writer.next_speaker(words)):
                        last = grown.chat.turns[-1]
                        answered = answered or bool(not last.by_user and last.text)
                        yield tab, grown
                if answered and scene.remember and scene.as_speech:
                    self.memories.notice(tab.owner, scene.people, words, tab.chat)
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
            writer = self._writer(tab, responder, scene, options, cancel)
            last = next((turn for turn in reversed(chat.turns) if not turn.by_user), None)
            if last is not None and not chat.turns[-1].by_user:
                number = self.store.another(tab.chat, tab.owner, last.id)
                yield from writer.answer(last.name, into=(last.id, number))
            elif chat.turns:
                yield from writer.answer(writer.next_speaker(chat.turns[-1].text))

    def ask_again(
        self,
        tab: Tab,
        key: str,
        turn: int,
        words: str,
        *,
        model: str,
        scene: Scene,
        options: GenerateOptions,
    ) -> Iterator[Grown]:
        """Something the user said, in other words and answered anew; what came after it is deleted, and can be brought back."""
        responder = self.responder(model, tab.owner)
        with self.running.generation(tab.chat, key) as cancel:
            turns = self.chat(tab).turns
            place = next((place for place, one in enumerate(turns) if one.id == turn), None)
            if place is None or not words.strip():
                raise InputError("没有可以重新回答的话", "写一句再发")
            self.store.write(tab.chat, tab.owner, turn, words.strip(), finished=True)
            if place + 1 < len(turns):
                self.store.delete(tab.chat, tab.owner, turns[place + 1].id, following=True)
            writer = self._writer(tab, responder, scene, options, cancel)
            yield from writer.answer(writer.next_speaker(words))

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
            turns = self.chat(tab).turns
            if not turns or turns[-1].by_user or not turns[-1].name:
                raise InputError("最后一句不是人物说的，没有可以接着说的", "先说一句，等人回答")
            yield from self._writer(tab, responder, scene, options, cancel).go_on(turns[-1])

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

    def _writer(
        self,
        tab: Tab,
        responder: Responder,
        scene: Scene,
        options: GenerateOptions,
        cancel: Cancel,
    ) -> Writer:
        return Writer(
            store=self.store,
            tab=tab,
            responder=responder,
            scene=scene,
            options=options,
            cancel=cancel,
        )

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

    def prompt(
        self, tab: Tab, model: str, scene: Scene, options: GenerateOptions, words: str
    ) -> Prompt:
        """What the model would read if `words` were said now."""
        responder, chat = self.responder(model, tab.owner), self.chat(tab)
        mine = [Said(name=scene.user or GUEST, text=words.strip(), by_user=True)]
        mine = mine if words.strip() else []
        said = [*said_of(chat.turns), *mine]
        if names_who_answers(words) or not scene.people:
            request = as_prose(said, responder)
            text = request.messages[0].content
            part = Part(
                title="原文",
                text=text,
                tokens=responder.engine.count_tokens(text),
                why="自己写了提示",
            )
            return Prompt(request=request, parts=(part,) if text else ())
        name = responder.next_speaker(scene.people, said, scene.order)
        heard, setting = known_to(name, chat.turns, scene, chat.summary)
        heard = [*heard, *mine]
        if scene.remember:
            count = responder.engine.count_tokens
            setting = remembering(setting, self.memories, tab, name, heard, count)
        return responder.prompt(name, heard, setting, options)

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
