"""A corpus as a page to look at: what report/templates/corpus.html draws. Knows the files of a corpus folder, no novel and
no model.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..files import write_text
from ..report.render import page
from .dataset import NOBODY
from .dialogue import SPOKEN
from .folder import CorpusFolder

TOP = 24
"""People in the bar chart."""
GRAPH = 18
"""People in the graph of who speaks to whom."""
SIZE, RADIUS = 640, 230
"""Of that graph and its circle."""
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
    funnel = info["funnel"]
    lead = (
        f"{len(info['novels'])} 本书 · {funnel.get('章', 0):,} 章 · {len(spoken):,} 句有说话人 · "
        f"{len(_top(spoken)):,} 人 · 训练 {funnel.get('对话（训练）', 0):,} 条"
    )
    target = folder / "report.html"
    drawn = page(
        "corpus.html",
        title=f"语料 · {'、'.join(titles.values())}",
        lead=lead,
        top=TOP,
        funnel=_bars(_funnel(funnel)),
        speakers=_bars(_top(spoken).most_common(TOP)),
        graph=_graph(spoken),
        chapters=_chapters(spoken, titles),
        lengths=_lengths(spoken),
        rules=_rules(rows),
    )
    write_text(target, drawn)
    return target


def _top(spoken: Iterable[Mapping[str, Any]]) -> Counter[str]:
    return Counter(
        row["speaker"]
        for row in spoken
        if row["speaker"] not in NOBODY and "、" not in row["speaker"]
    )


def _funnel(funnel: Mapping[str, int]) -> list[tuple[str, int]]:
    beside = ("章", "未配对的引号", "修补的引文")
    return [(name, count) for name, count in funnel.items() if name not in beside]


def _bars(items: Sequence[tuple[str, int]]) -> list[tuple[str, float, str, bool]]:
    """(name, share of the longest, number, dropped on the way?)."""
    most = max((count for _, count in items), default=0) or 1
    return [(name, count / most, f"{count:,}", name.startswith("弃")) for name, count in items]


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


def _graph(spoken: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """People on a circle, in an order that puts those who talk to each other side by side; None for fewer than two."""
    counts = _top(spoken)
    people = _round_order([name for name, _ in counts.most_common(GRAPH)], _pairs(spoken))
    if len(people) < 2:
        return None
    angles = {
        name: 2 * math.pi * place / len(people) - math.pi / 2 for place, name in enumerate(people)
    }
    most = max(counts[name] for name in people)
    return {
        "size": SIZE,
        "links": _links(spoken, angles),
        "people": [_person(name, angle, counts[name], most) for name, angle in angles.items()],
    }


def _at(angle: float, radius: float) -> tuple[float, float]:
    return SIZE / 2 + radius * math.cos(angle), SIZE / 2 + radius * math.sin(angle)


def _person(name: str, angle: float, count: int, most: int) -> dict[str, Any]:
    (x, y), (text_x, text_y) = _at(angle, RADIUS), _at(angle, RADIUS + 30)
    side = math.cos(angle)
    return {
        "name": name,
        "title": f"{name}：{count:,} 句",
        "x": round(x),
        "y": round(y),
        "r": round(6 + 16 * math.sqrt(count / most), 1),
        "text_x": round(text_x),
        "text_y": round(text_y + 5),
        "anchor": "middle" if abs(side) < 0.3 else "start" if side > 0 else "end",
    }


def _links(
    spoken: Sequence[Mapping[str, Any]], angles: Mapping[str, float]
) -> list[dict[str, Any]]:
    both: Counter[tuple[str, str]] = Counter()
    for (one, other), count in _pairs(spoken).items():
        if one in angles and other in angles:
            both[(min(one, other), max(one, other))] += count
    most, links = max(both.values(), default=1), []
    for (one, other), count in sorted(both.items(), key=lambda item: item[1]):
        (x1, y1), (x2, y2) = _at(angles[one], RADIUS), _at(angles[other], RADIUS)
        strength = math.sqrt(count / most)
        if strength > 0.06:
            links.append(
                {
                    "path": f"M{x1:.0f} {y1:.0f} Q{SIZE / 2} {SIZE / 2} {x2:.0f} {y2:.0f}",
                    "width": round(0.5 + 9 * strength, 1),
                    "opacity": round(0.15 + 0.6 * strength, 2),
                    "title": f"{one} ↔ {other}：{count:,}",
                }
            )
    return links


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


def _chapters(
    spoken: Sequence[Mapping[str, Any]], titles: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Speakers over chapters, a picture a novel."""
    pictures = []
    for novel, title in titles.items():
        rows = [row for row in spoken if row["novel"] == novel]
        people = [name for name, _ in _top(rows).most_common(14)]
        chapters = sorted({row["chapter"] for row in rows})
        if not people or len(chapters) < 2:
            continue
        counts = Counter((row["speaker"], row["chapter"]) for row in rows)
        cell, left = max(3.0, 640 / len(chapters)), 90
        cells = []
        for place, name in enumerate(people):
            most = max(counts[(name, chapter)] for chapter in chapters)
            cells += [
                {
                    "row": place,
                    "x": round(left + x * cell, 1),
                    "width": round(max(2.0, cell - 0.6), 1),
                    "opacity": round(0.2 + 0.8 * math.sqrt(counts[(name, chapter)] / most), 2),
                    "title": f"{name} · 第 {chapter} 章 · {counts[(name, chapter)]} 句",
                }
                for x, chapter in enumerate(chapters)
                if counts[(name, chapter)]
            ]
        every = 20 if len(chapters) > 40 else 5
        marks = [
            (round(left + x * cell, 1), chapter)
            for x, chapter in enumerate(chapters)
            if chapter % every == 0
        ]
        width = round(left + cell * len(chapters) + 10)
        pictures.append(
            {"title": title, "people": people, "cells": cells, "marks": marks, "width": width}
        )
    return pictures


def _lengths(spoken: Sequence[Mapping[str, Any]]) -> list[tuple[str, float, int]]:
    """(characters, share of the largest, quotations of that length)."""
    edges = [0, 5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300]
    names = [f"{low + 1}–{high}" for low, high in zip(edges, edges[1:], strict=False)]
    counts = [0] * len(edges)
    for row in spoken:
        length = len(row["quote"]) - 2
        counts[next((i for i, high in enumerate(edges[1:]) if length <= high), -1)] += 1
    most = max(counts) or 1
    return [
        (name, count / most, count)
        for name, count in zip([*names, f"{edges[-1] + 1}+"], counts, strict=True)
    ]


def _rules(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every rule with its count, its confidence and a few rows, spread over the book."""
    by_rule: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        by_rule[row["rule"] or "none"].append(row)
    found = []
    for rule, under in sorted(by_rule.items(), key=lambda item: -len(item[1])):
        sure = [row["confidence"] for row in under if row["speaker"]]
        step = max(1, len(under) // ROWS_PER_RULE)
        found.append(
            {
                "name": rule,
                "title": RULES.get(rule, rule),
                "count": len(under),
                "confidence": sum(sure) / max(1, len(sure)),
                "examples": under[step // 2 :: step][:ROWS_PER_RULE],
            }
        )
    return found
