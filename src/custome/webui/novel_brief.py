"""The brief of a novel as a form: what it is about, how long, who is in it. What the form does not show stays as it is in the file."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui

from ..apps.novel.brief import PARTS, Brief, Person, listed
from ..apps.novel.folder import NovelFolder
from ..apps.novel.inventing import cast
from ..apps.novel.service import Novels
from ..errors import CustomeError
from .shell import Frame

LENGTHS = (600, 1_200, 2_000, 3_000)


def ask_for_novel(
    dialog: Any, frame: Frame, novels: Novels, begun: Callable[[str], Awaitable[None]]
) -> None:
    """A few questions, and a new novel."""
    t = frame.words
    dialog.clear()
    with dialog, ui.card().classes("gallery_card"):
        ui.label(t("新开一本")).classes("heading")
        title = ui.input(t("书名")).props("outlined dense autofocus").mark("title-of-new")
        premise = ui.textarea(t("一句话：讲什么")).props("outlined dense autogrow").mark("premise")
        hero = ui.input(t("主角叫什么（空着就替你起）")).props("outlined dense").mark("hero")
        gender = ui.select({"男": t("男"), "女": t("女")}, value="男", label=t("主角是男是女"))
        gender.props("outlined dense options-dense").mark("gender")
        thing = ui.input(t("大家争的那件东西，如 账簿")).props("outlined dense").mark("thing")
        chapters = ui.number(t("几回"), value=10, min=1, max=1000, precision=0)
        chapters.props("outlined dense").mark("chapters")
        era = ui.select({"古": t("古时候"), "今": t("现在")}, value="古", label=t("时代"))
        era.props("outlined dense options-dense").mark("era")

        async def make() -> None:
            seed = random.randrange(1, 10_000)
            count = int(chapters.value or 1)
            called = str(hero.value or "").strip()
            named = [Person(name=called, gender=gender.value)] if called else []
            try:
                name = novels.create(
                    Brief(
                        title=str(title.value or "").strip(),
                        premise=str(premise.value or "").strip(),
                        era=era.value,
                        chapters=count,
                        titles="couplet" if era.value == "古" else "plain",
                        seed=seed,
                        things=listed(thing.value),
                        people=cast(count, seed, named),
                    )
                )
            except CustomeError as error:
                frame.warn(error)
                return
            dialog.close()
            await begun(name)

        with ui.element("div").classes("buttons"):
            ui.button(t("开始"), on_click=make).props("unelevated no-caps").mark("make")
            ui.button(t("算了"), on_click=dialog.close).props("outline no-caps")
    dialog.open()


class BriefForm:
    """The brief of one novel."""

    def __init__(self, frame: Frame, folder: NovelFolder, saved: Callable[[], Any]) -> None:
        self.frame, self.t, self._folder, self._saved = frame, frame.words, folder, saved
        self._place = ui.element("div").classes("brief")
        self._shown: Brief | None = None
        self.refresh()

    def refresh(self) -> None:
        """As it is in the file now; what somebody is typing stays while the file is the same."""
        try:
            now = self._folder.brief()
        except CustomeError:
            now = None
        if now is None or now != self._shown:
            self._shown = now
            self._draw()

    def _draw(self) -> None:
        self._place.clear()
        try:
            brief = self._folder.brief()
        except CustomeError as error:
            with self._place:
                ui.label(self.t.error(error)).classes("broken").mark("wrong")
            return
        with self._place:
            self._fields(brief)

    def _fields(self, brief: Brief) -> None:
        t = self.t
        premise = ui.textarea(t("一句话：讲什么"), value=brief.premise)
        premise.props("outlined dense autogrow").mark("brief-premise")
        with ui.element("div").classes("two"):
            chapters = ui.number(t("几回"), value=brief.chapters, min=1, max=1000, precision=0)
            chapters.props("outlined dense").mark("brief-chapters")
            lengths = {*LENGTHS, brief.length}
            length = ui.select(sorted(lengths), value=brief.length, label=t("每回多少字"))
            length.props("outlined dense options-dense").mark("brief-length")
        things = ui.input(t("要紧的东西，用逗号隔开"), value="，".join(brief.things))
        things.props("outlined dense").mark("brief-things")
        places = ui.input(t("地点，用逗号隔开"), value="，".join(brief.places))
        places.props("outlined dense").mark("brief-places")
        forbidden = ui.input(t("不许出现的词，用逗号隔开"), value="，".join(brief.forbidden))
        forbidden.props("outlined dense").mark("brief-forbidden")
        ui.label(t("人物")).classes("headline").props("role=heading aria-level=2")
        parts = {name: part for part, names in brief.parts().items() for name in names}
        people = [_PersonRow(self.frame, one, parts[one.name]) for one in brief.people]
        ui.label(t("秘密、伏笔、谁第几回出场，写在这本小说文件夹的 novel.yaml 里。")).classes(
            "hint"
        )

        def save() -> None:
            named = tuple(row.person() for row in people)
            try:
                now = self._folder.brief()
            except CustomeError as error:
                self.frame.warn(error)
                return
            if now != brief:
                self.frame.tell(t("设定在别处改过了，已经照新的画出来"), wrong=True)
                self.refresh()
                return
            changed = dataclasses.replace(
                brief,
                premise=str(premise.value or "").strip(),
                chapters=int(chapters.value or 0),
                length=int(length.value or 0),
                things=listed(things.value),
                places=listed(places.value),
                forbidden=listed(forbidden.value),
                people=named,
            )
            try:
                self._folder.keep_brief(changed.checked())
            except CustomeError as error:
                self.frame.warn(error)
                return
            self.frame.tell(t("存下了"))
            self.refresh()
            self._saved()

        with ui.element("div").classes("buttons"):
            ui.button(t("存下"), on_click=save).props("unelevated no-caps").mark("save-brief")


class _PersonRow:
    """Somebody of the story, as fields."""

    def __init__(self, frame: Frame, person: Person, part: str) -> None:
        t, self._person, self._usual = frame.words, person, part
        with ui.element("div").classes("person_row").mark(f"person-{person.name}"):
            self._name = ui.input(t("姓名"), value=person.name).props("outlined dense")
            self._part = ui.select({one: t(one) for one in PARTS}, value=part, label=t("戏份"))
            self._part.props("outlined dense options-dense")
            self._gender = ui.select(
                {"": "—", "男": t("男"), "女": t("女")}, value=person.gender, label=t("性别")
            ).props("outlined dense options-dense")
            self._dies = ui.number(t("第几回死（0 不死）"), value=person.dies, min=0, precision=0)
            self._dies.props("outlined dense")

    def person(self) -> Person:
        return dataclasses.replace(
            self._person,
            name=str(self._name.value or "").strip(),
            part=self._person.part if self._part.value == self._usual else self._part.value,
            gender=self._gender.value,
            dies=int(self._dies.value or 0),
        )
