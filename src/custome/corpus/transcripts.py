"""Texts in which it is written who speaks: plays, scripts, interviews, subtitles, dialogue lists of games, chat exports.

Recognised by what is in them, not by the file's name. Knows text, not novels.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from .exports import read_chat, read_json, read_table
from .said import BRACKETED, LINE, Said, Transcript, clean, is_part

LEAST_LINES = 4
"""Fewer lines with a name in front are no play."""
LEAST_SHARE = 0.5
"""Lines of a play that somebody says, at least."""
LEAST_REPEATS = 1.8
"""How often a name stands in front of a line, on average, at least."""
NOBODY = frozenset(
    [
        "时间",
        "地点",
        "人物",
        "角色",
        "场景",
        "布景",
        "景",
        "时",
        "地",
        "道具",
        "编剧",
        "导演",
        "作者",
        "注",
        "标题",
        "来源",
        "背景",
        "主题",
    ]
)
"""What stands in front of a colon at the head of a play."""
_PRONOUNS = frozenset(
    [
        "他",
        "她",
        "它",
        "我",
        "你",
        "他们",
        "她们",
        "我们",
        "你们",
        "那人",
        "这人",
        "大家",
        "有人",
        "早餐",
        "午餐",
        "晚餐",
        "系统",
    ]
)
SAMPLE = 2_000
"""Lines by which a play is recognised."""
_SPACED = re.compile(
    r"^(?P<name>[一-龥][ \u3000]+[一-龥](?=[\t\u3000 ]{2})|[一-龥]{1,5})[\t\u3000 ]{1,6}(?:[（(](?P<how>[^）)]{1,40})[）)])?(?P<words>\S.*)$"
)
_TELLS = re.compile(r".[道曰说问叫喊答笑骂想]$")
"""How a novel's cue ends."""
_CUE_TIME = re.compile(r"^\d{1,2}:\d{2}(?::\d{2})?[,.]\d{3} --> ", re.MULTILINE)


def recognise(text: str) -> Transcript | None:
    """What form of transcript a text is; None for a novel or anything else."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for read in (read_json, _subtitles, read_chat, read_table, _play):
        if (found := read(text)) is not None and any(one.name for one in found.lines):
            return found
    return None


# --- subtitles ------------------------------------------------------------------------------------------------------


def _subtitles(text: str) -> Transcript | None:
    if "[Script Info]" in text[:2000] and "Dialogue:" in text:
        return Transcript(form="subtitles", lines=tuple(_ass(text)))
    if len(_CUE_TIME.findall(text[:20_000])) < 2:
        return None
    lines = []
    for block in re.split(r"\n\s*\n", text):
        rows = [row.strip() for row in block.strip().split("\n")]
        at = next((i for i, row in enumerate(rows) if " --> " in row), None)
        if at is None:
            continue
        words = re.sub(r"</?[^>]+>", "", " ".join(rows[at + 1 :])).strip()
        if words:
            lines.append(_named(words))
    return Transcript(form="subtitles", lines=tuple(lines))


def _ass(text: str) -> Iterator[Said]:
    columns: list[str] = []
    for row in text.split("\n"):
        if row.startswith("Format:") and "Text" in row:
            columns = [one.strip().lower() for one in row[7:].split(",")]
        elif row.startswith("Dialogue:") and columns:
            values = dict(zip(columns, row[9:].split(",", len(columns) - 1), strict=False))
            words = re.sub(r"\{[^}]*\}", "", values.get("text", "")).replace("\\N", " ").strip()
            name = clean(values.get("name") or values.get("actor"))
            if words:
                yield Said(name=name, words=words) if name else _named(words)


def _named(words: str) -> Said:
    """甲：你来了 or 【甲】你来了; without a name nobody says it."""
    match = LINE.match(words) or BRACKETED.match(words)
    if match is None:
        return Said(words=words)
    return Said(
        name=clean(match["name"]), words=match["words"], how=match.groupdict().get("how") or ""
    )


# --- plays ----------------------------------------------------------------------------------------------------------


def _play(text: str) -> Transcript | None:
    """A line is somebody's name and their words; most lines are, and names come again."""
    rows = [row.strip() for row in text.split("\n", SAMPLE)[:SAMPLE] if row.strip()]
    for pattern in (LINE, BRACKETED, _SPACED):
        matches = [pattern.match(row) for row in rows]
        named = (_joined(m["name"]) for m in matches if m and not _TELLS.search(m["name"]))
        names = Counter(name for name in named if name not in NOBODY and not is_part(name))
        count = names.total()
        spoken = [m["words"] for m in matches if m]
        if sum(words[0] in '“「『"' for words in spoken) > len(spoken) / 2:
            continue  # cues of a novel
        if (
            count >= LEAST_LINES
            and (pattern is LINE or len(names) > 1)
            and not _PRONOUNS.issuperset(names)
            and count >= LEAST_SHARE * len(rows)
            and count >= LEAST_REPEATS * len(names)
        ):
            return Transcript(form="play", lines=tuple(_lines_of_play(text, pattern)))
    return None


def _lines_of_play(text: str, pattern: re.Pattern[str]) -> Iterator[Said]:
    for row in (row.strip() for row in text.split("\n") if row.strip()):
        match = pattern.match(row)
        if match is None or _joined(match["name"]) in NOBODY or is_part(match["name"]):
            yield Said(words=row)
        else:
            how = match.groupdict().get("how") or ""
            yield Said(name=_joined(match["name"]), words=match["words"], how=how)


def _joined(name: str) -> str:
    """鲁　贵 → 鲁贵."""
    return clean(re.sub(r"[ \u3000]", "", name))
