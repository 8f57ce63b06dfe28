"""`custome train` and `custome watch`. Heavy imports wait until flags and files have been looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from .. import config, recipe_file
from ..config import Recipe
from ..errors import InputError
from ..reporter import ConsoleReporter, Reporter
from .flags import parse, take

if TYPE_CHECKING:
    from ..training.learning import TrainResult
    from ..webui.shell import Shell


@dataclass(frozen=True, kw_only=True)
class Train:
    """语料 → 运行目录。先后次序：默认值 < 配方文件 < 命令行。"""

    recipe: str = ""
    """配方文件（YAML），运行目录里的 recipe.yaml 就是一份；或自带的配方名：cosplay、sanguo、long……"""
    method_name: Annotated[str, arg(name="method")] = "lora"
    """微调方法，如 lora、qlora、dora、full（全部见 docs/train.md，写错了也会列出来）；各自的选项：--method 名字 --help。"""
    fit: str = ""
    """装进多大的内存，如 11GiB：自动选微批次、重算激活、量化和长度，并列出用量。"""
    resume: bool = False
    """从输出目录里最新的检查点接着训练。"""
    settings: Recipe = field(default_factory=Recipe)


def train(argv: list[str]) -> int:
    filed = (
        recipe_file.load_recipe(recipe_file.find_recipe(path))
        if (path := take(argv, "recipe"))
        else Recipe()
    )
    filed = config.with_method(filed, take(argv, "method"))
    flags = parse(Train, argv, "custome train", default=Train(settings=filed))
    recipe = flags.settings
    if flags.fit:
        recipe = fitted(recipe, flags.fit)
    return run_training(recipe, filed, resume=flags.resume)


def fitted(recipe: Recipe, memory: str) -> Recipe:
    """The recipe changed to fit into `memory`, with the sum printed.

    Raises:
        InputError: it does not fit, however small.
    """
    from ..machine import device_here
    from ..planning.fit import fit, read_bytes
    from ..planning.shapes import find_shape
    from .plan import say_fit, show, with_known_type

    device = device_here() if recipe.model.device == "auto" else recipe.model.device
    recipe = with_known_type(recipe, device)
    found = fit(recipe.resolved(), find_shape(recipe.model.base_model), device, read_bytes(memory))
    reporter = ConsoleReporter()
    say_fit(found, memory, reporter)
    show(found.plan, found.recipe, device, reporter)
    if not found.fits:
        raise InputError(
            f"{recipe.model.base_model!r} 怎么改也装不进 {memory}",
            f"换小一点的底座：custome plan --table；看差多少：custome plan --base {recipe.model.base_model} --fit {memory}",
        )
    return found.recipe


def run_training(recipe: Recipe, filed: Recipe, *, resume: bool) -> int:
    """Print where every setting comes from, train, say what to do next."""
    recipe = recipe.resolved()
    recipe.check()
    _check_inputs(recipe)
    reporter = ConsoleReporter()
    print_settings(recipe, filed, reporter)
    result = learn(recipe, reporter, resume=resume)
    if result.status == "stopped":
        reporter.note(
            f"停在第 {result.progress.step}/{result.steps} 步，已存检查点；接着训练：custome train --recipe {result.folder}/recipe.yaml --resume"
        )
        return 130
    reporter.note(
        f"完成 → {result.folder}　聊天：custome serve {result.folder}　对比：custome compare {result.folder}"
    )
    return 0


def learn(recipe: Recipe, reporter: Reporter, *, resume: bool) -> TrainResult:
    """A run with everything this program can do for it."""
    from ..apps.cosplay.learning import played_samples
    from ..apps.training.learn import Abilities
    from ..apps.training.learn import learn as learn_with
    from ..engine.open import open_base
    from ..evaluation.panel import open_panel

    abilities = Abilities(played_samples=played_samples, open_panel=open_panel, open_base=open_base)
    return learn_with(recipe, reporter, abilities, resume=resume)


def _check_inputs(recipe: Recipe) -> None:
    """Look at files before torch is loaded, so that a typo is answered at once."""
    from ..corpus.formats import read_samples

    for path in filter(None, (recipe.data.train_path, recipe.data.valid_path)):
        read_samples(Path(path))
    if recipe.data.text_paths:
        from ..corpus.reading import read_novel

        for path in recipe.data.text_paths:
            read_novel(Path(path))


def print_settings(recipe: Recipe, filed: Recipe, reporter: Reporter) -> None:
    reporter.stage("设置（* 命令行　+ 配方　其余默认）")
    marks = {"命令行": "*", "配方": "+", "默认": ""}
    sections: dict[str, list[str]] = {}
    for name, value, source in config.sources(recipe, filed):
        section, key = name.split(".", 1)
        sections.setdefault(section, []).append(f"{key}={value}{marks[source]}")
    for section, values in sections.items():
        reporter.note(f"{section}: " + "  ".join(values))


@dataclass(frozen=True, kw_only=True)
class Watch:
    """看训练：曲线、速度、内存、每次验证时的回答；停下，接着来。关掉页面不影响训练。"""

    run: Positional[str]
    """运行目录，如 runs/sanguo。"""
    host: str = "127.0.0.1"
    """监听地址；默认只有本机能访问。"""
    port: int | None = None
    """端口；默认从 7860 起找一个空闲的。"""


def watch(argv: list[str]) -> int:
    flags = parse(Watch, argv, "custome watch")
    from ..apps.training.run import TrainingRun

    run = TrainingRun(Path(flags.run))
    from .serve import serve_pages

    def add_page(shell: Shell) -> None:
        from ..webui.training_page import add_run_page

        add_run_page(shell, run)

    return serve_pages(add_page, host=flags.host, port=flags.port, what="训练页")
