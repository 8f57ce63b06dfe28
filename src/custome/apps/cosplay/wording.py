"""Somebody of a book tells a fact that another app has found, in words of their own and nothing else."""

from __future__ import annotations

from collections.abc import Callable

from ...engine.base import Cancel
from ...types import GenerateOptions
from .prompt import Said, Setting
from .responder import Responder

LONGEST = 120
"""Tokens."""


def words_of(responder: Responder, name: str) -> Callable[[str, str, Cancel | None], str]:
    """(question, fact, cancel) → the fact, told by one of the people.

    Raises:
        InputError: nobody is called so.
    """
    person = responder.card(name).name

    def tell(question: str, fact: str, cancel: Cancel | None) -> str:
        setting = Setting(
            examples=1,
            note=f"用自己的口吻，一两句话把这件事告诉对方，人名和数目照说，不添别的事：{fact}",
        )
        options = GenerateOptions(temperature=0.6, max_new_tokens=LONGEST)
        said = [Said(name="", by_user=True, text=question)]
        return responder.speak(person, said, setting, options, cancel=cancel).reply.text

    return tell
