"""What the chat page's events do: each takes what the page's components hold and gives what they are to show.

Knows Gradio's events and a ConversationService, not which component stands where; see chat_page.py for that.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import html
import inspect
import json
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr

from ..apps.cosplay import transcript
from ..apps.cosplay.card import Card, read_card, write_json, write_png
from ..apps.cosplay.png import SIGNATURE
from ..apps.cosplay.prompt import GUEST
from ..apps.cosplay.scene import Scene, scene_of
from ..apps.cosplay.service import TITLE, ConversationService
from ..apps.cosplay.writing import Grown, Tab
from ..conversations.budget import Prompt
from ..conversations.records import Chat, Turn
from ..errors import CustomeError, InputError
from ..types import GenerateOptions
from .avatar import seal_png, strip, thumbnail

TRIOS = (
    ("刘备", "曹操", "孙权"),
    ("刘备", "关羽", "张飞"),
    ("诸葛亮", "荀彧", "周瑜"),
    ("孙悟空", "猪八戒", "唐僧"),
    ("贾宝玉", "林黛玉", "薛宝钗"),
    ("宋江", "李逵", "武松"),
)
"""Scenes of three in one click: the original project's, and one of each other classic."""
Shown = list[dict[str, str]]


def show(chat: Chat) -> Shown:
    """A conversation as the chat component's messages, one a turn; with several people each says who they are."""
    speakers = {turn.name for turn in chat.turns if not turn.by_user}
    return [
        {
            "role": "user" if turn.by_user else "assistant",
            "content": as_text(_named(turn, len(speakers) > 1)) or "…",
        }
        for turn in chat.turns
    ]


_TAG = re.compile(r"([<&])(?=[A-Za-z/!?#])")


def as_text(words: str) -> str:
    """Words that a component which shows HTML shows as they are: behind what would begin a tag or an entity comes a space of
    no width."""
    return _TAG.sub("\\1\u200b", words)


def _named(turn: Turn, several: bool) -> str:
    return f"{turn.name}：{turn.text}" if several and turn.name and not turn.by_user else turn.text


def versions_of(chat: Chat) -> str:
    last = next((turn for turn in reversed(chat.turns) if not turn.by_user), None)
    return (
        f"第 {last.chosen + 1}/{len(last.versions)} 版"
        if last is not None and len(last.versions) > 1
        else ""
    )


def _warn(error: Exception) -> None:
    """Tell the user what they can act on; anything else is for the log."""
    if not isinstance(error, CustomeError):
        raise error
    gr.Warning(as_text(f"{error.message}。{error.hint}"))


def _file(name: str, kind: str, data: bytes) -> str:
    return json.dumps({"name": name, "type": kind, "data": base64.b64encode(data).decode()})


def _kindly(event: Callable[..., Any]) -> Callable[..., Any]:
    """An event that tells of what goes wrong and leaves the page as it is."""

    @functools.wraps(event)
    def guarded(*given: Any, **more: Any) -> Any:
        try:
            return event(*given, **more)
        except CustomeError as error:
            _warn(error)
            return gr.skip()

    return guarded


_EVENTS = (
    "swipe_back",
    "edit",
    "select",
    "drop",
    "bring_back",
    "digested",
    "arrive",
    "begin",
    "open",
    "remove",
    "branch_off",
    "load",
    "greeted",
    "written",
    "name_it",
    "listed",
    "after",
    "people",
    "meet",
    "card_in",
    "card_away",
    "looked",
)
"""Events that write no reply; those that do give the words back when nobody answers."""


class ChatEvents:
    """The events of one page."""

    def __init__(self, play: ConversationService) -> None:
        self.play = play
        for name in _EVENTS:
            setattr(self, name, _kindly(getattr(self, name)))

    # -- events that write -------------------------------------------------------------------------------------------

    def _given(self, parts: Sequence[Any]) -> tuple[Scene, GenerateOptions]:
        count = 1 + len(SCENE_PARTS)
        (
            people,
            order,
            answers,
            candidates,
            user,
            persona,
            note,
            summary,
            as_of,
            as_speech,
            examples,
            tells_persona,
            regex,
            contrast_strength,
            strength,
        ) = parts[:count]
        sample, temperature, top_p, top_k, penalty, beams, tokens = parts[count:]
        scene = Scene(
            people=tuple(people or ()),
            order=order,
            answers=int(answers),
            candidates=int(candidates),
            user=user.strip(),
            user_persona=persona.strip(),
            note=note.strip(),
            summary=summary.strip(),
            as_of=int(as_of),
            as_speech=as_speech,
            examples=int(examples),
            persona=tells_persona,
            regex=regex,
            contrast_strength=contrast_strength,
            strength=strength,
        )
        return scene, GenerateOptions(
            do_sample=sample,
            temperature=temperature,
            top_p=top_p,
            top_k=int(top_k),
            repetition_penalty=penalty,
            num_beams=int(beams),
            max_new_tokens=int(tokens),
        )

    def submit(
        self, text: str, tab: Tab, model: str, request: gr.Request, *parts: Any
    ) -> Iterator[tuple[Any, ...]]:
        if not text.strip():
            yield (gr.skip(),) * 6
            return
        asked = tab
        try:
            for asked, grown in self.play.say(tab, _key(request), text, model, *self._given(parts)):
                yield "" if not grown.usage else gr.skip(), *_seen(asked, grown)
        except Exception as error:
            # The words go back into the box; what was answered before it went wrong is there.
            there = self.play.store_has(asked)
            words = "" if there and self.play.ends_answered(asked, text) else text
            kept = asked if there else dataclasses.replace(tab, chat="")
            yield (
                words,
                *(
                    self.as_it_is(kept)
                    if there or isinstance(error, InputError)
                    else (gr.skip(),) * 5
                ),
            )
            _warn(error)

    def again(
        self, tab: Tab, model: str, request: gr.Request, *parts: Any
    ) -> Iterator[tuple[Any, ...]]:
        yield from self._grow(
            tab,
            lambda scene, options: self.play.again(tab, _key(request), model, scene, options),
            parts,
        )

    def more(
        self, tab: Tab, model: str, request: gr.Request, *parts: Any
    ) -> Iterator[tuple[Any, ...]]:
        yield from self._grow(
            tab,
            lambda scene, options: self.play.go_on(tab, _key(request), model, scene, options),
            parts,
        )

    def swipe_on(
        self, tab: Tab, model: str, request: gr.Request, *parts: Any
    ) -> Iterator[tuple[Any, ...]]:
        """The next version; behind the last one a new one is written."""
        last = self._last(tab)
        if last is not None and last.chosen + 1 < len(last.versions):
            self.play.store.choose(tab.chat, tab.owner, last.id, last.chosen + 1)
            yield self.as_it_is(tab)
        elif last is not None:
            yield from self.again(tab, model, request, *parts)

    def _grow(
        self,
        tab: Tab,
        write: Callable[[Scene, GenerateOptions], Iterator[Grown]],
        parts: Sequence[Any],
    ) -> Iterator[tuple[Any, ...]]:
        if not tab.chat:
            yield (gr.skip(),) * 5
            return
        try:
            for grown in write(*self._given(parts)):
                yield _seen(tab, grown)
        except Exception as error:
            yield self.as_it_is(tab) if self.play.store_has(tab) else (gr.skip(),) * 5
            _warn(error)

    def speak_for_me(self, tab: Tab, model: str, request: gr.Request, *parts: Any) -> Iterator[Any]:
        try:
            yield from self.play.for_user(tab, _key(request), model, *self._given(parts))
        except Exception as error:
            yield gr.skip()
            _warn(error)

    # -- events that change what is there ----------------------------------------------------------------------------

    def stop_it(self, request: gr.Request) -> None:
        self.play.running.stop(_key(request))

    def end(self, request: gr.Request) -> None:
        self.play.running.end(_key(request))

    def swipe_back(self, tab: Tab) -> tuple[Any, ...]:
        if (last := self._last(tab)) is not None:
            self.play.store.choose(tab.chat, tab.owner, last.id, last.chosen - 1)
        return self.as_it_is(tab)

    def edit(self, tab: Tab, request: gr.Request, event: gr.EditData) -> tuple[Any, ...]:
        self.end(request)
        turn, chat = self._at(tab, event.index), self.play.chat(tab)
        if turn is not None:
            # The component takes off blanks around what it shows.
            if inspect.cleandoc(as_text(turn.text)) not in inspect.cleandoc(
                str(event.previous_value)
            ):
                raise InputError("这段对话在别的标签页里改过了", "看看现在的样子，再改")
            several = len({one.name for one in chat.turns if not one.by_user}) > 1
            words = str(event.value).replace("\u200b", "")
            words = words.removeprefix(_named(turn, several).removesuffix(turn.text))
            self.play.store.write(tab.chat, tab.owner, turn.id, words, finished=True)
        return self.as_it_is(tab)

    def select(self, tab: Tab, event: gr.SelectData) -> tuple[Any, Any]:
        turn = self._at(tab, event.index)
        if turn is None:
            return gr.skip(), gr.skip()
        place = [one.id for one in self.play.chat(tab).turns].index(turn.id)
        return turn.id, gr.update(value=f"删除第 {place + 1} 句")

    def drop(self, tab: Tab, selected: int | None) -> tuple[Any, ...]:
        turns = self.play.chat(tab).turns
        if turns:
            ids = [turn.id for turn in turns]
            self.play.store.delete(tab.chat, tab.owner, selected if selected in ids else ids[-1])
        return *self.as_it_is(tab), None, gr.update(value="删除最后一句")

    def bring_back(self, tab: Tab, search: str) -> tuple[Any, ...]:
        """What was deleted last: of the conversation that is open, else a whole one."""
        if tab.chat:
            self.play.store.bring_back(tab.chat, tab.owner)
            return *self.as_it_is(tab), *(gr.skip(),) * (len(SCENE_PARTS) + 7)
        return self._whole(
            dataclasses.replace(tab, chat=self.play.store.bring_back_latest(tab.owner)), search
        )

    def digested(self, tab: Tab, model: str, request: gr.Request) -> Any:
        return self.play.sum_up_now(tab, _key(request), model) if tab.chat else gr.skip()

    # -- conversations -----------------------------------------------------------------------------------------------

    def arrive(self, owner: str, remembered: str) -> tuple[Any, ...]:
        """A tab opens: whose it is, and what it showed before a reload."""
        # Whoever logs in may call themselves anything: only the browser's own secret tells people apart.
        known = re.fullmatch(r"[0-9a-f]{32}", owner or "")
        tab = Tab(owner=owner if known else secrets.token_hex(16), chat=remembered or "")
        if tab.chat and not self.play.store_has(tab):
            tab = dataclasses.replace(tab, chat="")
        return *self._whole(tab, "", fresh_models=True), self._trios(tab, self._model_of(tab))

    def begin(self, tab: Tab, search: str) -> tuple[Any, ...]:
        return self._whole(dataclasses.replace(tab, chat=""), search)

    def open(self, tab: Tab, chat: str, search: str) -> tuple[Any, ...]:
        return self._whole(dataclasses.replace(tab, chat=chat), search)

    def remove(self, tab: Tab, search: str) -> tuple[Any, ...]:
        if tab.chat:
            self.play.store.remove(tab.chat, tab.owner)
        return self._whole(dataclasses.replace(tab, chat=""), search)

    def branch_off(self, tab: Tab, selected: int | None, search: str) -> tuple[Any, ...]:
        return self._whole(self.play.branch(tab, selected), search)

    def greeted(self, tab: Tab, search: str, model: str, *parts: Any) -> tuple[Any, ...]:
        return self._whole(self.play.greet(tab, model, self._given(parts)[0]), search)

    def load(self, tab: Tab, raw: bytes | None, search: str, model: str) -> tuple[Any, ...]:
        try:
            title, turns = transcript.read(
                (raw or b"").decode("utf-8-sig", errors="replace"), "选中的文件", GUEST
            )
            people = dict.fromkeys(turn.name for turn in turns if turn.name and not turn.by_user)
            known = set(self._people(tab, model))
            scene = Scene(
                people=tuple(name for name in people if name in known),
                candidates=self._several(model),
            )
            tab = self.play.begin(tab, title or turns[0].text[:TITLE], model, scene)
            self.play.store.fill(tab.chat, tab.owner, turns)
        except CustomeError as error:
            _warn(error)
        return self._whole(tab, search)

    def written(self, tab: Tab, form: Any) -> str:
        chat = self.play.chat(tab)
        if not chat.turns:
            gr.Warning("还没有说过话，没有可导出的")
            return ""
        text = transcript.written(chat.turns, form, chat.title, GUEST)
        return _file(f"{chat.title or '对话'}.{form}", "text/plain", text.encode())

    def name_it(self, tab: Tab, title: str, search: str) -> Any:
        if tab.chat:
            self.play.store.rename(tab.chat, tab.owner, title)
        return self.listed(tab, search)

    def listed(self, tab: Tab, search: str) -> Any:
        found = self.play.store.chats(tab.owner, search)
        return gr.update(
            choices=[(f"{one.title}（{one.turns}）", one.id) for one in found],
            value=tab.chat or None,
        )

    def after(self, tab: Tab, search: str, summary: str) -> tuple[Any, ...]:
        """Behind a reply: the list, the title, the summary, unless somebody is writing one."""
        chat = self.play.chat(tab)
        kept = chat.summary
        mine = summary.strip() not in ("", kept.made, kept.made_before)
        return (
            self.listed(tab, search),
            chat.title,
            gr.skip() if mine else kept.text,
        )

    # -- people ------------------------------------------------------------------------------------------------------

    def _people(self, tab: Tab, model: str) -> list[str]:
        """Whom one can talk to; nobody where the last model has been taken away."""
        return self.play.people(model, tab.owner) if model else []

    def people(self, tab: Tab, model: str, chosen: list[str]) -> tuple[Any, Any]:
        """The picker for another model; the same people, if that model has them."""
        names = self._people(tab, model)
        kept = [name for name in chosen or [] if name in names] or names[:1]
        return gr.update(choices=names, value=kept), self._trios(tab, model)

    def _trios(self, tab: Tab, model: str) -> Any:
        known = set(self._people(tab, model))
        return gr.update(
            choices=["、".join(trio) for trio in TRIOS if known.issuperset(trio)], value=None
        )

    def meet(self, tab: Tab, model: str, chosen: list[str]) -> tuple[str, str]:
        """Who is there: their faces and cards."""
        cards, portraits = self._cards(tab, model, chosen), self.play.cards.portraits(tab.owner)
        return strip([(card, portraits.get(card.name, "")) for card in cards]), "".join(
            _card_page(card) for card in cards
        )

    def _cards(self, tab: Tab, model: str, chosen: Sequence[str] | None) -> list[Card]:
        try:
            responder = self.play.responder(model, tab.owner)
            return [responder.card(name) for name in chosen or ()]
        except CustomeError:
            return []

    def card_in(
        self, tab: Tab, raw: bytes | None, model: str, chosen: list[str]
    ) -> tuple[Any, Any]:
        card = read_card(raw or b"", "选中的文件")
        picture = raw if raw and raw.startswith(SIGNATURE) else b""
        self.play.import_card(tab, card, thumbnail(picture), picture)
        gr.Info(
            as_text(
                f"{card.name} 来了"
                + ("；点“请他先说”，用卡里的开场白开始" if card.greetings else "")
            )
        )
        names = self._people(tab, model)
        return gr.update(choices=names, value=[*(chosen or []), card.name][-8:]), _card_page(card)

    def card_out(self, form: str) -> Callable[..., str]:
        def write(tab: Tab, model: str, chosen: list[str]) -> str:
            cards = self._cards(tab, model, (chosen or [])[:1])
            if not cards:
                gr.Warning("先选一个人物")
                return ""
            card = cards[0]
            if form != "png":
                return _file(f"{card.name}.json", "application/json", write_json(card))
            picture = self.play.cards.picture(tab.owner, card.name) or seal_png(card.name)
            return _file(f"{card.name}.png", "image/png", write_png(card, picture))

        return write

    def card_away(self, tab: Tab, model: str, chosen: list[str]) -> tuple[Any, Any]:
        """The first of those there whose card was brought along is forgotten; what they said stays."""
        own = self.play.cards.all(tab.owner)
        name = next((name for name in chosen or [] if name in own), "")
        if not name:
            raise InputError("在场的人都是书里的，没有可以删的卡", "先选中导入的人物")
        self.play.cards.forget(tab.owner, name)
        names = self._people(tab, model)
        gr.Info(as_text(f"删掉了 {name} 的卡"))
        return gr.update(choices=names, value=[one for one in chosen if one in names]), ""

    def looked(self, text: str, tab: Tab, model: str, *parts: Any) -> str:
        scene, options = self._given(parts)
        return prompt_page(self.play.prompt(tab, model, scene, options, text))

    # -- what is shown -----------------------------------------------------------------------------------------------

    def _last(self, tab: Tab) -> Turn | None:
        return next(
            (turn for turn in reversed(self.play.chat(tab).turns) if not turn.by_user), None
        )

    def _at(self, tab: Tab, index: Any) -> Turn | None:
        place = index[0] if isinstance(index, (list, tuple)) else index
        turns = self.play.chat(tab).turns
        return turns[place] if isinstance(place, int) and 0 <= place < len(turns) else None

    def as_it_is(self, tab: Tab) -> tuple[Any, ...]:
        return _seen(tab, Grown(chat=self.play.chat(tab)))

    def _model_of(self, tab: Tab) -> str:
        """The conversation's model, or the first; '' where the last has been taken away."""
        kept, models = self.play.chat(tab).model, self.play.models()
        return kept if kept in models else next(iter(models), "")

    def _several(self, model: str) -> int:
        return self.play.model(model).engine.several if model else 1

    def _whole(self, tab: Tab, search: str, fresh_models: bool = False) -> tuple[Any, ...]:
        """Everything, for another conversation."""
        try:
            chat = self.play.chat(tab)
        except InputError as error:
            _warn(error)
            tab = dataclasses.replace(tab, chat="")
            chat = self.play.chat(tab)
        if chat.model and chat.model not in self.play.models():
            gr.Warning(
                as_text(
                    f"这段对话原来的模型 {chat.model!r} 已经不在了；话都在，可以换一个模型接着说"
                )
            )
        model = self._model_of(tab)
        names = self._people(tab, model)
        fresh = Scene(people=tuple(names[:1]), candidates=self._several(model))
        scene = scene_of(chat) if chat.id else fresh
        people = [name for name in scene.people if name in names]
        parts = [
            gr.update(choices=names, value=people),
            *(getattr(scene, name) for name in SCENE_PARTS),
        ]
        return (
            *_seen(tab, Grown(chat=chat)),
            chat.title,
            None,
            gr.update(value="删除最后一句"),
            gr.update(choices=self.play.models(), value=model or None)
            if fresh_models
            else model or None,
            *parts,
            self.meet(tab, model, people)[0],
            self.listed(tab, search),
        )


SCENE_PARTS = (
    "order",
    "answers",
    "candidates",
    "user",
    "user_persona",
    "note",
    "summary",
    "as_of",
    "as_speech",
    "examples",
    "persona",
    "regex",
    "contrast_strength",
    "strength",
)
"""Fields of a Scene behind `people`, in the order of the page's components."""


def _key(request: gr.Request) -> str:
    return str(request.session_hash)


def _seen(tab: Tab, grown: Grown) -> tuple[Any, ...]:
    return tab, tab.chat, show(grown.chat), versions_of(grown.chat), grown.usage or gr.skip()


def _card_page(card: Card) -> str:
    fields = [
        ("", card.description),
        ("性情", card.personality),
        ("场景", card.scenario),
        ("开场白", card.greeting),
        ("例句", card.examples),
    ]
    body = "".join(
        f"<dt>{title}</dt><dd>{html.escape(text)}</dd>" for title, text in fields if text
    )
    book = (
        f"<dt>世界书</dt><dd>{len(card.book.entries)} 条</dd>"
        if card.book and card.book.entries
        else ""
    )
    return f"<h4>{html.escape(card.name)}</h4><dl>{body}{book}</dl>"


def prompt_page(prompt: Prompt) -> str:
    """The parts of a prompt with their tokens, as HTML."""
    rows = "".join(
        f"<tr><td>{html.escape(part.title)}<br><small>{html.escape(part.why)}</small></td><td>{part.tokens}</td><td>{html.escape(part.text)}</td></tr>"
        for part in prompt.parts
    )
    left = f"<p>最早的 {prompt.left_out} 句放不下，没有给模型看</p>" if prompt.left_out else ""
    return f'<p>共约 {prompt.tokens} token</p>{left}<table class="prompt"><tr><th>部分</th><th>token</th><th>文字</th></tr>{rows}</table>'
