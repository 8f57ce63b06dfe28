"""A conversation in the terminal. Ctrl-C stops the reply at hand; at an empty prompt it leaves."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ..apps.session import DEFAULT_HISTORY, Conversation, compose, cue_of, load_conversation
from ..engine.base import Cancel, Engine
from ..errors import CustomeError, InputError
from ..files import read_text, write_text
from ..types import Character, GenerateOptions

HELP = "/人物 名字　/重试　/删除　/清空　/保存 文件　/载入 文件　/退出"


def terminal_chat(engine: Engine, people: Sequence[Character], character: str, *, greedy: bool) -> int:
    """Talk until /退出 or end of input; returns the exit code.

    Raises:
        InputError: no such character; the known ones are named.
    """
    cues = {person.name: cue_of(person, engine.kind) for person in people}
    name = _pick(character, cues) if character else next(iter(cues), "")
    options = GenerateOptions(do_sample=not greedy)
    conversation = Conversation()
    print(f"与书中人对话 · {engine.name}\n{HELP}")
    while True:
        try:
            line = input(f"\n对{name or '…'}说> ").strip()
        except EOFError:
            return 0
        try:
            command, _, rest = line.partition(" ")
            if not line:
                continue
            if command == "/退出":
                return 0
            if command == "/人物":
                name = _pick(rest.strip(), cues)
            elif command == "/清空":
                conversation = Conversation()
            elif command == "/删除":
                conversation = conversation.delete(-1) if conversation.turns else conversation
            elif command == "/保存":
                write_text(Path(rest or "对话.json"), conversation.dump())
                print(f"已存 → {rest or '对话.json'}")
            elif command == "/载入":
                conversation = load_conversation(read_text(Path(rest), "对话文件"), rest)
                print(f"已载入 {len(conversation.turns)} 轮")
            elif command == "/重试" and conversation.turns:
                conversation = _answer(engine, conversation, options)
            elif line.startswith("/"):
                print(HELP)
            else:
                cue = cues.get(name, name)
                conversation = _answer(engine, conversation.ask(compose(line, cue, engine.kind), cue), options)
        except CustomeError as error:
            print(f"错误：{error.message}\n怎么办：{error.hint}", file=sys.stderr)


def _pick(name: str, cues: dict[str, str]) -> str:
    if name in cues or not cues:
        return name
    for canonical, cue in cues.items():
        if name == cue:
            return canonical
    raise InputError(f"没有人物 {name!r}", f"可选：{'、'.join(list(cues)[:20])}…")


def _answer(engine: Engine, conversation: Conversation, options: GenerateOptions) -> Conversation:
    """Print the reply while it grows; Ctrl-C keeps what is there."""
    cancel, shown = Cancel(), ""
    print("“", end="", flush=True)
    stream = engine.stream(conversation.request(DEFAULT_HISTORY), options, cancel)
    while True:
        try:
            for piece in stream:
                print(piece.text[len(shown) :], end="", flush=True)
                shown = max(shown, piece.text, key=len)
            break
        except KeyboardInterrupt:
            cancel.set()
            break
    print("”")
    return conversation.answer(shown)
