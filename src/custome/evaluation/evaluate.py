"""Runs and their bases, asked the same and measured: what `custome evaluate` prints and writes.

Knows run folders, engines by their protocol, and a corpus to measure against; prints nothing itself.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import __version__, recipe_file
from ..apps.cosplay.prompt import Setting
from ..corpus.folder import CorpusFolder
from ..engine.base import Engine
from ..engine.open import EngineOptions, Opened, name_of
from ..errors import InputError
from ..models.run_folder import ADAPTER_FILES, WEIGHTS_FILE, has_run, read_run
from ..report.render import Table
from ..reporter import Reporter
from ..types import GenerateOptions
from . import persona, scorecard
from .answering import Answering
from .judge import judged
from .panel import reference_of
from .persona import Answer, Question, Reference, Scores
from .sense_table import sense_table
from .stability import stability
from .unfinished import Unfinished, key_of

BASE = "底座"
DRAWN = ("temperature", "top_p", "top_k", "repetition_penalty")
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

    @property
    def as_at_first(self) -> Drawing:
        """As the first release asked: the question as it is, one candidate, no persona and no own lines."""
        usual = {key: getattr(GenerateOptions, key) for key in DRAWN}
        return dataclasses.replace(
            self,
            candidates=1,
            examples=0,
            persona=False,
            as_speech=False,
            contrast_strength=0.0,
            **usual,
        )


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A run, or the base of one, that is asked."""

    name: str
    engine: Engine
    run: Path
    """Has the cast."""
    drawing: Drawing
    is_base: bool = False


@dataclass(frozen=True, kw_only=True)
class Exam:
    """What everybody is asked and measured with."""

    corpus: Path
    reference: Reference
    questions: Sequence[Question]
    folder: Path
    """Where the results are kept."""
    settings: str = ""
    """What else results depend on: the engine's options, the program's version."""

    @property
    def state(self) -> str:
        """Changes whenever an answer or a measure might."""
        reference = self.reference
        known = (reference.names, reference.real, dict(reference.aliases), reference.book)
        asked = [(one.text, one.paraphrase) for one in self.questions]
        return key_of(str(self.corpus), self.settings, known, asked)

    @property
    def people(self) -> list[str]:
        return list(self.reference.names)


@dataclass(kw_only=True)
class Results:
    """Scores and replies of everybody asked so far."""

    scores: list[Scores]
    """Real quotations first, then in the order of `said`."""
    said: list[tuple[str, list[Answer]]] = field(default_factory=list)
    facts: list[tuple[str, list[Answer]]] = field(default_factory=list)
    """What was said of the book."""
    seed: list[tuple[str, list[str]]] = field(default_factory=list)
    """Replies to the original project's prompts."""


def make_exam(
    runs: Sequence[str], corpus: str, questions: int, output: str, options: EngineOptions
) -> Exam:
    """An exam for these runs.

    Args:
        corpus: a folder; '' for the one that the first run learnt from.
        questions: of each kind at most; 0 all.
        output: a folder; '' for the first run's.
    """
    folder = Path(corpus) if corpus else corpus_of(Path(runs[0]))
    return Exam(
        corpus=folder,
        reference=reference_of(folder),
        questions=persona.some_questions(questions),
        folder=Path(output or runs[0]),
        settings=f"{__version__} {options}",
    )


def contestants(
    runs: Sequence[str],
    opened: Opened,
    drawing: Drawing,
    reporter: Reporter,
    *,
    bases: Mapping[str, int],
    plain: Sequence[str] = (),
) -> list[Contestant]:
    """The bases, then the runs.

    Args:
        bases: see `bases_of`.
        plain: names of those that are asked as at first; 底座 stands for every base.
    """
    at_first = {*plain, *(bases if BASE in plain else [])}

    def drawing_of(name: str) -> Drawing:
        return drawing.as_at_first if name in at_first else drawing

    found = []
    for title, place in bases.items():
        if (opener := opened.hosted[place].open_base) is None:
            reporter.note(f"{title}没有 GGUF，或不在 CPU 上：这次不问没微调的底座")
            continue
        found.append(
            Contestant(
                name=title,
                engine=opener(),
                run=Path(runs[place]),
                drawing=drawing_of(title),
                is_base=True,
            )
        )
    for one, run in zip(opened.hosted, runs, strict=True):
        found.append(
            Contestant(
                name=one.name, engine=one.engine, run=Path(run), drawing=drawing_of(one.name)
            )
        )
    return found


def bases_of(runs: Sequence[str]) -> dict[str, int]:
    """Every base that a run was made of: its title in the tables → the place of the first such run."""
    places: dict[str, int] = {}
    for place, run in enumerate(runs):
        places.setdefault(read_run(Path(run)).base_model, place)
    if len(places) == 1:
        return {BASE: 0}
    alike = len({Path(base).name for base in places}) < len(places)
    return {f"{BASE} {base if alike else Path(base).name}": place for base, place in places.items()}


def check_plain(plain: Sequence[str], runs: Sequence[str], bases: Mapping[str, int]) -> None:
    """Raise InputError for a name in `plain` that nobody compared has."""
    compared = [*bases, *map(name_of, runs)]
    if unknown := set(plain) - {*compared, *([BASE] if bases else [])}:
        raise InputError(
            f"--plain 里的 {min(unknown)!r} 不在要比的里面", f"有：{'、'.join(compared)}"
        )


def ask_everybody(
    exam: Exam, contestants: Sequence[Contestant], unfinished: Unfinished, reporter: Reporter
) -> Results:
    """Ask and measure one after the other; who was asked before an interruption is not asked again."""
    results = Results(scores=[persona.measure_real(exam.reference)])
    for one in contestants:
        key = key_of(one.name, exam.state, one.drawing, _state(one))
        reporter.stage(f"{one.name}：{len(exam.questions)} 问 × {len(exam.people)} 人")
        if unfinished.has(key):
            reporter.note("上次问过了，接着往下")
        found = unfinished.once(key, lambda one=one: _ask_one(exam, one, reporter))  # type: ignore[misc]
        one.engine.close()
        results.scores.append(scorecard.score_of(found["score"]))
        results.said.append((one.name, [Answer(**row) for row in found["answers"]]))
        results.facts.append((one.name, [Answer(**row) for row in found["facts"]]))
        results.seed.append((one.name, found["seed"]))
    texts = [[text for _, text in exam.reference.real]]
    texts += [[answer.text for answer in some] for _, some in results.said]
    results.scores = persona.on_as_many(results.scores, texts)
    return results


def _state(one: Contestant) -> str:
    """What changes when a run is trained anew."""
    weights = [one.run / name for name in (ADAPTER_FILES[1], WEIGHTS_FILE)]
    written = [path.stat().st_mtime_ns for path in weights if path.is_file()]
    base = read_run(one.run).base_fingerprint if has_run(one.run) else ""
    return f"{one.run.resolve()} {base} {one.is_base or written}"


def _ask_one(exam: Exam, one: Contestant, reporter: Reporter) -> dict[str, Any]:
    """Scores and replies of one contestant, as JSON."""
    seed = persona.seed_prompts()
    answerer = answering(one.engine, one.run, one.drawing, exam.people)
    answers = persona.ask(answerer, exam.people, exam.questions, reporter)
    replies = answerer([(row["context"], row["speaker"]) for row in seed], False)
    score = persona.measure(one.name, answers, exam.reference)
    stable, paraphrase = stability(answerer, exam.people, exam.questions, reporter)
    right, facts = persona.knows(answerer, exam.reference, reporter)
    score = dataclasses.replace(
        score,
        stable=stable,
        paraphrase=paraphrase,
        facts=right,
        forgetting=0.0 if one.is_base else _forgetting(one.run),
    )
    return {
        "score": scorecard.score_row(score),
        "answers": [dataclasses.asdict(answer) for answer in answers],
        "facts": [dataclasses.asdict(answer) for answer in facts],
        "seed": [reply.text for reply in replies],
    }


def answering(engine: Engine, run: Path, drawing: Drawing, people: Sequence[str]) -> Answering:
    """A run's people, played as `drawing` says."""
    setting = Setting(
        examples=drawing.examples,
        persona=drawing.persona,
        as_speech=drawing.as_speech,
        contrast_strength=drawing.contrast_strength,
    )
    unusual = {
        key: value for key in DRAWN if (value := getattr(drawing, key)) != getattr(Drawing, key)
    }
    return Answering(
        engine,
        run,
        people,
        setting,
        candidates=drawing.candidates,
        others=[row["speaker"] for row in persona.seed_prompts()],
        drawing=unusual,
        seed=drawing.seed,
    )


def under_the_base(
    exam: Exam, results: Results, run: Path, unfinished: Unfinished, reporter: Reporter
) -> None:
    """Add what the run's base thinks of the replies: do they answer, are they of the book."""
    real = [
        Answer(question="", kind="", name=name, text=text) for name, text in exam.reference.real
    ]
    said = [(persona.REAL, real), *results.said]
    info = read_run(run)

    def ask() -> list[tuple[float, float]]:
        from ..engine.open_local import open_local

        reporter.stage("互信息、文体（底座，transformers）")
        base = open_local(
            run=None, base_model=info.base_model, chat_format=info.chat_format, reporter=reporter
        )
        found = [persona.under_the_base(base, answers, reporter) for _, answers in said]
        base.close()
        return found

    key = key_of("under the base", info.base_fingerprint, info.chat_format, said)
    found = unfinished.once(key, ask)
    results.scores = [
        dataclasses.replace(one, information=information, style=style)
        for one, (information, style) in zip(results.scores, found, strict=True)
    ]


def add_marks(critic: Engine, results: Results, reporter: Reporter) -> None:
    """Add the marks of a larger model; real quotations answer nothing and get none."""
    reporter.stage(f"裁判：{critic.name}")
    real, *others = results.scores
    results.scores = [
        real,
        *(
            dataclasses.replace(one, judged=judged(critic, answers, reporter))
            for one, (_, answers) in zip(others, results.said, strict=True)
        ),
    ]


def sense_tables(
    exam: Exam,
    results: Results,
    judges: Sequence[str],
    most: int,
    unfinished: Unfinished,
    reporter: Reporter,
) -> list[Table]:
    """What untuned bases make of the replies, a table each."""
    tables = []
    for name in judges:
        key = key_of(f"sense {name}", most, exam.state, results.seed, results.said)
        table = unfinished.once(
            key,
            lambda name=name: sense_table(  # type: ignore[misc]
                name, exam.corpus, results.seed, results.said, most, reporter
            ),
        )
        tables.append(table)
    return tables


def publish(exam: Exam, results: Results, senses: Sequence[Table], reporter: Reporter) -> None:
    """Tables for the reporter, files in the exam's folder."""
    reporter.table("", *scorecard.table(results.scores))
    for shown in (*scorecard.more_tables(results.scores), *senses):
        reporter.table("", *shown)
    seed = scorecard.seed_table(persona.seed_prompts(), results.seed)
    for row in seed[1]:
        reporter.note(" | ".join(row))
    facts = [(f"{name}：书里的事", some) for name, some in results.facts if some]
    markdown, page = scorecard.write(
        exam.folder,
        results.scores,
        [*results.said, *facts],
        "、".join(name for name, _ in results.said) + "：演得像不像",
        seed,
        senses,
    )
    reporter.note(f"打分表 → {markdown}　{page}")


def corpus_of(run: Path) -> Path:
    """The corpus that a run learnt from.

    Raises:
        InputError: it is not there any more.
    """
    recipe = recipe_file.load_recipe(run / "recipe.yaml")
    folder = Path(read_run(run).started_in or ".") / recipe.corpus_folder
    if not CorpusFolder(folder).is_corpus:
        raise InputError(
            f"找不到 {str(run)!r} 训练时的语料（{folder}）", "用 --corpus 指出语料目录"
        )
    return folder


def _forgetting(run: Path) -> float:
    """Perplexity of the probe at the step whose weights are in the run, against the base."""
    seen: dict[int, float] = {}
    path = run / "metrics.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        row = json.loads(line)
        if "probe_perplexity" in row:
            seen[row["step"]] = row["probe_perplexity"]
    best = read_run(run).results.get("best_step")
    return seen[best] / seen[0] - 1 if best in seen and 0 in seen else float("nan")
