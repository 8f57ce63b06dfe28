"""The summary of a conversation: what no longer fits into the prompt, kept beside the conversation."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ...conversations.records import Summary
from ...conversations.store import Store
from ...engine.base import Cancel
from ...errors import CustomeError
from .prompt import Said
from .responder import Responder

log = logging.getLogger(__name__)


def sum_up(
    store: Store, chat: str, owner: str, responder: Responder, left: Sequence[Said], cancel: Cancel
) -> None:
    """Keep the turns that no longer fit as a summary, unless the user has written one.

    What a model takes long to sum up is there as a digest first; should it fail, or be stopped, that stays.
    """
    kept = store.read(chat, owner).summary
    if not left or kept.by_user:
        return
    prose, more = responder.engine.kind == "novel", len(left) - kept.turns
    # fewer where turns were deleted
    if kept.made and (more == 0 if prose else more < responder.sums_up_every):
        return
    if prose or not kept.made:
        keep_made(store, chat, owner, kept.made, responder.digest(left), len(left) if prose else 0)
    if prose:
        return
    made = kept.made or responder.digest(left)
    try:
        summary = responder.summary(left[kept.turns :], made if kept.turns else "", cancel)
    except CustomeError as error:
        log.warning("no summary of %s: %s", chat, error)
        return
    if not cancel.is_set():
        keep_made(store, chat, owner, made, summary, len(left))


def keep_made(store: Store, chat: str, owner: str, before: str, text: str, turns: int) -> None:
    """Keep a summary of so many turns in place of `before`; unless somebody wrote another one meanwhile."""
    if store.read(chat, owner).summary.text in ("", before):
        made = Summary(text=text, made=text, made_before=before, turns=turns)
        store.set(chat, owner, summary=made)
