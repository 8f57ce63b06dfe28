"""Do they make sense: an untuned base reads the original's answers, the runs' answers to the same prompts and to ours, and
real ones, after it has been shown to tell real answers from mixed-up ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..report.render import Table
from ..reporter import Reporter
from . import persona, sense
from .persona import Answer

HEAD = ("自己的问题最像", "切题，nat/字", "不像话，nat/字", "直接问，对数优势")


def sense_table(
    judge_name: str,
    corpus: Path,
    seed_rows: Sequence[tuple[str, Sequence[str]]],
    said: Sequence[tuple[str, Sequence[Answer]]],
    most: int,
    reporter: Reporter,
) -> Table:
    """One judge's table.

    Args:
        seed_rows: (whose, replies to the original's prompts).
        said: (whose, replies to our questions).
        most: replies to our questions that are read, of each.
    """
    from ..engine.open_local import open_local

    reporter.stage(f"通不通情理：{judge_name} 来读")
    judge = open_local(run=None, base_model=judge_name, reporter=reporter, fast=True)
    checked = sense.calibrate(judge, sense.real_dialogues(corpus, most), reporter)
    # Who cannot tell real answers from mixed-up ones is not asked about others.
    direct = checked.trusted("direct")
    found = [("书里真实的问答", checked.real)]
    for title, answers in _read(seed_rows, said, most):
        found.append((title, sense.sense_of(judge, answers, reporter, direct=direct)))
    judge.close()
    rows = [_row(title, one) for title, one in found]
    return (judge_name, *HEAD), [*rows, _trust(checked)]


def _read(
    seed_rows: Sequence[tuple[str, Sequence[str]]],
    said: Sequence[tuple[str, Sequence[Answer]]],
    most: int,
) -> list[tuple[str, list[Answer]]]:
    """What the judge reads: (title, answers)."""
    seed = persona.seed_prompts()
    original = ("最初的 32 条：ChatGLM-6B", [row["reply"] for row in seed])
    columns = [original, *((f"最初的 32 条：{name}", list(texts)) for name, texts in seed_rows)]
    rows = [
        (
            title,
            [
                Answer(question=row["context"], kind="seed", name=row["speaker"], text=text)
                for row, text in zip(seed, texts, strict=True)
            ],
        )
        for title, texts in columns
    ]
    return rows + [(f"我们的问题：{name}", persona.spread(some, most)) for name, some in said]


def _row(title: str, one: sense.Sense) -> tuple[str, ...]:
    means = one.means()
    direct = f"{means['direct']:+.2f}" if "direct" in means else "—"
    three = (f"{means[key]:.2f}" for key in ("wins", "information", "language"))
    return (title, *three, direct)


def _trust(checked: sense.Calibration) -> tuple[str, ...]:
    areas = [
        f"{area:.2f}（{low:.2f}–{high:.2f}）{'' if area >= sense.GOOD_JUDGE else ' 不可信'}"
        for area, low, high in checked.areas.values()
    ]
    title = f"裁判本身：真实的和张冠李戴的分得开（曲线下面积，{checked.pairs} 对）"
    return (title, "—", areas[0], "—", areas[1])
