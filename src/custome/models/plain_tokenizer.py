"""A saved fast tokenizer without transformers: what chat_format and the llama.cpp engine ask of one, and no more.

Serving starts in a second and stays small because neither torch nor transformers is loaded. Reads tokenizer.json and
tokenizer_config.json; renders chat templates in the same sandbox as transformers does.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from ..errors import SourceError

FILE = "tokenizer.json"
_BYTE = re.compile("<0x([0-9A-F]{2})>")


def _byte_letters() -> dict[str, int]:
    """GPT-2's letters of bytes: printable ones stand for themselves, the others follow behind U+0100.

    Source: https://github.com/openai/gpt-2/blob/master/src/encoder.py
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(0x100 + place): byte for place, byte in enumerate(others)
    }


_BYTE_LETTERS = _byte_letters()


@dataclass(frozen=True)
class Encoding:
    """Token ids of a text."""

    input_ids: list[int]


class PlainTokenizer:
    """A tokenizer of a folder.

    Args:
        numbering: what the model calls token 0, 1, … of this tokenizer, where the two are numbered differently.

    Raises:
        SourceError: no tokenizer.json, or a damaged one.
    """

    def __init__(self, folder: Path, numbering: Sequence[int] | None = None) -> None:
        self._outside = numbering
        self._inside = (
            None
            if numbering is None
            else {outside: inside for inside, outside in enumerate(numbering)}
        )
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / FILE))
            config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        except Exception as error:  # tokenizers raises bare Exceptions
            raise SourceError(
                f"{str(folder)!r} 里没有能用的 {FILE}：{error}", "换 --engine local，或重新下载底座"
            ) from error
        for name in ("bos", "eos", "pad", "unk"):
            token = config.get(f"{name}_token")
            setattr(self, f"{name}_token", token["content"] if isinstance(token, dict) else token)
        own = folder / "chat_template.jinja"
        self.chat_template: str | None = (
            own.read_text(encoding="utf-8") if own.is_file() else config.get("chat_template")
        )

    bos_token: str | None
    eos_token: str | None
    pad_token: str | None
    unk_token: str | None

    @property
    def bos_token_id(self) -> int | None:
        return self.convert_tokens_to_ids(self.bos_token)

    @property
    def eos_token_id(self) -> int | None:
        return self.convert_tokens_to_ids(self.eos_token)

    @property
    def unk_token_id(self) -> int | None:
        return self.convert_tokens_to_ids(self.unk_token)

    def convert_tokens_to_ids(self, token: str | None) -> int | None:
        found: int | None = None if token is None else self._tokenizer.token_to_id(token)
        return found if found is None or self._outside is None else self._outside[found]

    @property
    def added_tokens_decoder(self) -> dict[int, Any]:
        """Tokens beside the vocabulary, control tokens among them, by id."""
        return dict(self._tokenizer.get_added_tokens_decoder())

    def __call__(self, text: str, add_special_tokens: bool = True) -> Encoding:
        ids = self._tokenizer.encode(text, add_special_tokens=add_special_tokens).ids
        return Encoding(
            list(ids) if self._outside is None else [self._outside[number] for number in ids]
        )

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        own = (
            list(ids)
            if self._inside is None
            else [self._inside[number] for number in ids if number in self._inside]
        )
        text: str = self._tokenizer.decode(own, skip_special_tokens=skip_special_tokens)
        return text

    def bytes_of(self, token_id: int) -> bytes:
        """What a token writes, half a character's bytes too; nothing where it is a control token."""
        own = token_id if self._inside is None else self._inside.get(token_id, -1)
        token = self._tokenizer.id_to_token(own) if own >= 0 else None
        if token is None:
            return b""
        if (added := self._added.get(own)) is not None:
            return b"" if added.special else added.content.encode()
        if self._has_byte_letters:
            return bytes(_BYTE_LETTERS[letter] for letter in token if letter in _BYTE_LETTERS)
        if byte := _BYTE.fullmatch(token):
            return bytes.fromhex(byte[1])
        return token.replace("▁", " ").encode()

    @functools.cached_property
    def _added(self) -> dict[int, Any]:
        return self.added_tokens_decoder

    @functools.cached_property
    def _has_byte_letters(self) -> bool:
        """Does it write every byte as a letter, as GPT-2's, Qwen's and Llama 3's do?"""
        return "ByteLevel" in repr(self._tokenizer.decoder)

    def apply_chat_template(
        self, messages: Sequence[dict[str, str]], tokenize: bool = False, **options: Any
    ) -> str:
        """The conversation as the model's own template writes it.

        Raises:
            TemplateError: the template refuses it.
        """
        given = {
            "bos_token": self.bos_token or "",
            "eos_token": self.eos_token or "",
            "add_generation_prompt": False,
        }
        return (
            _environment()
            .from_string(self.chat_template or "")
            .render(messages=messages, **{**given, **options})
        )


def _environment() -> ImmutableSandboxedEnvironment:
    def refuse(message: str) -> str:
        raise TemplateError(message)

    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    made.filters["tojson"] = lambda value, **options: json.dumps(
        value, ensure_ascii=False, **options
    )
    made.globals["raise_exception"] = refuse
    made.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return made
