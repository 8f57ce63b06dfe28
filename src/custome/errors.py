"""Every error a user may meet, as one tree; knows nothing of the rest and imports nothing.

    CustomeError                 message (names the culprit) + hint (the next command to type)
    ├── InputError               what the user gave cannot be used
    │   ├── LengthError          a prompt and its reply are longer than the model's context
    │   ├── UnknownModelError    a model or character nobody serves
    │   ├── DataError            a data file or one of its rows: file, line, key, reason
    │   └── RecipeError          settings that do not fit together; all of them in one message
    ├── SourceError              a novel or base model cannot be had or is incomplete
    ├── RunError                 a run folder is not what the command needs
    ├── TrainingError            training cannot go on (loss not finite, adapter without effect)
    ├── ExportError              what was written out is not the model it was made from
    ├── DiskError                no space, or not writable; nothing half-written is left behind
    ├── ServeError               a page or port cannot be opened
    ├── StoreError               conversations cannot be kept or read: locked, read-only, full, away
    ├── BusyError                too many are waiting; come back in `retry_after_s`
    └── EngineError              the engine behind is not to be had: away, killed, timed out

The command line prints the two parts as two lines and exits with 2.
"""

from __future__ import annotations


class CustomeError(Exception):
    """An error to be shown to a person: what is wrong, and what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(CustomeError):
    """What the user gave cannot be used."""


class EmptyFileError(InputError):
    """A file in which nothing is written."""


class LengthError(InputError):
    """A prompt and its reply are longer than the model's context."""


class UnknownModelError(InputError):
    """A model or character that is not being served."""


class DataError(InputError):
    """A data file, or one row of it, cannot be used."""


class RecipeError(InputError):
    """Settings that are out of range or do not fit together."""


class SourceError(CustomeError):
    """A novel or a base model cannot be had, or is incomplete."""


class RunError(CustomeError):
    """A run folder is not what the command needs."""


class TrainingError(CustomeError):
    """Training cannot go on."""


class ExportError(CustomeError):
    """What was written out is not the model it was made from; it is not kept."""


class DiskError(CustomeError):
    """Writing failed; what was there before is untouched."""


class ServeError(CustomeError):
    """A page or a port cannot be opened."""


class StoreError(CustomeError):
    """Conversations cannot be kept or read."""


class BusyError(CustomeError):
    """Too many are waiting."""

    def __init__(self, message: str, hint: str = "", *, retry_after_s: int = 1) -> None:
        super().__init__(message, hint)
        self.retry_after_s = retry_after_s


class EngineError(CustomeError):
    """The engine that was to answer is away, or broke."""
