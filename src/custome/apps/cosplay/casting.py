"""What a book tells of its people → cards and a lorebook, without hand-work; and somebody by any of their names."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ...corpus.cast import Cast, Line, read_cast
from ...corpus.lore import Fact, Lore
from ...corpus.voices import Voices
from ...errors import InputError
from ...types import Portrait
from .card import Card
from .choosing import Genericness
from .lorebook import Entry, Lorebook
from .own_lines import OwnLines

SELVES = ("吾", "我", "某", "俺", "咱", "洒家", "贫僧", "老孙", "老猪")
"""What people call themselves."""
BY_RANK = ("朕", "孤", "臣", "妾", "奴家", "小人", "小可", "在下")
"""The same before some people only: somebody's where it is most of what they call themselves."""
DEEDS = 4
"""What the chapters' titles tell of somebody, in a persona."""
EXAMPLES = 4
CLASSICAL = ("吾", "某", "孤", "朕", "臣")
"""Who calls themselves so is 乃 somebody, not 是 somebody."""
_WELCOMES = re.compile(
    r"^(?:(?:先生|壮士|客官|足下|尊客|贵客|公)[，！]?)?(?:请坐|有失远?迎|久仰|久闻大名|幸会|失敬|别来无恙|远来辛苦|来得正好|里面请)[^？]{0,12}[。！]$"
)
"""Said to whoever comes."""
_ASKS = re.compile(r"^(?!却|然则|那么|既|不说|还)[^？?]{6,38}[？?]$")
"""A question that says what it is about: 却是为何 and 此何人也 do not."""
_NOT_ALONE = re.compile(
    r"[？?…－—]|^[，。、]|[“”‘’]|(?:这|那|此|其)(?:厮|个|件|番|等|些|何|物|事|书|话|样|人)|出处|给你|[来去]好|何以|[他她它]"
)
"""What points at something that is not said with it."""
_KINDS = {"person": 30, "event": 20, "thing": 15, "place": 10}
"""Kind of lore → priority in the lorebook."""


class Company:
    """The people of a run's books, ready to be played.

    Args:
        titles: a book's short name → its title.
    """

    def __init__(self, cast: Cast, titles: Mapping[str, str] | None = None) -> None:
        self._titles = titles or {}
        self._people = {person.name: person for person in cast.people}
        self._lines: dict[str, list[Line]] = defaultdict(list)
        for line in cast.lines:
            self._lines[line.speaker].append(line)
        self._lore: dict[str, list[Lore]] = defaultdict(list)
        for lore in cast.lore:
            self._lore[lore.facts[0].novel].append(lore)
        # Remembered here, not on the class, so that they go when the company goes.
        self.own_lines = functools.cache(self._own_lines)
        self.card = functools.cache(self._card)
        self.lorebook = functools.cache(self._lorebook)
        self.voices = functools.lru_cache(maxsize=16)(self._voices)
        self.logit_bias = functools.lru_cache(maxsize=64)(self._logit_bias)
        self.genericness = functools.cache(self._genericness)
        self._said_in = functools.cache(self._told_in)
        self._known_by = functools.lru_cache(maxsize=16)(self._told_by)

    @property
    def names(self) -> list[str]:
        """Most talkative first."""
        return list(self._people)

    def find(self, name: str, others: Sequence[str] = ()) -> str:
        """The canonical name of whoever is called so.

        Args:
            others: people from elsewhere, to be offered where nobody is.

        Raises:
            InputError: nobody is; the nearest name is offered.
        """
        if name in self._people:
            return name
        for person in self._people.values():
            if name in person.aliases or name == person.cue:
                return person.name
        close = self._likeliest(name, others)
        raise InputError(
            f"没有人叫 {name!r}",
            f"是不是 {close!r}？" if close else f"有：{'、'.join([*others, *self.names][:12])}",
        )

    def _likeliest(self, name: str, others: Sequence[str]) -> str:
        """Whom somebody who writes `name` means: the most talkative of those whose name has it in it, or is in it, or shares most
        of its characters; '' for nobody.
        """
        called = list(others)
        for person in self._people.values():
            called += [person.name, *person.aliases]
        for alike in (
            lambda one: one.startswith(name) or name.startswith(one),
            lambda one: name in one or one in name,
            lambda one: 2 * len(set(one) & set(name)) >= len(name),
        ):
            for one in called:
                if name and one and alike(one):
                    return one
        return ""

    def knows(self, name: str) -> bool:
        """Is anybody called so?"""
        try:
            return bool(self.find(name))
        except InputError:
            return False

    def lines(self, name: str) -> Sequence[Line]:
        return self._lines.get(name, ())

    def told(self, name: str) -> Sequence[Fact]:
        """What the book says of somebody, kind by kind."""
        everything = self._lore[self.novel(name)]
        own = (one for one in everything if one.kind == "person" and one.name == name)
        return next((one.facts for one in own), ())

    def talks_to(self, name: str) -> list[str]:
        """Whom somebody talks to, most often first."""
        return [other for other, _ in self._people[name].speaks_to]

    def _own_lines(self, name: str) -> OwnLines:
        return OwnLines(self.lines(name))

    def novel(self, name: str) -> str:
        """The book somebody is from: where they speak first."""
        return self.lines(name)[0].novel if self.lines(name) else ""

    def _card(self, name: str, as_of: int | None = None, with_facts: bool = True) -> Card:
        """Args:
        told: with what the book tells of them; an instruct model says it back, and has the lorebook for it.
        """
        person, novel = self._people[name], self.novel(name)
        return Card(
            name=name,
            cue=person.cue,
            aliases=person.aliases,
            novel=novel,
            description=self._persona(person, as_of, with_facts),
            greeting=self._greeting(name, as_of),
            examples=self._examples(name, as_of),
            book=self.lorebook(novel),
            rest={"tags": [self._title(novel)] if novel else [], "creator_notes": "由语料自动整理"},
        )

    def _lorebook(self, novel: str) -> Lorebook:
        """Every fact its own entry, known from its chapter on."""
        entries: list[Entry] = []
        for lore in self._lore[novel]:
            by_chapter: dict[int, list[Fact]] = defaultdict(list)
            for fact in lore.facts:
                if fact.kind != "deed":  # the chapter's title is an entry of its own
                    by_chapter[fact.chapter].append(fact)
            for chapter, facts in by_chapter.items():
                content = "".join(fact.text for fact in facts)
                entries.append(
                    Entry(
                        keys=lore.keys,
                        name=f"{lore.name}（第{chapter}回）",
                        content=content if lore.kind != "event" else f"第{chapter}回：{content}。",
                        chapter=chapter,
                        priority=_KINDS[lore.kind],
                        order=100 + len(entries),
                    )
                )
        return Lorebook(name=self._title(novel), entries=tuple(entries))

    def _voices(self, names: tuple[str, ...]) -> Voices:
        """Tells `names` apart; learnt from the even chapters, so that the odd ones can judge it."""
        return Voices(
            (
                (line.speaker, line.text)
                for name in names
                for line in self.lines(name)
                if not line.chapter % 2
            ),
            names,
        )

    def _logit_bias(
        self, name: str, names: tuple[str, ...], strength: float
    ) -> tuple[tuple[str, float], ...]:
        """The words that are `name`'s rather than those of the others of `names`."""
        return self.voices(names).logit_bias(name, strength)

    def _genericness(self) -> Genericness:
        """What everybody in the books says."""
        return Genericness(line.text for lines in self._lines.values() for line in lines)

    def _title(self, novel: str) -> str:
        return self._titles.get(novel) or novel

    def calls_self(self, name: str) -> str:
        """What somebody calls themselves more than the others of the book do; '' where there is nothing."""
        return self._self(self.lines(name), self.novel(name))

    def _persona(self, person: Portrait, as_of: int | None, with_facts: bool) -> str:
        """Who somebody is; as of a chapter, what has been said in the book by then."""
        novel, own = self.novel(person.name), self._lines_by(person.name, as_of)
        known = None if as_of is None else self._known_by(novel, as_of)

        def heard(names: Iterable[str]) -> list[str]:
            return [name for name in names if known is None or name in known]

        called = "、".join(heard(person.aliases)[:6])
        parts = [
            f"{person.name}，《{self._title(novel)}》中人" if novel else person.name,
            f"，又称{called}。" if called else "。",
        ]
        known_facts = [
            fact
            for fact in self.told(person.name)
            if with_facts and (as_of is None or fact.chapter <= as_of)
        ]
        parts += [
            f"{fact.text.rstrip('。')}（第{fact.chapter}回）。"
            for fact in known_facts
            if fact.kind != "deed"
        ]
        if deeds := [fact for fact in known_facts if fact.kind == "deed"][:DEEDS]:
            told = "；".join(f"第{fact.chapter}回{fact.text.rstrip('。')}" for fact in deeds)
            parts.append(f"书里的事：{told}。")
        if self_called := self._self(own, novel):
            parts.append(f"自称“{self_called}”。")
        begins = [
            words
            for words in person.openings
            if known is None or any(line.text.startswith(words) for line in own)
        ]
        if begins:
            parts.append(f"开口常说“{'”“'.join(begins[:3])}”。")
        if others := heard(name for name, _ in person.speaks_to if with_facts):
            parts.append(f"常与{'、'.join(others[:4])}说话。")
        return "".join(parts)

    def _self(self, lines: Sequence[Line], novel: str) -> str:
        """What somebody calls themselves more than the others of the book do."""
        own, every = "".join(line.text for line in lines), self._said_in(novel)
        seen = {word: own.count(word) for word in (*SELVES, *BY_RANK)}
        often = sum(seen.values()) / 2
        words = [
            word
            for word, count in seen.items()
            if count >= 3 and (word not in BY_RANK or count >= often)
        ]
        more = {
            word: seen[word] ** 1.5 / (every.count(word) + 1) * len(every) / len(own)
            for word in words
        }
        return max(more, key=more.__getitem__, default="")

    def _told_in(self, novel: str) -> str:
        return "".join(
            line.text for lines in self._lines.values() for line in lines if line.novel == novel
        )

    def _lines_by(self, name: str, as_of: int | None) -> Sequence[Line]:
        return [line for line in self.lines(name) if as_of is None or line.chapter <= as_of]

    def _told_by(self, novel: str, as_of: int) -> str:
        """Everything said in a book up to a chapter, and by whom."""
        by_person = [
            self._lines_by(name, as_of) for name in self._people if self.novel(name) == novel
        ]
        return "\n".join(
            part
            for lines in by_person
            for line in lines
            for part in (line.speaker, line.asked, line.text)
        )

    def _greeting(self, name: str, as_of: int | None) -> str:
        """What they say to somebody who comes, in their own words where the book has such words; else who they are."""
        lines = [line.text for line in self._lines_by(name, as_of)]
        fitting = [text for text in lines if _WELCOMES.search(text) and not _NOT_ALONE.search(text)]
        if fitting:
            return min(fitting, key=len)
        called = self._self(self._lines_by(name, as_of), self.novel(name)) or "我"
        if called == name:  # who tells the story and is never named
            return f"{name}在这儿，有话请讲。"
        return f"{called}{'乃' if called in CLASSICAL else '是'}{name}。有话请讲。"

    def _examples(self, name: str, as_of: int | None) -> str:
        """Questions they answer in the book, and what they answer; from all over it."""
        lines = self._lines_by(name, as_of)
        marked = any(line.answers for line in lines)  # casts of earlier releases are not
        answers = [
            line
            for line in lines
            if (line.answers or not marked)
            and _ASKS.search(line.asked)
            and not _NOT_ALONE.search(line.asked.rstrip("？?"))
            and 8 <= len(line.text) <= 60
            and not _NOT_ALONE.search(line.text)
        ]
        chosen = answers[:: max(1, len(answers) // EXAMPLES)][:EXAMPLES]
        return "\n".join(
            f"<START>\n{{{{user}}}}: {line.asked}\n{{{{char}}}}: {line.text}" for line in chosen
        )


@functools.lru_cache(maxsize=16)
def open_company(run: Path | None) -> Company:
    """The people of a run, or of a corpus; nobody where it was learnt from data without a cast. Read once and kept."""
    return company_of(read_cast(run) if run is not None else Cast())


def company_of(cast: Cast) -> Company:
    """The people of a cast, with the full titles of known books."""
    return Company(cast, _titles())


@functools.cache
def _titles() -> dict[str, str]:
    from ...corpus.aliases import shipped_tables

    return {name: table.title for name, table in shipped_tables().items()}
