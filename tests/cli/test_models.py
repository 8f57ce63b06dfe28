"""`custome models`: what can be had without a hub, taken and removed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from custome import resources
from custome.cli import models
from custome.cli.app import main
from custome.model_catalog import shipped_models, shipped_name
from custome.recipe_file import find_recipe, load_recipe
from custome.resources import catalogue


def test_every_base_has_its_facts_and_a_recipe_that_names_it():
    for name, known in shipped_models().items():
        resource, recipe = catalogue()[name], load_recipe(find_recipe(known.recipe))
        assert resource.kind == "model" and resource.wheels and known.licence
        assert shipped_name(recipe.model.base_model) == name
        assert bool(recipe.data.conversations) == (known.chat_format != "novel")
        recipe.check()
    assert shipped_name("embedded") == "gemma3-270m" and shipped_name("Qwen/Qwen3-8B") is None


def test_listed_taken_from_a_file_and_removed(
    own_home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    file = tmp_path / "brought.gguf"
    file.write_bytes(b"GGUF weights")
    name = "qwen2.5-coder-0.5b"
    known = catalogue()
    small = replace(known[name], sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    for module in (resources, models):
        monkeypatch.setattr(module, "catalogue", lambda: {**known, name: small})
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    assert all(part in out for part in ("gemma3", "Apache-2.0", "GB")) and str(
        own_home
    ) in out.replace("\n", "")
    assert main(["models", "get", name, "--file", str(file)]) == 0
    assert resources.where(name).read_bytes() == b"GGUF weights"
    assert main(["models", "remove", name]) == 0 and not resources.where(name).exists()
    assert main(["models", "remove", name]) == 2 and "不在这台机器上" in capsys.readouterr().err
    assert main(["models", "get", "qwen2.5-codr-0.5b"]) == 2 and name in capsys.readouterr().err
