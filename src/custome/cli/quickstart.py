"""`custome quickstart`: a novel becomes people to talk to. Every step that was done before is used again."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from tyro.conf import Positional

from .. import config
from ..config import Recipe
from ..errors import RunError
from ..report import ConsoleReporter
from .commands import compare_run, learn, open_tuned, print_settings
from .corpus import EMBEDDED_NOVEL, build_corpus
from .flags import parse
from .serve import Serve, serve_run, who_may
from .serving import ModelFlags


@dataclass(frozen=True, kw_only=True)
class Quickstart:
    """从小说到聊天页，一条命令走完。做过的步骤不会重做；中断后再跑同一条命令就接着来。"""

    novel: Positional[str] = EMBEDDED_NOVEL
    """小说文件（.txt）；embedded 是内置的《三国演义》。"""
    steps: int = 0
    """训练步数；0 用配方里的（60 步，两核五六分钟）。"""
    serve: bool = True
    """最后打开聊天页；--no-serve 到对比表为止。"""
    host: str = "127.0.0.1"
    """聊天页监听的地址。"""
    port: int | None = None
    """聊天页的端口；默认从 7860 起找一个空闲的。"""
    model: ModelFlags = field(default_factory=ModelFlags)


def quickstart(argv: list[str]) -> int:
    flags = parse(Quickstart, argv, "custome quickstart")
    if flags.serve:
        who_may(Serve(host=flags.host))
    if flags.serve and flags.port is not None:
        from ..ports import free_port

        free_port(flags.host, flags.port)
    reporter = ConsoleReporter()
    recipe = _recipe(flags)
    run = Path(recipe.train.output_dir)

    reporter.stage("语料")
    build_corpus((flags.novel,), Path(recipe.data.train_path).parent, reporter)
    if not Path(recipe.data.valid_path).is_file():  # a book too short to hold anything out
        recipe = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, valid_path="", val_set_size=0))
    recipe.check()
    if not _train(recipe, run, reporter):
        return 130
    if not (run / "compare.md").is_file():
        from ..evaluation.compare import read_prompts

        engine, people = open_tuned(str(run), flags.model, reporter)
        reporter.stage("对比：底座与微调")
        compare_run(engine, people, run, run, read_prompts(None), recipe.checks.eval_samples, reporter)
        engine.close()
    if not flags.serve:
        reporter.note(f"聊天：custome serve {run}　终端：custome chat {run}（命令在 .venv/bin 里）")
    else:
        reporter.stage("聊天页")
        serve_run(str(run), flags.model, host=flags.host, port=flags.port)
    return 0


def _recipe(flags: Quickstart) -> Recipe:
    """The shipped recipe with this novel's folders and these flags."""
    base = config.load_recipe(Path(str(files("custome") / "recipes" / "sanguo.yaml")))
    name = Path(base.train.output_dir).name if flags.novel == EMBEDDED_NOVEL else Path(flags.novel).stem
    run = f"runs/{name}" + (f"-{flags.steps}steps" if flags.steps else "")
    data = dataclasses.replace(
        base.data, train_path=f"corpus/{name}/train.jsonl", valid_path=f"corpus/{name}/valid.jsonl"
    )
    model = dataclasses.replace(base.model, base_model=flags.model.base_model or base.model.base_model,
                                device=flags.model.device, load_8bit=flags.model.load_8bit)  # fmt: skip
    train = dataclasses.replace(base.train, output_dir=run, steps=flags.steps or base.train.steps)
    return dataclasses.replace(base, data=data, model=model, train=train).resolved()


def _train(recipe: Recipe, run: Path, reporter: ConsoleReporter) -> bool:
    """Train unless the folder already holds this very run complete; False when stopped on the way."""
    from ..models.run_folder import has_run, read_run

    if has_run(run):
        from ..training.finetune import data_files

        if config.load_recipe(run / "recipe.yaml") != recipe:
            raise RunError(
                f"{str(run)!r} 里是用别的设置训练的", f"用它聊天：custome serve {run}；重新来过先删掉：rm -r {run}"
            )
        info = read_run(run)
        if info.data_files != data_files(recipe):
            raise RunError(f"{str(run)!r} 里是用另一本书（或改过的书）训练的", f"给书换个文件名，或先删掉：rm -r {run}")
        if info.status == "complete":
            reporter.note(f"已训练好，直接用：{run}")
            return True
    print_settings(recipe, recipe, reporter)
    result = learn(recipe, reporter, resume=has_run(run))
    if result.status == "stopped":
        reporter.note(f"停在第 {result.progress.step}/{result.steps} 步，已存检查点；再跑同一条命令就接着训练")
        return False
    return True
