"""The places of a scenario and the ways between them, as a graph that can be dragged about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

HEIGHT = "height: 20rem; width: 100%"


def scenario_map(raw: dict[str, Any], chosen: Callable[[str], None]) -> ui.echart:
    """The map.

    Args:
        raw: the scenario as plain data, whole or not.
        chosen: called with the name of the place that was pressed.
    """
    places = raw.get("places", [])
    names = [str(one.get("name", "")) for one in places]
    begin = (raw.get("player") or {}).get("at")
    nodes = [
        {
            "name": name,
            "symbolSize": 26 if name != begin else 38,
            "itemStyle": {"color": "#a5382b" if name == begin else "#8a7f6d"},
        }
        for name in dict.fromkeys(names)
        if name
    ]
    both = {(one.get("name"), way.get("to")) for one in places for way in one.get("exits", [])}
    links = [
        {
            "source": start,
            "target": end,
            "symbol": ["arrow" if (end, start) in both else "none", "arrow"],
            "lineStyle": {"type": "dashed" if _is_locked(places, start, end) else "solid"},
        }
        for start, end in sorted(both, key=str)
        if end in names and ((end, start) not in both or str(start) <= str(end))
    ]
    options = {
        "animation": False,
        "series": [
            {
                "type": "graph",
                "layout": "force",
                "force": {"repulsion": 500, "edgeLength": 110, "layoutAnimation": False},
                "draggable": True,
                "roam": True,
                "label": {"show": True, "position": "bottom", "fontSize": 14},
                "data": nodes,
                "links": links,
            }
        ],
    }
    return ui.echart(options, on_point_click=lambda event: chosen(str(event.name))).style(HEIGHT)


def _is_locked(places: list[dict[str, Any]], start: Any, end: Any) -> bool:
    ways = [way for one in places if one.get("name") == start for way in one.get("exits", [])]
    return any(way.get("to") == end and (way.get("key") or way.get("needs")) for way in ways)
