"""The page for one's own documents: bases at the left, questions in the middle, every answer with the places it stands on.

Everything shown is read from the store and the bases, so the page can be closed while an answer is written.
"""

from __future__ import annotations

import functools
from typing import Any

from nicegui import events, run, ui

from ..apps.context import LARGEST_FILE
from ..apps.knowledge.base import KnowledgeBase
from ..apps.knowledge.service import APP, LONGEST, Asking, KnowledgeService, service_of
from ..conversations.records import Chat, Turn
from ..errors import CustomeError, InputError
from ..retrieval.base import SUFFIXES
from .elements import Column, Composer
from .knowledge_answer import AnswerView, show_waiting
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
        self._may_change = may_change
        self.base, self.chat = "", ""
        self._seen: Any = None
        self._client = ui.context.client
        self._dialog = ui.dialog().classes("gallery")
        self._build()
        self._arrive()
        ui.timer(LOOK_EVERY_S, self._look)

    # -- layout ------------------------------------------------------------------------------------------------------

    def _build(self) -> None:
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
            self._build_bases()
        self._forward_drops()

    def _build_bases(self) -> None:
        t = self.t
        with ui.element("div").classes("tools"):
            self._bases = ui.select(
                [], label=t("知识库"), on_change=lambda e: self._choose(e.value)
            )
            self._bases.props("dense outlined options-dense").classes("grow").mark("base")
            if self._may_change:
                self.frame.icon_button("add", t("新建知识库"), self._ask_name).mark("new_base")
        self._upload = ui.upload(
            multiple=True,
            auto_upload=True,
            max_file_size=LARGEST_FILE,
            on_upload=self._take,
            on_rejected=lambda: self.frame.tell(
                t("这个文件不行：超过 20 MB，或不是能读的种类；大的用 custome knowledge add"),
                wrong=True,
            ),
        )
        self._upload.classes("hidden").props(f'accept="{",".join(sorted(SUFFIXES))}"').mark("files")
        self._drop = ui.button(on_click=lambda: self._upload.run_method("pickFiles"))
        self._drop.props("flat no-caps").classes("drop").mark("add_files")
        with self._drop:
            ui.icon("upload_file")
            self._reading = ui.label(t("把文件拖到这里，或点一下选"))
        self._drop.set_visibility(self._may_change)
        self._documents = ui.element("div").classes("documents").mark("documents")
        ui.label(t("问过的")).classes("label")
        self._chats = ui.element("div").classes("chats").mark("chats")

    def _forward_drops(self) -> None:
        """Files that are dropped anywhere on the page are taken."""
        if self._may_change:
            ui.run_javascript(
                "document.body.addEventListener('dragover', event => event.preventDefault());"
                "document.body.addEventListener('drop', event => { event.preventDefault();"
                f" const box = getElement({self._upload.id}); (box.$refs.qRef ?? box).addFiles(event.dataTransfer.files); }});"
            )

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
        self._show_bases(base if base in names else next(iter(names), ""))

    def _show_bases(self, chosen: str) -> None:
        """The bases there are, with one of them open."""
        names = self.service.shelf.names()
        self.base = chosen
        self._bases.set_options(names, value=chosen or None)
        self._bases.set_visibility(bool(names))
        self.refresh()

    def _choose(self, name: str | None) -> None:
        if name and name != self.base:
            self.base, self.chat = name, ""
            self.refresh()

    def _here(self) -> KnowledgeBase | None:
        """The base that is open."""
        return (
            self.service.shelf.get(self.base) if self.base in self.service.shelf.names() else None
        )

    def _ask_name(self) -> None:
        t = self.t
        self._dialog.clear()
        with self._dialog, ui.card().classes("gallery_card"):
            ui.label(t("新建知识库")).classes("heading")
            name = (
                ui.input(t("名字，如 产品手册")).props("outlined dense autofocus").mark("base_name")
            )

            def make() -> None:
                self.service.shelf.create(str(name.value or "").strip())
                self._dialog.close()
                self.chat = ""
                self._show_bases(str(name.value).strip())

            with ui.element("div").classes("row"):
                ui.button(t("算了"), on_click=self._dialog.close).props("outline no-caps")
                ui.button(t("建"), on_click=make).props("unelevated no-caps").mark("make_base")
        self._dialog.open()

    # -- files -------------------------------------------------------------------------------------------------------

    async def _take(self, event: events.UploadEventArguments) -> None:
        """A file that was dropped or chosen; without a base it makes one."""
        t, name = self.t, event.file.name
        raw = await event.file.read()
        base = self._here() or self.service.shelf.create(t("我的资料"))
        self._reading.set_text(t("正在读 {name}…", name=name))
        try:
            await run.io_bound(base.take_file, name, raw)
            self.frame.tell(t("{name} 可以问了", name=name))
        finally:
            self._reading.set_text(t("把文件拖到这里，或点一下选"))
            self._upload.reset()
            if base.documents():
                self._show_bases(base.name)

    def _remove(self, document: str) -> None:
        base = self._here()
        if base is None:
            return
        raw = base.uploaded(document)
        base.remove(document)

        def undo() -> None:
            base.put_back(document, raw)
            self.refresh()

        with self._client:
            self.frame.tell(self.t("拿掉了 {name}", name=document), undo)
        self.refresh()

    # -- asking ------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        self.chat = ""
        self.refresh()
        self._composer.focus()

    def send(self, words: str) -> None:
        asking = Asking(
            base=self.base, person=self._person.value or "", chapter=int(self._chapter.value or 0)
        )
        try:
            if self._here() is None:
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
        base = self._here()
        chat = self._read()
        self._title.set_text(chat.title if chat else self.base or self.t("知识库"))
        self._show_documents(base)
        self._show_chats()
        self._show_choices(base, chat)
        self._show_turns(chat)
        empty = self.t("问一个问题…") if base and base.documents() else self.t("先加文件，再问")
        self._composer.show(chat=self.chat, busy=working is not None, placeholder=empty)
        here = self.t.to("/knowledge") + (f"?chat={self.chat}" if self.chat else "")
        ui.run_javascript(f"history.replaceState(null, '', '{here}')")

    def _read(self) -> Chat | None:
        return self.service.store.read(self.chat, self.frame.owner) if self.chat else None

    def _show_documents(self, base: KnowledgeBase | None) -> None:
        t = self.t
        self._documents.clear()
        with self._documents:
            for one in base.documents() if base else ():
                with ui.element("div").classes("document").mark("document"):
                    with ui.element("div").classes("about"):
                        ui.label(one.name).classes("name")
                        ui.label(t("{count} 字", count=f"{one.characters:,}")).classes("hint")
                    if self._may_change:
                        label = t("拿掉 {name}", name=one.name)
                        self.frame.icon_button(
                            "close", label, functools.partial(self._remove, one.name)
                        ).mark("remove_document")

    def _show_chats(self) -> None:
        self._chats.clear()
        with self._chats:
            found = self.service.store.chats(self.frame.owner, limit=CHATS, app=APP)
            for one in [one for one in found if one.scene.get("base") == self.base]:
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

    def _show_turns(self, chat: Chat | None) -> None:
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
                    self._show_answer(turn, question)

    def _show_answer(self, turn: Turn, question: str) -> None:
        working = self.service.working(self.chat)
        if working is not None and working.turn == turn.id:
            show_waiting(working, self.t)
        else:
            AnswerView(self, turn, question)

    def _invite(self) -> None:
        """What one can do here, and with a base a few words of it."""
        t, base = self.t, self._here()
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
            ui.label(self.base).classes("who")
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
        t, base = self.t, self._here()
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
                                    ui.label(text).classes("inline")
            with ui.element("div").classes("row"):
                ui.button(t("关上"), on_click=self._dialog.close).props("outline no-caps")
        self._dialog.open()

    def rate(self, turn: Turn, question: str, right: bool) -> None:
        """Keep what somebody thinks of an answer, as a row for `custome knowledge eval`."""
        base = self._here()
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
