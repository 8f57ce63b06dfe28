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
    from ..server.catalogue import AppModels


@dataclass(frozen=True)
class App:
    """One of the folders in apps/."""

    commands: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Name → (module:function in cli/, taking the flags that follow; one line of help)."""
    routes: str = ""
    """module:function in server/, AppContext → APIRouter."""
    public: str = ""
    """module:function in server/, AppContext → APIRouter: what strangers may call without a key."""
    models: str = ""
    """module:function in server/, AppContext → AppModels: what the app answers as a model."""
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
    "knowledge": App(
        commands={
            "knowledge add": (
                "knowledge:knowledge_add",
                "文件、文件夹 → 知识库；再跑一次只读变了的",
            ),
            "knowledge ask": ("knowledge:knowledge_ask", "问知识库；每句话都指得出原文在哪"),
            "knowledge list": ("knowledge:knowledge_list", "有哪些知识库，里面有哪些文件"),
            "knowledge remove": ("knowledge:knowledge_remove", "拿掉一个文件，或整个知识库"),
            "knowledge watch": ("knowledge:knowledge_watch", "一直看着文件夹，变了就更新"),
            "knowledge eval": (
                "knowledge:knowledge_eval",
                "用一组问题量：找得到吗，答得对吗，该说没有时说没有吗",
            ),
            "knowledge compact": ("knowledge:knowledge_compact", "删掉的文字从文件里彻底清掉"),
            "knowledge mcp": (
                "knowledge:knowledge_mcp",
                "给别的 AI 程序用：MCP 服务，工具 search 和 read",
            ),
            "demo knowledge": (
                "demo:demo_knowledge",
                "试一试：内置的《三国演义》做成知识库，打开页面",
            ),
        },
        routes="knowledge:knowledge_router",
        models="knowledge:KnowledgeModels",
        page="knowledge_page:add_pages",
    ),
    "service": App(
        commands={
            "service import": (
                "service:service_import",
                "商店的表（商品、价格、问答、订单、政策）→ 客服助手",
            ),
            "service chat": ("service:service_chat", "在终端里当一回客人"),
            "service eval": ("service:service_eval", "用一组消息量客服助手"),
            "service report": (
                "service:service_report",
                "一天的一页：多少客人、问什么、什么没答上来",
            ),
            "demo service": ("demo:demo_service", "试一试：一家编出来的茶铺，客人一页，客服一页"),
        },
        routes="service:service_router",
        public="shop:public_router",
        page="service_page:add_pages",
    ),
    "novel": App(
        commands={
            "novel new": ("novel:novel_new", "开一本小说：设定、人物、几回，都写在能改的文件里"),
            "novel plan": ("novel:novel_plan", "排目录：每回发生什么、谁在场，前后说得通"),
            "novel write": ("novel:novel_write", "照目录一段一段写，断了接着写"),
            "novel check": ("novel:novel_check", "查写好的各回：人物、字数、重复、不许出现的"),
            "novel export": ("novel:novel_export", "成书：txt、md、epub、docx"),
            "novel style": ("novel_style:novel_style", "拆书：一本书写成什么样，和自己写的并排"),
            "novel train-style": ("novel_style:novel_train_style", "教它照一本书的笔法写"),
            "demo novel": ("demo:demo_novel", "试一试：三回的小说，目录、正文、检查、EPUB"),
        },
        routes="novel:novel_router",
        page="novel_page:add_pages",
    ),
    "image": App(),  # begun: it has neither commands nor a page yet
    "adventure": App(
        commands={
            "adventure play": ("adventure:adventure_play", "在终端里玩一局文字冒险"),
            "adventure build": (
                "adventure_build:adventure_build",
                "把小说的一章做成文字冒险，带着原文",
            ),
            "adventure export": (
                "adventure_build:adventure_export",
                "把玩过的一局存成书：txt、md、epub、docx、twee",
            ),
            "adventure list": ("adventure:adventure_list", "有哪些剧本，哪几个有存档"),
            "adventure check": (
                "adventure:adventure_check",
                "查一个剧本：名字、赢法、死路、用不上的",
            ),
            "demo adventure": (
                "demo:demo_adventure",
                "试一试：五个剧本，再用书里的一回现做一个，打开页面",
            ),
        },
        routes="adventure:adventure_router",
        page="adventure_page:add_pages",
    ),
}


def find(room: str, place: str) -> Any:
    """The function that `module:function` means in a room of the package."""
    module, name = place.split(":")
    return getattr(importlib.import_module(f"custome.{room}.{module}"), name)


def routers(context: AppContext) -> list[APIRouter]:
    """Of every app that has routes."""
    return [find("server", app.routes)(context) for app in APPS.values() if app.routes]


def public_routers(context: AppContext) -> list[APIRouter]:
    """Of every app that strangers talk to."""
    return [find("server", app.public)(context) for app in APPS.values() if app.public]


def app_models(context: AppContext) -> list[AppModels]:
    """Of every app that answers as a model."""
    return [find("server", app.models)(context) for app in APPS.values() if app.models]


def mount_pages(server: FastAPI, context: AppContext) -> None:
    """Put the pages of all apps on the server."""
    from ..webui.shell import Shell

    shell = Shell(server, context)
    for app in APPS.values():
        if app.page:
            find("webui", app.page)(shell)
    shell.mount()
