"""`custome corpus fix --review`: the joins of names the program is not sure of, one question each."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from ..corpus.aliases import read_table, write_table
from ..corpus.fixing import answered

SAME, APART, LATER, STOP = "y是", "n不否", "s以跳", "q停"
"""First letters that answer a question."""


def review(tables: dict[str, Path]) -> bool:
    """Ask about every doubtful join; each answer is kept at once, Ctrl-C is as good as q.

    Args:
        tables: book → its alias table.

    Returns:
        Did any answer change who is who?
    """
    console, changed = Console(highlight=False), False
    if not any(read_table(path).doubts for path in tables.values()):
        console.print("没有要问的")
    for book, path in tables.items():
        passed = 0
        while passed < len((table := read_table(path)).doubts):
            doubt = table.doubts[passed]
            console.print(
                f"[bold]《{escape(table.title or book)}》 {escape(doubt.alias)} 和 {escape(doubt.person)} 是同一个人吗？[/]"
                f"（还有 {len(table.doubts) - passed} 问）\n  {escape(doubt.reason)}"
            )
            answer = _answer(console)
            if answer in STOP:
                return changed
            if answer in LATER:
                passed += 1
                continue
            write_table(path, answered(table, doubt, answer in SAME))
            changed = changed or answer in SAME
    return changed


def _answer(console: Console) -> str:
    """One of the letters; the end of the input stops."""
    while True:
        console.print("  y 是　n 不是　s 以后再说　q 停：", end="")
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            return STOP[0]
        letter = unicodedata.normalize("NFKC", line).strip().lower()[:1]
        if not line:
            return STOP[0]
        if letter and letter in SAME + APART + LATER + STOP:
            return letter
