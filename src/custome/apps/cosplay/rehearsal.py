"""Scenes to learn from, set up the way they are played: who speaks and how they talk stands in front, as in every prompt.

A model that has only read scenes takes a persona in front of one for more of the story. Knows samples and cards, no model.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from ...types import Exchange, Sample
from .casting import Company
from .prompt import GUEST, own_line, persona_of

EXAMPLES = 2
ASKED_AS_GUEST = 0.5
"""Share of the introduced samples that are cut down to one question, asked as the user's are."""


def rehearsed(samples: Sequence[Sample], company: Company, *, share: float, cutoff_len: int, seed: int) -> list[Sample]:
    """The samples, `share` of them with who answers in front.

    Args:
        cutoff_len: tokens of a sample; about as many characters. Exchanges that do not fit are left out from the oldest,
            so that the introduction stays.
    """
    dice = random.Random(seed)
    return [
        _introduced(sample, company, cutoff_len, dice) if dice.random() < share and company.lines(sample.speaker) else sample
        for sample in samples
    ]  # fmt: skip


def _introduced(sample: Sample, company: Company, cutoff_len: int, dice: random.Random) -> Sample:
    card = company.card(sample.speaker)
    exchanges = [
        *sample.earlier,
        Exchange(context=sample.context, chat=sample.chat, speaker=sample.speaker, mention=sample.mention),
    ]
    asked = exchanges[-2].chat.strip("“”") if len(exchanges) > 1 and exchanges[-2].speaker != sample.speaker else ""
    within = {one.chat.strip("“”") for one in exchanges}
    near = company.own_lines(card.name).nearest(asked or sample.context, EXAMPLES + len(exchanges), novel=card.novel)
    shown = [own_line(card, line.text, novel=True) for line in near if line.text not in within][:EXAMPLES]
    front = "".join([persona_of(card, GUEST, novel=True), *shown])
    if asked and dice.random() < ASKED_AS_GUEST:
        return replace(
            sample, earlier=(), context=f"{front}{GUEST}问{card.cue}曰：“{asked}”{card.cue}曰：", mention=card.cue
        )
    room = cutoff_len - len(front)
    told: list[Exchange] = []
    for one in reversed(exchanges):
        room -= len(one.context) + len(one.chat)
        if told and room < 0:
            break
        told.insert(0, one)
    told[0] = replace(told[0], context=front + told[0].context.lstrip("，。！？；："))
    return replace(sample, earlier=tuple(told[:-1]), context=told[-1].context)
