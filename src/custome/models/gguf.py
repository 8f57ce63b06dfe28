"""A GGUF file → a folder of plain fp32 safetensors with its tokenizer, made once.

transformers reads and dequantizes the file; parsing its tokenizer takes longer than the weights of a small model, which
is why the result is kept: 60 s the first time, 5 s from then on (Gemma 3 270M, two cores).
"""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from pathlib import Path

from ..errors import SourceError
from ..files import atomic_folder
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
