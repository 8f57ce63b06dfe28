"""The page on which a book becomes a model: bring it, build the corpus, look at it, train, go and talk, compare, export.

Everything shown is read from the folders every two seconds, so the page can be closed and opened again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nicegui import events, ui
from starlette.requests import Request

from ..apps.context import LARGEST_FILE, Work
from ..apps.training.choosing import Chosen
from ..apps.training.workshop import READABLE, Corpus, Job, Workshop
from ..errors import InputError
from ..model_catalog import shipped_models
from ..resources import EMBEDDED_NAME, EMBEDDED_NOVEL
from .shell import Frame, Shell
from .training_page import TrainingPage, headline

REFRESH_S = 2.0
MINUTES = (8, 15, 30, 60, 120)
USUAL = 15
FORMATS = {
    "gguf": "一个 GGUF 文件（llama.cpp、LM Studio）",
    "ollama": "Ollama",
    "hf": "safetensors 目录（transformers、vLLM）",
    "adapter-gguf": "只要适配器（llama.cpp）",
}
QUANTS = {
    "gguf": ("q8_0", "q4_0", "f16"),
    "ollama": ("q8_0", "q4_0", "f16"),
    "hf": ("bf16", "f16", "f32"),
    "adapter-gguf": ("f16", "f32"),
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as the page lists it."""

    name: str
    base: str
    status: str
    line: str
    """How far it is."""
    compared: bool
    """Is there a comparison with its base?"""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the folders hold at one moment."""

    corpora: list[Corpus]
    runs: list[Run]


class WorkshopPage:
    """One tab."""

    def __init__(self, frame: Frame, shop: Workshop) -> None:
        self.frame, self.shop, self.t = frame, shop, frame.words
        self._seen: Seen | None = None
        self._watched: Job | None = None
        """Work that this tab has seen going on, and is to tell the end of."""
        t = self.t
        with frame.title:
            ui.label(t("书与模型")).classes("chat_title")
        self._dialog = ui.dialog().classes("gallery")
        with ui.element("div").classes("training workshop"):
            with ui.element("div").classes("doing").mark("doing") as self._doing:
                self._line = ui.label("").classes("label")
                ui.linear_progress(show_value=False).props("indeterminate rounded")
                self._do(t("停下"), "break_off", self._break_off)
            ui.label(t("一、书")).classes("headline").props("role=heading aria-level=2")
            ui.label(
                t(
                    "带一本小说来（txt、epub、md、html），或剧本、字幕、聊天记录，先找出谁说了哪些话；几秒钟一本。"
                )
            ).classes("hint")
            with ui.element("div").classes("buttons"):
                self._do(t("带一本书来"), "bring", self._ask, strong=True)
                self._embedded = self._do(
                    t("用内置的《三国演义》"), "embedded", lambda: self._build(EMBEDDED_NOVEL)
                )
            self._upload = ui.upload(
                on_upload=self._take,
                auto_upload=True,
                max_file_size=LARGEST_FILE,
                on_rejected=lambda: frame.tell(t("这个文件太大"), wrong=True),
            )
            self._upload.classes("hidden").props(f'accept="{",".join(READABLE)}"').mark("book")
            self._books = ui.element("div").classes("things_made").mark("books")
            ui.label(t("二、模型")).classes("headline").props("role=heading aria-level=2")
            self._runs = ui.element("div").classes("things_made").mark("runs")
        self.refresh()
        ui.timer(REFRESH_S, self._look)

    def _do(
        self, label: str, mark: str, do: Callable[[], Any], *, strong: bool = False
    ) -> ui.button:
        button = ui.button(label, on_click=do).mark(mark)
        return button.props("unelevated no-caps" if strong else "outline no-caps")

    # -- what is there -----------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """As it is now."""
        self._tell()
        self._draw(self._read())

    async def _look(self) -> None:
        self._tell()
        self._draw(await asyncio.to_thread(self._read))  # many runs are many files

    def _read(self) -> Seen:
        runs = [
            Run(
                name=run.folder.name,
                base=Path(str(run.info().get("base_model", ""))).name,
                status=run.status(),
                line=headline(run, run.series(), self.t),
                compared=self.shop.comparison(run.folder.name) is not None,
            )
            for run in self.shop.runs()
        ]
        return Seen(corpora=self.shop.corpora(), runs=runs)

    def _draw(self, seen: Seen) -> None:
        """What has changed is drawn anew."""
        if seen == self._seen:
            return
        self._seen = seen
        self._embedded.set_visibility(all(one.name != EMBEDDED_NAME for one in seen.corpora))
        self._books.clear()
        with self._books:
            for corpus in seen.corpora:
                self._show_corpus(corpus)
            if not seen.corpora:
                ui.label(self.t("还没有书")).classes("hint")
        self._runs.clear()
        with self._runs:
            for run in seen.runs:
                self._show_run(run)
            if not seen.runs:
                ui.label(self.t("还没有练过；书做好以后，在书那里点“训练”")).classes("hint")

    def _tell(self) -> None:
        """What goes on now, and once how it ended."""
        job, t = self.shop.job, self.t
        running = job is not None and job.running()
        self._doing.set_visibility(running)
        if job is not None and running:
            self._watched = job
            self._line.set_text(f"{job.what} · {job.seconds} s　{job.last_line()}")
        elif self._watched is not None:
            ended, self._watched = self._watched, None
            if ended.failed():
                why = t.error(ended.error())
                self.frame.tell(t("{what}没有成功：{why}", what=ended.what, why=why), wrong=True)
            elif not ended.stopped:
                self.frame.tell(t("{what}：好了", what=ended.what))

    def _show_corpus(self, corpus: Corpus) -> None:
        t, name = self.t, corpus.name
        with ui.element("div").classes("made").mark(f"corpus-{name}"):
            with ui.element("div").classes("about"):
                ui.label(name).classes("label")
                books = "、".join(corpus.novels) if corpus.novels != (name,) else ""
                told = t("{count} 句有主的话", count=f"{corpus.dialogues:,}")
                ui.label(f"{books}　{told}" if books else told).classes("hint")
            address = f"/workshop/report?corpus={quote(name)}"
            self._link(t("看看"), address, "look")
            self._do(t("训练"), "train", lambda: self._ask_to_train(corpus), strong=True)

    def _show_run(self, run: Run) -> None:
        t, name = self.t, run.name
        with ui.element("div").classes("made").mark(f"run-{name}"):
            with ui.element("div").classes("about"):
                ui.label(name).classes("label")
                ui.label(f"{run.base}　{run.line}").classes("hint")
            self._link(t("曲线"), self.t.to("/run") + f"?name={quote(name)}", "curves")
            if run.status == "running":
                self._do(t("停下（存盘后停）"), "stop", lambda: self._stop(name))
            if run.status == "stopped":
                self._do(t("接着训练"), "go_on", lambda: self._go_on(name), strong=True)
            if run.status == "complete":
                if run.compared:
                    address = f"/workshop/comparison?run={quote(name)}"
                    self._link(t("看对比"), address, "comparison")
                else:
                    self._do(t("对比"), "compare", lambda: self._compare(name))
                self._do(t("导出"), "export", lambda: self._ask_to_export(name))
                self._do(t("和他们说话"), "talk", lambda: self._talk(name), strong=True)

    def _link(self, label: str, address: str, mark: str) -> None:
        ui.link(label, address).classes("to_read").mark(mark)

    # -- books -------------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        self._upload.run_method("pickFiles")

    async def _take(self, event: events.UploadEventArguments) -> None:
        raw = await event.file.read()
        self._upload.reset()
        self._build(str(self.shop.keep_book(event.file.name, raw)))

    def _build(self, book: str) -> None:
        name = self.shop.build(book)
        self._watched = self.shop.job
        self.frame.tell(self.t("在做 {name} 的语料，几秒钟", name=name))
        self.refresh()

    def _break_off(self) -> None:
        if self.shop.job is not None:
            self.shop.job.stop()
            self.frame.tell(self.t("停下了"))

    # -- training ----------------------------------------------------------------------------------------------------

    def _ask_to_train(self, corpus: Corpus) -> None:
        """Which base, how long; what that takes; start."""
        t = self.t
        chosen: list[Chosen] = []
        self._dialog.clear()
        with self._dialog, ui.card().classes("gallery_card").mark("training_plan"):
            ui.label(t("用《{name}》训练", name=corpus.name)).classes("heading")
            bases = {"": t("这台机器练得完的里面最好的")}
            bases |= {name: name for name in reversed(shipped_models())}
            base = ui.select(bases, value="", label=t("底座（已经会说话的模型）")).mark("base")
            wait = {minutes: t("{minutes} 分钟", minutes=minutes) for minutes in MINUTES}
            minutes = ui.select(wait, value=USUAL, label=t("愿意等多久")).mark("minutes")
            name = ui.input(t("叫什么"), value=self._free_name(corpus.name)).mark("run_name")
            for box in (base, minutes, name):
                box.props("outlined dense")
            told = ui.label(t("在算要多久……")).classes("text").mark("plan")

            async def plan() -> None:
                chosen.clear()
                start.set_enabled(False)
                told.set_text(t("在算要多久……"))
                wanted = base.value, minutes.value
                found = await asyncio.to_thread(self.shop.plan, corpus.name, *wanted)
                if wanted != (base.value, minutes.value):
                    return  # something else has been chosen meanwhile, and is being worked out
                chosen[:] = [found]
                told.set_text(self._told_plan(found))
                start.set_enabled(found.recipe.train.steps > 0)

            async def suggest() -> None:
                """The shortest time, from the usual one on, in which this machine learns something."""
                for wanted in MINUTES[MINUTES.index(USUAL) :]:
                    found = await asyncio.to_thread(self.shop.plan, corpus.name, "", wanted)
                    if found.recipe.train.steps:
                        break
                if (base.value, minutes.value) == ("", USUAL) != ("", wanted):
                    minutes.set_value(wanted)
                else:
                    await plan()

            def begin() -> None:
                self.shop.train(chosen[0], name.value or "")
                self._dialog.close()
                self.frame.tell(t("开始了；页面关了也练，有人说话时它会等一等"))
                self.refresh()

            with ui.element("div").classes("row"):
                self._do(t("算了"), "cancel", self._dialog.close)
                start = self._do(t("开始训练"), "start", begin, strong=True)
                start.set_enabled(False)
            base.on_value_change(plan)
            minutes.on_value_change(plan)
            ui.timer(0.05, suggest, once=True)
        self._dialog.open()

    def _told_plan(self, chosen: Chosen) -> str:
        t, steps = self.t, chosen.recipe.train.steps
        if not steps:
            return t("这样练不成：{why}", why=chosen.why)
        text = t(
            "{base}：{steps} 步，约 {minutes} 分钟，最多占 {gb} GB 内存",
            base=chosen.recipe.model.base_model,
            steps=steps,
            minutes=max(1, round(chosen.seconds / 60)),
            gb=f"{chosen.peak_bytes / 1e9:.1f}",
        )
        if chosen.download_bytes:
            text += t("；先要下载 {mb} MB", mb=f"{chosen.download_bytes / 1e6:,.0f}")
        return text

    def _free_name(self, wanted: str) -> str:
        taken = {run.folder.name for run in self.shop.runs()}
        names = [wanted, *(f"{wanted}-{number}" for number in range(2, 1000))]
        return next(name for name in names if name not in taken)

    def _stop(self, name: str) -> None:
        self.shop.run(name).stop()
        self.frame.tell(self.t("已请它停下：做完手上这一步就存盘"))

    def _go_on(self, name: str) -> None:
        self.shop.go_on(name)
        self.frame.tell(self.t("接着训练了，日志在 train.log"))
        self.refresh()

    async def _talk(self, name: str) -> None:
        self.frame.tell(self.t("在载入 {name}，要几秒到几十秒", name=name))
        await asyncio.to_thread(self.shop.talk, name)
        ui.navigate.to(self.t.to("/") + f"?model={quote(name)}")

    # -- comparing and exporting -------------------------------------------------------------------------------------

    def _compare(self, name: str) -> None:
        self.shop.compare(name)
        self._watched = self.shop.job
        self.frame.tell(self.t("在比：同样的问题，训练前后各答一遍；要几分钟"))
        self.refresh()

    def _ask_to_export(self, name: str) -> None:
        t = self.t
        self._dialog.clear()
        with self._dialog, ui.card().classes("gallery_card").mark("exporting"):
            ui.label(t("导出 {name}", name=name)).classes("heading")
            to = ui.select({k: t(v) for k, v in FORMATS.items()}, value="gguf", label=t("给谁用"))
            quant = ui.select(list(QUANTS["gguf"]), value="q8_0", label=t("数的精细程度"))
            for box in (to, quant):
                box.props("outlined dense")
            to.mark("to").on_value_change(
                lambda: quant.set_options(list(QUANTS[to.value]), value=QUANTS[to.value][0])
            )
            quant.mark("quant")

            def begin() -> None:
                self.shop.export(name, to.value, quant.value)
                self._watched = self.shop.job
                self._dialog.close()
                self.frame.tell(t("在导出，做好了放在 exports 目录里"))
                self.refresh()

            with ui.element("div").classes("row"):
                self._do(t("算了"), "cancel", self._dialog.close)
                self._do(t("开始导出"), "start", begin, strong=True)
        self._dialog.open()


def add_pages(shell: Shell) -> None:
    """The workshop, the page of a run, and what there is to read; nothing where nothing may be made."""
    context = shell.context
    if context.workplace is None:
        return
    shop = Workshop(context.workplace, busy=context.busy, serve=context.serve_run)
    context.work.append(Work(progress=shop.progress, stop=shop.stop))

    def draw(frame: Frame) -> None:
        WorkshopPage(frame, shop)

    def draw_run(frame: Frame) -> None:
        name = frame.request.query_params.get("name", "")
        TrainingPage(frame, shop.run(name), lambda: shop.go_on(name))

    def comparison(request: Request) -> Path:
        page = shop.comparison(request.query_params.get("run", ""))
        if page is None:
            raise InputError("还没有比过", "在“书与模型”里点“对比”")
        return page

    shell.page("/workshop", "书与模型", icon="auto_stories")(draw)
    shell.page("/run", "训练")(draw_run)
    shell.document(
        "/workshop/report", lambda request: shop.report(request.query_params.get("corpus", ""))
    )
    shell.document("/workshop/comparison", comparison)
