"""What was done to a novel, line by line, only ever added to: every question to a model, and how many letters came and went on a day."""

from __future__ import annotations

import datetime
import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...files import disk_errors, is_cut_off

CALLS, DAYS = "calls.jsonl", "days.jsonl"


class Journal:
    """The journal of one novel's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def call(self, call: Mapping[str, Any]) -> None:
        """A question to a model, with its answers."""
        self._add(CALLS, call)

    def letters(self, chapter: int, more: int) -> None:
        """Letters that came to a chapter today; fewer than none where it became shorter."""
        if more:
            day = datetime.datetime.now().astimezone().date().isoformat()
            self._add(DAYS, {"day": day, "chapter": chapter, "letters": more})

    def letters_a_day(self) -> dict[str, int]:
        """Day (YYYY-MM-DD) → letters, the earliest first."""
        path = self._folder / DAYS
        found: Counter[str] = Counter()
        whole = path.read_bytes().decode("utf-8", "ignore") if path.is_file() else ""
        for line in whole.split("\n"):
            try:
                row = json.loads(line)
                found[str(row["day"])] += int(row["letters"])
            except (ValueError, KeyError, TypeError):
                continue  # a line that was cut off, or that somebody changed
        return dict(sorted(found.items()))

    def _add(self, name: str, row: Mapping[str, Any]) -> None:
        """Add a line; behind half a line of a disk that was full, a new one."""
        path = self._folder / name
        cut_off = is_cut_off(path)
        with disk_errors(self._folder), path.open("a", encoding="utf-8") as file:
            file.write("\n" * cut_off)
            file.write(json.dumps(dict(row), ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
