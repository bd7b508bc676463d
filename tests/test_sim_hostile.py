"""Hostile input: the right error, never a trace, never a dead server."""

import asyncio
import json
import socket
import struct

import pytest

from hypermm.errors import WireError
from hypermm.hyperliquid.actions import decode_request
from hypermm.sim.about_markets import AggregationError
from hypermm.sim.api import HANDLERS
from hypermm.sim.exchange import Exchange
from hypermm.sim.json_text import dumps
from hypermm.sim.limits import OFF, Limits
from hypermm.sim.subscriptions import FIELDS
from tests.box_client import HEADERS, WAIT_SECS, masked, next_frame, order, with_server
from tests.hostile import ACTIONS, INFO, USER, WRONG, changed, deep, paths, without
from tests.scripted_market import START_MS, ScriptedMarket
from tests.sim_desk import ASKS, BIDS

SIGNATURE = {"r": "0x1", "s": "0x1", "v": 27}
NO_LIMITS = Limits(weight_per_minute=OFF, messages_per_minute=OFF, connects_per_minute=OFF)
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
NOT_THE_TYPE = (422, "Failed to deserialize the JSON body into the target type")


def venue():
    market = ScriptedMarket()
    market.book(0, BIDS, ASKS)
    market.trade(3_600_000, "B", "2001", "1")
    exchange = Exchange([market], start_ms=START_MS, block_ms=10)
    exchange.fund(USER, 1_000_000)
    return exchange


def variants(good, wrongs=WRONG):
    """Every place of a request with every wrong value, and missing."""
    for path in paths(good):
        yield from (changed(good, path, wrong) for wrong in wrongs)
        yield without(good, path)


@pytest.mark.parametrize("kind", ACTIONS)
def test_every_field_of_an_action_may_hold_anything(kind):
    """It is not of the exchange's form, or it is refused or done: nothing else."""
    exchange = venue()
    nonce = START_MS
    for action in variants({"type": kind, **ACTIONS[kind]}):
        nonce += 1
        body = {"action": action, "nonce": nonce, "signature": SIGNATURE}
        try:
            request = decode_request(body)
        except WireError:
            continue
        exchange.submit(USER, request.action, nonce)
        (block,) = exchange.advance(exchange.now_ms + 10)
        ((_, reply),) = block.replies
        assert reply["status"] in {"ok", "err"}, action
        json.loads(dumps(reply))


@pytest.mark.parametrize("kind", HANDLERS)
def test_every_field_of_an_info_request_may_hold_anything(kind):
    exchange = venue()
    for request in variants({"type": kind, **INFO}):
        if request.get("type") != kind:
            continue
        try:
            json.loads(dumps(exchange.info(request)))
        except (WireError, AggregationError):
            continue


@pytest.mark.parametrize("kind", ACTIONS)
def test_bad_fields_and_signatures_are_answered_over_http(kind):
    """Ill-typed is 422; what is well-formed belongs to a stranger."""

    async def test(client):
        good = {
            "action": {"type": kind, **ACTIONS[kind]},
            "nonce": START_MS,
            "signature": SIGNATURE,
            "vaultAddress": None,
            "expiresAfter": None,
        }
        for body in variants(good, wrongs=(None, -1, "x", [])):
            status, text = await client.post("/exchange", body)
            if status == 200:
                assert json.loads(text)["status"] == "err", text
            else:
                assert (status, text) == NOT_THE_TYPE, body
        assert (await client.state())["defects"] == []

    with_server(test, per_ip=NO_LIMITS)


def test_every_field_of_a_subscription_may_hold_anything():
    async def test(client):
        async with client.socket() as ws:
            for kind, fields in FIELDS.items():
                good = {name: INFO.get(name, "1m") for name in fields}
                for asked in variants({"type": kind, **good}):
                    await ws.send_json({"method": "unsubscribe", "subscription": asked})
                    frame = await next_frame(ws)
                    assert frame["channel"] == "error", frame
            await ws.send_str('{"method":"ping"}')
            assert await next_frame(ws) == {"channel": "pong"}

    with_server(test, per_ip=NO_LIMITS)


@pytest.mark.filterwarnings("ignore:Sending a large body")
def test_huge_and_deep_bodies_are_refused():
    async def test(client):
        huge = b'{"type":"' + (2 << 20) * b"x" + b'"}'
        status, text = await client.post("/info", huge)
        assert status == 413
        assert "Traceback" not in text
        for depth in (1_000, 100_000):
            body = b'{"type":"meta","x":' + depth * b"[" + depth * b"]" + b"}"
            for path in ("/info", "/exchange", "/control"):
                status, _ = await client.post(path, body)
                assert status in {200, 400, 422}
        assert await client.post("/info", {"type": "perpDexs", "x": deep(200)}) == (200, "[null]")
        async with client.socket() as ws:
            await ws.send_str("[" * 100_000)
            assert (await next_frame(ws))["channel"] == "error"
            await ws.send_str("x" * (2 << 20))
            async with asyncio.timeout(WAIT_SECS):
                assert (await ws.receive()).data == 1009  # too big
        await client.info(type="meta")

    with_server(test)


def test_broken_frames_end_their_socket_only():
    """Unmasked, reserved bits, bad UTF-8, a torn length, a control frame that is too long."""
    broken = (
        b"\x81\x05hello",
        b"\xf1\x85\0\0\0\0hello",
        b"\x81\x82\0\0\0\0\xff\xfe",
        b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x89\xfe\x01\x00\0\0\0\0" + 256 * b"x",
        b"\x83\x80\0\0\0\0",
        b"\x00\x80\0\0\0\0",
        b"GET / HTTP/1.1\r\n\r\n",
        bytes(range(256)),
    )

    async def test(client):
        host, port = client.url.removeprefix("http://").split(":")
        loop = asyncio.get_running_loop()
        async with client.socket() as ws:
            for frame in broken:
                raw = await loop.run_in_executor(None, socket.create_connection, (host, int(port)))
                with raw:
                    raw.sendall(UPGRADE + frame)
                    await asyncio.sleep(0.01)
            await ws.send_str('{"method":"ping"}')
            assert await next_frame(ws) == {"channel": "pong"}
        assert (await client.state())["defects"] == []

    with_server(test, per_ip=NO_LIMITS)


def test_a_replay_is_refused_and_no_answer_shows_a_signature():
    async def test(client):
        signed = client.signed(
            decode_request({"action": {"type": "noop"}, "nonce": 1, "signature": SIGNATURE}).action
        )
        first = await client.post("/exchange", signed)
        again = await client.post("/exchange", signed)
        assert json.loads(first[1])["status"] == "ok"
        assert "duplicate nonce" in again[1]
        secret = json.loads(signed)["signature"]["r"][2:]
        async with client.http.get(client.url + "/", headers=HEADERS) as page:
            shown = await page.text()
        shown += first[1] + again[1] + json.dumps(await client.state())
        assert secret not in shown

    with_server(test)


class BrokenMarket(ScriptedMarket):
    """Fails whenever it is told to."""

    is_broken = False

    def rows_until(self, t_ns):
        if self.is_broken:
            raise ZeroDivisionError("secret")
        return super().rows_until(t_ns)


def test_a_defect_of_ours_is_answered_500_and_ends_nothing(monkeypatch):
    """It is named on the page by type and place; no value of it leaves the process."""
    market = BrokenMarket()
    market.book(0, BIDS, ASKS)
    market.trade(3_600_000, "B", "2001", "1")

    def broken(_venue, _request):
        raise KeyError("secret")

    async def test(client):
        monkeypatch.setitem(HANDLERS, "meta", broken)
        assert await client.post("/info", {"type": "meta"}) == (500, "null")
        noop = decode_request({"action": {"type": "noop"}, "nonce": 1, "signature": SIGNATURE})
        market.is_broken = True
        assert await client.post("/exchange", client.signed(noop.action)) == (500, "null")
        market.is_broken = False
        assert (await client.act(noop.action))["status"] == "ok"
        defects = (await client.state())["defects"]
        assert defects[0].startswith("KeyError in broken")
        assert any(defect.startswith("ZeroDivisionError") for defect in defects)
        assert "secret" not in str(defects)

    with_server(test, market=market)


def test_readers_that_are_gone_end_nobody_else():
    """Writing to a transport that was reset a moment ago must not raise."""
    asked = b'{"method":"subscribe","subscription":{"type":"bbo","coin":"ETH"}}'
    linger = struct.pack("ii", 1, 0)  # close by a reset, not in order

    async def test(client):
        host, port = client.url.removeprefix("http://").split(":")
        for number in range(5):
            readers = []
            for _ in range(50):
                raw = socket.create_connection((host, int(port)))
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                raw.sendall(UPGRADE + masked(asked))
                readers.append(raw)
            await asyncio.sleep(0.1)
            acting = asyncio.create_task(client.act(order(f"2000.{number + 1}")))
            for raw in readers:
                raw.close()
                await asyncio.sleep(0)
            await acting
        await asyncio.sleep(0.05)
        assert (await client.state())["socketsCount"] == 0

    limits = Limits(connections=OFF, connects_per_minute=OFF, messages_per_minute=OFF)
    with_server(test, per_ip=limits)
