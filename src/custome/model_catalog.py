"""What the program knows of published base models: two lists that ship as data. Reads no weights, asks no hub."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from .types import ModelShape


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A base model of the list."""

    shape: ModelShape
    licence: str
    chat_format: str
    """novel for one that only continues text, else the name of its chat template."""
    lora_targets: tuple[str, ...]
    """Layers that LoRA is usually put on."""
    resource: bool = False
    """It needs no hub: data/resources.json says under the same name where its parts are."""
    aliases: tuple[str, ...] = ()
    """Other names of it."""
    recipe: str = "sanguo"
    """The recipe that comes with the program for it."""
    former_fingerprints: tuple[str, ...] = ()
    """What runs of earlier releases call it in run.json."""


@functools.lru_cache(maxsize=1)
def all_models() -> dict[str, ModelEntry]:
    """Base models by name."""
    return {name: _known(row) for name, row in _read("models").items()}


def _known(row: dict[str, Any]) -> ModelEntry:
    told: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in row.items()
    }
    told["shape"] = ModelShape(**row["shape"])
    return ModelEntry(**told)


def shipped_models() -> dict[str, ModelEntry]:
    """The bases that need no hub, the smallest first: their parts are in data/resources.json under the same name."""
    return {name: model for name, model in all_models().items() if model.resource}


def shipped_name(base_model: str) -> str | None:
    """The name of a base that needs no hub, by any of its names; None for every other."""
    for name, model in shipped_models().items():
        if base_model.lower() in (name, *model.aliases):
            return name
    return None


def find_model(base_model: str) -> ModelEntry | None:
    """The entry for a base model named as in a recipe: with or without hf: or ms:, with or without its organisation."""
    wanted = base_model.removeprefix("hf:").removeprefix("ms:").lower()
    for name, model in all_models().items():
        if wanted in (name.lower(), name.split("/")[-1].lower(), *model.aliases):
            return model
    return None


@functools.lru_cache(maxsize=1)
def chat_templates() -> dict[str, dict[str, str]]:
    """Chat templates by name, for base models that were trained with one and come without: the text around each turn.

    `start` stands before everything, `system` and `user` hold {text} (where `user` holds {system} the persona stands in the
    first question), `reply` opens a reply, `answer` holds its {text}, and `end` is its end-of-turn token ('' for none).
    """
    return _read("chat_templates")


def _read(name: str) -> Any:
    return json.loads((files("custome") / "data" / f"{name}.json").read_text(encoding="utf-8"))
