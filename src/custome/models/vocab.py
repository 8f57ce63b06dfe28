"""A smaller vocabulary for a base model: the tokens a corpus uses and whatever keeps every text writable.

Of Gemma 3's 262,144 tokens a Chinese book uses some ten thousand, but embeddings and output head are most of a small
model's weights and half of a training step. Tokenizer and weights are cut together: a token keeps its row, only its number
changes, so logits on kept tokens are those of the full model, and an adapter trained on the one loads on the other.

Works on fast tokenizers of the BPE kind, with byte fallback (SentencePiece style: Gemma, Llama) or on bytes (Qwen, Llama 3).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from ..errors import SourceError

_WRITABLE = re.compile(
    "[\u0009\u000a\u0020-\u007e\u00a0-\u00ff\u2010-\u2027\u2030-\u205e\u3000-\u303f\u3400-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef]"
)
"""Single characters that are always kept: ASCII, Latin-1, punctuation, CJK."""
_CHINESE = re.compile("[\u2010-\u2027\u2030-\u205e\u3000-\u303f\u3400-\u9fff\uff00-\uffef]+")
"""Words that are always kept: whoever asks uses others than the book does, and a word in pieces is one the model never met."""
BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_UNUSED = re.compile(r"<unused\d+>|<\|reserved_special_token_\d+\|>|\[unused\d+\]|<extra_id_\d+>")
_SPECIAL_IDS = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Which tokens were kept."""

    vocab_ids: tuple[int, ...]
    """Old ids, rising; the place in the tuple is the new id."""
    before: int
    """Tokens of the full model."""

    def renumbered(self, ids: Iterable[int]) -> tuple[int, ...]:
        """Old ids → new ones; all must be kept."""
        return tuple(self._new_id[old] for old in ids)

    @cached_property
    def _new_id(self) -> dict[int, int]:
        return {old: new for new, old in enumerate(self.vocab_ids)}


def trim(tokenizer: Any, used: Iterable[int], rows: int) -> tuple[Any, Vocabulary]:
    """Cut a tokenizer (returned anew) to the tokens used and what plain writing needs.

    Args:
        used: ids of everything that was encoded; such text encodes to the same tokens as before.
        rows: tokens the model has a row for.

    Raises:
        SourceError: the tokenizer is of a kind that cannot be cut.
    """
    data = _data(tokenizer)
    vocab_ids = [
        number for number in choose(data, set(used)) if number < rows
    ]  # some tokenizers know more than the model
    return _rebuilt(tokenizer, trim_tokenizer(data, vocab_ids)), Vocabulary(
        vocab_ids=tuple(vocab_ids), before=rows
    )


def can_trim(tokenizer: Any) -> bool:
    """Is it a tokenizer this file knows how to cut?"""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return backend is not None and type(backend.model).__name__ == "BPE"


def _data(tokenizer: Any) -> dict[str, Any]:
    if not can_trim(tokenizer):
        raise SourceError("这个底座的分词器不是能裁剪的 BPE 类", "加 --vocabulary full 用完整词表")
    data: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    return data


def choose(data: dict[str, Any], used: set[int]) -> list[int]:
    """Old ids to keep, rising: those used, single characters, Chinese words, bytes, specials, and every token they are merged from.

    Args:
        data: tokenizer.json.
    """
    vocab: dict[str, int] = data["model"]["vocab"]
    by_id = {number: token for token, number in vocab.items()}
    byte_level = is_byte_level(data)
    letters = _byte_letters() if byte_level else {}
    vocab_ids = {by_id[number] for number in used if number in by_id}
    for token in vocab:
        if BYTE.fullmatch(token) or (byte_level and len(token) == 1):
            vocab_ids.add(token)
            continue
        text = _decoded(token, letters) if byte_level else token.replace("▁", " ")
        if (len(text) == 1 and _WRITABLE.match(text)) or _CHINESE.fullmatch(text):
            vocab_ids.add(token)
    made: dict[str, list[tuple[str, str]]] = {}
    for first, second in merges_of(data):
        made.setdefault(first + second, []).append((first, second))
    waiting = list(vocab_ids)
    while waiting:  # a token can only be made of tokens that are there
        for pair in made.get(waiting.pop(), ()):
            for part in pair:
                if part not in vocab_ids:
                    vocab_ids.add(part)
                    waiting.append(part)
    numbers = {vocab[token] for token in vocab_ids if token in vocab}
    for added in data["added_tokens"]:
        if added["id"] in used or (added["special"] and not _UNUSED.fullmatch(added["content"])):
            numbers.add(added["id"])
    return sorted(numbers)


def is_byte_level(data: dict[str, Any]) -> bool:
    """Does a tokenizer.json write text as bytes?"""
    return "ByteLevel" in json.dumps([data.get("pre_tokenizer"), data.get("decoder")])


def _byte_letters() -> dict[str, int]:
    """The printable characters that byte-level BPE writes bytes with (GPT-2's table)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    table = {chr(byte): byte for byte in plain}
    return table | {chr(256 + place): byte for place, byte in enumerate(others)}


def _decoded(token: str, letters: dict[str, int]) -> str:
    """What a token of a byte-level tokenizer says; '' for part of a character."""
    if not all(c in letters for c in token):
        return ""
    try:
        return bytes(letters[c] for c in token).decode("utf-8")
    except UnicodeDecodeError:
        return ""


def merges_of(data: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """The pairs a tokenizer.json merges, in order."""
    for merge in data["model"]["merges"]:
        first, second = merge if isinstance(merge, list) else merge.split(" ", 1)
        yield first, second


def trim_tokenizer(data: dict[str, Any], vocab_ids: Sequence[int]) -> dict[str, Any]:
    """tokenizer.json with only the kept tokens, numbered anew, and only the merges whose three parts are kept."""
    new_id = {old: new for new, old in enumerate(vocab_ids)}
    vocab = {token: new_id[old] for token, old in data["model"]["vocab"].items() if old in new_id}
    merges = [[a, b] for a, b in merges_of(data) if a in vocab and b in vocab and a + b in vocab]
    added = [
        {**token, "id": new_id[token["id"]]}
        for token in data["added_tokens"]
        if token["id"] in new_id
    ]
    return {
        **data,
        "model": {**data["model"], "vocab": vocab, "merges": merges},
        "added_tokens": added,
        "post_processor": _renumbered(data.get("post_processor"), new_id),
    }


def _renumbered(processor: Any, new_id: dict[int, int]) -> Any:
    """A post-processor whose special tokens carry the new ids."""
    if isinstance(processor, dict):
        return {
            key: [new_id[i] for i in value] if key == "ids" else _renumbered(value, new_id)
            for key, value in processor.items()
        }
    if isinstance(processor, list):
        return [_renumbered(value, new_id) for value in processor]
    return processor


def _rebuilt(tokenizer: Any, data: dict[str, Any]) -> Any:
    """A tokenizer like the old one on the new tokenizer.json."""
    smaller = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(data)),
        clean_up_tokenization_spaces=False,
        padding_side=tokenizer.padding_side,
        model_max_length=tokenizer.model_max_length,
        **{
            name: str(token)
            for name, token in tokenizer.special_tokens_map.items()
            if isinstance(token, str)
        },
    )
    smaller.chat_template = getattr(tokenizer, "chat_template", None)
    return smaller


def cut_config(config: Any, vocab_ids: Sequence[int]) -> None:
    """Size of the vocabulary and ids of the special tokens in a configuration, in place."""
    new_id = {old: new for new, old in enumerate(vocab_ids)}
    for part in {id(c): c for c in (config, config.get_text_config())}.values():
        for name in _SPECIAL_IDS:
            value = getattr(part, name, None)
            if isinstance(value, int):
                setattr(part, name, new_id.get(value))
            elif isinstance(value, (list, tuple)):
                setattr(part, name, [new_id[i] for i in value if i in new_id])
    config.get_text_config().vocab_size = len(vocab_ids)


def cut_embeddings(model: Any, vocab_ids: Sequence[int]) -> None:
    """Keep those rows of the input embedding and of the output head of a model in memory, in place."""
    rows = torch.tensor(vocab_ids)
    inputs, head = model.get_input_embeddings(), model.get_output_embeddings()
    tied = head is not None and head.weight is inputs.weight
    padding = inputs.padding_idx
    inputs.weight = nn.Parameter(inputs.weight.detach()[rows].clone(), requires_grad=False)
    inputs.num_embeddings = len(vocab_ids)
    inputs.padding_idx = vocab_ids.index(padding) if padding in vocab_ids else None
    if head is not None:
        weight = (
            inputs.weight
            if tied
            else nn.Parameter(head.weight.detach()[rows].clone(), requires_grad=False)
        )
        head.weight = weight
        head.out_features = len(vocab_ids)
    cut_config(model.config, vocab_ids)


_TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_BLOCK_ROWS = 4096


def read_cut(folder: Path, vocab_ids: Sequence[int], rows: int) -> dict[str, Tensor] | None:
    """Weights of a safetensors folder; of a matrix with one row a token (`rows` of them) only the rows kept.

    The other rows are never in memory: files are read, not mapped, as mapped pages count as the process's own.
    None where a tensor is of a number type that has to be read by other means.
    """
    weights: dict[str, Tensor] = {}
    wanted = torch.tensor(vocab_ids)
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb", buffering=0) as file:
            for name, dtype, shape, start in _tensors(file):
                if dtype not in _TYPES:
                    return None
                file.seek(start)
                per_token = len(shape) == 2 and shape[0] == rows
                weights[name] = (
                    _rows(file, _TYPES[dtype], shape, wanted)
                    if per_token
                    else _read(file, _TYPES[dtype], shape)
                )
    return weights


def _tensors(file: BinaryIO) -> Iterator[tuple[str, str, list[int], int]]:
    """(name, number type, shape, place in the file) as the header says (https://github.com/huggingface/safetensors#format)."""
    size = int.from_bytes(file.read(8), "little")
    header = json.loads(file.read(size))
    header.pop("__metadata__", None)
    for name, entry in header.items():
        yield name, entry["dtype"], entry["shape"], 8 + size + entry["data_offsets"][0]


def _read(file: BinaryIO, dtype: torch.dtype, shape: Sequence[int]) -> Tensor:
    tensor = torch.empty(tuple(shape), dtype=dtype)
    view = memoryview(tensor.reshape(-1).view(torch.uint8).numpy())
    while len(view):  # one read call returns 2 GB at most
        got = file.readinto(view)  # type: ignore[attr-defined]
        if not got:
            raise SourceError("权重文件比它的头里说的短", "重新下载这个底座模型")
        view = view[got:]
    return tensor


def _rows(file: BinaryIO, dtype: torch.dtype, shape: Sequence[int], wanted: Tensor) -> Tensor:
    """Wanted rows (rising) of the matrix that starts here."""
    out = torch.empty(len(wanted), shape[1], dtype=dtype)
    for start in range(0, shape[0], _BLOCK_ROWS):
        block = _read(file, dtype, (min(_BLOCK_ROWS, shape[0] - start), shape[1]))
        inside = (wanted >= start) & (wanted < start + len(block))
        out[inside] = block[wanted[inside] - start]
    return out
