"""The embedded exchange over HTTP and WebSocket: POST /info, POST /exchange, GET /ws.

The venue's clock is here: the loop makes a block whenever one is due, answers those who wait for
it, and publishes it. All state belongs to the venue and the hub; nothing is shared between threads.
"""

import asyncio
import math
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from heapq import heappop, heappush
from typing import Any

from aiohttp import web

from hypermm.errors import ConfigError, WireError
from hypermm.hyperliquid.actions import ExchangeAction, Request, UserAction, decode_request
from hypermm.hyperliquid.signing import recover
from hypermm.sim import control, limits, page, refusals, state
from hypermm.sim.about_markets import AggregationError
from hypermm.sim.effects import Effects
from hypermm.sim.exchange import Exchange, refused
from hypermm.sim.hub import Hub
from hypermm.sim.json_text import RepeatedFieldError, dumps, loads_first
from hypermm.sim.limits import Limits, Usage
from hypermm.sim.on_demand import Faults
from hypermm.sim.pace import Latency, Pace
from hypermm.sim.refusals import ActionRefusedError

NOT_JSON = "Failed to parse the request body as JSON"
NOT_THE_TYPE = "Failed to deserialize the JSON body into the target type"
NOT_JSON_TYPE = "Expected request with `Content-Type: application/json`"
TOO_MANY, BAD_GATEWAY = "429 Too Many Requests", "502 Bad Gateway"
SERVER_ERROR = "500 Internal Server Error"
FALSE_ERROR = "Order could not be processed."
BODY_BYTES_MAX = 1 << 20
BLOCKS_PER_TURN = 20  # made in one go when the clock is ahead, before others get their turn
LINGER_SECS = 30.0  # at most, after the market's end, for those who still have orders to cancel
EMPTY_SECS = 1.0  # without a socket, after which nobody is waited for
WAIT_SECS_MAX = 5.0  # that a step waits for the actions it was told to expect
RECENT_KEPT = 100
IPS_KEPT = 1_000
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HttpError(Exception):
    """An answer that is not 200."""

    def __init__(self, status: int, text: str | None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text  # None: JSON null


class NoAnswerError(Exception):
    """A fault leaves the request without any answer."""


class Server:
    """One venue with its sockets, limits and faults.

    Parameters
    ----------
    exchange : Exchange
        The venue.
    speed : float
        Venue seconds per second of the wall clock; 0 for steps by control request only.
    per_ip : Limits, optional
        What one address may do.
    latency : Latency, optional
        Of actions on their way in.
    seed : int
        Decides which messages a fault strikes.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        speed: float = 1.0,
        per_ip: Limits | None = None,
        latency: Latency | None = None,
        seed: int = 0,
    ) -> None:
        self.exchange = exchange
        self.pace = Pace(speed)
        self.limits = per_ip or Limits()
        self.faults = Faults(seed)
        self.usages: dict[str, Usage] = {}
        self.recent: deque[tuple[int, str, ExchangeAction, Any]] = deque(maxlen=RECENT_KEPT)
        self.defects: deque[str] = deque(maxlen=RECENT_KEPT)  # our own, as type and place
        self._latency = latency or Latency()
        self._arriving: list[tuple[float, int, str, Request, asyncio.Future[Any]]] = []
        self._arrivals = 0
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._changed = asyncio.Event()
        self._stepping = asyncio.Lock()
        self.hub = Hub(exchange, self.limits, self.usage, self._post, self.faults)
        self.effects = Effects(exchange, self.hub, self.faults)

    def application(self) -> web.Application:
        """Return the routes."""
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[self._guard])
        app.router.add_post("/info", self._handle_info)
        app.router.add_post("/exchange", self._handle_exchange)
        app.router.add_get("/ws", self.hub.serve)
        app.router.add_post("/control", self._handle_control)
        app.router.add_get("/state", self._handle_state)
        app.router.add_get("/", self._handle_page)
        return app

    # Time

    async def play(self, on_market_end: Callable[[], None] | None = None) -> None:
        """Make blocks by the wall clock until every market is over and everybody has left.

        Without its markets the venue goes on for a while, so that orders can be cancelled and
        their end be proved; `exchangeStatus` says that it is over.
        """
        exchange, loop, pace = self.exchange, asyncio.get_running_loop(), self.pace
        pace.start(loop.time())
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
            if not pace.speed:
                self._changed.clear()
                await self._changed.wait()
                continue
            due_ms = pace.due_ms(now_secs)
            for _ in range(BLOCKS_PER_TURN):
                if pace.made_ms + exchange.block_ms > due_ms:
                    break
                self._make_block()
            ahead_ms = pace.made_ms + exchange.block_ms - pace.due_ms(loop.time())
            self._changed.clear()
            try:
                async with asyncio.timeout(max(ahead_ms / 1000.0 / pace.speed, 0.0)):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def set_speed(self, speed: float) -> None:
        """Let time pass at another speed; 0 stops it."""
        self.pace.set_speed(speed, asyncio.get_running_loop().time())
        self._changed.set()

    async def advance(self, ms: int, actions: int = 0) -> int:
        """Make all whole blocks of a stretch of time; return their number.

        With `actions` it waits first, for some seconds at most, until as many are on their way.
        """
        async with self._stepping:
            with_actions = asyncio.get_running_loop().time() + WAIT_SECS_MAX
            while len(self._waiting) + len(self._arriving) < actions:
                if asyncio.get_running_loop().time() > with_actions:
                    on_way = len(self._waiting) + len(self._arriving)
                    raise ConfigError(f"{on_way} actions are on their way, not {actions}")
                await asyncio.sleep(0.001)
            blocks = ms // self.exchange.block_ms
            for number in range(blocks):
                self._make_block()
                if number % BLOCKS_PER_TURN == 0:
                    await asyncio.sleep(0)
            self._changed.set()
            return blocks

    def _make_block(self) -> None:
        exchange = self.exchange
        self.effects.move(exchange.right_ms)
        due_ms = exchange.now_ms + exchange.block_ms
        while self._arriving and self._arriving[0][0] <= due_ms:
            _, _, signer, request, waiting = heappop(self._arriving)
            self._submit(signer, request, waiting)
        try:
            blocks = exchange.advance(due_ms)
        except Exception as error:  # noqa: BLE001 - a defect must not end everybody's session
            self._note_defect(error)
            blocks = []
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(HttpError(500, None))
            self._waiting.clear()
        for block in blocks:
            for ticket, payload in block.replies:
                waiting = self._waiting.pop(ticket)
                if not waiting.done():
                    waiting.set_result(payload)
        self.pace.made_ms += exchange.block_ms
        try:
            for block in blocks:
                self.hub.publish(block)
            self.hub.push_slow()
        except Exception as error:  # noqa: BLE001 - as above
            self._note_defect(error)

    # What is asked

    def usage(self, ip: str) -> Usage:
        """Return what an address uses."""
        found = self.usages.get(ip)
        if found is None:
            if len(self.usages) >= IPS_KEPT:
                self.usages = {ip: use for ip, use in self.usages.items() if use.connections}
            found = self.usages[ip] = Usage()
        return found

    def _spend(self, ip: str, weight: int) -> None:
        now_secs, meter = self.exchange.now_ms / 1_000.0, self.usage(ip).weight
        if meter.read(now_secs) + weight > self.limits.weight_per_minute:
            raise HttpError(429, None)
        meter.add(now_secs, weight)

    def _refuse_by_fault(self) -> None:
        if self.faults.on:
            if self.faults.strikes("429"):
                raise HttpError(429, None)
            if self.faults.strikes("502"):
                raise HttpError(502, BAD_GATEWAY)

    def _answer_info(self, ip: str, request: Any) -> Any:
        kind = request.get("type") if isinstance(request, dict) else None
        if not isinstance(kind, str):
            raise WireError("an info request is an object with a type")
        self._refuse_by_fault()
        self._spend(ip, limits.info_weight(kind))
        reply = self.exchange.info(request)
        now_secs = self.exchange.now_ms / 1_000.0
        self.usage(ip).weight.add(now_secs, limits.reply_weight(kind, reply))
        return reply

    async def _answer_action(self, ip: str, body: Any) -> dict[str, Any]:
        """Find out who signed, wait for the block."""
        if not isinstance(body, dict | str):
            raise WireError("an exchange request is an object")
        request = decode_request(body)
        self._refuse_by_fault()
        self._spend(ip, limits.action_weight(request.action))
        faults = self.faults
        if faults.on and faults.strikes("lost-request"):
            raise NoAnswerError
        try:
            signer = self._signer(request)
        except ActionRefusedError as error:
            return refused(error)
        waiting = asyncio.get_running_loop().create_future()
        latency_ms = self._latency.draw_ms()
        if latency_ms:
            self._arrivals += 1
            due_ms = self.exchange.now_ms + latency_ms
            heappush(self._arriving, (due_ms, self._arrivals, signer, request, waiting))
        else:
            self._submit(signer, request, waiting)
        payload: dict[str, Any] = await waiting
        self.recent.append((self.exchange.now_ms, signer, request.action, payload))
        if faults.on:
            if faults.strikes("lost-reply"):
                raise NoAnswerError
            if faults.strikes("error-after-effect"):
                raise HttpError(502, BAD_GATEWAY)
            if payload["status"] == "ok" and faults.strikes("false-error"):
                return {"status": "err", "response": FALSE_ERROR}
        return payload

    def _submit(self, signer: str, request: Request, waiting: asyncio.Future[Any]) -> None:
        ticket = self.exchange.submit(
            signer,
            request.action,
            request.nonce,
            vault=request.vaultAddress,
            expires_after_ms=request.expiresAfter,
        )
        self._waiting[ticket] = waiting

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
            if self.exchange.knows_signer(found) or isinstance(request.action, UserAction):
                return found
            address = address or found
        return address

    async def _post(self, ip: str, kind: str, payload: Any) -> dict[str, Any] | None:
        """Answer a post of a socket."""
        try:
            if kind == "action":
                return {"type": "action", "payload": await self._answer_action(ip, payload)}
            data = self._answer_info(ip, payload)
        except HttpError as error:
            text = {429: TOO_MANY, 502: BAD_GATEWAY}.get(error.status, SERVER_ERROR)
            return {"type": "error", "payload": text}
        except AggregationError:
            return {"type": "error", "payload": SERVER_ERROR}
        except NoAnswerError:
            return None
        except WireError:
            raise
        except Exception as error:  # noqa: BLE001 - as over HTTP
            self._note_defect(error)
            return {"type": "error", "payload": SERVER_ERROR}
        return {"type": "info", "payload": {"type": payload["type"], "data": data}}

    # HTTP

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer what breaks the contract, and our own defects, without a trace."""
        try:
            return await handler(request)
        except WireError:
            return _failure(422, NOT_THE_TYPE)
        except AggregationError:
            return _failure(500, None)
        except HttpError as error:
            return _failure(error.status, error.text)
        except NoAnswerError:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        except web.HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 - the client is told no more than it can use
            self._note_defect(error)
            return _failure(500, None)

    def _note_defect(self, error: Exception) -> None:
        """Keep what a defect was and where, without any value that a request brought."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        self.defects.append(f"{type(error).__name__} in {place.name}, line {place.lineno}")

    async def _handle_info(self, request: web.Request) -> web.StreamResponse:
        return _json(self._answer_info(request.remote or "", await _body(request)))

    async def _handle_exchange(self, request: web.Request) -> web.StreamResponse:
        return _json(await self._answer_action(request.remote or "", await _body(request)))

    async def _handle_control(self, request: web.Request) -> web.StreamResponse:
        if not control.is_loopback(request.remote or ""):
            raise HttpError(403, "control requests are taken from this machine only")
        body = await _body(request)
        try:
            return _json(await control.answer(self, body))
        except ConfigError as error:
            return _failure(422, str(error))

    async def _handle_state(self, _request: web.Request) -> web.StreamResponse:
        return _json(state.describe(self))

    async def _handle_page(self, request: web.Request) -> web.StreamResponse:
        if "application/json" in request.headers.get("Accept", ""):
            return _json(state.describe(self))
        return web.Response(text=page.render(state.describe(self)), content_type="text/html")


async def _body(request: web.Request) -> Any:
    kind = request.content_type
    is_json = kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )
    if "Content-Type" not in request.headers or not is_json:
        raise HttpError(415, NOT_JSON_TYPE)
    try:
        return loads_first((await request.read()).decode())
    except RepeatedFieldError:
        raise HttpError(422, NOT_THE_TYPE) from None
    except ValueError:  # not UTF-8 either
        raise HttpError(400, NOT_JSON) from None


def _json(value: Any) -> web.Response:
    return web.Response(text=dumps(value), content_type="application/json")


def _failure(status: int, text: str | None) -> web.Response:
    if text is None:
        return web.Response(status=status, text="null", content_type="application/json")
    return web.Response(status=status, text=text)
