"""The bases at the left of the page of one's documents: which one is open, its files, whether it finds by meaning as well."""

from __future__ import annotations

import functools
from collections.abc import Callable

from nicegui import events, run, ui

from ..apps.context import LARGEST_FILE
from ..apps.knowledge.base import KnowledgeBase
from ..apps.knowledge.service import KnowledgeService
from ..retrieval.base import SUFFIXES
from .shell import Frame

SMALL = "e5-small"
"""What finds by meaning where somebody switches it on here."""
LOOK_EVERY_S = 2.0


class Bases:
    """The left of one tab.

    Args:
        on_change: called when another base is open, or this one is another.
    """

    def __init__(
        self,
        frame: Frame,
        service: KnowledgeService,
        on_change: Callable[[], None],
        *,
        may_change: bool,
    ) -> None:
        self.frame, self.service, self.t = frame, service, frame.words
        self._may_change, self._on_change = may_change, on_change
        self._client = ui.context.client
        self._dialog = ui.dialog().classes("gallery")
        self.open = ""
        """Name of the base that is open; '' for none."""
        self._build()
        self._forward_drops()
        ui.timer(LOOK_EVERY_S, self._show_vectors)

    def here(self) -> KnowledgeBase | None:
        """The base that is open."""
        shelf = self.service.shelf
        return shelf.get(self.open) if self.open in shelf.names() else None

    def show(self, chosen: str) -> None:
        """The bases there are, with one of them open."""
        names = self.service.shelf.names()
        self.open = chosen
        self._names.set_options(names, value=chosen or None)
        self._names.set_visibility(bool(names))
        self._on_change()

    # -- layout ------------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        t = self.t
        with ui.element("div").classes("tools"):
            self._names = ui.select(
                [], label=t("知识库"), on_change=lambda e: self._choose(e.value)
            )
            self._names.props("dense outlined options-dense").classes("grow").mark("base")
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
        with ui.element("div"):
            self._meaning = ui.switch(t("也按意思找"), on_change=self._switch).mark("by_meaning")
        self._meaning.set_enabled(self._may_change)
        self._vectors = ui.label().classes("hint").mark("vectors")

    def _forward_drops(self) -> None:
        """Files that are dropped anywhere on the page are taken."""
        if self._may_change:
            ui.run_javascript(
                "document.body.addEventListener('dragover', event => event.preventDefault());"
                "document.body.addEventListener('drop', event => { event.preventDefault();"
                f" const box = getElement({self._upload.id}); (box.$refs.qRef ?? box).addFiles(event.dataTransfer.files); }});"
            )

    def show_documents(self) -> None:
        """The files of the base that is open."""
        t, base = self.t, self.here()
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
        self._meaning.set_visibility(base is not None)
        if base is not None:
            self._meaning.set_value(bool(base.settings().embedder))
        self._show_vectors()

    def _show_vectors(self) -> None:
        """How far the vectors of the base that is open are."""
        t, going = self.t, self.service.vectors.progress(self.open)
        if going is None:
            failed = self.service.vectors.failed(self.open)
            said = t("按意思找没有做完：{why}", why=failed) if failed else ""
        elif not going.total:
            said = t("正在取会比意思的小模型（91 MB）…")
        else:
            said = t(
                "正在读意思：{done} / {total} 段，还要约 {minutes} 分钟",
                done=f"{going.done:,}",
                total=f"{going.total:,}",
                minutes=max(1, round(going.left_s() / 60)),
            )
        self._vectors.set_text(said)
        self._vectors.set_visibility(bool(said))

    # -- which base --------------------------------------------------------------------------------------------------

    def _choose(self, name: str | None) -> None:
        if name and name != self.open:
            self.show(name)

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
                self.show(str(name.value).strip())

            with ui.element("div").classes("row"):
                ui.button(t("算了"), on_click=self._dialog.close).props("outline no-caps")
                ui.button(t("建"), on_click=make).props("unelevated no-caps").mark("make_base")
        self._dialog.open()

    async def _switch(self, event: events.ValueChangeEventArguments) -> None:
        """Find by meaning as well, or no longer."""
        base = self.here()
        if base is None or bool(event.value) == bool(base.settings().embedder):
            return
        self._vectors.set_text(self.t("正在取会比意思的小模型（91 MB）…") if event.value else "")
        self._vectors.set_visibility(bool(event.value))
        try:
            await run.io_bound(base.find_by, SMALL if event.value else "")
            self.service.vectors.begin(base)
        finally:
            self.show_documents()

    # -- files -------------------------------------------------------------------------------------------------------

    async def _take(self, event: events.UploadEventArguments) -> None:
        """A file that was dropped or chosen; without a base it makes one."""
        t, name = self.t, event.file.name
        raw = await event.file.read()
        base = self.here() or self.service.shelf.create(t("我的资料"))
        self._reading.set_text(t("正在读 {name}…", name=name))
        try:
            await run.io_bound(base.take_file, name, raw)
            self.service.vectors.begin(base)
            self.frame.tell(t("{name} 可以问了", name=name))
        finally:
            self._reading.set_text(t("把文件拖到这里，或点一下选"))
            self._upload.reset()
            if base.documents():
                self.show(base.name)

    async def _remove(self, document: str) -> None:
        base = self.here()
        if base is None:
            return
        raw = await run.io_bound(base.uploaded, document)
        await run.io_bound(base.remove, document)

        async def undo() -> None:
            await run.io_bound(base.put_back, document, raw)
            self.service.vectors.begin(base)
            self._on_change()

        with self._client:
            self.frame.tell(self.t("拿掉了 {name}", name=document), undo)
        self._on_change()
