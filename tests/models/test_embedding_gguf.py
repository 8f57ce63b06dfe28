"""The small encoder's own file → GGUF: llama.cpp gives what transformers gives with the same weights."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from custome.engine import embedding
from custome.engine.embedding import open_embedder
from custome.errors import InputError, SourceError
from custome.models.embedding_gguf import BLOCK, model_name, rewrite
from custome.reporter import NullReporter

WIDTH, LAYERS, HEADS, INNER, POSITIONS = 32, 2, 2, 64, 64
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", *"渡口船票五元:queryasg", "<mask>"]
VOCABULARY = len(PIECES) + 2
SCALE = 0.0625


def tiny_encoder(path: Path) -> dict[str, Any]:
    """Write an encoder as the wheel does; its weights, dequantized, by transformers' names."""
    random, plain, entries, body = np.random.default_rng(7), {}, [], b""
    pieces = [piece.encode() for piece in PIECES]
    ends = np.cumsum([0, *map(len, pieces)])
    head = b"E5S1" + struct.pack(
        "<I7ifi", 1, WIDTH, LAYERS, HEADS, INNER, VOCABULARY, POSITIONS, 2, 1e-12, BLOCK
    )
    head += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, int(ends[-1]))
    head += struct.pack(f"<{len(ends)}I", *ends) + np.full(len(pieces), -2.0, "<f4").tobytes()
    head += b"".join(pieces) + struct.pack("<iI", 0, 0)

    def add(name: str, theirs: str, shape: tuple[int, ...], *, quantized: bool) -> None:
        nonlocal body
        size = int(np.prod(shape))
        if quantized:
            nibbles = random.integers(0, 16, size).reshape(-1, BLOCK)
            low, high = nibbles[:, : BLOCK // 2], nibbles[:, BLOCK // 2 :]
            scales = np.full((len(nibbles), 1), SCALE, "<f2").view(np.uint8)
            raw = np.hstack([scales, (low | high << 4).astype(np.uint8)]).tobytes()
            values = (nibbles - 8.0) * SCALE
        else:
            values = random.normal(0, 0.3, size) + (1.0 if ".ln.w" in name or "ln.w" in name else 0)
            raw = values.astype("<f4").tobytes()
        plain[theirs] = values.reshape(shape).astype(np.float32)
        entries.append((name, quantized, size, len(body), len(raw)))
        body += raw

    def norm(name: str, theirs: str) -> None:
        add(f"{name}.w", f"{theirs}.weight", (WIDTH,), quantized=False)
        add(f"{name}.b", f"{theirs}.bias", (WIDTH,), quantized=False)

    table = "embeddings"
    add("emb.word", f"{table}.word_embeddings.weight", (VOCABULARY, WIDTH), quantized=True)
    add("emb.pos", f"{table}.position_embeddings.weight", (POSITIONS, WIDTH), quantized=False)
    add("emb.type", f"{table}.token_type_embeddings.weight", (2, WIDTH), quantized=False)
    norm("emb.ln", f"{table}.LayerNorm")
    for layer in range(LAYERS):
        inside = f"encoder.layer.{layer}"
        for name, theirs, rows, columns in (
            ("q", "attention.self.query", WIDTH, WIDTH),
            ("k", "attention.self.key", WIDTH, WIDTH),
            ("v", "attention.self.value", WIDTH, WIDTH),
            ("ao", "attention.output.dense", WIDTH, WIDTH),
            ("fi", "intermediate.dense", INNER, WIDTH),
            ("fo", "output.dense", WIDTH, INNER),
        ):
            add(f"l{layer}.{name}.w", f"{inside}.{theirs}.weight", (rows, columns), quantized=True)
            add(f"l{layer}.{name}.b", f"{inside}.{theirs}.bias", (rows,), quantized=False)
        norm(f"l{layer}.aln", f"{inside}.attention.output.LayerNorm")
        norm(f"l{layer}.oln", f"{inside}.output.LayerNorm")
    listed = b"".join(
        struct.pack(f"<H{len(name)}sBIQQ", len(name), name.encode(), quantized, size, at, length)
        for name, quantized, size, at, length in entries
    )
    start = len(head) + 4 + len(listed)
    listed = b"".join(
        struct.pack(
            f"<H{len(name)}sBIQQ", len(name), name.encode(), quantized, size, start + at, length
        )
        for name, quantized, size, at, length in entries
    )
    path.write_bytes(head + struct.pack("<i", len(entries)) + listed + body)
    return plain


def by_transformers(weights: dict[str, Any], ids: list[int]) -> Any:
    """The mean of the last states, of length 1."""
    import torch
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=INNER,
        max_position_embeddings=POSITIONS,
        type_vocab_size=2,
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    with torch.no_grad():
        states = model(torch.tensor([ids])).last_hidden_state[0].numpy()
    mean = states.mean(0)
    return mean / np.linalg.norm(mean)


def test_llama_cpp_gives_the_vectors_of_the_model_it_came_from(tmp_path: Path):
    weights = tiny_encoder(tmp_path / "e5.bin")
    rewrite(tmp_path / "e5.bin", tmp_path / "small-e5.gguf")
    assert model_name(tmp_path / "small-e5.gguf") == "multilingual-e5-small"
    model = open_embedder(str(tmp_path / "small-e5.gguf"), NullReporter())
    (ours,) = model.question("船票  五元")
    words = "▁query:▁船票▁五元"
    ids = [0, *(PIECES.index(letter) for letter in words), 2]
    assert ours @ by_transformers(weights, ids) > 0.999
    several = model.passages(["渡口", "船票" * 300])
    assert several.shape == (2, WIDTH) and np.allclose(
        np.linalg.norm(several, axis=1), 1, atol=1e-5
    )


def test_another_file_is_no_encoder(tmp_path: Path):
    (tmp_path / "e5.bin").write_bytes(b"nothing of the kind")
    with pytest.raises(SourceError, match="不是 e5-small 的权重"):
        rewrite(tmp_path / "e5.bin", tmp_path / "e5.gguf")


@pytest.mark.parametrize("what", ["没有.gguf", "http://127.0.0.1:1/v1"])
def test_what_names_no_embedder(what: str):
    with pytest.raises(InputError, match="向量模型"):
        open_embedder(what, NullReporter())


def test_families_say_what_stands_in_front():
    names = [one.name for one in embedding.families()]
    assert names.index("bge-m3") < names.index("bge")  # the first that fits counts
    assert all(one.question or one.name == "bge-m3" for one in embedding.families())
