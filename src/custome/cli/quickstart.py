"""`custome quickstart`: a novel becomes people to talk to. Every step that was done before is used again.

The page opens as soon as the corpus is there, with the untuned base playing the people; training goes on behind it, and the
tuned people take over in the same conversations.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from .. import recipe_file
from ..apps.training.choosing import choose_recipe, fitted_to, without_missing
from ..config import Recipe
from ..engine.open import EngineOptions, Opened, host_base
from ..errors import RunError
from ..files import write_text
from ..model_catalog import shipped_name
from ..reporter import ConsoleReporter
from ..resources import EMBEDDED_NOVEL, book_name
from .corpus import build_corpus
from .flags import parse
from .serve import Serve, run_server, serve_run, who_may
from .training import learn, print_settings

if TYPE_CHECKING:
    from ..apps.context import AppContext, Work


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
    recipe = without_missing(recipe, Path())
    recipe.check()
    complete = _is_complete(recipe, run, reporter)
    if flags.serve and not complete and (recipe.data.conversations or not recipe.train.steps):
        return _serve_while_training(flags, recipe, corpus)
    if not recipe.train.steps:
        reporter.note(
            "这次不训练；和没微调的底座聊天：去掉 --no-serve；要练就多给些时间（--minutes）"
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
    from ..models.compute import measured_rates

    name = book_name(flags.novel)
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
    chosen = choose_recipe(
        name, measured_rates, base=given, minutes=flags.minutes, chatting=flags.serve
    )
    if chosen.why:
        reporter.note(
            f"底座 {chosen.why}" + (f"；照 --steps 只练 {flags.steps} 步" if flags.steps else "")
        )
    recipe = chosen.recipe
    if flags.steps:
        recipe = fitted_to(recipe, name, recipe.model.base_model, flags.steps)
    model = dataclasses.replace(
        recipe.model, device=flags.model.device, load_8bit=flags.model.load_8bit
    )
    train = dataclasses.replace(recipe.train, output_dir=str(folder))
    return dataclasses.replace(recipe, model=model, train=train).resolved()


def _serve_while_training(flags: Quickstart, recipe: Recipe, corpus: Path) -> int:
    """Open the page with the untuned base, train behind it, let the tuned people take over."""
    from ..ports import free_port

    reporter, run = ConsoleReporter(), Path(recipe.train.output_dir)
    reporter.stage(
        "聊天页：先由没微调的底座来演" + ("，后面边聊边练" if recipe.train.steps else "")
    )
    hosted = host_base(recipe.model, run.name, corpus, reporter)
    serve = Serve(host=flags.host, port=flags.port, model=flags.model)

    def begin(context: AppContext) -> Work:
        from ..apps.context import Work
        from ..apps.training.behind import TrainingBehind

        if not (run / "run.json").is_file():
            write_text(run / "recipe.yaml", recipe_file.dump(recipe))

        behind = TrainingBehind(
            run,
            steps=recipe.train.steps,
            busy=context.busy,
            done=lambda: context.serve_run(run),
        )
        return Work(progress=behind.progress, stop=behind.stop)

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
