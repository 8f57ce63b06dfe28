"""A training example in tokens, cut to fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """Token ids of one training example and where its replies stand; the loss counts these."""

    ids: tuple[int, ...]
    replies: tuple[tuple[int, int], ...]
    """Start and end (exclusive) of every reply, in order; the last ends with the end token."""
    cut: bool = False
    """True when tokens were cut away to fit."""


def fit(bos: list[int], context: list[int], reply: list[int], cutoff_len: int) -> Encoded:
    """Cut the context from its beginning, then the reply before its last token: the end token is always learnt."""
    room = cutoff_len - len(bos) - len(reply)
    if room < 0:
        reply = [*reply[: cutoff_len - len(bos) - 1], reply[-1]]
    kept = context[max(0, len(context) - max(0, room)) :] if room > 0 else []
    ids = (*bos, *kept, *reply)
    return Encoded(
        ids=ids,
        replies=((len(bos) + len(kept), len(ids)),),
        cut=len(kept) < len(context) or room < 0,
    )


def with_earlier(
    last: Encoded, bos: int, parts: Sequence[tuple[list[int], list[int]]], cutoff_len: int
) -> Encoded:
    """As many whole earlier exchanges (context, reply) in front of the last one as fit; `bos` tokens stay first."""
    head, body, replies = (
        last.ids[:bos],
        list(last.ids[bos:]),
        [(start - bos, end - bos) for start, end in last.replies],
    )
    cut = last.cut
    for context, reply in reversed(parts):
        size = len(context) + len(reply)
        if cut or bos + len(body) + size > cutoff_len:
            cut = True
            break
        body = [*context, *reply, *body]
        replies = [(len(context), size), *((start + size, end + size) for start, end in replies)]
    return Encoded(
        ids=(*head, *body),
        replies=tuple((start + bos, end + bos) for start, end in replies),
        cut=cut,
    )
