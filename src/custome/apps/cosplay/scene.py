"""How the people of a conversation are set, as a page shows it and as it is kept."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from ...conversations.records import Chat
from .prompt import Setting
from .responder import Order

OLD_NAMES = {"manner": "contrast_strength"}
"""Fields of a kept scene by the name the last release had for them."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """How the people of a conversation are set; kept with it."""

    people: tuple[str, ...] = ()
    order: Order = "named"
    answers: int = 1
    """Replies to each thing the user says."""
    candidates: int = 1
    user: str = ""
    user_persona: str = ""
    note: str = ""
    summary: str = ""
    as_of: int = 0
    """Chapter the story has come to; 0 for all of the book."""
    as_speech: bool = True
    examples: int = Setting.examples
    persona: bool = Setting.persona
    regex: bool = Setting.regex
    max_history: int = 0
    """Earlier rounds, a question with its replies, that the model is shown; 0 for as many as fit."""
    only_heard: bool = True
    """Each person remembers the turns at which they were there, and no others."""
    remember: bool = True
    """Each person remembers what the user said of themselves in other conversations."""
    contrast_strength: float = Setting.contrast_strength
    strength: float = Setting.strength

    @property
    def setting(self) -> Setting:
        return Setting(
            user=self.user,
            user_persona=self.user_persona,
            note=self.note,
            summary=self.summary,
            as_of=self.as_of or None,
            as_speech=self.as_speech,
            examples=self.examples,
            persona=self.persona,
            regex=self.regex,
            contrast_strength=self.contrast_strength,
            strength=self.strength,
        )


def kept_scene(scene: Scene) -> dict[str, Any]:
    """What is kept of a scene; its summary is kept apart (conversations.store.Summary)."""
    return {name: value for name, value in vars(scene).items() if name != "summary"}


def scene_of(chat: Chat) -> Scene:
    """The scene that was kept with a conversation; what another version kept beside it is left out."""
    known = {declared.name for declared in fields(Scene)}
    kept = {OLD_NAMES.get(key, key): value for key, value in chat.scene.items()}
    found = {key: value for key, value in kept.items() if key in known}
    people = tuple(found.get("people") or ())
    return Scene(**{**found, "people": people, "summary": chat.summary.text})
