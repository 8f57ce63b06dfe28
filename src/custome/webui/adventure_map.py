"""Places and the ways between them as a graph that can be dragged about: all of a scenario, or what is known of a game."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from nicegui import ui

from ..apps.adventure.state import State
from ..apps.adventure.world import World

HEIGHT = "height: 20rem; width: 100%"
STEPS = 200
"""Of laying it out."""
SCALE = 300
"""A chart draws ways between points that lie nearer than a pixel as none."""


def scenario_map(raw: dict[str, Any], chosen: Callable[[str], None]) -> ui.echart:
    """The map of a scenario that is being written.

    Args:
        raw: the scenario as plain data, whole or not.
        chosen: called with the name of the place that was pressed.
    """
    places = raw.get("places", [])
    ways = {
        (str(one.get("name")), str(way.get("to"))): bool(way.get("key") or way.get("needs"))
        for one in places
        for way in one.get("exits", [])
    }
    names = [str(one.get("name", "")) for one in places]
    return _graph(names, ways, str((raw.get("player") or {}).get("at")), chosen)


def known_map(world: World, state: State, chosen: Callable[[str], None]) -> ui.echart:
    """The map of a game: where one has been, and where one can go from there."""
    ways = {
        (start, way.to): not (start == state.at and world.is_open(state, way.to))
        and bool(way.key and (start, way.to) not in state.opened)
        for start in world.places
        if start in state.visited
        for way in world.places[start].exits
    }
    names = [*state.visited, *(end for _, end in ways)]
    return _graph([one for one in world.places if one in names], ways, state.at, chosen)


def _graph(
    names: Sequence[str],
    ways: Mapping[tuple[str, str], bool],
    here: str,
    chosen: Callable[[str], None],
) -> ui.echart:
    """Places and ways; a way that is locked is drawn in dashes.

    Args:
        ways: (from, to) → is it locked?
        here: the place that is drawn large.
    """
    names = [one for one in dict.fromkeys(names) if one]
    nodes = [
        {
            "name": name,
            "x": x,
            "y": y,
            "symbolSize": 38 if name == here else 26,
            "itemStyle": {"color": "#a5382b" if name == here else "#8a7f6d"},
        }
        for name, (x, y) in zip(names, _laid_out(names, ways), strict=True)
    ]
    links = [
        {
            "source": start,
            "target": end,
            "symbol": ["arrow" if (end, start) in ways else "none", "arrow"],
            "lineStyle": {"type": "dashed" if locked else "solid"},
        }
        for (start, end), locked in sorted(ways.items())
        if end in names and ((end, start) not in ways or start <= end)
    ]
    options = {
        "animation": False,
        "series": [
            {
                "type": "graph",
                "layout": "none",
                "zoom": 0.85,
                "draggable": True,
                "roam": True,
                "label": {"show": True, "position": "bottom", "fontSize": 14},
                "data": nodes,
                "links": links,
            }
        ],
    }
    return ui.echart(options, on_point_click=lambda event: chosen(str(event.name))).style(HEIGHT)


def _laid_out(names: Sequence[str], ways: Iterable[tuple[str, str]]) -> list[tuple[int, int]]:
    """Where to draw each place: those with a way between them near, all others apart; the same every time.

    Source: Fruchterman and Reingold, Graph drawing by force-directed placement, 1991.
    """
    count = len(names)
    turns = np.arange(count) * (2 * np.pi / max(1, count))
    at = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    number = {name: place for place, name in enumerate(names)}
    joined = np.zeros((count, count))
    for start, end in ways:
        if start in number and end in number:
            joined[number[start], number[end]] = joined[number[end], number[start]] = 1.0
    near = 1.0 / np.sqrt(max(1, count))
    for step in range(STEPS):
        apart = at[:, None] - at[None, :]
        far = np.maximum(np.linalg.norm(apart, axis=2), 1e-3)
        force = near**2 / far**2 - joined * far / near
        np.fill_diagonal(force, 0.0)
        moved = (apart * force[:, :, None]).sum(axis=1)
        size = np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)
        at = at + moved / size * np.minimum(size, 0.1 * (1 - step / STEPS))
    return [(round(float(x) * SCALE), round(float(y) * SCALE)) for x, y in at]
