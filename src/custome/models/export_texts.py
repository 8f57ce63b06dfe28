"""The texts that stand beside an exported model: Ollama's Modelfile and the model card."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from ..model_catalog import find_model
from ..recipe_file import load_recipe
from . import proof

if TYPE_CHECKING:
    from .export import Target, TunedSource


def modelfile(name: str, source: TunedSource) -> str:
    """Ollama's recipe: the file, how messages become text, where a reply ends.

    Source: https://github.com/ollama/ollama/blob/main/docs/modelfile.md
    """
    person = source.info.characters[0].cue if source.info.characters else ""
    if source.chat_format.kind == "template":  # Ollama reads the template out of the file
        persona = f'SYSTEM """你是{person}，用{person}的口吻说话。"""\n' if person else ""
        return f"FROM ./{name}\n{persona}"
    template = (
        '{{- range .Messages }}{{- if eq .Role "user" }}{{ .Content }}{{ if $.System }}{{ $.System }}曰：{{ end }}“'
        '{{- else if eq .Role "assistant" }}{{ .Content }}”{{ end }}{{- end }}'
    )
    # Whose words these are stands before the reply; another person: /set system 曹操
    return f'FROM ./{name}\nTEMPLATE """{template}"""\nPARAMETER stop ”\nSYSTEM """{person}"""\n'


def model_card(source: TunedSource, to: Target, quant: str, agreement: proof.Agreement) -> str:
    """What the files are, what they were made of and how they were checked."""
    info, results = source.info, source.info.results
    recipe = load_recipe(source.run / "recipe.yaml")
    losses = [
        f"{name}：{results[key]:.4f}"
        for key, name in (("base_valid_loss", "底座"), ("valid_loss", "微调后"))
        if isinstance(results.get(key), float)
    ]
    people = "、".join(person.name for person in info.characters[:12]) or "—"
    known = find_model(info.base_model)
    licence = known.licence if known else "见底座模型的许可"
    data = (
        "\n".join(f"- {part}：SHA-256 {digest}" for part, digest in info.data_files.items())
        or "- —"
    )
    words = f"只留 {len(source.vocab_ids):,} 个 token" if source.vocab_ids is not None else "完整"
    settings = {
        key: value
        for key, value in dataclasses.asdict(recipe.method).items()
        if value not in ("", ())
    }
    return f"""# {source.run.name}

由 LLM Custome {info.versions.get("custome", "")} 从底座 `{info.base_model}`（指纹 {info.base_fingerprint}）微调，导出为 {to}{"" if to == "adapter-gguf" else " · " + quant}。

- 对话格式：{info.chat_format}；词表：{words}
- 书中人：{people}
- 方法：{type(recipe.method).__name__.removesuffix("Config")} {settings}；{info.steps} 步 × {recipe.train.batch_size} 条，种子 {info.seed}
- 验证损失：{"，".join(losses) or "—"}
- 许可：{licence}；生成的文字要看数据的版权

## 数据

{data}

## 核对

{agreement.describe()}
"""
