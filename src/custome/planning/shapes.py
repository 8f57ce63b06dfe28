"""How large a base model is: from the list that ships with the program, or from a model folder's config.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..model_catalog import all_models, family_of, find_model
from ..types import ModelShape


def find_shape(base_model: str) -> ModelShape:
    """Shape of a base model named as in a recipe.

    Raises:
        InputError: neither in the list nor a folder with a config.json; the names like it are given.
    """
    folder = Path(base_model).expanduser()
    if (folder / "config.json").is_file():
        return read_shape(
            json.loads((folder / "config.json").read_text(encoding="utf-8")), base_model
        )
    if known := find_model(base_model):
        return known.shape
    shapes = all_models()
    start = base_model.lower().split("/")[-1].split("-")[0][:4]
    alike = [name for name in shapes if start in name.lower()]
    raise InputError(
        f"不知道底座 {base_model!r} 有多大",
        f"给本地目录（里面有 config.json），或表里的一个：{', '.join(alike or shapes)}",
    )


def read_shape(config: dict[str, Any], name: str) -> ModelShape:
    """Shape from a config.json of the usual kind.

    Raises:
        InputError: a size is missing.
    """
    config = config.get("text_config", config)
    try:
        heads = config["num_attention_heads"]
        family = family_of(str(config.get("model_type", "")))
        sizes = {
            "layers": config["num_hidden_layers"],
            "hidden": config["hidden_size"],
            "intermediate": config["intermediate_size"],
            "heads": heads,
            "kv_heads": config.get("num_key_value_heads") or heads,
            "head_dim": config.get("head_dim") or config["hidden_size"] // heads,
            "vocab": config["vocab_size"],
            "tied": bool(config.get("tie_word_embeddings", family.tied)),
        }
        return family.shape(sizes)
    except KeyError as error:
        raise InputError(
            f"{name!r} 的 config.json 里没有 {error.args[0]!r}",
            "换成表里的一个：custome plan --help",
        ) from error
