"""Run one client through the shared list of steps: `python CLIENT.py URL KEY ADDRESS`.

A client is a class with a method for each step of `steps.json` that it can do, with
`start(url, key, address)` and `stop()`, each plain or a coroutine. A step passes if it returns. A
line of JSON tells of each. `TRAPS` names what the client does wrong on the real exchange too: step,
pattern of what it says then, and why.
"""

import asyncio
import inspect
import json
import re
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

COIN = "BTC"
DEX = "box"
DEX_COIN = "box:BTC"
SIZE = 0.01
STEP_SECS = 30.0
OTHER = "0x00000000000000000000000000000000000000aa"  # receives transfers
STRANGER_KEY = "0x" + 63 * "0" + "9"  # a throw-away key of nobody's account
STEPS: dict[str, str] = json.loads((Path(__file__).parent / "steps.json").read_text())


def same(got: Any, wanted: Any) -> None:
    """Fail unless two values are equal."""
    if got != wanted:
        raise AssertionError(f"{got!r} is not {wanted!r}")


def near(got: Any, wanted: Any, most: float = 0.1) -> None:
    """Fail unless two numbers differ by no more than a tick; averages are cut, entries rounded."""
    if not abs(float(got) - float(wanted)) <= most * 1.001:
        raise AssertionError(f"{got} is not near {wanted}")


def says(got: Any, pattern: str) -> None:
    """Fail unless what was answered or raised holds a text that matches."""
    if not re.search(pattern, str(got)):
        raise AssertionError(f"{str(got)!r} does not say {pattern!r}")


def true(value: Any, what: str) -> None:
    """Fail, saying what does not hold."""
    if not value:
        raise AssertionError(what)


async def until(ask: Callable[[], Any], what: str, secs: float = 10.0) -> Any:
    """Ask until the answer is not empty; return it."""
    give_up = time.monotonic() + secs
    while time.monotonic() < give_up:
        answer = ask()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        await asyncio.sleep(0.02)
    raise AssertionError(f"{what}: not within {secs:g} s")


async def refused(call: Callable[[], Any], pattern: str) -> None:
    """Fail unless a call raises with a text that matches, or returns one."""
    try:
        answer = call()
        if inspect.isawaitable(answer):
            answer = await answer
    except Exception as error:  # noqa: BLE001 - every client has its own
        answer = error
    says(answer, pattern)


def control(url: str, **request: Any) -> None:
    """Tell the exchange something that is not the client's part."""
    body = json.dumps(request).encode()
    headers = {"Content-Type": "application/json"}
    ask = urllib.request.Request(url + "/control", body, headers)
    urllib.request.urlopen(ask, timeout=20).close()


def pass_the_hour(url: str) -> None:
    """Bring the exchange over the next full hour, which is less than a minute away."""
    control(url, do="speed", speed=0)
    control(url, do="advance", ms=61_000)
    control(url, do="speed", speed=1)


def _call(runner: asyncio.Runner, method: Callable[..., Any], *arguments: str) -> None:
    """Call plain methods outside of the loop: a client may run one of its own."""
    result = method(*arguments)
    if inspect.iscoroutine(result):
        runner.run(asyncio.wait_for(result, STEP_SECS))


def _session(runner: asyncio.Runner, client: Any, *arguments: str) -> None:
    _call(runner, client.start, *arguments)
    try:
        for name in STEPS:
            method = getattr(client, name, None)
            if method is None:
                continue
            why = ""
            started = time.monotonic()
            try:
                _call(runner, method)
            except Exception as error:  # noqa: BLE001 - a failed step is a result
                why = f"{type(error).__name__}: {error}"[:400]
            pattern, trap = getattr(client, "TRAPS", {}).get(name, ("$^", ""))
            is_trap = bool(re.search(pattern, why))
            secs = round(time.monotonic() - started, 2)
            told = {"step": name, "why": why, "trap": trap if is_trap else "", "secs": secs}
            print(json.dumps(told), flush=True)
    finally:
        _call(runner, client.stop)


def run(client: Any) -> None:
    """Run a client through the steps, with the URL, key and address of the command line."""
    unknown = {name for name in vars(type(client)) if name[0] != "_"} - {*STEPS, "TRAPS"}
    same(unknown, {"start", "stop"})
    with asyncio.Runner() as runner:
        _session(runner, client, *sys.argv[1:4])
