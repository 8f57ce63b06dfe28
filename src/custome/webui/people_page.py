"""The people page: everybody's face, what they are, how much they speak; cards come in, are changed and go out here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from nicegui import events, ui

from ..apps.context import LARGEST_FILE
from ..apps.cosplay.card import Card, card_from, dump_card, read_card, write_json, write_png
from ..apps.cosplay.lorebook import Entry, Lorebook, recall
from ..apps.cosplay.png import SIGNATURE
from ..apps.cosplay.service import ConversationService
from ..apps.cosplay.writing import Tab
from ..errors import InputError
from .portraits import Portraits
from .seal import seal_png, thumbnail
from .shell import Frame

MOST = 300
"""Faces that are shown at once; the rest is found by searching."""
LINES = {
    "name": ("名字", 1),
    "description": ("是什么人", 5),
    "personality": ("性情", 2),
    "scenario": ("场景", 2),
    "greeting": ("开场白", 2),
    "examples": ("例句", 4),
    "system": ("给模型的话（system prompt）", 2),
    "reminder": ("放在对话后面的话（post-history）", 2),
    "cue": ("书里叫他什么（某某曰）", 1),
}
"""Field of a card → what it is called, and how many lines it has."""
REST = {
    "creator": "作者",
    "creator_notes": "作者的话",
    "character_version": "版本",
    "nickname": "小名",
}
"""Fields of the specification that are kept as they are → what they are called."""


class PeoplePage:
    """One tab on the people page."""

    def __init__(self, frame: Frame, service: ConversationService, portraits: Portraits) -> None:
        self.frame, self.service, self.t = frame, service, frame.words
        self._portraits, self._tab = portraits, Tab(owner=frame.owner)
        models = service.models()
        self.model = next(iter(models), "")
        t = self.t
        with frame.title:
            ui.label(t("人物")).classes("chat_title")
            if len(models) > 1:
                ui.select(models, value=self.model, on_change=self._choose).props(
                    f'dense borderless aria-label="{t("用哪个模型")}"'
                ).classes("models").mark("model")
        with ui.element("div").classes("people_page"):
            with ui.element("div").classes("tools"):
                self._search = ui.input(placeholder=t("找人"), on_change=self.refresh)
                self._search.props(f'outlined dense clearable aria-label="{t("找人")}"').mark(
                    "search"
                )
                ui.button(
                    t("导入人物卡（PNG、JSON）"), icon="file_upload", on_click=self._ask
                ).props("unelevated no-caps").mark("import")
                ui.button(t("写一张新卡"), icon="edit", on_click=lambda: self._write(None)).props(
                    "outline no-caps"
                ).mark("write")
            self._upload = ui.upload(
                on_upload=self._take,
                auto_upload=True,
                max_file_size=LARGEST_FILE,
                on_rejected=lambda: frame.tell(t("这个文件太大"), wrong=True),
            )
            self._upload.classes("hidden").props('accept=".png,.json"').mark("upload_card")
            self._grid = ui.element("div").classes("grid")
        self._dialog = ui.dialog().classes("gallery")
        self.refresh()

    def _choose(self, event: Any) -> None:
        self.model = event.value
        self.refresh()

    # -- the gallery -------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        t, wanted = self.t, (self._search.value or "").strip()
        names = self.service.people(self.model, self._tab.owner) if self.model else []
        spoken = {one.name: one.utterances for one in self._people()}
        own = self.service.cards.all(self._tab.owner)
        found = [name for name in names if wanted in name][:MOST]
        self._grid.clear()
        with self._grid:
            for name in found:
                tile = ui.button(on_click=lambda name=name: self.show(name), color=None)
                tile.props("flat no-caps").classes("tile").mark("tile", f"tile-{name}")
                with tile:
                    ui.element("img").props(
                        f'src="{self._portraits.address(name)}" alt="" width=72 height=72 loading=lazy'
                    )
                    ui.label(name).classes("who")
                    if name in own:
                        ui.label(t("带来的卡")).classes("much")
                    elif spoken.get(name):
                        ui.label(t("{count} 句", count=spoken[name])).classes("much")
            if not found:
                ui.label(t("没有这个人"))

    def _people(self) -> Any:
        return self.service.model(self.model).people if self.model else ()

    def _card(self, name: str) -> Card:
        return self.service.responder(self.model, self._tab.owner).card(name)

    def show(self, name: str) -> None:
        """Somebody's card, and what can be done with it."""
        t, card = self.t, self._card(name)
        mine = name in self.service.cards.all(self._tab.owner)
        self._dialog.clear()
        with self._dialog, ui.card().classes("gallery_card").mark("card"):
            with ui.element("div").classes("card_head"):
                ui.element("img").props(
                    f'src="{self._portraits.address(name)}" alt="" width=96 height=96'
                )
                ui.label(card.name).classes("heading")
            with ui.element("div").classes("card_text"):
                for field, (label, _) in LINES.items():
                    text = getattr(card, field)
                    if text and field not in ("name", "cue"):
                        ui.label(t(label)).classes("label")
                        ui.label(_plain(text, card, t)).classes("text")
                self._show_told(name)
                self._show_book(card)
            with ui.element("div").classes("row wrap"):
                self._do(t("删掉"), "forget", lambda: self._forget(name)) if mine else None
                self._do("JSON", "json", lambda: self._export(card, "json"))
                self._do("PNG", "png", lambda: self._export(card, "png"))
                self._do(t("修改"), "edit", lambda: self._write(card))
                talk = ui.button(
                    t("和他说话"),
                    on_click=lambda: ui.navigate.to(
                        self.t.to("/") + f"?with={quote(name)}&model={quote(self.model)}"
                    ),
                )
                talk.props("unelevated no-caps").mark("talk")
        self._dialog.open()

    def _do(self, label: str, mark: str, do: Callable[[], Any]) -> None:
        ui.button(label, on_click=do).props("outline no-caps").mark(mark)

    def _show_told(self, name: str) -> None:
        """What the book says of somebody: not all of it stands in what the model reads."""
        company, t = self.service.responder(self.model, self._tab.owner).company, self.t
        told = company.told(name) if name in company.names else ()
        if told:
            ui.label(t("书里怎么说")).classes("label")
        for fact in told:
            ui.label(t("第{chapter}回：{text}", chapter=fact.chapter, text=fact.text)).classes(
                "text"
            ).mark("told")

    def _show_book(self, card: Card) -> None:
        """The world book, entry by entry, with what makes each come to mind."""
        if card.book is None or not card.book.entries:
            return
        t = self.t
        with ui.expansion(t("世界书：{count} 条", count=len(card.book.entries))).classes("fold"):
            for entry in card.book.entries[:MOST]:
                keys = t("总在") if entry.constant else "、".join(entry.keys)
                ui.label(keys if entry.enabled else f"{keys}（{t('关着')}）").classes("label")
                ui.label(entry.content).classes("text")
            self._try_book(card)

    def _try_book(self, card: Card) -> None:
        """What a sentence would bring to mind, and why."""
        t, book = self.t, card.book
        assert book is not None

        def look() -> None:
            fired.clear()
            with fired:
                for one in recall(book, [str(words.value or "")]):
                    name = one.entry.name or "、".join(one.entry.keys)
                    ui.label(f"{name}：{one.why}").classes("hint").mark("why")

        words = ui.input(t("试一句：说到这个，他会想起什么"), on_change=look)
        words.props("outlined dense debounce=300").mark("try_words")
        fired = ui.element("div")

    # -- cards in and out --------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        self._upload.run_method("pickFiles")

    async def _take(self, event: events.UploadEventArguments) -> None:
        raw = await event.file.read()
        self._upload.reset()
        card = read_card(raw, event.file.name)
        cards, owner = self.service.cards, self._tab.owner
        before = cards.all(owner).get(card.name)
        kept = cards.portraits(owner).get(card.name, ""), cards.picture(owner, card.name)
        picture = raw if raw.startswith(SIGNATURE) else b""
        small = await asyncio.to_thread(thumbnail, picture)
        self.service.import_card(self._tab, card, small, picture)
        self._changed()

        def undo() -> None:
            self._put_away(card.name)
            if before is not None:
                cards.keep(owner, before, *kept)
                self._changed()

        self.frame.tell(self.t("{name} 来了", name=card.name), undo)
        self.show(card.name)

    def _export(self, card: Card, form: str) -> None:
        if form == "json":
            self.frame.download(f"{card.name}.json", write_json(card), "application/json")
        else:
            picture = self.service.cards.picture(self._tab.owner, card.name) or seal_png(card.name)
            self.frame.download(f"{card.name}.png", write_png(card, picture), "image/png")
        self.frame.tell(self.t("导出了 {name}", name=f"{card.name}.{form}"))

    def _forget(self, name: str) -> None:
        cards, owner = self.service.cards, self._tab.owner
        card, portrait = cards.all(owner)[name], cards.portraits(owner).get(name, "")
        picture = cards.picture(owner, name)
        self._put_away(name)
        self._dialog.close()

        def undo() -> None:
            cards.keep(owner, card, portrait, picture)
            self._changed()

        self.frame.tell(self.t("删掉了 {name} 的卡；说过的话还在", name=name), undo)

    def _put_away(self, name: str) -> None:
        self.service.cards.forget(self._tab.owner, name)
        self._dialog.close()
        self._changed()

    def _changed(self) -> None:
        self._portraits.changed()
        self.refresh()

    # -- writing a card ----------------------------------------------------------------------------------------------

    def _write(self, card: Card | None) -> None:
        """The editor; what is saved becomes a card of one's own, the book's person stays as they are."""
        t, begun = self.t, card or Card(name="")
        boxes: dict[str, Any] = {}
        self._dialog.clear()
        with self._dialog, ui.card().classes("gallery_card").mark("editor"):
            ui.label(t("人物卡")).classes("heading")
            with ui.element("div").classes("card_text"):
                for field, (label, lines) in LINES.items():
                    box = ui.input if lines == 1 else ui.textarea
                    boxes[field] = box(t(label), value=getattr(begun, field))
                    boxes[field].props("outlined dense" + (" autogrow" if lines > 1 else ""))
                    boxes[field].mark(f"field-{field}")
                ui.label(
                    t("例句里每段对话前面写一行 <START>；{{user}} 是你，{{char}} 是他")
                ).classes("hint")
                more = (
                    ui.textarea(t("别的开场白，一行一个"), value="\n".join(begun.greetings[1:]))
                    .props("outlined dense autogrow")
                    .mark("field-greetings")
                )
                for field, label in REST.items():
                    boxes[field] = ui.input(t(label), value=str(begun.rest.get(field) or "")).props(
                        "outlined dense"
                    )
                tags = ui.input(t("标签，用、隔开"), value="、".join(_tags(begun))).props(
                    "outlined dense"
                )
                entries = _BookEditor(begun.book or Lorebook(), t)
            with ui.element("div").classes("row"):
                ui.button(t("算了"), on_click=self._dialog.close).props("outline no-caps")

                def save() -> None:
                    rest = {**begun.rest, **{name: boxes[name].value for name in REST}}
                    rest["alternate_greetings"] = [
                        one for one in more.value.splitlines() if one.strip()
                    ]
                    rest["tags"] = [one for one in tags.value.split("、") if one.strip()]
                    texts: dict[str, Any] = {name: boxes[name].value or "" for name in LINES}
                    self._save(begun, replace(begun, **texts, rest=rest, book=entries.book()))

                ui.button(t("保存"), on_click=save).props("unelevated no-caps").mark("save")
        self._dialog.open()

    def _save(self, before: Card, card: Card) -> None:
        cards, owner, name = self.service.cards, self._tab.owner, card.name.strip()
        if not name:
            raise InputError(self.t("还没有写名字"), self.t("写一个名字再保存"))
        card = card_from(dump_card(replace(card, name=name)), name)  # as it will be read again
        picture, portrait = cards.picture(owner, before.name), cards.portraits(owner)
        cards.keep(owner, card, portrait.get(before.name, ""), picture)
        self._changed()
        self.show(name)
        self.frame.tell(self.t("保存了 {name} 的卡", name=name))


class _BookEditor:
    """The entries of a world book: what makes each come to mind, its text, on or off."""

    def __init__(self, book: Lorebook, t: Any) -> None:
        self._book, self._t = book, t
        self._rows: list[tuple[Entry, Any, Any, Any]] = []
        with ui.expansion(t("世界书：{count} 条", count=len(book.entries))).classes("fold"):
            self._list = ui.element("div").classes("entries")
            ui.button(t("加一条"), on_click=lambda: self._add(Entry(keys=(), content=""))).props(
                "outline no-caps"
            ).mark("add_entry")
        for entry in book.entries[:MOST]:
            self._add(entry)

    def _add(self, entry: Entry) -> None:
        t = self._t
        with self._list, ui.element("div").classes("entry"):
            keys = ui.input(t("听到哪些词，用、隔开"), value="、".join(entry.keys))
            text = ui.textarea(t("就想起什么"), value=entry.content)
            on = ui.switch(t("开着"), value=entry.enabled)
        keys.props("outlined dense").mark("entry_keys")
        text.props("outlined dense autogrow").mark("entry_text")
        self._rows.append((entry, keys, text, on.mark("entry_on")))

    def book(self) -> Lorebook | None:
        """As it is written now; entries without text are gone."""
        entries = tuple(
            replace(
                entry,
                keys=tuple(one.strip() for one in keys.value.split("、") if one.strip()),
                content=text.value,
                enabled=on.value,
            )
            for entry, keys, text, on in self._rows
            if text.value.strip()
        )
        kept = (*entries, *self._book.entries[MOST:])
        return replace(self._book, entries=kept) if kept else None


def _tags(card: Card) -> list[str]:
    tags = card.rest.get("tags")
    return [str(tag) for tag in tags] if isinstance(tags, list) else []


def _plain(text: str, card: Card, t: Any) -> str:
    """As a person reads it: names in place of braces."""
    for braces, name in (("{{char}}", card.name), ("{{user}}", t("你")), ("<START>", "—")):
        text = text.replace(braces, name)
    return text
