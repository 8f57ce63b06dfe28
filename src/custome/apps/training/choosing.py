"""A recipe for one book on one computer in the minutes somebody has: `custome quickstart` and the page ask the same function.

What the machine was measured to do is given; nothing is fetched and no weights are read.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from ... import recipe_file
from ...config import Recipe
from ...errors import CustomeError
from ...machine import Rates, read_rates
from ...model_catalog import find_model, shipped_models, shipped_name
from ...planning.choice import Candidate, Choice, choose
from ...resources import catalogue, where

UNCHOSEN = ("qwen2.5-coder-0.5b",)
"""Taken only when asked for by name: tuned, a third of its replies can be understood (docs/prompts.md)."""
MEASURE = "from custome.models.compute import measured_rates; measured_rates()"


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What would be trained."""

    recipe: Recipe
    """0 steps: the base is played untuned."""
    why: str = ""
    """'' where the base was given with a recipe of its own."""
    seconds: float = 0.0
    peak_bytes: float = 0.0
    download_bytes: int = 0
    """Of the base, as long as it is not here."""


def rates_here() -> Rates:
    """Speed of matrix products on this CPU, by a process of its own where nobody has measured yet: torch would stay in memory.

    Raises:
        CustomeError: it could not be measured.
    """
    known = read_rates()
    if known is None:
        done = subprocess.run(
            [sys.executable, "-c", MEASURE], capture_output=True, text=True, check=False
        )
        known = read_rates()
        if known is None:
            raise CustomeError(
                f"量不出这台机器有多快：{done.stderr.strip()[-200:]}", "看看：custome plan"
            )
    return known


def choose_recipe(
    name: str,
    rates: Callable[[], Rates],
    *,
    base: str = "",
    minutes: float = 15,
    chatting: bool = True,
) -> Chosen:
    """The recipe for the corpus `corpus/NAME`, whose run is to be `runs/NAME`.

    Args:
        rates: of this machine; asked where they are needed, since to measure takes seconds.
        base: a base of the list or a path; '' the best that this computer trains in time.
        minutes: of training somebody is ready to wait for.
        chatting: one talks with somebody while it trains, so both must fit into memory.
    """
    if base and shipped_name(base) is None:
        recipe = recipe_file.shipped_recipe("sanguo-1.5b" if follows_orders(base) else "sanguo")
        return Chosen(recipe=fitted_to(recipe, name, base, recipe.train.steps))
    choice = _choose(rates(), base, minutes, chatting)
    one = choice.candidate
    there = where(one.name).is_file()
    return Chosen(
        recipe=fitted_to(one.recipe, name, one.name, choice.steps),
        why=choice.why,
        seconds=choice.seconds,
        peak_bytes=choice.peak_bytes,
        download_bytes=0 if there else int(one.file_bytes),
    )


def fitted_to(recipe: Recipe, name: str, base: str, steps: int) -> Recipe:
    """A shipped recipe for another book, base and number of steps."""
    talks = recipe.data.conversations and max(1, steps) * recipe.train.batch_size
    lines = "dialogues_train" if talks else "train"
    data = dataclasses.replace(
        recipe.data,
        corpus=f"corpus/{name}",
        train_path=f"corpus/{name}/{lines}.jsonl",
        conversations=talks,
        valid_path=f"corpus/{name}/{lines.replace('train', 'valid')}.jsonl",
    )
    model = dataclasses.replace(recipe.model, base_model=base)
    train = dataclasses.replace(recipe.train, output_dir=f"runs/{name}", steps=steps)
    return dataclasses.replace(recipe, data=data, model=model, train=train)


def without_missing(recipe: Recipe, place: Path) -> Recipe:
    """A book too short to hold anything out has no rows to validate with."""
    if not recipe.data.valid_path or (place / recipe.data.valid_path).is_file():
        return recipe
    return dataclasses.replace(
        recipe, data=dataclasses.replace(recipe.data, valid_path="", val_set_size=0)
    )


def follows_orders(base_model: str) -> bool:
    """Is a base one for conversations? By the list of known ones, else by what lies in its folder."""
    if known := find_model(base_model):
        return known.chat_format != "novel"
    folder = Path(base_model).expanduser()
    settings = folder / "tokenizer_config.json"
    written = settings.is_file() and "chat_template" in json.loads(
        settings.read_text(encoding="utf-8")
    )
    return written or (folder / "chat_template.jinja").is_file()


def _choose(rates: Rates, base: str, minutes: float, chatting: bool) -> Choice:
    candidates = {}
    for name, known in reversed(shipped_models().items()):
        if name != shipped_name(base) if base else name in UNCHOSEN:
            continue
        path, parts = where(name), sum(wheel.bytes for wheel in catalogue()[name].wheels)
        size = path.stat().st_size if path.is_file() else parts
        recipe = recipe_file.shipped_recipe(known.recipe)
        candidates[name] = Candidate(name=name, shape=known.shape, file_bytes=size, recipe=recipe)
    return choose(
        candidates,
        memory_bytes=psutil.virtual_memory().available,
        rate=rates.of(rates.faster),
        kind=rates.faster,
        minutes=minutes,
        chatting=chatting,
    )
