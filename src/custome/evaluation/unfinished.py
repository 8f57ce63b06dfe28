"""What a long evaluation has done so far, so that one that was interrupted goes on: the results of its steps, by what went in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..files import write_json

FILE = "evaluate.partial.json"


class Unfinished:
    """Steps of an evaluation in `folder`; a file that cannot be read is begun anew."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        try:
            self._done = dict(json.loads(self._path.read_text(encoding="utf-8"))["steps"])
        except (OSError, ValueError, KeyError, TypeError):
            self._done = {}

    def has(self, key: str) -> bool:
        return key in self._done

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """The step's result, as JSON has it; made and kept where it is not there yet."""
        if key not in self._done:
            self._done[key] = make()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_json(self._path, {"steps": self._done})
        return self._done[key]

    def finish(self) -> None:
        """All is done: nothing to go on with."""
        self._path.unlink(missing_ok=True)


def key_of(title: str, *ingredients: object) -> str:
    """A step's key: its title and a digest of everything it depends on."""
    return f"{title} {hashlib.sha256(repr(ingredients).encode()).hexdigest()[:16]}"
