"""The commands, one flags class and one function each. Heavy imports wait until flags and files have been looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from .. import config
from ..config import Recipe
from ..errors import InputError
from ..files import read_text, write_jsonl
from ..report import ConsoleReporter, Reporter
from ..types import Sample
from .flags import parse, take
from .serving import ModelFlags, check_run, name_of, open_base, open_local_engine, open_models

# -- train -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Train:
    """语料 → 运行目录。先后次序：默认值 < 配方文件 < 命令行。"""

    recipe: str = ""
    """配方文件（YAML），运行目录里的 recipe.yaml 就是一份；或自带的配方名：cosplay、sanguo、long……"""
    method_name: Annotated[str, arg(name="method")] = "lora"
    """微调方法：lora、rslora、dora、lora+、pissa、adalora、qlora、ia3、prompt、prefix、freeze、bitfit、full；各自的选项：--method 名字 --help。"""
    fit: str = ""
    """装进多大的内存，如 11GiB：自动选微批次、重算激活、量化和长度，并列出用量。"""
    resume: bool = False
    """从输出目录里最新的检查点接着训练。"""
    settings: Recipe = field(default_factory=Recipe)


def train(argv: list[str]) -> int:
    filed = (
        config.load_recipe(config.find_recipe(path)) if (path := take(argv, "recipe")) else Recipe()
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
    from ..planning.fit import fit, read_bytes
    from ..planning.shapes import find_shape
    from .plan import say_fit, show, this_machine, with_known_type

    device = this_machine() if recipe.model.device == "auto" else recipe.model.device
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


def learn(recipe: Recipe, reporter: Reporter, *, resume: bool) -> Any:
    """`finetune`, with what it may want from above; returns its TrainResult."""
    introduce = introducing(recipe) if recipe.data.introduced or recipe.data.conversations else None
    panel = None
    if recipe.checks.persona_questions:
        from ..evaluation.panel import open_panel

        panel = open_panel(
            Path(recipe.data.train_path).parent,
            recipe.checks.persona_questions,
            canonical=recipe.data.names == "canonical",
        )
    everyday = (
        everyday_texts(recipe, reporter) if recipe.data.replay else []
    )  # last: it may take minutes
    from ..training.finetune import finetune
    from ..training.launch import release_memory

    result = finetune(
        recipe, reporter, resume=resume, everyday=everyday, introduce=introduce, panel=panel
    )
    release_memory()  # who goes on in this process loads models of their own
    return result


def introducing(
    recipe: Recipe,
) -> Callable[[Sequence[Sample], Sequence[Sample], str], tuple[list[Sample], list[Sample]]]:
    """(training, validation) samples as they are played: with who speaks in front, or as conversations with the people of the
    cast beside the training data.

    Raises:
        InputError: there is none.
    """
    from ..apps.cosplay.casting import company_of
    from ..apps.cosplay.lessons import conversations, questions_of
    from ..apps.cosplay.rehearsal import rehearsed
    from ..corpus.cast import by_canonical_names, read_cast

    folder, data, seed = Path(recipe.data.train_path).parent, recipe.data, recipe.train.seed
    cast = read_cast(folder)
    if not cast.people:
        name, value = (
            ("introduced", data.introduced)
            if data.introduced
            else ("conversations", data.conversations)
        )
        raise InputError(
            f"{name}={value} 要知道人物，{str(folder)!r} 里没有 cast 目录",
            f"用 custome corpus build 做语料；或 --{name} 0",
        )
    company = company_of(by_canonical_names(cast) if data.names == "canonical" else cast)

    def introduce(
        train: Sequence[Sample], valid: Sequence[Sample], kind: str
    ) -> tuple[list[Sample], list[Sample]]:
        if not data.conversations:
            return rehearsed(
                train, company, share=data.introduced, novel=kind == "novel", seed=seed
            ), list(valid)
        if kind == "novel":
            raise InputError(
                f"conversations={data.conversations} 是给对话类底座的，这个底座只会接着写",
                "换一个对话类底座，或 --conversations 0",
            )
        made = conversations(
            company, data.conversations, seed=seed, people=data.main_characters or MAIN_CHARACTERS
        )
        return made, questions_of(valid, company)

    return introduce


MAIN_CHARACTERS = 20
"""People whose conversations are learnt where the recipe does not say."""


def everyday_texts(recipe: Recipe, reporter: Reporter) -> list[str]:
    """What the recipe's base writes by itself; kept in the cache, since it is the same for every book."""
    from ..apps.own_words import own_words
    from ..models.sources import fingerprint, resolve_base
    from ..resources import custome_home

    kept = (
        custome_home()
        / "replay"
        / f"{fingerprint(resolve_base(recipe.model.base_model, reporter))}.jsonl"
    )
    if not kept.is_file():
        engine = open_base(recipe.model, reporter)
        write_jsonl(kept, ({"text": text} for text in own_words(engine, reporter)))
        engine.close()
    return [
        json.loads(line)["text"] for line in read_text(kept, "底座写的日常中文").split("\n") if line
    ]


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
    from ..apps.training_run import TrainingRun

    run = TrainingRun(Path(flags.run))
    from ..webui.launch import open_page
    from ..webui.training_page import build_training_page

    page = build_training_page(run)
    open_page(
        page,
        host=flags.host,
        port=flags.port,
        share=False,
        say=lambda line: print(line, flush=True),
        what="训练页",
    )
    return 0


# -- chat, compare --------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Chat:
    """在终端里和书中人聊天。"""

    run: Positional[str]
    """运行目录，如 runs/sanguo。"""
    with_: Annotated[tuple[str, ...], arg(name="with", aliases=["-c", "--character"])] = ()
    """和谁说话，可以几个人；默认是说话最多的人。"""
    as_: Annotated[str, arg(name="as")] = ""
    """你是谁，如 诸葛亮。"""
    chapter: int = 0
    """故事讲到第几回；之后的事他们还不知道。0 是全书。"""
    candidates: int = 0
    """一次写几个候选，挑最像、最切题的；0：llama.cpp 写 8 个，别的引擎写 1 个。"""
    greedy: bool = False
    """每次取最可能的词，答案固定。"""
    chats: str = ""
    """对话存在哪里；默认是缓存目录里的 chats.db。"""
    model: ModelFlags = field(default_factory=ModelFlags)


def chat(argv: list[str]) -> int:
    flags = parse(Chat, argv, "custome chat")
    hosted = open_models([flags.run], flags.model, ConsoleReporter()).hosted
    from ..apps.cosplay.choosing import drawn
    from ..apps.cosplay.play import Play, Scene
    from .serve import open_store
    from .terminal_chat import terminal_chat

    scene = Scene(
        user=flags.as_, as_of=flags.chapter, candidates=flags.candidates or hosted[0].engine.several
    )
    play = Play(lambda: hosted, open_store(flags.chats))
    options = replace(
        drawn(hosted[0].engine.kind, scene.candidates > 1), do_sample=not flags.greedy
    )
    return terminal_chat(play, hosted[0].name, flags.with_, scene, options)


@dataclass(frozen=True, kw_only=True)
class Compare:
    """微调前后并排对比，出 Markdown 和网页。"""

    run: Positional[str]
    """运行目录，如 runs/sanguo。"""
    prompts: str = ""
    """提示文件：每行一句，或 {"context": …, "speaker": …}；默认用内置的一组。"""
    output: Annotated[str, arg(aliases=["-o"])] = ""
    """结果放在哪个目录；默认放进运行目录。"""
    valid_rows: int = config.CheckConfig.eval_samples
    """验证损失最多用多少条。"""
    model: ModelFlags = field(default_factory=ModelFlags)


def compare(argv: list[str]) -> int:
    flags = parse(Compare, argv, "custome compare")
    from ..evaluation.compare import read_prompts

    prompts = read_prompts(Path(flags.prompts) if flags.prompts else None)
    output = Path(flags.output or flags.run)
    compare_run(Path(flags.run), output, prompts, flags.valid_rows, flags.model, ConsoleReporter())
    return 0


def compare_run(
    run: Path,
    output: Path,
    prompts: list[tuple[str, str]],
    valid_rows: int,
    flags: ModelFlags,
    reporter: Reporter,
) -> None:
    """Base against tuned, asked as on the page: tables on the console, files in `output`."""
    from ..corpus.cast import read_cast
    from ..evaluation import compare as effect
    from ..evaluation.answering import Answering

    people = list(dict.fromkeys(speaker for _, speaker in prompts))
    hosted = open_models([str(run)], flags, reporter).hosted[0]
    if hosted.open_base is not None:
        base = hosted.open_base()
        rows = effect.ask_both(
            Answering(base, run, people), Answering(hosted.engine, run, people), prompts, reporter
        )
        base.close()
        hosted.engine.close()
        judge = open_tuned(run, flags, reporter, fast=hosted.engine.kind == "template")
    else:  # what is not by llama.cpp has its base in itself
        judge = (
            hosted.engine if hasattr(hosted.engine, "base") else open_tuned(run, flags, reporter)
        )
        rows = effect.ask_both(
            Answering(judge.base(), run, people), Answering(judge, run, people), prompts, reporter
        )
    valid = effect.valid_samples(run, valid_rows)
    result = effect.compare(
        name_of(str(run)), rows, judge.base(), judge, valid, read_cast(run), reporter
    )
    judge.close()
    reporter.table("", *effect.numbers(result))
    for row in result.rows:
        reporter.note(
            f"{row.context}【{row.speaker or '—'}】\n    底座：{row.replies[0]}\n    微调：{row.replies[1]}"
        )
    markdown, page = effect.write(result, output)
    reporter.note(f"对比表 → {markdown}　{page}")


def open_tuned(run: Path, flags: ModelFlags, reporter: Reporter, *, fast: bool = False) -> Any:
    """A run in transformers, whose adapter can be switched off; `fast` as open_local has it."""
    check_run(run)
    reporter.stage("载入模型")
    return open_local_engine(run, flags, reporter, fast=fast)
