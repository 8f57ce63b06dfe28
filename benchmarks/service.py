"""Fifty customers and five agents at once, over HTTP, on `custome demo service` in a process of its own: time of a turn, and that
nothing of one is in another's.

    python benchmarks/service.py
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from urllib.parse import quote

import httpx

from custome.cli.demo import SHOP
from custome.ports import free_port
from custome.reporter import ConsoleReporter

TURNS = (
    ("明前龙井50g多少钱", "168.00元"),
    ("那100g的呢", "318.00元"),
    ("可以开发票吗？", "90天"),
    ("查订单QC261122003", "尾号"),
    ("3086", "运输中"),
    ("送长辈的礼盒，200以内", "礼盒"),
)


async def customer(
    client: httpx.AsyncClient, root: str, number: int, pause_s: float
) -> list[float]:
    mine = (await client.post(f"{root}/chats")).json()
    taken = []
    await asyncio.sleep(pause_s * number / 50)
    for text, part in TURNS:
        begun = time.perf_counter()
        body = {"customer": mine["customer"], "text": text}
        said = (await client.post(f"{root}/chats/{mine['chat']}/messages", json=body)).json()
        taken.append(time.perf_counter() - begun)
        assert part in said["text"], (text, said)
        await asyncio.sleep(pause_s)
    if number % 10 == 0:
        body = {"customer": mine["customer"], "text": "转人工"}
        await client.post(f"{root}/chats/{mine['chat']}/messages", json=body)
    return taken


async def agent(client: httpx.AsyncClient, where: str, name: str) -> int:
    """Takes who waits, says something, gives back; how many."""
    served = 0
    for _ in range(20):
        for case in (await client.get(where)).json()["data"]:
            one = f"{where}/{case['chat']}"
            if (await client.post(f"{one}/take", json={"agent": name})).status_code == 200:
                await client.post(f"{one}/answer", json={"agent": name, "text": "您好。"})
                await client.post(f"{one}/give_back", json={"agent": name})
                served += 1
        await asyncio.sleep(0.5)
    return served


async def load(
    address: str, customers: int, agents: int, pause_s: float
) -> tuple[list[float], int]:
    limits = httpx.Limits(max_connections=customers + agents)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        shop = f"{address}/shop/{quote(SHOP)}"
        cases = f"{address}/v1/service/{quote(SHOP)}/cases"
        asking = [customer(client, shop, number, pause_s) for number in range(customers)]
        serving = [agent(client, cases, f"客服{number}") for number in range(agents)]
        both = await asyncio.gather(asyncio.gather(*asking), asyncio.gather(*serving))
    return [one for taken in both[0] for one in taken], sum(both[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=50)
    parser.add_argument("--agents", type=int, default=5)
    parser.add_argument(
        "--pause-s", type=float, default=1.0, help="between two messages of a customer"
    )
    flags = parser.parse_args()
    port = free_port("127.0.0.1", None)
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen(
            [sys.executable, "-m", "custome", "demo", "service", "--port", str(port)],
            env={**os.environ, "CUSTOME_HOME": home},
            stdout=subprocess.DEVNULL,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            until = time.monotonic() + 60
            while time.monotonic() < until:
                try:
                    httpx.get(f"{address}/health")
                    break
                except httpx.TransportError:
                    time.sleep(0.2)
            taken, served = asyncio.run(load(address, flags.customers, flags.agents, flags.pause_s))
        finally:
            process.terminate()
            process.wait(30)
    milliseconds = [one * 1000 for one in taken]
    ConsoleReporter().table(
        f"{flags.customers} 位客人，{flags.agents} 位客服，同时",
        ["", ""],
        [
            ["一句话，中位", f"{statistics.median(milliseconds):.0f} 毫秒"],
            ["九成五以内", f"{statistics.quantiles(milliseconds, n=20)[-1]:.0f} 毫秒"],
            ["接过的客人", str(served)],
        ],
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
