"""The published Python client, as its documentation has it, with its chain and token pinned, its cap set, and an HTTP client
that keeps as many connections as there are payments in flight. Its task is one JSON argument, its answer one JSON line, as of
the programs in `src/bin`, whose library `src/client.rs` says what all of them do."""

import asyncio
import json
import re
import sys
import time

import httpx
from mpp.client import PaymentTransport
from mpp.methods.tempo import TempoAccount
from mpp.methods.tempo import client as tempo

task = json.loads(sys.argv[1])


def transport():
    charge = tempo.charge(
        account=TempoAccount.from_key(task["key"]),
        chain_id=task["chainId"],
        rpc_url=task["rpc"],
        currency="0x20c0000000000000000000000000000000000000",
        max_atomic_amount=10_000,
    )
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    return PaymentTransport(methods=[charge], inner=httpx.AsyncHTTPTransport(limits=limits))


async def pay(client):
    answer = await client.get(task["url"])
    receipt = answer.headers.get("payment-receipt")
    if not answer.is_success or not receipt:
        raise RuntimeError(f"{answer.status_code}: {answer.text}")
    return receipt


async def load(client, number):
    found = {"latencies": [], "receipts": [], "failures": []}
    left = iter(range(number))
    end = time.perf_counter() + task["seconds"]

    async def worker():
        for _ in left:
            begun = time.perf_counter()
            if begun >= end:
                return
            try:
                found["receipts"].append(await pay(client))
                found["latencies"].append((time.perf_counter() - begun) * 1e3)
            except Exception as error:
                found["failures"].append(f"{type(error).__name__}: {error}")

    await asyncio.gather(*(worker() for _ in range(min(task["inFlight"], number))))
    return found


def peak_memory():
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\s*(\d+) kB", status.read())[1])


async def main():
    async with httpx.AsyncClient(transport=transport(), timeout=30) as client:
        warm = await load(client, task["warmUp"])
        print(json.dumps({"warm": len(warm["receipts"]), "failure": next(iter(warm["failures"]), None)}), flush=True)
        sys.stdin.readline()
        cpu, begun = time.process_time(), time.perf_counter()
        found = await load(client, task["number"])
        cpu, wall = time.process_time() - cpu, time.perf_counter() - begun
        print(json.dumps({"wall": wall * 1e3, "cpu": cpu * 1e3, "peak": peak_memory(), **found}))


asyncio.run(main())
