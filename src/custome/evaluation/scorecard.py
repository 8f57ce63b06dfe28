"""Scores of several models beside each other and beside real quotations: as Markdown, JSON and one self-contained page."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..files import write_json, write_text
from .persona import REAL, Answer, Scores

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""Head and rows."""
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
"""Fields that are told as a share of real quotations too."""


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
    found = []
    for title, key, form in (("三人之中认出", "trios", "%"), ("裁判打分（1–5）", "judged", ".2f")):
        told: list[Mapping[str, float]] = [getattr(one, key) for one in scores]
        rows = list(dict.fromkeys(name for some in told for name in some))
        if rows:
            cells = [
                (name, *(shown(some.get(name, math.nan), form) for some in told)) for name in rows
            ]
            found.append(((title, *(one.name for one in scores)), cells))
    return found


def seed_table(
    prompts: Sequence[Mapping[str, str]], answers: Sequence[tuple[str, Sequence[str]]]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The original project's prompts, its answers, and each model's: all of them, none picked."""
    head = ("提示", "人物", "最初的项目（ChatGLM-6B）", *(name for name, _ in answers))
    rows = [
        (row["context"], row["speaker"], row["reply"], *(texts[place] for _, texts in answers))
        for place, row in enumerate(prompts)
    ]
    return head, rows


def markdown(scores: Sequence[Scores], told: Table, senses: Sequence[Table] = ()) -> str:
    lines = []
    for head, rows in (table(scores), *more_tables(scores), *senses, told):
        lines += [
            "| " + " | ".join(cells) + " |" for cells in (head, tuple("---" for _ in head), *rows)
        ] + [""]
    return "\n".join(lines)


PARTIAL = "evaluate.partial.json"


def keep(
    folder: Path, scores: Sequence[Scores], answers: Sequence[tuple[str, Sequence[Answer]]]
) -> None:
    """What has been measured so far, beside an earlier evaluation that is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / PARTIAL, _plain(scores, answers))


def _plain(
    scores: Sequence[Scores], answers: Sequence[tuple[str, Sequence[Answer]]]
) -> dict[str, Any]:
    return {
        "scores": [
            {
                k: None if isinstance(v, float) and math.isnan(v) else v
                for k, v in asdict(one).items()
            }
            for one in scores
        ],
        "answers": {name: [asdict(answer) for answer in some] for name, some in answers},
    }


def write(
    folder: Path,
    scores: Sequence[Scores],
    answers: Sequence[tuple[str, Sequence[Answer]]],
    title: str,
    told: Table,
    senses: Sequence[Table] = (),
) -> tuple[Path, Path]:
    """evaluate.json, evaluate.md and evaluate.html in a folder; returns the last two."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "evaluate.json", _plain(scores, answers))
    write_text(folder / "evaluate.md", f"# {title}\n\n{markdown(scores, told, senses)}")
    write_text(folder / "evaluate.html", page(scores, answers, title, told, senses))
    return folder / "evaluate.md", folder / "evaluate.html"


def page(
    scores: Sequence[Scores],
    answers: Sequence[tuple[str, Sequence[Answer]]],
    title: str,
    told: Table,
    senses: Sequence[Table] = (),
) -> str:
    """One page that needs no network: pictures first, the table, then what was said."""
    style = (files("custome") / "evaluation" / "compare.css").read_text(encoding="utf-8") + _STYLE
    charts = "".join(_chart(scores, key, name, form, about) for key, name, form, about in MEASURES)
    people = _people(scores)
    head, rows = table(scores)
    numbers = _html_table(head, rows)
    more = "".join(_html_table(*one) for one in (*more_tables(scores), *senses))
    said = "".join(_said(name, some) for name, some in answers)
    return (
        f'<!doctype html>\n<html lang="zh"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{style}</style></head>\n<body><h1>{html.escape(title)}</h1>\n"
        f'<div class="charts">{charts}</div>\n<h2>谁认得出来</h2>{people}\n<h2>数目</h2>{numbers}{more}\n<h2>最初项目的提示</h2>{_html_table(*told)}\n<h2>说了什么</h2>{said}</body></html>\n'
    )


_STYLE = """
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 1rem; }
.chart { border: 1px solid #8884; border-radius: .5rem; padding: .6rem .8rem; }
.chart h3 { margin: 0 0 .2rem; font-size: 1rem; } .chart p { margin: 0 0 .4rem; font-size: .8rem; opacity: .7; }
.chart svg { width: 100%; height: auto; } svg text { fill: currentColor; font-size: 12px; }
table { display: block; max-width: 100%; overflow-x: auto; }
.heat td { text-align: center; min-width: 3rem; } details { margin: .4rem 0; }
"""
_BAR = ("#8a8f98", "#c0b283", "#6c8ebf", "#b85450", "#5b9a68", "#9673a6", "#d79b00")


def _chart(scores: Sequence[Scores], key: str, name: str, form: str, about: str) -> str:
    values = [(one.name, getattr(one, key)) for one in scores]
    known = [abs(value) for _, value in values if not math.isnan(value)]
    if not known:
        return ""
    most = max(known) or 1.0
    bars = []
    for row, (label, value) in enumerate(values):
        width = 0 if math.isnan(value) else 130 * abs(value) / most
        bars.append(
            f'<text x="0" y="{row * 20 + 14}">{html.escape(label[:9])}</text>'
            f'<rect x="110" y="{row * 20 + 3}" width="{width:.1f}" height="14" rx="2" fill="{_BAR[row % len(_BAR)]}"/>'
            f'<text x="{115 + width:.1f}" y="{row * 20 + 14}">{shown(value, form)}</text>'
        )
    return (
        f'<div class="chart"><h3>{html.escape(name)}</h3><p>{html.escape(about)}</p>'
        f'<svg viewBox="0 0 310 {len(values) * 20 + 4}">{"".join(bars)}</svg></div>'
    )


def _people(scores: Sequence[Scores]) -> str:
    names = list(dict.fromkeys(name for one in scores for name in one.by_person))
    rows = []
    for one in scores:
        cells = "".join(
            f'<td style="background: rgba(91,154,104,{one.by_person.get(name, 0):.2f})">{shown(one.by_person.get(name, math.nan), "%")}</td>'
            for name in names
        )
        rows.append(f"<tr><td>{html.escape(one.name)}</td>{cells}</tr>")
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    return f'<table class="heat"><thead><tr><th></th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _said(name: str, answers: Sequence[Answer]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(a.question)}</td><td>{html.escape(a.name)}</td><td>{html.escape(a.text)}</td></tr>"
        for a in answers
    )
    return f"<details><summary>{html.escape(name)}（{len(answers):,} 句）</summary><table>{rows}</table></details>"


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(tag: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{line('th', head)}{''.join(line('td', row) for row in rows)}</table>"
