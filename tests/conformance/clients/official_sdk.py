"""The official `hyperliquid-python-sdk`. Its sockets never connect again by themselves."""

import sys
import time
from pathlib import Path
from typing import Any

import eth_account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.types import Cloid

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from session import (
    COIN,
    DEX,
    DEX_COIN,
    OTHER,
    SIZE,
    STRANGER_KEY,
    near,
    pass_the_hour,
    run,
    same,
    says,
    true,
    until,
)

GTC, ALO, IOC = ({"limit": {"tif": tif}} for tif in ("Gtc", "Alo", "Ioc"))
DEFAULT = {"status": "ok", "response": {"type": "default"}}


def statuses(reply: Any) -> list[Any]:
    same(reply["status"], "ok")
    return reply["response"]["data"]["statuses"]


def oid_of(status: Any) -> int:
    return status["resting"]["oid"]


class OfficialSdk:
    def start(self, url, key, address):
        self.url = url
        wallet = eth_account.Account.from_key(key)
        self.address = address
        self.info = Info(url, skip_ws=True, perp_dexs=["", DEX])
        self.exchange = Exchange(wallet, url, perp_dexs=["", DEX])
        self.socket = Info(url)
        self.frames: list[Any] = []

    def stop(self):
        self.socket.disconnect_websocket()

    def _far(self, share=0.9):
        """A price on the tick, at a share of the mid."""
        return float(f"{share * float(self.info.all_mids()[COIN]):.5g}")

    def _order(self, share=0.9, tif=GTC, is_buy=True, size=SIZE, **more):
        reply = self.exchange.order(COIN, is_buy, size, self._far(share), tif, **more)
        (status,) = statuses(reply)
        return status

    def _open(self):
        return {order["oid"] for order in self.info.open_orders(self.address)}

    def markets(self):
        names = [market["name"] for market in self.info.meta()["universe"]]
        same(names[0], COIN)
        true(len(self.info.spot_meta()["tokens"]) >= 2, "two tokens at least")

    def contexts(self):
        meta, contexts = self.info.meta_and_asset_ctxs()
        same(len(contexts), len(meta["universe"]))
        for key in ("markPx", "oraclePx", "funding", "openInterest"):
            float(contexts[0][key])

    def mids(self):
        true(float(self.info.all_mids()[COIN]) > 0, "a mid")

    def book(self):
        book = self.info.l2_snapshot(COIN)
        bids, asks = ([float(level["px"]) for level in side] for side in book["levels"])
        same((bids, asks), (sorted(bids, reverse=True), sorted(asks)))
        true(bids[0] < asks[0], "not crossed")

    def candles(self):
        now = int(time.time() * 1000)
        (*_, last) = self.info.candles_snapshot(COIN, "1m", now - 2 * 3_600_000, now)
        true(float(last["l"]) <= float(last["c"]) <= float(last["h"]), "low, close, high")

    def market_funding(self):
        now = int(time.time() * 1000)
        same(type(self.info.funding_history(COIN, now - 86_400_000)), list)

    def balance(self):
        state = self.info.user_state(self.address)
        same(state["marginSummary"]["accountValue"], "10000.0")
        same(type(self.info.spot_user_state(self.address)["balances"]), list)

    def fees(self):
        fees = self.info.user_fees(self.address)
        same((fees["userAddRate"], fees["userCrossRate"]), ("0.00015", "0.00045"))

    def rate_limit(self):
        limit = self.info.user_rate_limit(self.address)
        true(limit["nRequestsCap"] >= 10_000, "the first requests are free")

    def place_gtc(self):
        self.oid = oid_of(self._order())
        same(self._open(), {self.oid})

    def modify(self):
        price = self._far(0.91)
        (status,) = statuses(self.exchange.modify_order(self.oid, COIN, True, 2 * SIZE, price, GTC))
        old, self.oid = self.oid, oid_of(status)
        (order,) = self.info.frontend_open_orders(self.address)
        same((order["oid"], float(order["sz"]), float(order["limitPx"])), (self.oid, 0.02, price))
        same(self.info.query_order_by_oid(self.address, old)["order"]["status"], "canceled")

    def cancel(self):
        same(statuses(self.exchange.cancel(COIN, self.oid)), ["success"])
        same(self._open(), set())

    def place_cloid(self):
        self.cloid = Cloid.from_int(0xABC)
        status = self._order(cloid=self.cloid)
        same(status["resting"]["cloid"], self.cloid.to_raw())
        found = self.info.query_order_by_cloid(self.address, self.cloid)
        same(found["order"]["order"]["oid"], oid_of(status))

    def modify_cloid(self):
        reply = self.exchange.modify_order(
            self.cloid, COIN, True, SIZE, self._far(0.89), GTC, cloid=self.cloid
        )
        oid_of(statuses(reply)[0])

    def cancel_cloid(self):
        same(statuses(self.exchange.cancel_by_cloid(COIN, self.cloid)), ["success"])

    def _request(self, share, size=SIZE, tif=GTC, is_buy=True, reduce_only=False):
        return {"coin": COIN, "is_buy": is_buy, "sz": size, "limit_px": self._far(share),
                "order_type": tif, "reduce_only": reduce_only}  # fmt: skip

    def batch(self):
        reply = self.exchange.bulk_orders([self._request(0.9), self._request(0.91)])
        self.oids = [oid_of(status) for status in statuses(reply)]
        same(self._open(), set(self.oids))

    def batch_modify(self):
        changes = [{"oid": oid, "order": self._request(0.88)} for oid in self.oids]
        reply = self.exchange.bulk_modify_orders_new(changes)
        self.oids = [oid_of(status) for status in statuses(reply)]

    def batch_cancel(self):
        reply = self.exchange.bulk_cancel([{"coin": COIN, "oid": oid} for oid in self.oids])
        same(statuses(reply), ["success", "success"])

    def batch_partial(self):
        requests = [self._request(0.9), self._request(1.1, tif=ALO)]
        good, bad = statuses(self.exchange.bulk_orders(requests))
        says(bad["error"], "^Post only order would have immediately matched")
        reply = self.exchange.bulk_cancel(
            [{"coin": COIN, "oid": oid} for oid in (oid_of(good), 12345)]
        )
        good, bad = statuses(reply)
        same(good, "success")
        says(bad["error"], "^Order was never placed, already canceled, or filled. asset=0$")

    def place_alo(self):
        (order_id,) = {oid_of(self._order(tif=ALO))}
        same(self.info.frontend_open_orders(self.address)[0]["tif"], "Alo")
        same(statuses(self.exchange.cancel(COIN, order_id)), ["success"])

    def alo_refused(self):
        error = self._order(1.1, ALO)["error"]
        says(error, r"^Post only order would have immediately matched, bbo was \d+@\d+\. asset=0$")

    def ioc_unmatched(self):
        error = self._order(0.9, IOC)["error"]
        same(error, "Order could not immediately match against any resting orders. asset=0")

    def too_small(self):
        error = self._order(size=0.00001)["error"]
        same(error, "Order must have minimum value of $10. asset=0")

    def bad_price(self):
        reply = self.exchange.order(COIN, True, SIZE, self._far() + 0.5, GTC)
        says(statuses(reply)[0]["error"], "^Order has invalid price.|tick size")

    def no_margin(self):
        same(self._order(size=50.0)["error"], "Insufficient margin to place order. asset=0")

    def cancel_unknown(self):
        (status,) = statuses(self.exchange.cancel(COIN, 12345))
        text = "Order was never placed, already canceled, or filled. asset=0"
        same(status, {"error": text})

    def stranger(self):
        wallet = eth_account.Account.from_key(STRANGER_KEY)
        reply = Exchange(wallet, self.url).order(COIN, True, SIZE, self._far(), GTC)
        text = f"User or API Wallet {wallet.address.lower()} does not exist."
        same(reply, {"status": "err", "response": text})

    def fill(self):
        (status,) = statuses(self.exchange.market_open(COIN, True, SIZE))
        self.filled = status["filled"]
        same(float(self.filled["totalSz"]), SIZE)

    def position(self):
        (entry,) = self.info.user_state(self.address)["assetPositions"]
        same(float(entry["position"]["szi"]), SIZE)
        near(entry["position"]["entryPx"], self.filled["avgPx"])

    def reduce_only_refused(self):
        same(
            self._order(reduce_only=True)["error"],
            "Reduce only order would increase position. asset=0",
        )

    def _trigger(self, share, kind):
        price = self._far(share)
        order_type = {"trigger": {"triggerPx": price, "isMarket": True, "tpsl": kind}}
        return self._request(share, tif=order_type, is_buy=False, reduce_only=True)

    def stop_order(self):
        reply = self.exchange.bulk_orders([self._trigger(0.9, "sl")])
        same(statuses(reply), ["waitingForTrigger"])
        (order,) = self.info.frontend_open_orders(self.address)
        same((order["isTrigger"], order["orderType"]), (True, "Stop Market"))
        same(statuses(self.exchange.cancel(COIN, order["oid"])), ["success"])

    def close(self):
        (status,) = statuses(self.exchange.market_close(COIN))
        same(float(status["filled"]["totalSz"]), SIZE)
        same(self.info.user_state(self.address)["assetPositions"], [])

    def fills(self):
        fills = self.info.user_fills(self.address)
        same({fill["dir"] for fill in fills}, {"Open Long", "Close Long"})
        true(all(float(fill["fee"]) > 0 for fill in fills), "fees are paid")
        same(sum(float(f["sz"]) for f in fills if f["oid"] == self.filled["oid"]), SIZE)
        by_time = self.info.user_fills_by_time(self.address, 0)
        same({fill["tid"] for fill in by_time}, {fill["tid"] for fill in fills})

    def order_status(self):
        found = self.info.query_order_by_oid(self.address, self.filled["oid"])
        same((found["status"], found["order"]["status"]), ("order", "filled"))
        same(self.info.query_order_by_oid(self.address, 12345), {"status": "unknownOid"})

    def order_history(self):
        oids = [order["order"]["oid"] for order in self.info.historical_orders(self.address)]
        true(self.filled["oid"] in oids, "the filled order is there")

    def entry_with_exits(self):
        orders = [self._request(0.9), self._trigger(1.1, "tp"), self._trigger(0.8, "sl")]
        first, *others = statuses(self.exchange.bulk_orders(orders, grouping="normalTpsl"))
        same(others, ["waitingForFill"] * 2)
        shown = {order["orderType"] for order in self.info.frontend_open_orders(self.address)}
        same(shown, {"Limit", "Take Profit Market", "Stop Market"})
        same(statuses(self.exchange.cancel(COIN, oid_of(first))), ["success"])
        same(self.info.frontend_open_orders(self.address), [])

    def leverage(self):
        same(self.exchange.update_leverage(10, COIN), DEFAULT)

    def leverage_refused(self):
        reply = self.exchange.update_leverage(99, COIN)
        same(reply, {"status": "err", "response": "Invalid leverage value"})

    def isolated_margin(self):
        same(self.exchange.update_leverage(5, COIN, is_cross=False), DEFAULT)
        statuses(self.exchange.market_open(COIN, True, SIZE))
        before = self._margin()
        same(self.exchange.update_isolated_margin(50.0, COIN), DEFAULT)
        true(49.0 < self._margin() - before < 51.0, "50 USDC more")
        statuses(self.exchange.market_close(COIN))
        same(self.exchange.update_leverage(10, COIN), DEFAULT)

    def _margin(self):
        (entry,) = self.info.user_state(self.address)["assetPositions"]
        same(entry["position"]["leverage"]["type"], "isolated")
        return float(entry["position"]["marginUsed"])

    def dead_mans_switch(self):
        in_a_minute = int(time.time() * 1000) + 60_000
        same(self.exchange.schedule_cancel(in_a_minute), DEFAULT)
        same(self.exchange.schedule_cancel(None), DEFAULT)

    def agent(self):
        approved, key = self.exchange.approve_agent("conformance")
        same(approved, DEFAULT)
        wallet = eth_account.Account.from_key(key)
        agent = Exchange(wallet, self.url, account_address=self.address)
        (status,) = statuses(agent.order(COIN, True, SIZE, self._far(), GTC))
        same(self._open(), {oid_of(status)})
        same(statuses(agent.cancel(COIN, oid_of(status))), ["success"])
        names = [entry["name"] for entry in self.info.extra_agents(self.address)]
        same(names, ["conformance"])

    def transfer(self):
        same(self.exchange.usd_transfer(12.0, OTHER), DEFAULT)
        value = self.info.user_state(OTHER)["marginSummary"]["accountValue"]
        true(10.0 < float(value) <= 12.0, f"{value} arrived")

    def ledger(self):
        updates = self.info.user_non_funding_ledger_updates(self.address, 0)
        kinds = [update["delta"]["type"] for update in updates]
        true({"internalTransfer", "send"} & set(kinds), f"the transfer is among {kinds}")

    def sub_account(self):
        while float(self.info.user_fees(self.address)["dailyUserVlm"][-1]["userCross"]) < 1e5:
            statuses(self.exchange.market_open(COIN, True, 0.2))  # what the venue asks for
            statuses(self.exchange.market_close(COIN))
        reply = self.exchange.create_sub_account("sub")
        same((reply["status"], reply["response"]["type"]), ("ok", "createSubAccount"))
        address = reply["response"]["data"]
        same(self.exchange.sub_account_transfer(address, True, 20_000_000), DEFAULT)
        value = self.info.user_state(address)["marginSummary"]["accountValue"]
        same(value, "20.0")
        (sub,) = self.info.query_sub_accounts(self.address)
        same((sub["name"], sub["subAccountUser"]), ("sub", address))

    def funding_payment(self):
        statuses(self.exchange.market_open(COIN, True, SIZE))
        pass_the_hour(self.url)
        (paid,) = self.info.user_funding_history(self.address, 0)
        same((paid["delta"]["type"], paid["delta"]["coin"]), ("funding", COIN))
        statuses(self.exchange.market_close(COIN))

    def dex_markets(self):
        dexs = self.info.perp_dexs()
        same((dexs[0], dexs[1]["name"]), (None, DEX))
        names = [market["name"] for market in self.info.meta(dex=DEX)["universe"]]
        same(names, [DEX + ":GOLD", DEX_COIN])
        value = self.info.user_state(self.address, DEX)["marginSummary"]["accountValue"]
        same(value, "1000.0")

    def dex_order(self):
        price = float(f"{0.9 * float(self.info.all_mids(DEX)[DEX_COIN]):.5g}")
        (status,) = statuses(self.exchange.order(DEX_COIN, True, SIZE, price, GTC))
        (order,) = self.info.open_orders(self.address, DEX)
        same((order["coin"], order["oid"]), (DEX_COIN, oid_of(status)))
        same(statuses(self.exchange.cancel(DEX_COIN, oid_of(status))), ["success"])
        (status,) = statuses(self.exchange.market_open(DEX_COIN, True, SIZE))
        same(float(status["filled"]["totalSz"]), SIZE)
        (entry,) = self.info.user_state(self.address, DEX)["assetPositions"]
        same(entry["position"]["coin"], DEX_COIN)
        (status,) = statuses(self.exchange.market_close(DEX_COIN))
        same(float(status["filled"]["totalSz"]), SIZE)

    async def _first(self, subscription):
        """Subscribe, and wait for the first frame's data."""
        frames: list[Any] = []
        self.socket.subscribe(subscription, frames.append)
        (frame, *_) = await until(lambda: frames, str(subscription))
        return frame["data"]

    async def stream_book(self):
        data = await self._first({"type": "l2Book", "coin": COIN})
        same((data["coin"], len(data["levels"])), (COIN, 2))

    async def stream_bbo(self):
        bid, ask = (await self._first({"type": "bbo", "coin": COIN}))["bbo"]
        true(float(bid["px"]) < float(ask["px"]), "not crossed")

    async def stream_trades(self):
        trades = await self._first({"type": "trades", "coin": COIN})
        same({trade["coin"] for trade in trades}, {COIN})

    async def stream_candles(self):
        candle = await self._first({"type": "candle", "coin": COIN, "interval": "1m"})
        same((candle["s"], candle["i"]), (COIN, "1m"))

    async def stream_mids(self):
        data = await self._first({"type": "allMids"})
        true(COIN in data["mids"], "the mid is there")

    async def stream_orders(self):
        frames: list[Any] = []
        self.socket.subscribe({"type": "orderUpdates", "user": self.address}, frames.append)
        oid = oid_of(self._order())
        same(statuses(self.exchange.cancel(COIN, oid)), ["success"])

        def told():
            updates = [update for frame in frames for update in frame["data"]]
            found = [update["status"] for update in updates if update["order"]["oid"] == oid]
            return found == ["open", "canceled"]

        await until(told, "open, then canceled")

    async def stream_fills(self):
        frames: list[Any] = []
        self.socket.subscribe({"type": "userFills", "user": self.address}, frames.append)
        (first, *_) = await until(lambda: frames, "the snapshot")
        same(first["data"]["isSnapshot"], True)
        (status,) = statuses(self.exchange.market_open(COIN, True, SIZE))

        def told():
            fills = [fill for frame in frames[1:] for fill in frame["data"]["fills"]]
            return {fill["oid"] for fill in fills} == {status["filled"]["oid"]}

        await until(told, "the fill")
        statuses(self.exchange.market_close(COIN))


if __name__ == "__main__":
    run(OfficialSdk())
