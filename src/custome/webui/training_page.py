"""The training page: curves, speed, memory and sample replies of a run that goes on by itself, with Stop and Resume.

Knows one TrainingRun. Everything shown is read from the run's folder every two seconds, so the page can be closed, opened
again and opened twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from ..apps.training.run import TrainingRun
from .shell import Frame, Shell, Words

REFRESH_S = 2.0
_STATUS = {"running": "训练中", "stopped": "停着", "complete": "完成"}
_PLOTS: tuple[tuple[str, str, Mapping[str, str], float], ...] = (
    ("损失：猜错得多不多，越低越好", "每个字", {"loss": "训练", "valid_loss": "验证"}, 1.0),
    ("普通中文还会多少：越低越好", "困惑度", {"probe_perplexity": "困惑度"}, 1.0),
    ("像不像本人", "比例", {"persona_voice": "认得出", "persona_near": "和别人雷同"}, 1.0),
    ("速度", "token/秒", {"tokens_per_s": "速度"}, 1.0),
    ("用了多少内存", "GB", {"peak_memory_bytes": "内存"}, 1e-9),
    ("步子多大", "学习率", {"learning_rate": "学习率"}, 1.0),
    ("改动多猛", "梯度范数", {"grad_norm": "梯度范数"}, 1.0),
)
"""Title, name of the axis, series and their names, factor."""

Series = dict[str, list[tuple[int, float]]]


def headline(run: TrainingRun, series: Series, t: Words) -> str:
    """Status, progress and time left in one line."""
    info = run.info()
    step, steps = (series.get("loss") or [(0, 0.0)])[-1][0], info.get("steps") or 0
    status = run.status()
    parts = [t(_STATUS[status]), t("第 {step} / {steps} 步", step=step, steps=steps or "?")]
    if status == "running" and step and (left := _seconds_left(series, step, steps)):
        minutes, seconds = divmod(round(left), 60)
        parts.append(t("剩余约 {minutes} 分 {seconds} 秒", minutes=minutes, seconds=seconds))
    return "　".join(parts)


def _seconds_left(series: Series, step: int, steps: int) -> float:
    times = dict(series["time"])  # when a step was written
    first = max(1, step - 10)
    if step == first or first not in times:
        return 0.0
    return (times[step] - times[first]) / (step - first) * max(0, steps - step)


def sample_rows(samples: Sequence[dict[str, Any]]) -> list[tuple[int, str, str, str]]:
    """Step, question, speaker and reply; newest first."""
    return [
        (entry["step"], row["question"], row["speaker"], row["reply"])
        for entry in reversed(samples)
        for row in entry["replies"]
    ]


class TrainingPage:
    """One tab on the page of a run.

    Args:
        go_on: goes on with it; by itself it does so in a process that outlives this one.
    """

    def __init__(
        self, frame: Frame, run: TrainingRun, go_on: Callable[[], None] | None = None
    ) -> None:
        self._frame, self._run, self._t = frame, run, frame.words
        self._resume_run = go_on or run.resume
        self._charts: dict[str, Any] = {}
        self._seen: tuple[int, int] = (-1, -1)
        t = self._t
        with frame.title:
            ui.label(run.folder.name).classes("chat_title")
        with ui.element("div").classes("training"):
            self._line = ui.label("").classes("headline").mark("status")
            self._bar = ui.linear_progress(0, show_value=False).props("rounded")
            with ui.element("div").classes("buttons"):
                self._stop = ui.button(t("停下（存盘后停）"), on_click=self._ask_to_stop)
                self._stop.props("unelevated no-caps").mark("stop")
                self._resume = ui.button(t("接着训练"), on_click=self._go_on)
                self._resume.props("unelevated no-caps").mark("resume")
                self._why = ui.label("").classes("hint").mark("why")
            self._plots = ui.element("div").classes("plots")
            ui.label(t("每次验证时的回答（问题相同，最新的在上）")).classes("heading")
            self._samples = ui.element("div").classes("samples").mark("samples")
        self.refresh()
        ui.timer(REFRESH_S, self.refresh)

    def refresh(self) -> None:
        """Everything as the folder has it; what has not changed is left alone."""
        run, t = self._run, self._t
        series, status = run.series(), run.status()
        step, steps = (series.get("loss") or [(0, 0.0)])[-1][0], run.info().get("steps") or 0
        self._line.set_text(headline(run, series, t))
        self._bar.set_value(step / steps if steps else 0)
        self._stop.set_enabled(status == "running")
        self._resume.set_enabled(status == "stopped")
        self._why.set_text(
            {
                "running": t("停下以后随时可以接着来"),
                "stopped": t("停着，进度都在"),
                "complete": t("已经练完，没有可以停或接着来的"),
            }[status]
        )
        samples = run.samples()
        if self._seen != (step, len(samples)):
            self._draw(series)
            if self._seen[1] != len(samples):
                self._show(sample_rows(samples))
            self._seen = (step, len(samples))

    def _draw(self, series: Series) -> None:
        """A chart for whatever has been measured; none stands there empty."""
        t = self._t
        for title, axis, names, scale in _PLOTS:
            lines = {
                label: [[step, value * scale] for step, value in series[name]]
                for name, label in names.items()
                if series.get(name)
            }
            if not lines:
                continue
            options = _chart(t(title), t(axis), t("步"), {t(k): v for k, v in lines.items()})
            if title not in self._charts:
                with self._plots:
                    self._charts[title] = ui.echart(options).classes("plot").mark("plot")
            else:
                self._charts[title].options["series"] = options["series"]
                self._charts[title].update()

    def _show(self, rows: Sequence[tuple[int, str, str, str]]) -> None:
        t = self._t
        self._samples.clear()
        with self._samples:
            if not rows:
                ui.label(t("还没有验证过；第一次验证后这里有回答")).classes("hint")
            for step, question, speaker, reply in rows:
                with ui.element("div").classes("sample"):
                    ui.label(t("第 {step} 步", step=step)).classes("hint")
                    ui.label(question).classes("label")
                    ui.label(f"{speaker}：{reply}").classes("reply")

    def _ask_to_stop(self) -> None:
        self._run.stop()
        self._frame.tell(self._t("已请它停下：做完手上这一步就存盘"))

    def _go_on(self) -> None:
        self._resume_run()
        self._frame.tell(self._t("接着训练了，日志在 train.log"))
        self.refresh()


def _chart(title: str, axis: str, step: str, lines: Mapping[str, Any]) -> dict[str, Any]:
    grey = "#8a8078"
    return {
        "title": {"text": title, "textStyle": {"fontSize": 14, "color": grey}},
        "legend": {"show": len(lines) > 1, "top": 24, "textStyle": {"color": grey}},
        "grid": {"left": 56, "right": 16, "top": 56, "bottom": 40},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "value", "name": step, "nameLocation": "middle", "nameGap": 24},
        "yAxis": {"type": "value", "name": axis, "scale": True},
        "color": ["#8c3b2e", "#31507a"],
        "series": [
            {"name": name, "type": "line", "data": points, "showSymbol": len(points) < 20}
            for name, points in lines.items()
        ],
        "animation": False,
    }


def add_run_page(shell: Shell, run: TrainingRun, path: str = "/") -> None:
    """The page of one run."""

    def draw(frame: Frame) -> None:
        TrainingPage(frame, run)

    shell.page(path, "训练", icon="school")(draw)
