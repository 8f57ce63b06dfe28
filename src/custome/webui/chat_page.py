"""The chat page: conversations at the left, the talk in the middle, whom one talks to above the box, settings at the right.

A conversation is in the store as it happens; a tab remembers only, in its address, which one it shows. Replies are written by
LiveReplies, which outlive the tab.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from nicegui import run, ui

from ..apps.cosplay.scene import Scene, kept_scene, scene_of
from ..apps.cosplay.service import ConversationService
from ..apps.cosplay.writing import Grown, Tab
from ..conversations.records import Chat
from ..errors import CustomeError
from .chat_list import ChatList
from .chat_people import People
from .chat_settings import Settings
from .chat_turns import TurnActions
from .elements import Composer
from .live import Asked, LiveReplies, News, Watch, each
from .portraits import Portraits
from .shell import Frame
from .talk import Talk


class ChatPage:
    """One tab on the chat page."""

    def __init__(
        self,
        frame: Frame,
        service: ConversationService,
        live: LiveReplies,
        portraits: Portraits,
    ) -> None:
        self.frame, self.service, self._live = frame, service, live
        self.t = frame.words
        self.portraits = portraits
        self.tab = Tab(owner=frame.owner)
        self.model, self._leave = "", lambda: None
        self._usage = ""
        self._meanwhile: list[str] | None = None
        """What was said while a new conversation had no name yet; None where none is begun."""
        self._beside = ""
        """Key of what is written beside the talk, for its Stop."""
        self._opening = 0
        """Counts the conversations this tab has opened; news of an earlier one is not for it."""
        self._watcher: Watch = functools.partial(self._told, 0)
        self._client = ui.context.client
        frame.closing.append(lambda: self._leave())
        self.settings = Settings(self)
        self.people = People(self)
        self.list = ChatList(self)
        self._build()
        self._arrive(frame.request.query_params.get("chat", ""))

    # -- layout ------------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        t, frame = self.t, self.frame
        with frame.title:
            self._title = ui.label("").classes("chat_title").mark("title")
            self._models = ui.select(
                self.service.models(),
                on_change=lambda event: self._choose_model(event.value),
            )
            self._models.props(f'dense borderless options-dense aria-label="{t("用哪个模型")}"')
            self._models.classes("models").mark("model")
            frame.icon_button("add_comment", t("新对话"), self.begin).classes("new_short")
            frame.icon_button("tune", t("设置"), self.settings.toggle).mark("settings")
        with ui.element("div").classes("chat"):
            self.talk = Talk(self, TurnActions(self).act)
            with ui.element("div").classes("below"):
                self.people.build()
                self.composer = Composer(
                    "", on_send=self.send, on_stop=self.stop, on_key=self._press
                ).mark("composer")
                self._build_more()
                self.status = ui.label("").classes("status").props("role=status").mark("status")
        self.list.build()
        self.settings.build()

    def _build_more(self) -> None:
        """What one may do beside writing, behind a button in the box."""
        t, frame = self.t, self.frame
        with (
            self.composer,
            frame.menu_button("add", t("更多")).mark("more"),
            ui.menu(),
        ):
            for mark, text, do in (
                ("for_me", t("替我说一句"), self.speak_for_me),
                ("greet", t("请他先说"), self.greet),
                ("look", t("看模型读到什么"), self.look),
                ("undelete", t("找回刚删的"), self.bring_back),
            ):
                ui.menu_item(text, do).mark(mark)

    # -- which conversation ------------------------------------------------------------------------------------------

    def _arrive(self, wanted: str) -> None:
        """The page opens: on a conversation that is there, else on a new one."""
        there = wanted and self.service.store_has(replace(self.tab, chat=wanted))
        self.open(wanted if there else "")
        self._choose_model(self.frame.request.query_params.get("model", self.model))
        talk_with = self.frame.request.query_params.get("with", "")
        if not there and talk_with in self.names():
            self.people.talk_to(talk_with)
        if wanted and not there:
            self.frame.tell(self.t("没有这段对话，可能已经删了"), wrong=True)

    def open(self, chat: str) -> None:
        """Show a conversation; '' for a new one."""
        now = self._live.now(chat)
        kept = now.chat if now else self.service.chat(replace(self.tab, chat=chat))
        self.tab = replace(self.tab, chat=chat)
        self._meanwhile = None
        self._opening += 1
        self._watcher = functools.partial(self._told, self._opening)
        self._leave()
        self._leave = self._live.watch(chat, self._watcher) if chat else lambda: None
        models = self.service.models()
        self.model = kept.model if kept.model in models else next(iter(models), "")
        if kept.model and kept.model not in models:
            self.frame.tell(
                self.t(
                    "原来的模型“{name}”已经不在了；话都在，可以换一个模型接着说", name=kept.model
                ),
                wrong=True,
            )
        self._models.set_options(models, value=self.model or None)
        self._models.set_visibility(len(models) > 1)
        self.settings.take(self._known(scene_of(kept)) if chat else self._fresh())
        self.people.show()
        self._usage = ""
        self.show(kept)
        self.list.mark(chat)
        self._name_address()
        for words in self._live.unsaid(self.tab):
            self.composer.give_back(words)

    def _fresh(self) -> Scene:
        """A new conversation is new: the most talkative is there, nothing is left of the last one."""
        names = self.names()
        return Scene(people=tuple(names[:1]), candidates=self._several())

    def _known(self, scene: Scene) -> Scene:
        """A scene with those of its people whom the model has."""
        names = self.names()
        return replace(scene, people=tuple(one for one in scene.people if one in names))

    def _several(self) -> int:
        return self.service.model(self.model).engine.several if self.model else 1

    def names(self) -> list[str]:
        """Whom one can talk to; nobody where the last model has been taken away."""
        return self.service.people(self.model, self.tab.owner) if self.model else []

    def begin(self) -> None:
        self.open("")
        self.composer.focus()

    def _choose_model(self, name: str | None) -> None:
        if name == self.model or name not in self.service.models():
            return
        self.model = name
        self._models.set_value(name)
        names = self.names()
        people = tuple(one for one in self.scene.people if one in names) or tuple(names[:1])
        self.set_scene(people=people, candidates=self._several())
        self.settings.take(self.scene)
        self.people.show()
        self.show(self.service.chat(self.tab))

    def _name_address(self) -> None:
        """The address names the conversation, so that a reload shows it again."""
        here = self.t.to("/") + (f"?chat={self.tab.chat}" if self.tab.chat else "")
        ui.run_javascript(f"history.replaceState(null, '', '{here}')")

    # -- how people are set ------------------------------------------------------------------------------------------

    @property
    def scene(self) -> Scene:
        return self.settings.scene

    def set_scene(self, **changed: Any) -> None:
        """Another scene from now on; kept with the conversation."""
        self.settings.scene = replace(self.scene, **changed)
        if self.tab.chat and self.service.store_has(self.tab):
            self.service.store.set(
                self.tab.chat, self.tab.owner, scene=kept_scene(self.scene), model=self.model
            )
            if "summary" in changed:
                kept = self.service.chat(self.tab).summary.worded(changed["summary"])
                self.service.store.set(self.tab.chat, self.tab.owner, summary=kept)

    # -- talking -----------------------------------------------------------------------------------------------------

    def send(self, words: str) -> None:
        if not self.tab.chat and self._meanwhile is not None:
            self._meanwhile.append(words)  # the conversation has no name yet; it is a moment's
            return
        asked = Asked(
            words=words, model=self.model, scene=self.scene, options=self.settings.options
        )
        try:
            self._live.say(self.tab, asked, self._watcher)
        except CustomeError as error:
            self.composer.give_back(words)
            self.frame.warn(error)
            return
        self.talk.column.follow()
        if not self.tab.chat:
            self._meanwhile = []
        self._show_busy(True)

    def stop(self) -> None:
        if self._beside:
            self.service.running.stop(self._beside)
            return
        for words in self._live.stop(self.tab.chat):
            self.composer.give_back(words)

    def stop_in(self, chat: str) -> None:
        """Nothing more is written into a conversation that goes."""
        self._live.stop(chat)

    def busy(self) -> bool:
        """Is somebody being answered in the open conversation?"""
        return bool(self._beside) or self._live.busy(self.tab.chat)

    def write(self, write: Callable[[str], Iterator[Grown]]) -> None:
        """Have something other than an answer to new words written."""
        self._live.write(self.tab, self.model, write, self._watcher)
        self._show_busy(True)

    def _told(self, opening: int, news: News) -> bool:
        """What LiveReplies says of the conversation that was opened then."""
        if self._client.is_deleted or opening != self._opening:
            return False
        with self._client:
            fresh = not self.tab.chat and bool(news.tab.chat)
            if fresh:
                self.tab = replace(self.tab, chat=news.tab.chat)
                self._leave = self._live.watch(self.tab.chat, self._watcher)
                self._name_address()
            if news.grown is not None:
                self._usage = news.grown.usage or self._usage
                self.show(news.grown.chat)
                if fresh:
                    self.list.refresh()
                    following, self._meanwhile = self._meanwhile, None
                    for words in following or ():
                        self.send(words)
                return True
            here = self._client.has_socket_connection
            if not news.tab.chat:
                unsent, self._meanwhile = self._meanwhile or [], None
                self.composer.carry()
                self.open("") if self.tab.chat else None
                for words in unsent:
                    self.composer.give_back(words)
            if news.words and here:
                self.composer.give_back(news.words)
            if news.error is not None:
                self.frame.warn(news.error)
            self.refresh()
            return here

    def refresh(self) -> None:
        """Everything as the store has it."""
        kept = self.service.chat(self.tab)
        self.settings.take_summary(kept.summary.text)
        self.show(kept)
        self.list.refresh()

    def show(self, chat: Chat) -> None:
        busy = self.busy()
        self._title.set_text(chat.title if chat.turns else self.t("新对话"))
        self.talk.show(
            chat,
            busy=busy,
            waiting=self._live.waiting(self.tab.chat),
            ahead=self._live.ahead(self.tab.chat) if busy else 0,
        )
        self._show_busy(busy)
        self.status.set_text("" if busy else self._usage)

    def _show_busy(self, busy: bool) -> None:
        who = self.scene.people
        to = (
            self.t("对{names}说…", names="、".join(who))
            if who
            else self.t("自己写提示，末尾写“曹操曰：”…")
        )
        self.composer.show(chat=self.tab.chat, busy=busy, placeholder=to)

    # -- beside talking ----------------------------------------------------------------------------------------------

    def bring_back(self) -> None:
        """What was deleted last: of the conversation that is open, else a whole one."""
        if self.tab.chat:
            self.service.store.bring_back(self.tab.chat, self.tab.owner)
            self.refresh()
        elif found := self.service.store.bring_back_latest(self.tab.owner):
            self.open(found)
            self.list.refresh()
        else:
            self.frame.tell(self.t("没有删过什么"))

    def greet(self) -> None:
        self.open(self.service.greet(self.tab, self.model, self.scene).chat)
        self.list.refresh()

    async def speak_for_me(self) -> None:
        key = f"for-me:{id(self)}"
        before, opening = await self.composer.words(), self._opening
        tab, model, scene, options = self.tab, self.model, self.scene, self.settings.options
        with self._writing_beside(key):
            async for words in each(lambda: self.service.for_user(tab, key, model, scene, options)):
                if opening != self._opening or self._client.is_deleted:
                    self.service.running.stop(key)
                    return
                self.composer.put(before + words)

    async def sum_up(self) -> str:
        """A summary of what was said, written now; stopped, it is the one of before."""
        tab, model, key = self.tab, self.model, f"sum-up:{self.tab.chat}"
        with self._writing_beside(key):
            await run.io_bound(self.service.sum_up_now, tab, key, model)
        return self.service.chat(tab).summary.text

    @contextmanager
    def _writing_beside(self, key: str) -> Iterator[None]:
        """While something is written beside the talk, the one button stops it."""
        self._beside = key
        self._show_busy(True)
        try:
            yield
        finally:
            self._beside = ""
            if not self._client.is_deleted:
                self._show_busy(self.busy())

    async def look(self) -> None:
        """What the model would read if what is in the box were said now."""
        words = await self.composer.words()
        prompt = self.service.prompt(self.tab, self.model, self.scene, self.settings.options, words)
        self.settings.show_prompt(prompt)

    def _press(self, key: str) -> None:
        """A key with Alt."""
        last = next((one for one in reversed(self.talk.turns) if not one.by_user), None)
        if key == "new":
            self.begin()
        elif last is not None:
            self.talk.act(last.id, key, "")
