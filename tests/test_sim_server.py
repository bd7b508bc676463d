"""The embedded exchange over real sockets of the loopback: statuses, frames, limits, its end."""

import asyncio
import contextlib
import json
import socket

import aiohttp
import pytest

from hypermm.errors import ConfigError
from hypermm.hyperliquid.actions import (
    CancelByCloidAction,
    CloidWire,
    NoopAction,
)
from hypermm.hyperliquid.signing import Signer
from hypermm.sim.box import serve
from hypermm.sim.exchange import Exchange
from hypermm.sim.limits import Limits
from hypermm.sim.rules import Rules
from tests.box_client import (
    HEADERS,
    SIGNERS,
    USER,
    WAIT_SECS,
    masked,
    next_frame,
    order,
    subscribe,
    with_server,
)
from tests.scripted_market import START_MS, ScriptedMarket
from tests.sim_desk import ASKS, BIDS, CLOID

# HTTP


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "text"),
    [
        ("/info", "{", HEADERS, 400, "Failed to parse the request body as JSON"),
        ("/info", b"\xff", HEADERS, 400, "Failed to parse the request body as JSON"),
        (
            "/info",
            '{"type":"nonsense"}',
            HEADERS,
            422,
            "Failed to deserialize the JSON body into the target type",
        ),
        (
            "/info",
            "[1]",
            HEADERS,
            422,
            "Failed to deserialize the JSON body into the target type",
        ),
        (
            "/info",
            '{"type":"meta","type":"meta"}',
            HEADERS,
            422,
            "Failed to deserialize the JSON body into the target type",
        ),
        *(
            (
                "/info",
                f'{{"type":{kind}}}',
                HEADERS,
                422,
                "Failed to deserialize the JSON body into the target type",
            )
            for kind in ("[]", "{}", "5", "null")
        ),
        *(
            (path, body, HEADERS, 400, "Failed to parse the request body as JSON")
            for path in ("/info", "/exchange")
            for body in (
                '{"type":"meta","x":NaN}',
                '{"type":"meta","x":"\\ud800"}',
                '{"action":{"type":"setReferrer","code":"\\udfff"}}',
                '{"type":' + 100_000 * "[",
            )
        ),
        (
            "/exchange",
            '{"action":{"type":"noop"},"nonce":1}',
            HEADERS,
            422,
            "Failed to deserialize the JSON body into the target type",
        ),
        (
            "/info",
            '{"type":"meta"}',
            {"Content-Type": "text/plain"},
            415,
            "Expected request with `Content-Type: application/json`",
        ),
        ("/info", '{"type":"l2Book","coin":"ETH","nSigFigs":6}', HEADERS, 500, "null"),
        ("/info", '{"type":"l2Book","coin":"NOPE"}', HEADERS, 200, "null"),
        ("/info", '{"type":"perpDexs"} and more', HEADERS, 200, "[null]"),
        (
            "/info",
            '{"type":"perpDexs","more":1}',
            {"Content-Type": "application/a+json"},
            200,
            "[null]",
        ),
    ],
)
def test_http_statuses_and_texts_are_the_exchange_s(path, body, headers, status, text):
    async def test(client):
        assert await client.post(path, body, headers) == (status, text)

    with_server(test)


def test_signatures_of_both_networks_are_recovered():
    async def test(client):
        for signer in SIGNERS.values():
            reply = await client.act(order(), signer)
            assert "resting" in reply["response"]["data"]["statuses"][0]

        stranger = Signer(31 * b"\0" + b"\5", is_mainnet=False)
        reply = await client.act(order(), stranger)
        assert reply["response"] == f"User or API Wallet {stranger.address} does not exist."

    with_server(test)


def test_a_changed_request_belongs_to_a_stranger():
    """The signature covers every field, in canonical form: padding zeros do not matter."""

    async def test(client):
        body = json.loads(client.signed(order()))
        body["action"]["orders"][0]["p"] = "1999.00"
        _, text = await client.post("/exchange", body)
        assert "resting" in text

        body = json.loads(client.signed(order()))
        body["action"]["orders"][0]["p"] = "1998"
        _, text = await client.post("/exchange", body)
        assert json.loads(text)["response"].startswith("User or API Wallet 0x")

        body["signature"]["r"] = "0x0"
        _, text = await client.post("/exchange", body)
        assert json.loads(text) == {"status": "err", "response": "Unable to recover signer."}

    with_server(test)


def test_the_weight_of_an_address_is_limited():
    async def test(client):
        for _ in range(3):
            await client.info(type="meta")

        assert await client.post("/info", {"type": "meta"}) == (429, "null")
        assert await client.post("/exchange", client.signed(NoopAction())) == (429, "null")

    with_server(test, per_ip=Limits(weight_per_minute=60))


# The socket


def test_subscriptions_are_acknowledged_in_normalised_form_and_start_with_a_snapshot():
    async def test(client):
        async with client.socket() as ws:
            assert await subscribe(ws, type="l2Book", coin="ETH") == {
                "type": "l2Book",
                "coin": "ETH",
                "nSigFigs": None,
                "mantissa": None,
                "fast": False,
            }
            book = await next_frame(ws, "l2Book")
            assert book["data"]["levels"][0][0] == {"px": "2000.0", "sz": "1.0", "n": 1}
            assert "fast" not in book["data"]
            await subscribe(ws, type="l2Book", coin="ETH", fast=True)
            assert (await next_frame(ws, "l2Book"))["data"]["fast"] is True
            assert await subscribe(ws, type="userFills", user=USER[2:].upper()) == {
                "type": "userFills",
                "user": USER,
                "aggregateByTime": False,
            }
            assert (await next_frame(ws, "userFills"))["data"] == {
                "isSnapshot": True,
                "user": USER,
                "fills": [],
            }

    with_server(test)


def test_every_channel_answers_a_subscription():
    async def test(client):
        async with client.socket() as ws:
            for kind in ("bbo", "trades", "activeAssetCtx"):
                await subscribe(ws, type=kind, coin="ETH")
                assert (await next_frame(ws))["channel"] == kind
            await subscribe(ws, type="activeAssetData", coin="ETH", user=USER)
            assert (await next_frame(ws, "activeAssetData"))["data"]["markPx"] == "2000.5"
            await subscribe(ws, type="allMids")
            assert (await next_frame(ws, "allMids"))["data"] == {"mids": {"ETH": "2000.5"}}
            for kind, key in (
                ("openOrders", "orders"),
                ("clearinghouseState", "clearinghouseState"),
                ("userFundings", "fundings"),
                ("userNonFundingLedgerUpdates", "nonFundingLedgerUpdates"),
            ):
                await subscribe(ws, type=kind, user=USER)
                assert key in (await next_frame(ws, kind))["data"]
            for kind in ("orderUpdates", "userEvents", "notification"):
                await subscribe(ws, type=kind, user=USER)
            await subscribe(ws, type="candle", coin="ETH", interval="1m")

    with_server(test)


def test_errors_of_the_socket_have_the_exchange_s_texts():
    async def test(client):
        async with client.socket() as ws:
            unreadable = "Error parsing JSON into valid websocket request: "
            for text in (
                "garbage",
                '{"method":"subscribe","xsubscription":{"type":"bbo","coin":"SOL"}}',
                '{"method":"subscribe","subscription":{"type":"webData2","user":"0x0"}}',
                '{"method":"post","id":1,"request":{"type":"info","payload":{"type":"nope"}}}',
                '{"method":"post","request":{"type":"info","payload":{"type":"meta"}}}',
                '{"method":"post","id":1,"request":{"type":[],"payload":{"type":"meta"}}}',
                '{"method":"post","id":1,"request":{"type":"info","payload":{"type":[]}}}',
                '{"method":"post","id":1,"request":{"type":"info","payload":{"type":{}}}}',
                '{"method":"post","id":1,"request":{"type":"action","payload":"\\ud800"}}',
                '{"method":"ping"} and more',
                "[]",
            ):
                await ws.send_str(text)
                assert await next_frame(ws, "error") == {
                    "channel": "error",
                    "data": unreadable + text,
                }
            bbo = {"type": "bbo", "coin": "ETH"}
            await subscribe(ws, **bbo)
            for method, word in (
                ("subscribe", "Already subscribed"),
                ("unsubscribe", None),
                ("unsubscribe", "Already unsubscribed"),
            ):
                await ws.send_json({"method": method, "subscription": bbo})
                if word is None:
                    assert (await next_frame(ws, "subscriptionResponse"))["data"] == {
                        "method": "unsubscribe",
                        "subscription": bbo,
                    }
                else:
                    frame = await next_frame(ws, "error")
                    assert frame["data"] == word + ': {"type":"bbo","coin":"ETH"}'
            await subscribe(ws, type="l2Book", coin="ETH")
            await next_frame(ws, "l2Book")
            book = '{"type":"l2Book","coin":"ETH","nSigFigs":null,"mantissa":null,"fast":false}'
            for method, word in (("subscribe", "subscribed"), ("unsubscribe", None)):
                asked = {"fast": False, "mantissa": None, "coin": "ETH", "type": "l2Book"}
                await ws.send_json({"method": method, "subscription": asked})
                frame = await next_frame(ws, "error" if word else "subscriptionResponse")
                if word:
                    assert frame["data"] == f"Already {word}: {book}"
            await ws.send_json({"method": "subscribe", "subscription": {**bbo, "coin": "NOPE"}})
            frame = await next_frame(ws, "error")
            assert frame["data"] == 'Invalid subscription {"type":"bbo","coin":"NOPE"}'

    with_server(test)


def test_a_ping_is_answered_to_the_letter():
    async def test(client):
        async with client.socket() as ws:
            await ws.send_str('{"method":"ping"}')
            message = await ws.receive(timeout=WAIT_SECS)
            assert message.data == '{"channel":"pong"}'

    with_server(test)


def test_a_greeting_comes_first_if_the_rules_have_one():
    """The exchange once greeted with a text that is no JSON; clients still put up with it."""
    greeting = "Websocket connection established."

    async def test(client):
        async with client.socket() as ws:
            message = await ws.receive(timeout=WAIT_SECS)
            assert message.data == greeting

    with_server(test, rules=Rules(greeting=greeting))


def test_posts_carry_infos_and_actions():
    async def test(client):
        async with client.socket() as ws:
            payload = {"type": "allMids"}
            await ws.send_json(
                {"method": "post", "id": 7, "request": {"type": "info", "payload": payload}}
            )
            assert await next_frame(ws) == {
                "channel": "post",
                "data": {
                    "id": 7,
                    "response": {
                        "type": "info",
                        "payload": {"type": "allMids", "data": {"ETH": "2000.5"}},
                    },
                },
            }
            for number, action, word in (
                (8, order(cloid=CLOID), "resting"),
                (9, CancelByCloidAction([CloidWire(0, CLOID)]), "success"),
                (10, CancelByCloidAction([CloidWire(0, CLOID)]), "error"),
            ):
                request = {"type": "action", "payload": json.loads(client.signed(action))}
                await ws.send_json({"method": "post", "id": number, "request": request})
                data = (await next_frame(ws, "post"))["data"]
                assert data["id"] == number
                assert data["response"]["type"] == "action"
                assert word in str(data["response"]["payload"]["response"]["data"]["statuses"])

    with_server(test)


def test_events_of_a_user_reach_that_user_only():
    async def test(client):
        async with client.socket() as mine, client.socket() as other:
            for ws, user in ((mine, USER), (other, "0x" + 40 * "e")):
                await subscribe(ws, type="orderUpdates", user=user)
            await client.act(order(cloid=CLOID))

            (entry,) = (await next_frame(mine, "orderUpdates"))["data"]

            assert (entry["status"], entry["order"]["cloid"]) == ("open", CLOID)
            await other.send_str('{"method":"ping"}')
            assert await next_frame(other) == {"channel": "pong"}

    with_server(test)


def test_a_changed_touch_and_a_trade_are_pushed():
    async def test(client):
        async with client.socket() as ws:
            await subscribe(ws, type="bbo", coin="ETH")
            await client.act(order("2000.5"))
            bid = None
            while bid is None or bid["px"] == "2000.0":  # as it was, before the order
                bid = (await next_frame(ws, "bbo"))["data"]["bbo"][0]
            assert bid == {"px": "2000.5", "sz": "0.5", "n": 1}

    with_server(test)


def test_a_silent_socket_is_closed_and_a_ping_keeps_it():
    async def test(client):
        async with client.socket() as ws:
            for _ in range(4):
                await asyncio.sleep(0.1)
                await ws.send_str('{"method":"ping"}')
                assert await next_frame(ws) == {"channel": "pong"}
            message = await ws.receive(timeout=WAIT_SECS)
            assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)

    with_server(test, per_ip=Limits(idle_secs=0.2))


def test_a_slow_reader_is_cut_and_delays_nobody():
    """It never reads; its queue fills, the connection goes, the other reader sees every frame."""

    async def test(client):
        host, port = client.url.removeprefix("http://").split(":")
        slow = socket.create_connection((host, int(port)))
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.sendall(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        payload = {"type": "userFees", "user": USER}
        post = {"method": "post", "id": 1, "request": {"type": "info", "payload": payload}}
        frame = masked(json.dumps(post).encode())
        loop = asyncio.get_running_loop()
        sent = 0
        try:
            with contextlib.suppress(ConnectionError):
                while sent < 40_000:
                    await loop.run_in_executor(None, slow.sendall, 20 * frame)
                    sent += 20
            assert 1_000 < sent < 40_000, "cut because it did not read, not at once"
        finally:
            slow.close()
        async with client.socket() as ws:
            await ws.send_str('{"method":"ping"}')
            assert await next_frame(ws) == {"channel": "pong"}

    limits = Limits(
        bytes_queued=1 << 20, messages_per_minute=10**9, posts=10**6, weight_per_minute=10**9
    )
    with_server(test, per_ip=limits)


def test_too_many_connections_and_users_are_refused():
    async def test(client):
        async with client.socket() as ws, client.socket():
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await client.socket()
            await subscribe(ws, type="orderUpdates", user="0x" + 40 * "1")
            for digit in "23":
                user = "0x" + 40 * digit
                await ws.send_json(
                    {"method": "subscribe", "subscription": {"type": "userEvents", "user": user}}
                )
            assert (await next_frame(ws, "error"))["data"] == (
                "Cannot track more than 2 total users."
            )

    with_server(test, per_ip=Limits(connections=2, users=2))


# Beginning and end


def test_a_taken_port_is_named_with_a_hint():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        exchange = Exchange([ScriptedMarket()], start_ms=START_MS)

        with pytest.raises(ConfigError, match=f"port {port} of 127.0.0.1 is taken") as caught:
            asyncio.run(serve(exchange, "127.0.0.1", port))

    assert "--port" in caught.value.hint


def test_an_empty_host_is_refused():
    """It would mean every address of the machine."""
    with pytest.raises(ConfigError, match="--host is empty"):
        asyncio.run(serve(Exchange([ScriptedMarket()], start_ms=START_MS), "", 0))


def test_the_url_of_a_long_address_has_brackets():
    """Without them a client reads the address's last part as the port."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 on this machine")
    urls, stop = [], asyncio.Event()
    stop.set()

    with contextlib.suppress(ConfigError):  # no address of this machine
        exchange = Exchange([ScriptedMarket()], start_ms=START_MS)
        asyncio.run(serve(exchange, "::1", 0, on_ready=urls.append, stop=stop))

    assert all(url.startswith("http://[::1]:") for url in urls)


def short_market():
    market = ScriptedMarket()
    market.book(0, BIDS, ASKS)
    market.trade(500, "B", "2001", "1")
    return market


def test_the_end_of_the_market_ends_a_server_without_clients():
    exchange = Exchange([short_market()], start_ms=START_MS)
    said = []

    async def run():
        async with asyncio.timeout(WAIT_SECS):
            await serve(
                exchange,
                "127.0.0.1",
                0,
                speed=10.0,
                on_ready=said.append,
                on_market_end=lambda: said.append(exchange.now_ms - START_MS),
            )

    asyncio.run(run())

    assert said[0].startswith("http://127.0.0.1:")
    assert said[1] == 560  # the block in which the last trade falls


def test_orders_can_be_cancelled_after_the_end_of_the_market():
    """Whoever quoted to the end can still prove that nothing of his rests."""

    async def test(client):
        async with client.socket():
            await client.act(order(cloid=CLOID))
            async with asyncio.timeout(WAIT_SECS):
                while (  # noqa: ASYNC110 - it is asked as a client asks
                    await client.info(type="exchangeStatus")
                )["specialStatuses"] is None:
                    await asyncio.sleep(0.05)

            reply = await client.act(CancelByCloidAction([CloidWire(0, CLOID)]))

            assert reply["response"]["data"]["statuses"] == ["success"]
            assert await client.info(type="openOrders", user=USER) == []

    with_server(test, market=short_market())
