"""A checked answer in the words of somebody of a book: the answer is the fact, the voice only words it, and the same check runs on it.

Who speaks is given as a callable: this app knows no people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ...engine.base import Cancel
from .answering import Answer
from .checking import invents, numbers, unproven

Voice = Callable[[str, str, Cancel | None], str]
"""(question, fact, cancel) → the fact in somebody's words."""
TRIES = 2


def voiced(
    answer: Answer, voice: Voice, names: Mapping[str, Sequence[str]], cancel: Cancel | None = None
) -> str:
    """What is said in the place of an answer's text; '' where nothing was said that keeps to it."""
    if answer.kind != "checked":
        return ""
    for _ in range(TRIES):
        said = voice(answer.question, answer.text, cancel).strip()
        if cancel is not None and cancel.is_set():
            return ""
        if said and not astray(said, answer, names):
            return said
    return ""


def astray(said: str, answer: Answer, names: Mapping[str, Sequence[str]]) -> list[str]:
    """Numbers and names that the answer does not have, those of it that were left out, and a story made up around it."""
    proofs = [answer.question, answer.text, *(one.quote for one in answer.citations)]
    if invents(said, proofs):
        return [said]
    added = unproven(said, proofs, answer.question, names)
    told = {value for value, _ in numbers(said)}
    lost = [
        f"{value:g}"
        for value, _ in sorted(numbers(answer.text) - numbers(answer.question))
        if value not in told
    ]
    kept = [name for name in names if name in answer.text and name not in answer.question]
    return added + lost + [one for one in kept if not any(z in said for z in (one, *names[one]))]
