"""The apps and what each brings along: commands, routes of the API, a page. A new app is one entry here.

Nothing of an app is imported before it is needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI

    from ..apps.context import AppContext


@dataclass(frozen=True)
class App:
    """One of the folders in apps/."""

    commands: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Name → (module:function in cli/, taking the flags that follow; one line of help)."""
    routes: str = ""
    """module:function in server/, AppContext → APIRouter."""
    page: str = ""
    """module:function in webui/, Shell → None; registers its pages."""


APPS: dict[str, App] = {
    "cosplay": App(
        commands={"chat": ("chat:chat", "在终端里和书中人聊天")},
        page="chat_app:add_pages",
    ),
    "training": App(
        commands={
            "train": ("training:train", "语料 → 运行目录（微调出的适配器、曲线、检查点）"),
            "watch": ("training:watch", "看训练：曲线、速度、内存、每次验证时的回答；停下，接着来"),
        },
        page="workshop_page:add_pages",
    ),
}


def find(room: str, place: str) -> Any:
    """The function that `module:function` means in a room of the package."""
    module, name = place.split(":")
    return getattr(importlib.import_module(f"custome.{room}.{module}"), name)


def routers(context: AppContext) -> list[APIRouter]:
    """Of every app that has routes."""
    return [find("server", app.routes)(context) for app in APPS.values() if app.routes]


def mount_pages(server: FastAPI, context: AppContext) -> None:
    """Put the pages of all apps on the server."""
    from ..webui.shell import Shell

    shell = Shell(server, context)
    for app in APPS.values():
        if app.page:
            find("webui", app.page)(shell)
    shell.mount()
