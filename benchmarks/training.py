"""How fast, how small and how well training is, against what a user would otherwise use. One table, one run, one machine.

    python benchmarks/training.py corpus/sanguo                       speeds, memory, share of the matrix rate
    python benchmarks/training.py corpus/sanguo --loss 60x32,250x8    and validation losses after 60 steps of 32, 250 of 8
    … --llamafactory /path/to/python                                  an environment with LLaMA-Factory 0.9.5
    … --bases gemma3-270m,qwen2.5-coder-0.5b,qwen2.5-coder-1.5b       only ours, on each of these bases, batches of 8

Every way trains a LoRA of rank 16 on all linear layers of the embedded base with the same rows, batches of 32 and learning
rate, in a process of its own. Tokens are those of the text, padding not counted. "seed" is the way of the original script:
peft's layers, one sample at a time, logits of every position over the whole vocabulary.

For the losses the reference trains peft's layers on the whole vocabulary too, but eight samples at a time and without the
logits nobody needs, which gives the same gradients sooner. All losses are of the full model, whole vocabulary, by the
engine that serves it, per token and per character of the held-out replies.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LORA = {"r": 16, "lora_alpha": 32}
RATE = 2e-3
CUTOFF = 256


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "corpus", type=Path, help="folder with train.jsonl and valid.jsonl (custome corpus build)"
    )
    parser.add_argument("--steps", type=int, default=4, help="timed steps of our ways")
    parser.add_argument("--loss", default="", help="loss checks, as 60x32,250x8")
    parser.add_argument("--bases", default="", help="only our training, on each of these")
    parser.add_argument("--base", default="embedded", help=argparse.SUPPRESS)
    parser.add_argument(
        "--llamafactory", default="", help="python of an environment with llamafactory==0.9.5"
    )
    parser.add_argument("--way", default="", help=argparse.SUPPRESS)
    parser.add_argument("--out", default="", help=argparse.SUPPRESS)
    parser.add_argument("--batch", type=int, default=32, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print("RESULT " + json.dumps(measure(options)))
        return
    if options.bases:
        compare_bases(options)
        return
    peaks = {kind: matrix_rate(kind) for kind in ("float32", "bfloat16")}
    said = ", ".join(f"{kind} {rate:.0f}" for kind, rate in peaks.items())
    print(f"matrix rate, (512, 640) x (640, 2048) and back, GFLOP/s: {said}\n")
    print(f"{'way':<16}{'tokens/s':>10}{'peak GB':>9}", flush=True)
    results = {}
    for way, steps in (
        ("ours", options.steps),
        ("seed", 1),
        ("padded", 2),
        ("LLaMA-Factory", 3),
        ("… in bf16", 3),
    ):
        if way in ("ours", "seed", "padded"):
            results[way] = run(options, way, steps)
        elif options.llamafactory:
            results[way] = llamafactory(
                options, results["ours"]["tokens_a_row"], steps, bf16="bf16" in way
            )
        if way in results:
            print(
                f"{way:<16}{results[way]['tokens_per_s']:>10.0f}{results[way]['peak_bytes'] / 1e9:>9.2f}",
                flush=True,
            )
    ours = results.pop("ours")
    done = ours["flop_per_token"] * ours["tokens_per_s"] / 1e9
    shares = ", ".join(f"{done / rate:.0%} of the {kind} rate" for kind, rate in peaks.items())
    print(
        f"\nours: {ours['flop_per_token'] / 1e9:.2f} GFLOP a token, trained in {ours['compute_type']}: {shares}"
    )
    for way, found in results.items():
        print(f"ours / {way}: {ours['tokens_per_s'] / found['tokens_per_s']:.1f}")
    print(f"matrix rate afterwards, float32: {matrix_rate('float32'):.0f} GFLOP/s")
    for steps, batch in (map(int, part.split("x")) for part in options.loss.split(",") if part):
        loss_check(options, steps, batch)


def compare_bases(options: argparse.Namespace) -> None:
    """Ours on several bases, each beside the rate of its own MLP's products before and after, in the type it trains in."""
    from custome.models.compute import training_type
    from custome.planning.shapes import find_shape

    kind = {"fp32": "float32", "bf16": "bfloat16"}[training_type("cpu", "auto")]
    print(
        f"{'base':<22}{'tokens/s':>10}{'peak GB':>9}{'GFLOP/token':>13}{f'{kind} rate':>17}{'share':>7}"
    )
    for base in options.bases.split(","):
        shape = find_shape(base)
        sizes = (512, shape.hidden, shape.intermediate)
        before = matrix_rate(kind, *sizes)
        found = run(options, "ours", options.steps, 8, base=base)
        after = matrix_rate(kind, *sizes)
        done = found["flop_per_token"] * found["tokens_per_s"] / 1e9
        share = done / ((before + after) / 2)
        print(
            f"{base:<22}{found['tokens_per_s']:>10.0f}{found['peak_bytes'] / 1e9:>9.2f}{found['flop_per_token'] / 1e9:>13.2f}"
            f"{f'{before:.0f}, {after:.0f}':>17}{share:>7.0%}",
            flush=True,
        )


def run(
    options: argparse.Namespace,
    way: str,
    steps: int,
    batch: int = 32,
    out: str = "",
    base: str = "embedded",
) -> dict:
    """One way in a process of its own."""
    command = [
        sys.executable,
        __file__,
        str(options.corpus),
        "--way",
        way,
        "--steps",
        str(steps),
        "--batch",
        str(batch),
        "--out",
        out,
        "--base",
        base,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise SystemExit(f"{way} failed:\n{done.stderr[-3000:]}")
    found: dict = json.loads(line.removeprefix("RESULT "))
    return found


def matrix_rate(kind: str, tokens: int = 512, hidden: int = 640, inner: int = 2048) -> float:
    """GFLOP/s of the two products a layer's MLP does most, for a second."""
    import torch

    dtype = getattr(torch, kind)
    a, b = torch.randn(tokens, hidden).to(dtype), torch.randn(hidden, inner).to(dtype)
    wide = a @ b
    started, flop = time.perf_counter(), 0.0
    while time.perf_counter() - started < 1:
        wide = a @ b
        wide @ b.t()
        flop += 2 * 2 * a.shape[0] * b.numel()
    return flop / (time.perf_counter() - started) / 1e9


def recipe_for(options: argparse.Namespace, folder: Path):
    from custome.config import CheckConfig, DataConfig, ModelConfig, Recipe, TrainConfig

    return Recipe(
        data=DataConfig(
            train_path=str(options.corpus / "train.jsonl"),
            valid_path=str(options.corpus / "valid.jsonl"),
            cutoff_len=CUTOFF,
            names="canonical",
        ),
        model=ModelConfig(base_model=options.base),
        train=TrainConfig(
            output_dir=str(folder),
            steps=options.steps,
            batch_size=options.batch,
            micro_batch_size=1 if options.base != "embedded" else 2,
            learning_rate=RATE,
        ),
        checks=CheckConfig(eval_steps=0, eval_samples=8, save_steps=10_000),
    )


def measure(options: argparse.Namespace) -> dict:
    folder = Path(options.out or tempfile.mkdtemp()) / "run"
    found = ours(options, folder) if options.way == "ours" else plainly(options, folder)
    return {**found, "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def ours(options: argparse.Namespace, folder: Path) -> dict:
    """`custome train` as it is. The first step, in which memory is got, does not count."""
    from custome.models.run_folder import read_run
    from custome.planning.memory import make_plan
    from custome.planning.shapes import find_shape
    from custome.reporter import NullReporter, read_metrics
    from custome.training.finetune import finetune

    recipe = recipe_for(options, folder)
    result = finetune(recipe, NullReporter())
    speeds = [speed for _, speed in read_metrics(folder / "metrics.jsonl")["tokens_per_s"]]
    speeds = speeds[1:] or speeds
    rows = result.progress.step * options.batch
    return {
        "tokens_per_s": len(speeds) / sum(1 / s for s in speeds),
        "tokens_a_row": result.progress.tokens_seen / rows,
        "flop_per_token": make_plan(recipe, find_shape(options.base), "cpu").flop_per_token,
        "compute_type": read_run(folder).compute_type,
    }


def plainly(options: argparse.Namespace, folder: Path) -> dict:
    """peft's own layers on the whole vocabulary: `seed` one sample and all logits, `padded` eight, `reference` only the
    logits of replies."""
    import torch
    import torch.nn.functional as F
    from peft import LoraConfig, get_peft_model

    from custome.models.chat_format import open_format
    from custome.models.loading import load_model, load_tokenizer
    from custome.models.sources import resolve_base
    from custome.reporter import NullReporter
    from custome.training.data import BatchPlan, encode_samples, micro_batches, pad
    from custome.training.launch import seed_step
    from custome.training.run_samples import load_samples
    from custome.training.trainer import make_schedule

    recipe = recipe_for(options, folder)
    base = resolve_base("embedded", NullReporter())
    tokenizer = load_tokenizer(base)
    encoded = encode_samples(
        load_samples(recipe)[0],
        open_format(tokenizer, "auto"),
        cutoff_len=CUTOFF,
        whole_text=False,
        reporter=NullReporter(),
        title="",
    )
    model = load_model(base, dtype=torch.float32)
    seed_step(recipe.train.seed, 0)
    model = get_peft_model(
        model, LoraConfig(**LORA, target_modules="all-linear", task_type="CAUSAL_LM")
    ).train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.0)
    examples, micro = encoded.examples, 1 if options.way == "seed" else 8
    plan = BatchPlan(
        lengths=[len(e.ids) for e in examples], batch_size=options.batch, seed=recipe.train.seed
    )
    rate = make_schedule("linear", RATE, options.steps, recipe.train.warmup_steps)
    tokens, seconds = 0, 0.0
    for step in range(1, options.steps + 1):
        started = time.perf_counter()
        batch = plan.batch(step)
        labelled = sum(examples[i].labelled for i in batch)
        for part in micro_batches(batch, plan.lengths, micro):
            ids, labels, mask, *_ = pad([examples[i] for i in part], tokenizer.pad_token_id)
            if options.way == "reference":
                hidden = (
                    model.get_base_model()
                    .model(input_ids=ids, attention_mask=mask, use_cache=False)
                    .last_hidden_state[:, :-1]
                )
                wanted = labels[:, 1:] != -100
                logits, targets = (
                    model.get_base_model().lm_head(hidden[wanted]),
                    labels[:, 1:][wanted],
                )
            else:
                logits = (
                    model(input_ids=ids, attention_mask=mask, use_cache=False)
                    .logits[:, :-1]
                    .flatten(0, 1)
                )
                targets = labels[:, 1:].flatten()
            (F.cross_entropy(logits.float(), targets, reduction="sum") / labelled).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        optimizer.step()
        optimizer.zero_grad()
        tokens, seconds = (
            tokens + sum(plan.lengths[i] for i in batch),
            seconds + time.perf_counter() - started,
        )
    if options.out:
        model.save_pretrained(str(folder))
    return {"tokens_per_s": tokens / seconds}


def llamafactory(
    options: argparse.Namespace, tokens_a_row: float, steps: int = 3, *, bf16: bool = False
) -> dict:
    """LLaMA-Factory's LoRA SFT, 8 rows x 4 accumulated, on the same base and rows; its own clock. `bf16` is its switch."""
    from custome.models.sources import resolve_base
    from custome.reporter import NullReporter

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [
            json.loads(line)
            for line in (options.corpus / "train.jsonl").read_text(encoding="utf-8").splitlines()
        ]
        pairs = [
            {
                "instruction": row["turns"][-1]["cue"] if "turns" in row else row["context"],
                "input": "",
                "output": row["turns"][-1]["text"] if "turns" in row else row["chat"],
            }
            for row in rows[:2000]
        ]
        (folder / "rows.json").write_text(json.dumps(pairs, ensure_ascii=False), encoding="utf-8")
        (folder / "dataset_info.json").write_text(
            json.dumps({"rows": {"file_name": "rows.json"}}), encoding="utf-8"
        )
        (folder / "torchaudio.py").write_text(
            "", encoding="utf-8"
        )  # imported, never used; has no build for this torch
        base = plain_copy(resolve_base("embedded", NullReporter()), folder)
        settings = {
            "model_name_or_path": str(base),
            "stage": "sft",
            "do_train": True,
            "finetuning_type": "lora",
            "lora_rank": 16,
            "lora_alpha": 32,
            "lora_target": "all",
            "dataset": "rows",
            "dataset_dir": str(folder),
            "template": "default",
            "cutoff_len": CUTOFF,
            "per_device_train_batch_size": 8,
            "gradient_accumulation_steps": 4,
            "learning_rate": RATE,
            "max_steps": steps,
            "output_dir": str(folder / "out"),
            "report_to": "none",
            "save_strategy": "no",
            "logging_steps": 1,
            "bf16": bf16,
            "use_cpu": True,
            "preprocessing_num_workers": 1,
            "overwrite_output_dir": True,
        }
        (folder / "train.yaml").write_text(json.dumps(settings), encoding="utf-8")
        environment = {
            **os.environ,
            "PYTHONPATH": str(folder),
            "CUDA_VISIBLE_DEVICES": "",
            "HF_HUB_OFFLINE": "1",
            "DISABLE_VERSION_CHECK": "1",
        }
        command = [
            options.llamafactory,
            "-m",
            "llamafactory.cli",
            "train",
            str(folder / "train.yaml"),
        ]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
            _, _, used = os.wait4(process.pid, 0)
        results = folder / "out" / "train_results.json"
        if not results.is_file():
            raise SystemExit(
                "LLaMA-Factory failed:\n" + (folder / "log").read_text(encoding="utf-8")[-4000:]
            )
        speed = json.loads(results.read_text(encoding="utf-8"))["train_samples_per_second"]
        return {
            "tokens_per_s": speed * tokens_a_row,
            "peak_bytes": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
        }


def plain_copy(base: Path, folder: Path) -> Path:
    """The base as fp32 safetensors, under a path without our names, as others read it."""
    import torch

    from custome.models.loading import load_base

    loaded, copy = load_base(base, dtype=torch.float32), folder / "base"
    loaded.model.save_pretrained(copy)
    loaded.tokenizer.save_pretrained(copy)
    config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    config.setdefault("torch_dtype", "float32")  # older libraries expect it
    (copy / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return copy


def loss_check(options: argparse.Namespace, steps: int, batch: int) -> None:
    """Validation loss of the reference and of ours after the same steps."""
    from custome.corpus.dataset import canonical_cue
    from custome.corpus.formats import read_samples
    from custome.engine.open_local import open_local
    from custome.evaluation.compare import mean_loss
    from custome.reporter import NullReporter

    valid = [canonical_cue(s) for s in read_samples(options.corpus / "valid.jsonl")][:160]
    print(
        f"\nafter {steps} steps of {batch}: validation loss on {len(valid)} rows, full model, whole vocabulary"
    )
    losses = {}
    for way in ("reference", "ours"):
        with tempfile.TemporaryDirectory() as out:
            found = run(options, way, steps, batch, out)
            engine = open_local(
                run=Path(out) / "run",
                base_model="embedded",
                chat_format="novel",
                reporter=NullReporter(),
            )
            losses[way] = mean_loss(engine, valid, "", NullReporter())
            print(
                f"  {way:<10} {losses[way]:.4f} nat/token   {found['tokens_per_s']:.0f} tokens/s",
                flush=True,
            )
    print(f"  difference {100 * (losses['ours'] / losses['reference'] - 1):+.2f} %")


if __name__ == "__main__":
    main()
