"""Who speaks in modern prose: tags behind, what somebody does beside what they say, and nothing at all.

“…”苏晴压低声音问. 苏晴合上菜单。“…” “…”他放下杯子，“…” and rows of bare quotations that two people exchange. A paragraph has one
speaker unless its tags say otherwise; a bare one is the other of the two who talk. Pronouns mean whoever was last spoken of,
of those the book calls he, or she. What 某某道： says is left to the grammar of cues. Knows paragraphs and attributions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from .book import Book
from .quotes import Quotation
from .roles import role_end
from .speakers import CROWD, SOMEBODY, Attribution
from .text import Span

SURE = {"tag": 0.86, "beat": 0.95, "paragraph": 0.81, "acted": 0.58, "exchange": 0.7}
"""Share of right answers each rule has on six made-up passages (tests/golden/modern)."""
KEPT = ("cue", "inside", "identity", "reveal", "plural")
"""Rules of the grammar that stand where a colon announces the words."""
FAR = 20
"""Paragraphs of a scene in which the other of two is looked for."""
SCENE_GAP = 600
"""Characters without a word said that end a scene."""
THOUGHT = re.compile(r"(?:心想|心道|暗想|暗道|心里想|想道|寻思|想着|暗忖|腹诽)$|^(?:[^，]{0,4})想$")
_SILENT = re.compile(
    r"(?:没有?(?:再)?(?:说话|说什么|回答|接话|开口|作声|吭声|吱声|出声|理|答)|沉默|不(?:说话|作声|吭声|答|语|理))[^。]{0,12}[。…]*\s*$"
)
_VOCATIVE = re.compile(
    r"^(?P<first>[\u4e00-\u9fff]{2,4})(?=[，！？。…—～])|[，。！？](?P<last>[\u4e00-\u9fff]{2,4})(?=[。！？…～]+$)"
)
_INSCRIBED = re.compile(
    r"^(?:的(?!确)|[这那]?[一二两三四几]个(?:大)?字|[二两三四]字|一词|一说|之类|之词)"
)
_CLOSED = tuple("。！？!?…～")
_INTO = re.compile(r"(?:[，。！？…；：:,—～”\n\u3000 ]|(?<!会)(?<!要)(?<!想)[说道问喊答嚷吼骂])$")
"""What stands right before words that are said; before others stands the rest of a sentence: 他管这叫“幸福”."""
_SAYS = re.compile(
    r"[说道问答喊叫嚷骂吼叹]|开口|低语|嘀咕|嘟囔|喃喃|反问|追问|解释|提醒|补充|打断|接话|插嘴|应了|冷笑|苦笑"
)
_SENTENCE = re.compile(r"[。！？!?；;…\n]+")
_CLAUSE = re.compile(r"[，,、：:—]+")
_PRONOUN = re.compile(r"[他她我](?!们)")
_HEARS = re.compile(
    r"(?P<who>[\u4e00-\u9fff]{1,4}?)(?:吓|愣|怔|呆|惊|抬起?头|回过?头|低头一看|转过?[身头]|猛地|心里一|心头一|浑身一|身子一|后背一|循声)"
)
_OF_SOMEBODY = re.compile(
    r"的?(?:同桌|室友|搭档|助手|助理|上司|部下|手下|同事|队友|邻居|男友|女友|男朋友|女朋友|朋友|闺蜜|妈|爸|爹|娘|哥哥?|姐姐?|弟弟?|妹妹?|父亲|母亲|儿子|女儿|丈夫|妻子|老婆|老公|师父|徒弟|师兄|师姐|师弟|师妹)(?![\u4e00-\u9fff]?的)"
)
_PEOPLE = re.compile(r"(?:众人|大家|人群|他们|她们|所有人|几个人|两人|二人|三人)")
_LEAD = re.compile(
    r"(?:[^，是]{1,12}的|这时|此时|忽然|突然|终于|一旁|旁边|身后|对面|只见|却见|然后|于是|接着|随后|不过|但是?|可是?|而|只有|就连|连|倒是|还是|又|也|才|便|刚|原来|果然|当然|最后|半晌|良久)?"
)
_SOMEONE = re.compile(r"(?:[^，没]{0,6})有(?:个)?人(?=[^，]{0,8}(?:说|道|问|喊|叫|嚷|骂|答))")


@dataclass(kw_only=True)
class _Turn:
    """A paragraph in which something is said."""

    numbers: list[int]
    """Its quotations."""
    speaker: str = ""
    rule: str = ""
    told: bool = False
    """Does narration stand right before?"""
    acted: str = ""
    """Whose doing its last sentence tells."""
    silent: bool = False
    """Does it say that they do not answer?"""
    hears: str = ""
    """Who starts at the words, right behind them."""
    present: tuple[str, ...] = ()
    """Whom the story spoke of before, the last first."""
    begins_scene: bool = False
    called: tuple[str, ...] = ()
    """Whom it calls by name: not who speaks."""
    own: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Quotation → its own (speaker, rule)."""

    @property
    def is_unsaid(self) -> bool:
        """Holds it nothing that anybody says: a word in marks, what a screen shows? Nobody answers it."""
        return len(self.own) == len(self.numbers) and not any(who for who, _ in self.own.values())


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
        found = [
            one if self._book.text[quotation.start] == "“" else one._replace(kind="thought")
            for quotation, one in zip(quotations, attributions, strict=True)
        ]
        turns = self._turns(spans, quotations, found)
        _exchange([turn for turn in turns if not turn.is_unsaid])
        for turn in turns:
            for number in turn.numbers:
                speaker, rule = turn.own.get(number, (turn.speaker, turn.rule))
                if rule == "name":
                    found[number] = Attribution("", "", "", "name", "none", 0.9)
                elif rule == "none":  # 手机上显示：“…”
                    found[number] = found[number]._replace(
                        speaker="", mention="", rule="none", confidence=0.0
                    )
                elif speaker and rule != "kept":
                    found[number] = found[number]._replace(
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
        at, told, acted, last_end = 0, "", "", self._start
        for begin, end in spans:
            numbers = []
            while at < len(outer) and quotations[outer[at]].start < end:
                numbers.append(outer[at])
                at += 1
            if not numbers:
                told = self._book.text[begin:end]
                if turns and (hears := _HEARS.match(told.strip())):
                    turns[-1].hears = self._opens(hears["who"])
                acted = self._tell(told)
                continue
            for own in self._apart(numbers, quotations):
                first, last = quotations[own[0]], quotations[own[-1]]
                turn = _Turn(
                    numbers=own,
                    told=bool(told),
                    acted=acted if told else "",
                    silent=bool(_SILENT.search(told)),
                    present=tuple(dict.fromkeys(reversed(self._spoken_of[-12:]))),
                    begins_scene=first.start - last_end > SCENE_GAP,
                )
                stop = end if own[-1] == numbers[-1] else last.end
                self._read(turn, begin, stop, quotations, attributions)
                turns.append(turn)
                told, begin = "", last.end
                last_end = last_end if turn.is_unsaid else last.end
        return turns

    def _apart(self, numbers: Sequence[int], quotations: Sequence[Quotation]) -> list[list[int]]:
        """The quotations of a paragraph, apart where nothing stands between two: somebody else answers."""
        found = [[numbers[0]]]
        for before, number in pairwise(numbers):
            between = self._book.text[quotations[before].end : quotations[number].start]
            if between.strip():
                found[-1].append(number)
            else:
                found.append([number])
        return found

    def _tell(self, narration: str) -> str:
        """Remember whom a stretch of narration tells of; the subject of its last sentence."""
        person = ""
        for sentence in _SENTENCE.split(narration):
            if sentence.strip():
                self._mention(sentence)
                person = self._subject(sentence)
                if person and person not in (CROWD, SOMEBODY):
                    self._spoken_of.append(person)
        return person

    def _mention(self, sentence: str) -> None:
        """Remember everybody a sentence names."""
        at = 0
        while at < len(sentence):
            name = self._lexicon.names.at(sentence, at)
            if name:
                self._spoken_of.append(self._person(name))
            at += max(1, len(name))

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
        for place, number in enumerate(turn.numbers):
            one = quotations[number]
            further = turn.numbers[place + 1 : place + 2]
            stop = quotations[further[0]].start if further else end
            ahead, behind = text[before : one.start], text[one.end : max(one.end, stop)]
            said = text[one.start : one.end]
            called = self._called(said)
            turn.called += tuple(called)
            found = self._own(ahead, behind, said, attributions[number], place)
            if found and (found[0] not in called or found[1] == "kept"):
                turn.own[number] = found
                if found[0]:
                    self._spoken_of.append(found[0])
            before = one.end
        if spoken := [one for one, rule in turn.own.values() if rule != "name" and one]:
            turn.speaker, turn.rule = spoken[0], "paragraph"
        self._tell(text[quotations[turn.numbers[-1]].end : end])

    def _own(
        self, ahead: str, behind: str, said: str, attribution: Attribution, place: int
    ) -> tuple[str, str] | None:
        """(speaker, rule) of what a quotation's own surroundings say; None where they say nothing."""
        if ahead.rstrip().endswith(("：", ":")):
            if attribution.rule in KEPT and attribution.speaker:
                return attribution.speaker, "kept"
            if person := self._tell(ahead):
                return person, "beat"
            return None if _SAYS.search(_CLAUSE.split(ahead.rstrip("：: "))[-1]) else ("", "none")
        if said.startswith("“"):
            closed = said.rstrip("”").endswith(_CLOSED)
            inside = bool(ahead.strip()) and not _INTO.search(ahead)
            if inside or not closed and _INSCRIBED.match(behind):
                return "", "name"
        sentences = [one for one in _SENTENCE.split(ahead) if one.strip()]
        acting = self._tell(ahead) if place == 0 else ""
        if place and len(sentences) > 1:  # the first tells of the words before it
            acting = self._subject(sentences[-1])
        tag = self._tag(behind)
        speaks = _SAYS.search(_SENTENCE.split(behind.lstrip(), maxsplit=1)[0])
        if tag and (speaks or not acting):
            return tag, "tag"
        return (acting, "beat") if acting else None

    def _tag(self, behind: str) -> str:
        """The subject of the sentence right behind a quotation, where it is of the same paragraph."""
        sentence = _SENTENCE.split(behind.lstrip(), maxsplit=1)[0]
        if not sentence or behind.lstrip()[:1] in ("，", "。", "、", "的", "：", ":"):
            return ""
        return self._subject(sentence)

    def _called(self, said: str) -> list[str]:
        """“林舟，…” and “…，林舟。”: whom the words call."""
        found: dict[str, None] = {}
        for match in _VOCATIVE.finditer(said.strip("“”")):
            name = match["first"] or match["last"]
            if self._lexicon.names.at(name, 0) == name:
                found[self._person(name)] = None
            else:
                found |= dict.fromkeys(self._book.given(name))
        return list(found)

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
                return "" if self._of_kin(clause, at + len(name)) else self._person(name)
            if pronoun := _PRONOUN.match(clause, at):
                return "" if self._of_kin(clause, at + 1) else self._meant(pronoun.group())
            end = role_end(clause, at, None)
            if end - at > 1 and (not at or clause[at - 1] != "的"):
                name = self._lexicon.names.at(clause, end)  # 老板陈默
                return self._person(name) if name else self._person(clause[at:end])
        return ""

    @staticmethod
    def _of_kin(clause: str, end: int) -> bool:
        """我的同桌, 林舟的母亲: somebody else."""
        return bool(_OF_SOMEBODY.match(clause, end)) or (
            clause[end : end + 1] == "的" and role_end(clause, end + 1, None) > end + 2
        )

    def _meant(self, pronoun: str) -> str:
        """Whoever was spoken of last and may be called so."""
        narrator = self._book.narrator
        if pronoun == "我":
            return narrator
        recent = [one for one in dict.fromkeys(reversed(self._spoken_of[-12:])) if one != narrator]
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
            if turn.acted and not turn.silent and turn.acted not in (*turn.called, turn.hears):
                turn.speaker, turn.rule = turn.acted, "acted"
                continue
            turn.speaker = _other(scene, place, last)
            turn.rule = "exchange" if turn.speaker else ""
        _backwards(scene)


def _other(scene: Sequence[_Turn], place: int, last: str) -> str:
    """The one `last` talks with: who spoke before them in a row of bare words, else whom the story tells of, else who is known
    to speak next."""
    turn = scene[place]
    if not last:
        return ""
    unlike = {*turn.called, last, turn.hears, "", CROWD, SOMEBODY}
    in_a_row = place > 1 and not turn.told and not scene[place - 1].told
    candidates = [*scene[place - 1].called]
    candidates += [scene[place - 2].speaker] if in_a_row else []
    candidates += turn.present
    candidates += [one.speaker for one in reversed(scene[max(0, place - FAR) : place])]
    candidates += [one.speaker for one in scene[place + 1 : place + FAR]]
    return next((one for one in candidates if one not in unlike), "")


def _backwards(scene: Sequence[_Turn]) -> None:
    """Bare paragraphs before the first known speaker, from there back."""
    for place in range(len(scene) - 2, -1, -1):
        turn, following = scene[place], scene[place + 1].speaker
        if turn.speaker or not following:
            continue
        unlike = {*turn.called, following, turn.hears, "", CROWD, SOMEBODY}
        later = (one.speaker for one in scene[place + 1 : place + FAR])
        turn.speaker = next((one for one in later if one not in unlike), "")
        turn.rule = "exchange" if turn.speaker else ""
