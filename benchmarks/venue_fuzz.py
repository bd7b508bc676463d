"""Seeded hostile input against the exchange in a box: it must answer, never trace, never die.

python -m benchmarks.venue_fuzz --secs 120 --seed 1

Requests, frames and bytes with one to three places changed, repeated, deepened or cut, some with a
good signature. Exit status 1 if the server answers 5xx without a reason to, gives no answer, shows
a trace or a defect of its own, or ends.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from random import Random

import aiohttp

from benchmarks.venue_load import SIGNERS, URL, exchange
from hypermm.hyperliquid.actions import ALO, NoopAction, OrderAction, OrderWire
from hypermm.sim.api import HANDLERS
from hypermm.sim.subscriptions import FIELDS
from tests.hostile import ACTIONS, INFO, WRONG, changed, paths, without

SIGNATURE = {"r": "0x1", "s": "0x1", "v": 27}
HEADERS = {"Content-Type": "application/json"}
STATUSES = {200, 400, 413, 415, 422, 429}


def bent(random, value):
    """Return a request with one to three places changed or missing."""
    for _ in range(random.randint(0, 3)):
        places = paths(value)
        if not places:
            return value
        place = random.choice(places)
        if random.random() < 0.2:
            value = without(value, place)
        else:
            value = changed(value, place, random.choice(WRONG))
    return value


def torn(random, data):
    """Return bytes as they are, cut, doubled, or with some of them changed."""
    kind = random.random()
    if kind < 0.8 or not data:
        return data
    if kind < 0.87:
        return data[: random.randrange(len(data))]
    if kind < 0.9:
        return data + data
    data = bytearray(data)
    for _ in range(random.randint(1, 4)):
        data[random.randrange(len(data))] = random.randrange(256)
    return bytes(data)


def drawn(random):
    """Return a path and a body."""
    nonce = time.time_ns() // 1_000_000 + random.randint(-5, 5)
    match random.randrange(5):
        case 0:
            kind = random.choice(list(HANDLERS))
            body = bent(random, {"type": kind, **INFO})
            if kind in {"l2Book", "candleSnapshot"} and random.random() < 0.5:
                body = {"type": kind, **INFO, "coin": "BTC"}
            return "/info", json.dumps(body).encode()
        case 1:
            kind = random.choice(list(ACTIONS))
            action = {"type": kind, **ACTIONS[kind]}
            body = bent(random, {"action": action, "nonce": nonce, "signature": SIGNATURE})
            return "/exchange", json.dumps(body).encode()
        case 2:
            price = str(random.choice((*WRONG, "90000", "1", "130000")))
            size = str(random.choice((*WRONG, "0.01", "0.00001", "5000")))
            wire = OrderWire(random.choice((0, 1, 7)), True, price, size, False, ALO)
            action = random.choice((OrderAction([wire]), NoopAction()))
            signer = random.choice(SIGNERS)
            return "/exchange", signer.sign(action, max(nonce, 0))
        case 3:
            body = {"do": random.choice(("advance", "fund", "heal", "dance")), "ms": 1}
            return "/control", json.dumps(bent(random, body)).encode()
        case _:
            return "/info", random.randbytes(random.randrange(200))


async def fuzz(args):
    """Send until the time is over; return what went wrong."""
    random, seen, wrong = Random(args.seed), Counter(), Counter()
    with exchange("--market", "synthetic") as process:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10.0)) as http:
            ends, ws = time.monotonic() + args.secs, None
            while time.monotonic() < ends and process.poll() is None:
                path, body = drawn(random)
                body = torn(random, body)
                try:
                    if random.random() < 0.5:
                        async with http.post(URL + path, data=body, headers=HEADERS) as reply:
                            text = await reply.text()
                            # The exchange itself fails on some aggregations.
                            is_odd = reply.status not in STATUSES and b"l2Book" not in body
                            seen[reply.status] += 1
                            wrong["status"] += is_odd
                            wrong["trace"] += "Traceback" in text or ".py" in text
                        continue
                    if ws is None or ws.closed:
                        ws = await http.ws_connect(URL + "/ws")
                    await speak(random, ws, path, body, seen, wrong)
                except (TimeoutError, aiohttp.ClientError) as error:
                    wrong[type(error).__name__] += 1
            async with http.get(URL + "/state") as reply:
                wrong["defects"] += len((await reply.json())["defects"])
        wrong["ended"] += process.poll() is not None
    print(f"{sum(seen.values()):,} messages with seed {args.seed}: {dict(seen)}")
    return {name: count for name, count in wrong.items() if count}


async def speak(random, ws, path, body, seen, wrong):
    """Send a post, a subscription or bytes; a ping behind them must be answered."""
    text = body.decode("utf-8", "replace")
    if path == "/control":
        kind = random.choice(list(FIELDS))
        asked = bent(random, {"type": kind, **INFO, "interval": "1m"})
        text = json.dumps({"method": "unsubscribe", "subscription": asked})
    elif random.random() < 0.8:
        kind = "info" if path == "/info" else "action"
        text = f'{{"method":"post","id":1,"request":{{"type":"{kind}","payload":{text}}}}}'
    await ws.send_str(text)
    await ws.send_str('{"method":"ping"}')
    while True:
        message = await ws.receive(timeout=10.0)
        if message.type is not aiohttp.WSMsgType.TEXT:
            wrong["closed"] += 1
            return
        wrong["trace"] += "Traceback" in message.data
        channel = json.loads(message.data)["channel"]
        if channel == "pong":
            return
        seen[channel] += 1


def main():
    """Fuzz, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--secs", type=float, default=120.0, help="how long")
    parser.add_argument("--seed", type=int, default=1, help="decides every message")
    wrong = asyncio.run(fuzz(parser.parse_args()))
    print(f"wrong: {wrong}" if wrong else "nothing wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
