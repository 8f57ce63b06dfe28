"""`custome evaluate`: how well runs play their people, in numbers beside the base and real quotations."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from .. import recipe_file
from ..apps.cosplay.prompt import Setting
from ..corpus.folder import CorpusFolder
from ..engine.open import EngineOptions, name_of, open_models
from ..errors import InputError
from ..reporter import ConsoleReporter, Reporter
from ..types import GenerateOptions
from .flags import parse

BASE = "底座"
_DRAWN = ("temperature", "top_p", "top_k", "repetition_penalty")
"""How replies are drawn: fields of Drawing and of GenerateOptions."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """怎么演。"""

    candidates: int = 8
    """一次写几个候选，挑最像、最切题的。"""
    examples: int = 2
    """给模型看几句本人的话。"""
    persona: bool = True
    """告诉模型这人是谁。"""
    as_speech: bool = True
    """把问题写成书里有人在问。"""
    contrast_strength: float = Setting.contrast_strength
    """写的时候让他自己的用词更容易出现的程度；0 不管。"""
    temperature: float = 0.0
    """0：按底座的种类，和聊天页一样；下面三项也是。"""
    top_p: float = 0.0
    top_k: int = -1
    repetition_penalty: float = 0.0
    seed: int = 7
    """采样的种子。"""


@dataclass(frozen=True, kw_only=True)
class Judging:
    """再请一个更大的模型打分。"""

    judge_url: str = ""
    """OpenAI 兼容的地址，如 http://127.0.0.1:8000/v1；不给就不请。"""
    judge_model: str = ""
    """那边的模型名；默认是它列出的第一个。"""
    judge_key_file: str = ""
    """密钥在哪个文件里；默认用环境变量 OPENAI_API_KEY。"""
    judge_plain: bool = False
    """只送 OpenAI 自己的参数；OpenAI 官方的 API 要这样。"""


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """演得像不像：十二个人物、一百二十个问题，和底座、真实引文并排。"""

    runs: Positional[tuple[str, ...]]
    """运行目录，可以给几个。"""
    corpus: str = ""
    """语料目录，真实引文从它没用来训练的章节里取；默认是第一个运行目录训练时用的。"""
    questions: int = 0
    """每类最多问几个；0 全问。"""
    base: bool = True
    """也问没微调的底座。"""
    information: bool = True
    """算互信息和文体（要用 transformers 载入底座，几分钟）。"""
    sense: tuple[str, ...] = ()
    """通不通情理：请这些没微调的底座来读（如 qwen2.5-coder-1.5b qwen2.5-coder-0.5b；transformers 载入，十几分钟一个），先用真实的问答检验裁判。"""
    sense_answers: int = 60
    """每个运行目录有多少个回答给裁判读。"""
    plain: tuple[str, ...] = ()
    """哪些照最初的样子问（运行目录名，或 底座）：问题原样，一个候选，不给人设和本人的话。"""
    output: Annotated[str, arg(aliases=["-o"])] = ""
    """结果放在哪个目录；默认放进第一个运行目录。"""
    play: Drawing = field(default_factory=Drawing)
    judge: Judging = field(default_factory=Judging)
    model: EngineOptions = field(default_factory=EngineOptions)


def evaluate(argv: list[str]) -> int:
    flags = parse(Evaluate, argv, "custome evaluate")
    if not flags.runs:
        raise InputError("没有给运行目录", "例如：custome evaluate runs/sanguo")
    from ..evaluation import persona, scorecard
    from ..evaluation.panel import judge_of

    reporter, bases = ConsoleReporter(), _bases(flags.runs) if flags.base else {}
    compared = [*bases, *map(name_of, flags.runs)]
    if unknown := set(flags.plain) - {*compared, *([BASE] if bases else [])}:
        raise InputError(
            f"--plain 里的 {min(unknown)!r} 不在要比的里面", f"有：{'、'.join(compared)}"
        )
    as_at_first = {*flags.plain, *(bases if BASE in flags.plain else [])}
    plain = dataclasses.replace(
        flags.play,
        candidates=1,
        examples=0,
        persona=False,
        as_speech=False,
        contrast_strength=0.0,
        **{key: getattr(GenerateOptions, key) for key in _DRAWN},
    )  # as at first
    opened = open_models(flags.runs, flags.model, reporter)
    critic = _critic(flags.judge)  # a wrong address is said before the questions are asked
    judge = judge_of(Path(flags.corpus) if flags.corpus else _corpus_of(Path(flags.runs[0])))
    asked = persona.some_questions(flags.questions)
    output = Path(flags.output or flags.runs[0])
    people, seed, seed_rows = list(judge.names), persona.seed_prompts(), []
    scores, said, learnt = [persona.measure_real(judge)], [], []
    players = [
        (one.name, one.engine, Path(run))
        for one, run in zip(opened.hosted, flags.runs, strict=True)
    ]
    for title, place in reversed(bases.items()):
        if (opener := opened.hosted[place].open_base) is not None:
            players.insert(0, (title, opener(), Path(flags.runs[place])))
        else:
            reporter.note(f"{title}没有 GGUF，或不在 CPU 上：这次不问没微调的底座")
    for name, engine, run in players:
        reporter.stage(f"{name}：{len(asked)} 问 × {len(people)} 人")
        answerer = answering(engine, run, plain if name in as_at_first else flags.play, people)
        answers = persona.ask(answerer, people, asked, reporter)
        replies = answerer([(row["context"], row["speaker"]) for row in seed], False)
        seed_rows.append((name, [reply.text for reply in replies]))
        score = persona.measure(name, answers, judge)
        stable, paraphrase = persona.stability(answerer, people, asked, reporter)
        facts, told_facts = persona.knows(answerer, judge, reporter)
        forgetting = _forgetting(run) if name not in bases else 0.0
        scores.append(
            dataclasses.replace(
                score, stable=stable, paraphrase=paraphrase, facts=facts, forgetting=forgetting
            )
        )
        said.append((name, answers))
        learnt.append((name, told_facts))
        engine.close()
        scorecard.keep(output, scores, said)  # what is there so far, should the rest fail
    scores = persona.on_as_many(
        scores, [[text for _, text in judge.real], *([a.text for a in some] for _, some in said)]
    )
    if flags.information:
        real = [
            persona.Answer(question="", kind="", name=name, text=text) for name, text in judge.real
        ]
        scores = _under_the_base(
            scores, [(persona.REAL, real), *said], Path(flags.runs[0]), reporter
        )
    if critic is not None:
        scores = _judged(critic, scores, said, reporter)
    corpus = Path(flags.corpus) if flags.corpus else _corpus_of(Path(flags.runs[0]))
    senses = [
        _sense_table(name, corpus, seed_rows, said, flags.sense_answers, reporter)
        for name in flags.sense
    ]
    reporter.table("", *scorecard.table(scores))
    for shown in (*scorecard.more_tables(scores), *senses):
        reporter.table("", *shown)
    told = scorecard.seed_table(seed, seed_rows)
    for row in told[1]:
        reporter.note(" | ".join(row))
    title = "、".join(name for name, _ in said) + "：演得像不像"
    markdown, page = scorecard.write(
        output,
        scores,
        [*said, *((f"{name}：书里的事", some) for name, some in learnt if some)],
        title,
        told,
        senses,
    )
    (output / scorecard.PARTIAL).unlink(missing_ok=True)
    reporter.note(f"打分表 → {markdown}　{page}")
    return 0


def _bases(runs: Sequence[str]) -> dict[str, int]:
    """Every base that a run was made of: its title in the tables → the place of the first such run."""
    from ..models.run_folder import read_run

    places: dict[str, int] = {}
    for place, run in enumerate(runs):
        places.setdefault(read_run(Path(run)).base_model, place)
    if len(places) == 1:
        return {BASE: 0}
    alike = len({Path(base).name for base in places}) < len(places)
    return {f"{BASE} {base if alike else Path(base).name}": place for base, place in places.items()}


def answering(engine: Any, run: Path, play: Drawing, people: Sequence[str]) -> Any:
    """A run's people, played so."""
    from ..evaluation.answering import Answering
    from ..evaluation.persona import seed_prompts

    setting = Setting(
        examples=play.examples,
        persona=play.persona,
        as_speech=play.as_speech,
        contrast_strength=play.contrast_strength,
    )
    drawing = {
        key: value for key in _DRAWN if (value := getattr(play, key)) != getattr(Drawing, key)
    }
    others = [row["speaker"] for row in seed_prompts()]
    return Answering(
        engine,
        run,
        people,
        setting,
        candidates=play.candidates,
        others=others,
        drawing=drawing,
        seed=play.seed,
    )


def _corpus_of(run: Path) -> Path:
    from ..models.run_folder import read_run

    recipe = recipe_file.load_recipe(run / "recipe.yaml")
    folder = Path(read_run(run).started_in or ".") / recipe.corpus_folder
    if not CorpusFolder(folder).is_corpus:
        raise InputError(
            f"找不到 {str(run)!r} 训练时的语料（{folder}）", "用 --corpus 指出语料目录"
        )
    return folder


def _forgetting(run: Path) -> float:
    """Perplexity of the probe at the step that was kept, against the base."""
    from ..models.run_folder import read_run

    seen: dict[int, float] = {}
    path = run / "metrics.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        row = json.loads(line)
        if "probe_perplexity" in row:
            seen[row["step"]] = row["probe_perplexity"]
    best = read_run(run).results.get("best_step")
    return seen[best] / seen[0] - 1 if best in seen and 0 in seen else float("nan")


def _under_the_base(scores: Any, said: Any, run: Path, reporter: Reporter) -> Any:
    """The scores, in the order of `said`, with what the base model thinks of them."""
    from ..engine.open_local import open_local
    from ..evaluation import persona
    from ..models.run_folder import read_run

    reporter.stage("互信息、文体（底座，transformers）")
    info = read_run(run)
    base = open_local(
        run=None, base_model=info.base_model, chat_format=info.chat_format, reporter=reporter
    )
    found = [persona.under_the_base(base, answers, reporter) for _, answers in said]
    base.close()
    return [
        dataclasses.replace(one, information=information, style=style)
        for one, (information, style) in zip(scores, found, strict=True)
    ]


def _sense_table(
    judge_name: str,
    corpus: Path,
    seed_rows: Sequence[tuple[str, Sequence[str]]],
    said: Any,
    most: int,
    reporter: Reporter,
) -> Any:
    """What an untuned base makes of the original's answers, the runs' answers to the same prompts and to ours, and real ones."""
    from ..engine.open_local import open_local
    from ..evaluation import persona, sense

    reporter.stage(f"通不通情理：{judge_name} 来读")
    judge = open_local(run=None, base_model=judge_name, reporter=reporter, fast=True)
    seed = persona.seed_prompts()
    some = [("最初的 32 条：ChatGLM-6B", [row["reply"] for row in seed])]
    some += [(f"最初的 32 条：{name}", list(texts)) for name, texts in seed_rows]
    rows = [
        (
            title,
            [
                persona.Answer(question=row["context"], kind="seed", name=row["speaker"], text=text)
                for row, text in zip(seed, texts, strict=True)
            ],
        )
        for title, texts in some
    ]
    rows += [(f"我们的问题：{name}", persona.spread(answers, most)) for name, answers in said]
    checked = sense.calibrate(judge, sense.real_dialogues(corpus, most), reporter)
    asks = checked.trusted(
        "direct"
    )  # who cannot tell real answers from mixed-up ones is not asked about others
    found = [
        ("书里真实的问答", checked.real),
        *(
            (title, sense.sense_of(judge, answers, reporter, direct=asks))
            for title, answers in rows
        ),
    ]
    judge.close()
    cells = [
        (
            title,
            f"{m['wins']:.2f}",
            f"{m['information']:.2f}",
            f"{m['language']:.2f}",
            f"{m['direct']:+.2f}" if "direct" in m else "—",
        )
        for title, m in ((title, one.means()) for title, one in found)
    ]
    areas = [
        f"{area:.2f}（{low:.2f}–{high:.2f}）{'' if area >= sense.GOOD_JUDGE else ' 不可信'}"
        for area, low, high in checked.areas.values()
    ]
    cells.append(
        (
            f"裁判本身：真实的和张冠李戴的分得开（曲线下面积，{checked.pairs} 对）",
            "—",
            areas[0],
            "—",
            areas[1],
        )
    )
    return (
        judge_name,
        "自己的问题最像",
        "切题，nat/字",
        "不像话，nat/字",
        "直接问，对数优势",
    ), cells


def _critic(judging: Judging) -> Any:
    """The model that judges, None where none is asked for."""
    if not judging.judge_url:
        return None
    from ..engine.open import open_remote

    return open_remote(
        judging.judge_url, judging.judge_model, judging.judge_key_file, plain=judging.judge_plain
    )


def _judged(critic: Any, scores: Any, said: Any, reporter: Reporter) -> Any:
    """The scores with what a judge gives; real quotations answer nothing and are not judged."""
    from ..evaluation.judge import judged

    reporter.stage(f"裁判：{critic.name}")
    real, *others = scores
    return [
        real,
        *(
            dataclasses.replace(one, judged=judged(critic, answers, reporter))
            for one, (_, answers) in zip(others, said, strict=True)
        ),
    ]
