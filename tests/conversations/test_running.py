"""One writer a conversation; Stop reaches one's own."""

from __future__ import annotations

import threading

import pytest

from custome.conversations.running import Running
from custome.errors import InputError


def test_a_second_writer_is_not_let_in():
    running = Running()
    with running.generation("chat", "tab"):
        with pytest.raises(InputError, match="别的窗口"), running.generation("chat", "other tab"):
            pass
        with running.generation("another chat", "other tab"):
            pass
    with running.generation("chat", "other tab"):
        pass


def test_words_that_belong_to_no_conversation_hold_nobody_up():
    running = Running()
    with running.generation("", "tab") as mine, running.generation("", "other tab") as theirs:
        running.stop("tab")
        assert mine.is_set() and not theirs.is_set()


def test_stop_reaches_its_own_and_a_new_one_waits_for_the_old_ones_end():
    running, begun, order = Running(), threading.Event(), []

    def write() -> None:
        with running.generation("chat", "tab") as cancel:
            begun.set()
            while not cancel.is_set():
                pass
            order.append("first ended")

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait()
    running.stop("other tab")
    assert not order
    with running.generation("chat", "tab"):
        order.append("second began")
    writer.join()
    assert order == ["first ended", "second began"]
