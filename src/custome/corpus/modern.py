"""Who speaks in modern prose: tags behind, what somebody does beside what they say, and nothing at all.

“…”苏晴压低声音问. 苏晴合上菜单。“…” “…”他放下杯子，“…” and rows of bare quotations that two people exchange. A paragraph has one
speaker unless its tags say otherwise; a bare one is the other of the two who talk. Pronouns mean whoever was last spoken of,
of those the book calls he, or she. What 某某道： says is left to the grammar of cues. Knows paragraphs and attributions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from .book import Book
from .quotes import Quotation
from .roles import role_end
from .speakers import CROWD, SOMEBODY, Attribution
from .text import Span

SURE = {"tag": 0.95, "beat": 0.9, "paragraph": 0.88, "acted": 0.75, "exchange": 0.7}
"""Share of right answers each rule has on made-up prose (tests/corpus/test_modern.py)."""
KEPT = ("cue", "inside", "sentence", "identity", "reveal", "plural", "report")
"""Rules of the grammar that stand where a colon announces the words."""
SCENE_GAP = 600
"""Characters without a word said that end a scene."""
THOUGHT = re.compile(r"(?:心想|心道|暗想|暗道|心里想|想道|寻思|想着|暗忖|腹诽)$|^(?:[^，]{0,4})想$")
_SENTENCE = re.compile(r"[。！？!?；;…\n]+")
_CLAUSE = re.compile(r"[，,、：:—]+")
_PRONOUN = re.compile(r"[他她我](?!们)")
_PEOPLE = re.compile(r"(?:众人|大家|人群|他们|她们|所有人|几个人|两人|二人|三人)")
_LEAD = re.compile(
    r"(?:[^，]{1,12}的|这时|此时|忽然|突然|终于|一旁|旁边|身后|对面|只见|却见|然后|于是|接着|随后|不过|但是?|可是?|而|只有|就连|连|倒是|还是|又|也|才|便|刚|原来|果然|当然|最后|半晌|良久)?"
)
_SOMEONE = re.compile(r"(?:[^，没]{0,6})有(?:个)?人(?=[^，]{0,8}(?:说|道|问|喊|叫|嚷|骂|答))")


@dataclass(kw_only=True)
class _Turn:
    """A paragraph in which something is said."""

    numbers: list[int]
    """Its quotations."""
    speaker: str = ""
    rule: str = ""
    acted: str = ""
    """Whose doing the paragraph right before tells."""
    begins_scene: bool = False
    called: frozenset[str] = frozenset()
    """Whom it calls by name: not who speaks."""
    own: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Quotation → its own (speaker, rule)."""


class ModernReader:
    """The paragraphs of one chapter, in order."""

    def __init__(self, book: Book, start: int, end: int) -> None:
        self._book, self._start, self._end = book, start, end
        self._lexicon = book.lexicon_of(start, end)
        self._spoken_of: list[str] = []
        """People as sentences tell of them, the last one last."""

    def resolve(
        self,
        spans: Sequence[Span],
        quotations: Sequence[Quotation],
        attributions: Sequence[Attribution],
    ) -> list[Attribution]:
        """The attributions of a chapter, those without a cue of 道： filled in."""
        turns = self._turns(spans, quotations, attributions)
        _exchange(turns)
        found = list(attributions)
        for turn in turns:
            for number in turn.numbers:
                speaker, rule = turn.own.get(number, ("", ""))
                if not speaker and turn.speaker:
                    speaker, rule = turn.speaker, turn.rule if not turn.own else "paragraph"
                one = attributions[number]
                if rule == "kept" or not speaker:
                    continue
                found[number] = one._replace(
                    speaker=speaker, mention="", addressee="", rule=rule, confidence=SURE[rule]
                )
        return found

    # -- paragraphs --------------------------------------------------------------------------------------------------

    def _turns(
        self,
        spans: Sequence[Span],
        quotations: Sequence[Quotation],
        attributions: Sequence[Attribution],
    ) -> list[_Turn]:
        turns: list[_Turn] = []
        outer = [
            number
            for number, one in enumerate(quotations)
            if one.depth == 0 and attributions[number].kind in ("speech", "thought")
        ]
        at, acted, last_end = 0, "", self._start
        for begin, end in spans:
            numbers = []
            while at < len(outer) and quotations[outer[at]].start < end:
                numbers.append(outer[at])
                at += 1
            if not numbers:
                acted = self._tell(self._book.text[begin:end])
                continue
            first = quotations[numbers[0]]
            turn = _Turn(
                numbers=numbers, acted=acted, begins_scene=first.start - last_end > SCENE_GAP
            )
            self._read(turn, begin, end, quotations, attributions)
            turns.append(turn)
            acted, last_end = "", quotations[numbers[-1]].end
        return turns

    def _tell(self, narration: str) -> str:
        """Remember whom a stretch of narration tells of; the subject of its last sentence."""
        person = ""
        for sentence in _SENTENCE.split(narration):
            if sentence.strip():
                person = self._subject(sentence)
                if person and person not in (CROWD, SOMEBODY):
                    self._spoken_of.append(person)
        return person

    def _read(
        self,
        turn: _Turn,
        begin: int,
        end: int,
        quotations: Sequence[Quotation],
        attributions: Sequence[Attribution],
    ) -> None:
        """What a paragraph itself says of its speakers."""
        text, before = self._book.text, begin
        called: set[str] = set()
        for place, number in enumerate(turn.numbers):
            one = quotations[number]
            ahead = text[before : one.start]
            stop = (
                quotations[turn.numbers[place + 1]].start if place + 1 < len(turn.numbers) else end
            )
            behind = text[one.end : max(one.end, stop)]
            called |= self._called(text[one.start : one.end])
            announced = ahead.rstrip().endswith(("：", ":"))
            if announced and attributions[number].rule in KEPT and attributions[number].speaker:
                turn.own[number] = attributions[number].speaker, "kept"
                self._spoken_of.append(attributions[number].speaker)
            elif person := "" if announced else self._tag(behind):
                turn.own[number] = person, "tag"
                self._spoken_of.append(person)
            elif (place == 0 or announced) and (person := self._tell(ahead)):
                turn.own[number] = person, "beat"
            before = one.end
        if turn.own:
            turn.speaker, turn.rule = turn.own[min(turn.own)][0], "paragraph"
        turn.called = frozenset(called)
        self._tell(text[quotations[turn.numbers[-1]].end : end])

    def _tag(self, behind: str) -> str:
        """The subject of the sentence right behind a quotation, where it is of the same paragraph."""
        sentence = _SENTENCE.split(behind.lstrip(), maxsplit=1)[0]
        if not sentence or behind.lstrip()[:1] in ("，", "。", "、", "的", "：", ":"):
            return ""
        return self._subject(sentence)

    def _called(self, said: str) -> set[str]:
        """“林舟，…”: whom the words call."""
        match = re.match(r"“(?P<who>[\u4e00-\u9fff]{2,4})[，！？。…]", said)
        name = match["who"] if match else ""
        if name and self._lexicon.names.at(name, 0) == name:
            return {self._person(name)}
        return {one for one in self._book.table.people if name and one[1:] == name}

    # -- subjects ----------------------------------------------------------------------------------------------------

    def _person(self, name: str) -> str:
        return self._book.canonical(name, self._start, self._end)

    def _subject(self, sentence: str) -> str:
        """Whom a sentence tells of: the name, pronoun or role noun that opens one of its clauses, the first that does."""
        for clause in _CLAUSE.split(sentence.strip(" \u3000”“")):
            person = self._opens(clause.strip())
            if person:
                return person
        return ""

    def _opens(self, clause: str) -> str:
        if _SOMEONE.match(clause):
            return SOMEBODY
        if _PEOPLE.match(clause):
            return CROWD
        for at in sorted({0, _LEAD.match(clause).end()}):  # type: ignore[union-attr]
            if name := self._lexicon.names.at(clause, at):
                return self._person(name)
            if pronoun := _PRONOUN.match(clause, at):
                return self._meant(pronoun.group())
            end = role_end(clause, at, None)
            if end - at > 1:
                name = self._lexicon.names.at(clause, end)  # 老板陈默
                return self._person(name) if name else self._person(clause[at:end])
        return ""

    def _meant(self, pronoun: str) -> str:
        """Whoever was spoken of last and may be called so."""
        if pronoun == "我":
            return "我"
        recent = [one for one in dict.fromkeys(reversed(self._spoken_of[-12:])) if one != "我"]
        told = [self._book.called_so(person, pronoun) for person in recent]
        for wanted in (True, None):
            if wanted in told:
                return recent[told.index(wanted)]
        return ""


def _exchange(turns: Sequence[_Turn]) -> None:
    """Give every bare paragraph of a scene a speaker: whoever acts right before, else the other of the two who talk."""
    for begin in [number for number, turn in enumerate(turns) if turn.begins_scene or not number]:
        end = next((n for n in range(begin + 1, len(turns)) if turns[n].begins_scene), len(turns))
        scene = turns[begin:end]
        for place, turn in enumerate(scene):
            if turn.speaker:
                continue
            last = scene[place - 1].speaker if place else ""
            if turn.acted and turn.acted != last and turn.acted not in turn.called:
                turn.speaker, turn.rule = turn.acted, "acted"
                continue
            turn.speaker = _other(scene, place, last)
            turn.rule = "exchange" if turn.speaker else ""
        _backwards(scene)


def _other(scene: Sequence[_Turn], place: int, last: str) -> str:
    """The one `last` talks with: who spoke before them, else who is known to speak next."""
    earlier = [turn.speaker for turn in scene[:place] if turn.speaker]
    later = [turn.speaker for turn in scene[place + 1 :] if turn.speaker]
    unlike = scene[place].called | {last, "", CROWD, SOMEBODY}
    if not last:
        return ""
    return next((one for one in [*reversed(earlier), *later] if one not in unlike), "")


def _backwards(scene: Sequence[_Turn]) -> None:
    """Bare paragraphs before the first known speaker, from there back."""
    for place in range(len(scene) - 2, -1, -1):
        turn, following = scene[place], scene[place + 1].speaker
        if turn.speaker or not following:
            continue
        unlike = turn.called | {following, "", CROWD, SOMEBODY}
        later = (one.speaker for one in scene[place + 1 :])
        turn.speaker = next((one for one in later if one not in unlike), "")
        turn.rule = "exchange" if turn.speaker else ""
