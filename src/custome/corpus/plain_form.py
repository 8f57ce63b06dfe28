"""The plain form of a transcript, which is what a corpus keeps of it and reads again:

    # 第一幕            a heading begins a chapter; a chat gets one wherever it rested for half an hour
    （灯亮）            a line that nobody says
    甲：你来了。        somebody and their words

A name is taken as it is written, whatever else the word may mean.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from ..types import Utterance
from .aliases import AliasTable
from .dialogue import CONTEXT_CHARACTERS, Extract
from .private import hidden
from .said import LINE, Said, Transcript
from .text import Novel, split_chapters, tidy

RESTS = timedelta(minutes=30)
"""A chat that rested so long begins a new conversation."""
TOGETHER = timedelta(minutes=3)
"""Messages of one person within so long are one turn."""
LONGEST_NOTICE = 80
"""Characters of a message that may be a notice or stand for a picture."""
_UNMARKED = re.compile(r"^[“「『\"]([^“”「」『』\"]*)[”」』\"]$")
"""Words of a play with marks around them."""
_NOTHING = re.compile(
    r"^\s*(?:\[(?:图片|表情|动画表情|语音|视频|文件|链接|位置|红包|转账|通话|音乐|名片)[^\]]*\]|<(?:媒体|Media)[^>]*>|.{0,20}撤回了一条消息.{0,4}|.{0,30}(?:加入|退出)了?群聊.{0,4})?\s*$"
)


def plain(transcript: Transcript, counts: Counter[str], *, keep_private: bool = False) -> str:
    """A transcript in its plain form; of chats, what is private is left out unless it is to be kept.

    Args:
        counts: gets what was left out.
    """
    chat = transcript.form == "chat"
    lines = list(transcript.lines)
    if chat:
        lines = list(_turns(_oldest_first(lines), counts))
    rows: list[str] = []
    last: datetime | None = None
    for one in lines:
        words = " ".join(row.strip() for row in one.words.split("\n")).strip()
        words = _UNMARKED.sub(r"\1", words) if one.name else words
        if chat and not keep_private:
            words = hidden(words, counts)
        if chat and one.at is not None and (last is None or one.at - last > RESTS):
            rows.append(f"\n# {one.at:%Y-%m-%d %H:%M}\n")
        last = one.until or one.at or last
        if one.name:
            rows.append(f"{one.name}{f'（{one.how}）' if one.how else ''}：{words}")
        elif words:
            rows.append(words if _is_heading(words) else f"（{words.strip('（）()')}）")
    return "\n".join(rows).strip() + "\n"


def _oldest_first(lines: list[Said]) -> list[Said]:
    """An export that begins with the newest is turned around."""
    times = [one.at for one in lines if one.at is not None]
    return lines[::-1] if len(times) > 1 and times[0] > times[-1] else lines


def _is_heading(words: str) -> bool:
    return bool(
        re.match(r"#|第[〇零一二三四五六七八九十百\d]{1,4}[幕场折回章节集]|序幕|尾声", words)
    )


def _turns(lines: Sequence[Said], counts: Counter[str]) -> Iterator[Said]:
    """A chat without pictures and notices, several messages of one person in a row as one turn."""
    held: Said | None = None
    for one in lines:
        if not one.name or _NOTHING.match(one.words[:LONGEST_NOTICE].strip()):
            counts["图片、通知"] += 1
            continue
        before = (held.until or held.at) if held is not None else None
        soon = before is None or one.at is None or one.at - before <= TOGETHER
        if held is not None and held.name == one.name and soon:
            held = replace(held, words=f"{held.words} {one.words}", until=one.at or held.until)
            continue
        if held is not None:
            yield held
        held = one
    if held is not None:
        yield held


def utterances_of(novel: Novel, table: AliasTable | None, form: str) -> Extract | None:
    """What is said in a text of the plain form, with its people; None for a novel."""
    if form == "novel":
        return None
    owners = table.owners() if table else {}
    found: list[Utterance] = []
    chapters = split_chapters(novel.text)
    for chapter in chapters:
        narration, at = "", chapter.start
        for row in novel.text[chapter.start : chapter.end].split("\n"):
            start, at = at, at + len(row) + 1
            match = LINE.match(row)
            if match is None:
                narration += tidy(row)
                continue
            name = match["name"]
            how = f"（{match['how']}）" if match["how"] else ""
            begin = start + match.start("words")
            found.append(
                Utterance(
                    novel=novel.name,
                    chapter=chapter.number,
                    offset=begin,
                    end=begin + len(match["words"]),
                    context=f"{narration[-CONTEXT_CHARACTERS:]}{name}{how}：",
                    quote=f"“{match['words'].strip()}”",
                    mention=name,
                    speaker=owners.get(name, (name,))[0],
                    rule="written",
                    confidence=1.0,
                )
            )
            narration = ""
    table = table or AliasTable()
    people = {
        **table.people,
        **{one.speaker: () for one in found if one.speaker not in table.people},
    }
    funnel = {
        "章": len({chapter.number for chapter in chapters} - {0}),
        "引文": len(found),
        "说话": len(found),
        "说话或心想，有说话人": len(found),
    }
    return Extract(utterances=found, table=replace(table, people=people), funnel=funnel, form=form)
