"""Puts the pages for talking with people on a server."""

from __future__ import annotations

from nicegui import ui

from ..apps.cosplay.service import ConversationService
from .chat_page import ChatPage
from .live import LiveReplies
from .people_page import PeoplePage
from .portraits import Portraits
from .shell import Frame, Shell


def add_pages(shell: Shell) -> None:
    """The chat page at the root, and the people page. The store is opened now: what is wrong with it is told before anybody comes."""
    context = shell.context
    service = ConversationService(context.hosted, context.store())
    live = LiveReplies(service)
    portraits = Portraits(shell.server, service.cards)

    def draw(frame: Frame) -> None:
        if not service.models() and not context.store().chats(frame.owner):
            _nobody_yet(frame)
            return
        ChatPage(frame, service, live, portraits)

    def draw_people(frame: Frame) -> None:
        PeoplePage(frame, service, portraits)

    shell.page("/", "对话", icon="forum")(draw)
    shell.page("/people", "人物", icon="group")(draw_people)


def _nobody_yet(frame: Frame) -> None:
    """Nothing is served: the way to the workshop, where there is one."""
    t = frame.words
    with ui.element("div").classes("empty"):
        ui.label(t("还没有可以说话的人")).classes("who")
        if any(entry.path == "/workshop" for entry in frame.entries):
            ui.link(t("带一本书来"), t.to("/workshop")).classes("to_read").mark("to_workshop")
        else:
            ui.label(t("启动时给出运行目录：custome serve runs/名字")).classes("about")
