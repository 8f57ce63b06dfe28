"""The brief of a novel as a form: what it is about, how long, who is in it. What the form does not show stays as it is in the file."""

from __future__ import annotations

import dataclasses
import functools
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from ..apps.novel.brief import PARTS, Brief, Person, Promise, Secret, listed
from ..apps.novel.folder import NovelFolder
from ..apps.novel.inventing import cast
from ..apps.novel.service import Novels
from ..errors import CustomeError
from .shell import Frame

ROW = "display: flex; gap: 4px; align-items: flex-start; margin-bottom: 12px"
FIELDS = "flex: 1; min-width: 0; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr))"
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
        parts = {name: part for part, names in brief.parts().items() for name in names}
        shown = [dataclasses.replace(one, part=parts[one.name]) for one in brief.people]
        people = _Rows(self.frame, PEOPLE, brief.people, shown)
        secrets = _Rows(self.frame, SECRETS, brief.secrets)
        promises = _Rows(self.frame, PROMISES, brief.promises)

        def save() -> None:
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
                people=people.values(),
                secrets=secrets.values(),
                promises=promises.values(),
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


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a list of the brief holds, and how each of its fields is asked for."""

    name: str
    add: str
    empty: Person | Secret | Promise
    fields: Mapping[str, str]
    """Name of a field → its label."""


PEOPLE = Kind(
    name="人物",
    add="添一个人",
    empty=Person(name=""),
    fields={
        "name": "姓名", "part": "戏份", "gender": "性别", "aliases": "别名，用逗号隔开",
        "enters": "第几回出场", "dies": "第几回死（0 不死）",
    },
)  # fmt: skip
SECRETS = Kind(
    name="秘密",
    add="添一个秘密",
    empty=Secret(what="", words=(), known_to=()),
    fields={"what": "秘密", "words": "关键词，用逗号隔开", "known_to": "知道的人，用逗号隔开"},
)
PROMISES = Kind(
    name="伏笔",
    add="埋一个伏笔",
    empty=Promise(what="", words=(), planted=1, paid=2),
    fields={
        "what": "伏笔",
        "words": "关键词，用逗号隔开",
        "planted": "第几回埋",
        "paid": "第几回收",
    },
)
CHOICES: dict[str, dict[str, str]] = {
    "part": {part: part for part in PARTS},
    "gender": {"": "—", "男": "男", "女": "女"},
}


class _Rows:
    """A list of the brief: every one can be changed and taken out, others added.

    Args:
        shown: how the values are shown, where that is not as they are in the file.
    """

    def __init__(
        self, frame: Frame, kind: Kind, values: Sequence[Any], shown: Sequence[Any] = ()
    ) -> None:
        self._frame, self._kind = frame, kind
        self._rows: list[tuple[Any, Any, dict[str, Any]]] = []
        """(as it is in the file, as it was shown, field → where it is asked for)"""
        self._first = list(shown or values)
        t = frame.words
        ui.label(t(kind.name)).classes("headline").props("role=heading aria-level=2")
        self._place = ui.element("div").classes("brief_rows").mark(f"rows-{kind.name}")
        for value, as_shown in zip(values, shown or values, strict=True):
            self._draw(value, as_shown)
        with ui.element("div").classes("buttons"):
            add = functools.partial(self._draw, kind.empty, kind.empty)
            ui.button(t(kind.add), icon="add", on_click=add).props("outline no-caps").mark(
                f"add-{kind.name}"
            )

    def _draw(self, value: Any, shown: Any) -> None:
        t = self._frame.words
        with self._place, ui.element("div").classes("brief_row").style(ROW) as row:
            asked = {}
            with ui.element("div").classes("person_row").style(FIELDS):
                for name, label in self._kind.fields.items():
                    asked[name] = self._field(name, t(label), getattr(shown, name))
            entry = value, shown, asked
            self._rows.append(entry)

            def take_out() -> None:
                self._rows.remove(entry)
                row.delete()

            self._frame.menu_button("delete_outline", t("拿掉")).on_click(take_out).mark(
                f"take-out-{self._kind.name}-{len(self._rows)}"
            )

    def _field(self, name: str, label: str, value: Any) -> Any:
        mark = f"{self._kind.name}-{name}-{len(self._rows) + 1}"
        made: Any
        if name in CHOICES:
            options = {key: self._frame.words(words) for key, words in CHOICES[name].items()}
            if value not in options:
                options = {value: "—", **options}
            made = ui.select(options, value=value, label=label).props("options-dense")
        elif isinstance(value, int):
            made = ui.number(label, value=value, min=0, precision=0)
        else:
            made = ui.input(label, value=_worded(value))
        return made.props("outlined dense").mark(mark)

    def values(self) -> tuple[Any, ...]:
        """As they are asked for now; a field nobody touched is as it was in the file.

        Whoever has no part takes a free one (brief.py): so where the people are others, or a part is another, all keep those shown.
        """
        begins = [(shown if self._is_recast() else value) for value, shown, _ in self._rows]
        return tuple(
            dataclasses.replace(
                begin,
                **{
                    name: _unworded(one.value, was)
                    for name, one in asked.items()
                    if not _is_same(one.value, was := getattr(shown, name))
                },
            )
            for begin, (_, shown, asked) in zip(begins, self._rows, strict=True)
        )

    def _is_recast(self) -> bool:
        now = [shown for _, shown, _ in self._rows]
        parts = [(shown, asked["part"]) for _, shown, asked in self._rows if "part" in asked]
        return now != self._first or any(one.value != shown.part for shown, one in parts)


def _worded(value: Any) -> str:
    return "，".join(value) if isinstance(value, tuple) else str(value)


def _is_same(given: Any, was: Any) -> bool:
    """Did nobody touch the field?"""
    return bool(_worded(was) == str(given)) or _unworded(given, was) == was


def _unworded(given: Any, like: Any) -> Any:
    """What stands in a field, of the type that the value had."""
    if isinstance(like, tuple):
        return listed(given)
    return int(given or 0) if isinstance(like, int) else str(given or "").strip()
