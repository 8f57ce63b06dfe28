"""What the program knows of published base models: three lists that ship as data. Reads no weights, asks no hub."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from .types import ModelShape


@dataclass(frozen=True, kw_only=True)
class Family:
    """What all base models of one architecture have in common."""

    model_types: tuple[str, ...]
    """What `config.json` calls it."""
    gguf: str = ""
    """llama.cpp's name of the architecture, where models/convert.py writes it; '' where it does not."""
    gated: bool = True
    """Three matrices in the MLP instead of two."""
    norms: int = 2
    """Normalizations of the hidden state in a layer."""
    qk_norm: bool = False
    """Queries and keys are normalized."""
    tied: bool = False
    """Input embedding and output head are one matrix, where `config.json` does not say."""

    def shape(self, sizes: Mapping[str, Any]) -> ModelShape:
        """The shape of a model of this family with these sizes."""
        return ModelShape(gated=self.gated, norms=self.norms, qk_norm=self.qk_norm, **sizes)


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A base model of the list."""

    family: str
    """Its row in data/families.json."""
    shape: ModelShape
    licence: str
    chat_format: str
    """novel for one that only continues text, else the name of its chat template: what `auto` means where its files have none;
    template for one whose tokenizer always has it."""
    resource: bool = False
    """It needs no hub: data/resources.json says under the same name where its parts are."""
    aliases: tuple[str, ...] = ()
    """Other names of it."""
    recipe: str = "sanguo"
    """The recipe that comes with the program for it."""
    former_fingerprints: tuple[str, ...] = ()
    """What runs of earlier releases call it in run.json."""


@functools.lru_cache(maxsize=1)
def families() -> dict[str, Family]:
    """Families by name."""
    return {
        name: Family(**{**row, "model_types": tuple(row["model_types"])})
        for name, row in _read("families").items()
    }


def family_of(model_type: str) -> Family:
    """The family of a `config.json`; for one that nobody knows, what most have in common."""
    known = (one for one in families().values() if model_type in one.model_types)
    return next(known, Family(model_types=(model_type,)))


@functools.lru_cache(maxsize=1)
def all_models() -> dict[str, ModelEntry]:
    """Base models by name."""
    return {name: _known(row) for name, row in _read("models").items()}


def _known(row: dict[str, Any]) -> ModelEntry:
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in row.items()
    }
    fields["shape"] = families()[row["family"]].shape(row["shape"])
    return ModelEntry(**fields)


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


def listed_format(base_model: str) -> str:
    """What the list says of a base model's chat format, by its name or its folder's name; '' for every other and for one that
    has its template with it."""
    known = find_model(base_model) or find_model(base_model.rstrip("/").split("/")[-1])
    return known.chat_format if known and known.chat_format != "template" else ""


@functools.lru_cache(maxsize=1)
def chat_templates() -> dict[str, dict[str, str]]:
    """Chat templates by name, for base models that were trained with one and come without: the text around each turn.

    `start` stands before everything, `system` and `user` hold {text} (where `user` holds {system} the persona stands in the
    first question), `reply` opens a reply, `answer` holds its {text}, and `end` is its end-of-turn token ('' for none).
    """
    return _read("chat_templates")


def _read(name: str) -> Any:
    return json.loads((files("custome") / "data" / f"{name}.json").read_text(encoding="utf-8"))
