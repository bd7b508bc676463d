"""The exchange that a run on localhost starts when nothing listens there: a process of its own.

It outlives a killed run, so that the next one finds its orders; a graceful stop ends it. Its output
goes to a file in the state directory.
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from hypermm.errors import ConfigError
from hypermm.hyperliquid.client import Client
from hypermm.hyperliquid.payloads import parse_json
from hypermm.journal import EmbeddedExchange, LocalState
from hypermm.sim.dexs import short_name

START_SECS = 20.0
STOP_SECS = 3.0
POLL_SECS = 0.1
FUNDING_USDC = 10_000
STATUS_REQUEST = b'{"type":"exchangeStatus"}'


class Embedded:
    """Starts, finds again and ends the embedded exchange.

    Parameters
    ----------
    state : LocalState
        Where its process is remembered.
    port : int
        Port of the exchange on this machine.
    market : str or None
        What it plays (`--market`), None for the synthetic market.
    account : str
        Address that it funds.
    dex : str
        Builder's dex that it lists; empty for none.
    """

    def __init__(
        self, state: LocalState, *, port: int, market: str | None, account: str, dex: str = ""
    ) -> None:
        self._state = state
        self._port = port
        self._market = market
        self._account = account
        self._dex = short_name(dex)
        self._process: asyncio.subprocess.Process | None = None
        self.is_ours = False  # this or an earlier run of ours started it

    @property
    def spec(self) -> str:
        """What it plays, for a person."""
        return self._market or "synthetic"

    async def ensure(self, client: Client) -> None:
        """Use the exchange that listens, or start one and wait until it answers.

        Raises
        ------
        ConfigError
            If a market was asked for and an exchange runs already, or the new one does not start.
        """
        if await answers(client):
            remembered = self._state.exchange()
            self.is_ours = remembered is not None and _is_running(remembered.pid)
            if self._market is not None and self._process is None:
                raise ConfigError(
                    f"--market has no effect: an exchange runs already on port {self._port}",
                    hint="stop it first, or leave --market out",
                )
            return
        await self.start(client)

    async def start(self, client: Client) -> None:
        """Start the exchange and wait until it answers."""
        log = self._state.path / "exchange.log"
        command = [sys.executable, "-m", "hypermm", "exchange", "--port", str(self._port)]
        command += ["--fund", f"{self._account}={FUNDING_USDC}"]
        if self._market is not None:
            command += ["--market", str(self._market)]
        if self._dex:
            command += ["--dex", self._dex]
        with log.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the run, which ends it when all is proved
            )
        self.is_ours = True
        self._state.write_exchange(EmbeddedExchange(self._process.pid, self._port))
        give_up = time.monotonic() + START_SECS
        while not await answers(client):
            if self._process.returncode is not None:
                raise ConfigError(f"the exchange did not start: {_last_line(log)}")
            if time.monotonic() > give_up:
                await self.stop()
                raise ConfigError(f"the exchange did not answer within {START_SECS:.0f} s")
            await asyncio.sleep(POLL_SECS)

    @property
    def has_died(self) -> bool:
        """Whether the exchange is ours and its process is gone."""
        if not self.is_ours:
            return False
        if self._process is not None:
            return self._process.returncode is not None
        remembered = self._state.exchange()
        return remembered is None or not _is_running(remembered.pid)

    async def abandon(self) -> None:
        """End the exchange if this very run started it: nothing was traded on it."""
        if self._process is not None:
            await self.stop()

    async def stop(self) -> None:
        """End the exchange if it is ours."""
        remembered = self._state.exchange()
        if not self.is_ours or remembered is None:
            return
        if _is_running(remembered.pid):
            os.kill(remembered.pid, signal.SIGTERM)
            give_up = time.monotonic() + STOP_SECS
            while _is_running(remembered.pid) and time.monotonic() < give_up:  # noqa: ASYNC110
                await asyncio.sleep(POLL_SECS)
        self._state.clear_exchange()


async def answers(client: Client) -> bool:
    """Whether an exchange answers at the client's address."""
    status, _ = await client.post("/info", STATUS_REQUEST)
    return status == 200


async def market_over(client: Client) -> str | None:
    """Return what a simulated exchange says of its market's end, None while it plays."""
    status, body = await client.post("/info", STATUS_REQUEST)
    reason = parse_json(body).get("specialStatuses") if status == 200 else None
    return str(reason) if reason else None


def _is_running(pid: int) -> bool:
    """Whether the process lives and is an exchange of ours: a number may be used again."""
    command = Path(f"/proc/{pid}/cmdline")
    try:
        if command.parent.parent.joinpath("self").exists():
            return b"hypermm" in command.read_bytes()
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        return "its log cannot be read"
    return lines[-1] if lines else "it said nothing"
