"""Scenes to learn from, set up the way they are played: who speaks and how they talk stands in front, as in every prompt.

A model that has only read scenes takes a persona in front of one for more of the story. Knows samples and cards, no model.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from ...types import Exchange, Sample
from .casting import Company
from .prompt import GUEST, asked_of, own_line, persona_of

EXAMPLES = 2
ASKED_AS_GUEST = 0.5
"""Share of the prefixed samples that are cut down to one question, asked as the user's are."""


def with_persona_prefix(
    samples: Sequence[Sample], company: Company, *, share: float, novel: bool, seed: int
) -> list[Sample]:
    """The samples, `share` of them with who answers in front, where the book tells enough of them.

    Args:
        novel: for a model that writes prose; else for one that is told in a system message.
    """
    dice = random.Random(seed)
    return [
        _with_prefix(one, company, novel, dice) if dice.random() < share else one for one in samples
    ]


def _with_prefix(sample: Sample, company: Company, novel: bool, dice: random.Random) -> Sample:
    if not company.lines(sample.speaker):
        return sample
    card = company.card(sample.speaker, with_facts=novel)
    before = (
        sample.earlier[-1]
        if sample.earlier and sample.earlier[-1].speaker != sample.speaker
        else Exchange(context="", chat="")
    )
    asked, within = (
        _bare(before.chat),
        {_bare(sample.chat), *(_bare(one.chat) for one in sample.earlier)},
    )
    lines, most = company.own_lines(card.name), EXAMPLES + len(within)
    near = (
        lines.nearest(asked or sample.context, most, novel=card.novel)
        if novel
        else lines.typical(most)
    )
    shown = [own_line(card, line.text, novel) for line in near if line.text not in within][
        :EXAMPLES
    ]
    if len(shown) < EXAMPLES:
        return sample
    front = ("" if novel else "\n").join([persona_of(card, GUEST, novel), *shown])
    if asked and dice.random() < ASKED_AS_GUEST:
        question = f"{asked_of(GUEST, card, asked)}{card.cue}曰：" if novel else asked
        return replace(sample, earlier=(), persona_prefix=front, context=question, mention=card.cue)
    return replace(sample, persona_prefix=front)


def _bare(quotation: str) -> str:
    return quotation.strip("“”")
