"""How fast, how many at once, how much memory: `custome serve` against what one would use otherwise.

    python benchmarks/serving.py runs/sanguo                 everything but the soak
    python benchmarks/serving.py runs/sanguo --quick         one stream and what a page does
    python benchmarks/serving.py runs/sanguo --soak 10000    many requests, some malformed, some whose client leaves

One stream: llama.cpp on the base's own file, bare and with the adapter beside it, transformers' generate, and ours. Many
clients: our API against llama.cpp's own HTTP server on the same file. Then what a page does: eight candidates against one, a
reply beside a process that keeps every core busy, and nothing at all. Every ratio is of one run on one machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from custome.models.gguf_cache import prepare, prepare_shared
from custome.models.run_folder import read_run
from custome.models.sources import gguf_behind
from custome.ports import free_port
from custome.reporter import ConsoleReporter, NullReporter

TOKENS = 96
PROMPTS = [
    "何不早降？孔明曰：",
    "今夜可劫寨否？曹操曰：",
    "先生何以教我？玄德曰：",
    "兵粮已尽，如之奈何？周瑜曰：",
    "此人可用否？孙权曰：",
    "城中火起，何故？张飞曰：",
    "愿闻其详。司马懿曰：",
    "丞相之病如何？姜维曰：",
]
SAMPLING = {"temperature": 0.0}  # both write the same words

ONE_STREAM = """
import json, sys, time
import xllamacpp
model, adapter, tokens, prompts = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
p = xllamacpp.CommonParams()
p.model.path, p.verbosity, p.n_ctx, p.n_parallel, p.port = model, -1, 2048, 1, 0
p.cpuparams.n_threads = p.cpuparams_batch.n_threads = int(sys.argv[5])
p.cache_ram_mib = p.n_ctx_checkpoints = 0
if adapter:
    p.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(adapter, 1.0)]
server = xllamacpp.Server(p)
rates = []
for prompt in prompts:
    last = []
    server.handle_completions({"prompt": prompt, "n_predict": tokens, "stream": True, "ignore_eos": True, "temperature": 0.8, "top_k": 40, "top_p": 0.9, "seed": 7}, lambda c: last.append(c) and False)
    rates.append(last[-1]["timings"]["predicted_per_second"])
print("RESULT", sorted(rates)[len(rates) // 2])
"""
LLAMA_HTTP = """
import sys, threading
import xllamacpp
p = xllamacpp.CommonParams()
p.model.path, p.verbosity, p.n_ctx, p.n_parallel, p.kv_unified, p.port = sys.argv[1], -1, 16384, 16, True, int(sys.argv[2])
p.cpuparams.n_threads = p.cpuparams_batch.n_threads = int(sys.argv[3])
p.cache_ram_mib = p.n_ctx_checkpoints = 0
server = xllamacpp.Server(p)
print("READY", flush=True)
threading.Event().wait()
"""
GENERATE = """
import json, sys, time
from pathlib import Path
from custome.engine.open_local import open_local
from custome.reporter import NullReporter
from custome.types import GenerateOptions, Request
run, tokens, prompts = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
engine = open_local(run=Path(run), base_model="", reporter=NullReporter())
rates = []
for prompt in prompts[:3]:
    started = time.perf_counter()
    reply = engine.run(Request(text=prompt), GenerateOptions(max_new_tokens=tokens, seed=7))
    rates.append(reply.completion_tokens / (time.perf_counter() - started))
print("RESULT", sorted(rates)[len(rates) // 2])
"""


def measured(code: str, *arguments: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT")), "")
    if not line:
        raise SystemExit(f"{done.stderr[-800:]}")
    return float(line.split()[1])


@dataclass
class Server:
    """A server in a process of its own."""

    command: list[str]
    port: int
    process: subprocess.Popen[bytes] = field(init=False)
    ready_s: float = field(init=False)

    def __enter__(self) -> Server:
        started = time.monotonic()
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while asyncio.run(status(self.port, "/health")) != 200:
            if self.process.poll() is not None or time.monotonic() - started > 120:
                raise SystemExit(f"did not start: {self.command}")
            time.sleep(0.05)
        self.ready_s = time.monotonic() - started
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def memory(self) -> float:
        """Resident, in MB."""
        return psutil.Process(self.process.pid).memory_info().rss / 1e6


async def status(port: int, path: str) -> int:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return 0
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    head = await reader.readline()
    writer.close()
    return int(head.split()[1]) if head else 0


@dataclass
class Answer:
    """What one client saw."""

    status: int
    first_s: float = 0.0
    whole_s: float = 0.0
    tokens: int = 0


async def post(port: int, body: bytes, *, leave_after: int = 0) -> Answer:
    """One streamed request by hand, since a client library would cost as much as the server; `leave_after` events it hangs up."""
    started = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        % len(body)
        + body
    )
    answer, events = Answer(status=0), 0
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        answer.status = int(head.split()[1])
        last = b""
        while line := await reader.readline():
            if line.startswith(b"data: {"):
                answer.first_s = answer.first_s or time.perf_counter() - started
                last, events = (line if b'"usage"' in line else last), events + 1
                if leave_after and events >= leave_after:
                    break
        if last:
            answer.tokens = json.loads(last[6:])["usage"]["completion_tokens"]
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()
    answer.whole_s = time.perf_counter() - started
    return answer


def question(model: str, number: int, *, ours: bool) -> bytes:
    body = {
        "model": model,
        "prompt": PROMPTS[number % len(PROMPTS)],
        "max_tokens": TOKENS,
        "stream": True,
        **SAMPLING,
    }
    body |= {"stream_options": {"include_usage": True}, "repetition_penalty": 1.0} if ours else {}
    return json.dumps(body).encode()


async def load(
    port: int, clients: int, each: int, ask: Callable[[int], bytes]
) -> tuple[list[Answer], float]:
    async def client(number: int) -> list[Answer]:
        return [await post(port, ask(number * each + turn)) for turn in range(each)]

    started = time.perf_counter()
    answers = [one for mine in await asyncio.gather(*map(client, range(clients))) for one in mine]
    return answers, time.perf_counter() - started


def many_clients(run: Path, model: Path, threads: int, rounds: int = 6) -> list[list[str]]:
    """Both servers are up and take turns, so that a slow minute of the machine hits both; medians of the rounds."""
    theirs, ours = free_port("127.0.0.1", None), 0
    rows = []
    with Server([sys.executable, "-c", LLAMA_HTTP, str(model), str(theirs), str(threads)], theirs):
        ours = free_port("127.0.0.1", None)
        with Server(
            [sys.executable, "-m", "custome", "serve", str(run), "--no-page", "--port", str(ours)],
            ours,
        ):
            asks = {
                port: lambda n, port=port: question(run.name, n, ours=port == ours)
                for port in (theirs, ours)
            }
            for clients, each in ((1, 12), (4, 8), (16, 4)):
                rates: dict[int, list[float]] = {theirs: [], ours: []}
                answers: dict[int, list[Answer]] = {theirs: [], ours: []}
                for turn in range(rounds + 1):
                    for port in (theirs, ours) if turn % 2 else (ours, theirs):
                        found, seconds = asyncio.run(load(port, clients, each, asks[port]))
                        if turn:  # the first warms up
                            rates[port].append(sum(one.tokens for one in found) / seconds)
                            answers[port] += found
                rows.append(
                    _row(clients, [rates[theirs], rates[ours]], [answers[theirs], answers[ours]])
                )
    return rows


def _row(
    clients: int, rates: Sequence[Sequence[float]], answers: Sequence[Sequence[Answer]]
) -> list[str]:
    theirs, ours = map(statistics.median, rates)
    first = [1000 * statistics.median(one.first_s for one in some) for some in answers]
    slow = []
    for some in answers:  # a token, since replies differ in length
        per_token = sorted(one.whole_s / max(1, one.tokens) for one in some)
        slow.append(1000 * per_token[min(len(per_token) - 1, int(0.99 * len(per_token)))])
    return [
        str(clients),
        f"{theirs:.0f}",
        f"{ours:.0f}",
        f"{ours / theirs:.2f}",
        f"{first[0]:.0f} / {first[1]:.0f}",
        f"{slow[0]:.1f} / {slow[1]:.1f}",
        f"{slow[1] / slow[0]:.2f}",
    ]


def together(run: Path) -> list[str]:
    """Sixteen conversations at once against one alone."""
    port = free_port("127.0.0.1", None)
    with Server(
        [sys.executable, "-m", "custome", "serve", str(run), "--port", str(port)], port
    ) as server:
        idle = server.memory()

        def ask(number: int) -> bytes:
            return question(run.name, number, ours=True)

        alone, seconds = asyncio.run(load(port, 1, 6, ask))
        one = sum(a.tokens for a in alone) / seconds
        turns = 6
        both, seconds = asyncio.run(load(port, 16, turns, ask))
        total = sum(a.tokens for a in both) / seconds
        talks = [both[start : start + turns] for start in range(0, len(both), turns)]
        rates = [sum(a.tokens for a in talk) / sum(a.whole_s for a in talk) for talk in talks]
        ready_s, busy = server.ready_s, server.memory()
    return [
        f"{one:.0f}",
        f"{total:.0f}",
        f"{total / one:.2f}",
        f"{min(rates) / statistics.mean(rates):.2f}",
        f"{idle:.0f} → {busy:.0f}",
        f"{ready_s:.1f}",
    ]


BUSY = "import sys\nwhile True: sum(range(10_000))"
IDLE_S = 20


def as_a_page(run: Path) -> list[list[str]]:
    """Eight replies to one question, a reply beside other work, an idle server; medians of three in turn."""
    port = free_port("127.0.0.1", None)
    with Server(
        [sys.executable, "-m", "custome", "serve", str(run), "--port", str(port)], port
    ) as server:
        process = psutil.Process(server.process.pid)

        def seconds(number: int, replies: int) -> float:
            body = json.loads(question(run.name, number, ours=True)) | {
                "n": replies,
                "temperature": 0.8,
                "max_tokens": 32,
            }
            answer = asyncio.run(post(port, json.dumps(body).encode()))
            return answer.whole_s

        seconds(0, 1)
        one, eight = ([seconds(number, replies) for number in range(3)] for replies in (1, 8))
        busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(os.cpu_count() or 1)]
        try:
            beside = [seconds(number, 1) for number in range(3)]
        finally:
            for other in busy:
                other.kill()
        before = sum(process.cpu_times()[:2])
        time.sleep(IDLE_S)
        idle = (sum(process.cpu_times()[:2]) - before) / IDLE_S
        memory = server.memory()
    alone = statistics.median(one)
    return [
        ["eight candidates ÷ one", f"{statistics.median(eight) / alone:.2f}"],
        [
            f"a reply beside {len(busy)} busy processes ÷ alone",
            f"{statistics.median(beside) / alone:.2f}",
        ],
        ["idle, of a core", f"{idle:.1%}"],
        ["resident, MB", f"{memory:.0f}"],
    ]


MALFORMED = [
    b"{",
    b"[]",
    b'{"model": 5}',
    b'{"model": "%s", "prompt": "a", "temperature": "hot"}',
    b'{"model": "%s", "prompt": "a", "max_tokens": -1}',
    b'{"model": "%s", "prompt": "a", "max_tokens": 1e99}',
    b'{"model": "nobody", "prompt": "a"}',
    b'{"model": "%s", "prompt": "a", "colour": 1}',
    b'{"model": "%s", "prompt": ""}',
    b"\xff\xfe",
    b'{"model": "%s", "prompt": "a", "stop": [1]}',
]


def soak(run: Path, requests: int) -> list[list[str]]:
    """Requests from 16 clients, one in twenty malformed, one in twenty whose client leaves."""
    port, dice = free_port("127.0.0.1", None), random.Random(1)
    counts = {"answered": 0, "malformed refused": 0, "left": 0, "wrong": 0}
    memory: list[float] = []

    async def client(number: int, turns: int, server: Server) -> None:
        for turn in range(turns):
            fate = dice.random()
            if fate < 0.05:
                body = dice.choice(MALFORMED)
                answer = await post(port, body % run.name.encode() if b"%s" in body else body)
                counts["malformed refused" if 400 <= answer.status < 500 else "wrong"] += 1
                continue
            body = json.loads(question(run.name, number * turns + turn, ours=True)) | {
                "max_tokens": dice.randint(2, 16)
            }
            leaves = fate < 0.10
            answer = await post(
                port, json.dumps(body).encode(), leave_after=dice.randint(1, 3) if leaves else 0
            )
            counts[
                "left"
                if leaves
                else "answered"
                if answer.status == 200 and answer.tokens
                else "wrong"
            ] += 1
            if sum(counts.values()) % max(1, requests // 20) == 0:
                memory.append(server.memory())
                print(f"  {sum(counts.values()):,} / {requests:,}  {memory[-1]:.0f} MB", flush=True)

    async def everybody(server: Server) -> None:
        await asyncio.gather(*(client(number, requests // 16, server) for number in range(16)))
        await asyncio.sleep(1)

    with Server(
        [sys.executable, "-m", "custome", "serve", str(run), "--no-page", "--port", str(port)], port
    ) as server:
        started = time.monotonic()
        asyncio.run(everybody(server))
        seconds = time.monotonic() - started
        stuck = metric(port, "custome_running") + metric(port, "custome_waiting")
    late = memory[len(memory) // 2 :]
    slope = (late[-1] - late[0]) if len(late) > 1 else 0.0
    return [
        *([name, f"{count:,}"] for name, count in counts.items()),
        ["stuck slots or waiters", f"{stuck:.0f}"],
        ["memory in the second half", f"{late[0]:.0f} → {late[-1]:.0f} MB ({slope:+.1f})"],
        ["seconds", f"{seconds:.0f}"],
    ]


def metric(port: int, name: str) -> float:
    async def read() -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        text = (await reader.read()).decode()
        writer.close()
        return text

    return sum(
        float(line.split()[-1])
        for line in asyncio.run(read()).splitlines()
        if line.startswith(name + "{")
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument(
        "--quick", action="store_true", help="without transformers and without many clients"
    )
    parser.add_argument("--soak", type=int, default=0, help="only this: so many requests")
    flags = parser.parse_args()
    console, threads = ConsoleReporter(), os.cpu_count() or 1
    if flags.soak:
        console.table("soak", ["", ""], soak(flags.run, flags.soak))
        return
    info = read_run(flags.run)
    merged = prepare(flags.run, NullReporter())
    stock = gguf_behind(info.base_model, NullReporter())
    if stock is None:
        raise SystemExit("needs a run on a GGUF base")
    shared = prepare_shared([flags.run], NullReporter())[0]
    small = prepare(flags.run, NullReporter(), quant="q4_0")
    prompts, n = json.dumps(PROMPTS), str(threads)
    beside = str(merged.adapters[0]) if merged.adapters else ""  # over a large base
    ways: list[tuple[str, Callable[[], float]]] = [
        (
            "llama.cpp, base's own file",
            lambda: measured(ONE_STREAM, str(stock), "", str(TOKENS), prompts, n),
        ),
        (
            "llama.cpp, base's own file + adapter",
            lambda: measured(
                ONE_STREAM, str(stock), str(shared.adapters[0]), str(TOKENS), prompts, n
            ),
        ),
        ("transformers generate", lambda: measured(GENERATE, str(flags.run), str(TOKENS), prompts)),
        (
            "ours, --shared-base",
            lambda: measured(
                ONE_STREAM, str(shared.model), str(shared.adapters[0]), str(TOKENS), prompts, n
            ),
        ),
        (
            "ours, as served",
            lambda: measured(ONE_STREAM, str(merged.model), beside, str(TOKENS), prompts, n),
        ),
        (
            "ours, merged q4_0",
            lambda: measured(ONE_STREAM, str(small.model), "", str(TOKENS), prompts, n),
        ),
    ]
    if flags.quick:
        ways = [way for way in ways if way[0] != "transformers generate"]
    rates = {name: max(way() for _ in range(2)) for name, way in ways}
    bare, laid_over = list(rates.values())[:2]
    console.table(
        "one stream",
        ["", "tokens/s", "× bare base", "× base + adapter"],
        [
            [name, f"{rate:.0f}", f"{rate / bare:.2f}", f"{rate / laid_over:.2f}"]
            for name, rate in rates.items()
        ],
    )
    console.table("as a page does", ["", ""], as_a_page(flags.run))
    if flags.quick:
        return
    console.table(
        "clients, tokens/s",
        ["clients", "llama.cpp", "ours", "ratio", "first ms", "p99 ms/token", "ratio"],
        many_clients(flags.run, merged.model, threads),
    )
    console.table(
        "sixteen at once",
        ["one", "sixteen", "ratio", "slowest / mean", "MB", "ready s"],
        [together(flags.run)],
    )


if __name__ == "__main__":
    main()
