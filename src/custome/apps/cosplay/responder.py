"""A conversation being played: whose turn it is, what they say, the user's own lines, what came before in short.

Knows the Engine protocol; keeps nothing. What is said is a sequence of Said, what comes back is text.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ...conversations.budget import Prompt
from ...engine.base import Cancel, Engine, OnPiece
from ...errors import InputError
from ...models.chat_format import cued
from ...models.normalisation import CLOSE, OPEN, normalise
from ...types import Exchange, GenerateOptions, Message, Reply, Request
from .card import Card
from .casting import Company
from .choosing import Weighed, weigh
from .lessons import LEAST_LINES, shown
from .prompt import GUEST, LEFT_FREE, Said, Setting, write_prompt

Order = Literal["named", "turn", "model"]
"""Who answers next: who is addressed, everybody in turn, whoever the model gives the word to."""
HEARD = 12
"""Earlier replies that a new one must not repeat."""
RIVALS = 12
"""The most talkative of a book, whom a voice is told from where a scene has one person."""
DIGEST = 24
"""Characters of a turn in a digest."""
LONGEST_DIGEST = 600
"""Characters of a digest; the oldest turns go first."""
LOOKED_AT = 6
"""Turns that tell who speaks next."""
ROUND_IN_CIRCLES = 0.8
"""What holds an instruct model back from it: `GenerateOptions.dry_multiplier`. Leaning to a few words makes it repeat them."""
LONGEST_SUMMARY = 256
"""Tokens of a summary that a model writes."""


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """A reply with the prompt and the candidates it came from."""

    name: str
    reply: Reply
    prompt: Prompt
    weighed: tuple[Weighed, ...] = field(default_factory=tuple)
    """All candidates, best first; empty where there was one only."""


class Responder:
    """Plays characters with one engine.

    Args:
        company: the people of a book, for their own lines and voices.
        cards: characters beside them, or instead of those of the same name.
    """

    def __init__(
        self, engine: Engine, company: Company, cards: Mapping[str, Card] | None = None
    ) -> None:
        self.engine, self.company = engine, company
        self._cards = dict(cards or {})

    @property
    def names(self) -> list[str]:
        return [*self._cards, *(name for name in self.company.names if name not in self._cards)]

    def card(self, name: str, as_of: int | None = None) -> Card:
        """Somebody's card, by any of their names; with what is told of them up to a chapter.

        Raises:
            InputError: nobody is called so; the nearest name is offered.
        """
        if name in self._cards:
            return self._cards[name]
        for card in self._cards.values():
            if name == card.cue or name in card.aliases:
                return card
        if not self.names:  # a model that knows nobody by name can be anybody
            return Card(name=name, cue=name)
        found = self.company.find(name, list(self._cards))
        return self.company.card(found, as_of, with_facts=self.engine.kind == "novel")

    def known_as(self, name: str) -> str:
        """The name of whoever is called so; of a stranger what he is called."""
        try:
            return self.card(name).name if name else ""
        except InputError:
            return name

    def prompt(
        self,
        name: str,
        said: Sequence[Said],
        setting: Setting,
        options: GenerateOptions,
        begun: str = "",
    ) -> Prompt:
        """What the model reads before `name` speaks.

        Args:
            begun: of their reply already, to be gone on with; room is left for it.
        """
        card = self.card(name, setting.as_of)
        lines = self.company.own_lines(card.name) if self.company.lines(card.name) else None
        # what was said stands behind the words that cue the reply: 孔明曰, if that is what was learnt
        if self.engine.kind == "novel":
            said = [one if one.by_user else replace(one, name=self._cue(one.name)) for one in said]
        room = self.engine.max_context - options.max_new_tokens - self.engine.count_tokens(begun)
        return write_prompt(
            self.engine,
            card,
            said,
            setting,
            room=room,
            lines=lines,
            lessons=self._lessons(card.name, setting),
        )

    def _lessons(self, name: str, setting: Setting) -> Sequence[Exchange]:
        """What an instruct model is shown before a conversation with somebody of a book."""
        if self.engine.kind == "novel" or len(self.company.lines(name)) < LEAST_LINES:
            return ()
        return shown(self.company, name, setting.examples)

    def speak(
        self,
        name: str,
        said: Sequence[Said],
        setting: Setting,
        options: GenerateOptions,
        *,
        candidates: int = 1,
        among: Sequence[str] = (),
        on_piece: OnPiece | None = None,
        cancel: Cancel | None = None,
    ) -> Spoken:
        """`name`'s next reply; the best of `candidates`.

        Args:
            among: whom the voice is to be told from; the cast of the scene, or the book's most talkative.
            on_piece: sees the reply grow; with several candidates the first of them, until one is chosen.
        """
        card = self.card(name)
        prompt = self.prompt(name, said, setting, options)
        rivals = self._rivals(card.name, among)
        options = self._in_manner(card.name, rivals, self._ended(options, said, setting), setting)
        if candidates <= 1:
            reply = self.engine.run(prompt.request, options, on_piece, cancel)
            return Spoken(name=card.name, reply=reply, prompt=prompt)
        replies = self.engine.generate([prompt.request] * candidates, options, cancel, on_piece)
        if cancel is not None and cancel.is_set():  # what was seen growing stays
            return Spoken(name=card.name, reply=replies[0], prompt=prompt)
        before = [one.text for one in said if not one.by_user][-HEARD:] + list(prompt.own)
        question = normalise(next((one.text for one in reversed(said) if one.by_user), ""))
        voices = self.company.voices(rivals) if self.company.lines(card.name) else None
        weighed = weigh(
            replies,
            card.name,
            question,
            voices=voices,
            genericness=self.company.genericness(),
            before=before,
        )
        best = next(reply for reply in replies if reply.text == weighed[0].text)
        return Spoken(name=card.name, reply=best, prompt=prompt, weighed=tuple(weighed))

    def go_on(
        self,
        name: str,
        said: Sequence[Said],
        setting: Setting,
        options: GenerateOptions,
        *,
        on_piece: OnPiece | None = None,
        cancel: Cancel | None = None,
    ) -> Reply:
        """More of the last reply, which was cut off or is to be longer; the reply's text is only what is new."""
        *before, last = said
        if self.engine.kind == "novel":
            begun = f"{OPEN}{normalise(last.text)}"
            prompt = self.prompt(name, before, setting, options, begun).request
            request = Request(text=f"{cued(prompt.messages[0].content, prompt.speaker)}{begun}")
            options = replace(options, stop=(*options.stop, CLOSE))
        else:  # it is asked to go on
            request = self.prompt(name, said, setting, options).request
        return self.engine.run(request, options, on_piece, cancel)

    def speak_for_user(
        self,
        said: Sequence[Said],
        setting: Setting,
        options: GenerateOptions,
        names: Sequence[str],
        *,
        on_piece: OnPiece | None = None,
        cancel: Cancel | None = None,
    ) -> Reply:
        """What the user might say next."""
        user = setting.user or GUEST
        me = Card(name=user, cue=user, description=setting.user_persona)
        turned = [
            replace(one, by_user=False, name=user if one.by_user else one.name) for one in said
        ]
        prompt = write_prompt(
            self.engine,
            me,
            turned,
            replace(setting, user=next(iter(names), ""), user_persona="", examples=0),
            room=self.engine.max_context - options.max_new_tokens,
        )
        return self.engine.run(prompt.request, options, on_piece, cancel)

    def next_speaker(
        self, names: Sequence[str], said: Sequence[Said], order: Order, seed: int | None = None
    ) -> str:
        """Who answers now.

        Raises:
            InputError: the scene is empty.
        """
        if not names:
            raise InputError("场景里还没有人", "先选人物")
        last = said[-1] if said else None
        called = [
            name
            for name in names
            if last is not None and self._is_called(name, last.text) and last.name != name
        ]
        if called and last is not None:
            return min(called, key=lambda name: min(at for at in self._places(name, last.text)))
        others = [name for name in names if last is None or last.name != name] or list(names)
        given = (
            self._given_the_word(others, said)
            if order == "model" and len(others) > 1 and said
            else ""
        )
        if given:
            return given
        if order != "named" or len(others) == 1 or last is None:
            spoken = [one.name for one in said if not one.by_user]
            return min(
                others,
                key=lambda name: (spoken[::-1].index(name) if name in spoken else len(spoken)) * -1,
            )
        return random.Random(seed if seed is not None else len(said)).choice(others)

    def digest(self, said: Sequence[Said]) -> str:
        """What was said in short: who said what, the beginning of each turn. To be looked at and corrected by people."""
        sentences: list[str] = []
        room = LONGEST_DIGEST
        for one in reversed([one for one in said if one.text]):
            words = f"{one.name or '叙述'}：{one.text[:DIGEST]}{'……' * (len(one.text) > DIGEST)}"
            if (room := room - len(words)) < 0:
                break
            sentences.insert(0, words)
        return "前情：" + "；".join(sentences) + "。" if sentences else ""

    @property
    def sums_up_every(self) -> int:
        """Turns after which a summary is written anew; one of a model's takes as long as a reply."""
        return 1 if self.engine.kind == "novel" else 4

    def summary(self, said: Sequence[Said], before: str = "", cancel: Cancel | None = None) -> str:
        """What was said in short: by the model where it follows orders, else, or where it says nothing, the digest.

        Args:
            before: a summary of what came before, to be gone on with.
        """
        digest = self.digest(said)
        if self.engine.kind == "novel" or not digest:
            return digest
        room = self.engine.max_context - LONGEST_SUMMARY - LEFT_FREE
        request = _to_sum_up(said, before)
        while len(said) > 1 and self.engine.prompt_tokens(request) > room:
            said = said[len(said) // 4 + 1 :]
            request = _to_sum_up(said, before)
        reply = self.engine.run(
            request, GenerateOptions(do_sample=False, max_new_tokens=LONGEST_SUMMARY), None, cancel
        )
        return (
            f"前情：{written}" if (written := reply.text.strip().removeprefix("前情：")) else digest
        )

    # -- inside ------------------------------------------------------------------------------------------------------

    def _cue(self, name: str) -> str:
        try:
            return self.card(name).cue or name if name else ""
        except InputError:  # somebody who is no longer there
            return name

    def _rivals(self, name: str, among: Sequence[str]) -> tuple[str, ...]:
        known = [other for other in among if self.company.lines(other)]
        others = known if len(known) > 1 else self.company.names[:RIVALS]
        return tuple(sorted({name, *others}))

    def _in_manner(
        self, name: str, rivals: tuple[str, ...], options: GenerateOptions, setting: Setting
    ) -> GenerateOptions:
        """As strongly as the setting says, with the person's own words likelier where the book has enough of them."""
        if setting.strength != Setting.strength and "strength" in self.engine.supports:
            options = replace(options, strength=setting.strength)
        if self.engine.kind == "template" and "dry_multiplier" in self.engine.supports:
            options = replace(options, dry_multiplier=ROUND_IN_CIRCLES)
        if (
            not setting.contrast_strength
            or "logit_bias" not in self.engine.supports
            or not self.company.lines(name)
        ):
            return options
        return replace(
            options, logit_bias=self.company.logit_bias(name, rivals, setting.contrast_strength)
        )

    def _ended(
        self, options: GenerateOptions, said: Sequence[Said], setting: Setting
    ) -> GenerateOptions:
        """An instruct model must not go on with the others' lines."""
        if self.engine.kind == "novel" or "stop" not in self.engine.supports:
            return options
        names = dict.fromkeys([setting.user or "", *(one.name for one in said)])
        return replace(
            options, stop=(*options.stop, *(f"\n{name}：" for name in names if name))[:8]
        )

    def _is_called(self, name: str, text: str) -> bool:
        return bool(self._places(name, text))

    def _places(self, name: str, text: str) -> list[int]:
        card = self.card(name)
        return [
            found.start()
            for called in (name, card.cue, *card.aliases)
            if len(called) > 1
            for found in re.finditer(re.escape(called), text)
        ]

    def _given_the_word(self, names: Sequence[str], said: Sequence[Said]) -> str:
        """Whom the model writes before the next 曰, where it can be held to these names when only they may be written; or an
        instruct model's answer to who speaks next. '' where it names nobody."""
        called = {name: self.card(name).cue or name for name in names}
        text = "".join(
            f"{one.name or ''}{'曰：“' + one.text + '”' if one.name else one.text}"
            for one in said[-LOOKED_AT:]
        )
        options = GenerateOptions(max_new_tokens=12, do_sample=False)
        if "grammar" in self.engine.supports:
            rule = " | ".join(json.dumps(words, ensure_ascii=False) for words in called.values())
            options = replace(options, grammar=f"root ::= {rule}")
        if self.engine.kind == "novel" or options.grammar:
            request = Request(text=normalise(text))
        else:
            order = f"{text}\n接下来轮到谁说话？从这几个人里选一个，只写名字：{'、'.join(called.values())}"
            request = Request(messages=(Message(role="user", content=order),))
        written = self.engine.run(request, options).text
        named = [name for name in names if called[name] in written]
        return min(named, key=lambda name: written.index(called[name]), default="")


def _to_sum_up(said: Sequence[Said], before: str) -> Request:
    conversation = "\n".join(f"{one.name or '叙述'}：{one.text}" for one in said if one.text)
    order = "把下面的对话写成一段前情，两百字以内：谁做了什么、说定了什么、还有什么没有做。只写前情，不要评论。"
    return Request(
        messages=(
            Message(role="user", content="\n\n".join(filter(None, (order, before, conversation)))),
        )
    )
