"""What a book says of one person, only where it is said of that person: who they are, how they look, whose kin, which office,
what they fight with and ride, what the chapters' titles tell of them.

A sentence that names somebody is not about them: 玄德回视其人，身长八尺 tells how the other looks. So every kind has a
form of its own in which the subject stands right beside what is said, or is whoever introduces themselves next. What fits
no form is left out. Knows sentences and attributions, no file.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..types import Utterance
from .addressing import addresses
from .aliases import AliasTable
from .text import Chapter, without_number
from .told import Kind, Statement, few
from .words import WordSet, surnames

NEXT = 160
"""Characters after a description in which whoever is described speaks or is named."""
LEAST_USES = 2
"""A weapon or a horse is somebody's that they are told to use so often."""

_LOOK = (
    r"(?:身长[一-龥]{1,4}[尺丈]|身高[一-龥]{1,3}尺|身材[一-龥]{2,4}|面如[一-龥]{1,4}|面若[一-龥]{1,4}|[一-龥]{1,3}面[一-龥]{0,3}[须眉眼]|目若[一-龥]{1,4}"
    r"|眼如[一-龥]{1,4}|眉[一-龥]{1,5}目[一-龥]{1,4}|豹头环眼|唇若[一-龥]{1,4}|唇方口[一-龥]|丹凤眼|卧蚕眉|髯长[一-龥]{1,3}|声若[一-龥]{1,3}|声如[一-龥]{1,3}"
    r"|势如奔马|相貌[一-龥]{2,4}|威风凛凛|仪表[一-龥]{2}|燕颔虎须|虎体[一-龥]{2}|细眼长[髯须]|碧眼[一-龥]{2}|头戴[一-龥]{2,6}|身穿[一-龥]{2,8}|身披[一-龥]{2,6}"
    r"|生得[一-龥]{2,12}|长得[一-龥]{2,12}|两耳垂肩|双手过膝|目能自顾其耳|飘飘然[一-龥]{2,8}|眉清目秀|面白[一-龥]{2}|齿白唇红|形容[一-龥]{2,6}|体貌[一-龥]{2,6})"
)
_LOOKS = re.compile(rf"{_LOOK}(?:[，；、：][一-龥]{{2,12}})*?(?:[，；、：]{_LOOK})*(?=[，。；！])")
_PASSING = re.compile(r"面如(?:土|纸|灰|金纸|白纸|平日|死灰|黄纸)")
"""What somebody looks like for a moment."""
_SOMEBODY = re.compile(
    r"(?:其人|此人|那人|这人|那汉子?|那大汉|一人|一个人|一将|一员大?将|来者|那将|那先生|一大汉|一条大汉)"
)
_KIN = "长子|次子|三子|幼子|儿子|子|长女|次女|女儿|女|孙子|孙|弟弟|弟|兄长|兄|哥哥|姐姐|姐|妹妹|妹|妻子|妻|妾|浑家|夫人|侄儿|侄|叔父|叔|舅|外甥|甥|父亲|父|母亲|母|嫂|媳妇|女婿|婿|岳父|丈人|徒弟|师父|义子|结义兄弟|心腹"
_ARMS = (
    r"(?![把口条杆柄对枝根股])[一-龥]{1,6}?(?:刀|枪|矛|戟|斧|剑|棒|钯|锤|鞭|杖|弓|锏|叉|禅杖|朴刀)"
)
_USES = re.compile(
    rf"(?:手?(?:使|挺|舞|持|提|绰|轮|横|掣|仗|拈|执|掿|捻|倒拖))(?:着|起|开|了|出)?(?:一|两|那|这)?(?:条|口|把|杆|柄|对|枝|根)?(?P<thing>{_ARMS})(?=[，。；、]|[一-龥])"
)
_RIDES = re.compile(
    r"(?:骑|乘|跨|坐下|胯下)(?:着|了|上)?(?:一?匹)?(?P<thing>[^着了上战快匹]{1,5}?马)(?=[，。；、])"
)
_RAISED = re.compile(r"(?:封|拜|加|授|除|迁|升|表|表奏|保奏|擢)$")
_OFFICE = re.compile(
    r"为(?P<office>[一-龥]{2,9}?(?:将军|侯|公|王|太守|刺史|牧|令|尉|相|丞相|中郎将|校尉|都督|太傅|司徒|司空|御史|尚书|侍郎|参军|军师|先锋|节度使|指挥使|统制|帅|卿))(?=[，。；、领])"
)
_TEMPER = re.compile(
    r"(?:为人|生性|素性|秉性|天性|性情|心性|本性|性子|禀性)(?:最是|最|极|甚|十分|素来|本来|向来|是)?[一-龥]{2,8}(?:[，、][一-龥]{2,8}){0,2}(?=[，。；！])"
)
_HOUSES = ("院", "寺", "庙", "庵", "洞", "庄", "府", "祠", "桥")
"""观音院 is a house, not who it is named after."""
_CLAUSE = re.compile(r"[^，。；：！？“”\s]+")
_NAME_CLAUSE = re.compile(
    r"^(?:表?字|号|道号|法号|法名|绰号|诨名|浑名|小字|乳名|祖贯|祖居|本贯|世居|原籍|排行|年方|年[一-龥]{1,3}岁|乃?[^称为叫做唤的]{2,12}(?:人也|人氏|人)$|官拜|现任|[一-龥]{0,8}之[后裔]也?$)"
)


@dataclass(frozen=True, kw_only=True)
class _Sentence:
    chapter: int
    offset: int
    text: str


def _told(kind: Kind, where: _Sentence | Utterance, text: str) -> Statement:
    return Statement(kind=kind, chapter=where.chapter, offset=where.offset, text=text)


class Statements:
    """What one book says of its people.

    Args:
        sentences: of its narration, as (chapter, offset, text).
    """

    def __init__(
        self,
        chapters: Sequence[Chapter],
        sentences: Iterable[tuple[int, int, str]],
        utterances: Sequence[Utterance],
        table: AliasTable,
        people: Iterable[str],
    ) -> None:
        self._chapters, self._utterances = chapters, utterances
        self._sentences = [_Sentence(chapter=c, offset=o, text=t) for c, o, t in sentences]
        self._people = [name for name in people if name in table.people]
        owners = table.owners()
        self._owner = {
            name: bearers[0]
            for name, bearers in owners.items()
            if len(bearers) == 1 and len(name) > 1
        }
        self._names = WordSet(self._owner)
        self._table = table

    def of_everybody(self) -> dict[str, list[Statement]]:
        """Person → what is said of them, a few of each kind, in the order of MOST and of the book."""
        found: dict[str, list[Statement]] = defaultdict(list)
        for tell in (
            self._of_themselves,
            self._by_name,
            self._looks,
            self._temper,
            self._kin,
            self._offices,
            self._things,
            self._addresses,
            self._deeds,
        ):
            for person, statement in tell():
                found[person].append(statement)
        return {person: few(found[person]) for person in self._people if found[person]}

    # -- names and origin --------------------------------------------------------------------------------------------

    def _of_themselves(self) -> Iterable[tuple[str, Statement]]:
        """“某姓张名飞，字翼德，世居涿郡”: what somebody says when asked who they are."""
        for one in self._utterances:
            given = one.speaker[1:] if one.speaker[:2] not in surnames() else one.speaker[2:]
            family = one.speaker[: len(one.speaker) - len(given)]
            if one.kind != "speech" or not given or one.chapter < 1:
                continue
            said = one.quote.strip("“”")
            at = re.search(
                rf"姓{re.escape(family)}[，,]?[单双]?名(?:唤|叫|是|讳)?{re.escape(given)}", said
            )
            if at is None or at.start() > 60:
                continue
            begin = max(said.rfind(mark, 0, at.start()) for mark in "。！？；") + 1
            end = min(
                (said.find(mark, at.end()) for mark in "。！？" if said.find(mark, at.end()) > 0),
                default=len(said),
            )
            words = said[begin : end + 1].rstrip("。") + "。"
            if 14 <= len(words) <= 90:
                yield (
                    one.speaker,
                    _told("self", one, f"{one.speaker}自己说：{words}"),
                )

    def _by_name(self) -> Iterable[tuple[str, Statement]]:
        """姓曹名操字孟德，沛国谯郡人也 · 宋江，表字公明: the clauses of a formal introduction."""
        spoken = (
            _Sentence(chapter=one.chapter, offset=one.offset, text=one.quote.strip("“”"))
            for one in self._utterances
            if "姓" in one.quote and "名" in one.quote
        )
        for sentence in (*self._sentences, *spoken):
            if (
                "字" not in sentence.text
                and "号" not in sentence.text
                and "人" not in sentence.text
            ):
                continue
            for person, _, end in self._introduced_in(sentence.text):
                kept = []
                for clause in _CLAUSE.finditer(sentence.text, end):
                    if not _NAME_CLAUSE.match(clause.group()):
                        break
                    kept.append(re.sub("(?:者)?也$", "", clause.group()))
                own = set(self._table.people.get(person, ()))
                courtesy = [c for c in kept if re.match(r"(?:表?字|号|绰号|诨名|小字)", c)]
                known = any(alias in c for c in courtesy for alias in own)
                if kept and (known or not courtesy):
                    yield (
                        person,
                        _told("name", sentence, f"{person}，{'，'.join(kept)}。"),
                    )

    def _introduced_in(self, sentence: str) -> Iterable[tuple[str, int, int]]:
        """(person, where, end of the name) of those a sentence introduces by name."""
        for match in re.finditer(
            r"姓([一-龥]{1,2}?)[，,]?[单双]?名(?:唤|叫|是|讳)?([一-龥]{1,2}?)(?=[，,。字])",
            sentence,
        ):
            name = match[1] + match[2]
            if name in self._owner:
                yield self._owner[name], match.start(), match.end()
        at = 0
        while at < len(sentence):
            name = self._names.at(sentence, at)
            if not name:
                at += 1
                continue
            end = at + len(name)
            if (
                sentence[end : end + 2] in ("，字", "，表", "，号")
                or sentence[end : end + 1] == "字"
            ):
                yield self._owner[name], at, end
            at = end

    # -- looks -------------------------------------------------------------------------------------------------------

    def _looks(self) -> Iterable[tuple[str, Statement]]:
        offsets = [one.offset for one in self._utterances]
        for sentence in self._sentences:
            match = _LOOKS.search(sentence.text)
            if match is None:
                continue
            person = self._looked_at(sentence, match.start(), offsets)
            looks = match.group().strip("，；：、")
            if person and 4 <= len(looks) <= 70 and not _PASSING.search(looks):
                yield (
                    person,
                    _told("looks", sentence, f"{person}{looks}。"),
                )

    def _looked_at(self, sentence: _Sentence, at: int, offsets: Sequence[int]) -> str:
        """Whose looks they are: whose name stands right before, whom the sentence names at its end, or who says next who they
        are."""
        before = sentence.text[:at]
        for size in range(min(6, at), 1, -1):
            name = before[at - size :].lstrip("，：")
            if name in self._owner:
                return self._owner[name]
        for person, _, stop in self._introduced_in(before):
            between = _CLAUSE.findall(before[stop:])
            if all(_NAME_CLAUSE.match(clause) for clause in between):
                return person
        named = [person for person, _, _ in self._introduced_in(sentence.text[at:])]
        if named:
            return named[0]
        end = sentence.text.rstrip("。！")
        for size in range(min(9, len(end)), 1, -1):  # …，乃关云长也
            tail = re.search(r"(?:乃|却是|正是|便是)(?P<who>[一-龥]{2,8}?)也?$", end[-size - 3 :])
            if tail and tail["who"][-size:] in self._owner and len(tail["who"]) <= 8:
                return self._owner[tail["who"][-size:]]
        if not _SOMEBODY.search(before):
            return ""
        stop = sentence.offset + len(sentence.text)
        following = bisect_right(offsets, sentence.offset)
        for one in self._utterances[following : following + 3]:
            if one.offset - stop > NEXT:
                break
            unnamed = one.mention not in self._owner
            if one.rule in ("identity", "reveal") and one.speaker in self._table.people and unnamed:
                return one.speaker
        return ""

    def _temper(self) -> Iterable[tuple[str, Statement]]:
        """宋江为人仗义，… · 凤姐素性好胜: what somebody is always like."""
        for sentence in self._sentences:
            for match in _TEMPER.finditer(sentence.text):
                name, begin = self._ending_at(sentence.text, match.start())
                if name and (not begin or sentence.text[begin - 1] in "，。；：、"):
                    person = self._owner[name]
                    yield person, _told("temper", sentence, f"{person}{match.group()}。")

    def _addresses(self) -> Iterable[tuple[str, Statement]]:
        """贾宝玉叫林黛玉“妹妹”."""
        names = {**self._owner, **{person: person for person in self._people}}
        for habit in addresses(self._utterances, names, set(self._people)):
            yield (
                habit.person,
                Statement(
                    kind="address",
                    chapter=habit.chapter,
                    offset=habit.offset,
                    text=habit.told(),
                ),
            )

    # -- kin, offices, things, deeds ---------------------------------------------------------------------------------

    def _kin(self) -> Iterable[tuple[str, Statement]]:
        """曹丕乃曹操之子 · 曹操之子曹丕: both people known."""
        of_somebody = re.compile(rf"[之的](?P<kin>{_KIN})")
        for sentence in self._sentences:
            for match in of_somebody.finditer(sentence.text):
                relative, begin = self._ending_at(sentence.text, match.start())
                if not relative:
                    continue
                person = self._names.at(sentence.text, match.end())
                before = sentence.text[:begin]
                if not person and re.match(r"也?[，。；]", sentence.text[match.end() :]):
                    link = re.search(r"(?:乃|是|系)$", before)
                    person = self._ending_at(before, link.start())[0] if link else ""
                elif before and before[-1] not in "，。；：":
                    continue
                who, other = self._owner.get(person, ""), self._owner.get(relative, "")
                if who and other and who != other:
                    yield (
                        who,
                        _told("kin", sentence, f"{who}是{other}之{match['kin']}。"),
                    )

    def _ending_at(self, text: str, end: int) -> tuple[str, int]:
        """The longest name that ends at `end`, and where it begins."""
        for size in range(min(6, end), 1, -1):
            if text[end - size : end] in self._owner:
                return text[end - size : end], end - size
        return "", end

    def _offices(self) -> Iterable[tuple[str, Statement]]:
        """拜刘备为豫州牧."""
        for sentence in self._sentences:
            for match in _OFFICE.finditer(sentence.text):
                name, begin = self._ending_at(sentence.text, match.start())
                if name and _RAISED.search(sentence.text[:begin]):
                    person = self._owner[name]
                    yield (
                        person,
                        _told("office", sentence, f"{person}受封{match['office']}。"),
                    )

    def _things(self) -> Iterable[tuple[str, Statement]]:
        """What somebody fights with and rides, where they are told to do so more than once."""
        seen: dict[tuple[str, Kind], Counter[str]] = defaultdict(Counter)
        first: dict[tuple[str, Kind, str], _Sentence] = {}
        for sentence in self._sentences:
            for kind, pattern in (("arms", _USES), ("mount", _RIDES)):
                for match in pattern.finditer(sentence.text):
                    if match.start() and sentence.text[match.start() - 1] in "，。；：":
                        continue  # somebody named before it
                    clause = sentence.text[: match.start()]
                    clause = clause[max(clause.rfind(mark) for mark in "，。；：！？") + 1 :]
                    person = self._subject(clause)
                    thing = match["thing"]
                    if (
                        person
                        and len(thing) > 1
                        and not any(n in thing for n in ("那", "这", "其", "他"))
                    ):
                        seen[person, kind][thing] += 1  # type: ignore[index]
                        first.setdefault((person, kind, thing), sentence)  # type: ignore[arg-type]
        for (person, kind), counts in seen.items():
            often = [(thing, n) for thing, n in counts.items() if n >= LEAST_USES]
            if often:
                thing = max(often, key=lambda one: (len(one[0]) > 2, one[1]))[0]
                place = first[person, kind, thing]
                does = "使" if kind == "arms" else "骑"
                yield (
                    person,
                    _told(kind, place, f"{person}{does}{thing}。"),
                )

    def _subject(self, clause: str) -> str:
        """The person a clause begins with, where little else stands in it."""
        for begin in range(min(4, len(clause))):
            name = self._names.at(clause, begin)
            if name:
                rest = clause[begin + len(name) :]
                return self._owner[name] if len(rest) <= 3 else ""
        return ""

    def _deeds(self) -> Iterable[tuple[str, Statement]]:
        """The half of a chapter's title that names somebody."""
        for chapter in self._chapters:
            for half in re.split(r"[ \t\u3000，；]+", without_number(chapter.title)):
                if not 5 <= len(half) <= 14 or not chapter.number:
                    continue
                at = 0
                while at < len(half):
                    name = self._names.at(half, at)
                    if name and half[at + len(name) : at + len(name) + 1] not in _HOUSES:
                        yield (
                            self._owner[name],
                            Statement(
                                kind="deed",
                                chapter=chapter.number,
                                offset=chapter.start,
                                text=f"{half}。",
                            ),
                        )
                    at += max(1, len(name))
