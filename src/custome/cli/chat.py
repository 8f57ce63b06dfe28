"""`custome chat`: talk to people of a book in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from ..engine.open import EngineOptions, open_models
from ..reporter import ConsoleReporter
from .flags import parse


@dataclass(frozen=True, kw_only=True)
class Chat:
    """在终端里和书中人聊天。"""

    run: Positional[str]
    """运行目录，如 runs/sanguo。"""
    with_: Annotated[tuple[str, ...], arg(name="with", aliases=["-c", "--character"])] = ()
    """和谁说话，可以几个人；默认是说话最多的人。"""
    me: str = ""
    """你是谁，如 诸葛亮。"""
    chapter: int = 0
    """故事讲到第几回；之后的事他们还不知道。0 是全书。"""
    candidates: int = 0
    """一次写几个候选，挑最像、最切题的；0：llama.cpp 写 8 个，别的引擎写 1 个。"""
    greedy: bool = False
    """每次取最可能的词，答案固定。"""
    chats: str = ""
    """对话存在哪里；默认是缓存目录里的 chats.db。"""
    model: EngineOptions = field(default_factory=EngineOptions)


def chat(argv: list[str]) -> int:
    flags = parse(Chat, argv, "custome chat")
    _check_people(Path(flags.run), flags.with_)  # before a model is loaded
    hosted = open_models([flags.run], flags.model, ConsoleReporter()).hosted
    from ..apps.cosplay.choosing import drawn
    from ..apps.cosplay.scene import Scene
    from ..apps.cosplay.service import ConversationService
    from ..conversations.store import open_store
    from .terminal_chat import terminal_chat

    scene = Scene(
        user=flags.me, as_of=flags.chapter, candidates=flags.candidates or hosted[0].engine.several
    )
    play = ConversationService(lambda: hosted, open_store(flags.chats))
    options = replace(
        drawn(hosted[0].engine.kind, scene.candidates > 1), do_sample=not flags.greedy
    )
    return terminal_chat(play, hosted[0].name, flags.with_, scene, options)


def _check_people(run: Path, names: Sequence[str]) -> None:
    """Raise InputError for a name that nobody of the run's book has; the likeliest is offered."""
    from ..apps.cosplay.casting import company_of
    from ..corpus.cast import read_cast

    company = company_of(read_cast(run))
    for name in names if company.names else ():
        company.find(name)
