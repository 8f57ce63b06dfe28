"""A recipe → a finished run, with what the recipe wants beside its data: the base's own texts, people to play, people to ask.

Who plays, who asks and which engine writes is given: this module knows none of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...config import ModelConfig, Recipe
from ...engine.base import Engine
from ...files import read_text, write_jsonl
from ...models.sources import fingerprint, resolve_base
from ...reporter import Reporter
from ...resources import custome_home
from .self_replay import self_replay

if TYPE_CHECKING:
    from ...training.learning import TrainResult


@dataclass(frozen=True, kw_only=True)
class Abilities:
    """Functions from other packages that a recipe may need; the command line passes them in."""

    played_samples: Callable[[Recipe], Any]
    """Samples as they are played; see apps.cosplay.learning."""
    open_panel: Callable[..., Any]
    """People who are asked at every evaluation; see evaluation.panel."""
    open_base: Callable[[ModelConfig, Reporter], Engine]
    """An engine on the bare base; see engine.open."""


def learn(recipe: Recipe, reporter: Reporter, abilities: Abilities, *, resume: bool) -> TrainResult:
    """Train, or go on from the newest checkpoint.

    Raises:
        CustomeError: see training.finetune.finetune.
    """
    data, prepare_samples, panel = recipe.data, None, None
    if data.persona_prefix or data.conversations:
        prepare_samples = abilities.played_samples(recipe)
    if recipe.checks.persona_questions:
        panel = abilities.open_panel(
            recipe.corpus_folder,
            recipe.checks.persona_questions,
            canonical=data.names == "canonical",
        )
    # last: it may take minutes
    replay_texts = base_texts(recipe, reporter, abilities.open_base) if data.self_replay else []
    from ...training.finetune import finetune
    from ...training.launch import release_memory

    result = finetune(
        recipe,
        reporter,
        resume=resume,
        replay_texts=replay_texts,
        prepare_samples=prepare_samples,
        panel=panel,
    )
    release_memory()  # who goes on in this process loads models of their own
    return result


def base_texts(
    recipe: Recipe, reporter: Reporter, open_base: Callable[[ModelConfig, Reporter], Engine]
) -> list[str]:
    """What the recipe's base writes by itself; kept in the cache, since it is the same for every book."""
    kept = (
        custome_home()
        / "replay"
        / f"{fingerprint(resolve_base(recipe.model.base_model, reporter))}.jsonl"
    )
    if not kept.is_file():
        engine = open_base(recipe.model, reporter)
        write_jsonl(kept, ({"text": text} for text in self_replay(engine, reporter)))
        engine.close()
    return [
        json.loads(line)["text"] for line in read_text(kept, "底座写的日常中文").split("\n") if line
    ]
