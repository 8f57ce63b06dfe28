"""Run folders → models that answer: which engine for which, opened without torch wherever llama.cpp can do it."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..engine.base import Engine, Hosted
from ..errors import InputError
from ..models.run_folder import check_adapter, has_run, read_run
from ..report import Reporter

EngineName = Literal["auto", "llamacpp", "local", "remote"]


@dataclass(frozen=True, kw_only=True)
class ModelFlags:
    """用哪个模型、哪个引擎回答。"""

    engine: EngineName = "auto"
    """auto：CPU 上用 llama.cpp（快、省内存、许多人同时用），显卡和 llama.cpp 不认识的底座用 local（transformers）；remote：接到 --url。"""
    quant: Literal["q8_0", "q4_0", "q5_0", "f16"] = "q8_0"
    """llama.cpp 用的数值类型：q8_0 和训练出的几乎一样；q4_0 再快一半，话会有些不同。"""
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
    """What a command answers with."""

    hosted: list[Hosted]
    open_run: Callable[[str, str], Hosted] | None = None
    """(path, name) → one more."""
    open_base: Callable[[str], Hosted | None] | None = None
    notes: list[str] = field(default_factory=list)


def open_models(runs: Sequence[str], flags: ModelFlags, reporter: Reporter) -> Opened:
    """Open every run.

    Raises:
        RunError: one is no run folder.
        InputError: flags that do not fit together, or two runs of one name.
    """
    if flags.engine == "remote":
        return _remote(runs, flags)
    if flags.url or flags.remote_model:
        raise InputError("--url 和 --remote-model 只和 --engine remote 一起用", "加上 --engine remote")
    if not runs:
        raise InputError("没有给运行目录", "例如：custome serve runs/sanguo；还没训练过先跑 custome quickstart")
    names = [_name(run) for run in runs]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise InputError(f"两个运行目录都叫 {twice!r}", "改一个目录名，名字就是模型名")
    for run in runs:  # before anything heavy is loaded
        check_adapter(Path(run))
        if has_run(Path(run)):
            read_run(Path(run))
    chosen = [flags.engine if flags.engine != "auto" else choose_engine(run, flags) for run in runs]
    if flags.shared_base:
        return _shared([Path(run) for run in runs], names, flags, reporter)
    places = {name: Path(run) for name, run in zip(names, runs, strict=True)}

    def open_run(run: str, name: str) -> Hosted:
        engine = flags.engine if flags.engine != "auto" else choose_engine(run, flags)
        opened = _open(Path(run), name, engine, flags, reporter)
        places[name] = Path(run)
        return opened

    def open_base(name: str) -> Hosted | None:
        return _base(places[name], name, flags, reporter) if name in places else None

    hosted = [_open(Path(run), name, engine, flags, reporter) for run, name, engine in zip(runs, names, chosen, strict=True)]  # fmt: skip
    return Opened(hosted=hosted, open_run=open_run, open_base=open_base if "llamacpp" in chosen else None)


def choose_engine(run: str, flags: ModelFlags) -> Literal["llamacpp", "local"]:
    """llama.cpp on a CPU, for a base it knows, unless something is wanted that only transformers does."""
    from ..models.sources import llamacpp_knows
    from .plan import this_machine

    only_local = flags.base_model or flags.load_8bit or flags.trust_remote_code or not has_run(Path(run))
    on_card = flags.device == "cuda" or (flags.device == "auto" and this_machine() == "cuda")
    if only_local or on_card or importlib.util.find_spec("xllamacpp") is None:
        return "local"
    return "llamacpp" if llamacpp_knows(read_run(Path(run)).base_model) else "local"


def _name(run: str) -> str:
    return Path(run).resolve().name


def _people(run: Path) -> Any:
    return read_run(run).characters if has_run(run) else ()


def _open(run: Path, name: str, engine: str, flags: ModelFlags, reporter: Reporter) -> Hosted:
    reporter.stage(f"载入 {name}（{engine}）")
    if engine == "local":
        return Hosted(name=name, engine=open_local_engine(run, flags, reporter), people=_people(run))
    from ..engine.llamacpp import LlamaCppEngine, LlamaServer
    from ..models.served import prepare

    served = prepare(run, reporter, quant=flags.quant)
    server = LlamaServer(served.model, slots=flags.slots)
    return Hosted(name=name, engine=LlamaCppEngine(server, served.tokenizer, served.chat_format, name), people=_people(run))  # fmt: skip


def open_local_engine(run: Path, flags: ModelFlags, reporter: Reporter) -> Any:
    """A run in transformers; only here is torch loaded."""
    if not has_run(run) and (run / "adapter_config.json").is_file() and not flags.base_model:
        raise InputError(f"{str(run)!r} 只有适配器，没说底座是什么", "加上 --base-model 训练它的底座")
    from ..engine.local import open_local

    return open_local(
        run=run, base_model=flags.base_model, device=flags.device, load_8bit=flags.load_8bit, trust_remote_code=flags.trust_remote_code,
        reporter=reporter,
    )  # fmt: skip


def _base(run: Path, name: str, flags: ModelFlags, reporter: Reporter) -> Hosted | None:
    from ..engine.llamacpp import LlamaCppEngine, LlamaServer
    from ..models.served import prepare_base
    from ..models.sources import gguf_behind

    if gguf_behind(read_run(run).base_model, reporter) is None:
        return None
    served = prepare_base(run, reporter)
    engine = LlamaCppEngine(LlamaServer(served.model, slots=flags.slots), served.tokenizer, served.chat_format, name)
    return Hosted(name=name, engine=engine, people=_people(run))


def _shared(runs: Sequence[Path], names: Sequence[str], flags: ModelFlags, reporter: Reporter) -> Opened:
    from ..engine.llamacpp import LlamaCppEngine, LlamaServer
    from ..models.served import prepare_shared

    reporter.stage(f"载入 {'、'.join(names)}（llamacpp，共用底座）")
    served = prepare_shared(runs, reporter)
    server = LlamaServer(served[0].model, served[0].adapters, slots=flags.slots)
    hosted = [
        Hosted(name=name, engine=LlamaCppEngine(server, one.tokenizer, one.chat_format, name, adapter=number), people=_people(run))
        for number, (name, run, one) in enumerate(zip(names, runs, served, strict=True))
    ]  # fmt: skip

    def open_base(name: str) -> Hosted | None:
        one = served[list(names).index(name)]
        return Hosted(name=name, engine=LlamaCppEngine(server, one.tokenizer, one.chat_format, name), people=())

    return Opened(hosted=hosted, open_base=open_base)


def _remote(runs: Sequence[str], flags: ModelFlags) -> Opened:
    from ..engine.remote import RemoteEngine

    if not flags.url:
        raise InputError("--engine remote 要给 --url", "例如：--url http://127.0.0.1:8000/v1")
    key = Path(flags.remote_key_file).read_text(encoding="utf-8").strip() if flags.remote_key_file else os.environ.get("OPENAI_API_KEY", "")  # fmt: skip
    people: Any = ()
    kind: Any = "template"
    if runs:  # whom one can talk to, and how
        info = read_run(Path(runs[0]))
        people, kind = info.characters, "novel" if info.chat_format == "novel" else "template"
    model = flags.remote_model or RemoteEngine(flags.url, "", key=key).models()[0]
    engine: Engine = RemoteEngine(flags.url, model, kind=kind, key=key)
    return Opened(hosted=[Hosted(name=_name(runs[0]) if runs else model.split("/")[-1], engine=engine, people=people)])
