"""Which base a computer is given: by its memory, its speed and the minutes somebody has."""

from __future__ import annotations

import pytest

from custome.model_catalog import shipped_models
from custome.planning.choice import FEWEST, MOST, Candidate, choose
from custome.recipe_file import find_recipe, load_recipe

GB = 1e9
SIZES = {"gemma3-270m": 0.25 * GB, "qwen2.5-coder-0.5b": 0.49 * GB, "qwen2.5-coder-1.5b": 1.12 * GB}
CANDIDATES = {
    name: Candidate(
        name=name,
        shape=known.shape,
        file_bytes=SIZES[name],
        recipe=load_recipe(find_recipe(known.recipe)),
    )
    for name, known in reversed(shipped_models().items())
    if name != "qwen2.5-coder-0.5b"
}


@pytest.mark.parametrize(
    ("memory_gb", "rate", "kind", "minutes", "chatting", "base", "tuned"),
    [
        (20, 900, "bf16", 15, True, "qwen2.5-coder-1.5b", True),
        (20, 400, "bf16", 15, True, "qwen2.5-coder-1.5b", True),
        (
            20,
            120,
            "fp32",
            15,
            True,
            "qwen2.5-coder-1.5b",
            False,
        ),  # no fast bf16: too slow to train in time
        (20, 900, "bf16", 1, True, "qwen2.5-coder-1.5b", False),
        (
            5,
            900,
            "bf16",
            15,
            True,
            "qwen2.5-coder-1.5b",
            False,
        ),  # room for chatting, not for training
        (1.4, 900, "bf16", 15, True, "gemma3-270m", False),
        (1.8, 900, "bf16", 15, False, "gemma3-270m", False),
    ],
)
def test_the_best_that_is_ready_in_time(memory_gb, rate, kind, minutes, chatting, base, tuned):
    choice = choose(
        CANDIDATES,
        memory_bytes=memory_gb * GB,
        rate=rate,
        kind=kind,
        minutes=minutes,
        chatting=chatting,
    )
    assert (choice.candidate.name, choice.steps > 0) == (base, tuned), choice.why
    assert base in choice.why or "GB" in choice.why


def test_more_minutes_are_more_steps_within_bounds():
    steps = [
        choose(
            CANDIDATES, memory_bytes=20 * GB, rate=400, kind="bf16", minutes=minutes, chatting=False
        ).steps
        for minutes in (10, 15, 25, 600)
    ]
    assert FEWEST <= steps[0] < steps[1] < steps[2] <= steps[3] == MOST
