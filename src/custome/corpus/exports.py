"""Chat exports and lists of lines: WeChat, QQ and the like as text or csv, Telegram's and games' JSON → lines.

Knows text; what is done with the lines is for others.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from .private import hidden
from .said import LONGEST_NAME, Said, Transcript, clean, is_part

_DATE = r"\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?"
_TIME = r"(?:[上下]午 ?)?\d{1,2}:\d{2}(?::\d{2})?"
_NAME_BEHIND = re.compile(rf"^(?P<date>{_DATE})[ \t]+(?P<time>{_TIME})[ \t]+(?P<name>\S.{{0,40}})$")
_NAME_BEFORE = re.compile(
    rf"^(?P<name>\S.{{0,40}}?)[ \t]+(?P<date>{_DATE})[ \t]+(?P<time>{_TIME})$"
)
_ONE_LINE = re.compile(
    rf"^[\[(]?(?P<date>{_DATE})[ ,，T]+(?P<time>{_TIME})[\])]?[ \t-]*(?P<name>[^:：]{{1,30}})[:：][ \t]*(?P<words>.*)$"
)
_WHO = (
    "speaker",
    "character",
    "name",
    "角色",
    "人物",
    "说话人",
    "发言人",
    "姓名",
    "nickname",
    "sender",
    "talker",
    "昵称",
    "发送人",
    "发送者",
    "remark",
    "from",
)
_WHAT = (
    "text",
    "dialogue",
    "line",
    "台词",
    "对白",
    "内容",
    "对话",
    "文本",
    "strcontent",
    "content",
    "message",
    "msg",
    "消息",
    "words",
)
_SENDERS = frozenset(("nickname", "sender", "talker", "昵称", "发送人", "发送者", "remark", "from"))
"""Columns that only chats have."""
DEEPEST = 6
"""Lists within lists that are looked into."""
LONGEST_HEAD = 1_000
"""Characters of the line that names a table's columns, at most."""
_WHEN = ("strtime", "time", "时间", "日期", "date", "发送时间", "createtime", "timestamp")


# --- lists and tables -----------------------------------------------------------------------------------------------


def read_json(text: str) -> Transcript | None:
    """A Telegram export, another chat's, or a game's list of lines."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    chats = list(_message_lists(data))
    if lines := [line for messages in chats for line in _telegram(messages)]:
        return Transcript(form="chat", lines=tuple(_apart(lines)))
    rows = _rows_in(data)
    return _of_rows(rows, rows[0]) if rows else None


def _of_rows(rows: Sequence[dict[str, Any]], columns: Iterable[str]) -> Transcript | None:
    """Rows of a table; a table with times, or with senders, is a chat."""
    who, what, when = _columns(columns)
    if not who or not what:
        return None
    lines = tuple(
        Said(
            name=str(row.get(who) or "").strip(),
            words=str(row[what]),
            at=_moment(str(row.get(when) or "")),
        )
        for row in rows
        if isinstance(row.get(what), str)
    )
    names = {line.name for line in lines if line.name}
    if not names or all(is_part(name) for name in names):
        return None  # chapters of a book
    if when or who.strip().lower() in _SENDERS:
        return Transcript(form="chat", lines=tuple(_apart(lines)))
    return Transcript(form="game", lines=tuple(replace(one, name=clean(one.name)) for one in lines))


def _message_lists(data: Any, depth: int = 0) -> Iterator[list[Any]]:
    """Every list called messages, of one chat or of a whole account."""
    if isinstance(data, dict) and isinstance(data.get("messages"), list):
        yield data["messages"]
    elif isinstance(data, dict | list) and depth < DEEPEST:
        for one in data.values() if isinstance(data, dict) else data:
            yield from _message_lists(one, depth + 1)


def _rows_in(data: Any, depth: int = 0) -> list[dict[str, Any]]:
    """The first list of objects with somebody and their words in it."""
    if isinstance(data, list) and data and all(isinstance(one, dict) for one in data):
        who, what, _ = _columns(data[0])
        if who and what:
            return list(data)
    inside = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    found: list[dict[str, Any]] = []
    for one in inside:
        if isinstance(one, dict | list) and depth < DEEPEST:
            found += _rows_in(one, depth + 1)
    return found


def _telegram(messages: Iterable[Any]) -> Iterator[Said]:
    for one in messages:
        if not isinstance(one, dict) or one.get("type") != "message" or not one.get("from"):
            continue
        parts = one.get("text") or ""
        if isinstance(parts, list):  # links and the like are objects among the words
            parts = "".join(
                str(part.get("text", "")) if isinstance(part, dict) else str(part) for part in parts
            )
        try:
            at = datetime.fromisoformat(str(one.get("date"))).replace(tzinfo=None)
        except ValueError:
            at = None
        yield Said(name=str(one["from"]).strip(), words=str(parts), at=at)


def _columns(keys: Iterable[str]) -> tuple[str, str, str]:
    """(who, what, when) among the names of columns; '' for what is not there."""
    low = {str(key).strip().lower(): str(key) for key in keys}

    def first(wanted: Sequence[str]) -> str:
        return next((low[name] for name in wanted if name in low), "")

    return first(_WHO), first(_WHAT), first(_WHEN)


def read_table(text: str) -> Transcript | None:
    text = text.lstrip("\ufeff")
    head = text.split("\n", 1)[0]
    mark = max(",\t;|", key=head.count)
    if not head.count(mark) or len(head) > LONGEST_HEAD:
        return None
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    try:
        columns = next(csv.reader([head], delimiter=mark))
        if not all(_columns(columns)[:2]):
            return None
        return _of_rows(list(csv.DictReader(io.StringIO(text), delimiter=mark)), columns)
    except csv.Error:
        return None


# --- chats ----------------------------------------------------------------------------------------------------------


def read_chat(text: str) -> Transcript | None:
    """WeChat, QQ and the like as text: a line with who and when, their words below or behind."""
    rows = text.split("\n")
    sample = [row.strip() for row in rows[:4000]]
    best = max(
        (_NAME_BEHIND, _NAME_BEFORE, _ONE_LINE),
        key=lambda pattern: sum(pattern.match(row) is not None for row in sample),
    )
    heads = sum(best.match(row) is not None for row in sample)
    if heads < 2 or heads < 0.2 * sum(map(bool, sample)):
        return None
    lines: list[Said] = []
    for row in map(str.rstrip, rows):
        match = best.match(row.strip())
        if match is not None:
            words = match.groupdict().get("words") or ""
            at = _moment(f"{match['date']} {match['time']}")
            lines.append(Said(name=match["name"].strip(), words=words, at=at))
        elif lines and row.strip():
            lines[-1] = replace(lines[-1], words=f"{lines[-1].words}\n{row.strip()}".strip())
    return Transcript(form="chat", lines=tuple(_apart(lines)))


def _apart(lines: Sequence[Said]) -> Iterator[Said]:
    """Names without the numbers and addresses in them or behind them; two people of one name are told apart by those."""
    marked = re.compile(
        r"^(?P<name>.{0,40}?)[（(<](?P<id>\d{5,12}|[^@\s]{1,40}@[^@\s]{1,40})[）)>]$"
    )
    bearers: dict[str, list[str]] = defaultdict(list)
    for one in lines:
        if not one.name:
            yield one
            continue
        match = marked.match(one.name)
        written, who = (match["name"].strip(), match["id"]) if match else (one.name, one.name)
        name = clean(hidden(written, Counter())) or "无名"  # a number is nobody's name
        if who not in bearers[name]:
            bearers[name].append(who)
        place = bearers[name].index(who)
        yield replace(one, name=name if place == 0 else f"{name[: LONGEST_NAME - 3]}·{place + 1}")


def _moment(text: str) -> datetime | None:
    """A time as exports write it; None for what is none."""
    if re.fullmatch(r"\d{10}(?:\d{3})?(?:\.\d+)?", text.strip()):
        return datetime.fromtimestamp(int(text.strip()[:10]))  # local time, as the chat's others
    numbers = [int(one) for one in re.findall(r"\d+", text)]
    if len(numbers) > 3 and numbers[3] <= 12 and (half := re.search("上午|下午|[AaPp][Mm]", text)):
        numbers[3] = numbers[3] % 12 + 12 * (half.group()[0] in "下Pp")
    try:
        return datetime(*numbers[:6]) if len(numbers) >= 3 else None  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        return None
