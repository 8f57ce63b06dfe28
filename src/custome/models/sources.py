"""Where a base model comes from: any way of naming one → a complete local folder.

    qwen2.5-coder-1.5b  a base of the list that the package index has (model_catalog.py); `embedded` is the oldest of them
    path/to/folder      a folder with config.json, weights and tokenizer
    path/to/file.gguf   weights are read from it as they are stored
    hf:org/name         Hugging Face (HF_ENDPOINT names a mirror; org/name alone means the same)
    ms:org/name         ModelScope

Knows nothing of what the weights mean.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import DiskError, InputError, SourceError
from ..model_catalog import family_of, find_model, shipped_name
from ..reporter import Reporter
from ..resources import custome_home, fetch, sha256_of
from .gguf import POINTER, former_fingerprint, gguf_of, point_to, prepare_gguf, tensor_digest
from .run_folder import RunInfo

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def resolve_base(spec: str, reporter: Reporter, *, home: Path | None = None) -> Path:
    """The folder of a base model, fetched and prepared if need be.

    Raises:
        InputError: the name is of no known form, or a path that does not exist.
        SourceError: it cannot be fetched, or the folder is incomplete.
    """
    home = home or custome_home()
    path = Path(spec).expanduser()
    if (name := shipped_name(spec)) is not None:
        return _prepared(fetch(name, reporter, home=home), home / "models" / name, reporter)
    if path.suffix == ".gguf" and path.is_file():
        return _prepared(path, home / "models" / f"{path.stem}-{sha256_of(path)[:12]}", reporter)
    if path.is_dir():
        check_folder(path)
        return path
    if spec.startswith("ms:"):
        return _modelscope(spec.removeprefix("ms:"))
    name = spec.removeprefix("hf:")
    if _HUB_ID.fullmatch(name) and not name.startswith("."):
        return _hugging_face(name)
    raise InputError(
        f"找不到底座模型 {spec!r}：没有这个目录或文件",
        "可用：本地目录、.gguf 文件、hf:组织/模型、ms:组织/模型，或自带的：custome models",
    )


def _prepared(gguf: Path, target: Path, reporter: Reporter) -> Path:
    """The folder of a GGUF file: made once, and pointed to where the file is now. One that an earlier release filled with fp32
    weights of its own is made anew."""
    former = ""
    if not (target / POINTER).is_file():
        former = fingerprint(target) if (target / "config.json").is_file() else ""
        shutil.rmtree(target, ignore_errors=True)
        prepare_gguf(gguf, target, reporter)
    point_to(target, gguf, former=former)
    return target


def gguf_behind(spec: str, reporter: Reporter, *, home: Path | None = None) -> Path | None:
    """The GGUF file a base model was prepared from, None for one that came in another form."""
    if (name := shipped_name(spec)) is not None:
        return fetch(name, reporter, home=home)
    path = Path(spec).expanduser()
    return path if path.suffix == ".gguf" and path.is_file() else None


def llamacpp_knows(spec: str) -> bool:
    """Will llama.cpp know a base model's architecture? Looks at local files only; False for what is not there."""
    path = Path(spec).expanduser()
    if shipped_name(spec) is not None or path.suffix == ".gguf":
        return True
    if not (path / "config.json").is_file() and _HUB_ID.fullmatch(name := spec.removeprefix("hf:")):
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache(name, "config.json")
        path = Path(cached).parent if isinstance(cached, str) else path
    if not (path / "config.json").is_file():
        return False
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    return bool(family_of(config.get("text_config", config).get("model_type", "")).gguf)


_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "ice_text.model", "vocab.json", "vocab.txt")


def check_folder(folder: Path) -> None:
    """Raise SourceError naming what a base model's folder lacks."""
    if not (folder / "config.json").is_file():
        raise SourceError(
            f"目录 {str(folder)!r} 里没有 config.json，不是底座模型",
            f"看看里面有什么：ls {folder}；或用内置底座 --base-model embedded",
        )
    indexes = [*folder.glob("*.safetensors.index.json"), *folder.glob("*.bin.index.json")]
    try:
        maps = [
            json.loads(index.read_text(encoding="utf-8"))["weight_map"] for index in indexes[:1]
        ]
        shards = {shard for weight_map in maps for shard in weight_map.values()}
    except (ValueError, KeyError, AttributeError) as error:
        raise SourceError(
            f"底座模型 {str(folder)!r} 的索引 {indexes[0].name!r} 损坏：{error}", "重新下载这个文件"
        ) from error
    missing = sorted(shard for shard in shards if not (folder / shard).is_file())
    if missing:
        raise SourceError(
            f"底座模型 {str(folder)!r} 缺少权重分片 {missing[0]!r}（共缺 {len(missing)} 个）",
            "重新下载缺少的分片，放进同一个目录",
        )
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise SourceError(
            f"底座模型 {str(folder)!r} 里没有分词器",
            f"需要其中一个：{'、'.join(_TOKENIZERS)}；从同一个模型的页面下载",
        )
    if not shards and not [*folder.glob("*.safetensors"), *folder.glob("*.bin")]:
        raise SourceError(
            f"底座模型 {str(folder)!r} 里没有权重文件", "需要 model.safetensors（或分片加索引）"
        )


def _ways_on(spec: str, reason: str) -> SourceError:
    return SourceError(
        f"拿不到底座模型 {spec!r}：{reason.splitlines()[0][:160]}",
        "三条路：① 用已下载的目录 --base-model /路径；② 换镜像 export HF_ENDPOINT=https://你的镜像 或 ms:组织/模型；"
        "③ 用内置底座 --base-model embedded",
    )


_WEIGHTS = (".safetensors", ".bin")
_OTHERS = (
    ".json",
    ".model",
    ".jinja",
    ".txt",
    ".py",
)  # fetched is not run: see loading.trust_code_in


def _hugging_face(repo: str) -> Path:
    """What was fetched once needs no network again."""
    from huggingface_hub import HfApi, constants, snapshot_download

    for weights in _WEIGHTS:
        with suppress(OSError, SourceError):  # never fetched, or not all of it
            patterns = [f"*{ending}" for ending in (weights, *_OTHERS)]
            folder = Path(
                snapshot_download(
                    repo, allow_patterns=patterns, ignore_patterns="*/*", local_files_only=True
                )
            )
            check_folder(folder)
            return folder
    with _hub_trouble(f"hf:{repo}"):
        listed = HfApi().model_info(repo, files_metadata=True).siblings or []
        wanted = _wanted_with_room(
            {file.rfilename: file.size or 0 for file in listed}, Path(constants.HF_HUB_CACHE), repo
        )
        folder = Path(snapshot_download(repo, allow_patterns=wanted))
    check_folder(folder)
    return folder


def _modelscope(repo: str) -> Path:
    """The same from ModelScope (MODELSCOPE_CACHE says where it is kept)."""
    try:
        from modelscope import snapshot_download
        from modelscope.hub.api import HubApi
        from modelscope_hub.errors import CacheNotFound
    except ImportError as error:
        raise SourceError(
            f"从 ModelScope 取 {repo!r} 需要 modelscope 包", "pip install 'llm-custome[modelscope]'"
        ) from error
    with suppress(CacheNotFound, SourceError):
        folder = Path(snapshot_download(repo, local_files_only=True))
        check_folder(folder)
        return folder
    with _hub_trouble(f"ms:{repo}"):
        listed = HubApi().get_model_files(repo, recursive=False)
        cache = Path(os.environ.get("MODELSCOPE_CACHE") or Path.home())
        wanted = _wanted_with_room(
            {file["Path"]: file.get("Size") or 0 for file in listed}, cache, repo
        )
        folder = Path(snapshot_download(repo, allow_patterns=wanted))
    check_folder(folder)
    return folder


@contextmanager
def _hub_trouble(spec: str) -> Iterator[None]:
    """Whatever a hub's client raises, as a SourceError with three ways on."""
    try:
        yield
    except (DiskError, SourceError):
        raise
    except Exception as error:
        # the clients raise a dozen kinds; to the user they all mean "not to be had"
        answered = getattr(getattr(error, "response", None), "status_code", None)
        absent = "没有这个仓库（名字写错了？），或者要先登录、同意它的条款"
        raise _ways_on(
            spec, absent if answered in (401, 403, 404) else str(error) or type(error).__name__
        ) from error


def wanted_files(names: Collection[str]) -> list[str]:
    """Of a repository's files those a base model is loaded from; pickled weights only where there are no others."""
    top = [name for name in names if "/" not in name]
    kinds = [[name for name in top if name.endswith(ending)] for ending in _WEIGHTS]
    return next(filter(None, kinds), []) + [name for name in top if name.endswith(_OTHERS)]


def _wanted_with_room(sizes: dict[str, int], cache: Path, repo: str) -> list[str]:
    """The wanted files of a repository, if the disk has room for them.

    Raises:
        DiskError: it has not.
    """
    wanted = wanted_files(sizes)
    needed_bytes = sum(sizes[name] for name in wanted)
    there = next(path for path in (cache, *cache.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < needed_bytes:
        raise DiskError(
            f"下载 {repo!r} 要 {needed_bytes / 1e9:.1f} GB，{str(there)!r} 只剩 {free / 1e9:.1f} GB",
            "腾出空间，或把缓存放到别处：export HF_HOME=/大一点的盘/huggingface（ModelScope：MODELSCOPE_CACHE）",
        )
    return wanted


def other_base(run: Path, info: RunInfo, folder: Path) -> str:
    """What to say when a run was trained on another base than the one in `folder`; '' when it was this one."""
    here = fingerprint(folder)
    if same_base(
        info.base_model, info.base_fingerprint, here
    ) or info.base_fingerprint == former_fingerprint(folder):
        return ""
    return f"{str(run)!r} 是在另一个底座上训练的（{info.base_model!r}，指纹 {info.base_fingerprint}；这个是 {here}）"


def same_base(base_model: str, one: str, other: str) -> bool:
    """Are two fingerprints of one base, which earlier releases may have called otherwise?"""
    known = find_model(base_model)
    names = known.former_fingerprints if known else ()
    return (
        one == other
        or (one in names and other not in names)
        or (other in names and one not in names)
    )


def fingerprint(folder: Path) -> str:
    """Tells one base model from another without reading gigabytes: configuration, file sizes and the beginning of the weights."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config.pop("transformers_version", None)  # says who wrote the file, not what the model is
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        digest.update(f"{path.name}:{path.stat().st_size}".encode())
        with path.open("rb") as weights:
            digest.update(weights.read(1 << 16))
    if (gguf := gguf_of(folder)) is not None:
        digest.update(tensor_digest(gguf))
    return digest.hexdigest()[:16]
