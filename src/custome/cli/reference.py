"""docs/reference.md, generated from the commands' flags: `python -m custome.cli.reference > docs/reference.md`."""

from __future__ import annotations

import dataclasses
import importlib
from typing import get_type_hints

from ..recipe_file import field_docs
from .app import COMMANDS


def flags_of(command: str) -> type:
    """The class whose fields are a command's flags: corpus build → CorpusBuild, novel train-style → NovelTrainStyle."""
    module = importlib.import_module(f"custome.cli.{COMMANDS[command][0].split(':')[0]}")
    words = command.replace("-", " ").split()
    found: type = getattr(module, "".join(word.title() for word in words))
    return found


def reference() -> str:
    """The page as Markdown."""
    lines = [
        "# 全部命令",
        "",
        "由 `python -m custome.cli.reference` 生成。位置参数没有 `--`；布尔选项的反面是 `--no-…`。",
        "",
    ]
    for command, (_, about) in COMMANDS.items():
        flags = flags_of(command)
        lines += [
            f"## custome {command}",
            "",
            f"{about}。",
            "",
            "| 选项 | 默认 | 含义 |",
            "|---|---|---|",
            *_rows(flags),
            "",
        ]
    return "\n".join(lines)


def _rows(cls: type) -> list[str]:
    docs, hints, rows = field_docs(cls), get_type_hints(cls, include_extras=True), []
    for declared in dataclasses.fields(cls):
        section = declared.default_factory
        if isinstance(section, type) and dataclasses.is_dataclass(section):
            rows += _rows(section)
            continue
        marks = str(hints[declared.name])
        name = {"method_name": "method"}.get(declared.name, declared.name)
        name = name.rstrip("_").replace("_", "-")
        shown = (
            f"`{name}`" if "Positional" in marks or "positional" in marks.lower() else f"`--{name}`"
        )
        required = declared.default is dataclasses.MISSING
        default = (
            "必需"
            if required
            else f"`{declared.default}`"
            if declared.default not in ("", None, ())
            else ""
        )
        rows.append(f"| {shown} | {default} | {docs.get(declared.name, '').replace('|', '／')} |")
    return rows


if __name__ == "__main__":
    print(reference())
