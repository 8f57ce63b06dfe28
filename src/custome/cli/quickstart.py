"""`custome quickstart`: a novel becomes people to talk to. Every step that was done before is used again.

The page opens as soon as the corpus is there, with the untuned base playing the people; training goes on behind it, and the
tuned people take over in the same conversations.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from .. import recipe_file
from ..config import Recipe
from ..engine.open import EngineOptions, Opened, host_base, open_models
from ..errors import RunError
from ..files import write_text
from ..model_catalog import find_model, shipped_models, shipped_name
from ..planning.choice import Candidate, Choice, choose
from ..reporter import ConsoleReporter
from ..resources import catalogue, where
from .corpus import EMBEDDED_NOVEL, build_corpus
from .flags import parse
from .serve import Beside, Serve, run_server, serve_run, who_may
from .training import learn, print_settings

if TYPE_CHECKING:
    from ..server.catalogue import Catalogue


@dataclass(frozen=True, kw_only=True)
class Quickstart:
    """从小说到聊天页，一条命令走完：语料好了页面就开，先由没微调的底座来演，后面边聊边练，练好自动换上。做过的步骤不会重做；中断后再跑同一条命令就接着来。"""

    novel: Positional[str] = EMBEDDED_NOVEL
    """小说文件（.txt）；embedded 是内置的《三国演义》。"""
    base: str = "auto"
    """用哪个底座；auto 量一下这台机器，挑练得完的里面最好的。有哪些：custome models。"""
    minutes: float = 15
    """愿意等它练多久。"""
    steps: int = 0
    """训练步数；0 按 --minutes 算。"""
    serve: bool = True
    """最后打开聊天页；--no-serve 到对比表为止。"""
    host: str = "127.0.0.1"
    """聊天页监听的地址。"""
    port: int | None = None
    """聊天页的端口；默认从 7860 起找一个空闲的。"""
    model: EngineOptions = field(default_factory=EngineOptions)


def quickstart(argv: list[str]) -> int:
    flags = parse(Quickstart, argv, "custome quickstart")
    if flags.serve:
        who_may(Serve(host=flags.host))
    if flags.serve and flags.port is not None:
        from ..ports import free_port

        free_port(flags.host, flags.port)
    reporter = ConsoleReporter()
    recipe = _chosen(flags, reporter)
    run, corpus = Path(recipe.train.output_dir), recipe.corpus_folder
    reporter.stage("语料")
    build_corpus((flags.novel,), corpus, reporter)
    if not Path(recipe.data.valid_path).is_file():  # a book too short to hold anything out
        recipe = dataclasses.replace(
            recipe, data=dataclasses.replace(recipe.data, valid_path="", val_set_size=0)
        )
    recipe.check()
    complete = _is_complete(recipe, run, reporter)
    if flags.serve and not complete and (recipe.data.conversations or not recipe.train.steps):
        return _serve_while_training(flags, recipe, corpus)
    if not recipe.train.steps:
        reporter.note(
            f"这次不训练；和没微调的底座聊天：去掉 --no-serve；要练就多给些时间：--minutes {3 * flags.minutes:g}"
        )
        return 0
    if not complete and not _train(recipe, run, reporter):
        return 130
    if not (run / "compare.md").is_file() and not (flags.serve and recipe.data.conversations):
        from ..evaluation.compare import read_prompts
        from ..evaluation.effect import compare_run

        reporter.stage("对比：底座与微调")
        compare_run(run, run, read_prompts(None), recipe.checks.eval_samples, flags.model, reporter)
    if not flags.serve:
        reporter.note(f"聊天：custome serve {run}　终端：custome chat {run}（命令在 .venv/bin 里）")
    else:
        reporter.stage("聊天页")
        serve_run(str(run), flags.model, host=flags.host, port=flags.port)
    return 0


def _chosen(flags: Quickstart, reporter: ConsoleReporter) -> Recipe:
    """The recipe for this novel and these flags; a run that was begun keeps its own."""
    name = "sanguo" if flags.novel == EMBEDDED_NOVEL else Path(flags.novel).stem
    folder = Path("runs") / (name + (f"-{flags.steps}steps" if flags.steps else ""))
    given = flags.model.base_model or ("" if flags.base == "auto" else flags.base)
    if (folder / "run.json").is_file():
        filed = recipe_file.load_recipe(folder / "recipe.yaml")
        same = (
            shipped_name(filed.model.base_model) == shipped_name(given)
            if shipped_name(given)
            else False
        )
        if not given or same:
            return filed
    if not given or shipped_name(given) is not None:
        choice = _choose(flags, given)
        reporter.note(
            f"底座 {choice.why}" + (f"；照 --steps 只练 {flags.steps} 步" if flags.steps else "")
        )
        base, given, planned = choice.candidate.recipe, choice.candidate.name, choice.steps
    else:
        base = recipe_file.shipped_recipe("sanguo-1.5b" if follows_orders(given) else "sanguo")
        planned = base.train.steps
    steps = flags.steps or planned
    talks = base.data.conversations and max(1, steps) * base.train.batch_size
    lines = "dialogues_train" if talks else "train"
    data = dataclasses.replace(
        base.data,
        corpus=f"corpus/{name}",
        train_path=f"corpus/{name}/{lines}.jsonl",
        conversations=talks,
        valid_path=f"corpus/{name}/{lines.replace('train', 'valid')}.jsonl",
    )
    model = dataclasses.replace(
        base.model, base_model=given, device=flags.model.device, load_8bit=flags.model.load_8bit
    )
    train = dataclasses.replace(base.train, output_dir=str(folder), steps=steps)
    return dataclasses.replace(base, data=data, model=model, train=train).resolved()


def follows_orders(base_model: str) -> bool:
    """Is a base one for conversations? By the list of known ones, else by what lies in its folder; nothing is fetched."""
    if known := find_model(base_model):
        return known.chat_format != "novel"
    folder = Path(base_model).expanduser()
    settings = folder / "tokenizer_config.json"
    written = settings.is_file() and "chat_template" in json.loads(
        settings.read_text(encoding="utf-8")
    )
    return written or (folder / "chat_template.jinja").is_file()


def _choose(flags: Quickstart, given: str) -> Choice:
    """Measure this machine and plan."""
    import psutil

    from ..models.compute import measured_rates

    rates = measured_rates()
    candidates = {}
    for name, known in reversed(shipped_models().items()):
        if given and name != shipped_name(given):
            continue
        path, parts = where(name), sum(wheel.bytes for wheel in catalogue()[name].wheels)
        size = path.stat().st_size if path.is_file() else parts
        recipe = recipe_file.shipped_recipe(known.recipe)
        candidates[name] = Candidate(name=name, shape=known.shape, file_bytes=size, recipe=recipe)
    if not given:
        # Its replies have not been measured yet, and its everyday Chinese is poorer than its size suggests.
        candidates.pop("qwen2.5-coder-0.5b")
    return choose(
        candidates,
        memory_bytes=psutil.virtual_memory().available,
        rate=rates.of(rates.faster),
        kind=rates.faster,
        minutes=flags.minutes,
        chatting=flags.serve,
    )


def _serve_while_training(flags: Quickstart, recipe: Recipe, corpus: Path) -> int:
    """Open the page with the untuned base, train behind it, let the tuned people take over."""
    from ..ports import free_port

    reporter, run = ConsoleReporter(), Path(recipe.train.output_dir)
    reporter.stage(
        "聊天页：先由没微调的底座来演" + ("，后面边聊边练" if recipe.train.steps else "")
    )
    hosted = host_base(recipe.model, run.name, corpus, reporter)
    serve = Serve(host=flags.host, port=flags.port, model=flags.model)

    def begin(served: Catalogue) -> Beside:
        from ..apps.training.behind import TrainingBehind

        if not (run / "run.json").is_file():
            write_text(run / "recipe.yaml", recipe_file.dump(recipe))

        def take_over() -> None:
            served.replace(open_models([str(run)], flags.model, ConsoleReporter()).hosted[0])

        behind = TrainingBehind(run, steps=recipe.train.steps, busy=served.busy, done=take_over)
        return Beside(progress=behind.progress, stop=behind.stop)

    doorkeeper, port = who_may(serve), free_port(flags.host, flags.port)
    return run_server(
        Opened(hosted=[hosted]), doorkeeper, serve, port, begin if recipe.train.steps else None
    )


def _is_complete(recipe: Recipe, run: Path, reporter: ConsoleReporter) -> bool:
    """Does the folder hold this very run, complete?

    Raises:
        RunError: it holds another one.
    """
    from ..models.run_folder import has_run, read_run

    if not has_run(run):
        return False
    from ..training.run_samples import data_files

    if recipe_file.load_recipe(run / "recipe.yaml") != recipe:
        raise RunError(
            f"{str(run)!r} 里是用别的设置训练的",
            f"用它聊天：custome serve {run}；重新来过先删掉：rm -r {run}",
        )
    info = read_run(run)
    if info.data_files != data_files(recipe):
        raise RunError(
            f"{str(run)!r} 里是用另一本书（或改过的书）训练的",
            f"给书换个文件名，或先删掉：rm -r {run}",
        )
    if info.status == "complete":
        reporter.note(f"已训练好，直接用：{run}")
    return info.status == "complete"


def _train(recipe: Recipe, run: Path, reporter: ConsoleReporter) -> bool:
    """Train, or go on; False when stopped on the way."""
    from ..models.run_folder import has_run

    print_settings(recipe, recipe, reporter)
    result = learn(recipe, reporter, resume=has_run(run))
    if result.status == "stopped":
        reporter.note(
            f"停在第 {result.progress.step}/{result.steps} 步，已存检查点；再跑同一条命令就接着训练"
        )
        return False
    return True
