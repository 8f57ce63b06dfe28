"""Conversations are values: every change gives a new one, files round-trip, foreign files are refused."""

from __future__ import annotations

import pytest

from custome.apps.session import Conversation, Turn, compose, load_conversation
from custome.errors import InputError

TALK = Conversation(turns=tuple(Turn(user=f"问{i}", speaker="孔明", reply=f"答{i}") for i in range(5)))


def test_changes_leave_the_old_one_alone():
    changed = TALK.edit(1, reply="改").delete(0).ask("新", "操")
    assert TALK.turns[1].reply == "答1" and len(TALK.turns) == 5
    assert [t.reply for t in changed.turns] == ["改", "答2", "答3", "答4", ""]
    assert changed.answer("好").turns[-1].reply == "好"


@pytest.mark.parametrize(
    ("history", "users"), [(0, ["问4"]), (1, ["问3", "问4"]), (9, ["问0", "问1", "问2", "问3", "问4"])]
)
def test_history_is_cut_at_whole_turns(history: int, users: list[str]):
    request = TALK.request(history)
    assert [m.content for m in request.messages if m.role == "user"] == users
    assert request.messages[-1].role == "user" and request.speaker == "孔明"


def test_the_last_turn_can_be_deleted_from_the_end():
    assert TALK.delete(-1).turns == TALK.turns[:-1]


def test_unanswered_turns_are_not_told_to_the_model():
    request = TALK.edit(2, reply="").request(9)
    assert [m.content for m in request.messages if m.role == "user"] == ["问0", "问1", "问3", "问4"]


def test_files_round_trip():
    assert load_conversation(TALK.dump(), "a.json") == TALK


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": "x", "turns": []}', '{"format": "custome-conversation-1"}',
                                  '{"format": "custome-conversation-1", "turns": [{"user": 1, "speaker": "", "reply": ""}]}'])  # fmt: skip
def test_foreign_files_are_refused_by_name(text: str):
    with pytest.raises(InputError, match="别的.json"):
        load_conversation(text, "别的.json")


def test_the_cue_is_written_for_novels_only():
    assert compose("救猫?", "孔明", "novel") == "救猫？孔明曰："
    assert compose("救猫?", "孔明", "template") == "救猫?"
