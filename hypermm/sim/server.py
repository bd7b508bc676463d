"""The embedded exchange on a port: POST /info, POST /exchange, GET /ws. The venue's clock is here.

The loop makes a block whenever one is due, answers those who wait for it, and publishes it. All
state belongs to the venue and the hub; nothing here is shared between threads.
"""

import asyncio
import errno
import math
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from hypermm.errors import ConfigError, WireError
from hypermm.hyperliquid.actions import Request, UserAction, decode_request
from hypermm.hyperliquid.signing import recover
from hypermm.sim import limits, refusals
from hypermm.sim.about_markets import AggregationError
from hypermm.sim.exchange import Exchange, refused
from hypermm.sim.hub import Hub
from hypermm.sim.json_text import RepeatedFieldError, dumps, loads_first
from hypermm.sim.limits import Limits, Meter
from hypermm.sim.market import Market
from hypermm.sim.refusals import ActionRefusedError

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

try:
    import uvloop
except ImportError:  # Windows, PyPy
    NEW_LOOP: LoopFactory = asyncio.new_event_loop
else:
    NEW_LOOP = uvloop.new_event_loop

NOT_JSON = "Failed to parse the request body as JSON"
NOT_THE_TYPE = "Failed to deserialize the JSON body into the target type"
NOT_JSON_TYPE = "Expected request with `Content-Type: application/json`"
TOO_MANY = "429 Too Many Requests"
BLOCKS_PER_TURN = 20  # made in one go when the clock is ahead, before others get their turn
SHUTDOWN_SECS = 2.0
LINGER_SECS = 30.0  # at most, after the market's end, for those who still have orders to cancel
EMPTY_SECS = 1.0  # without a socket, after which nobody is waited for


class _HttpError(Exception):
    """An answer that is not 200."""

    def __init__(self, status: int, text: str | None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text  # None: JSON null


class Server:
    """One venue on one port.

    Parameters
    ----------
    exchange : Exchange
        The venue.
    speed : float
        Venue seconds per second of the wall clock.
    per_ip : Limits
        What one address may do.
    """

    def __init__(
        self, exchange: Exchange, *, speed: float = 1.0, per_ip: Limits | None = None
    ) -> None:
        self._exchange = exchange
        self._speed = speed
        self._limits = per_ip or Limits()
        self._weights: dict[str, Meter] = {}
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.hub = Hub(exchange, self._limits, self._post)

    def application(self) -> web.Application:
        """Return the routes."""
        app = web.Application()
        app.router.add_post("/info", self._handle_info)
        app.router.add_post("/exchange", self._handle_exchange)
        app.router.add_get("/ws", self.hub.serve)
        return app

    # Time

    async def play(self, on_market_end: Callable[[], None] | None = None) -> None:
        """Make blocks by the wall clock until every market is over and everybody has left.

        Without its markets the venue goes on for a while, so that orders can be cancelled and
        their end be proved; `exchangeStatus` says that it is over.
        """
        exchange, loop = self._exchange, asyncio.get_running_loop()
        started_secs, first_ms = loop.time(), exchange.now_ms
        over_secs = seen_secs = math.inf
        while True:
            now_secs = loop.time()
            if exchange.is_over:
                if over_secs == math.inf:
                    over_secs = seen_secs = now_secs
                    if on_market_end is not None:
                        on_market_end()
                if not self.hub.is_empty:
                    seen_secs = now_secs
                if now_secs - over_secs > LINGER_SECS or now_secs - seen_secs > EMPTY_SECS:
                    return
            target_ms = first_ms + (loop.time() - started_secs) * 1000.0 * self._speed
            for _ in range(BLOCKS_PER_TURN):
                due_ms = exchange.now_ms + exchange.block_ms
                if due_ms > target_ms:
                    break
                for block in exchange.advance(due_ms):
                    for ticket, payload in block.replies:
                        waiting = self._waiting.pop(ticket, None)
                        if waiting is not None and not waiting.done():
                            waiting.set_result(payload)
                    self.hub.publish(block)
                self.hub.push_slow()
            ahead_ms = exchange.now_ms + exchange.block_ms - target_ms
            await asyncio.sleep(max(ahead_ms / 1000.0 / self._speed, 0.0))

    # What is asked

    def _spend(self, ip: str, weight: int) -> None:
        now_secs = asyncio.get_running_loop().time()
        meter = self._weights.setdefault(ip, Meter())
        if meter.read(now_secs) + weight > self._limits.weight_per_minute:
            raise _HttpError(429, None)
        meter.add(now_secs, weight)

    def _answer_info(self, ip: str, request: Any) -> Any:
        kind = request.get("type") if isinstance(request, dict) else None
        if not isinstance(kind, str):
            raise WireError("an info request is an object with a type")
        self._spend(ip, limits.info_weight(kind))
        reply = self._exchange.info(request)
        self._weights[ip].add(asyncio.get_running_loop().time(), limits.reply_weight(kind, reply))
        return reply

    async def _answer_action(self, ip: str, body: Any) -> dict[str, Any]:
        """Find out who signed, wait for the block."""
        if not isinstance(body, dict):
            raise WireError("an exchange request is an object")
        request = decode_request(body)
        self._spend(ip, limits.action_weight(request.action))
        try:
            signer = self._signer(request)
        except ActionRefusedError as error:
            return refused(error)
        ticket = self._exchange.submit(
            signer,
            request.action,
            request.nonce,
            vault=request.vaultAddress,
            expires_after_ms=request.expiresAfter,
        )
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[ticket] = waiting
        try:
            return dict(await waiting)
        finally:
            self._waiting.pop(ticket, None)

    def _signer(self, request: Request) -> str:
        """Return who signed, for either network; a stranger's address if nobody known did."""
        address = ""
        for is_mainnet in (False, True):
            try:
                found = recover(
                    request.action,
                    request.nonce,
                    request.signature,
                    is_mainnet=is_mainnet,
                    vault=request.vaultAddress,
                    expires_after_ms=request.expiresAfter,
                )
            except WireError:
                raise ActionRefusedError(refusals.NO_SIGNER) from None
            if self._exchange.knows_signer(found) or isinstance(request.action, UserAction):
                return found
            address = address or found
        return address

    async def _post(self, ip: str, kind: str, payload: Any) -> dict[str, Any]:
        """Answer a post of a socket."""
        try:
            if kind == "action":
                return {"type": "action", "payload": await self._answer_action(ip, payload)}
            data = self._answer_info(ip, payload)
        except _HttpError:
            return {"type": "error", "payload": TOO_MANY}
        except AggregationError:
            return {"type": "error", "payload": "500 Internal Server Error"}
        return {"type": "info", "payload": {"type": payload["type"], "data": data}}

    # HTTP

    async def _handle_info(self, request: web.Request) -> web.Response:
        try:
            body = await _body(request)
            return _json(self._answer_info(request.remote or "", body))
        except WireError:
            return _failure(422, NOT_THE_TYPE)
        except AggregationError:
            return _failure(500, None)
        except _HttpError as error:
            return _failure(error.status, error.text)

    async def _handle_exchange(self, request: web.Request) -> web.Response:
        try:
            body = await _body(request)
            return _json(await self._answer_action(request.remote or "", body))
        except WireError:
            return _failure(422, NOT_THE_TYPE)
        except _HttpError as error:
            return _failure(error.status, error.text)


async def _body(request: web.Request) -> Any:
    kind = request.content_type
    is_json = kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )
    if "Content-Type" not in request.headers or not is_json:
        raise _HttpError(415, NOT_JSON_TYPE)
    try:
        return loads_first((await request.read()).decode())
    except RepeatedFieldError:
        raise _HttpError(422, NOT_THE_TYPE) from None
    except ValueError:  # not UTF-8 either
        raise _HttpError(400, NOT_JSON) from None


def _json(value: Any) -> web.Response:
    return web.Response(text=dumps(value), content_type="application/json")


def _failure(status: int, text: str | None) -> web.Response:
    if text is None:
        return web.Response(status=status, text="null", content_type="application/json")
    return web.Response(status=status, text=text)


async def serve(
    exchange: Exchange,
    host: str,
    port: int,
    *,
    speed: float = 1.0,
    per_ip: Limits | None = None,
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
        Venue seconds per second.
    per_ip : Limits, optional
        What one address may do.
    on_ready : function of the base URL, optional
        Called when the port is open.
    on_market_end : function, optional
        Called when the markets are over; clients have some seconds more.
    stop : asyncio.Event, optional
        Set it to end.

    Raises
    ------
    ConfigError
        If the host is empty or the port cannot be opened.
    """
    if not host:
        raise ConfigError("--host is empty", hint="use --host 127.0.0.1")
    server = Server(exchange, speed=speed, per_ip=per_ip)
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
) -> int:
    """Run an exchange in this process until it is interrupted or its markets are over.

    Parameters
    ----------
    host, port
        Where to listen.
    markets : sequence of Market
        What is listed.
    seed : int
        Seed of ids and hashes.
    speed : float
        Venue seconds per second.
    fund : dict
        USDC by address.
    announce : function of a line
        Told what a person has to know; the first line is `listening on URL`.

    Returns
    -------
    int
        Exit status: 0.

    Raises
    ------
    ConfigError
        If the port cannot be opened.
    """
    start_ms = time.time_ns() // 1_000_000
    exchange = Exchange(markets, start_ms=start_ms, seed=seed)
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
            on_ready=lambda url: announce(f"listening on {url}"),
            on_market_end=announce_end,
            stop=stop,
        )
        if stop.is_set():
            announce("stopped")

    with asyncio.Runner(loop_factory=NEW_LOOP) as runner:
        runner.run(run())
    return 0
