"""How a model learns to play people: samples as they are played, for a recipe that asks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...config import Recipe
from ...corpus.cast import by_canonical_names, read_cast
from ...errors import InputError
from ...types import Sample
from .casting import company_of
from .lessons import conversations, questions_of
from .persona_prefix import with_persona_prefix

MAIN_CHARACTERS = 20
"""People whose conversations are learnt where the recipe does not say."""


def played_samples(
    recipe: Recipe,
) -> Callable[[Sequence[Sample], Sequence[Sample], str], tuple[list[Sample], list[Sample]]]:
    """(training, validation) samples as they are played: with who speaks in front, or as conversations with the people of the
    cast beside the training data.

    Raises:
        InputError: there is none.
    """
    folder, data, seed = recipe.corpus_folder, recipe.data, recipe.train.seed
    cast = read_cast(folder)
    if not cast.people:
        name, value = (
            ("persona_prefix", data.persona_prefix)
            if data.persona_prefix
            else ("conversations", data.conversations)
        )
        raise InputError(
            f"{name}={value} 要知道人物，{str(folder)!r} 里没有 cast 目录",
            f"用 custome corpus build 做语料；或 --{name} 0",
        )
    company = company_of(by_canonical_names(cast) if data.names == "canonical" else cast)

    def prepare_samples(
        train: Sequence[Sample], valid: Sequence[Sample], kind: str
    ) -> tuple[list[Sample], list[Sample]]:
        if not data.conversations:
            return with_persona_prefix(
                train, company, share=data.persona_prefix, novel=kind == "novel", seed=seed
            ), list(valid)
        if kind == "novel":
            raise InputError(
                f"conversations={data.conversations} 是给对话类底座的，这个底座只会接着写",
                "换一个对话类底座，或 --conversations 0",
            )
        made = conversations(
            company, data.conversations, seed=seed, people=data.main_characters or MAIN_CHARACTERS
        )
        return made, questions_of(valid, company)

    return prepare_samples
