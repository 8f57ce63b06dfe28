"""Puts the pages for talking with people on a server."""

from __future__ import annotations

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
        ChatPage(frame, service, live, portraits)

    def draw_people(frame: Frame) -> None:
        PeoplePage(frame, service, portraits)

    shell.page("/", "对话", icon="forum")(draw)
    shell.page("/people", "人物", icon="group")(draw_people)
