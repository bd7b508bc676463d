"""One client's session: an exchange of its own on loopback, and what the client's steps told.

The exchange starts a minute before an hour that is past, as nonces allow, so that funding is near.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from attrs import define, field

from tests.conformance.session import DEX, STEPS, control
from tests.processes import ADDRESS, KEY, Desk

HERE = Path(__file__).resolve().parent
SESSION_SECS = 300.0
# The dead man's switch asks for a volume that no session of this length has, and a client that
# reads all markets again and again spends the weight of an hour in a minute.
OPTIONS = ("--dex", DEX, "--rule", "schedule_cancel_volume=0", "--limit", "ip-weight=off")
HOUR_MS = 3_600_000


@define
class Result:
    """What a client did: `told` holds, for each step that it can do, why it failed or nothing.

    `traps` holds the steps that fail by the client's own mistake, and which one.
    """

    package: str
    version: str
    missing: str = ""  # why it could not be installed
    told: dict[str, str] = field(factory=dict)
    traps: dict[str, str] = field(factory=dict)

    @property
    def failures(self) -> dict[str, str]:
        """The steps that failed for no reason of the client's, and why."""
        return {s: why for s, why in self.told.items() if why and s not in self.traps}

    @property
    def passed(self) -> int:
        """The number of steps that passed."""
        return sum(not why for why in self.told.values())

    def summary(self) -> str:
        """One line for people."""
        if self.missing:
            return f"not installed: {self.missing}"
        return (
            f"{self.passed} of {len(self.told)} steps pass, {len(self.failures)} fail, "
            f"{len(self.traps)} are traps; {len(STEPS) - len(self.told)} it has not"
        )


def play(result: Result, client: Sequence[str | Path], folder: Path) -> None:
    """Run a client's script against a new exchange, and note what it tells."""
    desk = Desk(folder)
    # A proxy that installs the client is none to the loopback.
    environ = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    past_hour_ms = time.time_ns() // 1_000_000 // HOUR_MS * HOUR_MS
    try:
        exchange = desk.exchange("--start-ms", str(past_hour_ms - 60_000), *OPTIONS)
        control(desk.url, do="fund", address=ADDRESS, usdc=1_000, dex=DEX)
        with subprocess.Popen(
            [*client, desk.url, KEY, ADDRESS],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                output, _ = process.communicate(timeout=SESSION_SECS)
            except subprocess.TimeoutExpired:
                process.kill()
                output, _ = process.communicate()
        exchange.signal(signal.SIGTERM)
        exchange.wait()
        if "Traceback" in exchange.output():
            result.told["exchange"] = exchange.output()[-400:]
    finally:
        desk.close()
    for line in output.splitlines():
        if line.startswith('{"step":'):
            told = json.loads(line)
            result.told[told["step"]] = told["why"]
            if told.get("trap"):
                result.traps[told["step"]] = told["trap"]
    if process.returncode:
        end = " | ".join(line for line in output.splitlines() if not line.startswith("{"))[-400:]
        result.told["session"] = f"the client ended with {process.returncode}: {end}"
