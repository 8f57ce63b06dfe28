"""A reply written on a thread, read as it comes."""

from __future__ import annotations

import threading

import pytest

from custome.engine.base import Cancel, stream_of
from custome.types import Piece, Reply


def test_whatever_ends_the_reading_stops_the_writer():
    """Ctrl-C arrives where pieces are waited for; the writer must hear of it, not write on to its end."""
    cancel, begun = Cancel(), threading.Event()

    def write(on_piece) -> Reply:
        on_piece(Piece(text="一"))
        begun.set()
        while not cancel.is_set():
            pass
        raise InterruptedError

    pieces = stream_of(write, cancel)
    assert next(pieces).text == "一"
    begun.wait()
    with pytest.raises(KeyboardInterrupt):
        pieces.throw(KeyboardInterrupt)
    assert cancel.is_set()
