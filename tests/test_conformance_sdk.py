"""The official SDK, unmodified, against the embedded exchange in a process of its own."""

import multiprocessing
import threading
import time

import eth_account
import pytest
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.types import Cloid

from hypermm.sim.box import run_exchange
from tests.scripted_market import ScriptedMarket, instrument
from tests.sim_desk import ASKS, BIDS

WALLET = eth_account.Account.from_key("0x" + 63 * "0" + "7")  # a throw-away key
WAIT_SECS = 10.0


def serve(pipe):
    """Run in the child: one quiet market that never ends within the test."""
    eth = ScriptedMarket()
    btc = ScriptedMarket(instrument("BTC", 5, 40))
    eth.book(0, BIDS, ASKS)
    btc.book(0, [("64000", "1")], [("64001", "1")])
    for second in range(1, 600):
        eth.trade(1000 * second, "B", "2001", "0.001", tid=second)
        eth.quote(1000 * second, ("2000", "1"), ("2001", "1"))
    run_exchange("127.0.0.1", 0, [btc, eth], 1, 1.0, {WALLET.address: 10_000.0}, pipe.send)


@pytest.fixture(scope="module")
def url():
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=serve, args=(theirs,), daemon=True)
    child.start()
    assert ours.poll(WAIT_SECS), "the exchange did not say that it listens"
    yield ours.recv().removeprefix("listening on ")
    child.terminate()
    child.join(WAIT_SECS)
    assert child.exitcode == 0, "SIGTERM ends the exchange in good order"


@pytest.fixture(scope="module")
def info(url):
    client = Info(url, skip_ws=True)
    until = time.monotonic() + WAIT_SECS
    while not client.l2_snapshot("ETH")["levels"][0] and time.monotonic() < until:
        time.sleep(0.05)
    return client


@pytest.fixture(scope="module")
def exchange(url, info):
    return Exchange(WALLET, url)


def only_status(reply):
    assert reply["status"] == "ok", reply
    (status,) = reply["response"]["data"]["statuses"]
    return status


def test_meta_book_and_state_are_read(info):
    assert [entry["name"] for entry in info.meta()["universe"]] == ["BTC", "ETH"]
    book = info.l2_snapshot("ETH")
    assert book["coin"] == "ETH"
    assert book["levels"][0][0]["px"] == "2000.0"
    assert info.user_state(WALLET.address)["marginSummary"]["accountValue"] == "10000.0"
    assert info.all_mids()["ETH"] == "2000.5"
    assert info.meta_and_asset_ctxs()[1][1]["markPx"].startswith("200")
    assert info.spot_user_state(WALLET.address) == {"balances": []}
    assert info.user_fees(WALLET.address)["userAddRate"] == "0.00015"


def test_an_order_is_placed_modified_and_cancelled_by_oid(info, exchange):
    placed = only_status(exchange.order("ETH", True, 0.05, 1900.0, {"limit": {"tif": "Alo"}}))
    oid = placed["resting"]["oid"]
    assert [order["oid"] for order in info.open_orders(WALLET.address)] == [oid]

    changed = only_status(
        exchange.modify_order(oid, "ETH", True, 0.06, 1901.0, {"limit": {"tif": "Alo"}})
    )
    new_oid = changed["resting"]["oid"]
    assert new_oid != oid
    (order,) = info.frontend_open_orders(WALLET.address)
    assert (order["sz"], order["limitPx"], order["tif"]) == ("0.06", "1901.0", "Alo")
    assert info.query_order_by_oid(WALLET.address, oid)["order"]["status"] == "canceled"

    assert only_status(exchange.cancel("ETH", new_oid)) == "success"
    assert info.open_orders(WALLET.address) == []
    assert only_status(exchange.cancel("ETH", new_oid)) == {
        "error": "Order was never placed, already canceled, or filled. asset=1"
    }


def test_an_order_is_cancelled_by_cloid(info, exchange):
    cloid = Cloid.from_int(0xABC)
    placed = only_status(
        exchange.order("ETH", False, 0.05, 2100.0, {"limit": {"tif": "Gtc"}}, cloid=cloid)
    )
    assert placed["resting"]["cloid"] == cloid.to_raw()
    record = info.query_order_by_cloid(WALLET.address, cloid)
    assert record["order"]["order"]["oid"] == placed["resting"]["oid"]

    assert only_status(exchange.cancel_by_cloid("ETH", cloid)) == "success"


def test_a_parent_brings_its_take_profit_and_stop(info, exchange):
    """The SDK's own grouping; all go with the parent."""

    def child(price, kind):
        order_type = {"trigger": {"isMarket": True, "triggerPx": price, "tpsl": kind}}
        return {"coin": "ETH", "is_buy": False, "sz": 0.05, "limit_px": price,
                "order_type": order_type, "reduce_only": True}  # fmt: skip

    parent = {"coin": "ETH", "is_buy": True, "sz": 0.05, "limit_px": 1900.0,
              "order_type": {"limit": {"tif": "Gtc"}}, "reduce_only": False}  # fmt: skip

    orders = [parent, child(2100.0, "tp"), child(1800.0, "sl")]
    reply = exchange.bulk_orders(orders, grouping="normalTpsl")

    first, *others = reply["response"]["data"]["statuses"]
    assert others == ["waitingForFill"] * 2
    shown = {order["orderType"] for order in info.frontend_open_orders(WALLET.address)}
    assert shown == {"Limit", "Take Profit Market", "Stop Market"}
    cancelled = only_status(exchange.cancel("ETH", first["resting"]["oid"]))
    assert cancelled == "success"
    assert info.frontend_open_orders(WALLET.address) == []


def test_refusals_carry_the_exchange_s_texts(exchange):
    post_only = {"limit": {"tif": "Alo"}}
    cases = [
        (
            exchange.order("ETH", True, 0.05, 2001.0, post_only),
            "Post only order would have immediately matched, bbo was 2000@2001. asset=1",
        ),
        (
            exchange.order("ETH", True, 0.001, 1900.0, post_only),
            "Order must have minimum value of $10. asset=1",
        ),
        (
            exchange.order("ETH", True, 500.0, 1900.0, post_only),
            "Insufficient margin to place order. asset=1",
        ),
        (
            exchange.order("ETH", True, 0.05, 1900.0, {"limit": {"tif": "Ioc"}}),
            "Order could not immediately match against any resting orders. asset=1",
        ),
        (
            exchange.order("ETH", False, 0.05, 2100.0, post_only, reduce_only=True),
            "Reduce only order would increase position. asset=1",
        ),
        (
            exchange.order("ETH", True, 0.05, 1900.123, post_only),
            "Order has invalid price.",
        ),
    ]
    for reply, text in cases:
        assert only_status(reply) == {"error": text}
    assert exchange.update_leverage(99, "ETH") == {
        "status": "err",
        "response": "Invalid leverage value",
    }
    assert exchange.update_leverage(10, "ETH")["status"] == "ok"


def test_an_agent_trades_for_its_master(url, info, exchange):
    approved, key = exchange.approve_agent("conformance")
    assert approved == {"status": "ok", "response": {"type": "default"}}
    agent = Exchange(eth_account.Account.from_key(key), url, account_address=WALLET.address)

    placed = only_status(agent.order("ETH", True, 0.05, 1900.0, {"limit": {"tif": "Alo"}}))

    (order,) = info.open_orders(WALLET.address)
    assert order["oid"] == placed["resting"]["oid"]
    assert only_status(exchange.cancel("ETH", order["oid"])) == "success"


def test_a_stranger_is_refused(url):
    stranger = Exchange(eth_account.Account.from_key("0x" + 63 * "0" + "9"), url)

    reply = stranger.order("ETH", True, 0.05, 1900.0, {"limit": {"tif": "Alo"}})

    assert reply["status"] == "err"
    assert reply["response"] == (
        f"User or API Wallet {stranger.wallet.address.lower()} does not exist."
    )


def test_fills_arrive_on_the_socket(url, info, exchange):
    """A market order fills; the fill, its order update and the trade come over the socket."""
    client = Info(url)
    arrived = threading.Event()
    frames = []

    def receive(message):
        frames.append(message)
        fills = [
            frame
            for frame in frames
            if frame["channel"] == "userFills" and "isSnapshot" not in frame["data"]
        ]
        if fills and any(frame["channel"] == "orderUpdates" for frame in frames):
            arrived.set()

    for kind in ("userFills", "orderUpdates", "userEvents"):
        client.subscribe({"type": kind, "user": WALLET.address}, receive)
    for kind in ("trades", "bbo", "l2Book", "activeAssetCtx"):
        client.subscribe({"type": kind, "coin": "ETH"}, receive)
    try:
        status = only_status(exchange.market_open("ETH", True, 0.05))

        assert status["filled"]["totalSz"] == "0.05"
        assert arrived.wait(WAIT_SECS)
    finally:
        client.disconnect_websocket()
    oid = status["filled"]["oid"]
    fills = [
        fill
        for frame in frames
        if frame["channel"] == "userFills"
        for fill in frame["data"]["fills"]
    ]
    assert fills[-1]["oid"] == oid
    assert (fills[-1]["crossed"], fills[-1]["dir"]) == (True, "Open Long")
    (updates,) = (frame["data"] for frame in frames if frame["channel"] == "orderUpdates")
    assert [entry["status"] for entry in updates] == ["open", "filled"]
    assert info.user_state(WALLET.address)["assetPositions"][0]["position"]["szi"] == "0.05"
    assert info.user_fills(WALLET.address)[0]["oid"] == oid
    assert only_status(exchange.market_close("ETH"))["filled"]["totalSz"] == "0.05"
    assert info.user_state(WALLET.address)["assetPositions"] == []
