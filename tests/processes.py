"""Real processes on loopback: an exchange, a market maker, and what they said."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_SECS = 60.0
KEY = "0x" + "5eed" * 16  # a throw-away key; nothing is behind it
ADDRESS = "0x3971292981aab0456bbbc199d527298355cbb514"


def free_port() -> int:
    """Return a port that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """`python -m hypermm ...` in its own folder, with its output in a file."""

    def __init__(self, folder: Path, *arguments: str, **environ: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"{arguments[0]}-{time.monotonic_ns()}.log"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("HYPERLIQUID")}
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-m", "hypermm", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={
                    **kept,
                    "PYTHONPATH": str(ROOT),
                    "XDG_STATE_HOME": str(folder / "state"),
                    **environ,
                },
            )

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, pattern: str, secs: float = PATIENCE_SECS) -> re.Match[str]:
        """Wait until the output matches; fails with the output if the process ends before."""
        give_up = time.monotonic() + secs
        while True:
            ended = self.process.poll() is not None
            found = re.search(pattern, self.output())
            if found:
                return found
            assert not ended, f"ended with {self.process.returncode}:\n{self.output()}"
            assert time.monotonic() < give_up, f"no {pattern!r} in {secs} s:\n{self.output()}"
            time.sleep(0.05)

    def wait(self, secs: float = PATIENCE_SECS) -> int:
        return self.process.wait(secs)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """`kill -9`, and wait for it."""
        self.process.kill()
        self.process.wait()


class Desk:
    """An exchange and the market makers on it; everything is ended at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes: list[Process] = []

    def start(self, *arguments: str, **environ: str) -> Process:
        process = Process(self.folder, *arguments, **environ)
        self.processes.append(process)
        return process

    def exchange(self, *options: str) -> Process:
        process = self.start(
            "exchange", "--port", str(self.port), "--fund", f"{ADDRESS}=10000", *options
        )
        process.wait_for("listening on")
        return process

    def run(self, *options: str, key: str = KEY) -> Process:
        return self.start("run", "--network", self.url, *options, HYPERLIQUID_PRIVATE_KEY=key)

    def info(self, **request: object) -> object:
        body = json.dumps(request).encode()
        asked = urllib.request.Request(
            f"{self.url}/info", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=5) as answer:
            return json.load(answer)

    def open_orders(self) -> list[dict[str, object]]:
        orders = self.info(type="openOrders", user=ADDRESS)
        assert isinstance(orders, list)
        return orders

    def position(self) -> float:
        state = self.info(type="clearinghouseState", user=ADDRESS)
        positions = state["assetPositions"]  # type: ignore[index,call-overload]
        return float(positions[0]["position"]["szi"]) if positions else 0.0

    def wait_until(self, holds: Callable[[], object], secs: float = 20.0) -> bool:
        """Whether the condition comes to hold in time.

        Asked twice a second: reads of the exchange cost weight, which the run shares.
        """
        give_up = time.monotonic() + secs
        while time.monotonic() < give_up:
            if holds():
                return True
            time.sleep(0.5)
        return False

    def close(self) -> None:
        for process in self.processes:
            if process.process.poll() is None:
                process.kill()
