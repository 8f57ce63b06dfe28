"""Rows on disk ↔ samples. A rejected row names file, line, key and reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..files import read_text
from ..types import Sample


def read_samples(path: Path) -> list[Sample]:
    """Rows of a JSON Lines file, or of a JSON list, with the seed's keys `context` and `chat`.

    Raises:
        InputError: the file is missing, a folder, empty or not UTF-8 text.
        DataError: a row is not JSON, lacks a key, or a value is not text.
    """
    text = read_text(path, "数据文件", hint="小说原文请先做语料：custome corpus build 小说.txt -o corpus/我的书")
    samples = [_sample(row, f"{path}:{line}") for line, row in _rows(text, path)]
    if not samples:
        raise DataError(f"数据文件 {str(path)!r} 里没有样本", '每行应形如 {"context": "…曹洪曰：", "chat": "“…”"}')
    return samples


def _rows(text: str, path: Path) -> list[tuple[int, Any]]:
    if text.lstrip().startswith("["):
        try:
            return list(enumerate(json.loads(text), 1))
        except json.JSONDecodeError as error:
            raise DataError(f"{path}:{error.lineno}: 不是合法的 JSON：{error.msg}", "改正这一行后重跑") from error
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            rows.append((number, json.loads(line)))
        except json.JSONDecodeError as error:
            raise DataError(
                f"{path}:{number}: 不是合法的 JSON：{error.msg}，看到 {line[:40]!r}",
                '每行应形如 {"context": "…曹洪曰：", "chat": "“…”"}；小说原文请先做语料：custome corpus build',
            ) from error
    return rows


def _sample(row: Any, where: str) -> Sample:
    if not isinstance(row, dict):
        raise DataError(
            f"{where}: 一行应是一个对象，这里是 {type(row).__name__}", '每行应形如 {"context": "…", "chat": "…"}'
        )
    for key in ("context", "chat"):
        if key not in row:
            raise DataError(f"{where}: 缺少键 {key!r}，现有 {list(row)}", '每行应形如 {"context": "…", "chat": "…"}')
        if not isinstance(row[key], str):
            raise DataError(f"{where}: {key!r} 应是文字，这里是 {row[key]!r}", "改正这一行后重跑")
    if not row["chat"].strip():
        raise DataError(f"{where}: 'chat' 是空的，没有可学的内容", "删掉这一行后重跑")
    return Sample(context=row["context"], chat=row["chat"], speaker=str(row.get("speaker") or ""),
                  mention=str(row.get("mention") or ""), source=where)  # fmt: skip
