"""Training on a tiny base: it learns, stops, resumes, refuses, and never saves an adapter that does nothing."""

from __future__ import annotations

import dataclasses
import json
import math
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from custome.corpus.build import build
from custome.errors import InputError, RecipeError, RunError, TrainingError
from custome.models.run_folder import read_run
from custome.recipe_file import dump
from custome.reporter import NullReporter
from custome.training.finetune import finetune
from custome.training.run_samples import load_samples
from custome.tuning_methods import FullConfig, LoraConfig
from tiny import PEOPLE, any_port, make_recipe, make_tiny_rows


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter_model.safetensors")


def assert_same_weights(one: Path, two: Path) -> None:
    first, second = weights(one), weights(two)
    assert set(first) == set(second)
    for name in first:
        assert torch.equal(first[name], second[name]), name


@pytest.fixture(scope="module")
def straight(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run from start to end, with dropout so that randomness matters."""
    folder = tmp_path_factory.mktemp("straight") / "run"
    finetune(
        make_recipe(tiny_base, folder, method=LoraConfig(lora_r=4, lora_alpha=8, lora_dropout=0.1)),
        NullReporter(),
    )
    return folder


def test_a_run_folder_is_complete_and_it_learnt(straight: Path):
    names = {path.name for path in straight.iterdir()}
    assert {
        "adapter_config.json",
        "adapter_model.safetensors",
        "recipe.yaml",
        "run.json",
        "metrics.jsonl",
        "valid.jsonl",
        "checkpoints",
        "tensorboard",
    } <= names
    assert not [name for name in names if name.startswith(".")]
    info = read_run(straight)
    assert info.status == "complete"
    assert info.results["valid_loss"] < info.results["base_valid_loss"] - 0.15
    rows = [
        json.loads(line)
        for line in (straight / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, 13))
    assert [row["step"] for row in rows if "valid_loss" in row] == [0, 4, 8, 12]
    assert list((straight / "tensorboard").rglob("events*"))
    assert len(list((straight / "checkpoints").iterdir())) == 2


def test_the_same_recipe_gives_the_same_weights(straight: Path, tiny_base: Path, tmp_path: Path):
    recipe = make_recipe(
        tiny_base, tmp_path / "again", method=LoraConfig(lora_r=4, lora_alpha=8, lora_dropout=0.1)
    )
    finetune(recipe, NullReporter())
    assert_same_weights(straight, tmp_path / "again")


@pytest.mark.slow
def test_killed_three_times_and_resumed_ends_with_the_same_weights(
    straight: Path, tiny_base: Path, tmp_path: Path
):
    folder = tmp_path / "killed"
    recipe = make_recipe(
        tiny_base, folder, method=LoraConfig(lora_r=4, lora_alpha=8, lora_dropout=0.1)
    )
    (tmp_path / "recipe.yaml").write_text(dump(recipe), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "custome",
        "train",
        "--recipe",
        str(tmp_path / "recipe.yaml"),
        "--resume",
    ]
    dice = random.Random(7)
    for kill_after in sorted(dice.sample(range(1, 12), 3)):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_step(folder, kill_after, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert read_run(folder).status == "running"
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert_same_weights(straight, folder)
    steps = [
        json.loads(line)["step"]
        for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert sorted(set(steps)) == list(range(13)) and steps == sorted(steps)


def wait_for_step(folder: Path, step: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        metrics = folder / "metrics.jsonl"
        if metrics.exists() and f'"step": {step},' in metrics.read_text(encoding="utf-8"):
            return
        time.sleep(0.005)
    raise AssertionError(f"step {step} was not reached; exit code {process.poll()}")


@pytest.mark.slow
def test_ctrl_c_saves_and_says_how_to_go_on(straight: Path, tiny_base: Path, tmp_path: Path):
    folder = tmp_path / "stopped"
    recipe = make_recipe(
        tiny_base, folder, method=LoraConfig(lora_r=4, lora_alpha=8, lora_dropout=0.1)
    )
    (tmp_path / "recipe.yaml").write_text(dump(recipe), encoding="utf-8")
    command = [sys.executable, "-m", "custome", "train", "--recipe", str(tmp_path / "recipe.yaml")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    wait_for_step(folder, 2, process)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130 and "--resume" in out and "检查点" in out
    subprocess.run([*command, "--resume"], check=True, stdout=subprocess.DEVNULL)
    assert_same_weights(straight, folder)


def test_micro_batches_do_not_change_the_result(tiny_base: Path, tmp_path: Path):
    for name, micro in (("one", 1), ("eight", 8)):
        finetune(
            make_recipe(tiny_base, tmp_path / name / "run", micro_batch_size=micro, steps=4),
            NullReporter(),
        )
    first, second = weights(tmp_path / "one" / "run"), weights(tmp_path / "eight" / "run")
    for name in first:
        torch.testing.assert_close(first[name], second[name], atol=2e-4, rtol=1e-3)


def test_early_stop_and_best_adapter(tiny_base: Path, tmp_path: Path):
    recipe = make_recipe(
        tiny_base,
        tmp_path / "run",
        steps=40,
        learning_rate=30.0,
        checks={"eval_steps": 2, "patience": 2, "save_steps": 50},
    )
    result = finetune(recipe, NullReporter())
    assert result.status == "complete" and result.progress.step < 40
    assert result.progress.best_step < result.progress.step
    again = finetune(recipe, NullReporter(), resume=True)
    assert again.progress.step == result.progress.step  # an early stop stays a stop


def test_a_loss_that_is_not_finite_names_step_samples_and_checkpoint(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from custome.training import loss as loss_module

    real, calls = loss_module.ReplyLoss.forward, []

    def poisoned(self, *batch):
        calls.append(1)
        value = real(self, *batch)
        return value * math.nan if self.model.training and len(calls) > 12 else value

    monkeypatch.setattr(loss_module.ReplyLoss, "forward", poisoned)
    with pytest.raises(TrainingError) as caught:
        finetune(make_recipe(tiny_base, tmp_path / "run"), NullReporter())
    message = caught.value.message
    assert "步的损失" in message and "rows.jsonl:" in message and "checkpoints/step-" in message
    monkeypatch.undo()
    assert (
        finetune(make_recipe(tiny_base, tmp_path / "run"), NullReporter(), resume=True).status
        == "complete"
    )


def test_an_adapter_without_effect_is_refused(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self, closure=None: None)
    with pytest.raises(TrainingError, match="不改变"):
        finetune(make_recipe(tiny_base, tmp_path / "run", steps=2), NullReporter())


@pytest.mark.slow
def test_a_full_disk_keeps_the_previous_checkpoint(tiny_base: Path, tmp_path: Path):
    """A file-size limit between a checkpoint's small files and its optimizer state stands for the full disk."""
    folder = tmp_path / "run"
    recipe = make_recipe(tiny_base, folder, steps=6)
    (tmp_path / "recipe.yaml").write_text(dump(recipe), encoding="utf-8")
    code = (
        "import resource, signal, sys\n"
        "from custome.training import checkpoint\n"
        "real = checkpoint.Checkpoints.save\n"
        "def save(self, model, optimizer, progress, method=None):\n"
        "    if progress.step >= 6:\n"
        "        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))\n"
        "    return real(self, model, optimizer, progress, method)\n"
        "checkpoint.Checkpoints.save = save\n"
        "from custome.cli.app import main\n"
        "raise SystemExit(main(['train', '--recipe', sys.argv[1]]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "recipe.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "写不进" in done.stderr and "--resume" in done.stderr
    vocab_ids = sorted(p.name for p in (folder / "checkpoints").iterdir())
    assert vocab_ids == ["step-0000000", "step-0000003"]
    assert finetune(recipe, NullReporter(), resume=True).status == "complete"


def test_another_run_is_never_overwritten(straight: Path, tiny_base: Path, tmp_path: Path):
    recipe = make_recipe(tiny_base, tmp_path / "x")
    before = weights(straight)
    taken = dataclasses.replace(
        recipe, train=dataclasses.replace(recipe.train, output_dir=str(straight))
    )
    with pytest.raises(RunError, match="已有一次训练"):
        finetune(taken, NullReporter())
    other = dataclasses.replace(taken, data=dataclasses.replace(taken.data, val_set_size=5))
    with pytest.raises(RunError, match="数据"):
        finetune(other, NullReporter(), resume=True)
    assert all(torch.equal(before[n], weights(straight)[n]) for n in before)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("x", encoding="utf-8")
    foreign = dataclasses.replace(
        recipe, train=dataclasses.replace(recipe.train, output_dir=str(tmp_path / "full"))
    )
    with pytest.raises(RunError, match="不是空的"):
        finetune(foreign, NullReporter())


def test_a_damaged_checkpoint_is_named(tiny_base: Path, tmp_path: Path):
    folder = tmp_path / "run"
    finetune(make_recipe(tiny_base, folder, steps=3), NullReporter())
    newest = sorted((folder / "checkpoints").iterdir())[-1]
    (newest / "optimizer.pt").write_bytes(b"damaged")
    with pytest.raises(RunError) as caught:
        finetune(make_recipe(tiny_base, folder, steps=3), NullReporter(), resume=True)
    assert str(newest) in caught.value.message


def test_samples_longer_than_the_cutoff_are_cut_and_counted(tiny_base: Path, tmp_path: Path):
    heard = []

    class Ear(NullReporter):
        def note(self, text: str) -> None:
            heard.append(text)

    finetune(make_recipe(tiny_base, tmp_path / "run", steps=1, data={"cutoff_len": 12}), Ear())
    assert any("被截短的 80 条" in text for text in heard)


def test_dialogues_train_with_canonical_names(tiny_base: Path, tiny_novel: Path, tmp_path: Path):
    build([tiny_novel], tmp_path / "corpus", NullReporter())
    data = {
        "train_path": str(tmp_path / "corpus" / "dialogues.jsonl"),
        "cutoff_len": 256,
        "names": "canonical",
    }
    finetune(make_recipe(tiny_base, tmp_path / "run", data=data, steps=2), NullReporter())
    assert {person.cue for person in read_run(tmp_path / "run").characters} == set(PEOPLE)
    vocab_ids = [
        json.loads(line)
        for line in (tmp_path / "run" / "valid.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert (
        max(len(row.get("earlier", [])) for row in vocab_ids) > 2
    )  # whole conversations are compared later on


def test_wrong_settings_are_found_before_any_weight_is_read(tmp_path: Path):
    recipe = make_recipe(Path("/no/such/base"), tmp_path / "run", steps=-1)
    with pytest.raises(RecipeError, match="steps"):
        finetune(recipe, NullReporter())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("rows", "held_out"), [(1, 0), (9, 0), (11, 1), (101, 10), (900, 90)])
def test_at_most_a_tenth_is_held_out(rows: int, held_out: int, tmp_path: Path):
    make_tiny_rows(tmp_path / "few.jsonl", rows)
    recipe = make_recipe(
        tmp_path,
        tmp_path / "run",
        data={"train_path": str(tmp_path / "few.jsonl"), "val_set_size": 100},
    )
    assert [len(some) for some in load_samples(recipe)] == [rows - held_out, held_out]


def test_a_few_rows_are_learnt_and_nothing_is_said_of_a_best_step(tiny_base: Path, tmp_path: Path):
    make_tiny_rows(tmp_path / "few.jsonl", 3)
    recipe = make_recipe(
        tiny_base,
        tmp_path / "run",
        steps=2,
        batch_size=2,
        micro_batch_size=2,
        data={"train_path": str(tmp_path / "few.jsonl"), "val_set_size": 100},
    )
    assert finetune(recipe, NullReporter()).status == "complete"
    results = read_run(tmp_path / "run").results
    assert "best_step" not in results and "valid_loss" not in results


def test_unknown_targets_list_the_known_ones(tiny_base: Path, tmp_path: Path):
    method = LoraConfig(lora_targets=("query_key_value",))
    with pytest.raises(TrainingError) as caught:
        finetune(make_recipe(tiny_base, tmp_path / "run", method=method), NullReporter())
    assert "q_proj" in caught.value.hint


def test_resuming_with_other_settings_is_refused_before_anything_is_written(
    tiny_base: Path, tmp_path: Path
):
    recipe = make_recipe(tiny_base, tmp_path / "run", steps=3)
    finetune(recipe, NullReporter())
    before = (tmp_path / "run" / "recipe.yaml").read_bytes()
    with pytest.raises(RunError, match="method.lora_r（4 → 8）"):
        finetune(
            dataclasses.replace(recipe, method=LoraConfig(lora_r=8)), NullReporter(), resume=True
        )
    assert (tmp_path / "run" / "recipe.yaml").read_bytes() == before


def test_a_start_that_was_interrupted_before_run_json_can_be_repeated(
    tiny_base: Path, tmp_path: Path
):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "recipe.yaml").write_text("half", encoding="utf-8")
    (folder / ".run.json.999999999.tmp").write_text("half", encoding="utf-8")
    finetune(make_recipe(tiny_base, folder, steps=2), NullReporter())
    assert not [p for p in folder.iterdir() if p.suffix == ".tmp"]


def test_a_run_without_validation_data_keeps_the_last_adapter(tiny_base: Path, tmp_path: Path):
    recipe = make_recipe(tiny_base, tmp_path / "run", steps=2, data={"val_set_size": 0})
    result = finetune(recipe, NullReporter())
    assert (
        result.status == "complete" and result.progress.best_step == 2 and weights(tmp_path / "run")
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "sharding", "compute_type"),
    [
        ("lora", "none", "fp32"),
        ("full", "none", "fp32"),
        ("lora", "fsdp", "fp32"),
        ("full", "fsdp", "fp32"),
        ("full", "fsdp_offload", "fp32"),
        ("lora", "fsdp", "bf16"),
        ("full", "fsdp", "bf16"),
    ],
)
def test_two_processes_learn_what_one_learns(
    tiny_base: Path, tmp_path: Path, method: str, sharding: str, compute_type: str
):
    """Gradients are averaged over processes, so the mean over all tokens of the step is the same; and one process goes on
    from a checkpoint that two have written."""
    recipes = {}
    for name in ("one", "two"):
        recipes[name] = make_recipe(
            tiny_base,
            tmp_path / name / "run",
            steps=4,
            checks={"eval_steps": 2, "save_steps": 2},
            learning_rate=5e-3,
            method=LoraConfig(lora_r=4, lora_alpha=8) if method == "lora" else FullConfig(),
            compute_type=compute_type,
        )
    shared = dataclasses.replace(
        recipes["two"], model=dataclasses.replace(recipes["two"].model, sharding=sharding)
    )
    (tmp_path / "two.yaml").write_text(dump(shared), encoding="utf-8")
    finetune(recipes["one"], NullReporter())
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--master_port",
        str(any_port()),
        "-m",
        "custome",
        "train",
        "--recipe",
        str(tmp_path / "two.yaml"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    losses = [
        [
            row["loss"]
            for line in (tmp_path / name / "run" / "metrics.jsonl")
            .read_text(encoding="utf-8")
            .splitlines()
            if "loss" in (row := json.loads(line))
        ]
        for name in ("one", "two")
    ]
    exact = compute_type == "fp32"
    assert losses[0] == pytest.approx(losses[1], rel=1e-3 if exact else 2e-2)
    file = "adapter_model.safetensors" if method == "lora" else "weights.safetensors"
    first, second = (load_file(tmp_path / name / "run" / file) for name in ("one", "two"))
    assert set(first) == set(second)
    for name in first if exact else ():
        torch.testing.assert_close(first[name], second[name], atol=5e-4, rtol=5e-3)
    assert {tensor.dtype for tensor in second.values() if tensor.is_floating_point()} == {
        torch.float32
    }
    assert read_run(tmp_path / "two" / "run").status == "complete"
    more = dataclasses.replace(
        recipes["two"], train=dataclasses.replace(recipes["two"].train, steps=5)
    )
    assert finetune(more, NullReporter(), resume=True).progress.step == 5


@pytest.mark.slow
def test_a_sharded_run_resumes_on_two_processes(tiny_base: Path, tmp_path: Path):
    recipe = make_recipe(
        tiny_base,
        tmp_path / "run",
        steps=4,
        checks={"eval_steps": 2, "save_steps": 2},
        method=FullConfig(),
        learning_rate=5e-3,
        warmup_steps=1,
    )
    recipe = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, sharding="fsdp"))
    straight = make_recipe(
        tiny_base,
        tmp_path / "straight" / "run",
        steps=6,
        checks={"eval_steps": 2, "save_steps": 2},
        method=FullConfig(),
        learning_rate=5e-3,
        schedule="constant",
        warmup_steps=1,
    )
    finetune(straight, NullReporter())
    for steps, flags in ((4, []), (6, ["--resume"])):
        made = dataclasses.replace(
            recipe, train=dataclasses.replace(recipe.train, steps=steps, schedule="constant")
        )
        (tmp_path / "recipe.yaml").write_text(dump(made), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--nproc_per_node",
            "2",
            "--master_port",
            str(any_port()),
            "-m",
            "custome",
            "train",
            "--recipe",
            str(tmp_path / "recipe.yaml"),
            *flags,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
    first, second = (
        load_file(tmp_path / name / "weights.safetensors") for name in ("straight/run", "run")
    )
    for name in first:
        torch.testing.assert_close(first[name], second[name], atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize(
    ("section", "name"),
    [("data", "self_replay"), ("data", "persona_prefix"), ("checks", "persona_questions")],
)
def test_what_a_recipe_wants_and_nobody_hands_in_is_named(
    tiny_base: Path, tmp_path: Path, section: str, name: str
):
    with pytest.raises(InputError, match=f"{name}=1") as caught:
        finetune(make_recipe(tiny_base, tmp_path / "run", **{section: {name: 1}}), NullReporter())
    assert f"--{name.replace('_', '-')} 0" in caught.value.hint and not (tmp_path / "run").exists()
