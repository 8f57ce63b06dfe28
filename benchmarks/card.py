"""Training and answering on a card: real shapes with random weights, nothing downloaded. See cuda.sh.

    python benchmarks/card.py --out FOLDER              one JSON, one Markdown table
    python benchmarks/card.py --out FOLDER --dry-run    the same on a CPU with tiny shapes: does it still run?

Every way trains on the same made-up samples of 64 to 512 tokens, of which the second half is learnt, packed into rows of as many
times 1,024 tokens, up to 32, as `custome plan --fit` finds room for. "seed" is the way of the original script: peft's layers, one sample at a
time, logits of every position over the whole vocabulary. Shares are operations the products need (planning/memory.py) over
the rate of an 8192 × 8192 × 8192 bf16 product in the same run; attention and everything elementwise count as nothing.
"""

from __future__ import annotations

import argparse
import copy
import gc
import json
import logging
import sys
import tempfile
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from custome.config import DataConfig, ModelConfig, Recipe, TrainConfig
from custome.models.loading import from_weights
from custome.planning.fit import fit
from custome.planning.memory import TRIMMED_VOCABULARY, make_plan
from custome.planning.shapes import read_shape
from custome.reporter import NullReporter
from custome.training import assembly, launch, trainer
from custome.training.checkpoint import Checkpoints, Progress
from custome.training.data import BatchPlan, Example
from custome.tuning_methods import DoraConfig, FullConfig, LoraConfig, Method, QloraConfig

GB = 1e9
SHAPES: dict[str, dict[str, Any]] = {
    "1.5B": {
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_hidden_layers": 28,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "tie_word_embeddings": True,
        "vocab_size": 151_936,
    },
    "7B": {
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "tie_word_embeddings": False,
        "vocab_size": 152_064,
    },
}
"""Of the published config.json of Qwen2.5-1.5B and Qwen2.5-7B."""
TINY = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
    "vocab_size": 500,
}
WAYS: list[tuple[str, Method]] = [
    ("LoRA", LoraConfig()),
    ("QLoRA nf4", QloraConfig(quantization="nf4")),
    ("QLoRA int8", QloraConfig(quantization="int8")),
    ("DoRA", DoraConfig()),
    ("full", FullConfig()),
]
LONGEST = 1024
ROWS = 3
"""Packed rows of a step."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument(
        "--only",
        default="",
        help="only parts whose name contains one of these, as 1.5B LoRA,answer",
    )
    parser.add_argument(
        "--steps", type=int, default=4, help="timed steps; two more come before them"
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=8.0,
        help="parts that would begin later are left out, and named",
    )
    parser.add_argument(
        "--profile", action="store_true", help="print what a step of 1.5B LoRA spends its time on"
    )
    options = parser.parse_args()
    # says at every product that it rounds bf16 to fp16; the command line silences it too
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    options.out.mkdir(parents=True, exist_ok=True)
    check = Check(options)
    check.run()
    print(table(check.found))
    failed = [row["part"] for row in check.found["rows"] if "error" in row]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


class Check:
    """The parts, one after another; what each found is written down at once."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.began = options, time.monotonic()
        self.device = "cpu" if options.dry_run else "cuda"
        shapes = {"tiny": TINY} if options.dry_run else SHAPES
        self.configs = {
            name: AutoConfig.for_model("qwen2", **shape) for name, shape in shapes.items()
        }
        self.found: dict[str, Any] = {"machine": machine(self.device), "rows": []}
        self.memory = 8 * GB if options.dry_run else torch.cuda.mem_get_info()[0]

    def run(self) -> None:
        for name, config in self.configs.items():
            for way, method in WAYS:
                self.part(f"{name} {way}", lambda c=config, m=method: self.train(c, m, "auto"))
            self.part(
                f"{name} whole vocabulary", lambda c=config: self.train(c, LoraConfig(), "full")
            )
            self.part(f"{name} seed", lambda c=config: self.seed(c))
        first = next(iter(self.configs))
        self.part(f"{first} answer", lambda: self.answer(self.configs[first]))

    def part(self, name: str, measure: Any) -> None:
        wanted = [word.strip() for word in self.options.only.split(",") if word.strip()]
        if wanted and not any(word in name for word in wanted):
            return
        row: dict[str, Any] = {"part": name}
        if time.monotonic() - self.began > self.options.minutes * 60:
            row["left out"] = "no time left"
        else:
            started = time.monotonic()
            try:
                row |= measure()
            except Exception as error:
                traceback.print_exc()
                row["error"] = f"{type(error).__name__}: {error}"[:300]
            row["seconds"] = round(time.monotonic() - started, 1)
        gc.collect()
        launch.release_memory()
        self.found["rows"].append(row)
        print(json.dumps(row), flush=True)
        (self.options.out / "cuda.json").write_text(
            json.dumps(self.found, indent=1), encoding="utf-8"
        )
        (self.options.out / "cuda.md").write_text(table(self.found), encoding="utf-8")

    def train(self, config: Any, method: Method, vocabulary: str) -> dict[str, Any]:
        wanted = recipe(method, vocabulary)
        if self.options.dry_run:
            wanted = replace(wanted, train=replace(wanted.train, micro_batch_size=2))
        fitted = fit(wanted, read_shape(config.to_dict(), ""), self.device, int(self.memory))
        made = {"planned_gb": fitted.plan.total / GB, "changes": list(fitted.changes)}
        if not fitted.fits:
            return {
                **made,
                "does not fit": f"{fitted.plan.total / GB:.0f} GB planned, {self.memory / GB:.0f} GB free",
            }
        learnt = self.learn(config, fitted.recipe)
        plan = make_plan(fitted.recipe, read_shape(config.to_dict(), ""), self.device)
        learnt["tflops"] = plan.flop_per_token * learnt["tokens_per_s"] / 1e12
        learnt["share"] = learnt["tflops"] / self.found["machine"]["bf16_tflops"]
        learnt["peak_gb"] = launch.peak_memory_bytes(self.device) / GB
        # beside what torch holds: the driver's context and the libraries' workspaces
        if self.device == "cuda":
            free, total = torch.cuda.mem_get_info()
            context = total - free - torch.cuda.memory_reserved()
            learnt["peak_gb"] += context / GB
            learnt["reserved_gb"] = (torch.cuda.max_memory_reserved() + context) / GB
        return {**made, **learnt}

    def learn(self, config: Any, recipe: Recipe) -> dict[str, Any]:
        """As `custome train` does it, without files."""
        config = changed(config, vocab_size=vocabulary_size(config, recipe))
        base = random_model(config, self.device, assembly.quantization(recipe))
        launch.release_memory()  # the peak of training, not of making weights up
        batching = assembly.set_up(base, recipe, 0)
        attached = assembly.make_trainable(base, recipe, steps=self.options.steps + 2)
        with tempfile.TemporaryDirectory() as name:
            accelerator = launch.make_accelerator(self.device, Path(name), "bf16")
            learner = assembly.make_learner(attached, recipe, batching, accelerator)
            clock = Clock(self.device)
            examples = samples(ROWS * batching.row_tokens, config.vocab_size)
            loop = trainer.LoopConfig(
                steps=self.options.steps + 2,
                max_grad_norm=1.0,
                seed=1,
                eval_steps=0,
                save_steps=10**6,
                patience=0,
                schedule=trainer.make_schedule("constant", 1e-3, self.options.steps + 2, 0),
            )
            trainer.train(
                learner,
                examples,
                BatchPlan(lengths=[len(e.ids) for e in examples], batch_size=len(examples), seed=1),
                loop,
                validate=lambda step: float("nan"),
                save_best=lambda progress: None,
                checkpoints=Unsaved(Path(name), 1),
                progress=Progress(),
                stop=launch.StopRequest(),
                reporter=clock,
            )
            if self.options.profile and type(recipe.method) is LoraConfig:
                profile(learner, batching, examples)
        losses = [values["loss"] for values in clock.steps]
        seconds = [values["seconds"] for values in clock.steps[2:]]
        return {
            "tokens_per_s": sum(len(e.ids) for e in examples) / float(np.median(seconds)),
            "row_tokens": batching.row_tokens,
            "first_loss": losses[0],
            "last_loss": losses[-1],
        }

    def seed(self, config: Any) -> dict[str, Any]:
        from peft import LoraConfig as PeftLora
        from peft import get_peft_model

        launch.release_memory()
        model = random_model(config, self.device, "none")
        model = get_peft_model(
            model, PeftLora(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
        ).train()
        parameters = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=1e-4)
        examples = samples(1000 if self.options.dry_run else 4000, config.vocab_size)
        seconds = []
        for _ in range(3):
            started = time.perf_counter()
            for example in examples:
                ids = torch.tensor([example.ids], device=self.device)
                labels = ids.clone()
                labels[:, : example.replies[0][0]] = -100
                (model(input_ids=ids, labels=labels).loss / len(examples)).backward()
            optimizer.step()
            optimizer.zero_grad()
            synchronize(self.device)
            seconds.append(time.perf_counter() - started)
        return {
            "tokens_per_s": sum(len(e.ids) for e in examples) / min(seconds),
            "peak_gb": launch.peak_memory_bytes(self.device) / GB,
        }

    def answer(self, config: Any) -> dict[str, Any]:
        """One reply, eight at once, and the same in 8 bit, by the local engine."""
        sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
        from custome.engine.local import LocalEngine
        from custome.models.chat_format import open_format
        from custome.types import GenerateOptions, Request
        from tiny import ALPHABET, make_tiny_tokenizer

        tokenizer = make_tiny_tokenizer(ALPHABET)
        config = changed(
            config, vocab_size=len(tokenizer), eos_token_id=None, bos_token_id=2, pad_token_id=0
        )
        length, found = (8 if self.options.dry_run else 64), {}
        for kind in ("none", "int8"):
            engine = LocalEngine(
                random_model(config, self.device, kind),
                tokenizer,
                open_format(tokenizer, "novel"),
                kind,
            )
            asked = Request(text="吾有一计，")
            options = GenerateOptions(temperature=0.0, max_new_tokens=length)
            engine.run(asked, replace(options, max_new_tokens=2))
            for several in (1, 8):
                started = time.perf_counter()
                replies = engine.generate([asked] * several, options)
                seconds = time.perf_counter() - started
                tokens = sum(reply.completion_tokens for reply in replies)
                found[f"{kind} x{several}"] = round(tokens / seconds, 1)
        return {"answer_tokens_per_s": found}


class Unsaved(Checkpoints):
    """Writes nothing: a benchmark's weights are nobody's."""

    def save(self, *given: Any, **more: Any) -> None:
        pass


class Clock(NullReporter):
    """Remembers every step."""

    def __init__(self, device: str) -> None:
        self.steps: list[dict[str, float]] = []
        self._device, self._at = device, time.perf_counter()

    def metrics(self, step: int, values: Any) -> None:
        synchronize(self._device)
        now = time.perf_counter()
        if "loss" in values:
            self.steps.append({**values, "seconds": now - self._at})
        self._at = now


def recipe(method: Method, vocabulary: str) -> Recipe:
    return Recipe(
        data=DataConfig(train_path="-", cutoff_len=LONGEST),
        model=ModelConfig(compute_type="bf16", vocabulary=vocabulary),  # type: ignore[arg-type]
        method=method,
        train=TrainConfig(
            output_dir="-", steps=6, batch_size=1, micro_batch_size=32, learning_rate=1e-4
        ),
    )


def changed(config: Any, **settings: Any) -> Any:
    """A configuration with other settings."""
    copied = copy.deepcopy(config)
    copied.update(settings)
    return copied


def vocabulary_size(config: Any, recipe: Recipe) -> int:
    return (
        min(config.vocab_size, TRIMMED_VOCABULARY)
        if recipe.model.vocabulary == "auto"
        else config.vocab_size
    )


def samples(tokens: int, vocabulary: int) -> list[Example]:
    """As many as have just under so many tokens together; the same for everybody."""
    dice, made, total = np.random.default_rng(1), [], 0
    while total < 0.97 * tokens:
        length = int(dice.integers(64, 513))
        length = (
            min(length, int(0.985 * tokens) - total) if total + length > 0.985 * tokens else length
        )
        ids = tuple(dice.integers(3, vocabulary, length).tolist())
        made.append(Example(ids=ids, replies=((length // 2, length),), source=str(len(made))))
        total += length
    return made


def random_model(config: Any, device: str, quantize: Any) -> Any:
    """Made on the device itself; norms 1, biases 0."""
    torch.manual_seed(0)
    with torch.device("meta"):
        empty = AutoModelForCausalLM.from_config(config)
    tied = set(getattr(empty, "all_tied_weights_keys", None) or ())
    weights = {}
    for name, parameter in empty.named_parameters():
        if name in tied:
            continue
        kind = {"dtype": torch.bfloat16, "device": device}
        if name.endswith("norm.weight"):
            weights[name] = torch.ones(parameter.shape, **kind)
        elif name.endswith(".bias"):
            weights[name] = torch.zeros(parameter.shape, **kind)
        else:
            weights[name] = torch.empty(parameter.shape, **kind).normal_(std=0.02)
    return from_weights(config, weights, device, quantize=quantize, dtype=torch.bfloat16)


def synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def machine(device: str) -> dict[str, Any]:
    """Which card, and the two rates that are the limit."""
    import accelerate
    import peft
    import transformers

    size = 8192 if device == "cuda" else 512
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    copied = torch.empty(2**30 if device == "cuda" else 2**24, dtype=torch.uint8, device=device)
    product = fastest(lambda: a @ b, device)
    moved = fastest(lambda: copied.clone(), device)
    return {
        "card": torch.cuda.get_device_name() if device == "cuda" else "CPU, dry run",
        "bf16_tflops": 2 * size**3 / product / 1e12,
        "copy_gb_per_s": 2 * copied.numel() / moved / GB,
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "peft": peft.__version__,
            "accelerate": accelerate.__version__,
        },
    }


def fastest(work: Any, device: str) -> float:
    """Median seconds of ten, after three."""
    seconds = []
    for _ in range(13):
        synchronize(device)
        started = time.perf_counter()
        work()
        synchronize(device)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds[3:]))


def profile(learner: trainer.Learner, batching: Any, examples: list[Example]) -> None:
    """Where the time of one row goes, by kernel."""
    part = batching.divide(range(len(examples)), [len(e.ids) for e in examples])[0]
    rows = batching.collate([examples[i] for i in part]).to(learner.accelerator.device)
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    for _ in range(2):
        with torch.profiler.profile(activities=activities) as seen:
            started = time.perf_counter()
            with learner.accelerator.autocast():
                loss = learner.loss(*rows)
            middle = time.perf_counter()
            loss.backward()
            launched = time.perf_counter()
            torch.cuda.synchronize()
            done = time.perf_counter()
    print(
        f"row of {rows.ids.shape[1]}: forward launched {1e3 * (middle - started):.0f} ms, backward {1e3 * (launched - middle):.0f}, waited {1e3 * (done - launched):.0f}"
    )
    print(
        seen.key_averages().table(
            sort_by="self_cuda_time_total", row_limit=30, max_name_column_width=70
        )
    )


def table(found: dict[str, Any]) -> str:
    """As Markdown."""
    about = found["machine"]
    lines = [
        f"{about['card']}: bf16 {about['bf16_tflops']:.3g} TFLOP/s, copy {about['copy_gb_per_s']:.0f} GB/s; "
        + ", ".join(f"{name} {version}" for name, version in about["versions"].items()),
        "",
        "| part | tokens/s | ÷ seed | share of bf16 | peak GB (held by torch) | planned GB | loss first → last | row | |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    seeds = {
        row["part"].split()[0]: row.get("tokens_per_s")
        for row in found["rows"]
        if row["part"].endswith("seed")
    }
    for row in found["rows"]:
        seed = seeds.get(row["part"].split()[0])
        speed = row.get("tokens_per_s")
        cells = [
            row["part"],
            f"{speed:,.0f}" if speed else "",
            f"{speed / seed:.1f}" if speed and seed else "",
            f"{row['share']:.0%}" if "share" in row else "",
            (f"{row['peak_gb']:.1f}" if "peak_gb" in row else "")
            + (f" ({row['reserved_gb']:.1f})" if "reserved_gb" in row else ""),
            f"{row['planned_gb']:.1f}" if "planned_gb" in row else "",
            f"{row['first_loss']:.3f} → {row['last_loss']:.3f}" if "first_loss" in row else "",
            str(row.get("row_tokens", "")),
            "；".join(
                [
                    *row.get("changes", []),
                    *(
                        f"{k}: {row[k]}"
                        for k in ("error", "left out", "does not fit", "answer_tokens_per_s")
                        if k in row
                    ),
                ]
            ),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
