"""The one place where messages become token ids and a loss mask, in training and in serving.

Two kinds. `novel` is for base models: running prose in the book's own form,

    <bos> 博物馆大火，救名画还是救猫？孔明曰： “……” <eos>

and a reply ends at its closing mark. A prefix language model (ChatGLM-6B) has marks of its own between context and reply
instead of <bos>, and learns the last reply of a conversation only. `template` is for instruct models: their own chat template,
with the request's system text; nothing is added to it here. Prompts are normalised first, so that a stray space, a half-width comma or a traditional character
does not change the answer. Imports neither the corpus nor training; the tokenizer is handed in.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, Protocol

from jinja2 import TemplateError

from ..errors import InputError
from ..model_catalog import listed_format
from ..types import Exchange, Message, Sample
from .chat_template import give_template
from .encoded import Encoded, fit, with_earlier
from .normalisation import CLOSE, OPEN, SENTENCE_ENDS, after_opening, closing_of, normalise

_CUE_END = re.compile(r"(?<![请要想])[曰道云言说喝骂叹笑叫喊]：$")


def ends_with_cue(text: str) -> bool:
    """Does the text already say who speaks next (…孔明曰：)?"""
    return bool(_CUE_END.search(normalise(text)))


def cued(text: str, speaker: str) -> str:
    """Normalised text with 某某曰： behind it, unless it ends with a cue of its own or nobody is to speak."""
    text = normalise(text)
    if not speaker or ends_with_cue(text):
        return text
    return f"{text}{'' if not text or text[-1] in SENTENCE_ENDS else '。'}{normalise(speaker)}曰："


def text_ids(tokenizer: Any, text: str) -> list[int]:
    """Token ids of what people, books and data say: a control token written in it is text and controls nothing."""
    ids: list[int] = []
    for piece in _harmless(tokenizer, text).split(_BREAK):
        ids += tokenizer(piece, add_special_tokens=False).input_ids
    return ids


_BREAK = "\ue0fb"
"""Put into a control token that somebody wrote: where a text is taken apart before it is encoded. Of the private use area."""


def _harmless(tokenizer: Any, text: str) -> str:
    """The text with a break inside every control token written in it."""
    marks = _control_marks(tokenizer)
    text = text.replace(_BREAK, "")
    return marks.sub(lambda found: found[0][0] + _BREAK + found[0][1:], text) if marks else text


def _control_marks(tokenizer: Any) -> re.Pattern[str] | None:
    """How a tokenizer's control tokens are written; looked up once."""
    if tokenizer not in _marks_of:
        added = tokenizer.added_tokens_decoder.values()
        written = sorted(
            (one.content for one in added if one.special and len(one.content) > 1),
            key=len,
            reverse=True,
        )
        _marks_of[tokenizer] = re.compile("|".join(map(re.escape, written))) if written else None
    return _marks_of[tokenizer]


_marks_of: weakref.WeakKeyDictionary[Any, re.Pattern[str] | None] = weakref.WeakKeyDictionary()


def plain_prompt(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a text to be gone on with as it is."""
    begin = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    return [*begin, *tokenizer(text, add_special_tokens=False).input_ids]


def persona(name: str, asker: str = "客") -> str:
    """What an instruct model is told of whom it is and how to answer, where nobody says it otherwise."""
    return (
        f"你就是{name}，正和{asker}当面说话。用{name}的口吻，一两句话，直接回答对方；"
        "不复述自己的来历，不替别人说话，不分点，不说自己是人工智能。"
    )


def novel_text(messages: Sequence[Message], speaker: str) -> str:
    """A conversation as running prose, up to where `speaker`'s reply begins."""
    return "".join(_novel_parts(messages, speaker))


def _novel_parts(messages: Sequence[Message], speaker: str) -> Iterator[str]:
    for index, message in enumerate(messages):
        if message.role == "assistant":
            yield _quoted(normalise(message.content))
        elif message.role == "system":
            yield normalise(message.content)
        else:
            last = index + 1 == len(messages)
            yield cued(message.content, speaker if last else messages[index + 1].name)
    if speaker and messages and messages[-1].role != "user":
        yield cued("", speaker)


class ChatFormat(Protocol):
    """How one kind of model is spoken to."""

    kind: Literal["novel", "template"]
    name: str
    """What `open_format` makes the same one of: the kind, or the template's name in the list."""

    def encode(self, sample: Sample, cutoff_len: int) -> Encoded:
        """A training example of at most `cutoff_len` tokens that always ends with the end token.

        A conversation that is too long loses its first exchanges; what then is still too long loses the beginning of
        its context.
        """

    def prompt(self, messages: Sequence[Message], speaker: str) -> list[int]:
        """Token ids up to where `speaker`'s reply begins."""

    def is_complete(self, text: str) -> bool:
        """Has a reply, decoded so far, ended by its own mark?"""

    def kept(self, text: str) -> list[tuple[int, int]]:
        """Where the parts of a decoded reply, finished or not, begin and end that are shown."""

    def reply(self, text: str) -> str:
        """What to show of a decoded reply: what is kept of it, character for character."""


class NovelFormat:
    """Running prose: 某某曰：“…”."""

    kind: Literal["novel", "template"] = "novel"
    name = "novel"

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._before_reply: list[int] = getattr(tokenizer, "before_reply", [])
        self._bos = (
            [] if self._before_reply or tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
        )

    def _ids(self, text: str) -> list[int]:
        return text_ids(self._tokenizer, text)

    def encode(self, sample: Sample, cutoff_len: int) -> Encoded:
        prefix = [*self._bos, *self._ids(normalise(sample.persona_prefix))[: cutoff_len * 3 // 4]]
        context = self._ids(normalise(sample.context))
        reply = [*self._ids(_quoted(normalise(sample.chat))), self._tokenizer.eos_token_id]
        last = fit(prefix, context, [*self._before_reply, *reply], cutoff_len)
        parts = [
            (self._ids(normalise(e.context)), self._ids(_quoted(normalise(e.chat))))
            for e in sample.earlier
        ]
        whole = with_earlier(last, len(prefix), parts, cutoff_len)
        if not self._before_reply:
            return whole
        start, end = whole.replies[-1]
        return replace(whole, replies=((start + len(self._before_reply), end),))

    def prompt(self, messages: Sequence[Message], speaker: str) -> list[int]:
        parts = [self._ids(part) for part in _novel_parts(messages, speaker)]
        return [*self._bos, *(token for part in parts for token in part), *self._before_reply]

    def is_complete(self, text: str) -> bool:
        return CLOSE in text

    def kept(self, text: str) -> list[tuple[int, int]]:
        begin = after_opening(text)
        end = text.find(CLOSE, begin)
        return [(begin, len(text) if end < 0 else end)]

    def reply(self, text: str) -> str:
        return _outer_marks("".join(text[begin:end] for begin, end in self.kept(text)))


class TemplateFormat:
    """The base model's own chat template and nothing beside it: who speaks is in the request's system messages, which become one
    (or, where the template knows none, the head of the first question)."""

    kind: Literal["novel", "template"] = "template"

    def __init__(self, tokenizer: Any, name: str = "template") -> None:
        self._tokenizer, self.name = tokenizer, name
        self._has_system = True
        try:
            self._render([{"role": "system", "content": "s"}, {"role": "user", "content": "u"}])
        except TemplateError:
            self._has_system = False

    def _ids(self, messages: list[dict[str, str]], **options: Any) -> list[int]:
        try:
            text = self._render(messages, **options)
        except TemplateError as error:
            raise InputError(
                f"这个底座的对话模板不接受这段对话：{error}",
                "问和答要一人一句，从问开始，system 只在最前面",
            ) from error
        ids: list[int] = []
        for piece in text.split(_BREAK):
            ids += self._tokenizer(piece, add_special_tokens=False).input_ids
        return ids

    def _render(self, messages: list[dict[str, str]], **options: Any) -> str:
        text: str = self._tokenizer.apply_chat_template(
            messages, tokenize=False, enable_thinking=False, **options
        )
        return text

    def encode(self, sample: Sample, cutoff_len: int) -> Encoded:
        exchanges = _as_one_person(sample)
        prefix = (
            [Message(role="system", content=sample.persona_prefix)] if sample.persona_prefix else []
        )
        for first in range(len(exchanges)):
            encoded = self._encode(exchanges[first:], cutoff_len, prefix)
            if not encoded.cut:
                return replace(encoded, cut=first > 0)
        words = self._tokenizer(exchanges[-1].context, add_special_tokens=False).input_ids
        over = len(self._encode(exchanges[-1:], 10**9, prefix).ids) - cutoff_len
        shorter = self._tokenizer.decode(
            words[min(over, len(words)) :]
        )  # the question gives way, never the persona
        last = [Exchange(context=shorter, chat=sample.chat)]
        return replace(self._encode(last, cutoff_len, prefix), cut=True)

    def _encode(
        self, exchanges: Sequence[Exchange], cutoff_len: int, prefix: Sequence[Message]
    ) -> Encoded:
        messages = list(prefix)
        replies: list[tuple[int, int]] = []
        whole: list[int] = []
        ended = False  # by us, where the template does not
        for exchange in exchanges:
            if ended:
                whole, replies[-1] = whole[:-1], (replies[-1][0], replies[-1][1] - 1)
            messages.append(Message(role="user", content=exchange.context))
            prompt, before = self._ids(self._turns(messages), add_generation_prompt=True), whole
            said = _lines(exchange.chat)
            messages.append(
                Message(role="assistant", content=said[1:-1] if _in_one_pair(said) else said)
            )
            whole = self._ids(self._turns(messages))
            end = self._tokenizer.eos_token_id
            if end in whole[len(prompt) :]:  # nothing to learn behind the end of the turn
                whole = whole[: len(whole) - whole[::-1].index(end)]
            elif self._tokenizer.decode(whole).rstrip().endswith(messages[-1].content):
                whole, ended = (
                    [*whole, end],
                    True,
                )  # GLM-4's ends no turn; the last reply must all the same
            start = next(
                (
                    i
                    for i, pair in enumerate(zip(prompt, whole, strict=False))
                    if pair[0] != pair[1]
                ),
                len(prompt),
            )
            replies = [
                (a, b) for a, b in replies if whole[:b] == before[:b]
            ]  # a template may tell the past otherwise
            replies.append((start, len(whole)))
        start = replies[-1][0]
        last = fit([], whole[:start], whole[start:], cutoff_len)
        return last if last.cut else replace(last, replies=tuple(replies))

    def prompt(self, messages: Sequence[Message], speaker: str) -> list[int]:
        return self._ids(self._turns(messages), add_generation_prompt=True)

    def _turns(self, messages: Sequence[Message]) -> list[dict[str, str]]:
        said = [(m.role, _harmless(self._tokenizer, _lines(m.content))) for m in messages]
        system = [
            text for role, text in said if role == "system"
        ]  # one, and in front: many templates know no other
        turns = [{"role": role, "content": text} for role, text in said if role != "system"]
        words = "\n".join(system)
        if not words or not turns:
            return turns or [{"role": "user", "content": words}]
        if self._has_system:
            return [{"role": "system", "content": words}, *turns]
        return [
            {"role": turns[0]["role"], "content": f"{words}\n{turns[0]['content']}"},
            *turns[1:],
        ]

    def is_complete(self, text: str) -> bool:
        return False  # its end-of-turn token says so

    def kept(self, text: str) -> list[tuple[int, int]]:
        """Without the mark it begins with and the one that closes it; a growing reply only ever gets longer."""
        begin, end = len(text) - len(text.lstrip()), len(text.rstrip())
        if not text.startswith(OPEN, begin):
            return [(begin, max(begin, end))]
        closing = closing_of(text, begin)
        return [(begin + 1, end)] if closing < 0 else [(begin + 1, closing), (closing + 1, end)]

    def reply(self, text: str) -> str:
        return "".join(text[begin:end] for begin, end in self.kept(text))


def _as_one_person(sample: Sample) -> list[Exchange]:
    """A conversation of several people as one of them lives it: what the others say is part of the question."""
    exchanges: list[Exchange] = []
    heard = ""
    for exchange in (
        *sample.earlier,
        Exchange(context=sample.context, chat=sample.chat, speaker=sample.speaker),
    ):
        context = heard + exchange.context
        if exchange.speaker == sample.speaker:
            exchanges.append(
                Exchange(context=context, chat=exchange.chat, speaker=exchange.speaker)
            )
            heard = ""
        else:
            heard = context + exchange.chat
    return exchanges


def open_format(tokenizer: Any, name: str = "auto", base_model: str = "") -> ChatFormat:
    """The format for a tokenizer.

    Args:
        name: novel, template, or a name of data/chat_templates.json. `auto` takes the tokenizer's own template; where it has
            none, what the list of base models says of `base_model`; else novel.

    Raises:
        InputError: `template` is asked for and there is none, or a name nobody knows.
    """
    has_template = bool(getattr(tokenizer, "chat_template", None))
    if name == "template" and not has_template:
        raise InputError(
            "这个底座没有自带的对话模板", "改用 --chat-format novel（或 auto），或换一个对话类底座"
        )
    if name == "auto":
        name = "template" if has_template else listed_format(base_model) or "novel"
    if name == "novel":
        return NovelFormat(tokenizer)
    if name != "template":
        give_template(tokenizer, name)
    return TemplateFormat(tokenizer, name)


def _lines(text: str) -> str:
    """Normalised line by line."""
    return "\n".join(normalise(line) for line in text.strip().splitlines())


def _quoted(text: str) -> str:
    """A reply in its marks, so that the first closing mark is its end: marks inside become single ones, as in books."""
    bare = text[1:-1] if _in_one_pair(text) else text
    return f"{OPEN}{bare.translate(_INNER)}{CLOSE}"


_INNER = str.maketrans({OPEN: "‘", CLOSE: "’"})


def _in_one_pair(text: str) -> bool:
    """Is all of a text between one pair of marks?"""
    return text.startswith(OPEN) and closing_of(text, 0) == len(text) - 1


def _outer_marks(text: str) -> str:
    """A reply as it is shown, without marks around it: single marks inside it are double ones again."""
    shown, opened = [], 0
    for character in text:
        if character == "‘":
            opened += 1
            shown.append(OPEN)
        elif character == "’" and opened:  # else an apostrophe
            opened -= 1
            shown.append(CLOSE)
        else:
            shown.append(character)
    return "".join(shown)
