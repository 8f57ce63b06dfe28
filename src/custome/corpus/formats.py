"""Rows on disk ↔ samples, in five forms recognised by what a row holds, never by its file name:

seed        {"context", "chat"} and whatever else
dialogue    {"scene", "turns": [{"speaker", "cue", "text"}]}
alpaca      {"instruction", "input", "output"} and perhaps "history"
sharegpt    {"conversations": [{"from", "value"}]}
openai      {"messages": [{"role", "content"}]}

A rejected row names file, line, key and reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..files import read_text
from ..types import Dialogue, DialogueTurn, Exchange, Sample

HINT = '每行应形如 {"context": "…曹洪曰：", "chat": "“…”"}'


def read_samples(path: Path) -> list[Sample]:
    """Rows of a JSON Lines file, or of a JSON list, in any of the five forms.

    Raises:
        InputError: the file is missing, a folder, empty or not UTF-8 text.
        DataError: a row is not JSON, of no known form, lacks a key, or a value is not text.
    """
    text = read_text(
        path, "数据文件", hint="小说原文请先做语料：custome corpus build 小说.txt -o corpus/我的书"
    )
    samples = [
        sample for line, row in _rows(text, path) for sample in _samples(row, f"{path}:{line}")
    ]
    if not samples:
        raise DataError(f"数据文件 {str(path)!r} 里没有样本", HINT)
    return samples


def _rows(text: str, path: Path) -> list[tuple[int, Any]]:
    if text.lstrip().startswith("["):
        try:
            return list(enumerate(json.loads(text), 1))
        except json.JSONDecodeError as error:
            raise DataError(
                f"{path}:{error.lineno}: 不是合法的 JSON：{error.msg}", "改正这一行后重跑"
            ) from error
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            rows.append((number, json.loads(line)))
        except json.JSONDecodeError as error:
            raise DataError(
                f"{path}:{number}: 不是合法的 JSON：{error.msg}，看到 {line[:40]!r}",
                f"{HINT}；小说原文请先做语料：custome corpus build",
            ) from error
    return rows


def _samples(row: Any, where: str) -> list[Sample]:
    if not isinstance(row, dict):
        raise DataError(f"{where}: 一行应是一个对象，这里是 {type(row).__name__}", HINT)
    for keys, read in _FORMS.values():
        if any(key in row for key in keys):
            return read(row, where)
    raise DataError(
        f"{where}: 缺少键 'context' 和 'chat'，现有 {list(row)}",
        f"{HINT}；也认得 {', '.join(list(_FORMS)[1:])}",
    )


def _text(row: Any, key: str, where: str, *, default: str | None = None) -> str:
    if not isinstance(row, dict):
        raise DataError(f"{where}: 应是一个对象，这里是 {row!r}", "改正这一行后重跑")
    if key not in row:
        if default is not None:
            return default
        raise DataError(f"{where}: 缺少键 {key!r}，现有 {list(row)}", HINT)
    if not isinstance(row[key], str):
        raise DataError(f"{where}: {key!r} 应是文字，这里是 {row[key]!r}", "改正这一行后重跑")
    return str(row[key])


def _list(row: dict[str, Any], key: str, where: str) -> list[Any]:
    if not isinstance(row.get(key), list):
        raise DataError(f"{where}: {key!r} 应是一列，这里是 {row.get(key)!r}", "改正这一行后重跑")
    return list(row[key])


def _learnable(
    exchanges: Sequence[Exchange],
    where: str,
    key: str,
    *,
    speaker: str = "",
    mention: str = "",
    persona_prefix: str = "",
) -> list[Sample]:
    """One sample of a conversation: every reply is learnt, the last one stands by itself.

    Args:
        persona_prefix: what the conversation's system message says.
    """
    if not exchanges:
        raise DataError(f"{where}: 没有一句回答", "每段对话至少要有一问一答")
    for exchange in exchanges:
        if not exchange.chat.strip():
            raise DataError(f"{where}: {key!r} 是空的，没有可学的内容", "删掉这一行后重跑")
    *earlier, last = exchanges
    return [
        Sample(
            context=last.context,
            chat=last.chat,
            earlier=tuple(earlier),
            persona_prefix=persona_prefix,
            speaker=speaker,
            mention=mention,
            source=where,
        )
    ]


# --- reading ------------------------------------------------------------------------------------------------------


def _read_seed(row: dict[str, Any], where: str) -> list[Sample]:
    earlier = [
        Exchange(
            context=_text(e, "context", where),
            chat=_text(e, "chat", where),
            speaker=str(e.get("speaker", "")),
        )
        for e in row.get("earlier") or []
    ]
    exchange = Exchange(context=_text(row, "context", where), chat=_text(row, "chat", where))
    return _learnable(
        [*earlier, exchange],
        where,
        "chat",
        speaker=str(row.get("speaker") or ""),
        mention=str(row.get("mention") or ""),
        persona_prefix=str(row.get("persona_prefix") or row.get("front") or ""),
    )


def read_dialogue(row: dict[str, Any], where: str) -> Dialogue:
    """A row of a dialogue file."""
    turns = tuple(
        DialogueTurn(
            speaker=_text(turn, "speaker", where),
            cue=_text(turn, "cue", where),
            text=_text(turn, "text", where),
            mention=_text(turn, "mention", where, default=""),
        )
        for turn in _list(row, "turns", where)
    )
    return Dialogue(
        novel=str(row.get("novel", "")),
        chapter=int(row.get("chapter") or 0),
        offset=int(row.get("offset") or 0),
        scene=_text(row, "scene", where, default=""),
        turns=turns,
    )


def _read_dialogue(row: dict[str, Any], where: str) -> list[Sample]:
    dialogue = read_dialogue(row, where)
    exchanges = [
        Exchange(
            context=(dialogue.scene if index == 0 else "") + turn.cue,
            chat=f"“{turn.text}”" if turn.text.strip() else "",
            speaker=turn.speaker,
            mention=turn.mention,
        )
        for index, turn in enumerate(dialogue.turns)
    ]
    last = dialogue.turns[-1] if dialogue.turns else DialogueTurn(speaker="", cue="", text="")
    return _learnable(exchanges, where, "text", speaker=last.speaker, mention=last.mention)


def _read_alpaca(row: dict[str, Any], where: str) -> list[Sample]:
    system, words = _text(row, "system", where, default=""), _text(row, "input", where, default="")
    question = "\n".join(part for part in (_text(row, "instruction", where), words) if part)
    earlier = []
    for pair in row.get("history") or []:
        if (
            not isinstance(pair, list)
            or len(pair) != 2
            or not all(isinstance(text, str) for text in pair)
        ):
            raise DataError(
                f"{where}: 'history' 应是一列 [问, 答]，这里是 {pair!r}", "改正这一行后重跑"
            )
        earlier.append(Exchange(context=pair[0], chat=pair[1]))
    exchanges = [*earlier, Exchange(context=question, chat=_text(row, "output", where))]
    return _of_one(exchanges, system, where, "output")


def _read_turns(
    row: dict[str, Any], where: str, key: str, names: tuple[str, str], roles: dict[str, str]
) -> list[Sample]:
    system, question = _text(row, "system", where, default=""), ""
    exchanges: list[Exchange] = []
    for message in _list(row, key, where):
        said = _text(message, names[0], where)
        if said not in roles:
            raise DataError(
                f"{where}: {names[0]!r} 不认得 {said!r}", f"应是 {'、'.join(roles)} 之一"
            )
        text = _text(message, names[1], where)
        if roles[said] == "system":
            system = f"{system}\n{text}".strip()
        elif roles[said] == "user":
            question = f"{question}\n{text}".strip()
        elif exchanges and not question:  # it says several things in a row
            exchanges[-1] = replace(exchanges[-1], chat=f"{exchanges[-1].chat}\n{text}")
        else:
            exchanges.append(Exchange(context=question, chat=text))
            question = ""
    found = _of_one(exchanges, system, where, names[1])
    return [replace(found[0], unanswered=question)]


def _of_one(exchanges: Sequence[Exchange], system: str, where: str, key: str) -> list[Sample]:
    """A conversation in which one person gives every reply: whoever the system message says, or nobody in particular."""
    speaker = _speaker_of(system)
    own = [replace(exchange, speaker=speaker) for exchange in exchanges]
    return _learnable(own, where, key, speaker=speaker, persona_prefix=system)


def _read_sharegpt(row: dict[str, Any], where: str) -> list[Sample]:
    roles = {
        "human": "user",
        "user": "user",
        "gpt": "assistant",
        "assistant": "assistant",
        "system": "system",
    }
    return _read_turns(row, where, "conversations", ("from", "value"), roles)


def _read_openai(row: dict[str, Any], where: str) -> list[Sample]:
    roles = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
    return _read_turns(row, where, "messages", ("role", "content"), roles)


_PERSONA = re.compile(r"^你是(?P<name>[^，。,.\s]{1,20})[，。,]")


def _speaker_of(system: str) -> str:
    match = _PERSONA.match(system)
    return match["name"] if match else ""


_FORMS: dict[str, tuple[tuple[str, ...], Callable[[dict[str, Any], str], list[Sample]]]] = {
    "seed": (("context", "chat"), _read_seed),
    "dialogue": (("turns",), _read_dialogue),
    "alpaca": (("instruction", "output"), _read_alpaca),
    "sharegpt": (("conversations",), _read_sharegpt),
    "openai": (("messages",), _read_openai),
}


# --- writing ------------------------------------------------------------------------------------------------------


def dialogue_row(dialogue: Dialogue) -> dict[str, Any]:
    return {**vars(dialogue), "turns": [vars(turn) for turn in dialogue.turns]}


def _system(sample: Sample) -> str:
    """What a conversation's system message says; of who speaks where nothing was said."""
    return sample.persona_prefix or (
        f"你是{sample.speaker}，用{sample.speaker}的口吻说话。" if sample.speaker else ""
    )


def _exchanges(sample: Sample) -> list[Exchange]:
    return [
        *sample.earlier,
        Exchange(
            context=sample.context, chat=sample.chat, speaker=sample.speaker, mention=sample.mention
        ),
    ]


def _write_seed(sample: Sample) -> list[dict[str, Any]]:
    return [
        {"context": e.context, "chat": e.chat, **({"speaker": e.speaker} if e.speaker else {})}
        for e in _exchanges(sample)
    ]


def sample_row(sample: Sample) -> dict[str, Any]:
    """A sample as one row of the seed's form, nothing lost."""
    row: dict[str, Any] = {
        "context": sample.context,
        "chat": sample.chat,
        "speaker": sample.speaker,
        "mention": sample.mention,
    }
    row |= {"persona_prefix": sample.persona_prefix} if sample.persona_prefix else {}
    return {**row, "earlier": [asdict(e) for e in sample.earlier]} if sample.earlier else row


def _write_dialogue(sample: Sample) -> list[dict[str, Any]]:
    turns = [
        DialogueTurn(
            speaker=e.speaker, cue=e.context, text=e.chat.removeprefix("“").removesuffix("”")
        )
        for e in _exchanges(sample)
    ]
    return [dialogue_row(Dialogue(novel="", chapter=0, offset=0, scene="", turns=tuple(turns)))]


def _write_alpaca(sample: Sample) -> list[dict[str, Any]]:
    row: dict[str, Any] = {"instruction": sample.context, "input": "", "output": sample.chat}
    if system := _system(sample):
        row["system"] = system
    if sample.earlier:
        row["history"] = [[e.context, e.chat] for e in sample.earlier]
    return [row]


def _write_sharegpt(sample: Sample) -> list[dict[str, Any]]:
    turns = []
    for exchange in _exchanges(sample):
        turns += [
            {"from": "human", "value": exchange.context},
            {"from": "gpt", "value": exchange.chat},
        ]
    row: dict[str, Any] = {"conversations": turns}
    if system := _system(sample):
        row["system"] = system
    return [row]


def _write_openai(sample: Sample) -> list[dict[str, Any]]:
    messages = [{"role": "system", "content": system}] if (system := _system(sample)) else []
    for exchange in _exchanges(sample):
        messages += [
            {"role": "user", "content": exchange.context},
            {"role": "assistant", "content": exchange.chat},
        ]
    return [{"messages": messages}]


WRITERS: dict[str, Callable[[Sample], list[dict[str, Any]]]] = {
    "seed": _write_seed,
    "dialogue": _write_dialogue,
    "alpaca": _write_alpaca,
    "sharegpt": _write_sharegpt,
    "openai": _write_openai,
}
"""Form → rows of one sample."""


def rows_of(samples: Iterable[Sample], form: str) -> list[dict[str, Any]]:
    """Samples as rows of a form (a key of WRITERS)."""
    return [row for sample in samples for row in WRITERS[form](sample)]
