"""What surrounds a training loop on one machine or many: accelerator, signals, randomness, memory reading."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import psutil
import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast_object_list, set_seed

from ..errors import DataError, RunError
from ..files import write_json
from ..models.compute import ComputeType
from ..models.run_folder import PROCESS_FILE, STOP_FILE, training_process
from ..reporter import NullReporter


def make_accelerator(device: str, folder: Path, compute_type: ComputeType) -> Accelerator:
    """An accelerator that tracks to TensorBoard in `folder`."""
    _processes(device)
    AcceleratorState._reset_state()  # an earlier run of this process may have had another number type
    precision = "no" if compute_type == "fp32" else compute_type
    return Accelerator(
        cpu=device == "cpu",
        mixed_precision=precision,
        log_with="tensorboard",
        project_dir=str(folder),
    )


def agreed(device: str, decide: Callable[[], ComputeType]) -> ComputeType:
    """What the first process decides, for all of them."""
    state = _processes(device)
    chosen: list[Any] = [decide() if state.is_main_process else None]
    if state.num_processes > 1:
        broadcast_object_list(chosen)
    kind: ComputeType = chosen[0]
    return kind


def _processes(device: str) -> PartialState:
    """Which process this is of how many; accelerate remembers the device of an earlier run in this process."""
    state = PartialState(cpu=device == "cpu")
    if state.num_processes == 1 and state.device.type != device:
        PartialState._reset_state()
        state = PartialState(cpu=device == "cpu")
    return state


class TrackerReporter(NullReporter):
    """Metrics to the accelerator's trackers (TensorBoard)."""

    def __init__(self, accelerator: Accelerator) -> None:
        accelerator.init_trackers("tensorboard")
        self._accelerator = accelerator

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        self._accelerator.log(dict(values), step=step)

    def close(self) -> None:
        for tracker in (
            self._accelerator.trackers
        ):  # end_training() would also take the processes' connection down
            tracker.finish()


def seed_step(seed: int, step: int, rank: int = 0) -> None:
    """The randomness of a step depends on (seed, step, rank) only, so a resumed run repeats it without any saved state."""
    set_seed((seed * 1_000_003 + step * 1009 + rank) % 2**32)


class StopRequest:
    """Set once somebody asked to stop; the loop saves and leaves after the step at hand."""

    def __init__(self, folder: Path | None = None) -> None:
        self._asked, self._folder = False, folder

    @property
    def wanted(self) -> bool:
        return self._asked or (self._folder is not None and (self._folder / STOP_FILE).exists())

    @wanted.setter
    def wanted(self, value: bool) -> None:
        self._asked = value

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        if self._asked:  # asked twice: at once
            raise KeyboardInterrupt
        self._asked = True


def announce(folder: Path) -> None:
    """Let the run folder say that this process trains it; an old request to stop is forgotten.

    Raises:
        RunError: another process is training it.
    """
    other = training_process(folder)
    if other not in (None, os.getpid()):
        raise RunError(
            f"{str(folder)!r} 正由进程 {other} 训练着",
            f"看它：custome watch {folder}；先停下它再接着训练",
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STOP_FILE).unlink(missing_ok=True)
    write_json(
        folder / PROCESS_FILE, {"pid": os.getpid(), "created": psutil.Process().create_time()}
    )


def leave(folder: Path) -> None:
    """This process trains the folder no longer; one in which nothing came about goes too."""
    if training_process(folder) == os.getpid():
        for name in (STOP_FILE, PROCESS_FILE):
            (folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # not empty: as it should be
            folder.rmdir()


@contextmanager
def stop_on_signal(request: StopRequest) -> Iterator[StopRequest]:
    """SIGINT and SIGTERM ask politely while this is open; elsewhere than in the main thread it does nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def give_back_freed() -> None:
    """Give freed memory back to the system. glibc keeps it as holes between other blocks, and rows of ever new lengths fit into
    none of them: without this a 1.5B grows from 5.2 GB to 6.7 in fourteen steps, with it, once a pass, it keeps to 5.0 (docs/log.md)."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # musl has no such call
            ctypes.CDLL(None).malloc_trim(0)


def release_memory() -> None:
    """Let go of what nobody refers to any more, so that what comes next does not lie on top of it, and measure the peak anew:
    what was needed before (a GGUF file dequantized for the first time) is not training's."""
    gc.collect()
    give_back_freed()
    if sys.platform == "linux":
        with suppress(
            OSError
        ):  # https://docs.kernel.org/filesystems/proc.html: 5 resets the high-water mark
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def check_processes(accelerator: Accelerator, samples: int | None) -> None:
    """Raise DataError when there are more processes than samples to share out."""
    if samples is not None and accelerator.num_processes > samples:
        raise DataError(
            f"{accelerator.num_processes} 个进程分 {samples} 条数据，有的进程没有活干",
            f"进程数不要超过数据条数：--nproc_per_node {samples}",
        )


def peak_memory_bytes(device: str) -> int:
    """The most memory used so far: of the card on CUDA, of the process on a CPU."""
    if device == "cuda":
        return int(torch.cuda.max_memory_allocated())
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def versions() -> dict[str, str]:
    """Versions of what computes."""
    import accelerate
    import peft
    import transformers

    from .. import __version__

    modules: dict[str, Any] = {
        "torch": torch,
        "transformers": transformers,
        "peft": peft,
        "accelerate": accelerate,
    }
    return {
        "custome": __version__,
        **{name: module.__version__ for name, module in modules.items()},
    }
