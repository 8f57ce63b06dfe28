"""The picture in the README shows the page as it is."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parents[2] / "docs"


def test_the_picture_was_taken_of_this_page():
    script = runpy.run_path(str(DOCS / "take_picture.py"))
    kept = json.loads((DOCS / "page.json").read_text(encoding="utf-8"))
    assert kept == script["drawn_with"](), "make picture RUN=runs/…"
    assert Image.open(DOCS / "page.png").size == tuple(script["SIZE"].values())
