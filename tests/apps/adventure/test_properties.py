"""Whatever is done in whatever order, what must hold of a game holds; and whoever breaks the engine is found out."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from little import BUILT_IN, little, play

from custome.apps.adventure import game as games
from custome.apps.adventure import rules, world
from custome.apps.adventure.game import Game, Turn
from custome.apps.adventure.rules import Outcome
from custome.apps.adventure.scenario import read_scenario
from custome.apps.adventure.state import ME
from custome.apps.adventure.world import World


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_a_small_game_in_any_order(seed: int):
    play(little(), 120, seed)


@pytest.mark.parametrize("path", BUILT_IN, ids=lambda path: path.stem)
def test_ten_thousand_turns_of_every_built_in_game(path):
    scenario, _ = read_scenario(path)
    for seed in range(10):
        play(scenario, 1_000, seed)


# -- mutants -----------------------------------------------------------------------------------------------------------

_put, _moved, _counted, _hurt, _step = (
    World.put,
    World.moved,
    World._counted,
    World._hurt,
    rules.step,
)
_applies, _comes, _possible, _by_rule = (
    rules._applies,
    rules._comes,
    rules._possible,
    rules._by_rule,
)
_add, _tell, _say, _undo, _turn = Game._add, Game.tell, Game.say, Game.undo, games._turn
chance = random.Random(3)


def _refusal_costs_a_turn(mp):
    def step(the_world, state, action, seed):
        outcome = _step(the_world, state, action, seed)
        return (
            replace(outcome, state=replace(state, turn=state.turn + 1))
            if outcome.refused
            else outcome
        )

    mp.setattr(rules, "step", step)
    mp.setattr(games, "step", step)

    def act(self, action, said=""):
        outcome = step(self.world, self.state, action, self.seed)
        self._add(Turn(before=self.here, action=action), outcome)
        return outcome

    mp.setattr(Game, "act", act)


def _dice_again_every_time(mp):
    def thrown(seed, turn, label, bonus, needed, skill=""):
        return rules.Roll(
            label=label, dice=(chance.randint(1, 6),) * 2, bonus=bonus, needed=needed, skill=skill
        )

    mp.setattr(rules, "throw", thrown)


def _dice_know_the_place(mp):
    def step_with(the_world, state, action, dice):
        def other(turn, *rest):
            return dice(turn + len(state.visited), *rest)

        return _step_with(the_world, state, action, other)

    _step_with = rules.step_with
    mp.setattr(rules, "step_with", step_with)


def _taking_makes_another(mp):
    def put(self, state, thing, where):
        state, told = _put(self, state, thing, where)
        return (replace(state, things={**state.things, thing + "二": ME}) if told else state), told

    mp.setattr(World, "put", put)


def _dropping_loses(mp):
    def put(self, state, thing, where):
        after, told = _put(self, state, thing, where)
        if where in self.places:
            after = replace(after, things={k: v for k, v in after.things.items() if k != thing})
        return after, told

    mp.setattr(World, "put", put)


def _things_move_in_silence(mp):
    mp.setattr(World, "put", lambda *args: (_put(*args)[0], []))


def _no_bounds_of_counters(mp):
    def counted(self, phrase, state):
        after, told = _counted(self, phrase, state)
        if phrase.head in state.counters:
            by = -phrase.amount if phrase.sign == "-" else phrase.amount
            after = replace(
                after, counters={**state.counters, phrase.head: state.counters[phrase.head] + by}
            )
        return after, told

    mp.setattr(World, "_counted", counted)


def _no_bounds_of_hp(mp):
    def hurt(self, state, who, wanted):
        return (replace(state, hp=wanted), []) if not who else _hurt(self, state, who, wanted)

    mp.setattr(World, "_hurt", hurt)


def _no_bounds_of_liking(mp):
    mp.setattr(world, "MOST_RELATION", 99)


def _the_fallen_keep_their_things(mp):
    def hurt(self, state, who, wanted):
        after, told = _hurt(self, state, who, wanted)
        return replace(after, things=state.things), told

    mp.setattr(World, "_hurt", hurt)


def _once_comes_again(mp):
    mp.setattr(
        rules, "_applies", lambda w, rule, state: _applies(w, replace(rule, once=False), state)
    )


def _events_come_again(mp):
    mp.setattr(rules, "_comes", lambda w, one, state: _comes(w, replace(one, once=False), state))


def _after_the_end_it_goes_on(mp):
    mp.setattr(rules, "admissible", lambda w, state: list(dict.fromkeys(_possible(w, state))))


def _locks_do_not_hold(mp):
    mp.setattr(World, "is_open", lambda self, state, to: self.way(state.at, to) is not None)


def _followers_stay_behind(mp):
    def moved(self, state, to):
        after, told = _moved(self, state, to)
        return replace(after, people=state.people), told

    mp.setattr(World, "moved", moved)


def _words_change_what_is_so(mp):
    def tell(self, text, number=None):
        _tell(self, text, number)
        state = self.state
        self._outcomes[self.here] = Outcome(state=replace(state, hp=max(0, state.hp - 1)))

    mp.setattr(Game, "tell", tell)


def _free_words_give_things(mp):
    def say(self, said):
        _say(self, said)
        thing = next(iter(self.state.things))
        self._outcomes[self.here] = Outcome(state=_put(self.world, self.state, thing, ME)[0])

    mp.setattr(Game, "say", say)


def _undo_keeps_what_is_so(mp):
    def undo(self):
        outcome, back = self._outcomes[self.here], _undo(self)
        self._outcomes[self.here] = outcome
        return back

    mp.setattr(Game, "undo", undo)


def _redo_goes_elsewhere(mp):
    def redo(self):
        self.here = len(self.turns) - 1
        return True

    mp.setattr(Game, "redo", redo)


def _branches_share_their_end(mp):
    def add(self, turn, outcome):
        after = self.branches(self.here)
        if after:
            self.turns[after[0]], self._outcomes[after[0]] = turn, outcome
            self.here = after[0]
        else:
            _add(self, turn, outcome)

    mp.setattr(Game, "_add", add)


def _a_save_loses_what_was_edited(mp):
    mp.setattr(games, "_turn", lambda row, number: replace(_turn(row, number), texts=(), shown=0))


def _a_save_rolls_anew(mp):
    def as_json(self):
        return {**_as_json(self), "seed": self.seed + 1}

    _as_json = Game.as_json
    mp.setattr(Game, "as_json", as_json)


MUTANTS = [
    _refusal_costs_a_turn, _dice_again_every_time, _dice_know_the_place, _taking_makes_another, _dropping_loses, _things_move_in_silence,
    _no_bounds_of_counters, _no_bounds_of_hp, _no_bounds_of_liking, _the_fallen_keep_their_things, _once_comes_again, _events_come_again,
    _after_the_end_it_goes_on, _locks_do_not_hold, _followers_stay_behind, _words_change_what_is_so, _free_words_give_things,
    _undo_keeps_what_is_so, _redo_goes_elsewhere, _branches_share_their_end, _a_save_loses_what_was_edited, _a_save_rolls_anew,
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.__name__)
def test_a_broken_engine_is_found_out(mutant, monkeypatch):
    """It may break anywhere."""
    mutant(monkeypatch)
    with pytest.raises(Exception):  # noqa: B017
        for seed in range(12):
            play(little(), 400, seed)
