"""Chat templates of the list as tokenizers hold them: the text around each turn, in their template language."""

from __future__ import annotations

import json
import re
from typing import Any

from ..errors import InputError
from ..model_catalog import chat_templates


def give_template(tokenizer: Any, name: str) -> None:
    if name not in chat_templates():
        raise InputError(
            f"没有叫 {name!r} 的对话模板",
            f"可用：auto、novel、template、{'、'.join(chat_templates())}",
        )
    parts = chat_templates()[name]
    tokenizer.chat_template = _jinja(parts)
    if parts["end"] and tokenizer.convert_tokens_to_ids(parts["end"]) not in (
        None,
        tokenizer.unk_token_id,
    ):
        tokenizer.eos_token = parts["end"]


def _jinja(parts: dict[str, str]) -> str:
    """The template language of tokenizers, of the text around each turn."""

    def written(around: str, **values: str) -> str:
        pieces = re.split(r"\{(\w+)\}", around)
        shown = [
            json.dumps(piece, ensure_ascii=False) if n % 2 == 0 else values[piece]
            for n, piece in enumerate(pieces)
        ]
        return (
            "{{ " + " ~ ".join(piece for piece in shown if piece != '""') + " }}"
            if any(pieces)
            else ""
        )

    system = written(parts["system"], text="message.content")
    inside = "{system}" in parts["user"]
    user = written(parts["user"], text="message.content", system="persona.text")
    forget = "{% set persona.text = '' %}" if inside else ""
    kept = f"{{% set persona.text %}}{system}{{% endset %}}" if inside else system
    reply = written(parts["reply"] + parts["answer"], text="message.content")
    return (
        written(parts["start"])
        + "{% set persona = namespace(text='') %}{% for message in messages %}"
        f"{{% if message.role == 'system' %}}{kept}{{% elif message.role == 'user' %}}{user}{forget}"
        f"{{% else %}}{reply}{{% endif %}}{{% endfor %}}{{% if add_generation_prompt %}}{written(parts['reply'])}{{% endif %}}"
    )
