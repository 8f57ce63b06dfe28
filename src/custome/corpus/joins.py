"""Which names of a book are one person, from the book itself, each join with what speaks for it.

For books nobody wrote an alias table for. Five kinds of evidence, most certain first: a sentence that gives somebody's
other name (字, 号), a full name and the given name at its end (林黛玉, 黛玉), a nickname in front of a name (黑旋风李逵), a
surname with a title that also stands beside the full name (宋先锋, 先锋宋江), and two names of one surname that take turns
from sentence to sentence and hardly ever stand in one. Names without a common surname that take turns so are offered to the
reader as doubtful. Knows a text and its quotations, not who speaks.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from .aliases import AliasTable, Doubt
from .quotes import Quotation
from .subjects import is_role

LEAST_NEAR = 16
"""Pairs of near sentences, one with one name and one with the other, that two names need to be compared …"""
TAKES_TURNS = 0.07
"""… and at most so many sentences with both for each such pair."""
REACH = 2
"""How many sentences further is near."""
DOUBTFUL_NEAR = 60
"""The same for names that share no surname; what is rarer is not worth a question."""
MOST_DOUBTS = 20
FULL_SHARE = 0.01
"""Of all its times a given name stands so often behind the surname, where no cue has the full name."""
NICKNAME_LEAST = 2
"""Times a nickname stands right before its name, at least …"""
NICKNAME_SHARE = 0.1
"""… and of all its times."""
ROLE_LEAST = 20
"""A title of one bearer (行者, of 孙行者) is called so often before 道 …"""
ROLE_SHARE = 0.8
"""… and in so many of its chapters the bearer stands with name."""
WORDS_SHOWN = 24
"""Characters shown on either side of what speaks for a join."""

_AS_WORDS = "蒙和向于时从后令过安得那与同随又有来将见被因听将使"
"""Surnames that are mostly words: 蒙玉帝垂赐 is not somebody called 蒙玉帝."""
_HONORIFIC = re.compile(
    r"^(?:[大二三四五六七八老小]?(?:爷|郎|哥|姐|嫂|妈|娘|公|翁|兄|某|氏)|老爷|大人|先生|公子|少爷|姑娘|小姐|太太|夫人|老|学究|大官人|员外|和尚|大圣|僧|王|家的)$"
)
"""What stands behind a surname instead of a given name, beside the titles the grammar knows as role nouns."""
_CALLED = re.compile(
    r"^(?:总|队|局|处|科|工|董|导|老|老师|教授|医生|法医|警官|经理|组长|队长|主任)$"
)
"""What one is called behind one's surname in our time."""
_OF_KIN = re.compile(r"(?:公|爷|娘|妈|太|人|姐|母|父|女|子)$")
"""穆弘太公 is his father."""


@dataclass(frozen=True, kw_only=True)
class Join:
    """Two names of one person."""

    alias: str
    person: str
    reason: str


class Joins:
    """Finds the people of one book among its names.

    Args:
        text: the book, simplified.
        names: what its cues call people, with how often; role nouns among them.
    """

    def __init__(
        self,
        text: str,
        quotations: Sequence[Quotation],
        names: Mapping[str, int],
        surnames: frozenset[str],
    ) -> None:
        self._text, self._surnames = text, surnames
        self._counts = {name: count for name, count in names.items() if len(name) > 1}
        self._names = {name: count for name, count in self._counts.items() if not is_role(name)}
        self._quotations = quotations
        self._person: dict[str, str] = {name: name for name in self._names}
        """Name → a name of the same person, up to the one that stands for all."""
        self._joins: list[Join] = []
        self._with_full = {name for name in self._names if self._is_full(name)}
        """Names that stand for all of somebody who has a full name."""

    def table(self) -> AliasTable:
        """Everybody with their other names, and the joins the reader is asked about."""
        self._introduced()
        self._given_names()
        self._nicknames()
        self._titles()
        self._only_bearers()
        self._short_names()
        doubts = self._taking_turns()
        groups: dict[str, list[str]] = defaultdict(list)
        for name in self._person:
            groups[self._of(name)].append(name)
        people: dict[str, tuple[str, ...]] = {}
        stands_for: dict[str, str] = {}
        for group in sorted(groups.values(), key=lambda group: -self._said(group)):
            person = self._best(group)
            people[person] = tuple(sorted(set(group) - {person}, key=group.index))
            stands_for.update(dict.fromkeys(group, person))
        why: dict[str, str] = {}
        for one in self._joins:
            why.setdefault(one.alias, one.reason)
        return AliasTable(
            people=people,
            why={alias: reason for alias, reason in why.items() if alias not in people},
            doubts=tuple(
                Doubt(alias=stands_for[one.alias], person=stands_for[one.person], reason=one.reason)
                for one in doubts
            ),
        )

    # -- groups ------------------------------------------------------------------------------------------------------

    def _of(self, name: str) -> str:
        while (other := self._person[name]) != name:
            name = other
        return name

    def _join(self, alias: str, person: str, reason: str, *, told: bool = False) -> None:
        """Make two names one person's; two who each have a full name stay two, unless the book tells so itself."""
        for name in (alias, person):
            if name not in self._person:
                self._person[name] = name
                self._with_full |= {name} if self._is_full(name) else set()
        one, other = self._of(alias), self._of(person)
        if one != other and (told or not {one, other} <= self._with_full):
            self._person[one] = other
            self._with_full |= {other} if one in self._with_full else set()
            self._joins.append(Join(alias=alias, person=person, reason=reason))

    def _said(self, group: Sequence[str]) -> int:
        return sum(self._counts.get(name, 0) for name in group)

    def _best(self, group: Sequence[str]) -> str:
        """The name that stands for a person: a full one before a given one or a title, the most used among those."""
        return max(
            group,
            key=lambda name: (
                self._is_full(name),
                bool(self._family(name)),
                not is_role(name),
                self._counts.get(name, 0),
                -len(name),
            ),
        )

    def _family(self, name: str) -> str:
        """The surname a name begins with, or ''."""
        two = name[:2]
        if two in self._surnames and len(name) > 2:
            return two
        return name[0] if name[0] in self._surnames and len(name) > 1 else ""

    def _is_full(self, name: str) -> bool:
        """Surname and given name."""
        family = self._family(name)
        given = name[len(family) :]
        return bool(family) and len(given) < 3 and not self._is_title(given)

    def _is_title(self, word: str) -> bool:
        return bool(_HONORIFIC.match(word) or _CALLED.match(word)) or is_role(word)

    def _words(self, at: int, size: int) -> str:
        begin, end = max(0, at - WORDS_SHOWN // 2), at + size + WORDS_SHOWN
        return "“…" + re.sub(r"\s+", "", self._text[begin:end]) + "…”"

    # -- evidence ----------------------------------------------------------------------------------------------------

    def _introduced(self) -> None:
        for alias, (person, at) in introductions(self._text, self._surnames).items():
            if person in self._counts or alias in self._counts:
                self._join(alias, person, f"书里的介绍：{self._words(at, len(person))}", told=True)

    def _given_names(self) -> None:
        """道荣 → 邢道荣, where the book has one such full name or one that is far commoner than the others."""
        wanted = [name for name in self._names if len(name) == 2 and not self._is_full(name)]
        for name, fulls in self._before(wanted).items():
            for full in list(fulls):
                alone = re.search(rf"(?<![\u4e00-\u9fff]){re.escape(full)}", self._text)
                if full not in self._names and (full[0] in _AS_WORDS or not alone):
                    del fulls[full]
            if not fulls:
                continue
            (full, count), *others = fulls.most_common(2)
            often = max(3, FULL_SHARE * self._text.count(name))
            if (count >= often or full in self._names) and (
                not others or count >= 4 * others[0][1]
            ):
                at = self._text.find(full)
                self._join(name, full, f"全名：{self._words(at, len(full))}")

    def _before(self, names: Sequence[str]) -> dict[str, Counter[str]]:
        """Given name → the full names it is the end of, with how often, surnames of one character only."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        if names:
            for match in re.finditer("|".join(map(re.escape, names)), self._text):
                family = self._text[match.start() - 1 : match.start()]
                if family in self._surnames:
                    found[match.group()][family + match.group()] += 1
        return found

    def _nicknames(self) -> None:
        """黑旋风李逵 → 李逵, and 黑旋风 where it stands alone too."""
        bearers: dict[str, dict[str, int]] = {}
        for full in [name for name in self._names if self._is_full(name)]:
            fronts: Counter[str] = Counter()
            for match in re.finditer(re.escape(full), self._text):
                fronts.update(
                    front
                    for size in (2, 3)
                    if (front := self._text[max(0, match.start() - size) : match.start()])
                    in self._names
                    and not self._family(front)
                )
            bearers.update(
                {front: {full: count} | bearers.get(front, {}) for front, count in fronts.items()}
            )
        for front, counts in bearers.items():
            full, count = max(counts.items(), key=lambda one: one[1])
            reason = f"名号连着说：{self._words(self._text.find(front + full), len(front + full))}"
            often = max(NICKNAME_LEAST, NICKNAME_SHARE * self._text.count(front))
            if front + full in self._names:
                self._join(front + full, full, reason)
            listed = self._text.count(full + front)  # 麝月秋纹, 秋纹麝月: two people
            nobody = self._counts[front] > self._counts[full]  # 袭人薛宝钗 is no nickname
            if count >= often and len(counts) == 1 and not listed and not nobody:
                self._join(front, full, reason)

    def _titles(self) -> None:
        """宋先锋 → 宋江, whom the book calls 先锋宋江 or 宋江先锋."""
        for name in list(self._names):
            family = self._family(name)
            title = name[len(family) :]
            if not family or len(title) < 2 or not self._is_title(title):
                continue
            found = Counter(
                {
                    full: self._text.count(title + full)
                    + (self._text.count(full + title) if not _OF_KIN.search(title) else 0)
                    for full in self._person
                    if full != name and self._family(full) == family and self._is_full(full)
                }
            ).most_common(2)
            if found and found[0][1] and (len(found) == 1 or found[0][1] >= 3 * found[1][1]):
                full = found[0][0]
                at = max(self._text.find(title + full), self._text.find(full + title))
                self._join(name, full, f"头衔：{self._words(at, len(title + full))}")

    def _only_bearers(self) -> None:
        """行者 → 孙行者: a title that one person bears all through the book."""
        for role, count in self._counts.items():
            bearers = [name for name in self._names if name[1:] == role and self._family(name)]
            if not is_role(role) or count < ROLE_LEAST or len(bearers) != 1:
                continue
            bearer = bearers[0]
            called = [
                m.start()
                for m in re.finditer(f"{re.escape(role)}[^，。]{{0,6}}[道曰]：", self._text)
            ]
            named = [m.start() for m in re.finditer(re.escape(bearer), self._text)]
            near = sum(
                bool(before := bisect_right(named, at)) and at - named[before - 1] < 20_000
                for at in called
            )
            if called and near >= ROLE_SHARE * len(called):
                at = named[0]
                self._join(role, bearer, f"只有他这样叫：{self._words(at, len(bearer))}")

    def _short_names(self) -> None:
        """老秦 → 秦国栋, 陈队 → 陈锋: the one person of that surname, of whom no sentence tells beside that name."""
        short: dict[str, list[str]] = defaultdict(list)
        for name in self._names:
            family = (
                name[1:] if name[0] in "老小阿" else name[:1] if _CALLED.match(name[1:]) else ""
            )
            if family in self._surnames:
                short[family].append(name)
        same, _ = self._together() if short else (Counter(), None)
        for family, names in short.items():
            bearers = {
                self._of(full)
                for full in self._person
                if self._family(full) == family and self._is_full(full)
            }
            together = [
                pair for pair in combinations(names, 2) if same[_pair(*map(self._of, pair))]
            ]
            if len(bearers) != 1 or together:
                continue
            full = bearers.pop()
            for name in names:
                if not same[_pair(self._of(name), full)]:
                    at = self._text.find(name)
                    self._join(name, full, f"姓{family}的只有他：{self._words(at, len(name))}")

    # -- names that take turns ---------------------------------------------------------------------------------------

    def _taking_turns(self) -> list[Join]:
        """Joins names of one surname that take turns; those of different surnames come back."""
        same, near = self._together()
        doubts = []
        for (one, other), count in near.most_common():
            if count < LEAST_NEAR or same[one, other] > TAKES_TURNS * count:
                continue
            alias, person = sorted((one, other), key=lambda name: self._counts.get(name, 0))
            family = self._family(alias)
            at = self._text.find(alias)
            reason = f"挨着的两句里各提一个有 {count} 处，同一句里都提的 {same[one, other]} 处：{self._words(at, len(alias))}"
            alike = family and family == self._family(person) or alias in person or person in alias
            both_full = self._is_full(alias) and self._is_full(person)
            if alike and not both_full:
                self._join(alias, person, reason)
            elif (alike or count >= DOUBTFUL_NEAR) and self._of(alias) != self._of(person):
                doubts.append(Join(alias=alias, person=person, reason=reason))
        return [one for one in doubts if self._of(one.alias) != self._of(one.person)][:MOST_DOUBTS]

    def _together(self) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
        """(sentences of the narration with both of two people, pairs of neighbouring sentences with one each)"""
        people = {name: self._of(name) for name in self._person if len(name) > 1}
        if not people:
            return Counter(), Counter()
        pattern = re.compile("|".join(map(re.escape, sorted(people, key=len, reverse=True))))
        same: Counter[tuple[str, str]] = Counter()
        near: Counter[tuple[str, str]] = Counter()
        before: deque[frozenset[str]] = deque(maxlen=REACH)
        for sentence in self._narration():
            named = frozenset(people[name] for name in pattern.findall(sentence))
            same.update(combinations(sorted(named), 2))
            for earlier in before:
                near.update(
                    (min(one, other), max(one, other))
                    for one in named
                    for other in earlier
                    if one != other
                )
            before.append(named)
        return same, near

    def _narration(self) -> list[str]:
        """The sentences outside quotation marks."""
        found, at = [], 0
        for quotation in [*self._quotations, None]:
            begin = quotation.start if quotation else len(self._text)
            if quotation and (quotation.depth or begin < at):
                continue
            found += [
                one for one in re.split(r"[。！？；\n]", self._text[at:begin]) if len(one) > 1
            ]
            at = quotation.end if quotation else begin
        return found


def _pair(one: str, other: str) -> tuple[str, str]:
    return min(one, other), max(one, other)


def introductions(text: str, surnames: frozenset[str]) -> dict[str, tuple[str, int]]:
    """字, 号 and the like → (full name, where): 姓王名冕，字元章 · 周进，字蒉轩 · 绰号某某."""
    single = "".join(s for s in surnames if len(s) == 1)
    double = "|".join(s for s in surnames if len(s) > 1)
    name = rf"(?P<name>(?:{double}|[{single}])[\u4e00-\u9fff]{{1,2}}?)"
    patterns = (
        rf"姓(?P<family>{double}|[{single}])[，,]?(?:单)?名(?:唤|叫|字|是)?(?:做|作)?(?P<given>[\u4e00-\u9fff]{{1,2}})[，,、]?(?:表字|字|号)(?P<alias>[\u4e00-\u9fff]{{2}})[，。,；]",
        rf"(?:^|[，。；、：“”（\s]){name}[，,、]?(?:表字|字|道号|法号|别号|绰号|诨名|浑名|小名|乳名|小字|号(?!令|召|泣|哭|啕|呼|叫|炮|衣))(?:叫|唤|是)?(?:做|作)?“?(?P<alias>[\u4e00-\u9fff]{{2,3}})”?[，。,；]",
    )
    found: dict[str, tuple[str, int]] = {}
    for pattern in patterns:
        for match in re.finditer(pattern, text):
            groups = match.groupdict()
            person = groups.get("name") or groups["family"] + groups["given"]
            found.setdefault(groups["alias"], (person, match.start()))
            if person[0] in single:
                found.setdefault(person[0] + groups["alias"], (person, match.start()))
    return found
