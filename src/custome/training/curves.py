"""The curves of a run as a picture in its folder, drawn from metrics.jsonl."""

from __future__ import annotations

from pathlib import Path

from ..reporter import METRICS_FILE, read_metrics

CURVES_FILE = "curves.png"


def draw_curves(folder: Path) -> Path:
    """Write curves.png: losses, learning rate, speed, memory and the probe's perplexity over the steps."""
    from matplotlib.figure import Figure

    series = read_metrics(folder / METRICS_FILE)
    figure = Figure(figsize=(10, 6), dpi=120, layout="constrained")
    panels = figure.subplots(2, 3).flat
    wanted = [
        ("loss per reply token", ("loss", "valid_loss"), 1),
        ("learning rate", ("learning_rate",), 1),
        ("gradient norm", ("grad_norm",), 1),
        ("tokens/s", ("tokens_per_s",), 1),
        ("peak memory, GB", ("peak_memory_bytes",), 1e-9),
        ("perplexity, general Chinese", ("probe_perplexity",), 1),
    ]
    for panel, (title, names, scale) in zip(panels, wanted, strict=True):
        for name in names:
            points = series.get(name, [])
            few = len(points) < 30
            panel.plot(
                [x for x, _ in points],
                [y * scale for _, y in points],
                marker="." if few else "",
                label=name,
            )
        panel.set_title(title, fontsize=10)
        panel.set_xlabel("step", fontsize=8)
        panel.grid(alpha=0.3)
        if len(names) > 1:
            panel.legend(fontsize=8)
    path = folder / CURVES_FILE
    temporary = path.with_suffix(".png.tmp")
    figure.savefig(temporary, format="png")
    temporary.replace(path)
    return path
