"""A run → what llama.cpp answers with: one GGUF file of few tokens, made once and kept, and the tokenizer that goes with it.

Where the base came as GGUF and a plain LoRA was learnt, the matrices are merged with numpy in a few seconds, or, over a large
base, the adapter is written beside it; anything else goes through `custome export` in a process of its own, with its proof.
Neither torch nor transformers is loaded here.
"""

from __future__ import annotations

import glob
import hashlib
import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from filelock import FileLock
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import dequantize

from ..errors import ExportError, RunError, SourceError
from ..files import atomic_file
from ..model_catalog import shipped_name
from ..reporter import Reporter
from ..resources import custome_home
from . import convert
from .chat_format import ChatFormat, open_format
from .gguf import Head, read_head, rewrite_gguf
from .lora_file import Lora, read_lora
from .plain_tokenizer import FILE, PlainTokenizer
from .run_folder import (
    ADAPTER_FILES,
    VOCABULARY_FOLDER,
    WEIGHTS_FILE,
    RunInfo,
    check_adapter,
    read_run,
    read_vocab_ids,
)
from .sources import gguf_behind, other_base, resolve_base, same_base

FOLDER = "served"
LARGE_BYTES = 700e6
"""Over a base whose file is larger the adapter is laid anew at every token. Merged it would have to be rounded to four bits once
more, since every byte is read again for every token: that costs what was learnt, half a minute, and is hardly faster."""


@dataclass(frozen=True, kw_only=True)
class CachedGguf:
    """GGUF files, tokenizer and chat format of a run, ready for llama.cpp."""

    model: Path
    """The GGUF file."""
    adapters: tuple[Path, ...] = ()
    """LoRA files beside it."""
    tokenizer: PlainTokenizer
    chat_format: ChatFormat


def prepare(
    run: Path,
    reporter: Reporter,
    *,
    quant: str = "auto",
    strength: float = 1.0,
    home: Path | None = None,
) -> CachedGguf:
    """A run merged into one file; with `auto` its adapter beside a large base.

    Args:
        quant: auto merges into q8_0.
        strength: of a LoRA that is merged; 1 is what was learnt, 0 the base.

    Raises:
        RunError: no run, nothing learnt, or another base.
        SourceError: the base cannot be had, or llama.cpp does not know its architecture.
    """
    home = home or custome_home()
    check_adapter(run)
    info, vocab_ids = read_run(run), read_vocab_ids(run)
    if quant == "auto":
        if _stands_beside(run, info, reporter, home):
            return prepare_shared([run], reporter, home=home)[0]
        quant = "q8_0"
    target = _place(run, info, quant if strength == 1.0 else f"{quant}-{strength:g}", home)
    if not target.is_file():  # only now is the base needed
        source, lora = gguf_behind(info.base_model, reporter, home=home), read_lora(run)
        if strength != 1.0 and (source is None or lora is None):
            raise RunError(
                f"{str(run)!r} 不是 GGUF 底座上的普通 LoRA，力度调不了", "去掉 --strength"
            )
        reporter.stage(f"合并成 llama.cpp 的文件（{quant}，只做一次）")
        if source is not None and lora is not None:
            _check_base(run, info, reporter, home)
            merge(
                source,
                replace(lora, scale=lora.scale * strength),
                target,
                vocab_ids=vocab_ids,
                quant=quant,
                name=run.name,
            )
        else:
            _export(run, target, quant)
        _clear_older(target)
    tokenizer = PlainTokenizer(_tokenizer_folder(run, info, reporter, home))
    return CachedGguf(
        model=target, tokenizer=tokenizer, chat_format=open_format(tokenizer, info.chat_format)
    )


def prepare_base(run: Path, reporter: Reporter, *, home: Path | None = None) -> CachedGguf:
    """The base of a run without what was learnt.

    Raises:
        RunError: it did not come as GGUF.
    """
    return prepare_shared([run], reporter, home=home, adapters=False)[0]


def prepare_shared(
    runs: Sequence[Path], reporter: Reporter, *, home: Path | None = None, adapters: bool = True
) -> list[CachedGguf]:
    """Runs on one base beside each other: the same base file for all, each with its adapter's place in `adapters`.

    Raises:
        RunError: they stand on different bases, or one of them is no plain LoRA on a GGUF base.
    """
    home = home or custome_home()
    infos, sets = [read_run(run) for run in runs], [read_vocab_ids(run) for run in runs]
    vocab_ids = _of_all(sets)
    base = (
        home / FOLDER / f"base-{infos[0].base_fingerprint}-{_digest(str(vocab_ids).encode())}.gguf"
    )
    places = [_place(run, info, "lora", home) for run, info in zip(runs, infos, strict=True)]
    wanted = [base, *places] if adapters else [base]
    same = all(_on_the_same_base(info, infos[0]) for info in infos)
    if not same or not all(place.is_file() for place in wanted):  # only now is the base needed
        source = _shared_source(runs, infos, adapters, reporter, home)
        base.parent.mkdir(parents=True, exist_ok=True)
        if not base.is_file():
            rewrite_gguf(source, base, vocab_ids=vocab_ids)
        if adapters:
            for place, run in zip(places, runs, strict=True):
                _write_beside(run, place, source)
    place_of = (
        {token: number for number, token in enumerate(vocab_ids)} if vocab_ids is not None else None
    )
    found = []
    for run, info, own in zip(runs, infos, sets, strict=True):
        tokenizer = PlainTokenizer(
            _tokenizer_folder(run, info, reporter, home), _numbering(own, place_of)
        )
        chat_format = open_format(tokenizer, info.chat_format)
        found.append(
            CachedGguf(
                model=base,
                adapters=tuple(places) if adapters else (),
                tokenizer=tokenizer,
                chat_format=chat_format,
            )
        )
    return found


def trained_context(model: Path) -> int:
    """Tokens a GGUF model was trained to look back on.

    Raises:
        SourceError: the file is damaged.
    """
    try:
        head = read_head(model)
        return _number(head, f"{_text(head, 'general.architecture')}.context_length")
    except (OSError, ValueError, KeyError, struct.error) as error:
        raise SourceError(
            f"{str(model)!r} 不是完整的 GGUF 文件：{error}", f"删掉重做：rm {model}"
        ) from error


# -- inside ----------------------------------------------------------------------------------------------------------


def _of_all(sets: Sequence[Sequence[int] | None]) -> tuple[int, ...] | None:
    """Tokens that one file needs for all of these vocabularies; None where one of them is whole."""
    whole = any(one is None for one in sets)
    return None if whole else tuple(sorted({token for one in sets for token in one or ()}))


def _on_the_same_base(info: RunInfo, other: RunInfo) -> bool:
    return same_base(info.base_model, info.base_fingerprint, other.base_fingerprint)


def _shared_source(
    runs: Sequence[Path], infos: Sequence[RunInfo], adapters: bool, reporter: Reporter, home: Path
) -> Path:
    """The GGUF file that all of these runs stand on; raises RunError where there is none."""
    source = gguf_behind(infos[0].base_model, reporter, home=home)
    for run, info in zip(runs, infos, strict=True):
        fits = _on_the_same_base(info, infos[0]) and (not adapters or read_lora(run) is not None)
        if source is None or not fits:
            raise RunError(
                f"{str(run)!r} 不能和别的适配器共用一份底座（要同一个 GGUF 底座上的普通 LoRA）",
                "去掉 --shared-base，各合并成一个文件",
            )
        _check_base(run, info, reporter, home)
    assert source is not None
    return source


def _write_beside(run: Path, place: Path, source: Path) -> None:
    """The run's LoRA as a file of its own for the base `source`, unless it is there."""
    lora = read_lora(run)
    if lora is None or place.is_file():
        return
    with atomic_file(place) as temporary:
        write_lora(lora, read_head(source), temporary, run.name)
    _clear_older(place)


def _stands_beside(run: Path, info: RunInfo, reporter: Reporter, home: Path) -> bool:
    """Is an adapter better laid over its base than merged into it?"""
    # decided before
    if _place(run, info, "lora", home).is_file() or _place(run, info, "q8_0", home).is_file():
        return not _place(run, info, "q8_0", home).is_file()
    source = gguf_behind(info.base_model, reporter, home=home)
    return source is not None and source.stat().st_size > LARGE_BYTES and read_lora(run) is not None


def _clear_older(target: Path) -> None:
    """Remove what was made of earlier states of the same run."""
    for old in target.parent.glob(f"{glob.escape(target.stem.rsplit('-', 1)[0])}-*.gguf"):
        if old != target:
            old.unlink()


def _numbering(own: Sequence[int] | None, place_of: dict[int, int] | None) -> list[int] | None:
    """A run's tokens by their numbers in the file that all of them share; None where they are the same."""
    if own is None:
        return None
    return list(own) if place_of is None else [place_of[token] for token in own]


def merge(
    source: Path,
    lora: Lora,
    target: Path,
    *,
    vocab_ids: Sequence[int] | None,
    quant: str,
    name: str,
) -> None:
    """Write `source` with the LoRA in its matrices; what it does not touch stays as it is stored."""
    head = read_head(source)
    infos = {info.name: info for info in head.tensors}
    weights = np.memmap(source, dtype=np.uint8, mode="r")
    changed: dict[str, convert.Stored] = {}
    for place, low, high in _placed(lora, head):
        info = infos[place]
        start = head.data_start + info.offset
        kind = GGMLQuantizationType(info.kind)
        rows = weights[start : start + info.bytes].reshape(info.shape[-1], -1)
        base = dequantize(rows.view(np.float32) if kind == GGMLQuantizationType.F32 else rows, kind)
        changed[place] = convert.stored(base + lora.scale * (high @ low), quant)
    target.parent.mkdir(parents=True, exist_ok=True)
    rewrite_gguf(
        source,
        target,
        vocab_ids=vocab_ids,
        changed=changed,
        keys={"general.name": name, "general.file_type": convert.FILE_TYPES[quant]},
    )


def write_lora(lora: Lora, head: Head, target: Path, name: str) -> None:
    """The LoRA as llama.cpp reads one beside the base whose file begins with `head`."""
    writer = GGUFWriter(target, _text(head, "general.architecture"))
    writer.add_type("adapter")
    writer.add_name(name)
    writer.add_string("adapter.type", "lora")
    writer.add_float32(
        "adapter.lora.alpha", float(lora.scale * lora.rank)
    )  # llama.cpp scales by alpha / r
    for place, low, high in _placed(lora, head):
        writer.add_tensor(f"{place}.lora_a", np.ascontiguousarray(low, dtype=np.float16))
        writer.add_tensor(f"{place}.lora_b", np.ascontiguousarray(high, dtype=np.float16))
    convert.finish(writer)


def _placed(lora: Lora, head: Head) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """(GGUF's name of a matrix, A, B with its rows as GGUF has them)."""
    architecture = _text(head, "general.architecture")
    config = SimpleNamespace(
        num_attention_heads=_number(head, f"{architecture}.attention.head_count"),
        num_key_value_heads=_number(head, f"{architecture}.attention.head_count_kv"),
    )
    place_of = convert.names_for(architecture, _number(head, f"{architecture}.block_count"))
    placed = []
    for layer, (low, high) in lora.layers.items():
        place = place_of(f"{layer}.weight")
        if place is None:
            raise ExportError(
                f"适配器的 {layer!r} 在 GGUF 的 {architecture} 里没有位置", "用 --engine local"
            )
        placed.append(
            (place, low, convert.as_stored(architecture, f"{layer}.weight", high, config))
        )
    return placed


def _text(head: Head, key: str) -> str:
    return head.keys[key].raw[8:].decode("utf-8")


def _number(head: Head, key: str) -> int:
    return int(struct.unpack("<I", head.keys[key].raw[:4])[0])


def _check_base(run: Path, info: RunInfo, reporter: Reporter, home: Path) -> None:
    """A base of the package index is pinned by its digest; any other must be the one the run was trained on."""
    if shipped_name(info.base_model) is None and (
        mismatch := other_base(run, info, resolve_base(info.base_model, reporter, home=home))
    ):
        raise RunError(mismatch, "把底座换回训练时的那份")


def _tokenizer_folder(run: Path, info: RunInfo, reporter: Reporter, home: Path) -> Path:
    own = run / VOCABULARY_FOLDER
    return own if (own / FILE).is_file() else resolve_base(info.base_model, reporter, home=home)


def _place(run: Path, info: RunInfo, quant: str, home: Path) -> Path:
    """Where the file of this very state of a run is kept."""
    weights = next(path for path in (run / ADAPTER_FILES[1], run / WEIGHTS_FILE) if path.is_file())
    settings = run / ADAPTER_FILES[0]
    state = (
        f"1 {info.base_fingerprint} {quant} {read_vocab_ids(run)}".encode() + weights.read_bytes()
    )
    state += settings.read_bytes() if settings.is_file() else b""
    return (
        home
        / FOLDER
        / f"{run.name}-{_digest(str(run.resolve()).encode())[:6]}-{quant}-{_digest(state)}.gguf"
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def _export(run: Path, target: Path, quant: str) -> None:
    """Export the run in a process of its own, whose memory goes away with it.

    Raises:
        ExportError: what the export raised there.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):
        if target.is_file():  # another process was first
            return
        folder, answer = target.with_suffix(".export"), target.with_suffix(".error.json")
        shutil.rmtree(folder, ignore_errors=True)  # of one that was killed
        answer.unlink(missing_ok=True)
        words = [str(run), str(folder), quant, str(answer)]
        command = [sys.executable, "-m", "custome.models.export_apart", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ExportError(_why(answer, done.stderr), "用 --engine local")
        next(folder.glob("*.gguf")).replace(target)
        shutil.rmtree(folder)


def _why(answer: Path, said: str) -> str:
    """What the other process gave as its error; the last it said where it could not even do that."""
    if answer.is_file():
        message = str(json.loads(answer.read_text(encoding="utf-8"))["message"])
        answer.unlink()
        return message
    last = said.strip().splitlines()[-1:] or ["没做完就没了，多半是内存不够"]
    return f"写成 GGUF 的进程：{last[0][:200]}"
