"""ChatGLM-6B's tokenizer from its ice_text.model, without its remote code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, normalizers, processors
from tokenizers.models import Unigram
from transformers.tokenization_utils_tokenizers import TokenizersBackend

UNIGRAM = 1
"""The kind of SentencePiece model, as its format numbers them."""
LONGEST_BLANK = 80
"""Runs of blanks up to this length are one token."""
ROUNDS = (
    "{%- set system = messages[0].content + '\n' if messages[0].role == 'system' else '' -%}"
    "{%- set turns = messages[1:] if system else messages -%}"
    "{{- system -}}"
    "{%- for turn in turns -%}"
    "{%- if turn.role == 'user' -%}"
    "{%- if turns | length > 2 -%}{{- '[Round ' ~ (loop.index0 // 2) ~ ']\n问：' ~ turn.content ~ '\n答：' -}}"
    "{%- else -%}{{- turn.content -}}{%- endif -%}"
    "{%- elif loop.last -%}{{- '[gMASK]<sop>' ~ turn.content ~ '<eop>' -}}"
    "{%- else -%}{{- turn.content ~ '\n' -}}{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '[gMASK]<sop>' -}}{%- endif -%}"
)
"""A single question stands alone; with a history, rounds are numbered, as the original chat() does."""


class ChatGLMTokenizer(TokenizersBackend):
    """The official `ice_text.model` in the `tokenizers` library; text → context [gMASK] <sop>."""

    vocab_files_names = {"vocab_file": "ice_text.model", "tokenizer_file": "tokenizer.json"}
    model_input_names = ["input_ids", "attention_mask"]
    padding_side = "left"

    @property
    def before_reply(self) -> list[int]:
        """What stands between a context and its reply."""
        ids: list[int] = self.convert_tokens_to_ids(["[gMASK]", "<sop>"])
        return ids

    @classmethod
    def convert_to_native_format(cls, **given: Any) -> dict[str, Any]:
        """Called by transformers with the paths of the files found."""
        written = given.get("tokenizer_file")
        if not (written and Path(written).is_file()):
            given["tokenizer_object"] = read_pieces(Path(given["vocab_file"]))
        given.setdefault("chat_template", ROUNDS)
        return given


def read_pieces(path: Path) -> Tokenizer:
    """A SentencePiece model with ChatGLM's treatment of line breaks, tabs and runs of blanks."""
    from transformers.utils.sentencepiece_model_pb2_new import ModelProto

    model = ModelProto()
    model.ParseFromString(path.read_bytes())
    pieces = [(piece.piece, piece.score) for piece in model.pieces]
    if model.trainer_spec.model_type != UNIGRAM:
        raise ValueError(f"{path.name} 不是 unigram 分词模型")
    tokenizer = Tokenizer(Unigram(pieces, unk_id=model.trainer_spec.unk_id, byte_fallback=True))
    marks = {
        "\n": "<n>",
        "\t": "<|tab|>",
        **{" " * n: f"<|blank_{n}|>" for n in range(LONGEST_BLANK, 1, -1)},
    }
    tokenizer.normalizer = normalizers.Sequence(
        [
            *(normalizers.Replace(text, mark) for text, mark in marks.items()),
            *(
                [normalizers.Precompiled(charsmap)]
                if (charsmap := model.normalizer_spec.precompiled_charsmap)
                else []
            ),
            normalizers.Prepend("▁"),
            normalizers.Replace(" ", "▁"),
        ]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            *(decoders.Replace(mark, text) for text, mark in marks.items()),
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", left=1),
        ]
    )
    special = {"<unk>", "<s>", "</s>", "<pad>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>"}
    known = [piece for piece, _ in pieces if piece in special]
    tokenizer.add_special_tokens(
        [AddedToken(piece, normalized=False, special=True) for piece in known]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A [gMASK] <sop>",
        pair="$A [gMASK] <sop> $B <eop>",
        special_tokens=[
            (mark, tokenizer.token_to_id(mark)) for mark in ("[gMASK]", "<sop>", "<eop>")
        ],
    )
    return tokenizer
