"""A corpus as a page to look at: one self-contained HTML file with pictures drawn as SVG. Knows the files of a corpus
folder, no novel and no model.
"""

from __future__ import annotations

import html
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..files import write_text
from .dataset import NOBODY
from .dialogue import SPOKEN
from .folder import CorpusFolder

TOP = 24
"""People in the bar chart."""
GRAPH = 18
"""People in the graph of who speaks to whom."""
ROWS_PER_RULE = 4
RULES = {
    "cue": "提示句开头就是说话人",
    "inside": "提示句中间",
    "sentence": "同一句前面的分句",
    "guess": "像人名的开头",
    "earlier": "前面的句子",
    "after": "引文后面的提示",
    "report": "有人来报",
    "reveal": "后文点明身份",
    "pronoun": "代词",
    "plural": "“都道”“俱道”",
    "same": "同一人接着说",
    "other": "对方答话",
    "nearby": "同段的主语",
    "turns": "两人轮流",
    "none": "不是说话或没找到",
}


def write_page(folder: Path) -> Path:
    """Draw `report.html` for a corpus folder.

    Raises:
        InputError: the folder is no corpus.
    """
    corpus = CorpusFolder(folder)
    info, rows = corpus.info(), corpus.utterances()
    spoken = [row for row in rows if row["kind"] in SPOKEN and row["speaker"]]
    titles = {name: book["title"] for name, book in info["books"].items()}
    title = "、".join(titles.values())
    parts = [
        _section("漏斗", "每一处引文去了哪里。", _bars(_funnel(info["funnel"]), wide=True)),
        _section(
            "谁说得最多", f"前 {TOP} 人；群体与无名者不计。", _bars(_top(spoken).most_common(TOP))
        ),
        _section("谁对谁说", "线越粗，说得越多；圆越大，话越多。", _graph(spoken)),
        _section("每章谁在说", "一列一章，一行一人，颜色越深说得越多。", _chapters(spoken, titles)),
        _section("话有多长", "每句话的字数。", _lengths(spoken)),
        _section(
            "凭什么知道是谁说的", "每条规则的句数、可信度和几句例子；颜色条是可信度。", _rules(rows)
        ),
    ]
    css = (files("custome") / "corpus" / "page.css").read_text(encoding="utf-8")
    funnel = info["funnel"]
    lead = (
        f"{len(info['novels'])} 本书 · {funnel.get('章', 0):,} 章 · {len(spoken):,} 句有说话人 · "
        f"{len(_top(spoken)):,} 人 · 训练 {funnel.get('对话（训练）', 0):,} 条"
    )
    page = (
        f'<!doctype html>\n<html lang="zh"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>语料 · {html.escape(title)}</title><style>{css}</style>"
        f"<main><h1>语料 · {html.escape(title)}</h1><p class=lead>{lead}</p>{''.join(parts)}</main></html>\n"
    )
    target = folder / "report.html"
    write_text(target, page)
    return target


def _section(title: str, note: str, body: str) -> str:
    return f"<section><h2>{title}</h2><p>{note}</p>{body}</section>"


def _top(spoken: Iterable[Mapping[str, Any]]) -> Counter[str]:
    return Counter(
        row["speaker"]
        for row in spoken
        if row["speaker"] not in NOBODY and "、" not in row["speaker"]
    )


def _funnel(funnel: Mapping[str, int]) -> list[tuple[str, int]]:
    return [
        (name, count)
        for name, count in funnel.items()
        if name not in ("章", "未配对的引号", "修补的引文")
    ]


def _bars(items: Sequence[tuple[str, int]], wide: bool = False) -> str:
    """Horizontal bars with their numbers."""
    if not items:
        return "<p>没有。</p>"
    label, height, largest = 190 if wide else 90, 24, max(count for _, count in items) or 1
    lines = []
    for index, (name, count) in enumerate(items):
        y, width = index * height, 520 * count / largest
        dropped = " class=dropped" if name.startswith("弃") else ""
        lines.append(
            f'<text x="{label - 8}" y="{y + 16}" text-anchor="end">{html.escape(name)}</text>'
            f'<rect{dropped} x="{label}" y="{y + 4}" width="{max(1, width):.1f}" height="16" rx="3"/>'
            f'<text class=number x="{label + width + 6:.1f}" y="{y + 16}">{count:,}</text>'
        )
    return f'<svg viewBox="0 0 {label + 600} {len(items) * height + 4}" role="img">{"".join(lines)}</svg>'


def _pairs(spoken: Sequence[Mapping[str, Any]]) -> Counter[tuple[str, str]]:
    """(speaker, whom) with how often: the addressee of the cue, else whoever spoke before in the chapter."""
    pairs: Counter[tuple[str, str]] = Counter()
    before: Mapping[str, Any] | None = None
    for row in spoken:
        partner = row["addressee"]
        if (
            not partner
            and before is not None
            and (before["novel"], before["chapter"]) == (row["novel"], row["chapter"])
        ):
            partner = before["speaker"]
        if partner and partner != row["speaker"]:
            pairs[(row["speaker"], partner)] += 1
        before = row
    return pairs


def _graph(spoken: Sequence[Mapping[str, Any]]) -> str:
    """People on a circle, most talkative first, in an order that puts those who talk to each other side by side."""
    counts = _top(spoken)
    people = _round_order([name for name, _ in counts.most_common(GRAPH)], _pairs(spoken))
    if len(people) < 2:
        return "<p>人太少，画不成图。</p>"
    size, radius = 640, 230
    where = {
        name: (size / 2 + radius * math.cos(angle), size / 2 + radius * math.sin(angle), angle)
        for index, name in enumerate(people)
        for angle in [2 * math.pi * index / len(people) - math.pi / 2]
    }
    both: Counter[tuple[str, str]] = Counter()
    for (one, other), count in _pairs(spoken).items():
        if one in where and other in where:
            both[(min(one, other), max(one, other))] += count
    largest = max(both.values(), default=1)
    lines = []
    for (one, other), count in sorted(both.items(), key=lambda item: item[1]):
        (x1, y1, _), (x2, y2, _) = where[one], where[other]
        strength = math.sqrt(count / largest)
        if strength > 0.06:
            lines.append(
                f'<path class=link d="M{x1:.0f} {y1:.0f} Q{size / 2} {size / 2} {x2:.0f} {y2:.0f}" '
                f'stroke-width="{0.5 + 9 * strength:.1f}" opacity="{0.15 + 0.6 * strength:.2f}">'
                f"<title>{html.escape(one)} ↔ {html.escape(other)}：{count:,}</title></path>"
            )
    most = max(counts[name] for name in people)
    for name, (x, y, angle) in where.items():
        r = 6 + 16 * math.sqrt(counts[name] / most)
        tx, ty = (
            size / 2 + (radius + 30) * math.cos(angle),
            size / 2 + (radius + 30) * math.sin(angle),
        )
        anchor = (
            "middle" if abs(math.cos(angle)) < 0.3 else "start" if math.cos(angle) > 0 else "end"
        )
        lines.append(
            f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{r:.1f}"><title>{html.escape(name)}：{counts[name]:,} 句</title></circle>'
            f'<text x="{tx:.0f}" y="{ty + 5:.0f}" text-anchor="{anchor}">{html.escape(name)}</text>'
        )
    return f'<svg class=graph viewBox="-60 0 {size + 120} {size}" role="img">{"".join(lines)}</svg>'


def _round_order(people: list[str], pairs: Mapping[tuple[str, str], int]) -> list[str]:
    """Greedily: after each person, whoever of the rest talks with them most."""
    order, rest = people[:1], people[1:]
    while rest:
        last = order[-1]
        nearest = max(
            rest, key=lambda name: pairs.get((last, name), 0) + pairs.get((name, last), 0)
        )
        order.append(nearest)
        rest.remove(nearest)
    return order


def _chapters(spoken: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> str:
    """Speakers over chapters, a picture a novel."""
    pictures = []
    for novel, title in titles.items():
        rows = [row for row in spoken if row["novel"] == novel]
        people = [name for name, _ in _top(rows).most_common(14)]
        chapters = sorted({row["chapter"] for row in rows})
        if not people or len(chapters) < 2:
            continue
        counts = Counter((row["speaker"], row["chapter"]) for row in rows)
        cell, height, left = max(3.0, 640 / len(chapters)), 18, 90
        lines = []
        for y, name in enumerate(people):
            lines.append(
                f'<text x="{left - 8}" y="{y * height + 14}" text-anchor="end">{html.escape(name)}</text>'
            )
            most = max(counts[(name, chapter)] for chapter in chapters)
            for x, chapter in enumerate(chapters):
                if count := counts[(name, chapter)]:
                    lines.append(
                        f'<rect x="{left + x * cell:.1f}" y="{y * height + 2}" width="{max(2.0, cell - 0.6):.1f}" height="{height - 4}" '
                        f'opacity="{0.2 + 0.8 * math.sqrt(count / most):.2f}"><title>{html.escape(name)} · 第 {chapter} 章 · {count} 句</title></rect>'
                    )
        bottom = len(people) * height
        for x, chapter in enumerate(chapters):
            if chapter % (20 if len(chapters) > 40 else 5) == 0:
                lines.append(
                    f'<text class=number x="{left + x * cell:.1f}" y="{bottom + 16}" text-anchor="middle">{chapter}</text>'
                )
        width = left + cell * len(chapters) + 10
        pictures.append(
            f'<h3>{html.escape(title)}</h3><svg viewBox="0 0 {width:.0f} {bottom + 22}" role="img">{"".join(lines)}</svg>'
        )
    return "".join(pictures) or "<p>章太少，画不成图。</p>"


def _lengths(spoken: Sequence[Mapping[str, Any]]) -> str:
    """Histogram of the lengths of quotations, in characters."""
    edges = [0, 5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 10**9]
    counts = [0] * (len(edges) - 1)
    for row in spoken:
        length = len(row["quote"]) - 2
        counts[next(i for i in range(len(counts)) if length <= edges[i + 1])] += 1
    largest, width = max(counts) or 1, 52
    lines = []
    for index, count in enumerate(counts):
        height = 180 * count / largest
        name = (
            f"{edges[index] + 1}–{edges[index + 1]}"
            if index < len(counts) - 1
            else f"{edges[index]}+"
        )
        lines.append(
            f'<rect x="{index * width + 4}" y="{200 - height:.1f}" width="{width - 8}" height="{height:.1f}" rx="3"/>'
            f'<text class=number x="{index * width + width / 2}" y="{194 - height:.1f}" text-anchor="middle">{count:,}</text>'
            f'<text x="{index * width + width / 2}" y="220" text-anchor="middle" style="font-size:10px">{name}</text>'
        )
    return f'<svg viewBox="0 0 {len(counts) * width} 228" role="img">{"".join(lines)}</svg>'


def _rules(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table: every rule with its count, its confidence and a few rows, spread over the book."""
    by_rule: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        by_rule[row["rule"] or "none"].append(row)
    lines = []
    for rule, found in sorted(by_rule.items(), key=lambda item: -len(item[1])):
        mean = sum(row["confidence"] for row in found if row["speaker"]) / max(
            1, sum(bool(row["speaker"]) for row in found)
        )
        step = max(1, len(found) // ROWS_PER_RULE)
        examples = "".join(
            f"<li><span class=who>{html.escape(row['speaker'] or '—')}</span>{html.escape(row['context'][-40:])}"
            f"<q>{html.escape(row['quote'].strip('“”')[:60])}</q> <small>{html.escape(row['novel'])} {row['chapter']}</small></li>"
            for row in found[step // 2 :: step][:ROWS_PER_RULE]
        )
        lines.append(
            f"<tr><th>{html.escape(RULES.get(rule, rule))}<br><small>{rule}</small></th><td class=number>{len(found):,}"
            f'<div class=confidence style="width:{64 * mean:.0f}px"></div>{mean:.2f}</td><td><ul>{examples}</ul></td></tr>'
        )
    return f"<table><thead><tr><th>规则</th><th>句数</th><th>例子</th></tr></thead><tbody>{''.join(lines)}</tbody></table>"
