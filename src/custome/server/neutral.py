"""OpenAI's parameters that are not done here, at values that ask for nothing."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

NEUTRAL: dict[str, tuple[Any, ...]] = {
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "service_tier": ("auto", "default"),
    "prediction": (),
    "audio": (),
    "reasoning_effort": ("none",),
    "verbosity": (),
    "web_search_options": (),
    "safety_identifier": (),
    "prompt_cache_key": (),
    "suffix": ("",),
    "best_of": (1,),
}
"""OpenAI's parameters that are not done here, with the values that ask for nothing; null is one for each of them."""


def without_neutral(given: Mapping[str, Any], known: Container[str]) -> dict[str, Any]:
    """A request without the parameters that change nothing: clients send every one they know.

    Args:
        known: parameters that are done here.
    """
    return {
        name: value
        for name, value in given.items()
        if name in known or name not in NEUTRAL or not (value is None or value in NEUTRAL[name])
    }
