"""Somebody speaks for another app: tells a fact that it has found, or answers in a situation of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ...engine.base import Cancel
from ...types import GenerateOptions
from ..context import Line, Part, Speaker
from .card import Card
from .choosing import drawn
from .prompt import Said, Setting
from .responder import Responder

LONGEST = 120
"""Tokens."""
SHORT = 72
"""Tokens of an answer in a game."""


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


def speaker_of(playing: Callable[[Card], Responder], part: Part) -> Speaker:
    """Somebody of a story that another app tells; whoever the model knows by that name speaks in their own voice.

    Args:
        playing: what plays the people of a model, and this one.
    """
    card = Card(
        name=part.name,
        cue=part.name,
        aliases=part.aliases,
        description=part.about,
        scenario=part.scene,
        reminder="只说一两句话，不写动作，不替别人说话。",
    )
    responder = playing(card)

    def say(lines: Sequence[Line], seed: int, cancel: Cancel | None) -> str:
        said = [
            Said(
                name=part.to if line.by_player else part.name,
                by_user=line.by_player,
                text=line.text,
            )
            for line in lines
        ]
        setting = Setting(user=part.to, as_of=part.chapter, examples=1)
        options = replace(
            drawn(responder.engine.kind, False), max_new_tokens=SHORT, seed=seed, afresh=False
        )
        return responder.speak(part.name, said, setting, options, cancel=cancel).reply.text

    return say
