"""A conversation as a file, out and in: SillyTavern's JSON Lines, plain text, Markdown.

SillyTavern: a first line about the chat, then one message a line with `name`, `is_user`, `mes`, and its versions in `swipes`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Literal

from ...conversations.records import Turn
from ...errors import DataError, InputError

Form = Literal["jsonl", "txt", "md"]
FORMS: tuple[Form, ...] = ("jsonl", "txt", "md")
MOST_TURNS = 20_000
LONGEST = 100_000
"""Characters of one turn."""
_LINE = re.compile(r"^([^：\n]{1,40})：(.*)$")
_HEADING = re.compile(r"^\*\*([^*\n]{1,80})\*\*：?(.*)$")
_USER = re.compile(r"^（我是(.{1,80})）$")
"""Says in a text which of the speakers is the user."""


def written(turns: Sequence[Turn], form: Form, title: str, user: str) -> str:
    """The conversation as text."""
    if form == "jsonl":
        others = [turn.name for turn in turns if not turn.by_user]
        rows: list[dict[str, Any]] = [
            {
                "user_name": user,
                "character_name": others[0] if others else "",
                "chat_metadata": {"title": title},
            }
        ]
        for turn in turns:
            rows.append(
                {
                    "name": turn.name,
                    "is_user": turn.by_user,
                    "mes": turn.text,
                    "swipe_id": turn.chosen,
                    "swipes": list(turn.versions),
                }
            )
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    mark = "**{}**：{}" if form == "md" else "{}：{}"
    said = []
    for turn in turns:
        words = turn.text.replace("\n", "\n    ")
        said.append(mark.format(turn.name, words) if turn.name else words)
    me = next((turn.name for turn in turns if turn.by_user and turn.name), user)
    head = f"{'# ' if form == 'md' else ''}{' '.join(title.split())}"
    return "\n\n".join([head, f"（我是{me}）", *said]) + "\n"


def read(text: str, where: str, user: str) -> tuple[str, list[Turn]]:
    """(title, turns) of a file in any of the three forms, or of what this page saved before.

    Raises:
        InputError, DataError: none of them; the line is named.
    """
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise InputError(f"{where!r} 是空的", "选一个导出的对话文件")
    if text.lstrip().startswith("{"):
        title, turns = _read_json(text, where)
    else:
        title, turns = _read_text(text, where, user)
    if len(turns) > MOST_TURNS:
        raise InputError(
            f"{where!r} 有 {len(turns):,} 句，最多 {MOST_TURNS:,}", "分成几个文件再导入"
        )
    return title, turns


def _read_json(text: str, where: str) -> tuple[str, list[Turn]]:
    try:
        whole = json.loads(text)
        if isinstance(whole, dict) and isinstance(whole.get("turns"), list):
            return "", _our_old_form(whole["turns"], where)
    except (ValueError, RecursionError):
        whole = None  # one object a line, then; each is judged by itself
    title = ""
    turns: list[Turn] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{where}:{number}: 不是合法的 JSON：{error}",
                "需要 SillyTavern 的 .jsonl，或本页导出的文件",
            ) from error
        if not isinstance(row, dict):
            raise DataError(
                f"{where}:{number}: 一行应是一个对象",
                "需要 SillyTavern 的 .jsonl，或本页导出的文件",
            )
        if "mes" not in row:
            if turns or not {"user_name", "character_name", "chat_metadata"} & set(row):
                raise DataError(
                    f"{where}:{number}: 没有 mes，不是对话",
                    "需要 SillyTavern 的 .jsonl，或本页导出的文件",
                )
            about = row.get("chat_metadata")
            title = str(about.get("title") or "") if isinstance(about, dict) else ""
            continue
        turns.append(_turn(row, f"{where}:{number}"))
    if not turns:
        raise DataError(f"{where!r} 里没有一句话", "需要 SillyTavern 的 .jsonl，或本页导出的文件")
    return title, turns


def _turn(row: dict[str, Any], where: str) -> Turn:
    swipes = row.get("swipes")
    versions = list(swipes) if isinstance(swipes, list) and swipes else [row["mes"]]
    if not isinstance(row["mes"], str) or not all(isinstance(text, str) for text in versions):
        raise DataError(f"{where}: mes 和 swipes 应是文字", "改正后再导入")
    if max(map(len, versions)) > LONGEST:
        raise DataError(
            f"{where}: 这一句有 {max(map(len, versions)):,} 字，最多 {LONGEST:,}", "删短后再导入"
        )
    swiped = row.get("swipe_id")
    chosen = swiped if isinstance(swiped, int) and 0 <= swiped < len(versions) else 0
    if versions[chosen] != row["mes"]:  # edited after it was swiped
        versions[chosen] = row["mes"]
    return Turn(
        id=0,
        name=str(row.get("name") or ""),
        by_user=bool(row.get("is_user")),
        versions=tuple(versions),
        chosen=chosen,
    )


def _our_old_form(rows: Sequence[Any], where: str) -> list[Turn]:
    turns = []
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or not all(
            isinstance(row.get(key), str) for key in ("user", "speaker", "reply")
        ):
            raise DataError(
                f"{where} 第 {number} 轮: user、speaker、reply 都应是文字", "需要本页导出的文件"
            )
        turns.append(Turn(id=0, name="客", by_user=True, versions=(row["user"],)))
        if row["reply"]:
            turns.append(Turn(id=0, name=row["speaker"], by_user=False, versions=(row["reply"],)))
    return turns


def _read_text(text: str, where: str, user: str) -> tuple[str, list[Turn]]:
    lines = text.splitlines()
    title = ""
    if len(lines) > 2 and (
        signed := _USER.match(lines[2])
    ):  # ours: a title, even where it looks like somebody's words
        title, user, lines = lines[0].lstrip("# ").strip(), signed[1], lines[3:]
    elif not (_LINE.match(lines[0]) or _HEADING.match(lines[0])):
        title, lines = lines[0].lstrip("# ").strip(), lines[1:]
    turns: list[Turn] = []
    for line in lines:
        found = _HEADING.match(line) or (None if line.startswith("    ") else _LINE.match(line))
        if found:
            turns.append(Turn(id=0, name=found[1], by_user=found[1] == user, versions=(found[2],)))
        elif line.startswith("    ") and turns:
            turns[-1] = Turn(
                id=0,
                name=turns[-1].name,
                by_user=turns[-1].by_user,
                versions=(f"{turns[-1].text}\n{line[4:]}",),
            )
        elif line.strip():
            turns.append(Turn(id=0, name="", by_user=False, versions=(line,)))
    if not any(turn.name for turn in turns):
        raise DataError(
            f"{where!r} 里看不出谁说了什么", "每句写成“某某：……”；也认得 SillyTavern 的 .jsonl"
        )
    return title, turns
