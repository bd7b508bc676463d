"""A client of one server on the loopback, for tests."""

import asyncio
import json

import aiohttp

from hypermm.hyperliquid.actions import ALO, OrderAction, OrderWire
from hypermm.hyperliquid.signing import Signer
from hypermm.sim.box import NEW_LOOP, serve
from hypermm.sim.exchange import Exchange
from tests.scripted_market import START_MS, ScriptedMarket
from tests.sim_desk import ASKS, BIDS

SIGNERS = {is_mainnet: Signer(31 * b"\0" + b"\7", is_mainnet=is_mainnet) for is_mainnet in (0, 1)}
SIGNER = SIGNERS[0]
USER = SIGNER.address
HEADERS = {"Content-Type": "application/json"}
WAIT_SECS = 5.0


class Client:
    """Talks to one running server."""

    def __init__(self, http, url, exchange):
        self.http, self.url, self.exchange = http, url, exchange
        self._nonce = START_MS

    def signed(self, action, signer=SIGNER):
        self._nonce += 1
        return signer.sign(action, self._nonce)

    async def post(self, path, body, headers=HEADERS):
        """Return status and text."""
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        async with self.http.post(self.url + path, data=data, headers=headers) as response:
            return response.status, await response.text()

    async def act(self, action, signer=SIGNER):
        status, text = await self.post("/exchange", self.signed(action, signer))
        assert status == 200, text
        return json.loads(text)

    async def info(self, **request):
        status, text = await self.post("/info", request)
        assert status == 200, text
        return json.loads(text)

    async def control(self, do, **fields):
        status, text = await self.post("/control", {"do": do, **fields})
        assert status == 200, text
        return json.loads(text)

    async def state(self):
        async with self.http.get(self.url + "/state") as response:
            return await response.json()

    def socket(self):
        return self.http.ws_connect(self.url + "/ws")


async def next_frame(ws, channel=None):
    """Return the next frame (of a channel)."""
    async with asyncio.timeout(WAIT_SECS):
        while True:
            message = await ws.receive()
            assert message.type is aiohttp.WSMsgType.TEXT, message
            frame = json.loads(message.data)
            if channel in (None, frame["channel"]):
                return frame


async def subscribe(ws, **subscription):
    """Subscribe; return the acknowledged form."""
    await ws.send_json({"method": "subscribe", "subscription": subscription})
    frame = await next_frame(ws, "subscriptionResponse")
    return frame["data"]["subscription"]


def with_server(test, *, market=None, rules=None, block_ms=10, seed=0, **options):
    """Run a coroutine function of a client against a server."""

    async def run():
        script = market or ScriptedMarket()
        if market is None:
            script.book(0, BIDS, ASKS)
            script.trade(3_600_000, "B", "2001", "1")  # the market lasts longer than any test
        exchange = Exchange([script], start_ms=START_MS, block_ms=block_ms, rules=rules, seed=seed)
        exchange.fund(USER, 10_000)
        ready, stop = asyncio.get_running_loop().create_future(), asyncio.Event()
        options.update(seed=seed, on_ready=ready.set_result, stop=stop)
        serving = asyncio.create_task(serve(exchange, "127.0.0.1", 0, **options))
        url = await ready
        try:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
                await test(Client(http, url, exchange))
        finally:
            stop.set()
            await serving

    with asyncio.Runner(loop_factory=NEW_LOOP) as runner:  # the loop that it runs on
        runner.run(run())


def order(price="1999", *, cloid=None, size="0.5"):
    return OrderAction([OrderWire(0, True, price, size, False, ALO, cloid)])


def masked(text):
    """Return a text frame as a client sends it."""
    mask = b"\1\2\3\4"
    length = bytes([0x80 | len(text)])
    if len(text) > 125:
        length = bytes([0x80 | 126]) + len(text).to_bytes(2, "big")
    return b"\x81" + length + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(text))
