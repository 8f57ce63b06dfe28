"""Who speaks: every quotation of a book gets a speaker, a kind, a rule and a confidence.

A chapter is read in order with a small memory (who spoke last, to whom, who else takes part); the grammar of single cues
is in `cues`. Names become people through the alias table, and where it is silent through the full name the chapter
mentions last (儁 → 朱儁). Knows no file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .book import Book
from .cues import NO_CUE, Cue, is_thought, read_cue, read_trailing_cue
from .kinds import ends_with_verb, kind_of
from .quotes import Quotation
from .subjects import Subject
from .text import tidy

CROWD = "群体"
SOMEBODY = "某人"
CONFIDENCE = {
    "cue": 0.98,
    "inside": 0.95,
    "reveal": 0.95,
    "sentence": 0.92,
    "plural": 0.9,
    "after": 0.9,
    "nearby": 0.8,
    "same": 0.72,
    "guess": 0.7,
    "report": 0.7,
    "earlier": 0.55,
    "pronoun": 0.5,
    "turns": 0.3,
    "other": 0.3,
    "none": 0.0,
}
"""Share of right answers each rule has, from hand-labelled utterances (docs/log.md)."""
NARRATION = 240
"""Characters before a quotation in which a subject is looked for."""
ADJUDICATE_BELOW = 0.7
"""Below this confidence an adjudicator is asked, where there is one."""

_ANONYMOUS = re.compile(
    r"(?:后人|有诗|有词|古人|诗曰|赞曰|诗云|有赋|有赞|史官|胡曾|邵康节|为证|俗语|古语|常言|谚)"
)
_REPORT = re.compile(
    r"^(?:忽然|忽|又|早|忽又|又见|忽见|见|只见|只听|听)?(?:有?人)?(?:来|飞|入|回|传)*(?:报|(?<=人)回)(?:道|曰|说|称|言|到)?$"
)
_OVERHEARD = re.compile(
    r"^(?:只|忽|又|便|却|早)?(?:听|闻)(?:见|得)?[^，]{1,6}(?:说|道|叫|喊|问|声)"
)
_REPORT_OF_SOMEBODY = re.compile(r"^(?:忽|早|又见|见|只|听|又?有?人)")
_ANSWERS = re.compile(
    r"^(?:便|忙|遂|乃|因|即|只得|方|就|一齐|连忙)?(?:答应|答|应|回|对|覆|道|曰)(?:道|曰|言|说|声)?$"
)
_HEARS = re.compile(r"^(?:听|闻|见说|见问|见如此|忙答|答)")
_REVEAL = re.compile(
    r"^(?:[^。“”]{0,14}(?:视之|看时|看之|看那|其人|此人|那人|来者|不是别人|你道是谁|定睛|问之|认得|问是谁|举目|望之)[^。“”]{0,8}?)?[，、：]?(?:乃|却是|正是|原来是|就是|便是|乃是)(?P<who>[^。“”！？]{2,24}?)(?:也|。|，|！)"
)
_MYSELF = re.compile(r"(?:[我吾某俺]乃是?|[我吾某俺]是|[我吾俺]便是|[我吾俺])")
_NAMED = re.compile(
    r"^[^“”]{0,30}姓(?P<family>[\u4e00-\u9fff]{1,2})[，,]?名(?P<given>[\u4e00-\u9fff]{1,2})[，。,]"
)
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


class ChapterReader:
    """Reads one chapter's quotations in order."""

    def __init__(
        self, book: Book, start: int, end: int, adjudicator: Adjudicator | None = None
    ) -> None:
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
                attribution = self._adjudicator(
                    before, self._book.text[quotation.start : quotation.end], attribution
                )
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
        begin = max(
            self._start, self._last_end if quotation.depth == 0 else 0, quotation.start - NARRATION
        )
        narration = tidy_lines(text[begin : quotation.start])
        inside = text[quotation.start : quotation.end].strip("“”")
        after = text[quotation.end : min(following, quotation.end + 60, self._end)]
        kind = kind_of(narration, inside, after, quotation)
        if kind == "name":
            return Attribution("", "", "", kind, "none", 0.9)
        cued = narration.endswith(("：", ":")) or ends_with_verb(narration)
        if kind in ("verse", "writing") and _ANONYMOUS.search(narration[-30:]):
            return Attribution("", "", "", kind, "none", 0.9)
        cue = read_cue(narration, self._lexicon) if cued else NO_CUE
        if not cued or cue.subject is None:
            trailing = read_trailing_cue(after, self._lexicon) if not cued else NO_CUE
            if (
                trailing.subject is not None
                and "\n" not in after[: after.find(trailing.clause[:2]) + 1]
            ):
                cue, cued = trailing, True
        subject = cue.subject
        if kind == "writing" and cue.rule not in ("cue", "inside"):
            return Attribution(
                "", "", "", kind, "none", 0.5
            )  # 书意云, 上写着: whose hand it is stands elsewhere
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
                self._other if at_once else self._last.speaker,
                subject.mention,
                addressee,
                kind,
                rule,
                CONFIDENCE[rule],
            )
        speaker = self._who(subject, quotation.start)
        if cue.others:
            people = [speaker, *(self._person(name, quotation.start) for name in cue.others)]
            speaker = "、".join(dict.fromkeys(people))
        if subject.kind in ("role", "unknown", "crowd") and _UNNAMED.search(subject.mention[-1:]):
            revealed = self._revealed(after) or self._introduces_himself(quotation)
            if revealed:
                return Attribution(
                    revealed, subject.mention, addressee, kind, "reveal", CONFIDENCE["reveal"]
                )
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
        if subject.mention in (
            "人",
            "有人",
            "一人",
            "或",
            "某",
            "一个",
            "有一人",
            "有个人",
            "一个人",
            "个人",
        ):
            return SOMEBODY
        return self._person(subject.mention, position)

    def _revealed(self, after: str) -> str:
        """众视之，乃常山赵子龙也: the name that a sentence behind the quotation gives."""
        sentence = after.strip("\n\u3000 ")
        match = _REVEAL.match(sentence)
        who = match["who"] if match else ""
        for position in range(len(who)):
            name = self._lexicon.names.at(who, position)
            if name:
                return self._person(name, self._last_end)
        named = _NAMED.match(sentence)
        return named["family"] + named["given"] if named else ""

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
        answers = (
            kind != "thought"
            and self._last.kind != "thought"
            and bool(_ANSWERS.match(cue.clause) or _HEARS.match(narration.strip()))
        )
        talks = self._other not in ("", CROWD, SOMEBODY, self._last.speaker)
        if (
            talks
            and addressee != self._other
            and (answers or self._last.speaker in (CROWD, SOMEBODY, addressee))
        ):
            return Attribution(
                self._other, "", addressee or self._last.speaker, kind, "other", CONFIDENCE["other"]
            )
        return Attribution(self._last.speaker, "", addressee, kind, "same", CONFIDENCE["same"])

    def _cueless(self, narration: str, quotation: Quotation, kind: str) -> Attribution:
        """No verb of speech: the subject of the paragraph so far, else the other of two who take turns."""
        cue = read_cue(narration, self._lexicon)
        paragraph = "\n" not in narration[-NARRATION:] or narration.rsplit("\n", 1)[1].strip()
        if paragraph and cue.subject is not None and cue.subject.kind != "unknown":
            return Attribution(
                self._who(cue.subject, quotation.start),
                cue.subject.mention,
                "",
                kind,
                "nearby",
                CONFIDENCE["nearby"],
            )
        if self._last.speaker and self._other and self._other != self._last.speaker:
            return Attribution(
                self._other, "", self._last.speaker, kind, "turns", CONFIDENCE["turns"]
            )
        return Attribution("", "", "", kind, "none", 0.0)


def tidy_lines(text: str) -> str:
    """Blanks out, line breaks kept."""
    return "\n".join(tidy(line) for line in text.split("\n") if line.strip()) + (
        "\n" if text.rstrip(" \t\u3000").endswith("\n") else ""
    )
