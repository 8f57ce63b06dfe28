"""The training page: curves, speed, memory and sample replies of a run that goes on by itself, with Stop and Resume.

Knows one TrainingRun. Everything shown is read from the run's folder every two seconds, so the page can be closed, opened
again and opened twice.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import gradio as gr
import pandas as pd

from ..apps.training.run import TrainingRun
from ..errors import CustomeError

REFRESH_S = 2.0
_STATUS = {"running": "训练中", "stopped": "停着", "complete": "完成"}
_PLOTS = (
    ("损失（每个回答 token）", {"loss": "训练", "valid_loss": "验证"}, 1.0),
    ("学习率", {"learning_rate": "学习率"}, 1.0),
    ("速度（token/秒）", {"tokens_per_s": "速度"}, 1.0),
    ("内存峰值（GB）", {"peak_memory_bytes": "内存"}, 1e-9),
    ("普通中文的困惑度（忘了多少）", {"probe_perplexity": "困惑度"}, 1.0),
    ("梯度范数", {"grad_norm": "梯度"}, 1.0),
    ("人物（认得出是谁、与别人雷同）", {"persona_voice": "认得出", "persona_near": "雷同"}, 1.0),
)

Series = dict[str, list[tuple[int, float]]]


def headline(run: TrainingRun, series: Series) -> str:
    """Status, progress and time left in one line."""
    info = run.info()
    step, steps = (series.get("loss") or [(0, 0.0)])[-1][0], info.get("steps") or 0
    parts = [f"### {run.folder.name}　{_STATUS[run.status()]}　第 {step} / {steps or '?'} 步"]
    if run.status() == "running" and step and (left := _seconds_left(series, step, steps)):
        parts.append(f"剩余约 {left / 60:.0f} 分 {left % 60:.0f} 秒")
    for name, label in (("loss", "损失"), ("valid_loss", "验证")):
        if series.get(name):
            parts.append(f"{label} {series[name][-1][1]:.3f}")
    return "　".join(parts)


def _seconds_left(series: Series, step: int, steps: int) -> float:
    times = dict(series["time"])  # when a step was written
    first = max(1, step - 10)
    if step == first or first not in times:
        return 0.0
    return (times[step] - times[first]) / (step - first) * max(0, steps - step)


def frame(series: Series, names: dict[str, str], scale: float) -> pd.DataFrame:
    rows = [
        (step, value * scale, label)
        for name, label in names.items()
        for step, value in series.get(name, [])
    ]
    return pd.DataFrame(rows, columns=["步", "值", "线"])


def sample_rows(samples: Sequence[dict[str, Any]]) -> list[list[Any]]:
    """Newest first."""
    return [
        [entry["step"], row["question"], row["speaker"], row["reply"]]
        for entry in reversed(samples)
        for row in entry["replies"]
    ]


def build_training_page(run: TrainingRun) -> gr.Blocks:
    """The page of one run."""
    with gr.Blocks(title=f"训练 · {run.folder.name}") as page:
        line = gr.Markdown(elem_id="status")
        with gr.Row():
            stop = gr.Button("停下（存盘后停）", elem_id="stop", variant="stop")
            resume = gr.Button("接着训练", elem_id="resume", variant="primary")
        plots = []
        for start in range(0, len(_PLOTS), 3):
            with gr.Row():
                for title, names, _ in _PLOTS[start : start + 3]:
                    several = "线" if len(names) > 1 else None
                    plots.append(
                        gr.LinePlot(
                            x="步",
                            y="值",
                            color=several,
                            title=title,
                            height=240,
                            y_title="",
                            x_title="步",
                        )
                    )
        gr.Markdown("**每次验证时的回答**（问题相同，最新的在上）")
        table = gr.Dataframe(
            headers=["步", "问", "谁", "答"], elem_id="samples", wrap=True, interactive=False
        )

        def refresh() -> list[Any]:
            series = run.series()
            status = run.status()
            return [
                headline(run, series),
                gr.update(interactive=status == "running"),
                gr.update(interactive=status == "stopped"),
                *(frame(series, names, scale) for _, names, scale in _PLOTS),
                sample_rows(run.samples()),
            ]

        def ask_to_stop() -> None:
            run.stop()
            gr.Info("已请它停下：做完手上这一步就存盘")

        def go_on() -> None:
            try:
                run.resume()
                gr.Info("接着训练了，日志在 train.log")
                time.sleep(1.0)
            except CustomeError as error:
                gr.Warning(f"{error.message}。{error.hint}")

        shown = [line, stop, resume, *plots, table]
        page.load(refresh, outputs=shown, show_progress="hidden")
        gr.Timer(REFRESH_S).tick(refresh, outputs=shown, show_progress="hidden")
        stop.click(ask_to_stop)
        resume.click(go_on)
    return page
