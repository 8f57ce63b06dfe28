"""The page for one's own documents: bases at the left, questions in the middle, every answer with the places it stands on.

Everything shown is read from the store and the bases, so the page can be closed while an answer is written.
"""

from __future__ import annotations

import functools
from typing import Any

from nicegui import ui

from ..apps.knowledge.base import KnowledgeBase
from ..apps.knowledge.service import APP, LONGEST, Asking, KnowledgeService, Working, service_of
from ..conversations.records import Chat, Turn
from ..errors import CustomeError, InputError
from .elements import Column, Composer
from .knowledge_answer import AnswerView, show_waiting
from .knowledge_bases import Bases
from .shell import Frame, Shell

LOOK_EVERY_S = 0.4
SHOWN = 60
"""Turns that are shown."""
CHATS = 30
"""Conversations in the list."""


def add_pages(shell: Shell) -> None:
    """The page of the bases."""
    service = service_of(shell.context)
    may_change = shell.context.workplace is not None

    def draw(frame: Frame) -> None:
        KnowledgePage(frame, service, may_change=may_change)

    shell.page("/knowledge", "知识库", icon="menu_book")(draw)


class KnowledgePage:
    """One tab.

    Args:
        may_change: may files be added and taken out here?
    """

    def __init__(self, frame: Frame, service: KnowledgeService, *, may_change: bool) -> None:
        self.frame, self.service, self.t = frame, service, frame.words
        self.chat = ""
        self._seen: Any = None
        self._client = ui.context.client
        self._dialog = ui.dialog().classes("gallery")
        self._build(may_change)
        self._arrive()
        ui.timer(LOOK_EVERY_S, self._look)

    # -- layout ------------------------------------------------------------------------------------------------------

    def _build(self, may_change: bool) -> None:
        t, frame = self.t, self.frame
        with frame.title:
            self._title = ui.label(t("知识库")).classes("chat_title").mark("title")
            frame.icon_button("add_comment", t("重新问起"), self.begin)
        with ui.element("div").classes("chat"):
            self._column = Column(t("问答")).mark("answers")
            with self._column:
                self._empty = ui.element("div").classes("empty")
                self._list = ui.element("div").classes("turns")
            with ui.element("div").classes("below"):
                self._composer = Composer(
                    t("问一个问题…"), on_send=self.send, on_stop=self.stop, on_key=lambda _: None
                ).mark("composer")
                with ui.element("div").classes("asking"):
                    self._person = ui.select({"": t("直接回答")}, value="").props(
                        f'dense borderless options-dense aria-label="{t("谁来说")}"'
                    )
                    self._person.mark("person")
                    self._chapter = ui.select({0: t("全部内容")}, value=0).props(
                        f'dense borderless options-dense aria-label="{t("用到第几回为止")}"'
                    )
                    self._chapter.mark("chapter")
        with frame.things:
            self._bases = Bases(frame, self.service, self._changed, may_change=may_change)
            ui.label(t("问过的")).classes("label")
            self._chats = ui.element("div").classes("chats").mark("chats")

    # -- which base --------------------------------------------------------------------------------------------------

    def _arrive(self) -> None:
        asked = self.frame.request.query_params
        chat, base = asked.get("chat", ""), asked.get("base", "")
        if chat:
            try:
                kept = self.service.store.read(chat, self.frame.owner)
            except CustomeError:
                self.frame.tell(self.t("没有这段对话，可能已经删了"), wrong=True)
            else:
                self.chat, base = chat, str(kept.scene.get("base", ""))
        names = self.service.shelf.names()
        self._bases.show(base if base in names else next(iter(names), ""))

    # -- asking ------------------------------------------------------------------------------------------------------

    def _changed(self) -> None:
        """Another base is open, or what is in it is different."""
        chat = self._read()
        if chat is not None and chat.scene.get("base") != self._bases.open:
            self.chat = ""
        self.refresh()

    def begin(self) -> None:
        self.chat = ""
        self.refresh()
        self._composer.focus()

    def send(self, words: str) -> None:
        asking = Asking(
            base=self._bases.open,
            person=self._person.value or "",
            chapter=int(self._chapter.value or 0),
        )
        try:
            if self._bases.here() is None:
                raise InputError(self.t("还没有知识库"), self.t("先把文件拖到左边"))
            if len(words) > LONGEST:
                raise InputError(self.t("问题太长"), self.t("只写要问的那一句"))
            self.chat = self.service.ask(self.frame.owner, self.chat, asking, words, self._done)
        except CustomeError as error:
            self._composer.give_back(words)
            self.frame.warn(error)
            return
        self.refresh()
        self._column.follow()

    def _done(self, chat: str, error: Exception | None) -> None:
        """Told on another thread; what is kept is shown at the next look."""
        if error is not None and chat == self.chat and not self._client.is_deleted:
            with self._client:
                self.frame.warn(error)

    def stop(self) -> None:
        self.service.stop(self.chat)

    def again(self, question: str) -> None:
        self.send(question)

    # -- what is shown -----------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """While something is written, see how far it is."""
        working = self.service.working(self.chat)
        now = (working.stage, len(working.hits)) if working else None
        if now != self._seen:
            self.refresh()

    def refresh(self) -> None:
        """Everything as it is now; also called by buttons that this draws anew."""
        with self._client:
            self._draw()

    def _draw(self) -> None:
        working = self.service.working(self.chat)
        self._seen = (working.stage, len(working.hits)) if working else None
        base = self._bases.here()
        chat = self._read()
        self._title.set_text(chat.title if chat else self._bases.open or self.t("知识库"))
        self._bases.show_documents()
        self._show_chats()
        self._show_choices(base, chat)
        self._show_turns(chat, working)
        empty = self.t("问一个问题…") if base and base.documents() else self.t("先加文件，再问")
        self._composer.show(chat=self.chat, busy=working is not None, placeholder=empty)
        here = self.t.to("/knowledge") + (f"?chat={self.chat}" if self.chat else "")
        ui.run_javascript(f"history.replaceState(null, '', '{here}')")

    def _read(self) -> Chat | None:
        return self.service.store.read(self.chat, self.frame.owner) if self.chat else None

    def _show_chats(self) -> None:
        self._chats.clear()
        with self._chats:
            found = self.service.store.chats(self.frame.owner, limit=CHATS, app=APP)
            for one in [one for one in found if one.scene.get("base") == self._bases.open]:
                row = ui.element("div").classes(
                    "chat_row" + (" here" if one.id == self.chat else "")
                )
                with row, ui.element("button").props("type=button").classes("open") as link:
                    link.on("click", functools.partial(self._open, one.id)).mark("open_chat")
                    ui.label(one.title).classes("title")

    def _open(self, chat: str) -> None:
        self.chat = chat
        self.refresh()
        self._column.follow()

    def _show_choices(self, base: KnowledgeBase | None, chat: Chat | None) -> None:
        """Who may word the answer, and up to where the book is known."""
        t, people = self.t, self.service.people()
        scene = chat.scene if chat else {}
        persons = {"": t("直接回答")} | {name: t("{name}来说", name=name) for name in people}
        wanted = scene.get("person", self._person.value)
        self._person.set_options(persons, value=wanted if wanted in persons else "")
        self._person.set_visibility(bool(people))
        chapters = {0: t("全部内容")}
        for document in base.documents() if base else ():
            found = base.chapters(document.name) if base else []
            if len(found) > len(chapters) and document.kind in ("txt", "epub", "json"):
                chapters |= {
                    n: t("只到“{title}”", title=title[:20]) for n, (title, _) in enumerate(found, 1)
                }
        limit = scene.get("chapter", self._chapter.value)
        self._chapter.set_options(chapters, value=limit if limit in chapters else 0)
        self._chapter.set_visibility(len(chapters) > 2)

    def _show_turns(self, chat: Chat | None, working: Working | None) -> None:
        self._list.clear()
        turns = chat.turns[-SHOWN:] if chat else ()
        self._empty.set_visibility(not turns)
        if not turns:
            self._invite()
        with self._list:
            question = ""
            for turn in turns:
                if turn.by_user:
                    question = turn.text
                    with (
                        ui.element("article").classes("turn mine"),
                        ui.element("div").classes("body"),
                    ):
                        ui.label(turn.text).classes("words")
                else:
                    self._show_answer(turn, question, working)

    def _show_answer(self, turn: Turn, question: str, working: Working | None) -> None:
        """An answer; one that was ended while the page was drawn is still awaited, and drawn once, at the next look."""
        if working is not None and working.turn == turn.id:
            show_waiting(working, self.t)
        else:
            AnswerView(self, turn, question)

    def _invite(self) -> None:
        """What one can do here, and with a base a few words of it."""
        t, base = self.t, self._bases.here()
        documents = base.documents() if base else []
        self._empty.clear()
        with self._empty:
            ui.icon("menu_book").classes("big")
            if not documents:
                ui.label(t("把文件拖进来，就能问")).classes("who")
                ui.label(
                    t(
                        "小说、手册、合同、表格、邮件：txt、epub、pdf、Word、Excel、PPT、网页。回答的每句话都能点开原文；资料里没有，就说没有。"
                    )
                ).classes("about")
                return
            ui.label(self._bases.open).classes("who")
            characters = sum(one.characters for one in documents)
            ui.label(
                t(
                    "{files} 个文件，{characters} 字。回答的每句话都能点开原文；资料里没有，就说没有。",
                    files=len(documents),
                    characters=f"{characters:,}",
                )
            ).classes("about")
            if self.service.model() is None:
                ui.label(t("现在没有会组织回答的模型，只给原文里最接近的句子。")).classes("about")

    def open_place(self, document: str, start: int, end: int, quote: str = "") -> None:
        """The passage with its neighbours, the words that were cited marked.

        Args:
            quote: what stood there when it was cited.
        """
        t, base = self.t, self._bases.here()
        if base is None:
            return
        found = base.around(document, start)
        inside = next(
            (
                one.text[start - one.start : end - one.start]
                for one in found
                if one.start <= start < one.end
            ),
            "",
        )
        if quote and inside.strip() != quote.strip():
            raise InputError(t("这个文件后来改过了"), t("再问一次，看现在的原文"))
        self._dialog.clear()
        with self._dialog, ui.card().classes("gallery_card").mark("passage"):
            ui.label("　".join([document, *found[0].heading])).classes("heading")
            if found[0].page:
                ui.label(t("第 {page} 页", page=found[0].page)).classes("hint")
            with ui.element("div").classes("card_text passage"):
                for one in found:
                    with ui.element("p"):
                        first = max(0, min(len(one.text), start - one.start))
                        last = max(first, min(len(one.text), end - one.start))
                        for text, marked in (
                            (one.text[:first], False),
                            (one.text[first:last], True),
                            (one.text[last:], False),
                        ):
                            if text:
                                box = ui.element("mark" if marked else "span")
                                with box:
                                    ui.label(text).classes("words_of")
            with ui.element("div").classes("row"):
                ui.button(t("关上"), on_click=self._dialog.close).props("outline no-caps")
        self._dialog.open()

    def rate(self, turn: Turn, question: str, right: bool) -> None:
        """Keep what somebody thinks of an answer, as a row for `custome knowledge eval`."""
        base = self._bases.here()
        if base is None:
            return
        cited = turn.stats.get("citations", [])
        row: dict[str, Any] = {
            "question": turn.stats.get("question", question),
            "answer": turn.text,
        }
        if right and cited and turn.stats.get("kind") == "checked":
            document = cited[0]["document"]
            row |= {
                "document": document,
                "places": [
                    [one["start"], one["end"]] for one in cited if one["document"] == document
                ],
            }
        elif right:
            row |= {"document": "", "places": []}
        else:
            row["wrong"] = True
        base.rate(row)
        self.frame.tell(self.t("记下了，量的时候会用上（custome knowledge eval）"))
