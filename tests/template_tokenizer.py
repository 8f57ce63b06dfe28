"""Tiny tokenizers that know the control tokens of a chat template by name."""

from __future__ import annotations

from custome.model_catalog import chat_templates
from tiny import make_tiny_tokenizer


def tokenizer_for(name: str, text: str):
    """One token a character of `text`, and the template's own end token."""
    parts = chat_templates()[name]
    tokenizer = make_tiny_tokenizer(text + "".join(parts.values()))
    if parts["end"]:
        tokenizer.add_special_tokens({"additional_special_tokens": [parts["end"]]})
    return tokenizer
