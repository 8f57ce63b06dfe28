"""Values → HTML by jinja2, which escapes them, or → Markdown. Knows nothing of what is told."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

Table = tuple[Sequence[str], Sequence[Sequence[str]]]
"""Head and rows."""


def page(template: str, **values: object) -> str:
    """A page of templates/, with everything it needs inside: no network."""
    return _templates().get_template(template).render(values)


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; a bar or a line break inside a cell does not end it."""

    def line(cells: Sequence[str]) -> str:
        inside = [cell.replace("|", "\\|").replace("\n", "<br>") for cell in cells]
        return "| " + " | ".join(inside) + " |"

    return "\n".join(map(line, [head, ["---"] * len(head), *rows]))


@functools.lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("custome", "report/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
