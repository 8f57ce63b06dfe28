"""Frozen data types that the packages exchange. They have no behaviour and import nothing of this project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, kw_only=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str
    name: str = ""
    """Who speaks: the cue a novel would use, such as 孔明."""


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One quotation of a novel."""

    novel: str
    chapter: int
    """Number of the chapter, from 1 in reading order; 0 is text before the first heading."""
    offset: int
    """Character offset of the opening mark in the novel's text."""
    end: int
    """Offset after the closing mark."""
    context: str
    """The narration before the quotation, ending with the cue (…曹洪曰：)."""
    quote: str
    """The quotation with its marks."""
    kind: str = "speech"
    """speech · thought · verse · writing · name (an epithet, a title, a word in marks)"""
    mention: str = ""
    """The words the text uses for the speaker; empty when none was found."""
    speaker: str = ""
    """Canonical name; 群体 for a crowd, 某人 for somebody unnamed; '' where nobody was found."""
    addressee: str = ""
    """Whom it is said to, where the cue says so."""
    rule: str = ""
    """What gave the speaker."""
    confidence: float = 0.0
    """How often that rule is right, 0–1."""


@dataclass(frozen=True, kw_only=True)
class DialogueTurn:
    """One reply of a dialogue and what leads up to it."""

    speaker: str
    cue: str
    """Narration before the reply, ending with the cue."""
    text: str
    """The reply, without its outer marks."""
    mention: str = ""
    """The words the cue uses for the speaker."""


@dataclass(frozen=True, kw_only=True)
class Dialogue:
    """Consecutive utterances of one scene."""

    novel: str
    chapter: int
    offset: int
    scene: str
    """Narration before the first turn."""
    turns: tuple[DialogueTurn, ...]


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A context and the reply to it."""

    context: str
    chat: str
    speaker: str = ""
    mention: str = ""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One row to learn from: a context and the reply to it, and where it is a conversation what came before."""

    context: str
    chat: str
    earlier: tuple[Exchange, ...] = ()
    """Earlier exchanges of the same conversation; their replies are learnt as well."""
    persona_prefix: str = ""
    """Stands before everything and gives way to nothing: who speaks, and how. Only what is over three quarters of the room goes."""
    speaker: str = ""
    mention: str = ""
    source: str = ""
    """Where it was read: file:line."""
    unanswered: str = ""
    """A last question of the row that nobody answers; there is nothing to learn of it, and it is counted."""


@dataclass(frozen=True, kw_only=True)
class Character:
    """Somebody to talk to."""

    name: str
    """Canonical name, shown to people."""
    cue: str
    """What the book calls them before 曰 or 道."""
    utterances: int = 0


@dataclass(frozen=True, kw_only=True)
class Portrait:
    """What a corpus knows of one of its people."""

    name: str
    cue: str
    utterances: int
    aliases: tuple[str, ...]
    """Other names the book uses."""
    chapters: int
    """In how many chapters they speak."""
    speaks_to: tuple[tuple[str, int], ...]
    """Whom they speak to or answer most, with how often."""
    openings: tuple[str, ...]
    """How they like to begin."""


@dataclass(frozen=True, kw_only=True)
class GenerateOptions:
    """How a reply is drawn."""

    max_new_tokens: int = 128
    """Longest reply, in tokens."""
    do_sample: bool = True
    """Draw from the distribution instead of taking the likeliest token."""
    temperature: float = 0.8
    top_p: float = 0.9
    top_k: int = 40
    num_beams: int = 1
    """Beam search width; above 1 the reply appears at once when it is complete."""
    repetition_penalty: float = 1.1
    seed: int | None = None
    """Same seed, same prompt, same options: same reply."""
    afresh: bool = True
    """With a seed the whole prompt is read anew, so that the last digits are the same too. False reads no part of it twice:
    the reply is the same as long as what came before is."""
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    stop: tuple[str, ...] = ()
    """Texts that end the reply; they are not part of it."""
    dry_multiplier: float = 0.0
    """Against going round in circles: how much a token is held back that would go on repeating what was just said, as llama.cpp's
    sampler DRY counts it; 0 not at all."""
    logprobs: int | None = None
    """How many alternatives to tell of at every token; None for no log probabilities at all."""
    as_written: bool = False
    """Quotation marks around the reply are kept: it is prose, not what somebody says."""
    json_schema: str = ""
    """The reply is JSON that this schema allows."""
    grammar: str = ""
    """The reply is one of this grammar, in llama.cpp's GBNF."""
    logit_bias: tuple[tuple[str, float], ...] = ()
    """Pieces of text and what is added to their logits, where a piece is one token of the model's; others are passed over."""
    strength: float = 1.0
    """How strongly what was learnt is laid over the base: 0 not at all, 1 as it was learnt."""


@dataclass(frozen=True, kw_only=True)
class TokenChoice:
    """A token of a reply and what else could have stood there."""

    token: str
    """Its text; of a character that has several tokens it is the last one's."""
    logprob: float
    data: bytes
    """Its own bytes in UTF-8, half a character's too; none where they are not known."""
    alternatives: tuple[TokenChoice, ...] = ()
    """Likeliest tokens, the likeliest first."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A finished reply."""

    text: str
    """Without the quotation marks around it, unless it was asked for as written."""
    prompt_tokens: int
    completion_tokens: int
    finish_reason: Literal["stop", "length", "cancelled"]
    logprob: float | None = None
    """Sum of the log probabilities of the reply's tokens, where the engine computed it."""
    annotations: tuple[Mapping[str, Any], ...] = ()
    """What it stands on, as OpenAI's annotations of a message."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """How likely a given text is under a model."""

    logprob: float
    """Sum of natural log probabilities."""
    tokens: int


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to answer, and as whom."""

    messages: tuple[Message, ...] = ()
    speaker: str = ""
    """Cue of the character who answers; empty when the last message ends with a cue of its own."""
    text: str = ""
    """Instead of messages: a text to be gone on with as it is."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A reply while it grows: the text so far, and the finished reply with the last piece."""

    text: str
    reply: Reply | None = None
    tokens: tuple[TokenChoice, ...] = ()
    """Tokens that came with this piece, where log probabilities were asked for."""


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """The sizes of a decoder-only language model."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    tied: bool
    """Input embedding and output head are one matrix."""
    gated: bool = True
    """Three matrices in the MLP instead of two."""
    norms: int = 2
    """Normalizations of the hidden state in a layer."""
    qk_norm: bool = False
    """Queries and keys are normalized."""
