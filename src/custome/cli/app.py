"""`custome …`: finds the command, imports only what it needs, and turns errors into two lines and exit code 2."""

from __future__ import annotations

import logging
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence

from .. import __version__
from ..errors import CustomeError, InputError
from ..machine import share_the_cores
from .apps import APPS, find

_BEFORE: dict[str, tuple[str, str]] = {
    "quickstart": ("quickstart:quickstart", "从小说到聊天页，一条命令走完（内置三国演义和底座）"),
    "corpus build": ("corpus:corpus_build", "小说 → 带说话人的多轮对话语料"),
    "corpus inspect": (
        "corpus:corpus_inspect",
        "看语料：一章原文标出说话人，或按说话人、规则、可信度找句子",
    ),
    "corpus fix": ("corpus:corpus_fix", "改别名表，就地重做语料"),
    "corpus convert": ("corpus:corpus_convert", "数据换格式：seed、多轮、alpaca、sharegpt、openai"),
    "corpus report": ("corpus:corpus_report", "语料画成一个网页"),
    "corpus fetch": ("corpus:corpus_fetch", "取四大名著的原文"),
    "models": ("models:models_list", "不用模型库就能有的底座：有哪些、多大、哪些已经在这里"),
    "models get": ("models:models_get", "把一个底座取到这台机器上"),
    "models remove": ("models:models_remove", "删掉一个底座"),
    "plan": ("plan:plan", "训练要多少内存和时间，装不装得进这张卡"),
}
_BEHIND: dict[str, tuple[str, str]] = {
    "serve": ("serve:serve", "聊天页和 OpenAI 兼容的 API"),
    "keys add": ("keys:keys_add", "新建一个 API 密钥"),
    "keys list": ("keys:keys_list", "有哪些密钥"),
    "keys remove": ("keys:keys_remove", "删掉一个密钥"),
    "export": (
        "export:export",
        "写成 safetensors、GGUF、Ollama 或 llama.cpp 适配器，读回来核对过才算数",
    ),
    "merge": ("export:merge", "同一个底座上的几个 LoRA 按比例合成一个"),
    "compare": ("compare:compare", "微调前后并排对比，出 Markdown 和网页"),
    "evaluate": ("evaluate:evaluate", "演得像不像：谁的口吻、切不切题、雷同、出戏，和真实引文并排"),
}
COMMANDS: dict[str, tuple[str, str]] = {
    **_BEFORE,
    **{name: row for app in APPS.values() for name, row in app.commands.items()},
    **_BEHIND,
}
"""Name → (module:function taking the flags that follow, one line of help)."""


def usage() -> str:
    """What `custome --help` prints."""
    lines = [
        f"custome {__version__} · 大模型定制化：把任意一本书变成自己的语言模型",
        "",
        "用法：custome 命令 [选项]",
        "",
        "命令：",
    ]
    lines += [f"  {name:<16}{about}" for name, (_, about) in COMMANDS.items()]
    lines += [
        "",
        "每个命令的选项：custome 命令 --help　　出错时看完整经过：加 --debug",
        "第一次用：custome quickstart",
    ]
    return "\n".join(lines)


def find_command(argv: Sequence[str]) -> tuple[str, list[str]]:
    """(command name, the flags behind it).

    Raises:
        InputError: no such command; the nearest is named.
    """
    for words in (2, 1):
        name = " ".join(argv[:words])
        if len(argv) >= words and name in COMMANDS:
            return name, list(argv[words:])
    from ..tuning_methods import nearest

    close = nearest(" ".join(argv[:2]), list(COMMANDS)) or nearest(argv[0], list(COMMANDS))
    raise InputError(
        f"没有命令 {argv[0]!r}",
        f"是不是 custome {close}？全部命令：custome --help"
        if close
        else "全部命令：custome --help",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments in ([], ["--debug"], ["--help"], ["-h"], ["help"]):
        print(usage())
        return 0
    if arguments in (["--version"], ["-V"]):
        print(__version__)
        return 0

    share_the_cores()

    def run() -> int:
        name, flags = find_command(arguments)
        return int(find("cli", COMMANDS[name][0])(flags) or 0)

    return guarded(run, arguments)


def _explain(message: str, hint: str, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(f"错误：{' '.join(message.split())}", file=sys.stderr)
    print(f"怎么办：{' '.join(hint.split())}", file=sys.stderr)
    return 2


def guarded(run: Callable[[], int], arguments: list[str]) -> int:
    """Run a command; a CustomeError becomes two lines on stderr and exit code 2. `--debug` is taken out of `arguments`."""
    debug = "--debug" in arguments  # find_command has not run yet: `run` reads the list later
    if debug:
        arguments.remove("--debug")
    else:
        warnings.simplefilter(
            "ignore", FutureWarning
        )  # libraries talking to each other, not to the user
        logging.getLogger("bitsandbytes").setLevel(
            logging.ERROR
        )  # as above, of kernels that nobody asked for
    try:
        return run()
    except CustomeError as error:
        return _explain(error.message, error.hint, debug)
    except (OSError, MemoryError, RuntimeError) as error:
        signs = ("out of memory", "not enough memory", "can't allocate memory")
        short = isinstance(error, MemoryError) or any(sign in str(error) for sign in signs)
        if not short and not isinstance(error, OSError):
            raise
        hint = (
            "减小 --micro-batch-size 或 --cutoff-len，加 --resume 接着训练"
            if short
            else "检查路径、权限和磁盘空间；完整经过：加 --debug"
        )
        return _explain(str(error) or "内存不够", hint, debug)
    except KeyboardInterrupt:
        print("\n已中断；已存下的都在", file=sys.stderr)
        return 130
