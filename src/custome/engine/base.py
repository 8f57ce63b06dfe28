"""What every engine can do. Everything above this level knows engines by this protocol only."""

from __future__ import annotations

import dataclasses
import functools
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from ..errors import InputError
from ..types import Character, GenerateOptions, Piece, Reply, Request, Score

OnPiece = Callable[[Piece], None]
COMMON = frozenset(
    {
        "max_new_tokens",
        "do_sample",
        "temperature",
        "top_p",
        "top_k",
        "repetition_penalty",
        "seed",
        "afresh",
        "as_written",
    }
)
"""Options that every engine keeps to."""


class Cancel:
    """A request to stop a generation; may be set from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()


class Engine(Protocol):
    """Answers requests with one model."""

    name: str
    """Shown to people."""
    kind: Literal["novel", "template"]
    """How it is spoken to: running prose with 某某曰：, or an instruct model's turns."""
    supports: frozenset[str]
    """Fields of GenerateOptions it keeps to; any other must be left at its default."""
    slots: int
    """Replies it writes at the same time."""
    several: int
    """Replies to one request that cost little more than one does."""
    max_context: int
    """Longest prompt and reply together, in tokens."""

    def run(
        self,
        request: Request,
        options: GenerateOptions,
        on_piece: OnPiece | None = None,
        cancel: Cancel | None = None,
    ) -> Reply:
        """Write one reply; `on_piece` sees it grow, on whatever thread writes it, and is to be quick.

        Raises:
            InputError: the request or an option is not one for this engine.
            EngineError: the engine is not to be had.
        """

    def stream(
        self, request: Request, options: GenerateOptions, cancel: Cancel | None = None
    ) -> Iterator[Piece]:
        """The reply as it grows; the last piece carries the finished reply. Closing the iterator stops generating."""

    def generate(
        self,
        requests: Sequence[Request],
        options: GenerateOptions,
        cancel: Cancel | None = None,
        on_piece: OnPiece | None = None,
    ) -> list[Reply]:
        """Finished replies to several requests, computed together where the engine can; `on_piece` sees the first of them grow,
        where it is written piece by piece."""

    def score(self, requests: Sequence[Request], replies: Sequence[str]) -> list[Score]:
        """How likely each given reply (its end included) is as the answer to its request."""

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text, of length 1."""

    def count_tokens(self, text: str) -> int:
        """Tokens of a text in this model's vocabulary."""

    def prompt_tokens(self, request: Request) -> int:
        """Tokens of what the model would read."""

    def close(self) -> None:
        """Free the model."""


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A model that is being served."""

    name: str
    engine: Engine
    people: tuple[Character, ...] = ()
    """Whom it can be."""
    folder: Path | None = None
    """Where it was read from; its cast is there."""
    open_base: Callable[[], Engine] | None = None
    """Opens the model it was trained from; None where that is not to be had."""


def check_options(engine: Engine, options: GenerateOptions) -> None:
    """Raise InputError naming the first option that is set and that the engine would ignore."""
    for declared in dataclasses.fields(options):
        value = getattr(options, declared.name)
        if value != declared.default and declared.name not in engine.supports:
            raise InputError(
                f"{engine.name!r} 的引擎不支持 {declared.name}={value!r}",
                "去掉这一项，或换一个引擎（--engine）",
            )


def as_stream(
    engine: Engine, request: Request, options: GenerateOptions, cancel: Cancel | None
) -> Iterator[Piece]:
    """`stream` for an engine that has `run`."""
    cancel = cancel or Cancel()
    return stream_of(lambda on_piece: engine.run(request, options, on_piece, cancel), cancel)


def stream_of(write: Callable[[OnPiece], Reply], cancel: Cancel) -> Iterator[Piece]:
    """What `write` writes on a thread of its own, as it comes; the last piece carries the finished reply.

    Closing the iterator stops the writer and waits for it.
    """
    pieces: queue.SimpleQueue[Piece | Reply | BaseException] = queue.SimpleQueue()

    def work() -> None:
        try:
            pieces.put(write(pieces.put))
        except BaseException as error:  # raised again where the pieces are read
            pieces.put(error)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        while not isinstance(item := pieces.get(), Reply):
            if isinstance(item, BaseException):
                raise item
            yield item
        yield Piece(text=item.text, reply=item)
    except BaseException:  # nobody reads any more: closed, or Ctrl-C
        cancel.set()
        raise
    finally:
        worker.join()


def run_all(
    engine: Engine,
    requests: Sequence[Request],
    options: GenerateOptions,
    cancel: Cancel | None = None,
    on_piece: OnPiece | None = None,
) -> list[Reply]:
    """`generate` for an engine that writes several replies at the same time; the same request again has another seed."""
    seeds = [requests[:place].count(request) for place, request in enumerate(requests)]

    def write(request: Request, again: int, seen: OnPiece | None) -> Reply:
        seeded = (
            options
            if options.seed is None
            else dataclasses.replace(options, seed=options.seed + again)
        )
        return engine.run(request, seeded, seen, cancel)

    watched = [on_piece, *[None] * len(requests)]
    with ThreadPoolExecutor(max_workers=max(1, min(engine.slots, len(requests)))) as pool:
        return list(pool.map(write, requests, seeds, watched))


def remembered_biases(
    tokenizer: Any,
) -> Callable[[tuple[tuple[str, float], ...]], dict[int, float]]:
    """Logit biases → what is added to the logit of each token; pieces of text that are not one token are passed over. Kept for a few,
    since all replies of a person lean alike."""

    @functools.lru_cache(maxsize=32)
    def biases(logit_bias: tuple[tuple[str, float], ...]) -> dict[int, float]:
        tokens = [
            (tokenizer(text, add_special_tokens=False).input_ids, lean) for text, lean in logit_bias
        ]
        return {ids[0]: lean for ids, lean in tokens if len(ids) == 1}

    return biases


def all_the_same(requests: Sequence[Request]) -> bool:
    """Several replies to one request are wanted."""
    return len(requests) > 1 and all(request == requests[0] for request in requests)


def from_stream(pieces: Iterator[Piece], on_piece: OnPiece | None) -> Reply:
    """`run` for an engine that has `stream`."""
    reply = None
    for piece in pieces:
        reply = piece.reply
        if on_piece is not None and reply is None:
            on_piece(piece)
    if reply is None:
        raise RuntimeError("a stream ended without its reply")
    return reply
