"""The one place where messages become token ids and a loss mask, in training and in serving.

Two kinds. `novel` is for base models: running prose in the book's own form,

    <bos> 博物馆大火，救名画还是救猫？孔明曰： “……” <eos>

and a reply ends at its closing mark. `template` is for instruct models: their own chat template, with the character as
the system message. Prompts are normalised first, so that a stray space, a half-width comma or a traditional character
does not change the answer. Imports neither the corpus nor training; the tokenizer is handed in.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ..types import Message, Sample

OPEN, CLOSE = "“", "”"

_HAN = "\u3400-\u9fff\uf900-\ufaff"
_WIDE = str.maketrans(
    {",": "，", ":": "：", ";": "；", "?": "？", "!": "！", "(": "（", ")": "）", "｡": "。", "､": "、"}
)
_SAME_MARKS = str.maketrans({"「": "“", "」": "”", "『": "‘", "』": "’", "．": "。"})
_NARROW = {code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))}
_HALF_WIDTH = re.compile(r"(?<![A-Za-z0-9])[,:;?!()]|[,:;?!()](?![A-Za-z0-9])")
_FULL_STOP = re.compile(rf"(?<=[{_HAN}”])\.(?![A-Za-z0-9.])")
_CUE_END = re.compile(r"[曰道云言说问答叫喝骂叹谓告谏奏呼笑][^，。！？；：”]{0,4}：$")


@functools.lru_cache(maxsize=1)
def _to_simplified() -> Any:
    import opencc  # loads its dictionaries; not needed to start

    return opencc.OpenCC("t2s")


@functools.lru_cache(maxsize=4096)
def normalise(text: str) -> str:
    """One spelling for what readers take as the same: spacing, width, traditional characters, quotation marks.

    Spaces are kept only between Latin words. Idempotent.
    """
    text = text.translate(_NARROW).translate(_SAME_MARKS)
    if not re.search(rf"[{_HAN}]", text):
        return _spaces(text)
    text = _spaces(_pair_straight_marks(_to_simplified().convert(text)))
    text = _spaces(_HALF_WIDTH.sub(lambda mark: mark.group().translate(_WIDE), text))
    return _spaces(_FULL_STOP.sub("。", text))


def _spaces(text: str) -> str:
    """At most one blank, and only between two ASCII characters."""
    text = re.sub(r"[\s\u200b\ufeff]+", " ", text).strip()
    return re.sub(r"(?<![!-~]) | (?![!-~])", "", text)


def _pair_straight_marks(text: str) -> str:
    parts = re.split('["＂]', text)
    return "".join(part + (OPEN if i % 2 == 0 else CLOSE) for i, part in enumerate(parts[:-1])) + parts[-1]


def ends_with_cue(text: str) -> bool:
    """Does the text already say who speaks next (…孔明曰：)?"""
    return bool(_CUE_END.search(normalise(text)))


def cued(text: str, speaker: str) -> str:
    """Normalised text with 某某曰： behind it, unless it ends with a cue of its own or nobody is to speak."""
    text = normalise(text)
    if not speaker or ends_with_cue(text):
        return text
    return f"{text}{'' if not text or text[-1] in '。！？；”…' else '。'}{normalise(speaker)}曰："


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """Token ids of one training example; the loss counts `ids[reply_start:]`."""

    ids: tuple[int, ...]
    reply_start: int
    cut: bool = False
    """True when tokens were cut away to fit."""


class ChatFormat(Protocol):
    """How one kind of model is spoken to."""

    kind: Literal["novel", "template"]

    def encode(self, sample: Sample, cutoff_len: int) -> Encoded:
        """A training example of at most `cutoff_len` tokens that always ends with the end token."""

    def prompt(self, messages: Sequence[Message], speaker: str) -> list[int]:
        """Token ids up to where `speaker`'s reply begins."""

    def is_complete(self, text: str) -> bool:
        """Has a reply, decoded so far, ended by its own mark?"""

    def reply(self, text: str) -> str:
        """What to show of a decoded reply, finished or not."""


class NovelFormat:
    """Running prose: 某某曰：“…”."""

    kind: Literal["novel", "template"] = "novel"

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._bos = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False).input_ids
        return ids

    def encode(self, sample: Sample, cutoff_len: int) -> Encoded:
        context = self._ids(normalise(sample.context))
        reply = [*self._ids(_quoted(normalise(sample.chat))), self._tokenizer.eos_token_id]
        return _fit(self._bos, context, reply, cutoff_len)

    def prompt(self, messages: Sequence[Message], speaker: str) -> list[int]:
        ids = list(self._bos)
        for index, message in enumerate(messages):
            if message.role == "assistant":
                ids += self._ids(_quoted(normalise(message.content)))
            else:
                answer = messages[index + 1].name if index + 1 < len(messages) else speaker
                ids += self._ids(cued(message.content, answer))
        return ids

    def is_complete(self, text: str) -> bool:
        return CLOSE in text

    def reply(self, text: str) -> str:
        return text.lstrip().removeprefix(OPEN).split(CLOSE, 1)[0]


class TemplateFormat:
    """The base model's own chat template, with the character as its system message."""

    kind: Literal["novel", "template"] = "template"

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def _ids(self, messages: list[dict[str, str]], **options: Any) -> list[int]:
        text = self._tokenizer.apply_chat_template(messages, tokenize=False, **options)
        ids: list[int] = self._tokenizer(text, add_special_tokens=False).input_ids
        return ids

    def encode(self, sample: Sample, cutoff_len: int) -> Encoded:
        asked = self._turns([Message(role="user", content=sample.context)], sample.mention or sample.speaker)
        answer = {"role": "assistant", "content": self.reply(sample.chat)}
        prompt = self._ids(asked, add_generation_prompt=True)
        whole = self._ids([*asked, answer])
        if self._tokenizer.eos_token_id in whole[len(prompt) :]:  # nothing to learn behind the end of the turn
            whole = whole[: len(whole) - whole[::-1].index(self._tokenizer.eos_token_id)]
        start = next((i for i, pair in enumerate(zip(prompt, whole, strict=False)) if pair[0] != pair[1]), len(prompt))
        return _fit([], whole[:start], whole[start:], cutoff_len)

    def prompt(self, messages: Sequence[Message], speaker: str) -> list[int]:
        return self._ids(self._turns(messages, speaker), add_generation_prompt=True)

    def _turns(self, messages: Sequence[Message], speaker: str) -> list[dict[str, str]]:
        turns = [{"role": m.role, "content": m.content.strip()} for m in messages]
        persona = f"你是{speaker}，用{speaker}的口吻说话。"
        return [{"role": "system", "content": persona}, *turns] if speaker else turns

    def is_complete(self, text: str) -> bool:
        return False  # its end-of-turn token says so

    def reply(self, text: str) -> str:
        return text.strip().removeprefix(OPEN).removesuffix(CLOSE)


def open_format(tokenizer: Any, kind: Literal["auto", "novel", "template"] = "auto") -> ChatFormat:
    """The format for a tokenizer; `auto` takes its chat template when it has one."""
    if kind == "auto":
        kind = "template" if getattr(tokenizer, "chat_template", None) else "novel"
    return TemplateFormat(tokenizer) if kind == "template" else NovelFormat(tokenizer)


def _quoted(text: str) -> str:
    return text if text.startswith(OPEN) else f"{OPEN}{text}{CLOSE}"


def _fit(bos: list[int], context: list[int], reply: list[int], cutoff_len: int) -> Encoded:
    """Cut the context from its beginning, then the reply before its last token: the end token is always learnt."""
    room = cutoff_len - len(bos) - len(reply)
    if room < 0:
        reply = [*reply[: cutoff_len - len(bos) - 1], reply[-1]]
    kept = context[max(0, len(context) - max(0, room)) :] if room > 0 else []
    return Encoded(
        ids=(*bos, *kept, *reply), reply_start=len(bos) + len(kept), cut=len(kept) < len(context) or room < 0
    )
