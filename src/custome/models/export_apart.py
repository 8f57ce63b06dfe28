"""`python -m custome.models.export_apart RUN FOLDER QUANT ANSWER`: an export to GGUF in a process of its own.

For gguf_cache.py. What goes wrong is written into the file ANSWER as JSON, and the exit status is 1.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ..errors import CustomeError
from ..files import write_json
from ..machine import share_the_cores
from ..reporter import NullReporter
from ..types import Sample
from .run_folder import VALID_FILE


def main(run: str, folder: str, quant: str, answer: str) -> int:
    share_the_cores()
    from .export import export

    try:
        export(
            Path(run),
            "gguf",
            Path(folder),
            NullReporter(),
            quant=quant,
            samples=held_out(Path(run)),
        )
    except CustomeError as error:
        write_json(Path(answer), {"message": error.message, "hint": error.hint})
        return 1
    return 0


def held_out(run: Path) -> list[Sample]:
    """Rows that the run did not learn from: the proof asks what they ask."""
    path = run / VALID_FILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    rows = [json.loads(line) for line in lines if line.strip()]
    return [
        Sample(
            context=row["context"],
            chat=row.get("chat", ""),
            speaker=row.get("speaker", ""),
            mention=row.get("mention", ""),
        )
        for row in rows
        if "context" in row
    ]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
