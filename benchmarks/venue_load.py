"""Load on the exchange in a box from another process: signed posts, subscribed sockets, a soak.

python -m benchmarks.venue_load posts          # signed actions a second over WebSocket posts
python -m benchmarks.venue_load sockets        # 1,000 subscribed sockets on one market
python -m benchmarks.venue_load soak --secs 360  # memory at ten times real time, with a trader
python -m benchmarks.venue_load idle --secs 360  # the same without one
"""

import argparse
import asyncio
import contextlib
import json
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import aiohttp

from hypermm.hyperliquid.actions import (
    ALO,
    CancelByCloidAction,
    CloidWire,
    NoopAction,
    OrderAction,
    OrderWire,
)
from hypermm.hyperliquid.signing import Signer

SIGNERS = [Signer(number.to_bytes(32, "big"), is_mainnet=False) for number in range(7, 17)]
OFF = (
    "ip-weight",
    "connections",
    "connects",
    "subscriptions",
    "messages",
    "posts",
    "address-budget",
    "nonces",
)
with socket.create_server(("127.0.0.1", 0)) as free:
    PORT = free.getsockname()[1]
BEHIND_SECS = 60.0
URL = f"http://127.0.0.1:{PORT}"


@contextlib.contextmanager
def exchange(*options):
    """Run one in a process of its own; yield the process."""
    funds = [f"--fund={signer.address}=1000000" for signer in SIGNERS]
    limits = [f"--limit={name}=off" for name in OFF]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "hypermm", "exchange", "--port", str(PORT)),
            *(*funds, *limits, *options),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        print(process.stdout.readline().strip())
        yield process
    finally:
        process.terminate()
        process.wait()


def memory_kib(process):
    """Return the resident memory of a process."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


def cpu_secs(process):
    """Return the processor time that a process took."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100.0


def signed_posts(count):
    """Return signed posts: resting orders, their cancels, and no-ops, ready to send."""
    nonce = time.time_ns() // 1_000_000
    frames = []
    for number in range(count):
        cloid = f"0x{number // 3:032x}"
        match number % 3:
            case 0:
                action = OrderAction([OrderWire(0, True, "90000", "0.01", False, ALO, cloid)])
            case 1:
                action = CancelByCloidAction([CloidWire(0, cloid)])
            case _:
                action = NoopAction()
        body = SIGNERS[number // 3 % len(SIGNERS)].sign(action, nonce + number).decode()
        frames.append(
            f'{{"method":"post","id":{number},"request":{{"type":"action","payload":{body}}}}}'
        )
    return frames


async def posts(args):
    """Send pre-signed actions over one socket, a thousand in flight; count the replies."""
    frames = signed_posts(args.count)
    with exchange("--market", "synthetic:BTC") as process:
        async with aiohttp.ClientSession() as http, http.ws_connect(URL + "/ws") as ws:
            window = asyncio.Semaphore(1_000)
            kinds = Counter()

            async def read():
                for _ in frames:
                    reply = json.loads((await ws.receive()).data)["data"]["response"]["payload"]
                    kinds[reply["status"]] += 1
                    window.release()

            reading = asyncio.create_task(read())
            started, cpu = time.perf_counter(), cpu_secs(process)
            for frame in frames:
                await window.acquire()
                await ws.send_str(frame)
            await reading
            took, cpu = time.perf_counter() - started, cpu_secs(process) - cpu
        print(f"{len(frames)} signed actions in {took:.2f} s: {len(frames) / took:,.0f} a second")
        print(f"the server took {1e6 * cpu / len(frames):.0f} us of processor each; {dict(kinds)}")


async def sockets(args):
    """Subscribe many sockets to one market; every one must see the same frames."""
    with exchange("--market", "synthetic:BTC") as process:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as http:
            sinks = [await http.ws_connect(URL + "/ws") for _ in range(args.count)]
            for kind in ("bbo", "trades"):
                subscription = {"type": kind, "coin": "BTC"}
                for ws in sinks:
                    await ws.send_json({"method": "subscribe", "subscription": subscription})
            first_ms = (await state(http))["time"] + 1_000
            seen = [{} for _ in sinks]
            cpu, started = cpu_secs(process), time.perf_counter()
            last = asyncio.get_running_loop().create_future()
            reading = [
                asyncio.create_task(read_all(ws, s)) for ws, s in zip(sinks, seen, strict=True)
            ]
            asyncio.get_running_loop().call_later(args.secs, last.set_result, None)
            await last
            took, cpu = time.perf_counter() - started, cpu_secs(process) - cpu
            last_ms = (await state(http))["time"] - 1_000
            behind = time.monotonic() + BEHIND_SECS  # this process may be slower than the exchange
            while (  # noqa: ASYNC110 - what it waits for is in a thousand places
                not all(s and max(s)[0] > last_ms for s in seen) and time.monotonic() < behind
            ):
                await asyncio.sleep(0.1)
            for task in reading:
                task.cancel()
            kept = [{k for k in s if first_ms <= k[0] <= last_ms} for s in seen]
            lost = sum(len(set.union(*kept) - mine) for mine in kept)
            total = sum(len(mine) for mine in kept)
            print(f"{args.count} sockets, {len(set.union(*kept))} frames each, {lost} lost")
            print(
                f"{total / took:,.0f} frames a second; server at {100 * cpu / took:.0f} % of a core"
            )


async def read_all(ws, seen):
    """Note channel and time of every frame."""
    async for message in ws:
        frame = json.loads(message.data)
        data = frame.get("data")
        if frame["channel"] == "bbo":
            seen[data["time"], "bbo"] = True
        elif frame["channel"] == "trades" and data:
            seen[data[-1]["time"], "trades"] = True


async def state(http):
    """Return the exchange's state."""
    async with http.get(URL + "/state") as response:
        return await response.json()


async def soak(args):
    """Let an exchange run at ten times real time, with a trader and readers; print its memory."""
    with exchange("--speed", "10") as process:
        async with aiohttp.ClientSession() as http, http.ws_connect(URL + "/ws") as ws:
            for kind in ("bbo", "trades", "l2Book"):
                subscription = {"type": kind, "coin": "BTC"}
                await ws.send_json({"method": "subscribe", "subscription": subscription})
            user = {"type": "userFills", "user": SIGNERS[0].address}
            await ws.send_json({"method": "subscribe", "subscription": user})
            reading = asyncio.create_task(drain(ws))
            started = reported = time.monotonic()
            while (now := time.monotonic()) < started + args.secs:
                number = time.time_ns() // 1_000_000
                book = (await state(http))["markets"][0]
                for action in quotes(book, number) if args.load == "soak" else ():
                    body = SIGNERS[0].sign(action, time.time_ns() // 1_000_000)
                    headers = {"Content-Type": "application/json"}
                    async with http.post(URL + "/exchange", data=body, headers=headers) as reply:
                        await reply.read()
                if now >= reported:
                    reported += args.secs / 12
                    hours = (now - started) * 10.0 / 3600.0
                    print(f"{hours:.2f} h of the market: {memory_kib(process) / 1024:.1f} MiB")
                await asyncio.sleep(0.05)
            reading.cancel()


def quotes(book, number):
    """Place an order at each touch, then take both back."""
    touches = (True, book["bids"][0][0]), (False, book["asks"][0][0])
    cloids = [f"0x{number:031x}{side:d}" for side, _ in touches]
    for cloid, (side, price) in zip(cloids, touches, strict=True):
        wire = OrderWire(0, side, price.removesuffix(".0"), "0.01", False, ALO, cloid)
        yield OrderAction([wire])
    yield CancelByCloidAction([CloidWire(0, cloid) for cloid in cloids])


async def drain(ws):
    """Read whatever comes."""
    async for _ in ws:
        pass


def main():
    """Run one of the loads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("load", choices=("posts", "sockets", "soak", "idle"))
    parser.add_argument("--count", type=int, help="actions (30,000) or sockets (1,000)")
    parser.add_argument("--secs", type=float, default=20.0, help="how long")
    args = parser.parse_args()
    args.count = args.count or (1_000 if args.load == "sockets" else 30_000)
    asyncio.run({"posts": posts, "sockets": sockets, "soak": soak, "idle": soak}[args.load](args))


if __name__ == "__main__":
    main()
