"""A conversation: turns that can be added, edited, deleted, saved and loaded. Values, never shared state: every change
returns a new Conversation, so one person's page can never touch another's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from ..errors import InputError
from ..models.chat_format import cued
from ..types import Character, Message, Request

FORMAT = "custome-conversation-1"
DEFAULT_HISTORY = 4
"""Answered turns a model is reminded of."""


def compose(text: str, cue: str, kind: str) -> str:
    """What a user's words become: with 某某曰： behind them for a novel-like model, unchanged for an instruct model."""
    return cued(text, cue) if kind == "novel" else text.strip()


def cue_of(person: Character, kind: str) -> str:
    """What to call a character: a novel needs the words the book uses before 曰, an instruct model the name."""
    return person.name if kind == "template" else person.cue


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What was asked, who was to answer, and the answer."""

    user: str
    speaker: str = ""
    """Cue of the character; empty when the user's text ends with its own cue."""
    reply: str = ""


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """Turns, oldest first."""

    turns: tuple[Turn, ...] = ()

    def ask(self, user: str, speaker: str) -> Conversation:
        return Conversation(turns=(*self.turns, Turn(user=user, speaker=speaker)))

    def answer(self, reply: str) -> Conversation:
        """Fill in (or replace) the last turn's answer."""
        return self.edit(len(self.turns) - 1, reply=reply)

    def edit(self, index: int, *, user: str | None = None, reply: str | None = None) -> Conversation:
        old = self.turns[index]
        new = replace(old, user=old.user if user is None else user, reply=old.reply if reply is None else reply)
        return Conversation(turns=(*self.turns[:index], new, *self.turns[index + 1 :]))

    def delete(self, index: int) -> Conversation:
        index %= len(self.turns)
        return Conversation(turns=(*self.turns[:index], *self.turns[index + 1 :]))

    def request(self, max_history: int) -> Request:
        """The last turn as a request, with at most `max_history` answered turns before it."""
        *before, last = self.turns
        answered = [turn for turn in before if turn.reply]
        messages = []
        for turn in answered[max(0, len(answered) - max_history) :]:
            messages.append(Message(role="user", content=turn.user))
            messages.append(Message(role="assistant", content=turn.reply, name=turn.speaker))
        messages.append(Message(role="user", content=last.user))
        return Request(messages=tuple(messages), speaker=last.speaker)

    def dump(self) -> str:
        """As JSON text, for a file."""
        turns = [{"user": t.user, "speaker": t.speaker, "reply": t.reply} for t in self.turns]
        return json.dumps({"format": FORMAT, "turns": turns}, ensure_ascii=False, indent=1)


def load_conversation(text: str, name: str) -> Conversation:
    """Read back what `dump` wrote.

    Raises:
        InputError: not such a file; `name` is named.
    """
    try:
        raw = json.loads(text)
        if raw.get("format") != FORMAT:
            raise ValueError(f"format 是 {raw.get('format')!r}")
        turns = []
        for row in raw["turns"]:
            values = {key: row[key] for key in ("user", "speaker", "reply")}
            if not all(isinstance(value, str) for value in values.values()):
                raise ValueError("user、speaker、reply 都应是文字")
            turns.append(Turn(**values))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{name!r} 不是保存的对话：{error}", f"需要本页“保存对话”得到的文件（format 为 {FORMAT!r}）"
        ) from error
    return Conversation(turns=tuple(turns))
