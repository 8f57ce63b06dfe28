"""A novel's text, its chapters and paragraphs. Knows encodings, headings and line breaks, not quotations.

Offsets everywhere are characters into `Novel.text`: the file's text with line ends normalised (for epub and html, the
text taken out of it). Whatever cleans a text for reading keeps its length, so an offset never moves.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Span = tuple[int, int]
"""Start and end (exclusive), in characters."""

_NUMBER = "〇零一二三四五六七八九十百千两廿卅0-9０-９"
_UNIT = "回章节節卷集部篇折幕话話"
_APART = r"(?:序[章言幕曲]?|楔子|引[子首言]|前言|自序|代序|尾[声聲]|[后後][记記]|[终終]章|番外(?:篇)?|附[录錄])"
_ORNAMENT = r"(?:[=＝*~—\-]{2,8}[ \t]*|[#＃]{1,4}[ \t]*)?"
_HEADING = re.compile(
    rf"^[ \t\u3000]{{0,40}}{_ORNAMENT}(?:(?:正文[ \u3000]*)?[【〖\[]?第[ ]?[{_NUMBER}]{{1,9}}[ ]?[{_UNIT}]"
    rf"(?:[】〗\]].{{0,90}}|[（(][^（）()\n]{{1,8}}[）)][ \t\u3000]{{0,4}}[^，。！？；\n]{{0,40}}|[ \t\u3000:：、.．\-—]{{1,12}}.{{0,90}})?"
    rf"|[卷回][ ]?[{_NUMBER}]{{1,5}}(?:[ \t\u3000:：]{{1,12}}.{{0,60}})?"
    rf"|[上中下终前后][卷部篇册](?:[ \t\u3000:：]{{1,12}}.{{0,40}})?"
    rf"|{_APART}(?:[ \t\u3000:：{_NUMBER}]{{1,12}}.{{0,40}})?"
    r"|#{1,4} .{1,80}|(?:[Cc]hapter|CHAPTER|[Vv]ol(?:ume)?|VOL)[ .．]{0,2}[0-9IVXLC]{1,6}\b.{0,60})[ \t\u3000]{0,40}$",
    re.MULTILINE,
)
_TIGHT_HEADING = re.compile(
    rf"^[ \t\u3000]{{0,40}}第[{_NUMBER}]{{1,9}}[回章][^ \t\n。！？!?，,；;]{{1,30}}$", re.MULTILINE
)  # no space: 第一章风起
_PROSE = re.compile(r"[。，,；;][ \t\u3000]*[=＝*~—\-]{0,8}$")
"""How a line ends that only begins like a heading: 第一节 是他自己添的，不算。"""
_BARE_HEADING = re.compile(
    rf"^[ \t\u3000]*(?:[（(]?[{_NUMBER}]{{1,4}}[）)、.．]?)(?:[ \t\u3000]+[^。！？\n]{{1,30}}|[^。！？，\n]{{0,20}})$",
    re.MULTILINE,
)  # 一、某某   12  （三）
_INLINE_HEADING = re.compile(
    rf"(?:^|(?<=[。！？!?”」』…\s]))第([{_NUMBER}]{{1,9}})[回章](?=[\s\u3000:：])"
)
_CONTENTS = re.compile(r"^[ \t\u3000]*目[ \t\u3000]*[录錄次][ \t\u3000]*$", re.MULTILINE)
_ADVERTISEMENT = re.compile(
    r"(?:https?://|www\.)[\w./?=&%\-]+"
    r"|[（(【\[][^（）()【】\[\]\n。]{0,30}(?:www\.|https?://|\.com|\.net|\.org|\.cn)[^（）()【】\[\]\n]{0,40}[）)】\]]"
    r"|[^。！？\n“”「」：]{0,30}(?:请(?:记住|收藏|访问|登[录陆])(?:本站|本网|网址|我们)|(?:最新|全文)(?:章节|阅读)(?:请|尽在|就在|首发)"
    r"|(?:手机|电脑)(?:阅读|看书|用户)请|(?:txt|TXT|全集)(?:电子书)?(?:免费)?下载|本书(?:由|来自)[^。！？\n]{0,30}(?:网|整理|制作|首发|提供|下载)"
    r"|求(?:推荐票|月票|收藏)|(?:更多|更新)[^。！？\n]{0,20}(?:小说|章节)[^。！？\n]{0,10}(?:请|尽在|网))[^。！？\n“”「」]{0,50}[。！？]?"
)
LEAST_INSIDE = 3
"""Headings inside of lines that count up are headings from so many on."""
_END = "。！？!?…”」』）)：:—"
_BLANK = " \t\u3000"


@dataclass(frozen=True, kw_only=True)
class Novel:
    """A book: its short name and its whole text."""

    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """A stretch of a novel, heading excluded."""

    number: int
    """The heading's own where all headings count up, else from 1 in reading order; 0 is what stands before the first. An
    appendix belongs to the chapter before it."""
    title: str
    start: int
    end: int


def without_advertisements(text: str) -> str:
    """Text of the same length with what a download site added replaced by blanks."""
    return _ADVERTISEMENT.sub(lambda match: "\u3000" * len(match.group()), text)


def split_chapters(text: str) -> list[Chapter]:
    """Chapters in reading order; a book without headings is one chapter.

    A heading with nothing below it (a table of contents, a volume's title, a heading printed twice) is no chapter.
    """
    if len(text) > 20_000 * (text.count("\n") + 1):
        heads = _inline_headings(text)
    else:
        heads = _without_prose(list(_HEADING.finditer(text)))
        heads = _with_tight(text, heads)
        if len(heads) < 2 and len(inside := _inline_headings(text)) >= LEAST_INSIDE:
            heads = inside  # long lines with several chapters in each
        if not heads:
            heads = _numbered_lines(text)
    if not heads:
        return [Chapter(number=1, title="", start=0, end=len(text))]
    ends = [start for start, _ in heads[1:]] + [len(text)]
    chapters = []
    front = text[: heads[0][0]]
    if _CONTENTS.sub("", front).strip():
        chapters.append(Chapter(number=0, title="", start=0, end=heads[0][0]))
    bodies = [
        (start, body, end)
        for (start, body), end in zip(heads, ends, strict=True)
        if text[body:end].strip()
    ]
    titles = [text[start:body].strip().strip("#＃=＝*~—- ") for start, body, _ in bodies]
    for (_, body, end), title, number in zip(bodies, titles, _chapter_numbers(titles), strict=True):
        chapters.append(Chapter(number=number, title=title, start=body, end=end))
    return chapters


def _without_prose(found: Sequence[re.Match[str]]) -> list[Span]:
    """Headings; lines that end as prose does are some only where all that are called 章 (or 回 …) count up."""
    counted = re.compile(rf"第[ ]?(?P<number>[{_NUMBER}]{{1,9}})[ ]?(?P<unit>[{_UNIT}])")
    numbers: dict[str, list[int]] = defaultdict(list)
    units = []
    for head in found:
        match = counted.search(head.group())
        units.append(match["unit"] if match else "")
        numbers[units[-1]].append(_value(match["number"]) if match else 0)
    kept = []
    for head, unit in zip(found, units, strict=True):
        own = numbers[unit]
        rising = sum(b == a + 1 for a, b in zip(own, own[1:], strict=False))
        together = unit and len(own) > 1 and rising >= 0.9 * (len(own) - 1)
        if together or not _PROSE.search(head.group()):
            kept.append((head.start(), head.end()))
    return kept


def _with_tight(text: str, heads: list[Span]) -> list[Span]:
    """Headings of which some have no blank behind 章 (第一章雪夜), where all of them together count up."""
    tight = [(m.start(), m.end()) for m in _TIGHT_HEADING.finditer(text)]
    if not tight or len(heads) < 2:
        return tight or heads
    every = sorted({*heads, *tight})
    numbers = [
        _value(match[1])
        for start, end in every
        if (match := re.search(rf"第\s?([{_NUMBER}]{{1,9}})", text[start:end]))
    ]
    steps = list(zip(numbers, numbers[1:], strict=False))
    rising = sum(later in (earlier + 1, 1) for earlier, later in steps)
    return every if steps and rising >= 0.9 * len(steps) else heads


def _chapter_numbers(titles: list[str]) -> list[int]:
    found = [
        re.match(rf"(?:正文)?\s*[【〖\[]?第\s?([{_NUMBER}]{{1,9}})", title) for title in titles
    ]
    values = [_value(match[1]) for match in found if match]
    if len(values) < 2 or any(
        later <= earlier for earlier, later in zip(values, values[1:], strict=False)
    ):
        return list(range(1, len(titles) + 1))
    numbers, last = [], 0
    for match in found:
        last = _value(match[1]) if match else last
        numbers.append(last)
    return numbers


def without_number(title: str) -> str:
    """第五回　夜过渡口 → 夜过渡口."""
    return re.sub(
        r"^第?[\d〇零一二三四五六七八九十百]+[章回卷节][ \t\u3000]*", "", title.strip()
    ).strip()


def _numbered_lines(text: str) -> list[Span]:
    """Lines that are little more than a number, where they count up as headings do."""
    lines = [(m.start(), m.end()) for m in _BARE_HEADING.finditer(text)]
    numbers = [
        _value(re.sub(rf"[^{_NUMBER}].*", "", text[s:e].strip(" \t\u3000（("))) for s, e in lines
    ]
    rising = sum(b == a + 1 for a, b in zip(numbers, numbers[1:], strict=False))
    return lines if len(lines) >= 3 and rising >= 0.8 * (len(lines) - 1) else []


def _inline_headings(text: str) -> list[Span]:
    """Headings in a book without line breaks: 第N回 where N goes on counting."""
    chain: list[tuple[int, Span]] = []
    for match in _INLINE_HEADING.finditer(text):
        value = _value(match[1])
        restarts = (
            value == 1 and chain and match.start() - chain[0][1][0] < 200 * len(chain)
        )  # after the contents
        if restarts:
            chain = []
        if not chain or value == chain[-1][0] + 1 or value == 1:
            gap = re.compile(r"[\u3000 ]{2}|[\u3000 ](?=[^\u3000 ]{20})|[。！？，“]").search(
                text, match.end() + 1
            )
            end = gap.start() if gap and gap.start() - match.end() < 40 else match.end()
            chain.append((value, (match.start(), end)))
    return [span for _, span in chain]


def _value(number: str) -> int:
    """二十一, 121, １２ → int; 0 where it is none."""
    number = number.translate(str.maketrans("０１２３４５６７８９〇两", "0123456789零二")).replace(
        "廿", "二十"
    )
    if number.isdigit() and number.isascii():
        return int(number)
    digits = {c: i for i, c in enumerate("零一二三四五六七八九")}
    units = {"十": 10, "百": 100, "千": 1000}
    if not any(c in units for c in number):
        return int("".join(str(digits.get(c, 0)) for c in number) or 0)
    total = current = 0
    for c in number:
        if c in units:
            total += (current or 1) * units[c]
            current = 0
        else:
            current = digits.get(c, 0)
    return total + current


def is_hard_wrapped(text: str) -> bool:
    """Are the lines broken at a width rather than at paragraphs? (most long lines end inside a sentence)"""
    lines = [line.rstrip() for line in text[:200_000].split("\n") if len(line.strip()) > 15]
    return len(lines) > 20 and sum(line[-1] not in _END for line in lines) > 0.4 * len(lines)


def paragraphs(text: str, start: int, end: int, *, hard_wrapped: bool = False) -> list[Span]:
    """Paragraphs of text[start:end] without the blanks around them; wrapped lines are put together again."""
    lines = [(s, e) for s, e in _lines(text, start, end)]
    if not hard_wrapped:
        return [(s, e) for s, e in lines if s < e]
    width = sorted(e - s for s, e in lines)[int(0.9 * len(lines))] if lines else 0
    joined: list[Span] = []
    fresh = True
    for s, e in lines:
        if s == e:
            fresh = True
            continue
        indented = s > 0 and text[s - 1] in _BLANK
        if fresh or indented or not joined:
            joined.append((s, e))
        else:
            joined[-1] = (joined[-1][0], e)
        fresh = text[e - 1] in _END and e - s < 0.85 * width
    return joined


def _lines(text: str, start: int, end: int) -> Iterator[Span]:
    """Lines without surrounding blanks; blank lines as empty spans."""
    while start < end:
        stop = text.find("\n", start, end)
        stop = end if stop < 0 else stop
        s, e = start, stop
        while s < e and text[s] in _BLANK:
            s += 1
        while e > s and text[e - 1] in _BLANK:
            e -= 1
        yield s, e
        start = stop + 1


def tidy(text: str) -> str:
    """Line breaks and indents taken out; blanks stay only between two Latin words."""
    return re.sub(r"(?<=[!-~])[ \t\u3000\n]+(?=[!-~])|[ \t\u3000\n]+", _blank, text)


def _blank(match: re.Match[str]) -> str:
    around = (
        match.string[match.start() - 1 : match.start()]
        + match.string[match.end() : match.end() + 1]
    )
    return " " if len(around) == 2 and around.isascii() else ""
