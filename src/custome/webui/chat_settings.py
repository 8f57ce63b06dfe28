"""The drawer at the right: the scene, what is remembered, how people speak, what the model reads, and the sampling behind them.

Every setting says what it does; those one seldom needs are folded away. The settings belong to the conversation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nicegui import ui

from ..apps.cosplay.choosing import drawn
from ..apps.cosplay.prompt import GUEST
from ..apps.cosplay.scene import Scene
from ..conversations.budget import Prompt
from ..types import GenerateOptions
from .chat_memory import PeoplesMemory
from .elements import Slider

if TYPE_CHECKING:
    from .chat_page import ChatPage

CHAPTERS = 200
"""Most chapters the story-time slider counts."""


class Settings:
    """The scene of the open conversation, and the widgets that change it."""

    def __init__(self, page: ChatPage) -> None:
        self._page = page
        self.scene, self.options = Scene(), GenerateOptions()
        self._shown: dict[str, Any] = {}
        """Field of the scene → its widget."""
        self._drawn: dict[str, Any] = {}
        """Field of the options → its widget."""
        self._taking = False
        self._options_for = ""

    # -- layout ------------------------------------------------------------------------------------------------------

    def build(self) -> None:
        t = self._page.t
        self._drawer = ui.right_drawer(value=False, bordered=True).classes("right")
        self._drawer.props(f':width=340 aria-label="{t("设置")}"').mark("settings_drawer")
        with self._drawer:
            self._scene_part()
            self._memory_part()
            self._manner_part()
            self._prompt_part()
            self._sampling_part()

    def toggle(self) -> None:
        self._drawer.toggle()

    def _fold(self, title: str, *, opened: bool = False, mark: str = "") -> Any:
        fold = ui.expansion(title, value=opened).classes("fold").props("dense")
        return fold.mark(mark) if mark else fold

    def _scene_part(self) -> None:
        t = self._page.t
        with self._fold(t("场景"), opened=True):
            self._choice(
                "order",
                t("几个人在场时，谁来答"),
                {"named": t("点到谁"), "turn": t("轮流"), "model": t("让模型定")},
            )
            self._slider("answers", t("每次几个人答"), 1, 8, 1)
            self._text("user", t("你是谁"), placeholder=GUEST)
            self._text("user_persona", t("你的来历"), lines=2)
            self._slider(
                "as_of", t("故事讲到第几回"), 0, CHAPTERS, 1, t("0 是全书；之后的事他还不知道")
            )
            self._switch("as_speech", t("我写的是一句话"), t("关掉：当作旁白，像小说那样往下写"))

    def _memory_part(self) -> None:
        t = self._page.t
        with self._fold(t("记忆")):
            self._switch(
                "only_heard",
                t("各人只记得自己听到的"),
                t("不在场时说的话，他不知道；关掉就什么都知道"),
            )
            self._switch(
                "remember",
                t("记得别的对话里你说过的自己的事"),
                t("原话，一字不改；可以改、钉住、忘掉"),
            )
            self.peoples_memory = PeoplesMemory(self._page)
            self._text("note", t("作者注"), t("紧挨着最后一句给模型看"), lines=2)
            self._text("summary", t("前情提要"), t("放不下的旧话会自动归到这里；可以改"), lines=4)
            ui.button(t("整理前情"), on_click=self._digest).props("outline no-caps").mark("digest")

    def _manner_part(self) -> None:
        t = self._page.t
        with self._fold(t("怎么说话")):
            self._slider(
                "candidates",
                t("一次写几个，挑最好的"),
                1,
                8,
                1,
                t("挑好了才给你看，所以要多等一会儿"),
            )
            self._slider(
                "contrast_strength", t("口吻多重"), 0, 1.5, 0.05, t("他自己爱用的字更容易写出来")
            )
            self._slider("strength", t("学得多深"), 0, 2, 0.1, t("0 是没学过的底座，1 是学到的"))
            self._slider("examples", t("给模型看几句他本人的话"), 0, 6, 1)
            self._switch("persona", t("告诉模型这人是谁"))
            self._switch(
                "regex", t("世界书的关键词可以是正则"), t("只给信得过的卡开：写坏的会让页面停住")
            )

    def _prompt_part(self) -> None:
        t = self._page.t
        with self._fold(t("模型读到什么"), mark="prompt_fold") as self._prompt_fold:
            ui.button(t("看一看"), on_click=self._page.look).props("outline no-caps").mark("look")
            self._prompt = ui.element("div").classes("prompt").mark("prompt")

    def _sampling_part(self) -> None:
        """The original page's controls, by its names."""
        t = self._page.t
        with self._fold(t("高级：怎么抽词")):
            self._option_switch(
                "do_sample",
                t("采样 Do sample"),
                t("关掉：每次取最可能的词，同样的话总得到同样的回答"),
            )
            self._option_slider(
                "temperature", t("温度 Temperature"), 0.1, 2.0, 0.05, t("高了更活，也更乱")
            )
            self._option_slider("top_p", "Top p", 0.1, 1.0, 0.05, t("只从最可能的这一部分里抽"))
            self._option_slider(
                "top_k", "Top k", 0, 200, 1, t("只从最可能的这么多个里抽；0 是不限")
            )
            self._option_slider(
                "repetition_penalty", t("重复惩罚 Repetition penalty"), 1.0, 2.0, 0.05
            )
            self._option_slider("num_beams", t("束宽 Beams"), 1, 8, 1, t("大于 1 时写完才一次显示"))
            self._slider(
                "max_history",
                t("最多记住几轮 Max history"),
                0,
                20,
                1,
                t("0 是放得下多少就给模型看多少"),
            )
            self._option_slider(
                "max_new_tokens",
                t("最多写多长 Max tokens"),
                8,
                1024,
                8,
                t("一个 token 约一个字多一点"),
            )

    # -- widgets of the scene ----------------------------------------------------------------------------------------

    def _change(self, name: str, value: Any) -> None:
        if self._taking or value is None:
            return
        kind = type(getattr(Scene(), name))
        self._page.set_scene(**{name: value.strip() if kind is str else kind(value)})
        if name == "candidates":
            self._draw_options()

    def _choice(self, name: str, label: str, choices: dict[str, str]) -> None:
        ui.label(label).classes("label")
        self._shown[name] = (
            ui.radio(choices, on_change=lambda event: self._change(name, event.value))
            .props(f'dense aria-label="{label}"')
            .mark(name)
        )

    def _slider(
        self, name: str, label: str, least: float, most: float, step: float, hint: str = ""
    ) -> None:
        self._shown[name] = self._labelled_slider(
            label, (least, most, step), hint, lambda value: self._change(name, value)
        ).mark(name)

    def _switch(self, name: str, label: str, hint: str = "") -> None:
        self._shown[name] = ui.switch(
            label, on_change=lambda event: self._change(name, event.value)
        ).mark(name)
        self._hint(hint)

    def _text(
        self, name: str, label: str, hint: str = "", *, lines: int = 1, placeholder: str = ""
    ) -> None:
        box = ui.input if lines == 1 else ui.textarea
        widget = box(
            label, placeholder=placeholder, on_change=lambda event: self._change(name, event.value)
        )
        rows = f" rows={lines} autogrow" if lines > 1 else ""
        self._shown[name] = widget.props(f"outlined dense stack-label debounce=300{rows}").mark(
            name
        )
        self._hint(hint)

    # -- widgets of the options --------------------------------------------------------------------------------------

    def _change_option(self, name: str, value: Any) -> None:
        if not self._taking and value is not None:
            kind = type(getattr(GenerateOptions(), name))
            self.options = replace(self.options, **{name: kind(value)})

    def _option_slider(
        self, name: str, label: str, least: float, most: float, step: float, hint: str = ""
    ) -> None:
        self._drawn[name] = self._labelled_slider(
            label, (least, most, step), hint, lambda value: self._change_option(name, value)
        ).mark(name)

    def _option_switch(self, name: str, label: str, hint: str) -> None:
        self._drawn[name] = ui.switch(
            label, on_change=lambda event: self._change_option(name, event.value)
        ).mark(name)
        self._hint(hint)

    # -- parts of widgets --------------------------------------------------------------------------------------------

    def _labelled_slider(
        self,
        label: str,
        reach: tuple[float, float, float],
        hint: str,
        change: Callable[[Any], None],
    ) -> Slider:
        least, most, step = reach
        with ui.element("div").classes("slider"):
            with ui.element("div").classes("ends"):
                ui.label(label).classes("label")
                shown = ui.label("").classes("value")

            def follow(event: Any) -> None:
                shown.set_text(f"{event.value:g}")
                change(event.value)

            slider = Slider(min=least, max=most, step=step, value=least, on_change=follow)
            slider.props(f'dense aria-label="{label}"')
            shown.set_text(f"{least:g}")
            self._hint(hint)
        return slider

    def _hint(self, text: str) -> None:
        if text:
            ui.label(text).classes("hint")

    # -- what is shown -----------------------------------------------------------------------------------------------

    def take(self, scene: Scene) -> None:
        """Show another scene; nothing is kept by it."""
        self.scene = scene
        self._taking = True
        try:
            for name, widget in self._shown.items():
                widget.set_value(getattr(scene, name))
        finally:
            self._taking = False
        self._draw_options()
        self.peoples_memory.refresh()

    def take_summary(self, text: str) -> None:
        """A summary that was made meanwhile, unless somebody is writing one; what is remembered since as well."""
        self.peoples_memory.refresh()
        if text != self.scene.summary:
            self.take(replace(self.scene, summary=text))

    def _draw_options(self) -> None:
        """What suits the model and the scene; what one has changed oneself stays while they stay."""
        page = self._page
        engine = page.service.model(page.model).engine if page.model else None
        kind, several = engine.kind if engine else "novel", self.scene.candidates > 1
        supports = engine.supports if engine else frozenset()
        self._shown["contrast_strength"].parent_slot.parent.set_visibility("logit_bias" in supports)
        self._shown["strength"].parent_slot.parent.set_visibility("strength" in supports)
        self._drawn["num_beams"].parent_slot.parent.set_visibility("num_beams" in supports)
        suited = f"{page.model} {kind} {several}"
        if suited == self._options_for:
            return
        self._options_for, self.options = suited, drawn(kind, several)
        self._taking = True
        try:
            for name, widget in self._drawn.items():
                widget.set_value(getattr(self.options, name))
        finally:
            self._taking = False

    def show_prompt(self, prompt: Prompt) -> None:
        """The parts of a prompt with their tokens."""
        t = self._page.t
        self._drawer.show()
        self._prompt_fold.open()
        self._prompt.clear()
        with self._prompt:
            ui.label(t("共约 {count} token", count=prompt.tokens)).classes("hint")
            if prompt.left_out:
                ui.label(t("最早的 {count} 句放不下，没有给模型看", count=prompt.left_out))
            for part in prompt.parts:
                with ui.element("section"):
                    with ui.element("header"):
                        ui.label(part.title).classes("label")
                        ui.label(f"{part.tokens} token").classes("value")
                    ui.label(part.text).classes("text")
                    self._hint(part.why)

    async def _digest(self) -> None:
        page = self._page
        if not page.tab.chat:
            page.frame.tell(page.t("还没有说过话"))
            return
        page.frame.tell(page.t("正在整理……"))
        self.take_summary(await page.sum_up())
        page.frame.tell(page.t("前情整理好了"))
