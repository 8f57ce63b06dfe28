"""A run → files that other programs read, proven before they are called done.

    hf             one folder of merged safetensors with tokenizer and model card
    gguf           one merged GGUF file for llama.cpp
    ollama         the same with a Modelfile
    adapter-gguf   the LoRA alone, for llama.cpp beside the base's own GGUF file

Everything is written into a folder that only takes its name once the proof has passed. Read from top to bottom:
load → what the tuned model says → write → ask the written one → keep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer

from ..errors import ExportError, InputError, RunError, SourceError
from ..files import atomic_folder, write_text
from ..reporter import Reporter
from ..types import Message, Sample
from . import chatglm, convert, proof
from .adapters import load_adapter
from .chat_format import ChatFormat, open_format
from .export_texts import model_card, modelfile
from .gguf import read_head, rewrite_gguf
from .gguf_cache import write_lora
from .loading import load_config, load_model, load_tokenizer, trust_code_in
from .lora_file import read_lora
from .partial_weights import PartialWeights
from .run_folder import VOCABULARY_FOLDER, RunInfo, check_adapter, read_run, read_vocab_ids
from .sources import gguf_behind, other_base, resolve_base

Target = Literal["hf", "gguf", "ollama", "adapter-gguf"]
PROMPTS = 20
LONGEST_PROMPT = 160


@dataclass(frozen=True, kw_only=True)
class Exported:
    """Files of an export and how closely they match the tuned model."""

    folder: Path
    files: tuple[str, ...]
    agreement: proof.Agreement


@dataclass(frozen=True, kw_only=True)
class TunedSource:
    """A run with its base, tokenizer and chat format."""

    run: Path
    info: RunInfo
    base_folder: Path
    gguf: Path | None
    """The file the base was prepared from, where it was one."""
    vocab_ids: tuple[int, ...] | None
    """Tokens of a cut vocabulary."""
    tokenizer: Any
    chat_format: ChatFormat


def export(
    run: Path,
    to: Target,
    output: Path,
    reporter: Reporter,
    *,
    quant: str = "f16",
    vocabulary: Literal["run", "full"] = "run",
    trust_remote_code: str = "",
    samples: Sequence[Sample] = (),
    home: Path | None = None,
) -> Exported:
    """Write a run as `to` into the folder `output` and prove it.

    Args:
        quant: number type of the matrices; see convert.QUANTS.
        vocabulary: `run` keeps the tokens the run was trained with, `full` all of the base's.
        trust_remote_code: the base's name, to let it run the code in its folder.
        samples: held-out rows; their contexts are the prompts of the proof.

    Raises:
        InputError: the folder is there already, or the quantization is none for this target.
        RunError: the run has no adapter, or one that cannot be written like this.
        SourceError: the base cannot be had, or is of an architecture or tokenizer GGUF has no place for.
        ExportError: what was written does not say what the tuned model says.
        DiskError: no space.
    """
    _check(run, to, output, quant)
    reporter.stage("载入底座和适配器")
    source = _open(run, to, vocabulary, trust_remote_code, reporter, home)
    model = _load(source)
    expected = _answers(source, model, samples, reporter)
    with atomic_folder(output) as folder:
        reporter.stage(f"写成 {to}")
        name = f"{run.name}-{'adapter' if to == 'adapter-gguf' else quant}.gguf"
        if to == "hf":
            _write_folder(source, model, folder, quant)
            own = model.config.model_type == chatglm.ChatGLMConfig.model_type
            found = proof.ask_transformers(folder, expected, chatglm.__name__ if own else "")
        else:
            if to == "adapter-gguf":
                write_adapter(source, folder / name)
            else:
                config = model.config.get_text_config()
                tensors = merged_tensors(source, model, quant)
                del model  # what is written next needs its memory
                write_merged(source, config, tensors, folder / name, quant)
            found = _ask_llamacpp(source, to, folder / name, expected, reporter)
        program = "transformers（另一个进程）" if to == "hf" else "llama.cpp"
        agreement = proof.compare(expected, found, program, source.tokenizer.all_special_ids)
        proof.check(agreement, "" if to == "adapter-gguf" else quant)
        if to == "adapter-gguf":
            _check_effect(source, expected, agreement)
        if to == "ollama":
            write_text(folder / "Modelfile", modelfile(name, source))
        write_text(folder / "README.md", model_card(source, to, quant, agreement))
        files = tuple(sorted(path.name for path in folder.iterdir()))
    return Exported(folder=output, files=files, agreement=agreement)


def _load(source: TunedSource) -> Any:
    """The tuned model; raises RunError for one whose tuning no weights can hold."""
    model = load_adapter(load_model(source.base_folder, vocab_ids=source.vocab_ids), source.run)
    if isinstance(model, PeftModel) and model.active_peft_config.is_prompt_learning:
        raise RunError(
            f"{str(source.run)!r} 学的是虚拟词（prefix / prompt），合不进权重",
            "用 custome serve 直接用它",
        )
    return model


def _answers(
    source: TunedSource, model: Any, samples: Sequence[Sample], reporter: Reporter
) -> list[proof.Expected]:
    """What the tuned model answers; what is written has to answer the same."""
    reporter.progress("训练出的模型先答", 0, PROMPTS)
    pad = source.tokenizer.pad_token_id or 0
    prompts = _prompts(source, samples)
    expected = proof.expect(model, prompts, pad, source.tokenizer.eos_token_id)
    reporter.progress("训练出的模型先答", PROMPTS, PROMPTS)
    return expected


def _ask_llamacpp(
    source: TunedSource,
    to: Target,
    file: Path,
    expected: Sequence[proof.Expected],
    reporter: Reporter,
) -> list[list[proof.Prediction | None]]:
    """What llama.cpp makes of a model's file, or of an adapter's beside its base."""
    beside = source.gguf if to == "adapter-gguf" else None
    return proof.ask_llamacpp(
        beside or file,
        expected,
        lambda token: is_text(source.tokenizer, token),
        lambda done: reporter.progress("llama.cpp 再答", done, len(expected)),
        file if beside else None,
        [(text, len(source.tokenizer(text).input_ids)) for text in proof.QUESTIONS],
    )


def _check_effect(
    source: TunedSource, expected: Sequence[proof.Expected], agreement: proof.Agreement
) -> None:
    """Without the adapter llama.cpp must be further from the tuned model than with it."""
    assert source.gguf is not None
    some = expected[:5]
    found = proof.ask_llamacpp(
        source.gguf, some, lambda token: is_text(source.tokenizer, token), lambda done: None
    )
    without = proof.compare(some, found, "llama.cpp", source.tokenizer.all_special_ids)
    if not agreement.error < without.error / 2:
        raise ExportError(
            f"写好的适配器在 llama.cpp 里不起作用：装上平均差 {agreement.error:.4f}，不装 {without.error:.4f}",
            "导出合并好的：--to gguf；并请带着 run.json 报告",
        )


def _check(run: Path, to: Target, output: Path, quant: str) -> None:
    if output.exists():
        raise InputError(
            f"输出位置 {str(output)!r} 已经有东西了",
            f"换一个目录：-o 别的名字；不要了就删掉：rm -r {output}",
        )
    if to == "hf" and quant not in ("f32", "f16", "bf16"):
        raise InputError(f"--to hf 没有 {quant!r}", "用 f16、bf16 或 f32；要更小的用 --to gguf")
    check_adapter(run)
    if to != "hf":
        proof.check_installed()


def _open(
    run: Path,
    to: Target,
    vocabulary: Literal["run", "full"],
    trust_remote_code: str,
    reporter: Reporter,
    home: Path | None,
) -> TunedSource:
    info = read_run(run)
    base_folder = resolve_base(info.base_model, reporter, home=home)
    if mismatch := other_base(run, info, base_folder):
        raise RunError(mismatch, "把底座换回训练时的那份")
    trust_code_in(base_folder, trust_remote_code, info.base_model)
    if to != "hf":
        convert.architecture_of(load_config(base_folder))
    source = gguf_behind(info.base_model, reporter, home=home)
    if to == "adapter-gguf" and source is None:
        raise RunError(
            f"底座 {info.base_model!r} 不是从 GGUF 来的，没有可以配适配器的 GGUF 文件",
            "导出合并好的：--to gguf",
        )
    vocab_ids = read_vocab_ids(run) if vocabulary == "run" and to in ("gguf", "ollama") else None
    tokenizer = load_tokenizer(base_folder if vocab_ids is None else run / VOCABULARY_FOLDER)
    return TunedSource(
        run=run,
        info=info,
        base_folder=base_folder,
        gguf=source,
        vocab_ids=vocab_ids,
        tokenizer=tokenizer,
        chat_format=open_format(tokenizer, info.chat_format),
    )


def _prompts(source: TunedSource, samples: Sequence[Sample]) -> list[list[int]]:
    """Held-out contexts, or a few questions where nothing was held out."""
    chosen = samples[:: max(1, len(samples) // PROMPTS)][:PROMPTS]
    messages = [(sample.context, sample.speaker or sample.mention) for sample in chosen]
    people = [person.cue for person in source.info.characters] or [""]
    messages += [
        (text, people[number % len(people)]) for number, text in enumerate(proof.QUESTIONS * 4)
    ]
    prompts = [
        source.chat_format.prompt([Message(role="user", content=text)], cue)
        for text, cue in messages[:PROMPTS]
    ]
    return [
        prompt if len(prompt) <= LONGEST_PROMPT else [prompt[0], *prompt[-LONGEST_PROMPT:]]
        for prompt in prompts
    ]


def is_text(tokenizer: Any, token: int) -> bool:
    """Is a token whole characters, and no part of one?"""
    return "\ufffd" not in tokenizer.decode([token])


def changed_names(model: Any) -> set[str]:
    """Names of the base's weights that a run changed."""
    if isinstance(model, PartialWeights):
        return set(model.state())
    names = set()
    for name, module in model.get_base_model().named_modules():
        if isinstance(module, BaseTunerLayer):
            names |= {f"{name}.{part}" for part, _ in module.get_base_layer().named_parameters()}
    return names


def merged(model: Any) -> Any:
    """The base with what was learnt in its own weights; `model` is used up."""
    return model.get_base_model() if isinstance(model, PartialWeights) else model.merge_and_unload()


def merged_tensors(source: TunedSource, model: Any, quant: str) -> dict[str, convert.Stored]:
    """The tensors of a GGUF file that are not taken over from the base's; `model` is used up.

    Of a base that came as GGUF what the run left alone stays as it was stored, unless more bits are asked for: with stored
    rows of few bits llama.cpp would round what it multiplies.
    """
    changed, config = changed_names(model), model.config.get_text_config()
    whole = merged(model)
    architecture = convert.architecture_of(config)
    place_of = convert.names_for(architecture, config.num_hidden_layers)
    everything = source.gguf is None or quant in ("f32", "f16", "bf16")
    tensors: dict[str, convert.Stored] = {}
    for name, tensor in whole.state_dict().items():
        place = place_of(name)
        if place is None:
            raise SourceError(
                f"权重 {name!r} 在 GGUF 的 {architecture} 里没有位置", "导出成 --to hf"
            )
        if (everything or name in changed) and not (
            place == "output.weight" and config.tie_word_embeddings
        ):
            array = convert.as_stored(
                architecture, name, tensor.detach().float().cpu().numpy(), config
            )
            tensors[place] = convert.stored(array, quant)
    return tensors


def write_merged(
    source: TunedSource,
    config: Any,
    tensors: Mapping[str, convert.Stored],
    target: Path,
    quant: str,
) -> None:
    """The whole model as a GGUF file."""
    name = source.run.name
    if source.gguf is None:
        convert.write_model(target, tensors, config, source.tokenizer, quant=quant, name=name)
    else:
        keys: dict[str, str | int] = {
            "general.name": name,
            "general.file_type": convert.FILE_TYPES[quant],
        }
        # the base's own, or one given by name with its end token
        if source.chat_format.kind == "template":
            end = source.tokenizer.eos_token_id
            keys["tokenizer.chat_template"] = source.tokenizer.chat_template
            keys["tokenizer.ggml.eos_token_id"] = (
                end if source.vocab_ids is None else source.vocab_ids[end]
            )
        rewrite_gguf(source.gguf, target, vocab_ids=source.vocab_ids, changed=tensors, keys=keys)


def write_adapter(source: TunedSource, target: Path) -> None:
    """The LoRA as llama.cpp reads one beside the base's own file.

    Raises:
        RunError: what was learnt is no plain LoRA.
    """
    lora = read_lora(source.run)
    if lora is None or source.gguf is None:
        raise RunError(
            f"{str(source.run)!r} 学的不是普通 LoRA，llama.cpp 没有这样的适配器",
            "导出合并好的：--to gguf",
        )
    write_lora(lora, read_head(source.gguf), target, source.run.name)


def _write_folder(source: TunedSource, model: Any, folder: Path, quant: str) -> None:
    """Merged safetensors and the tokenizer, for transformers."""
    whole = merged(model)
    kind = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}[quant]
    whole.to(kind).save_pretrained(folder)
    source.tokenizer.save_pretrained(folder)


def default_output(run: Path, to: Target, quant: str) -> Path:
    """Where an export goes when nobody says: runs/sanguo → exports/sanguo-gguf-q8_0."""
    return Path("exports") / (
        f"{run.name}-{to}" if to == "adapter-gguf" else f"{run.name}-{to}-{quant}"
    )


def total_bytes(folder: Path, files: Sequence[str]) -> int:
    return sum((folder / name).stat().st_size for name in files)
