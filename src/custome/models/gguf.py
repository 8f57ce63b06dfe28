"""A GGUF file → a folder of plain fp32 safetensors with its tokenizer, made once; or → a GGUF file of fewer tokens.

transformers reads and dequantizes the file; parsing its tokenizer takes longer than the weights of a small model, which
is why the result is kept: 60 s the first time, 5 s from then on (Gemma 3 270M, two cores).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stderr
from pathlib import Path

from ..errors import SourceError
from ..files import atomic_file, atomic_folder
from ..report import Reporter


def prepare_gguf(source: Path, target: Path, reporter: Reporter) -> None:
    """Write the dequantized model and tokenizer of `source` to the folder `target`.

    Raises:
        SourceError: not a GGUF file, or an architecture transformers cannot read.
        DiskError: no space.
    """
    with source.open("rb") as head:
        if head.read(4) != b"GGUF":
            raise SourceError(f"{str(source)!r} 不是 GGUF 文件", "重新下载，或换一个 .gguf 文件")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    task = "反量化底座（只做一次，约一分钟）"
    reporter.progress(task, 0, 100, "权重")
    try:
        with redirect_stderr(io.StringIO()):  # transformers draws a bar of its own here that cannot be turned off
            model = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
        reporter.progress(task, 65, 100, "分词器")
        tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    except (ValueError, KeyError, NotImplementedError) as error:
        raise SourceError(
            f"读不了 {str(source)!r}：{error}", "换一个架构受支持的 GGUF，或用 safetensors 目录"
        ) from error
    reporter.progress(task, 95, 100, "写盘")
    # The weights are plain fp32 now; without this the model would refuse to be saved as anything but GGUF.
    model.hf_quantizer, model.is_quantized, model.quantization_method = None, False, None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    with atomic_folder(target) as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    reporter.progress(task, 100, 100)


_PER_TOKEN = ("tokenizer.ggml.tokens", "tokenizer.ggml.scores", "tokenizer.ggml.token_type")
_MERGES = "tokenizer.ggml.merges"
_TOKEN_MATRICES = ("token_embd.weight", "output.weight")


def trim_gguf(source: Path, target: Path, kept: Sequence[int]) -> None:
    """Write `source` with only the kept tokens: rows of the token matrices as they are stored, nothing requantized.

    Args:
        kept: rising ids, as models.vocab.choose gives them.

    Raises:
        SourceError: not a GGUF file of a language model.
        DiskError: no space.
    """
    import numpy as np
    from gguf import GGUFReader, GGUFValueType, GGUFWriter

    try:
        reader = GGUFReader(source)
        tokens: list[str] = reader.fields["tokenizer.ggml.tokens"].contents()
        architecture = reader.fields["general.architecture"].contents()
    except (ValueError, KeyError, IndexError, OSError) as error:
        raise SourceError(f"{str(source)!r} 不是带分词器的 GGUF 语言模型：{error}", "重新下载，或换一个 .gguf 文件") from error  # fmt: skip
    new_id = {old: new for new, old in enumerate(kept)}
    names = {tokens[old] for old in kept}
    with atomic_file(target) as temporary:
        writer = GGUFWriter(temporary, architecture)
        for key, entry in reader.fields.items():
            if key.startswith("GGUF.") or key == "general.architecture":
                continue
            value, kind = entry.contents(), entry.types[0]
            if key in _PER_TOKEN:
                value = [value[old] for old in kept]
            elif key == _MERGES:
                value = [pair for pair in value if {*pair.split(" ", 1), pair.replace(" ", "", 1)} <= names]
            elif key.endswith("token_id") and isinstance(value, int):
                if value not in new_id:
                    continue
                value = new_id[value]
            elif key == f"{architecture}.vocab_size":
                value = len(kept)
            sub = entry.types[1] if kind == GGUFValueType.ARRAY else None
            writer.add_key_value(key, value, kind, sub)
        for tensor in reader.tensors:
            data = tensor.data[list(kept)] if tensor.name in _TOKEN_MATRICES else tensor.data
            writer.add_tensor(tensor.name, np.ascontiguousarray(data), raw_dtype=tensor.tensor_type)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
