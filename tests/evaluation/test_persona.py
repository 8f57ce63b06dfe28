"""What a model's replies are measured by: every number on texts where it is known, and the whole command on a tiny run."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from custome.cli.app import main
from custome.engine.scripted import ScriptedEngine
from custome.errors import EngineError
from custome.evaluation import evaluate, measures, persona, scorecard, unfinished
from custome.evaluation.evaluate import bases_of
from custome.evaluation.judge import judged, rubrics
from custome.evaluation.panel import reference_of
from custome.evaluation.persona import ASSISTANT, REAL, Answer, Question, Scores
from custome.evaluation.stability import stability
from custome.reporter import NullReporter, Reporter
from custome.training.finetune import finetune
from custome.types import Reply, Request, Score
from tiny import make_recipe

RULES = persona.shipped("cast.json")["out_of_role"]
NAMES = {"曹操": ("孟德",), "诸葛亮": ("孔明", "卧龙")}


def answer(name: str, text: str, question: str = "如何？", kind: str = "situation") -> Answer:
    return Answer(question=question, kind=kind, name=name, text=text)


def reply(text: str) -> Reply:
    return Reply(text=text, prompt_tokens=1, completion_tokens=len(text), finish_reason="stop")


# -- one number at a time ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("作为一个人工智能，我没有感情。", "人工智能"),
        ("丞相可用手机问之。", "手机"),
        ("吾乃孔明也。", "吾乃孔明也"),
        ("吾乃孟德是也。", ""),
        ("某乃常山人。", ""),
        ("此计大妙。", ""),
    ],
)
def test_what_falls_out_of_the_role(text: str, found: str):
    assert measures.out_of_role(text, "曹操", RULES, NAMES) == found


def test_what_the_question_said_may_be_repeated(corpus: Path):
    judge = reference_of(corpus)
    asked = "老板让我加班怎么办？"
    kept = persona.measure(
        "甲", [answer("张大牛", "加班便加班，俺怕甚老板！", asked, "modern")], judge
    )
    fell = persona.measure(
        "乙", [answer("张大牛", "加班便加班，俺去医院！", asked, "modern")], judge
    )
    assert (kept.in_role, kept.in_role_modern) == (1, 1) and (
        fell.in_role,
        fell.in_role_modern,
    ) == (0, 0)


def test_nearly_the_same_across_people_and_across_questions():
    texts, who = (
        ["吾有一计，可解此患。", "吾有一计，可解此患也。", "俺只要吃酒肉去。"],
        ["甲", "乙", "甲"],
    )
    assert measures.nearly_same(texts, who) == [True, True, False]
    assert (
        measures.nearly_same(texts, ["甲", "甲", "甲"]) == [False] * 3
        and measures.nearly_same(texts)[0]
    )


def test_variety():
    same, other = (
        ["吾有一计可解此患"] * 4,
        ["吾有一计可解此患", "俺只要吃酒", "小人不敢", "风云花鸟金木"],
    )
    assert measures.self_bleu(same) == pytest.approx(1) and measures.self_bleu(other) < 0.01
    assert measures.distinct(same) == 0.25 and measures.distinct(other) == 1
    assert measures.distinct(same, among=7) == 1  # as many pairs for all


def test_what_is_recited_and_what_is_said_twice():
    book = measures.letters("却说曹操大笑曰：“吾有一计，可解此患。”众皆拜服。")
    assert measures.longest_run("有一计、可解，此事不难。", book) == 6  # marks are nobody's words
    assert measures.longest_run("不知", book) == 0 and measures.longest_run("", book) == 0
    assert measures.same(["善。", "善", "不可。", "妙"]) == 0.5


def test_facts_are_asked_of_those_who_are_there(corpus: Path):
    judge = replace(reference_of(corpus), aliases={"关羽": ("云长",)})
    asked = [row for row in persona.facts() if row["name"] == "关羽"]
    share, said = persona.knows(
        lambda jobs, greedy: [reply(f"那自然是{asked[0]['right'][0]}。")] * len(jobs),
        judge,
        NullReporter(),
    )
    assert share == 1 / len(asked) and [one.kind for one in said][:2] == ["fact:1", "fact:0"]
    assert len(persona.facts()) == 50 and all(row["right"] for row in persona.facts())
    nobody = replace(judge, aliases={})
    assert math.isnan(persona.knows(lambda jobs, greedy: [], nobody, NullReporter())[0])


def test_whoever_talks_like_the_book_scores_and_real_quotations_are_the_ceiling(corpus: Path):
    judge = reference_of(corpus)
    own = persona.measure(
        "像", [answer("张大牛", "俺怕甚酒肉，吃"), answer("李小二", "小人不敢吃酒")], judge
    )
    swapped = persona.measure(
        "反", [answer("李小二", "俺怕甚酒肉，吃"), answer("张大牛", "小人不敢吃酒")], judge
    )
    assert own.voice == 1 and swapped.voice == 0 and persona.measure_real(judge).voice > 0.9


class Likelihoods(ScriptedEngine):
    """A base to which a reply costs what stands in front of it says."""

    def score(self, requests: Sequence[Request], replies: Sequence[str]) -> list[Score]:
        cost = {"": 3.0, ASSISTANT: 5.0}
        return [
            Score(logprob=-cost.get(request.messages[0].content, 2.0) * len(text), tokens=len(text))
            for request, text in zip(requests, replies, strict=True)
        ]


def test_information_and_style_are_gains_a_character():
    said = [answer("曹操", "吾自有妙计"), answer("诸葛亮", "亮夜观天象", "今夜如何？")]
    assert persona.under_the_base(Likelihoods(), said, NullReporter()) == pytest.approx((1.0, 2.0))
    information, style = persona.under_the_base(
        Likelihoods(), [answer("曹操", "吾自有妙计", "")], NullReporter()
    )
    assert math.isnan(information) and style == pytest.approx(2.0)


@pytest.mark.parametrize(("respells", "stable"), [(False, 1.0), (True, 0.0)])
def test_another_spelling_must_not_change_a_greedy_reply(respells: bool, stable: float):
    greedy: list[bool] = []

    def answerer(jobs: Sequence[tuple[str, str]], greedily: bool) -> list[Reply]:
        greedy.append(greedily)
        return [reply(text if respells else "此事容后再议") for text, _ in jobs]

    asked = [Question(kind="modern", text="国家要怎样，才能富强？", paraphrase="富国强民之策？")]
    share, likeness = stability(answerer, ["曹操"], asked, NullReporter())
    assert share == stable and all(greedy) and (likeness == 1) == (not respells)


def test_the_questions_are_as_many_as_promised():
    asked = persona.questions()
    assert len(asked) == 120 and len({one.text for one in asked}) == 120
    assert {one.kind for one in asked} == {"situation", "modern", "small", "book", "provoke"}
    assert len(persona.shipped("cast.json")["cast"]) == 12 and len(persona.some_questions(3)) == 15


# -- beside each other -------------------------------------------------------------------------------------------------


def test_the_page_shows_shares_of_real_quotations_and_runs_nothing(tmp_path: Path):
    real = Scores(
        name=REAL, voice=0.5, near=0, repeated=0, distinct2=0.8, self_bleu=0.01, length=30
    )
    run = replace(
        real,
        name="<b>我</b>",
        voice=0.4,
        length=15,
        trios={"甲、乙、丙": 0.5},
        by_person={"甲": 0.4},
    )
    head, rows = scorecard.table([real, run])
    assert head == ("", REAL, "<b>我</b>") and rows[0] == ("像不像", "50.0%", "40.0%（0.80）")
    told = scorecard.seed_table(
        [{"context": "救猫？", "speaker": "曹操", "reply": "旧答"}], [("<b>我</b>", ["新答"])]
    )
    paths = scorecard.write(
        tmp_path, [real, run], [("<b>我</b>", [answer("甲", "<script>1</script>")])], "题<i>", told
    )
    page = paths[1].read_text(encoding="utf-8")
    assert (
        "<script>" not in page
        and "&lt;script&gt;" in page
        and "<b>我" not in page
        and "http" not in page
    )
    kept = json.loads((tmp_path / "evaluate.json").read_text(encoding="utf-8"))
    assert (
        kept["scores"][0]["information"] is None and kept["answers"]["<b>我</b>"][0]["name"] == "甲"
    )
    assert "| 救猫？ | 曹操 | 旧答 | 新答 |" in paths[0].read_text(encoding="utf-8")


def test_a_judge_scores_every_rubric_and_one_that_does_not_is_named():
    said = [answer("曹操", "吾自有妙计")] * 3
    judge = ScriptedEngine(['好的：{"score": 4}', '{"score": 2}', '{"score": 3}'])
    assert judged(judge, said, NullReporter()) == {rubric.name: 3 for rubric in rubrics()}
    assert "吾自有妙计" in judge.requests[0].messages[0].content and len(rubrics()) == 5
    with pytest.raises(EngineError, match="没有给分"):
        judged(ScriptedEngine(['{"score": 9}']), said, NullReporter())


def test_every_base_that_a_run_was_made_of_is_asked_once(monkeypatch):
    bases = {"a": "qwen2.5-coder-1.5b", "b": "/x/gemma", "c": "qwen2.5-coder-1.5b", "d": "/y/gemma"}
    monkeypatch.setattr(
        evaluate, "read_run", lambda run: SimpleNamespace(base_model=bases[run.name])
    )
    assert bases_of(["a", "c"]) == {"底座": 0}
    assert bases_of(["a", "b", "c"]) == {"底座 qwen2.5-coder-1.5b": 0, "底座 gemma": 1}
    assert bases_of(["b", "d"]) == {"底座 /x/gemma": 0, "底座 /y/gemma": 1}


def test_an_evaluation_that_was_interrupted_goes_on_where_it_was(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[str] = []
    ask = evaluate._ask_one

    def one_by_one(exam: evaluate.Exam, one: evaluate.Contestant, reporter: Reporter) -> dict:
        asked.append(one.name)
        if asked == ["甲", "乙"]:
            raise KeyboardInterrupt
        return ask(exam, one, reporter)

    monkeypatch.setattr(evaluate, "_ask_one", one_by_one)
    exam = evaluate.Exam(
        corpus=corpus,
        reference=reference_of(corpus),
        questions=persona.some_questions(1),
        folder=tmp_path / "out",
    )
    two = [
        evaluate.Contestant(
            name=name,
            engine=ScriptedEngine(["小人不敢"]),
            run=corpus,
            drawing=evaluate.Drawing(candidates=1),
            is_base=True,
        )
        for name in ("甲", "乙")
    ]
    with pytest.raises(KeyboardInterrupt):
        evaluate.ask_everybody(exam, two, unfinished.Unfinished(exam.folder), NullReporter())
    found = evaluate.ask_everybody(exam, two, unfinished.Unfinished(exam.folder), NullReporter())
    assert asked == ["甲", "乙", "乙"]
    assert [score.name for score in found.scores] == [persona.REAL, "甲", "乙"]
    assert found.said[0][1][0].text == "小人不敢" and len(found.seed[0][1]) == 32
    other = replace(exam, questions=persona.some_questions(2))  # another exam begins anew
    evaluate.ask_everybody(other, two, unfinished.Unfinished(exam.folder), NullReporter())
    assert asked[3:] == ["甲", "乙"]


def test_a_partial_file_that_cannot_be_read_is_begun_anew(tmp_path: Path):
    (tmp_path / unfinished.FILE).write_text("{half", "utf-8")
    steps = unfinished.Unfinished(tmp_path)
    assert not steps.has("a") and steps.once("a", lambda: 1) == 1
    assert unfinished.Unfinished(tmp_path).once("a", lambda: 2) == 1
    steps.finish()
    assert not unfinished.Unfinished(tmp_path).has("a")


# -- the whole command -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_its_base_and_real_quotations_in_one_table(
    corpus: Path,
    gguf_runs: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    base = gguf_runs["east"].parents[1] / "gguf" / "first-f32.gguf"
    data = {"train_path": str(corpus / "dialogues_train.jsonl"), "names": "canonical"}
    finetune(make_recipe(base, tmp_path / "run", steps=2, data=data), NullReporter())
    critics: list[tuple[str, ...]] = []

    def critic(url: str, model: str, key_file: str, *, plain: bool) -> ScriptedEngine:
        critics.append((url, model, key_file))
        return ScriptedEngine(['{"score": 4}'])

    monkeypatch.setattr("custome.engine.open.open_remote", critic)
    words = [
        "evaluate",
        str(tmp_path / "run"),
        "--questions",
        "1",
        "--plain",
        "底座",
        "--candidates",
        "3",
    ]
    assert main([*words, "--judge-url", "http://127.0.0.1:1/v1", "--judge-model", "big"]) == 0
    told = capsys.readouterr().out
    assert (
        "像不像" in told
        and REAL in told
        and "底座" in told
        and critics == [("http://127.0.0.1:1/v1", "big", "")]
    )
    kept = json.loads((tmp_path / "run" / "evaluate.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in kept["scores"]] == [REAL, "底座", "run"]
    assert all(
        len(some) == 10 for some in kept["answers"].values()
    )  # five kinds of questions, two people
    real, bare, run = kept["scores"]
    assert None not in [run[key] for key in ("information", "style", "stable", "voice")]
    assert real["style"] is not None and set(bare["judged"].values()) == {4} and not real["judged"]
    assert "裁判打分" in (tmp_path / "run" / "evaluate.html").read_text(encoding="utf-8")
    assert not (tmp_path / "run" / unfinished.FILE).exists()
    assert main(["evaluate", str(tmp_path / "run"), "--plain", "nobody"]) == 2
    assert "'nobody'" in capsys.readouterr().err
