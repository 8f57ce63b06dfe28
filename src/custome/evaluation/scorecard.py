"""Scores of several models beside each other and beside real quotations: as Markdown, JSON and one self-contained page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..files import write_json, write_text
from ..report import render
from ..report.render import Table
from .persona import REAL, Answer, Scores

MEASURES: tuple[tuple[str, str, str, str], ...] = (
    (
        "voice",
        "像不像",
        "%",
        "分类器从回答认出是谁说的（每人一样重）；比真实引文的低，说明人物混成一个声音",
    ),
    ("near", "和别人雷同", "%", "别的人物也给出（几乎）同一句的回答"),
    ("repeated", "自己重复", "%", "同一个人对别的问题也给出（几乎）同一句"),
    ("same", "一字不差的", "%", "和另一个回答一字不差"),
    ("recited", "背书", ".0f", "回答里最长有几个字原样在书里（中位数）"),
    ("facts", "书里的事答对", "%", "问人物自己经历的五十件事（谁、哪里、怎样了）"),
    ("distinct2", "distinct-2", ".3f", "不同的相邻两字占多少；低就是翻来覆去几句话"),
    ("self_bleu", "self-BLEU", ".3f", "一句和其余各句有多像；高就是千篇一律"),
    ("information", "切题（互信息）", ".3f", "问题让回答在底座眼里变得可能了多少，nat/字"),
    ("mentions", "提到所问", "%", "回答里有问题中的实词"),
    ("in_role", "不出戏", "%", "没有助手腔、后世的词、自称别人"),
    ("in_role_modern", "现代问题不出戏", "%", "只算现代的和诱人出戏的问题"),
    ("style", "文体", ".3f", "在底座眼里更像书中人说的，还是更像助手说的，nat/字；低就是出戏"),
    ("stable", "换写法不变", "%", "多空格、半角、繁体之后，贪心回答一字不差"),
    ("paraphrase", "换说法相近", "%", "换个说法问，贪心回答有多像"),
    ("length", "长度", ".1f", "字数，含标点"),
    ("stops", "自己停", "%", "不是被截断的"),
    ("forgetting", "遗忘", "+%", "日常中文困惑度比底座高多少"),
)
"""Field of Scores, its name, how to write it, what it means."""

OF_REAL = ("voice", "distinct2", "style", "length")
"""Fields that are shown as a share of real quotations too."""


def shown(value: float, form: str) -> str:
    if math.isnan(value):
        return "—"
    if form == "%":
        return f"{100 * value:.1f}%"
    return f"{100 * value:+.1f}%" if form == "+%" else f"{value:{form}}"


def table(scores: Sequence[Scores]) -> Table:
    """(head, one row a measure); where real quotations are the ceiling, with the share of theirs."""
    head = ("", *(one.name for one in scores))
    real = next((one for one in scores if one.name == REAL), None)

    def cell(one: Scores, key: str, form: str) -> str:
        value, most = getattr(one, key), getattr(real, key, math.nan)
        share = key in OF_REAL and one is not real and most > 0 and not math.isnan(value)
        return shown(value, form) + (f"（{value / most:.2f}）" if share else "")

    return head, [
        (name, *(cell(one, key, form) for one in scores)) for key, name, form, _ in MEASURES
    ]


def more_tables(scores: Sequence[Scores]) -> list[Table]:
    """The same for the threes that are told apart from each other only, and for the rubrics of a judge, where there was one."""
    found: list[Table] = []
    for title, key, form in (("三人之中认出", "trios", "%"), ("裁判打分（1–5）", "judged", ".2f")):
        found_of: list[Mapping[str, float]] = [getattr(one, key) for one in scores]
        rows = list(dict.fromkeys(name for some in found_of for name in some))
        if rows:
            cells = [
                (name, *(shown(some.get(name, math.nan), form) for some in found_of))
                for name in rows
            ]
            found.append(((title, *(one.name for one in scores)), cells))
    return found


def seed_table(
    prompts: Sequence[Mapping[str, str]], answers: Sequence[tuple[str, Sequence[str]]]
) -> Table:
    """The original project's prompts, its answers, and each model's: all of them, none picked."""
    head = ("提示", "人物", "最初的项目（ChatGLM-6B）", *(name for name, _ in answers))
    rows = [
        (row["context"], row["speaker"], row["reply"], *(texts[place] for _, texts in answers))
        for place, row in enumerate(prompts)
    ]
    return head, rows


def markdown(scores: Sequence[Scores], seed: Table, senses: Sequence[Table] = ()) -> str:
    tables = (table(scores), *more_tables(scores), *senses, seed)
    return "\n\n".join(render.markdown_table(*one) for one in tables) + "\n"


def _plain(
    scores: Sequence[Scores], answers: Sequence[tuple[str, Sequence[Answer]]]
) -> dict[str, Any]:
    return {
        "scores": [score_row(one) for one in scores],
        "answers": {name: [asdict(answer) for answer in some] for name, some in answers},
    }


def score_row(score: Scores) -> dict[str, Any]:
    """Scores as JSON; what does not apply is null."""
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in asdict(score).items()
    }


def score_of(row: Mapping[str, Any]) -> Scores:
    """The way back from `score_row`."""
    fields: dict[str, Any] = {k: math.nan if v is None else v for k, v in row.items()}
    return Scores(**fields)


def write(
    folder: Path,
    scores: Sequence[Scores],
    answers: Sequence[tuple[str, Sequence[Answer]]],
    title: str,
    seed: Table,
    senses: Sequence[Table] = (),
) -> tuple[Path, Path]:
    """evaluate.json, evaluate.md and evaluate.html in a folder; returns the last two."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "evaluate.json", _plain(scores, answers))
    write_text(folder / "evaluate.md", f"# {title}\n\n{markdown(scores, seed, senses)}")
    write_text(folder / "evaluate.html", page(scores, answers, title, seed, senses))
    return folder / "evaluate.md", folder / "evaluate.html"


def page(
    scores: Sequence[Scores],
    answers: Sequence[tuple[str, Sequence[Answer]]],
    title: str,
    seed: Table,
    senses: Sequence[Table] = (),
) -> str:
    """One page that needs no network: pictures first, the table, then what was said."""
    people = list(dict.fromkeys(name for one in scores for name in one.by_person))
    return render.page(
        "evaluate.html",
        title=title,
        charts=[chart for measure in MEASURES if (chart := _chart(scores, *measure))],
        people=people,
        recognised=[
            (
                one.name,
                [
                    (one.by_person.get(name, 0), shown(one.by_person.get(name, math.nan), "%"))
                    for name in people
                ],
            )
            for one in scores
        ],
        tables=[table(scores), *more_tables(scores), *senses],
        seed=seed,
        said=[(name, [(a.question, a.name, a.text) for a in some]) for name, some in answers],
    )


def _chart(
    scores: Sequence[Scores], key: str, name: str, form: str, about: str
) -> dict[str, Any] | None:
    """A measure as bars; None where nobody has it."""
    values = [(one.name, getattr(one, key)) for one in scores]
    known = [abs(value) for _, value in values if not math.isnan(value)]
    if not known:
        return None
    most = max(known) or 1.0
    rows = [
        (label[:9], 0 if math.isnan(value) else abs(value) / most, shown(value, form), False)
        for label, value in values
    ]
    return {"title": name, "about": about, "rows": rows}
