"""A trimmed vocabulary: same text, same tokens, same logits, everything still writable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from custome.errors import SourceError
from custome.models import vocab
from custome.models.loading import load_model
from tiny import PEOPLE, make_tiny_novel

SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>"]


def text_of(folder: Path) -> list[str]:
    return make_tiny_novel(folder / "n.txt", chapters=30).read_text(encoding="utf-8").split("\n")


def make_tokenizer(kind: str, lines: list[str]) -> PreTrainedTokenizerFast:
    """Trained on a tiny novel and on English, so that there are tokens to leave out."""
    english = [
        "the quick brown fox jumps over the lazy dog and the other dogs jump over the foxes"
    ] * 20
    if kind == "sentencepiece":
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
        )
        alphabet = [*"“”曰：，。？", *"".join(PEOPLE)]
        special = [*SPECIAL, *(f"<0x{i:02X}>" for i in range(256)), "<unused1>"]
        trainer = trainers.BpeTrainer(
            vocab_size=900, special_tokens=special, initial_alphabet=alphabet
        )
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=900,
            special_tokens=SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )
    tokenizer.train_from_iterator([*lines, *english], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", 2)]
    )
    tokenizer.add_special_tokens([AddedToken("<turn>", special=True)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        bos_token="<bos>",
        unk_token="<unk>",
    )


def make_model(kind: str, size: int):
    torch.manual_seed(0)
    shape = {
        "vocab_size": size,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": 2,
    }
    if kind == "sentencepiece":
        return Gemma3ForCausalLM(
            Gemma3TextConfig(**shape, head_dim=16, tie_word_embeddings=True)
        ).eval()
    return Qwen2ForCausalLM(Qwen2Config(**shape, tie_word_embeddings=False)).eval()


@pytest.mark.parametrize("kind", ["sentencepiece", "bytes"])
def test_kept_text_keeps_its_tokens_and_its_logits(tmp_path: Path, kind: str):
    lines = text_of(tmp_path)
    tokenizer = make_tokenizer(kind, lines)
    model = make_model(kind, len(tokenizer))
    encoded = tokenizer(lines, add_special_tokens=False).input_ids
    ids = torch.tensor([[2, *encoded[3], *encoded[5]]])
    with torch.no_grad():
        before = model(input_ids=ids).logits
    smaller, vocabulary = vocab.trim(
        tokenizer, {number for row in encoded for number in row}, len(tokenizer)
    )
    model.save_pretrained(tmp_path / "full")
    vocab.cut_embeddings(model, vocabulary.vocab_ids)
    assert len(smaller) == len(vocabulary.vocab_ids) < vocabulary.before == len(tokenizer)
    assert [vocabulary.renumbered(row) for row in encoded] == [
        tuple(row) for row in smaller(lines, add_special_tokens=False).input_ids
    ]
    with torch.no_grad():
        after = model(input_ids=torch.tensor([vocabulary.renumbered(ids[0].tolist())])).logits
    assert torch.allclose(after, before[..., list(vocabulary.vocab_ids)], atol=1e-6)
    loaded = load_model(
        tmp_path / "full", vocab_ids=vocabulary.vocab_ids
    )  # only the rows kept are ever read
    with torch.no_grad():
        again = loaded(input_ids=torch.tensor([vocabulary.renumbered(ids[0].tolist())])).logits
    assert torch.equal(again, after) and loaded.config.eos_token_id == model.config.eos_token_id
    for name in ("pad", "eos", "bos"):
        assert (
            getattr(smaller, f"{name}_token_id")
            == getattr(model.config, f"{name}_token_id")
            == vocabulary.vocab_ids.index(getattr(tokenizer, f"{name}_token_id"))
        )
    assert smaller("x").input_ids[0] == smaller.bos_token_id and "<turn>" in smaller.get_vocab()
    assert "<unused1>" not in smaller.get_vocab() and "Ġfoxes" not in smaller.get_vocab()


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=30))
@pytest.mark.parametrize("kind", ["sentencepiece", "bytes"])
def test_everything_stays_writable(tmp_path_factory: pytest.TempPathFactory, kind: str, text: str):
    smaller, full = _tokenizers(tmp_path_factory, kind)
    ids = smaller(text, add_special_tokens=False).input_ids
    assert smaller.unk_token_id not in ids
    assert smaller.decode(ids) == full.decode(full(text, add_special_tokens=False).input_ids)


_MADE: dict[str, tuple[PreTrainedTokenizerFast, PreTrainedTokenizerFast]] = {}


def _tokenizers(
    factory: pytest.TempPathFactory, kind: str
) -> tuple[PreTrainedTokenizerFast, PreTrainedTokenizerFast]:
    if kind not in _MADE:
        lines = text_of(factory.mktemp("lines"))
        full = make_tokenizer(kind, lines)
        used = {
            number for row in full(lines[:40], add_special_tokens=False).input_ids for number in row
        }
        _MADE[kind] = vocab.trim(full, used, len(full))[0], full
    return _MADE[kind]


def test_other_kinds_of_tokenizer_are_named(tmp_path: Path):
    words = Tokenizer(models.WordLevel({"<unk>": 0, "a": 1}, unk_token="<unk>"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>")
    assert not vocab.can_trim(tokenizer)
    with pytest.raises(SourceError, match="BPE") as caught:
        vocab.trim(tokenizer, [1], 2)
    assert "--vocabulary full" in caught.value.hint


def test_a_tokenizer_json_stays_loadable(tmp_path: Path):
    lines = text_of(tmp_path)
    full = make_tokenizer("bytes", lines)
    data = json.loads(full.backend_tokenizer.to_str())
    vocab_ids = vocab.choose(data, set())
    again = Tokenizer.from_str(json.dumps(vocab.trim_tokenizer(data, vocab_ids)))
    assert again.decode(again.encode("张三。🎉").ids) == "张三。🎉"
