"""A run, a bare base or a URL → an engine that answers, opened without torch wherever llama.cpp can do it."""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..config import ModelConfig
from ..errors import ExportError, InputError
from ..files import read_text
from ..machine import device_here
from ..models.run_folder import check_adapter, has_run, read_run
from ..reporter import Reporter
from ..types import Character
from .base import Engine, ServedModel

EngineName = Literal["auto", "llamacpp", "local", "remote"]


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """用哪个模型、哪个引擎回答。"""

    engine: EngineName = "auto"
    """auto：CPU 上用 llama.cpp（快、省内存、许多人同时用），显卡和 llama.cpp 不认识的底座用 local（transformers）；remote：接到 --url。"""
    quant: Literal["auto", "q8_0", "q4_0", "q5_0", "f16"] = "auto"
    """llama.cpp 用的数值类型：q8_0 和训练出的几乎一样；q4_0 再快三到五成，话会有些不同；auto：底座小的合并成 q8_0，大的不合并，适配器放在底座旁边。"""
    strength: float = 1.0
    """llama.cpp：适配器的力度；1 是学到的，小一些更像底座，大一些口吻更重。"""
    shared_base: bool = False
    """llama.cpp：几个运行目录共用一份底座，每次请求换适配器；省内存，比各自合并慢四分之一。"""
    slots: int = 16
    """llama.cpp：同时写几个回答。"""
    url: str = ""
    """remote：OpenAI 兼容的地址，如 http://127.0.0.1:8000/v1。"""
    remote_model: str = ""
    """remote：那边的模型名；默认是它列出的第一个。"""
    remote_key_file: str = ""
    """remote：密钥在哪个文件里；默认用环境变量 OPENAI_API_KEY。"""
    remote_plain: bool = False
    """remote：只送 OpenAI 自己的参数，不送 top_k 一类；OpenAI 官方的 API 要这样。"""
    base_model: str = ""
    """local：换一个底座（默认用训练时的底座）。"""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """在哪里算。"""
    load_8bit: bool = False
    """local：底座以 8 位整数载入（需要 bitsandbytes）。"""
    trust_remote_code: str = ""
    """local：底座要靠它自带的 Python 代码才能载入时，写出它的名字才运行。"""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """The models a command has opened."""

    hosted: list[ServedModel]
    open_run: Callable[[str, str], ServedModel] | None = None
    """(path, name) → one more."""


def open_models(runs: Sequence[str], options: EngineOptions, reporter: Reporter) -> Opened:
    """Open every run.

    Raises:
        RunError: one is no run folder.
        InputError: flags that do not fit together, or two runs of one name.
    """
    _check_together(runs, options)
    if options.engine == "remote":
        return _remote(runs, options)
    if not runs:
        raise InputError(
            "没有给运行目录", "例如：custome serve runs/sanguo；还没训练过先跑 custome quickstart"
        )
    names = [name_of(run) for run in runs]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise InputError(f"两个运行目录都叫 {twice!r}", "改一个目录名，名字就是模型名")
    for run in runs:  # before anything heavy is loaded
        check_run(Path(run))
    if options.shared_base:
        return _shared([Path(run) for run in runs], names, options, reporter)

    def open_run(run: str, name: str) -> ServedModel:
        check_run(Path(run))
        return _open(Path(run), name, options, reporter)

    return Opened(
        hosted=[open_run(run, name) for run, name in zip(runs, names, strict=True)],
        open_run=open_run,
    )


def _check_together(runs: Sequence[str], options: EngineOptions) -> None:
    """Raise InputError for flags that the chosen engine would ignore."""
    only = {
        "remote": ("url", "remote_model", "remote_key_file", "remote_plain"),
        "llamacpp": ("quant", "strength", "shared_base", "slots"),
        "local": ("base_model", "load_8bit", "trust_remote_code"),
    }
    defaults = EngineOptions()
    given = {
        engine: [name for name in names if getattr(options, name) != getattr(defaults, name)]
        for engine, names in only.items()
    }
    wanted = [engine for engine, names in given.items() if names]
    if (
        len(wanted) > 1
        or (wanted and options.engine not in ("auto", wanted[0]))
        or (wanted == ["remote"] and options.engine == "auto")
    ):
        flag = f"--{given[wanted[-1]][0].replace('_', '-')}"
        raise InputError(
            f"{flag} 只和 --engine {wanted[-1]} 一起用，这里是 {options.engine}{'' if len(wanted) < 2 else '，还给了别的引擎的选项'}",
            f"加上 --engine {wanted[-1]}，或去掉 {flag}",
        )
    if not 0 <= options.strength <= 3:
        raise InputError(f"--strength {options.strength} 应在 0 到 3 之间", "例如 --strength 0.7")
    if options.slots < 1:
        raise InputError(f"--slots {options.slots} 应不小于 1", "例如 --slots 16")
    if options.engine == "remote" and len(runs) > 1:
        raise InputError("--engine remote 一次只接一个模型", "几个模型就开几个 custome serve")


def check_run(run: Path) -> None:
    """Is it a run folder with something learnt? Says so before torch is loaded."""
    if has_run(run) or not (run / "adapter_config.json").is_file():
        read_run(run)
    check_adapter(run)


def choose_engine(run: str, options: EngineOptions) -> Literal["llamacpp", "local"]:
    """llama.cpp on a CPU, for a base it knows, unless something is wanted that only transformers does."""
    from ..models.sources import llamacpp_knows

    if options.engine in ("llamacpp", "local"):
        return "local" if options.engine == "local" else "llamacpp"
    only_local = (
        options.base_model
        or options.load_8bit
        or options.trust_remote_code
        or not has_run(Path(run))
    )
    on_card = options.device == "cuda" or (options.device == "auto" and device_here() == "cuda")
    if only_local or on_card or importlib.util.find_spec("xllamacpp") is None:
        return "local"
    return "llamacpp" if llamacpp_knows(read_run(Path(run)).base_model) else "local"


def name_of(run: str) -> str:
    return Path(run).resolve().name


def _people(run: Path) -> Any:
    return read_run(run).characters if has_run(run) else ()


def _open(run: Path, name: str, options: EngineOptions, reporter: Reporter) -> ServedModel:
    engine = choose_engine(str(run), options)
    reporter.stage(f"载入 {name}（{engine}）")
    if engine == "llamacpp":
        try:
            return _open_llamacpp(run, name, options, reporter)
        except ExportError as error:
            if options.engine != "auto":
                raise
            reporter.note(f"写给 llama.cpp 的文件核对不过，改用 transformers：{error.message}")
    return ServedModel(
        name=name, engine=open_local_engine(run, options, reporter), people=_people(run), folder=run
    )


def _open_llamacpp(run: Path, name: str, options: EngineOptions, reporter: Reporter) -> ServedModel:
    from ..models.gguf_cache import prepare, prepare_base
    from ..models.sources import gguf_behind
    from .llama_server import LlamaServer
    from .llamacpp import LlamaCppEngine

    served = prepare(run, reporter, quant=options.quant, strength=options.strength)
    server = LlamaServer(served.model, served.adapters, slots=options.slots)
    adapter, strength = (0, options.strength) if served.adapters else (None, 1.0)
    engine = LlamaCppEngine(
        server, served.tokenizer, served.chat_format, name, adapter=adapter, strength=strength
    )

    def bare() -> Engine:
        if served.adapters:  # it is in memory already
            return LlamaCppEngine(server, served.tokenizer, served.chat_format, name)
        base = prepare_base(run, reporter)
        return LlamaCppEngine(
            LlamaServer(base.model, slots=options.slots), base.tokenizer, base.chat_format, name
        )

    has_base = bool(served.adapters) or gguf_behind(read_run(run).base_model, reporter) is not None
    return ServedModel(
        name=name,
        engine=engine,
        people=_people(run),
        folder=run,
        open_base=bare if has_base else None,
    )


def host_base(model: ModelConfig, name: str, corpus: Path, reporter: Reporter) -> ServedModel:
    """A bare base model that plays the people of a corpus."""
    from ..corpus.cast import read_cast

    people = tuple(
        Character(name=one.name, cue=one.cue, utterances=one.utterances)
        for one in read_cast(corpus).people
    )
    return ServedModel(name=name, engine=open_base(model, reporter), people=people, folder=corpus)


def open_base(model: ModelConfig, reporter: Reporter) -> Engine:
    """A bare base model: by llama.cpp where it came as GGUF and runs on a CPU, else in transformers."""
    from ..models.sources import gguf_behind, resolve_base

    on_card = model.device == "cuda" or (model.device == "auto" and device_here() == "cuda")
    source = (
        None
        if on_card or importlib.util.find_spec("xllamacpp") is None
        else gguf_behind(model.base_model, reporter)
    )
    if source is None:
        from .open_local import open_local

        return open_local(
            run=None,
            base_model=model.base_model,
            device=model.device,
            chat_format=model.chat_format,
            reporter=reporter,
        )
    from ..models.chat_format import open_format
    from ..models.plain_tokenizer import PlainTokenizer
    from .llama_server import LlamaServer
    from .llamacpp import LlamaCppEngine

    tokenizer = PlainTokenizer(resolve_base(model.base_model, reporter))
    chat_format = open_format(tokenizer, model.chat_format, model.base_model)
    return LlamaCppEngine(LlamaServer(source), tokenizer, chat_format, model.base_model)


def open_local_engine(
    run: Path, options: EngineOptions, reporter: Reporter, *, fast: bool = False
) -> Any:
    """A run in transformers; only here is torch loaded."""
    if not has_run(run) and (run / "adapter_config.json").is_file() and not options.base_model:
        raise InputError(
            f"{str(run)!r} 只有适配器，没说底座是什么", "加上 --base-model 训练它的底座"
        )
    from .open_local import open_local

    return open_local(
        run=run,
        base_model=options.base_model,
        device=options.device,
        load_8bit=options.load_8bit,
        trust_remote_code=options.trust_remote_code,
        reporter=reporter,
        fast=fast,
    )


def _shared(
    runs: Sequence[Path], names: Sequence[str], options: EngineOptions, reporter: Reporter
) -> Opened:
    from ..models.gguf_cache import CachedGguf, prepare_shared
    from .llama_server import LlamaServer
    from .llamacpp import LlamaCppEngine

    reporter.stage(f"载入 {'、'.join(names)}（llamacpp，共用底座）")
    served = prepare_shared(runs, reporter)
    server = LlamaServer(served[0].model, served[0].adapters, slots=options.slots)
    hosted = []
    for number, (name, run, one) in enumerate(zip(names, runs, served, strict=True)):

        def engine(adapter: int | None, name: str = name, one: CachedGguf = one) -> Engine:
            return LlamaCppEngine(
                server,
                one.tokenizer,
                one.chat_format,
                name,
                adapter=adapter,
                strength=options.strength,
            )

        hosted.append(
            ServedModel(
                name=name,
                engine=engine(number),
                people=_people(run),
                folder=run,
                open_base=functools.partial(engine, None),
            )
        )
    return Opened(hosted=hosted)


def _remote(runs: Sequence[str], options: EngineOptions) -> Opened:
    if not options.url:
        raise InputError("--engine remote 要给 --url", "例如：--url http://127.0.0.1:8000/v1")
    people: Any = ()
    kind: Any = "template"
    if runs:  # whom one can talk to, and how
        info = read_run(Path(runs[0]))
        people, kind = info.characters, "novel" if info.chat_format == "novel" else "template"
    engine = open_remote(
        options.url,
        options.remote_model,
        options.remote_key_file,
        kind=kind,
        plain=options.remote_plain,
    )
    return Opened(
        hosted=[
            ServedModel(
                name=name_of(runs[0]) if runs else engine.name.split("/")[-1],
                engine=engine,
                people=people,
                folder=Path(runs[0]) if runs else None,
            )
        ]
    )


def open_remote(
    url: str,
    model: str,
    key_file: str,
    *,
    kind: Literal["novel", "template"] = "template",
    plain: bool = False,
) -> Engine:
    """A model of a server, the first it lists where none is named.

    Args:
        key_file: holds the key; the environment's OPENAI_API_KEY without one.

    Raises:
        InputError: it has no model, or the file cannot be read.
        EngineError: the server is not there.
    """
    from .remote import RemoteEngine

    key = (
        read_text(Path(key_file), "密钥文件").strip()
        if key_file
        else os.environ.get("OPENAI_API_KEY", "")
    )
    model = model or next(iter(RemoteEngine(url, "", key=key).models()), "")
    if not model:
        raise InputError(f"{url} 那边一个模型都没有", "先在那边载入一个，或写出模型的名字")
    return RemoteEngine(url, model, kind=kind, key=key, plain=plain)
