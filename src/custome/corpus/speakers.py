"""Who speaks: every quotation of a book gets a speaker, a kind, a rule and a confidence.

A chapter is read in order with a small memory (who spoke last, to whom, who else takes part); the grammar of single cues
is in `cues`. Names become people through the alias table, and where it is silent through the full name the chapter
mentions last (儁 → 朱儁). Knows no file.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .aliases import AliasTable, find_aliases
from .cues import (
    NO_CUE,
    Cue,
    Lexicon,
    Subject,
    is_predicate_word,
    is_role,
    is_thought,
    name_guess,
    read_cue,
    read_trailing_cue,
    surnames,
)
from .quotes import Quotation
from .text import Span, tidy

CROWD = "群体"
SOMEBODY = "某人"
CONFIDENCE = {
    "cue": 0.97, "inside": 0.93, "sentence": 0.92, "earlier": 0.8, "after": 0.93, "report": 0.9, "reveal": 0.93, "guess": 0.85, "plural": 0.85, "pronoun": 0.6,
    "same": 0.75, "other": 0.7, "nearby": 0.6, "turns": 0.6, "none": 0.0,
}  # fmt: skip
"""Share of right answers each rule had on hand-labelled utterances (docs/log.md)."""
NARRATION = 240
"""Characters before a quotation in which a subject is looked for."""
ADJUDICATE_BELOW = 0.7
"""Below this confidence an adjudicator is asked, where there is one."""

_SPEECH_END = re.compile(r"[曰道云言说问叫声喝骂念报嚷喊答呼]$")
_NAMING = re.compile(
    r"(?:[为做作是名号称呼曰]|叫做|唤做|名唤|绰号|书|写|题|着|上书|大书|乃|即|有|这|那|此|个|的|一|改|读作|作为)$"
)
_WRITING = re.compile(
    r"(?:(?:^|[，。：；其此作一这那祭檄上下前后有遗又首篇之])[诗词赋歌书表诏文檄疏赞铭谣偈联谶碑帖简榜曲序牌匾额符咒][^，。]{0,2}[曰云道]?[：:]|略[曰云]?[：:]"
    r"|(?:写|题|注|刻|镌|[上大内中外又傍旁]书)(?:着|道|曰|云|的是|了|得)?[^，。：“]{0,4}[：:])$"
)
_ANONYMOUS = re.compile(r"(?:后人|有诗|有词|古人|诗曰|赞曰|诗云|有赋|有赞|史官|胡曾|邵康节|为证|俗语|古语|常言|谚)")
_INSCRIBED = re.compile(r"(?:匾|额|牌|石碣|碑|上写|大书|字|题着|上面|旗|联)[^，。“]{0,12}[：:]?$")
_AFTER_NAME = re.compile(
    r"^(?:[二两三四五六七八九十数几]{0,2}个?(?:大?字|个字)|之|的|等|者|也|一[词语句联]|[一-龥]{0,2}(?:诗|词))"
)
_REPORT = re.compile(
    r"^(?:忽然|忽|又|早|忽又|又见|忽见|见|只见|只听|听)?(?:有?人)?(?:来|飞|入|回|传)*(?:报|(?<=人)回)(?:道|曰|说|称|言|到)?$"
)
_OVERHEARD = re.compile(r"^(?:只|忽|又|便|却|早)?(?:听|闻)(?:见|得)?[^，]{1,6}(?:说|道|叫|喊|问|声)")
_REPORT_OF_SOMEBODY = re.compile(r"^(?:忽|早|又见|见|只|听|又?有?人)")
_ANSWERS = re.compile(r"^(?:便|忙|遂|乃|因|即|只得|方|就|一齐|连忙)?(?:答应|答|应|回|对|覆|道|曰)(?:道|曰|言|说|声)?$")
_HEARS = re.compile(r"^(?:听|闻|见说|见问|见如此|忙答|答)")
_REVEAL = re.compile(
    r"^(?:[^。“”]{0,14}(?:视之|看时|看之|看那|其人|此人|那人|来者|不是别人|你道是谁|定睛|问之|认得|问是谁|举目|望之)[^。“”]{0,8}?)?[，、：]?(?:乃|却是|正是|原来是|就是|便是|乃是)(?P<who>[^。“”！？]{2,24}?)(?:也|。|，|！)"
)
_MYSELF = re.compile(r"(?:[我吾某俺]乃是?|[我吾某俺]是|[我吾俺]便是|[我吾俺])")
_NAMED = re.compile(r"^[^“”]{0,30}姓(?P<family>[\u4e00-\u9fff]{1,2})[，,]?名(?P<given>[\u4e00-\u9fff]{1,2})[，。,]")
_UNNAMED = re.compile(r"人|汉|将|声|个|某")


class Attribution(NamedTuple):
    """What was found out about one quotation."""

    speaker: str
    """Canonical name; 群体 for a crowd, 某人 for somebody unnamed, names joined with 、; '' where nobody was found."""
    mention: str
    """The words of the text."""
    addressee: str
    kind: str
    """speech · thought · verse · writing · name (an epithet, a title, a word in marks)"""
    rule: str
    confidence: float


Adjudicator = Callable[[str, str, Attribution], Attribution]
"""(text before, quotation, first answer) → answer; asked only below ADJUDICATE_BELOW."""


class Book:
    """One book's names. Build once, then read chapter by chapter."""

    def __init__(self, text: str, quotations: Sequence[Quotation], table: AliasTable | None) -> None:
        self.text = text
        cues = [
            _clause_before(text, q.start) for q in quotations if q.depth == 0 and text[q.start - 1 : q.start] in "：:"
        ]
        self.classical = sum(clause.endswith("曰") for clause, _ in cues) > 0.5 * len(cues)
        self.found = _names_of_cues(cues, self.classical)
        self._few = len(cues) < FEW_CUES
        if table is None:
            self._owners: dict[str, tuple[str, ...]] = {}
            kept = [
                (name, count)
                for name, count in self.found.items()
                if not is_role(name) and (len(name) == 1 or self._is_name(name))
            ]
            table = find_aliases(text, kept, surnames())
        self.table = table
        self._owners = self.table.owners()
        self._singles: set[str] = set()
        if self.classical:
            self._singles = {name for name in (*self._owners, *self.found) if len(name) == 1}
            self._singles |= {name[1] for name in self._owners if len(name) == 2 and name[0] in surnames()}
            self._singles |= {
                name[1] for name, count in self.found.items() if len(name) == 2 and name[0] in surnames() and count >= 3
            }
        names = [name for name in self.found if len(name) > 1 and not is_role(name) and self._is_name(name)]
        self.lexicon = Lexicon([*self._owners, *names])

    def lexicon_of(self, start: int, end: int) -> Lexicon:
        """The lexicon for one chapter: one character is a name only where somebody who bears it is named in full."""
        chapter = self.text[max(0, start - LOOK_BACK) : end]
        bearers = {single for single in self._singles if self._is_borne(single, chapter)}
        return self.lexicon.with_singles(bearers)

    def _is_name(self, name: str) -> bool:
        """Does a guess hold against the rest of the book? 孙权失 (惊) does not beside 孙权, nor what only stands before 曰."""
        count = self.found[name]
        if any(name[:end] in self._owners or self.found.get(name[:end], 0) >= count for end in range(2, len(name))):
            return False
        return count >= LEAST_CUES or self._few or len(name) <= 4 and self.text.count(name) >= count + 2

    def _is_borne(self, single: str, chapter: str) -> bool:
        owners = self._owners.get(single, ())
        if any(name in chapter for owner in owners for name in (owner, *self.table.people[owner]) if len(name) > 1):
            return True
        return any(chapter[m.start() - 1 : m.start()] in surnames() for m in re.finditer(single, chapter))

    def canonical(self, mention: str, chapter: int, position: int) -> str:
        """The person a mention at `position` means: by the table, else by the last full name that ends with it.

        Args:
            chapter: offset of the chapter's start: nobody is looked for before it.
        """
        chapter = max(0, chapter - LOOK_BACK)
        owners = self._owners.get(mention, ())
        role = is_role(mention)
        if len(owners) == 1 and len(mention) > 1 and not role:
            return owners[0]
        best, at = "", -1
        for owner in owners:
            if (place := self._last_named(owner, chapter, position)) > at:
                best, at = owner, place
        if not role and (len(mention) == 1 or len(mention) == 2 and not owners and self.classical):
            full, place = self._last_full_name(mention, chapter, position)
            if place > at:
                best, at = self._owners.get(full, (full,))[0], place
        if best:
            return best
        return owners[0] if len(owners) == 1 and not role else mention

    def _last_named(self, person: str, chapter: int, position: int) -> int:
        names = (person, *self.table.people.get(person, ()))
        return max(self.text.rfind(name, chapter, position) for name in names
                   if len(name) > 1 and len(self._owners.get(name, ())) == 1 and not is_role(name) or name == person)  # fmt: skip

    def _last_full_name(self, given: str, chapter: int, position: int) -> tuple[str, int]:
        """The surname + `given` that the chapter mentions last before `position`, and where."""
        place = position
        for _ in range(60):
            place = self.text.rfind(given, chapter, place)
            if place < 0:
                break
            for size in (2, 1):
                family = self.text[max(chapter, place - size) : place]
                if family in surnames():
                    return family + given, place
        return "", -1


def _clause_before(text: str, position: int) -> tuple[str, bool]:
    """The clause that ends right before a mark, without its colon; and whether it is the first of its sentence."""
    stretch = text[max(0, position - 40) : position].rstrip("：:，, ")
    cut = max(stretch.rfind(mark) for mark in "，,。！？!?；;：:”’」』\n\u3000")
    return stretch[cut + 1 :], cut < 0 or stretch[cut] not in "，,："


LOOK_BACK = 2_000
"""Characters before a chapter in which its people may be named: a chapter often begins in the middle of a scene."""
LEAST_CUES = 3
"""What does not begin with a surname must be called so often to be a name …"""
FEW_CUES = 200
"""… except in a text with fewer cues than this."""
FIRST_SHARE = 0.35
"""A name opens its sentence at least so often; 拍案 and 鼓掌 follow a comma."""


def _names_of_cues(cues: Sequence[tuple[str, bool]], classical: bool) -> dict[str, int]:
    """What the cues of a book call people, with how often. Guesses of different length for one name are settled."""
    counts: Counter[str] = Counter()
    firsts: Counter[str] = Counter()
    for clause, first in cues:
        name = name_guess(clause, singles=classical)
        if name:
            counts[name] += 1
            firsts[name] += first
    least = 1 if len(cues) < FEW_CUES else LEAST_CUES
    kept: dict[str, int] = {}
    for name, count in counts.items():
        alone = classical and len(name) == 1  # counts only beside a full name
        if count < least and name[0] not in surnames() and not alone or firsts[name] < FIRST_SHARE * count and not alone:
            continue
        if len(name) == 2 and counts[name[0]] > 2 * count and is_predicate_word(name[1]):
            continue  # 云笑 beside 云
        kept[name] = count
    return kept


class ChapterReader:
    """Reads one chapter's quotations in order."""

    def __init__(self, book: Book, start: int, end: int, adjudicator: Adjudicator | None = None) -> None:
        self._book, self._start, self._end = book, start, end
        self._adjudicator = adjudicator
        self._lexicon = book.lexicon_of(start, end)
        self._last = Attribution("", "", "", "", "", 0.0)
        self._asked = False
        self._other = ""
        """Whom the last speaker talks with."""
        self._last_end = start

    def read(self, quotations: Sequence[Quotation]) -> list[Attribution]:
        found = []
        for index, quotation in enumerate(quotations):
            following = quotations[index + 1].start if index + 1 < len(quotations) else self._end
            attribution = self._attribute(quotation, following)
            if (
                self._adjudicator is not None
                and attribution.confidence < ADJUDICATE_BELOW
                and attribution.kind != "name"
            ):
                before = self._book.text[max(self._start, quotation.start - 400) : quotation.start]
                attribution = self._adjudicator(before, self._book.text[quotation.start : quotation.end], attribution)
            if quotation.depth == 0 and attribution.kind != "name":
                self._remember(attribution, quotation)
            found.append(attribution)
        return found

    def _remember(self, attribution: Attribution, quotation: Quotation) -> None:
        self._last_end = quotation.end
        if attribution.kind in ("speech", "thought") and attribution.speaker:
            if attribution.speaker != self._last.speaker and self._last.speaker:
                self._other = self._last.speaker
            if attribution.addressee:
                self._other = attribution.addressee
            self._last = attribution

    def _attribute(self, quotation: Quotation, following: int) -> Attribution:
        text = self._book.text
        begin = max(self._start, self._last_end if quotation.depth == 0 else 0, quotation.start - NARRATION)
        narration = tidy_lines(text[begin : quotation.start])
        inside = text[quotation.start : quotation.end].strip("“”")
        after = text[quotation.end : min(following, quotation.end + 60, self._end)]
        kind = _kind(narration, inside, after, quotation)
        if kind == "name":
            return Attribution("", "", "", kind, "none", 0.9)
        cued = narration.endswith(("：", ":")) or bool(_SPEECH_END.search(narration.rstrip("，,；;")))
        if kind in ("verse", "writing") and _ANONYMOUS.search(narration[-30:]):
            return Attribution("", "", "", kind, "none", 0.9)
        cue = read_cue(narration, self._lexicon) if cued else NO_CUE
        if not cued or cue.subject is None:
            trailing = read_trailing_cue(after, self._lexicon) if not cued else NO_CUE
            if trailing.subject is not None and "\n" not in after[: after.find(trailing.clause[:2]) + 1]:
                cue, cued = trailing, True
        subject = cue.subject
        if kind == "writing" and cue.rule not in ("cue", "inside"):
            return Attribution("", "", "", kind, "none", 0.5)  # 书意云, 上写着: whose hand it is stands elsewhere
        if (
            kind in ("verse", "writing")
            and subject is not None
            and len(subject.mention) == 1
            and subject.kind == "name"
        ):
            kind = "speech"  # 表曰 where 刘表 is about
        if kind == "speech" and is_thought(cue.clause):
            kind = "thought"
        if _OVERHEARD.match(cue.clause) and cue.rule not in ("cue", "inside"):
            return Attribution(SOMEBODY, "", "", kind, "report", CONFIDENCE["report"])
        reported = _REPORT.match(cue.clause) and cue.rule not in ("cue", "inside", "guess")
        if reported and (cue.subject is None or _REPORT_OF_SOMEBODY.match(cue.clause)):
            return Attribution(SOMEBODY, "", "", kind, "report", CONFIDENCE["report"])
        if cue.subject is not None:
            return self._named(cue, quotation, kind, after)
        if cued:
            return self._unnamed(cue, narration, quotation, kind)
        return self._cueless(narration, quotation, kind)

    def _person(self, mention: str, position: int) -> str:
        return self._book.canonical(mention, self._start, position) if mention else ""

    def _named(self, cue: Cue, quotation: Quotation, kind: str, after: str) -> Attribution:
        subject = cue.subject
        assert subject is not None
        addressee = self._person(cue.addressee, quotation.start)
        rule = cue.rule
        if subject.kind == "pronoun":
            at_once = len(cue.clause) < 6 and self._other
            return Attribution(
                self._other if at_once else self._last.speaker, subject.mention, addressee, kind, rule, CONFIDENCE[rule]
            )
        speaker = self._who(subject, quotation.start)
        if cue.others:
            people = [speaker, *(self._person(name, quotation.start) for name in cue.others)]
            speaker = "、".join(dict.fromkeys(people))
        if subject.kind in ("role", "unknown", "crowd") and _UNNAMED.search(subject.mention[-1:]):
            revealed = self._revealed(after) or self._introduces_himself(quotation)
            if revealed:
                return Attribution(revealed, subject.mention, addressee, kind, "reveal", CONFIDENCE["reveal"])
        return Attribution(
            speaker,
            subject.mention,
            addressee,
            kind,
            rule,
            CONFIDENCE[rule] * (0.9 if subject.kind == "unknown" else 1),
        )

    def _who(self, subject: Subject, position: int) -> str:
        if subject.kind == "crowd":
            return CROWD
        if subject.mention in ("人", "有人", "一人", "或", "某", "一个"):
            return SOMEBODY
        return self._person(subject.mention, position)

    def _revealed(self, after: str) -> str:
        """众视之，乃常山赵子龙也: the name that a sentence behind the quotation gives."""
        match = _REVEAL.match(after.strip("\n\u3000 "))
        if match is None:
            named = _NAMED.match(after.strip("\n\u3000 "))
            return named["family"] + named["given"] if named else ""
        who = match["who"]
        for position in range(len(who)):
            name = self._lexicon.names.at(who, position)
            if name:
                return self._person(name, self._last_end)
        return ""

    def _introduces_himself(self, quotation: Quotation) -> str:
        """吾乃越吉元帅也, 曹洪在此: the name an unnamed speaker gives himself."""
        said = self._book.text[quotation.start : quotation.end]
        for match in _MYSELF.finditer(said):
            name = self._lexicon.names.at(said, match.end())
            if name:
                return self._person(name, quotation.start)
        here = re.search(r"(?P<who>[\u4e00-\u9fff]{2,4})在此", said)
        if here:
            for start in range(here.start(), here.end() - 3):
                name = self._lexicon.names.at(said, start)
                if name and start + len(name) == here.end() - 2:
                    return self._person(name, quotation.start)
        return ""

    def _unnamed(self, cue: Cue, narration: str, quotation: Quotation, kind: str) -> Attribution:
        """A cue without a subject anywhere near: a report, or a turn of the running dialogue."""
        addressee = self._person(cue.addressee, quotation.start)
        if not self._last.speaker:
            return Attribution("", "", addressee, kind, "none", 0.0)
        answers = kind != "thought" and self._last.kind != "thought" and bool(_ANSWERS.match(cue.clause) or _HEARS.match(narration.strip()))
        talks = self._other not in ("", CROWD, SOMEBODY, self._last.speaker)
        if talks and addressee != self._other and (answers or self._last.speaker in (CROWD, SOMEBODY, addressee)):
            return Attribution(self._other, "", addressee or self._last.speaker, kind, "other", CONFIDENCE["other"])
        return Attribution(self._last.speaker, "", addressee, kind, "same", CONFIDENCE["same"])

    def _cueless(self, narration: str, quotation: Quotation, kind: str) -> Attribution:
        """No verb of speech: the subject of the paragraph so far, else the other of two who take turns."""
        cue = read_cue(narration, self._lexicon)
        paragraph = "\n" not in narration[-NARRATION:] or narration.rsplit("\n", 1)[1].strip()
        if paragraph and cue.subject is not None and cue.subject.kind != "unknown":
            return Attribution(
                self._who(cue.subject, quotation.start), cue.subject.mention, "", kind, "nearby", CONFIDENCE["nearby"]
            )
        if self._last.speaker and self._other and self._other != self._last.speaker:
            return Attribution(self._other, "", self._last.speaker, kind, "turns", CONFIDENCE["turns"])
        return Attribution("", "", "", kind, "none", 0.0)


def tidy_lines(text: str) -> str:
    """Blanks out, line breaks kept."""
    return "\n".join(tidy(line) for line in text.split("\n") if line.strip()) + (
        "\n" if text.rstrip(" \t\u3000").endswith("\n") else ""
    )


def _kind(narration: str, inside: str, after: str, quotation: Quotation) -> str:
    """What the marks hold, from the narration around them."""
    before = narration.rstrip()
    colon = before.endswith(("：", ":"))
    sentence = bool(re.search(r"[，。！？!?；…,]", inside))
    if not re.search(r"\w", inside):
        return "name"
    if quotation.depth > 0:
        return "speech" if colon else "name"
    if colon:
        if _WRITING.search(before):
            return "verse" if re.search(r"[诗词赋歌谣偈曲赞联][^，。]{0,3}[：:]$", before) else "writing"
        if not sentence and _INSCRIBED.search(before):
            return "writing"
        return "speech"
    if re.search(
        r"(?:答应|应)(?:了|着|一声|道)?$|[口皆齐大高山][称叫呼喊念]$|[骂喝][^，。：]{1,3}$", before
    ) or re.match(r"了?[一两几]声", after):
        return "speech"
    if not sentence and before and not _SPEECH_END.search(before) and before[-1] not in "，。！？；\n,":
        return "name"
    if not sentence and _AFTER_NAME.match(after):
        return "name"
    if not sentence and len(inside) <= 12 and before and (_NAMING.search(before) or before[-1] in "、"):
        return "name"
    return "speech"


def paragraphs_with(quotations: Sequence[Quotation], spans: Sequence[Span]) -> list[int]:
    """For every quotation, the index of the paragraph it begins in."""
    starts = [start for start, _ in spans]
    return [max(0, bisect_left(starts, q.start + 1) - 1) for q in quotations]
