"""Faults on demand, over real sockets: each kind shows its effect, and ends.

Time is stepped by control requests, so that nothing here waits for a clock.
"""

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from hypermm.errors import ConfigError
from hypermm.hyperliquid.actions import IOC, NoopAction, OrderAction, OrderWire
from hypermm.sim.control import REQUESTS
from hypermm.sim.limits import PER_ACCOUNT, PER_IP, read_limits
from hypermm.sim.on_demand import KINDS, Faults, read_fault
from hypermm.sim.pace import Latency, read_latency
from tests.box_client import HEADERS, USER, WAIT_SECS, Client, next_frame, order, subscribe
from tests.box_client import with_server as run_server
from tests.scripted_market import START_MS, ScriptedMarket
from tests.sim_desk import ASKS, BIDS

BLOCK_MS = 10


def moving_market():
    """Every 10 ms for a second another size at the touch: a frame of `bbo` in each block."""
    market = ScriptedMarket()
    market.book(0, BIDS, ASKS)
    for number in range(1, 100):
        market.quote(10 * number, ("2000", str(1 + number)), ("2001", "1"))
    market.trade(3_600_000, "B", "2001", "1")
    return market


def with_server(test, **options):
    run_server(test, **{"market": moving_market(), "speed": 0.0, "block_ms": BLOCK_MS, **options})


async def step(client, blocks=1, actions=0):
    return await client.control("advance", ms=blocks * BLOCK_MS, actions=actions)


async def act(client, action, blocks=1):
    """Send an action, make its block, return status and reply."""
    sent = asyncio.create_task(client.post("/exchange", client.signed(action)))
    await step(client, blocks, actions=1)
    async with asyncio.timeout(WAIT_SECS):
        return await sent


async def arrived(ws):
    """Return the bid sizes of all frames so far: a pong comes behind them."""
    await ws.send_str('{"method":"ping"}')
    sizes = []
    while (frame := await next_frame(ws))["channel"] != "pong":
        sizes.append(frame["data"]["bbo"][0]["sz"])
    return sizes


async def watch(client, ws, fault, blocks, before=0):
    """Subscribe to `bbo`, order a fault, return what comes of each block."""
    await subscribe(ws, type="bbo", coin="ETH")
    assert await arrived(ws) == ["1.0"]
    await client.control("fault", fault=fault)
    came = []
    for _ in range(blocks):
        await step(client)
        came.append(await arrived(ws))
    return came


# Frames


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("drop+30ms", [[], [], [], ["5.0"], ["6.0"]]),
        ("drop@10ms+10ms:channel=bbo", [["2.0"], [], ["4.0"], ["5.0"], ["6.0"]]),
        ("drop+30ms:channel=trades", [["2.0"], ["3.0"], ["4.0"], ["5.0"], ["6.0"]]),
        ("repeat+20ms", [["2.0", "2.0"], ["3.0", "3.0"], ["4.0"], ["5.0"], ["6.0"]]),
        ("delay+20ms:ms=20", [[], [], ["4.0", "2.0"], ["5.0", "3.0"], ["6.0"]]),
        ("reorder+20ms", [[], ["3.0", "2.0"], ["4.0"], ["5.0"], ["6.0"]]),
        ("reorder+30ms", [[], ["3.0", "2.0"], [], ["5.0", "4.0"], ["6.0"]]),
        ("stall+30ms", [[], [], [], ["5.0", "2.0", "3.0", "4.0"], ["6.0"]]),
    ],
)
def test_frames_are_troubled_and_then_are_not(fault, expected):
    async def test(client):
        async with client.socket() as ws:
            assert await watch(client, ws, fault, len(expected)) == expected
            assert (await client.state())["faults"][0]["state"] == "over"

    with_server(test)


def test_a_share_of_the_frames_is_struck_the_same_with_the_same_seed():
    """A fault that cannot be repeated cannot be debugged."""
    runs = []

    async def test(client):
        async with client.socket() as ws:
            runs.append(await watch(client, ws, "drop:share=0.5", 40))

    for seed in (3, 3, 4):
        with_server(test, seed=seed)

    assert runs[0] == runs[1] != runs[2]
    assert 8 < sum(not frames for frames in runs[0]) < 32


# Sockets


async def is_dead(ws):
    """Whether the connection is gone, reading what is left of it."""
    async with asyncio.timeout(WAIT_SECS):
        while (message := await ws.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
    return message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


def test_a_half_open_socket_says_nothing_and_is_reset_in_the_end():
    """Only a deadline of the client's own finds it; a new connection works all the time."""

    async def test(client):
        async with client.socket() as ws, client.socket() as late:
            await ws.close()
            await late.send_str('{"method":"ping"}')
            await next_frame(late, "pong")
            await client.control("fault", fault="half-open+20ms")
            await step(client)
            await late.send_str('{"method":"ping"}')
            await late.ping()
            with pytest.raises(TimeoutError):
                await late.receive(timeout=0.2)
            async with client.socket() as other:
                await other.send_str('{"method":"ping"}')
                await next_frame(other, "pong")
                await step(client, 2)
                assert await is_dead(late)
                await other.send_str('{"method":"ping"}')
                await next_frame(other, "pong")

    with_server(test)


def test_disconnected_sockets_are_reset_and_none_is_accepted_until_the_end():
    async def test(client):
        async with client.socket() as ws:
            await client.control("fault", fault="disconnect+20ms")
            await step(client)
            assert await is_dead(ws)
            with pytest.raises(aiohttp.WSServerHandshakeError, match="502"):
                await client.socket()
            await step(client, 2)
        async with client.socket() as ws:
            await ws.send_str('{"method":"ping"}')
            await next_frame(ws, "pong")
            await client.control("fault", fault="disconnect")
            await step(client)
            assert await is_dead(ws)
        async with client.socket() as ws:
            await ws.send_str('{"method":"ping"}')
            await next_frame(ws, "pong")

    with_server(test)


# Requests


@pytest.mark.parametrize(
    ("kind", "status", "text"), [("429", 429, "null"), ("502", 502, "502 Bad Gateway")]
)
def test_a_burst_refuses_everything_without_effect(kind, status, text):
    async def test(client):
        await client.control("fault", fault=f"{kind}+20ms")
        await step(client)
        signed = client.signed(order())

        assert await client.post("/info", {"type": "meta"}) == (status, text)
        assert await client.post("/exchange", signed) == (status, text)
        async with client.socket() as ws:
            request = {"type": "info", "payload": {"type": "meta"}}
            await ws.send_json({"method": "post", "id": 1, "request": request})
            response = (await next_frame(ws, "post"))["data"]["response"]
        assert response["type"] == "error"
        assert response["payload"].startswith(kind)

        await step(client, 2)
        assert await client.info(type="openOrders", user=USER) == []
        again = asyncio.create_task(client.post("/exchange", signed))  # the nonce is not spent
        await step(client, actions=1)
        assert "resting" in (await again)[1]

    with_server(test)


@pytest.mark.parametrize(
    ("kind", "orders"), [("lost-request", 0), ("lost-reply", 1), ("error-after-effect", 1)]
)
def test_an_action_without_a_good_answer_may_have_had_its_effect(kind, orders):
    """No answer and a 502 prove nothing; only the exchange's books do."""

    async def test(client):
        await client.control("fault", fault=f"{kind}+50ms")
        await step(client)
        sent = asyncio.create_task(client.post("/exchange", client.signed(order())))
        async with client.socket() as ws:
            if kind != "lost-request":
                await step(client, actions=1)
            if kind == "error-after-effect":
                assert await sent == (502, "502 Bad Gateway")
            else:
                with pytest.raises(aiohttp.ClientError):
                    await sent
            request = {"type": "action", "payload": json.loads(client.signed(NoopAction()))}
            await ws.send_json({"method": "post", "id": 1, "request": request})
            await step(client, actions=0 if kind == "lost-request" else 1)
            await ws.send_str('{"method":"ping"}')
            frame = await next_frame(ws)
            if kind == "error-after-effect":
                assert frame["data"]["response"]["payload"] == "502 Bad Gateway"
            else:
                assert frame == {"channel": "pong"}
        assert len(await client.info(type="openOrders", user=USER)) == orders

        await step(client, 5)
        assert "resting" in (await act(client, order()))[1]

    with_server(test)


def test_accepted_orders_are_called_failed():
    """As in the 37 minutes in which the exchange took orders and answered with errors."""

    async def test(client):
        await client.control("fault", fault="false-error+20ms")
        await step(client)

        status, text = await act(client, order())

        assert status == 200
        assert json.loads(text)["status"] == "err"
        assert len(await client.info(type="openOrders", user=USER)) == 1
        await step(client, 2)
        assert "resting" in (await act(client, order()))[1]

    with_server(test)


# Accounts, markets, the clock


def test_an_exhausted_budget_refuses_and_comes_back():
    async def test(client):
        before = await client.info(type="userRateLimit", user=USER)
        await client.control("fault", fault=f"budget+40ms:user={USER}")
        await step(client)
        first, second = await act(client, order()), await act(client, order())

        assert "resting" in first[1], "one request every 10 s is let through"
        assert "Too many cumulative requests sent (20002 > 10000)" in second[1]
        await step(client, 4)
        assert "resting" in (await act(client, order()))[1]
        after = await client.info(type="userRateLimit", user=USER)
        assert after["nRequestsUsed"] == before["nRequestsUsed"] + 2

    with_server(test)


def test_the_clock_is_ahead_for_a_while_and_never_runs_back():
    """A nonce of the right time is too old for a clock that is days ahead."""
    shift_ms = 3 * 86_400_000

    async def test(client):
        async with client.socket() as ws:
            await subscribe(ws, type="bbo", coin="ETH")
            await next_frame(ws, "bbo")
            await client.control("fault", fault=f"skew@10ms+20ms:ms={shift_ms}")
            times = []
            for _ in range(6):
                await step(client)
                times.append((await next_frame(ws, "bbo"))["data"]["time"] - START_MS)
            assert times[0] == 10
            assert times[1:3] == [shift_ms + 20, shift_ms + 30]
            assert times == sorted(times)
            assert times[4] - times[3] == BLOCK_MS // 2, "it falls back at half speed"
            _, text = await act(client, NoopAction())
            assert "Invalid nonce: nonce too low" in text

    with_server(test)


def test_a_skew_is_made_up_for():
    async def test(client):
        await client.control("fault", fault="skew+10ms:ms=50")
        await step(client, 20)
        assert (await client.state())["time"] == START_MS + 20 * BLOCK_MS

    with_server(test)


def test_a_halted_market_takes_no_order_and_does_not_trade():
    async def test(client):
        await client.control("fault", fault="halt+20ms:coin=ETH")
        await step(client)

        assert "Trading is halted" in (await act(client, order()))[1]
        assert (await client.state())["markets"][0]["isHalted"]
        await step(client, 2)
        assert "resting" in (await act(client, order()))[1]

    with_server(test)


def test_after_an_upgrade_only_post_only_orders_are_taken_for_a_while():
    taking = OrderAction([OrderWire(0, True, "2001", "0.5", False, IOC)])

    async def test(client):
        await client.control("fault", fault="upgrade+30ms")
        await step(client)

        assert "Only post-only orders allowed" in (await act(client, taking))[1]
        assert "resting" in (await act(client, order()))[1]
        await step(client, 2)
        assert "filled" in (await act(client, taking))[1]

    with_server(test)


# How they are ordered


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not KIND"),
        ("explode", "no kind 'explode'"),
        ("drop@soon", "is not KIND"),
        ("drop+-1s", "is not KIND"),
        ("drop:share=0", "share = '0'"),
        ("drop:share=1.5", "share = '1.5'"),
        ("drop:share=nan", "share = 'nan'"),
        ("drop:channel=bbos", "channel = 'bbos'"),
        ("drop:ms=5", "takes no key 'ms'"),
        ("drop:share=0.5,share=0.5", "takes no key 'share'"),
        ("delay", "needs ms="),
        ("delay:ms=0", "ms = '0'"),
        ("skew:ms=-5", "ms = '-5'"),
        ("halt", "needs coin="),
        ("budget:user=me", "user = 'me'"),
        ("half-open:share=0.5", "takes no key 'share'"),
    ],
)
def test_a_fault_that_cannot_be_read_is_named(text, problem):
    with pytest.raises(ConfigError, match="fault") as caught:
        read_fault(text, 0)

    assert problem in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_ordered_for_a_stretch_of_time(kind):
    needed = {"ms": "ms=5", "coin": "coin=ETH"}
    keys = ",".join(needed[key] for key in KINDS[kind].needs)
    fault = read_fault(f"{kind}@1.5s+2m" + (f":{keys}" if keys else ""), 1_000)
    faults = Faults(0)
    faults.order(fault)

    phases = [(now, *map(len, faults.move(now))) for now in (2_499, 2_500, 122_499, 122_500)]

    assert phases == [(2_499, 0, 0), (2_500, 1, 0), (122_499, 0, 0), (122_500, 0, 1)]


def test_healing_ends_every_fault():
    async def test(client):
        async with client.socket() as ws:
            assert await watch(client, ws, "drop", 2) == [[], []]
            await client.control("fault", fault="429@1h")
            await client.control("heal")
            await step(client, 2)
            assert len(await arrived(ws)) == 2
            assert [f["state"] for f in (await client.state())["faults"]] == ["over"]

    with_server(test)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ([], "known 'do'"),
        ({"do": "dance"}, "known 'do'"),
        ({"do": []}, "known 'do'"),
        ({"do": "advance"}, "ms must be a number"),
        ({"do": "advance", "ms": "5"}, "ms must be a number"),
        ({"do": "advance", "ms": -1}, "ms must be a number"),
        ({"do": "advance", "ms": 1e99}, "ms must be a number"),
        ({"do": "advance", "ms": True}, "ms must be a number"),
        ({"do": "heal", "ms": 5}, "takes no field 'ms'"),
        ({"do": "speed", "speed": -1}, "speed must be a number"),
        ({"do": "fault"}, "fault must be a string"),
        ({"do": "fault", "fault": "halt:coin=DOGE"}, "no market 'DOGE'"),
        ({"do": "fund", "address": "0x1", "usdc": 1}, "not an address"),
        ({"do": "fund", "address": USER, "usdc": 0}, "usdc must be a number"),
        ({"do": "fund", "address": USER, "usdc": 1, "dex": "nil"}, "no dex 'nil' here"),
    ],
)
def test_a_control_request_that_cannot_be_read_is_answered_422(body, problem):
    async def test(client: Client):
        status, text = await client.post("/control", body)
        assert status == 422
        assert problem in text

    with_server(test)


def test_time_cannot_be_stepped_while_it_passes():
    async def test(client):
        status, text = await client.post("/control", {"do": "advance", "ms": 10})
        assert (status, "time passes by itself" in text) == (422, True)
        await client.control("speed", speed=0)
        assert (await step(client, 3))["blocks"] == 3
        status, _ = await client.post("/control", {"do": "heal"}, {"Content-Type": "text/plain"})
        assert status == 415, "a page of another origin cannot send JSON unasked"
        assert HEADERS

    with_server(test, speed=1.0)


def test_money_comes_from_a_control_request():
    async def test(client):
        other = "0x" + 40 * "9"
        await client.control("fund", address=other, usdc=123.5)
        state = await client.info(type="clearinghouseState", user=other)
        assert state["marginSummary"]["accountValue"] == "123.5"

    with_server(test)


# Time


def test_a_stepped_run_repeats_with_its_seed():
    """Frames, replies and stamps, to the letter; another seed gives another run."""
    runs = []

    async def test(client):
        said = []
        async with client.socket() as ws:
            await subscribe(ws, type="bbo", coin="ETH")
            for _ in range(10):
                said.append(await act(client, order(), blocks=50))
            said += await client.info(type="openOrders", user=USER)
            await ws.send_str('{"method":"ping"}')
            while (frame := await next_frame(ws))["channel"] != "pong":
                said.append(frame)
        runs.append(said)

    for seed in (5, 5, 6):
        with_server(test, seed=seed, latency=Latency(20.0, 60.0, seed))

    assert runs[0] == runs[1] != runs[2]


def test_an_action_lands_after_its_latency():
    async def test(client):
        sent = asyncio.create_task(client.post("/exchange", client.signed(order())))
        await client.control("advance", ms=40, actions=1)
        assert await client.info(type="openOrders", user=USER) == []
        await step(client)
        (resting,) = await client.info(type="openOrders", user=USER)
        assert resting["timestamp"] == START_MS + 50
        assert (await sent)[0] == 200

    with_server(test, latency=Latency(50.0, 50.0, 0))


def test_latencies_have_the_median_and_the_percentile_that_were_asked_for():
    latency = read_latency("200/900", 1)
    drawn = sorted(latency.draw_ms() for _ in range(20_000))

    assert drawn[10_000] == pytest.approx(200.0, rel=0.05)
    assert drawn[19_800] == pytest.approx(900.0, rel=0.1)


# Limits and the page


def test_limits_by_name_hold_or_are_off():
    limits, rules = read_limits({"connections": "1", "ip-weight": "off", "address-budget": "3"})

    async def test(client):
        async with client.socket():
            with pytest.raises(aiohttp.WSServerHandshakeError, match="429"):
                await client.socket()
            for _ in range(100):
                await client.info(type="meta")
            for _ in range(3):
                assert "resting" in (await act(client, order()))[1]
            replies = [(await act(client, order()))[1] for _ in range(2)]
            assert "sent (5 > 3)" in replies[1]
            rows = {row["name"]: row for row in (await client.state())["limits"]}
            assert rows["connections"] == {
                "name": "connections", "of": "127.0.0.1", "used": 1, "limit": 1
            }  # fmt: skip
            assert (rows["ip-weight"]["used"] >= 2_000, rows["ip-weight"]["limit"]) == (True, None)
            assert (rows["address-budget"]["limit"], rows["open-orders"]["used"]) == (3, 4)
            assert rows["nonces"]["used"] == 5

    with_server(test, per_ip=limits, rules=rules)


def test_nonces_and_open_orders_can_be_limited_or_not():
    _, rules = read_limits({"nonces": "off", "open-orders": "1"})

    async def test(client):
        body = client.signed(NoopAction())
        for _ in range(2):
            sent = asyncio.create_task(client.post("/exchange", body))
            await step(client, actions=1)
            assert json.loads((await sent)[1])["status"] == "ok"
        assert "resting" in (await act(client, order()))[1]
        assert "open orders" in (await act(client, order()))[1]

    with_server(test, rules=rules)


def test_the_page_shows_what_the_state_says_without_anything_from_outside():
    async def test(client):
        await act(client, order())
        await client.control("fault", fault="drop:channel=bbo")
        async with client.http.get(client.url + "/") as response:
            page = await response.text()
            assert response.content_type == "text/html"
        for word in ("ETH", USER, "drop:channel=bbo", "&quot;resting&quot;", "ip-weight"):
            assert word in page
        assert "src=" not in page
        assert "//" not in page.replace("<!doctype", "")
        async with client.http.get(client.url, headers={"Accept": "application/json"}) as response:
            assert (await response.json()).keys() == (await client.state()).keys()

    with_server(test)


def test_the_reference_has_every_kind_limit_and_control_request():
    page = (Path(__file__).parent.parent / "docs/reference/exchange.md").read_text()

    for kind in KINDS.values():
        assert f"| {kind.doc} |" in page
    for name in (*KINDS, *PER_IP, *PER_ACCOUNT):
        assert f"| `{name}` |" in page
    for request in REQUESTS:
        assert f'{{"do":"{request}"' in page
