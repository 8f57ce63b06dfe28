"""What a run learns from and is looked at with: samples, running text, probe and questions → token ids, first of the full
vocabulary, then of one cut to what is used. Knows tokenizers, not weights.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config import Recipe
from ..corpus.dataset import HasSpeaker, characters
from ..corpus.text import Novel
from ..errors import DataError
from ..models import vocab
from ..models.chat_format import ChatFormat, open_format, persona
from ..models.loading import load_tokenizer
from ..reporter import Reporter
from ..types import Character, Request, Sample
from .data import (
    EncodedSet,
    Example,
    data_fingerprint,
    encode_samples,
    encode_text,
    hold_out,
    lines_of_text,
)
from .watch import probe_examples, put_to, questions

PrepareSamples = Callable[
    [Sequence[Sample], Sequence[Sample], str], tuple[list[Sample], list[Sample]]
]
"""Training and validation samples → the same as they are played, for a model of this kind (novel, template)."""


@dataclass(frozen=True, kw_only=True)
class EncodedData:
    """Training, validation and probe data of a run as token ids."""

    tokenizer: Any
    chat_format: ChatFormat
    train: EncodedSet
    valid: EncodedSet
    text: EncodedSet
    """Running text for the first stage."""
    probe: EncodedSet
    """Everyday Chinese that should not be forgotten."""
    self_replay: EncodedSet
    """Everyday Chinese the base wrote itself, learnt beside the dialogue."""
    people: tuple[Character, ...]
    vocab_ids: tuple[int, ...] | None = None
    """Tokens of a trimmed vocabulary."""

    @property
    def examples(self) -> list[Example]:
        """All to learn from: text, dialogue, replay_texts Chinese."""
        return [*self.text.examples, *self.train.examples, *self.self_replay.examples]

    @property
    def asked(self) -> list[tuple[str, str]]:
        """The questions of every evaluation, with who is asked."""
        return questions(self.people)

    @property
    def fingerprint(self) -> str:
        return data_fingerprint(
            self.train, self.valid, *(one for one in (self.text, self.self_replay) if one.examples)
        )


def encode(
    recipe: Recipe,
    base_folder: Path,
    *,
    train_samples: list[Sample],
    valid_samples: list[Sample],
    novels: list[Novel],
    replay_texts: Sequence[str],
    prepare_samples: PrepareSamples | None,
    reporter: Reporter,
) -> EncodedData:
    """Everything in the tokens of the full vocabulary."""
    tokenizer, cutoff = load_tokenizer(base_folder), recipe.data.cutoff_len
    model = recipe.model
    chat_format = open_format(tokenizer, model.chat_format, model.base_model)
    if prepare_samples is not None:
        train_samples, valid_samples = prepare_samples(
            train_samples, valid_samples, chat_format.kind
        )
    if chat_format.kind == "template":
        train_samples, valid_samples = (
            [_told_who(one) for one in some] for some in (train_samples, valid_samples)
        )
    train, valid = (
        encode_samples(
            samples,
            chat_format,
            cutoff_len=cutoff,
            whole_text=recipe.data.train_on_inputs,
            reporter=reporter,
            title=title,
        )
        for samples, title in ((train_samples, "训练集"), (valid_samples, "验证集"))
    )
    text = encode_text([(n.name, n.text) for n in novels], tokenizer, cutoff_len=cutoff)
    if not train_samples:
        text, valid = hold_out(text, recipe.data.val_set_size, recipe.train.seed)
    if not train.examples and not text.examples:
        raise DataError(
            f"{', '.join(recipe.data.text_paths)!r} 里没有够练的文字",
            "换一本长一些的书，或减小 --cutoff-len",
        )
    for note in (
        _describe(train, valid, text, cutoff),
        *_not_learnt(train_samples, len(valid), chat_format.kind),
    ):
        reporter.note(note)
    spoken: list[HasSpeaker] = []
    for sample in train_samples:
        spoken += [*sample.earlier, sample]
    return EncodedData(
        tokenizer=tokenizer,
        chat_format=chat_format,
        train=train,
        valid=valid,
        text=text,
        probe=probe_examples(tokenizer, cutoff),
        self_replay=lines_of_text(replay_texts, tokenizer, cutoff, "底座写的日常中文"),
        people=tuple(characters(spoken)),
    )


def _told_who(sample: Sample) -> Sample:
    """With the system text that a request to the same person has, where the data brings none."""
    name = sample.speaker or sample.mention
    return (
        sample
        if sample.persona_prefix or not name
        else dataclasses.replace(sample, persona_prefix=persona(name))
    )


def trimmed(
    encoded_data: EncodedData, rows: int, reporter: Reporter, also: Sequence[Request] = ()
) -> EncodedData:
    """The same in the tokens of a vocabulary cut to what it uses.

    Args:
        also: what will be asked beside its own questions.
    """
    sets = {
        name: getattr(encoded_data, name)
        for name in ("train", "valid", "text", "probe", "self_replay")
    }
    used = {
        number
        for encoded in sets.values()
        for example in encoded.examples
        for number in example.ids
    }
    own = [put_to(text, cue, encoded_data.chat_format.kind) for text, cue in encoded_data.asked]
    for request in (*own, *also):
        used.update(encoded_data.chat_format.prompt(request.messages, request.speaker))
    tokenizer, smaller = vocab.trim(encoded_data.tokenizer, used, rows)
    reporter.note(
        f"词表裁到 {len(smaller.vocab_ids):,}（原 {rows:,}，语料用到 {len(used):,}）；适配器照样装在完整底座上"
    )
    return dataclasses.replace(
        encoded_data,
        tokenizer=tokenizer,
        chat_format=open_format(tokenizer, encoded_data.chat_format.name),
        vocab_ids=smaller.vocab_ids,
        **{name: encoded.renumbered(smaller.renumbered) for name, encoded in sets.items()},
    )


def _not_learnt(samples: Sequence[Sample], held_out: int, kind: str) -> list[str]:
    """What of the rows is dropped or changed, by kind, for people to know."""
    counts = (
        (
            "条的最后一句没有人回答，这一句学不到",
            sum(bool(sample.unanswered) for sample in samples),
        ),
        (
            "条的回答里有换行，小说体里连成一段",
            sum("\n" in sample.chat.strip() for sample in samples) if kind == "novel" else 0,
        ),
    )
    summary = [f"{count:,} {what}" for what, count in counts if count]
    return (
        summary
        if held_out or not samples
        else [*summary, "样本太少，没有留出验证：不报验证损失，用最后一步的权重"]
    )


def _describe(
    train_set: EncodedSet, valid_set: EncodedSet, text_set: EncodedSet, cutoff_len: int
) -> str:
    tokens = sum(len(e.ids) for e in train_set.examples)
    labelled = sum(e.labelled for e in train_set.examples)
    cut = train_set.cut + valid_set.cut
    text = (
        f"原文 {len(text_set):,} 段、{sum(len(e.ids) for e in text_set.examples):,} token；"
        if len(text_set)
        else ""
    )
    return text + (
        f"训练 {len(train_set):,} 条、验证 {len(valid_set):,} 条；{tokens:,} token，其中 {labelled:,} 计损失；"
        f"超过 {cutoff_len} token 被截短的 {cut:,} 条"
    )
