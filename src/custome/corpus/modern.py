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
KEPT = ("cue", "inside", "identity", "reveal", "plural")
"""Rules of the grammar that stand where a colon announces the words."""
SCENE_GAP = 600
"""Characters without a word said that end a scene."""
THOUGHT = re.compile(r"(?:心想|心道|暗想|暗道|心里想|想道|寻思|想着|暗忖|腹诽)$|^(?:[^，]{0,4})想$")
_SILENT = re.compile(
    r"(?:没有?(?:再)?(?:说话|说什么|回答|接话|开口|作声|吭声|吱声|出声|理|答)|沉默|不(?:说话|作声|吭声|答|语|理))[^。]{0,12}[。…]*\s*$"
)
_VOCATIVE = re.compile(
    r"^(?P<first>[\u4e00-\u9fff]{2,4})(?=[，！？。…—～])|[，。！？](?P<last>[\u4e00-\u9fff]{2,4})(?=[。！？…～]+$)"
)
_INSCRIBED = re.compile(r"^(?:的|这|几个字|[一二两三四五六七八九十]个字|之)")
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
        found = [
            one if self._book.text[quotation.start] == "“" else one._replace(kind="thought")
            for quotation, one in zip(quotations, attributions, strict=True)
        ]
        turns = self._turns(spans, quotations, found)
        _exchange(turns)
        for turn in turns:
            for number in turn.numbers:
                speaker, rule = turn.own.get(number, (turn.speaker, turn.rule))
                if rule == "name":
                    found[number] = Attribution("", "", "", "name", "none", 0.9)
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
            first = quotations[numbers[0]]
            turn = _Turn(
                numbers=numbers,
                told=bool(told),
                acted=acted if told else "",
                silent=bool(_SILENT.search(told)),
                present=tuple(dict.fromkeys(reversed(self._spoken_of[-12:]))),
                begins_scene=first.start - last_end > SCENE_GAP,
            )
            self._read(turn, begin, end, quotations, attributions)
            turns.append(turn)
            told, last_end = "", quotations[numbers[-1]].end
        return turns

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
            if not announced and _INSCRIBED.match(behind):
                turn.own[number] = "", "name"
            elif announced and attributions[number].rule in KEPT and attributions[number].speaker:
                turn.own[number] = attributions[number].speaker, "kept"
                self._spoken_of.append(attributions[number].speaker)
            elif person := "" if announced else self._tag(behind):
                turn.own[number] = person, "tag"
                self._spoken_of.append(person)
            elif (place == 0 or announced) and (person := self._tell(ahead)):
                turn.own[number] = person, "beat"
            before = one.end
        if spoken := [one for one, rule in turn.own.values() if rule != "name"]:
            turn.speaker, turn.rule = spoken[0], "paragraph"
        turn.called = frozenset(called)
        self._tell(text[quotations[turn.numbers[-1]].end : end])

    def _tag(self, behind: str) -> str:
        """The subject of the sentence right behind a quotation, where it is of the same paragraph."""
        sentence = _SENTENCE.split(behind.lstrip(), maxsplit=1)[0]
        if not sentence or behind.lstrip()[:1] in ("，", "。", "、", "的", "：", ":"):
            return ""
        return self._subject(sentence)

    def _called(self, said: str) -> set[str]:
        """“林舟，…” and “…，林舟。”: whom the words call."""
        found = set()
        for match in _VOCATIVE.finditer(said.strip("“”")):
            name = match["first"] or match["last"]
            if self._lexicon.names.at(name, 0) == name:
                found.add(self._person(name))
            else:
                found |= {one for one in self._book.table.people if one[1:] == name}
        return found

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
            if end - at > 1:
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
            if turn.acted and not turn.silent and turn.acted not in turn.called | {turn.hears}:
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
    unlike = turn.called | {last, turn.hears, "", CROWD, SOMEBODY}
    in_a_row = place > 1 and not turn.told and not scene[place - 1].told
    candidates = [*scene[place - 1].called]
    candidates += [scene[place - 2].speaker] if in_a_row else []
    candidates += turn.present
    candidates += [one.speaker for one in reversed(scene[:place])]
    candidates += [one.speaker for one in scene[place + 1 :]]
    return next((one for one in candidates if one not in unlike), "")


def _backwards(scene: Sequence[_Turn]) -> None:
    """Bare paragraphs before the first known speaker, from there back."""
    for place in range(len(scene) - 2, -1, -1):
        turn, following = scene[place], scene[place + 1].speaker
        if turn.speaker or not following:
            continue
        unlike = turn.called | {following, turn.hears, "", CROWD, SOMEBODY}
        later = (one.speaker for one in scene[place + 1 :])
        turn.speaker = next((one for one in later if one not in unlike), "")
        turn.rule = "exchange" if turn.speaker else ""
