"""A run folder, or a base, as an engine of transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..errors import RunError
from ..models.adapters import load_adapter
from ..models.chat_format import open_format
from ..models.compute import DTYPES, pick_device, training_type
from ..models.loading import load_base, trust_code_in
from ..models.run_folder import check_adapter, has_run, read_run
from ..models.sources import other_base, resolve_base
from ..reporter import Reporter
from .local import LocalEngine


def open_local(
    *,
    run: Path | None,
    base_model: str,
    reporter: Reporter,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    load_8bit: bool = False,
    trust_remote_code: str = "",
    chat_format: str = "auto",
    home: Path | None = None,
    fast: bool = False,
) -> LocalEngine:
    """An engine for a run folder, for a bare base model (`run` None), or for an adapter on a base of one's choice.

    Args:
        fast: in the number type that this machine trains in, where half the memory and the time count more than last digits.

    Raises:
        RunError: no adapter there, or it was trained on another base.
        SourceError: the base cannot be had.
    """
    info = None
    if run is not None:
        check_adapter(run)
    if run is not None and has_run(run):
        info = read_run(run)
        chat_format = info.chat_format
    folder = resolve_base(base_model or (info.base_model if info else ""), reporter, home=home)
    trust_code_in(folder, trust_remote_code, base_model or (info.base_model if info else ""))
    mismatch = other_base(run, info, folder) if run is not None and info is not None else ""
    if mismatch and not base_model:  # the same name, other weights: nobody chose that
        raise RunError(
            mismatch, "把底座换回训练时的那份，或明说要用这个：--base-model " + str(folder)
        )
    if mismatch:
        reporter.note(f"注意：{mismatch}，效果可能不对")
    where = pick_device(device)
    dtype = DTYPES[training_type(where, "auto", home)] if fast and not load_8bit else None
    base = load_base(folder, where, quantize="int8" if load_8bit else "none", dtype=dtype)
    model = load_adapter(base.model, run) if run is not None else base.model
    name = run.name if run is not None else (base_model or folder.name)
    spoken = open_format(base.tokenizer, chat_format, base_model or folder.name)
    return LocalEngine(model, base.tokenizer, spoken, name)
