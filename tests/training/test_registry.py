"""A tuning method is registered everywhere or nowhere: one that is forgotten somewhere fails here, not as plain LoRA."""

from __future__ import annotations

from typing import get_args

import pytest

from custome.config import Recipe
from custome.planning.memory import TRAINED, make_plan
from custome.planning.shapes import find_shape
from custome.training.methods import ATTACH
from custome.tuning_methods import FACTS, METHODS, Method, facts_of


def test_every_method_is_in_every_table():
    classes = set(METHODS.values())
    assert set(get_args(Method)) == classes
    assert set(ATTACH) == classes
    assert set(TRAINED) == classes


@pytest.mark.parametrize("name", list(FACTS))
def test_every_method_can_be_planned_and_has_facts_of_its_own(name: str):
    method = METHODS[name]()
    assert facts_of(method) is FACTS[name]
    assert make_plan(Recipe(method=method), find_shape("embedded"), "cpu").trainable > 0
    assert Recipe(method=method).resolved().train.learning_rate == FACTS[name].rate
