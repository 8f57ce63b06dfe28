"""Recipes: shipped ones load, wrong ones are named, dumping and loading agree."""

from __future__ import annotations

import dataclasses
from importlib.resources import files
from pathlib import Path

import pytest

from custome import config, recipe_file
from custome.cli.flags import parse
from custome.cli.training import Train
from custome.config import Recipe, TrainConfig
from custome.errors import InputError, RecipeError

SHIPPED = sorted(Path(str(files("custome") / "recipes")).glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_recipes_load_and_have_no_problem_but_missing_data(path: Path):
    recipe = recipe_file.load_recipe(path)
    assert [p for p in recipe.problems() if "train_path" not in p] == []


def test_there_are_shipped_recipes():
    assert 5 <= len(SHIPPED) <= 12


def test_dump_and_load_agree(tmp_path: Path):
    recipe = dataclasses.replace(
        Recipe(), train=TrainConfig(learning_rate=1e-4, output_dir="某处/目录", num_epochs=0.5)
    )
    (tmp_path / "r.yaml").write_text(recipe_file.dump(recipe), encoding="utf-8")
    assert recipe_file.load_recipe(tmp_path / "r.yaml") == recipe


def test_every_setting_is_explained_once():
    for cls in config.SECTIONS.values():
        assert set(recipe_file.field_docs(cls)) == {f.name for f in dataclasses.fields(cls)}
        assert len(dataclasses.fields(cls)) <= 15


def test_all_problems_come_at_once():
    recipe = Recipe(train=TrainConfig(batch_size=0, learning_rate=-1, micro_batch_size=0))
    with pytest.raises(RecipeError) as caught:
        recipe.check()
    for name in ("train_path", "batch_size", "learning_rate", "micro_batch_size"):
        assert name in caught.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("train: {stepz: 3}", "steps"),
        ("trian: {}", "train"),
        ("train: {steps: many}", "steps"),
        ("- 1", "train"),
        ("method: {name: lorra}", "lora"),
        ("data: {train_on_inputs: 3}", "train_on_inputs"),
        ("train: {steps: true, batch_size: '8'}", "batch_size"),
        ("train: {num_epochs: yes}", "num_epochs"),
        ("data: {text_paths: [1]}", "text_paths"),
        ("a: [", "YAML"),
    ],
)
def test_wrong_recipes_are_named(tmp_path: Path, text: str, words: str):
    path = tmp_path / "r.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        recipe_file.load_recipe(path)
    assert words in caught.value.message + caught.value.hint


def test_sources_say_where_each_value_comes_from():
    filed = dataclasses.replace(Recipe(), train=TrainConfig(steps=60))
    final = dataclasses.replace(filed, train=dataclasses.replace(filed.train, batch_size=16))
    rows = {name: source for name, _, source in config.sources(final, filed)}
    assert (
        rows["train.steps"] == "配方"
        and rows["train.batch_size"] == "命令行"
        and rows["data.cutoff_len"] == "默认"
    )


# -- names of the last release -----------------------------------------------------------------------------------------


def test_a_recipe_of_the_last_release_is_read_and_told_the_new_names(tmp_path: Path, caplog):
    recipe = tmp_path / "old.yaml"
    recipe.write_text("data:\n  train_path: x.jsonl\n  replay: 0.25\n  introduced: 0.5\n", "utf-8")
    data = recipe_file.load_recipe(recipe).data
    assert (data.self_replay, data.persona_prefix) == (0.25, 0.5)
    assert "replay 现在叫 self_replay" in caplog.text


def test_an_old_name_beside_the_new_one_is_refused(tmp_path: Path):
    recipe = tmp_path / "both.yaml"
    recipe.write_text("data:\n  replay: 0.25\n  self_replay: 0.5\n", "utf-8")
    with pytest.raises(InputError, match="同一项"):
        recipe_file.load_recipe(recipe)


def test_flags_of_the_last_release_are_read_too(capsys):
    assert parse(Train, ["--replay=0.5"], "custome train", Train()).settings.data.self_replay == 0.5
    assert "--replay 现在叫 --self-replay" in capsys.readouterr().err
    with pytest.raises(InputError, match="给了两次"):
        parse(Train, ["--replay", "0.5", "--self-replay", "0.5"], "custome train", Train())
