"""The exchange in a box as a process: it opens the port and serves until it is told to stop."""

import asyncio
import errno
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence

from aiohttp import web

from hypermm.errors import ConfigError
from hypermm.sim.exchange import Exchange
from hypermm.sim.limits import Limits
from hypermm.sim.market import Market
from hypermm.sim.on_demand import read_fault
from hypermm.sim.pace import Latency
from hypermm.sim.rules import Rules
from hypermm.sim.server import Server

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

try:
    import uvloop
except ImportError:  # Windows, PyPy
    NEW_LOOP: LoopFactory = asyncio.new_event_loop
else:
    NEW_LOOP = uvloop.new_event_loop

SHUTDOWN_SECS = 2.0


async def serve(
    exchange: Exchange,
    host: str,
    port: int,
    *,
    speed: float = 1.0,
    per_ip: Limits | None = None,
    latency: Latency | None = None,
    faults: Sequence[str] = (),
    seed: int = 0,
    on_ready: Callable[[str], None] | None = None,
    on_market_end: Callable[[], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve a venue until its markets are over and its clients gone, or `stop` is set.

    Parameters
    ----------
    exchange : Exchange
        The venue; its clock is driven from here.
    host, port
        Where to listen; port 0 takes a free one.
    speed : float
        Venue seconds per second; 0 for steps by control request only.
    per_ip : Limits, optional
        What one address may do.
    latency : Latency, optional
        Of actions on their way in.
    faults : sequence of str
        Ordered from the start, see `on_demand`.
    seed : int
        Decides which messages a fault strikes.
    on_ready : function of the base URL, optional
        Called when the port is open.
    on_market_end : function, optional
        Called when the markets are over; clients have some seconds more.
    stop : asyncio.Event, optional
        Set it to end.

    Raises
    ------
    ConfigError
        If the host is empty, the port cannot be opened, or a fault cannot be read.
    """
    if not host:
        raise ConfigError("--host is empty", hint="use --host 127.0.0.1")
    server = Server(exchange, speed=speed, per_ip=per_ip, latency=latency, seed=seed)
    for text in faults:
        server.effects.order(read_fault(text, exchange.now_ms))
    runner = web.AppRunner(
        server.application(),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=SHUTDOWN_SECS,
    )
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    playing: asyncio.Task[None] | None = None
    stopping = asyncio.create_task((stop or asyncio.Event()).wait())
    try:
        try:
            await site.start()
        except OSError as error:
            raise _cannot_listen(host, port, error) from error
        if on_ready is not None:
            shown = f"[{host}]" if ":" in host else host
            on_ready(f"http://{shown}:{runner.addresses[0][1]}")
        playing = asyncio.create_task(server.play(on_market_end))
        await asyncio.wait((playing, stopping), return_when=asyncio.FIRST_COMPLETED)
        if playing.done():
            playing.result()
    finally:
        stopping.cancel()
        if playing is not None:
            playing.cancel()
        await server.hub.close()
        await runner.cleanup()


def _cannot_listen(host: str, port: int, error: OSError) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        return ConfigError(
            f"port {port} of {host} is taken",
            hint="another exchange may be running; stop it or choose another --port",
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return ConfigError(
            f"port {port} of {host} may not be opened by this user",
            hint="choose a --port above 1023",
        )
    reason = "is not an address of this machine"
    if not isinstance(error, socket.gaierror) and error.errno != errno.EADDRNOTAVAIL:
        reason = f"cannot be listened on: {error.strerror}"
    return ConfigError(f"{host} {reason}", hint="use --host 127.0.0.1")


def run_exchange(
    host: str,
    port: int,
    markets: Sequence[Market],
    seed: int,
    speed: float,
    fund: Mapping[str, float],
    announce: Callable[[str], None],
    *,
    rules: Rules | None = None,
    per_ip: Limits | None = None,
    latency: Latency | None = None,
    faults: Sequence[str] = (),
    start_ms: int | None = None,
) -> int:
    """Run an exchange in this process until it is interrupted or its markets are over.

    Parameters
    ----------
    host, port
        Where to listen.
    markets : sequence of Market
        What is listed.
    seed : int
        Seed of ids, hashes and faults.
    speed : float
        Venue seconds per second; 0 for steps by control request only.
    fund : dict
        USDC by address.
    announce : function of a line
        Told what a person has to know; the first line is `listening on URL`.
    rules, per_ip, latency, faults
        As in `Exchange` and `serve`.
    start_ms : int, optional
        The venue's time at its start, ms since 1970; the machine's if left out.

    Returns
    -------
    int
        Exit status: 0.

    Raises
    ------
    ConfigError
        If the port cannot be opened or a fault cannot be read.
    """
    if start_ms is None:
        start_ms = time.time_ns() // 1_000_000
    exchange = Exchange(markets, start_ms=start_ms, seed=seed, rules=rules)
    for address, usdc in fund.items():
        exchange.fund(address, usdc)

    def announce_end() -> None:
        minutes = (exchange.now_ms - start_ms) / 60_000
        announce(
            f"the market is over after {minutes:.1f} minutes; the exchange ends with its clients"
        )

    async def run() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await serve(
            exchange,
            host,
            port,
            speed=speed,
            per_ip=per_ip,
            latency=latency,
            faults=faults,
            seed=seed,
            on_ready=lambda url: announce(f"listening on {url}"),
            on_market_end=announce_end,
            stop=stop,
        )
        if stop.is_set():
            announce("stopped")

    with asyncio.Runner(loop_factory=NEW_LOOP) as runner:
        runner.run(run())
    return 0
