"""Who the one is whom the text calls 那人, 妇人, 那怪, 知府: the name that the same book gives them.

The grammar of a cue gives the text's own word for a speaker. Where that is a role noun, three kinds of evidence in the
same stretch of the book say who bears it: they introduce themselves (“某姓张名飞”), the narration introduces them (那人姓…名…,
却是…, 唤做…), or the word is somebody's title there (蔡九知府 … 知府道). The alias table says it before all of them
(妇人@24-26). A word that nobody is given stays as it is.
Knows attributions and a book's names, no file.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from .book import LOOK_BACK, Book
from .quotes import Quotation
from .speakers import Attribution
from .subjects import is_role
from .text import Chapter
from .words import surnames

INTRODUCED = 0.85
"""Confidence in a name by which somebody introduces themselves, or is introduced."""
BOUND = 0.9
"""Confidence in whom the alias table gives a word to in a chapter."""
BORNE = 0.8
"""Confidence in the bearer of a title."""
BEFORE, AFTER = 4_000, 2_500
"""Characters between a word and the sentence that names its bearer: behind what it names, and in front of it …"""
ANYBODY = frozenset(("人", "汉", "汉子", "大汉", "男子", "将", "厮", "客人"))
ANYBODY_BEFORE = 1_500
"""… and after a word that is anybody's."""
TITLE_REACH = 12_000
"""Characters in front of a bare title in which somebody bears it with a name."""
NEIGHBOUR = 250
"""Whoever speaks by name right beside is somebody else."""

GUESSED = ("earlier", "same", "turns", "other", "nearby", "report", "sentence")
"""Rules whose answer one's own words may correct."""
_I_AM = re.compile(r"(?:[^，。！？“”]{0,4}，)?[我吾某俺](?:乃是?|是|便是)?")
_HERE = ("奉", "在此", "也", "来", "，", "！", "是也", "便是")
_POINTING = re.compile(r"^(?:那|这|其|此|某|一个|一员|一位|一)(?=.)")
_ALIKE = (
    "人 汉 汉子 大汉 男子 后生 壮士 好汉 少年 将 大将 小将 来者 秀才 先生 客人 官人 厮 大哥",
    "妇人 妇 女子 娘子 婆娘 女 女人 小姐 女将",
    "老者 老人 老儿 老翁 老叟 翁 叟 太公 老汉 老丈 庄主 员外 主人 隐者 老",
    "和尚 僧 僧人 老僧 头陀 长老 住持 禅师",
    "道人 道士 先生 真人 道者",
    "怪 妖 妖精 妖怪 妖魔 妖王 妖邪 怪物 老怪 女怪 老妖 魔 魔王 老魔 魔头 大王 老魔头",
    "梢公 艄公 船家 渔人 渔翁",
    "童子 牧童 小童 童",
)
"""Words that a book uses in turn for one person."""
_AFTER_NAME = ("", "也", "便是", "是也", "的便是")
_KNOWN = frozenset(word for line in _ALIKE for word in line.split())
_OF_ANOTHER = re.compile(r"他|此人|那人|其人|有一|一个|名叫|兄弟|哥哥|丈夫|父亲")
_BETWEEN = re.compile(r"[的之与和同被给向问请往奉差见将把叫令为]")
"""What cannot stand between 却是 and the name it gives."""
_TITLES = re.compile(
    r"(?:知府|知县|府尹|太守|太尉|太师|丞相|尚书|都监|都头|提辖|教头|团练|节级|管营|差拨|孔目|押司|知寨|统制|观察|将军|元帅|都督|刺史|县令|县尹"
    r"|侍郎|御史|老爷|太太|公子|小姐|夫人|大王|真人|长老|禅师|国师|员外|太公|通判|指挥|先锋|枢密|参谋|祭酒|司徒|司空|侍中|主簿|校尉|公)$"
)


@cache
def _introduces() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """(oneself in one's own words, somebody in the narration, 姓…名… alone)"""
    single = "".join(sorted(s for s in surnames() if len(s) == 1))
    family = f"(?P<family>{'|'.join(sorted(s for s in surnames() if len(s) > 1))}|[{single}])"
    full = rf"姓{family}，?(?:[单双]?名|讳)(?:唤|叫|是|字|做|作)*(?P<given>[\u4e00-\u9fff]{{1,2}}?)(?=[，。；！、”：字]|人氏)"
    itself = r"(?:小人|小弟|小可|小道|小僧|小将|小女|小生|老拙|老汉|老朽|老夫|我|某|俺|洒家|贫僧|贫道|在下|奴家|妾|末将|吾|咱|弟子|学生)"
    oneself = re.compile(
        rf"{itself}[^。！？“”，]{{0,4}}?(?:(?:，[^。！？“”，]{{2,12}})?，?{full}|(?:乃是?|便是|就是|是|唤做|名唤|叫做)(?P<who>[^，。！？“”]{{2,14}}))"
    )
    told = re.compile(
        rf"(?:{full}|(?:名唤|唤做|唤作|叫做|叫作|名叫|却是|正是|便是|就是|原来是|乃是|乃)(?P<who>[^，。！？“”：；]{{2,16}}))"
    )
    return oneself, told, re.compile(full)


@dataclass(frozen=True)
class Naming:
    """A place where a word is given a name."""

    at: int
    word: str
    """The role noun, without 那 and the like."""
    person: str


def core(mention: str) -> str:
    """那妇人 → 妇人."""
    return _POINTING.sub("", mention)


@cache
def _group(word: str) -> frozenset[str]:
    """The words that may mean the same person."""
    found = {word}
    for line in _ALIKE:
        alike = line.split()
        if word in alike:
            found.update(alike)
    return frozenset(found)


class Identities:
    """Names for the role nouns of one chapter."""

    def __init__(self, book: Book, chapter: Chapter) -> None:
        self._book, self._start, self._end = book, chapter.start, chapter.end
        self._bound = {
            word: person
            for word, bearers in book.table.bearers().items()
            for reach, person in bearers
            if reach.first <= chapter.number <= reach.last
        }

    def resolve(
        self, quotations: Sequence[Quotation], attributions: Sequence[Attribution]
    ) -> list[Attribution]:
        """The attributions of a chapter with the people that role nouns mean."""
        found = [self._by_own_words(*one) for one in zip(quotations, attributions, strict=True)]
        attributions = found
        roles = [
            number
            for number, one in enumerate(attributions)
            if one.kind in ("speech", "thought")
            and quotations[number].depth == 0
            and (_open(one) or self._bound_to(one))
        ]
        if not roles:
            return found
        namings = self._namings(quotations, attributions, roles)
        found = list(found)
        for number in roles:
            one, at = attributions[number], quotations[number].start
            person, confidence = self._bound_to(one), BOUND
            if not person:
                person, confidence = self._bearer(core(one.speaker), at), BORNE
            if not person:
                person, confidence = self._introduced(core(one.speaker), at, namings), INTRODUCED
            if person and not self._beside(person, number, quotations, attributions):
                found[number] = one._replace(speaker=person, rule="identity", confidence=confidence)
        return found

    def _by_own_words(self, quotation: Quotation, one: Attribution) -> Attribution:
        """“我赵子龙奉军师将令” is said by 赵云, whoever the grammar guesses."""
        if one.rule not in GUESSED or quotation.depth or one.kind != "speech":
            return one
        said = self._book.text[quotation.start : quotation.start + 40].lstrip("“")
        match = _I_AM.match(said)
        name = self._book.lexicon.names.at(said, match.end()) if match else ""
        after = said[match.end() + len(name) :] if match else ""
        if not name or is_role(name) or not after.startswith(_HERE):
            return one
        person = self._book.canonical(name, self._start, quotation.start)
        return one._replace(speaker=person, mention="", rule="identity", confidence=INTRODUCED)

    def _bound_to(self, one: Attribution) -> str:
        """Whom the alias table says the word means in this chapter."""
        words = (one.mention, one.speaker, core(one.speaker)) if self._bound else ()
        return next((self._bound[word] for word in words if word in self._bound), "")

    # -- evidence ----------------------------------------------------------------------------------------------------

    def _namings(
        self,
        quotations: Sequence[Quotation],
        attributions: Sequence[Attribution],
        roles: Sequence[int],
    ) -> list[Naming]:
        """Every place of the chapter where one of its role nouns is given a name, in order."""
        oneself, told, full = _introduces()
        found = []
        words = {core(attributions[number].speaker) for number in roles}
        for number in roles:
            quotation = quotations[number]
            said = self._book.text[quotation.start : min(quotation.end, quotation.start + 160)]
            matches = [
                *oneself.finditer(said),
                *(m for m in full.finditer(said) if not _OF_ANOTHER.search(said[: m.start()])),
            ]
            people = (self._person(match, said) for match in matches)
            if person := next(filter(None, people), ""):
                found.append(Naming(quotation.start, core(attributions[number].speaker), person))
        pattern = re.compile(
            "(?:那|这|其|此)?(?P<word>"
            + "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
            + ")"
        )
        for begin, end in _outside(quotations, self._start, self._end):
            narration = self._book.text[begin:end]
            for match in told.finditer(narration):
                before = narration[max(0, match.start() - 40) : match.start()]
                sentence = re.split(r"[。！？]", before)[-1]
                named = list(pattern.finditer(sentence))
                if not named and match["family"]:
                    named = list(pattern.finditer(before))
                if named and (person := self._person(match, narration)):
                    found.append(Naming(begin + match.start(), named[-1]["word"], person))
        return sorted(found, key=lambda one: one.at)

    def _person(self, match: re.Match[str], text: str) -> str:
        """Whom an introduction names; '' where it names nobody the book knows."""
        if match["family"]:
            name = match["family"] + match["given"]
            return self._book.canonical(name, self._start, self._end)
        who, at = match["who"], match.start("who")
        for position in range(len(who)):
            name = self._book.lexicon.names.at(text, at + position)
            if name and at + position + len(name) <= match.end("who") and not is_role(name):
                rest = text[at + position + len(name) : match.end("who")]
                if rest in _AFTER_NAME and not _BETWEEN.search(who[:position]):
                    return self._book.canonical(name, self._start, self._end)
                return ""
        return ""

    def _introduced(self, word: str, at: int, namings: Sequence[Naming]) -> str:
        """The nearest naming of a word or one that is used in turn with it, those before `at` first."""
        own = [one for one in namings if one.word in _group(word)]
        places = [one.at for one in own]
        here = bisect_right(places, at)
        reach = ANYBODY_BEFORE if word in ANYBODY else BEFORE
        if here and at - own[here - 1].at <= reach:
            between = self._book.text[own[here - 1].at : at]
            return "" if self._enters(word).search(between, 20) else own[here - 1].person
        if here < len(own) and own[here].at - at <= AFTER and own[here].word == word:
            return own[here].person
        return ""

    @staticmethod
    @cache
    def _enters(word: str) -> re.Pattern[str]:
        """Somebody new whom the same word may mean: 一条大汉, 有人."""
        alike = "|".join(map(re.escape, sorted(_group(word), key=len, reverse=True)))
        return re.compile(
            rf"(?:一个|一条|一员|一位|一名|有个|又有|一)[^，。！？“”]{{0,8}}?(?:{alike})(?![\u4e00-\u9fff]?马)|有人"
        )

    def _bearer(self, word: str, at: int) -> str:
        """Who bore a title with their name last: 蔡九知府 … 知府道."""
        if not _TITLES.fullmatch(word):
            return ""
        text, names = self._book.text, self._book.lexicon.names
        begin = max(self._start - LOOK_BACK, at - TITLE_REACH, 0)
        place = at
        for _ in range(40):
            place = text.rfind(word, begin, place)
            if place < 0:
                return ""
            for size in (4, 3, 2, 1):  # 蔡九知府 is a name of its own
                whole = text[max(begin, place - size) : place + len(word)]
                if whole in names and not is_role(whole):
                    return self._book.canonical(whole, self._start, at)
            family = text[max(begin, place - 1) : place]
            if len(word) > 1 and family in surnames() and text.count(family + word) > 2:
                return family + word
            behind = names.at(text, place + len(word))
            if len(word) > 1 and behind and not is_role(behind):
                return self._book.canonical(behind, self._start, at)
        return ""

    def _beside(
        self,
        person: str,
        number: int,
        quotations: Sequence[Quotation],
        attributions: Sequence[Attribution],
    ) -> bool:
        """Does that person speak by name right before or after, or is it spoken to?"""
        if attributions[number].addressee == person:
            return True
        for other in (number - 1, number + 1):
            if 0 <= other < len(quotations) and attributions[other].speaker == person:
                near = abs(quotations[other].start - quotations[number].start)
                if (
                    near
                    <= NEIGHBOUR
                    + quotations[min(other, number)].end
                    - quotations[min(other, number)].start
                ):
                    return True
        return False


def _open(one: Attribution) -> bool:
    """Is a name wanted for this speaker?"""
    word = core(one.speaker)
    return is_role(one.speaker) and (word in _KNOWN or bool(_TITLES.fullmatch(word)))


def _outside(quotations: Sequence[Quotation], start: int, end: int) -> Iterable[tuple[int, int]]:
    """The stretches of a chapter outside quotation marks."""
    at = start
    for quotation in quotations:
        if quotation.depth == 0 and quotation.start >= at:
            yield at, quotation.start
            at = quotation.end
    yield at, end
