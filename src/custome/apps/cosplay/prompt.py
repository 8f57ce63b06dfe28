"""What the model reads before somebody answers: who they are, what comes to mind, how they talk, what was said so far.

For a model that writes novels it is prose in the book's own form; for an instruct model a system message and turns. Every
part is kept apart with its tokens, so that people can look at it, and what does not fit is left out from its oldest end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ...conversations.budget import Part, Prompt, newest_that_fit
from ...corpus.cast import Line
from ...engine.base import Engine
from ...models.chat_format import ends_with_cue, persona
from ...models.normalisation import normalise
from ...types import Exchange, Message, Request
from .card import Card, filled
from .lorebook import Lorebook, recall, within
from .own_lines import OwnLines

GUEST = "客"
"""What the book calls the user when they give no name."""
SCENE_BEGINS, LEFT_OUT, GOES_ON = "（开场）", "（前略）", "（接着说）"
"""What an instruct model is asked where a scene, or what is left of it, begins with its own words, and where nobody has
answered them."""
EXAMPLES_SHARE = 4
"""A card's example conversations may fill this part of the room: a quarter."""
_EXAMPLE = re.compile(r"^([^：:\n]{1,40})[：:]\s*(.+)$")
LEFT_FREE = 8
"""Tokens nobody counts: marks between the parts."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """One thing said in a conversation."""

    name: str
    """Who says it; '' for narration."""
    text: str
    by_user: bool = False


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Settings of a conversation that its prompts depend on."""

    user: str = ""
    """The user's name in the story."""
    user_persona: str = ""
    note: str = ""
    """Author's note: said to the model right before the last turn."""
    summary: str = ""
    """What happened before the turns that are still told."""
    memories: tuple[str, ...] = ()
    """What the user said of themselves in other conversations, word for word."""
    system_text: str = ""
    """What a client's system messages say, beside the persona."""
    as_of: int | None = None
    """The chapter the story has come to; nobody knows what comes later."""
    examples: int = 2
    """How many of the character's own lines are shown to the model."""
    persona: bool = True
    """Tell the model who the character is."""
    as_speech: bool = True
    """What the user writes is said by somebody in the story; else it is read as the story itself."""
    regex: bool = False
    """Use lorebook keys that are regular expressions."""
    contrast_strength: float = 0.25
    """How much the character's own words are made likelier and the others' less likely while a reply is written; 0 not at all."""
    strength: float = 1.0
    """Of what was learnt, where the engine can change it."""


def write_prompt(
    engine: Engine,
    card: Card,
    said: Sequence[Said],
    setting: Setting,
    *,
    room: int,
    lines: OwnLines | None = None,
    book: Lorebook | None = None,
    lessons: Sequence[Exchange] = (),
) -> Prompt:
    """The prompt for `card`'s next reply.

    Args:
        said: the conversation, oldest first.
        room: tokens the prompt may have.
        lines: the character's own lines.
        book: what comes to mind; the card's own without one.
        lessons: questions that an instruct model is shown answered first.
    """
    novel, user = engine.kind == "novel", setting.user or GUEST
    said = [replace(one, text=normalise(one.text)) for one in said] if novel else said
    writer = _Writer(engine=engine, card=card, setting=setting, room=room, novel=novel, user=user)
    writer.who(said, book or card.book or Lorebook())
    examples = writer.own_lines(said, lines)
    writer.add("前情", setting.summary)
    head = [part.text for part in writer.parts]
    notes = writer.notes()
    for lesson in lessons:
        writer.add("示范", f"{lesson.context}\n{lesson.chat}")
    used = sum(part.tokens for part in writer.parts) + LEFT_FREE
    turns = newest_that_fit((writer.turn(one) for one in reversed(said)), room - used)
    while True:
        shown = said[len(said) - len(turns) :]
        whole = len(shown) == len(said)
        request = _request(
            card,
            shown,
            head=head,
            notes=notes,
            user=user,
            setting=setting,
            novel=novel,
            whole=whole,
            lessons=lessons,
        )
        if len(turns) <= 1 or engine.prompt_tokens(request) <= room:
            break
        del turns[0]  # what stands between the parts was more than was left free
    return Prompt(
        request=request,
        parts=(*writer.parts, *turns),
        left_out=len(said) - len(turns),
        own=tuple(line.text for line in examples),
    )


@dataclass(kw_only=True)
class _Writer:
    """The parts of a prompt as they are written."""

    engine: Engine
    card: Card
    setting: Setting
    room: int
    novel: bool
    user: str
    parts: list[Part] = field(default_factory=list)

    def add(self, title: str, text: str, why: str = "") -> None:
        text = text.strip()
        if text:
            text += "。" if self.novel and text[-1] not in "。！？；…”’」）" else ""
            tokens = self.engine.count_tokens(text)
            self.parts.append(Part(title=title, text=text, tokens=tokens, why=why))

    def who(self, said: Sequence[Said], book: Lorebook) -> None:
        """Who they are, who they talk to, and what comes to mind."""
        setting, user = self.setting, self.user
        if setting.persona:
            self.add("人物", persona_of(self.card, user, self.novel))
        self.add("系统消息", setting.system_text)
        if setting.user_persona:
            persona = setting.user_persona
            self.add("你的角色", persona if self.novel else f"对方是{user}：{persona}")
        latest = [one.text for one in said]
        fired = recall(book, latest, as_of=setting.as_of, regex=setting.regex)
        for memory in within(fired, book.token_budget, self.engine.count_tokens):
            content = filled(memory.entry.content, self.card, user)
            self.add(f"世界书：{memory.entry.name}", content, memory.why)

    def own_lines(self, said: Sequence[Said], lines: OwnLines | None) -> list[Line]:
        """How they talk: lines of the book, else the examples of the card. Returns the lines."""
        card, setting = self.card, self.setting
        if lines is None:
            self._examples()
            return []
        shown: list[Line] = []
        if setting.examples and self.novel:
            latest = said[-1].text if said else ""
            question = next((one.text for one in reversed(said) if one.by_user), latest)
            shown = lines.nearest(question, setting.examples, novel=card.novel, as_of=setting.as_of)
        elif setting.examples:  # always the same before the turns, so that it is read once
            shown = lines.typical(setting.examples, novel=card.novel, as_of=setting.as_of)
        for line in shown:
            why = f"第{line.chapter}回，答“{line.asked[-20:]}”"
            self.add("本人的话", own_line(card, line.text, self.novel), why)
        return shown

    def _examples(self) -> None:
        room = self.room // EXAMPLES_SHARE
        shown = examples_of(self.card, self.user, self.novel) if self.setting.examples else []
        for example in shown:
            used = sum(part.tokens for part in self.parts if part.title == "例句")
            if self.engine.count_tokens(example) <= room - used:
                self.add("例句", example, "人物卡里的")

    def notes(self) -> list[str]:
        """What stands right before the reply; a model that writes prose is given no orders."""
        reminders = [] if self.novel else [("叮嘱", self.card.reminder)]
        found = [self._memories()]
        self.add("记得", found[0], "别的对话里说的")
        for title, text in (("作者注", self.setting.note), *reminders):
            found.append(filled(text, self.card, self.user).strip())
            self.add(title, found[-1])
        return [text for text in found if text]

    def _memories(self) -> str:
        """What they remember of the user. In the system message nobody heeds it: the name was told by one of six (docs/log.md)."""
        said = "".join(f"“{text}”" for text in self.setting.memories)
        told = f"{self.user}曾曰：{said}" if self.novel else f"对方以前说过自己：{said}"
        return told if said else ""

    def turn(self, one: Said) -> Part:
        text = _spoken(one, self.card, self.user, self.setting, self.novel)
        tokens = self.engine.count_tokens(text) + 4
        return Part(title=one.name or "叙述", text=text, tokens=tokens)


def persona_of(card: Card, user: str, novel: bool) -> str:
    """Who the character is, for a model that reads it; for one that follows orders how to answer as well, unless the card
    says that itself."""
    about = [
        filled(text, card, user)
        for text in (card.description, card.personality, card.scenario)
        if text.strip()
    ]
    if novel:
        return "".join(about)
    orders = filled(card.system, card, user) or persona(card.name, user)
    return "\n".join([orders, *about])


def system_text(card: Card, user: str, own: Sequence[str]) -> str:
    """What an instruct model is told before a conversation, where nothing else comes to mind: who it is and how they talk."""
    return "\n".join(
        [persona_of(card, user, novel=False), *(own_line(card, text, novel=False) for text in own)]
    )


def examples_of(card: Card, user: str, novel: bool) -> list[str]:
    """The conversations a card brings as examples; for a novel as a book has them."""
    shown = []
    for block in filled(card.examples, card, user).split("<START>"):
        lines = [line.strip() for line in block.strip().splitlines() if line.strip()]
        said = [_EXAMPLE.match(line) for line in lines]
        if novel:
            lines = [
                f"{s[1]}曰：“{s[2].strip('“”')}”" if s else line
                for line, s in zip(lines, said, strict=True)
            ]
        if lines:
            shown.append(("" if novel else "\n").join(lines))
    return shown


def names_who_answers(text: str) -> bool:
    """Do the user's words say themselves who speaks next (…孔明曰：)?"""
    return ends_with_cue(text)


def asked_of(user: str, card: Card, text: str) -> str:
    """Something said to the character, as a book has it."""
    return f"{user}问{card.cue or card.name}曰：“{text}”"


VIEW = "你怎么看？"
_ASKS = re.compile(
    r"[吗呢么谁哪几何]|怎么|怎样|什么|为啥|多少|还是|是否|能不能|会不会|要不要|可否|可曾|莫非|岂"
)
_ENDS = "。！？；…，、：”’」）.!?~～"


def put_plainly(text: str) -> str:
    """What the user writes, as an instruct model understands it: a question has its mark, and a bare heading (三国归晋) asks for
    an opinion. What has a mark at its end stays as it is."""
    text = text.strip()
    if not text or text[-1] in _ENDS or not re.search(r"[\u3400-\u9fff]", text):
        return text
    return f"{text}？" if _ASKS.search(text) else f"{text}。{VIEW}"


def own_line(card: Card, text: str, novel: bool) -> str:
    """One of the character's own lines, as it is shown to a model."""
    return f"{card.cue or card.name}曰：“{text}”" if novel else f"{card.name}说过：“{text}”"


def _spoken(one: Said, card: Card, user: str, setting: Setting, novel: bool) -> str:
    text = filled(one.text, card, user)
    if not novel or not one.name:
        return text
    if one.by_user:
        return asked_of(user, card, text) if setting.as_speech else text
    return f"{one.name}曰：“{text}”"


def _request(
    card: Card,
    said: Sequence[Said],
    *,
    head: Sequence[str],
    notes: Sequence[str],
    user: str,
    setting: Setting,
    novel: bool,
    whole: bool,
    lessons: Sequence[Exchange],
) -> Request:
    if novel:
        # One piece of prose: what a reader of the book would see, up to the cue of whoever answers.
        spoken = [_spoken(one, card, user, setting, True) for one in said]
        for note in notes:
            spoken.insert(max(0, len(spoken) - 1), note if note[-1:] in "。！？”" else f"{note}。")
        return Request(
            messages=(Message(role="user", content="".join([*head, *spoken])),),
            speaker=card.cue or card.name,
        )
    # Strict templates want one system message, then questions and answers in turn, a question first and last.
    messages: list[Message] = []
    for lesson in lessons:
        _add(messages, "user", lesson.context)
        _add(messages, "assistant", lesson.chat)
    if not said or _is_mine(said[0], card):
        messages.append(Message(role="user", content=SCENE_BEGINS if whole else LEFT_OUT))
    for one in said:
        mine, text = _is_mine(one, card), filled(one.text, card, user)
        text = put_plainly(text) if one.by_user else text
        named = text if mine or one.by_user or not one.name else f"{one.name}：{text}"
        _add(messages, "assistant" if mine else "user", named)
    for note in notes:
        _add(messages, "user", f"（{note}）")
    if messages and messages[-1].role == "assistant":
        _add(messages, "user", GOES_ON)
    system = [Message(role="system", content="\n".join(head))] if head else []
    return Request(messages=(*system, *messages), speaker=card.name)


def _is_mine(one: Said, card: Card) -> bool:
    return one.name == card.name and not one.by_user


def _add(messages: list[Message], role: Literal["user", "assistant"], text: str) -> None:
    if messages and messages[-1].role == role:
        text = f"{messages.pop().content}\n{text}"
    messages.append(Message(role=role, content=text))
