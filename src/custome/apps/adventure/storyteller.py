"""Who puts a turn into words: our own sentences at once, and with a model the people answer in theirs, and a turn can be said otherwise.

The game never waits for it: what is so is known before a word is written.
"""

from __future__ import annotations

from collections.abc import Callable

from ...engine.base import Cancel, Engine
from ...errors import InputError
from ..context import Part, Speaker
from .game import LONGEST_WORDS, Game
from .narrating import Narrated, by_author, narrated
from .rewording import Rewriter
from .rules import ASK, Action, Outcome
from .speaking import part_of, spoken


class Storyteller:
    """Words for turns.

    Args:
        speaker_of: somebody to be played → what they say; None without a model.
        engine: of the model that says a turn otherwise; None without one.
    """

    def __init__(
        self,
        speaker_of: Callable[[Part], Speaker] | None = None,
        engine: Engine | None = None,
    ) -> None:
        self._speaker_of = speaker_of
        self._rewriter = Rewriter(engine) if engine is not None else None

    def words(self, game: Game, number: int, *, version: int = 0, speech: str = "") -> str:
        """Our own sentences for a turn; '' where nothing was done."""
        return str(self._narrated(game, number, version, speech) or "")[:LONGEST_WORDS]

    def _narrated(self, game: Game, number: int, version: int, speech: str) -> Narrated | None:
        action, outcome = _deed(game, number)
        if action is None:
            return None
        before = game.outcome(game.turns[number].before).state
        return narrated(game.world, before, action, outcome, version=version, speech=speech)

    def is_asked(self, game: Game, number: int) -> bool:
        """Is somebody to answer at this turn, in words that nobody has written?"""
        action, outcome = _deed(game, number)
        return (
            self._speaker_of is not None
            and action is not None
            and action.verb == ASK
            and not by_author(outcome.facts)
        )

    def answered(self, game: Game, number: int, cancel: Cancel | None = None) -> str:
        """A turn with the answer of whoever is asked; '' where no try will do."""
        action, _ = _deed(game, number)
        if self._speaker_of is None or action is None:
            return ""
        speaker = self._speaker_of(part_of(game, number, action.target))
        speech = spoken(game, number, speaker, cancel)
        return self.words(game, number, speech=speech) if speech else ""

    def otherwise(self, game: Game, number: int, cancel: Cancel | None = None) -> str:
        """A turn in other words than all it has.

        Raises:
            InputError: its author wrote it, or no other words were found.
        """
        turn = game.turns[number]
        action, outcome = _deed(game, number)
        if action is None or by_author(outcome.facts):
            raise InputError("这一回合的话是写剧本的人写的，没有别的说法", "可以自己改")
        if self.is_asked(game, number) and (text := self.answered(game, number, cancel)):
            return text
        for version in range(len(turn.texts), len(turn.texts) + 4):
            own = self._narrated(game, number, version, "")
            assert own is not None
            if self._rewriter is not None:
                seed = game.seed + 1000 * number + 10 * version
                other = self._rewriter.reworded(
                    game.world, outcome.state, own.prose, seed, cancel
                ).text
                if other and other not in turn.texts:
                    return str(Narrated(prose=other, figures=own.figures))
            if str(own) not in turn.texts:
                return str(own)
        raise InputError("想不出别的说法了", "可以自己改")


def _deed(game: Game, number: int) -> tuple[Action | None, Outcome]:
    return game.turns[number].action, game.outcome(number)
