"""`typed-hyperliquid`, which checks every answer against its own types.

They know no `waitingForFill` and `waitingForTrigger`, no order without `tif` and no update without
`cloid`, all of which the real exchange sends, nor what `@nktkas/hyperliquid` knows of a referrer
without a code and a TWAP's end; there its check is off. Its cancel of a TWAP has
field names that are not the exchange's.
"""

import inspect
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from eth_account import Account
from typed_hyperliquid import Hyperliquid

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
    refused,
    run,
    same,
    says,
    true,
)

ASSET, DEX_ASSET = 0, 110_001
GTC, ALO, IOC = ({"limit": {"tif": tif}} for tif in ("Gtc", "Alo", "Ioc"))
CHAIN = "0x66eee"
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


def connect(url: str, key: str) -> Hyperliquid:
    ws_url = "ws" + url[4:] + "/ws"
    return Hyperliquid.new(key, mainnet=False, base_url=url, ws_url=ws_url)


def statuses(reply: Any) -> list[Any]:
    same(reply["status"], "ok")
    return reply["response"]["data"]["statuses"]


# What no other step asks for; each takes some of these arguments.
GIVEN = {"coin": COIN, "dex": DEX, "builder": OTHER}
READS = """active_asset_data all_perp_metas builder_fee_approved exchange_status perp_dex_limits
perp_dex_status perps_at_open_interest_cap predicted_fundings spot_meta_and_asset_ctxs
staking_delegations staking_history staking_rewards staking_summary sub_accounts user_abstraction
user_portfolio user_referral user_role user_twap_slice_fills user_vault_equities"""
STREAMS = """active_asset_ctx active_asset_data all_dexs_asset_ctxs all_dexs_clearinghouse_state
clearinghouse_state fast_asset_ctxs open_orders spot_state twap_states user_fundings
user_non_funding_ledger_updates user_twap_history user_twap_slice_fills web_data3"""

UNCHECKED = ("user_referral", "user_twap_history")


class Typed:
    TRAPS: ClassVar = {
        "agent": ("Must deposit", "signs the agent's address as a text, not as an address")
    }

    async def start(self, url, key, address):
        self.url, self.user = url, address
        self.client = connect(url, key)
        await self.client.__aenter__()
        self.info, self.exchange = self.client.info, self.client.exchange

    async def stop(self):
        await self.client.__aexit__(None, None, None)

    async def _far(self, share=0.9, coin=COIN, dex=None):
        return f"{share * float((await self.info.all_mids(dex))[coin]):.0f}"

    async def _wire(self, share=0.9, t=GTC, **more):
        order = {"a": ASSET, "b": True, "p": await self._far(share), "s": str(SIZE), "r": False}
        return {**order, "t": t, **more}

    async def _place(self, share=0.9, t=GTC, exchange=None, **more):
        order = await self._wire(share, t, **more)
        transport = more.pop("transport", "http")
        order.pop("transport", None)
        reply = await (exchange or self.exchange).order([order], grouping="na", transport=transport)
        (status,) = statuses(reply)
        return status

    async def _takes(self, is_buy, **more):
        share = 1.02 if is_buy else 0.98
        return (await self._place(share, IOC, b=is_buy, **more))["filled"]

    async def _cancel(self, oid, asset=ASSET):
        same(statuses(await self.exchange.cancel([{"a": asset, "o": oid}])), ["success"])

    async def _open(self):
        return {order["oid"] for order in await self.info.open_orders(user=self.user)}

    async def _state(self, **more):
        return await self.info.clearinghouse_state(user=self.user, **more)

    async def markets(self):
        same((await self.info.perp_meta())["universe"][0]["name"], COIN)
        true(len((await self.info.spot_meta())["tokens"]) >= 2, "two tokens at least")

    async def contexts(self):
        meta, contexts = await self.info.perp_meta_and_asset_ctxs()
        same(len(meta["universe"]), len(contexts))

    async def mids(self):
        true(float((await self.info.all_mids())[COIN]) > 0, "a mid")

    async def book(self):
        bids, asks = (await self.info.l2_book(COIN))["levels"]
        true(bids[0]["px"] < asks[0]["px"], "not crossed")

    async def candles(self):
        now = datetime.now(UTC)
        found = await self.info.candle_snapshot(
            COIN, interval="1m", start_time=now - timedelta(hours=2), end_time=now
        )
        same((found[-1]["s"], found[-1]["i"]), (COIN, "1m"))

    async def market_funding(self):
        same(type(await self.info.funding_history(COIN, start_time=LONG_AGO)), list)

    async def balance(self):
        same(float((await self._state())["marginSummary"]["accountValue"]), 10_000.0)
        await self.info.spot_clearinghouse_state(self.user)

    async def fees(self):
        fees = await self.info.user_fees(self.user)
        same((float(fees["userAddRate"]), float(fees["userCrossRate"])), (0.00015, 0.00045))

    async def rate_limit(self):
        limit = await self.info.user_rate_limit(self.user)
        true(limit["nRequestsCap"] >= 10_000, "the first requests are free")

    async def place_gtc(self):
        self.oid = (await self._place())["resting"]["oid"]
        same(await self._open(), {self.oid})

    async def modify(self):
        await self.exchange.modify_order(self.oid, order=await self._wire(0.91, s="0.02"))
        (order,) = await self.info.frontend_open_orders(user=self.user)
        same(float(order["sz"]), 0.02)
        self.oid = order["oid"]

    async def cancel(self):
        await self._cancel(self.oid)
        same(await self._open(), set())

    async def place_cloid(self):
        self.cloid = "0x" + "5eed" * 8
        placed = (await self._place(c=self.cloid))["resting"]
        same(placed["cloid"], self.cloid)
        found = await self.info.order_status(self.user, oid=self.cloid)
        same(found["order"]["order"]["oid"], placed["oid"])

    async def modify_cloid(self):
        order = await self._wire(0.89, c=self.cloid)
        await self.exchange.modify_order(self.cloid, order=order)

    async def cancel_cloid(self):
        reply = await self.exchange.cancel_by_cloid([{"asset": ASSET, "cloid": self.cloid}])
        same(statuses(reply), ["success"])

    async def batch(self):
        orders = [await self._wire(0.9), await self._wire(0.91)]
        reply = await self.exchange.order(orders, grouping="na")
        self.oids = [status["resting"]["oid"] for status in statuses(reply)]
        same(await self._open(), set(self.oids))

    async def batch_modify(self):
        order = await self._wire(0.88)
        changes = [{"oid": oid, "order": order} for oid in self.oids]
        reply = await self.exchange.modify_orders(changes)
        self.oids = [status["resting"]["oid"] for status in statuses(reply)]

    async def batch_cancel(self):
        reply = await self.exchange.cancel([{"a": ASSET, "o": oid} for oid in self.oids])
        same(statuses(reply), ["success", "success"])

    async def batch_partial(self):
        orders = [await self._wire(0.9), await self._wire(1.1, ALO)]
        good, bad = statuses(await self.exchange.order(orders, grouping="na"))
        says(bad["error"], "^Post only order would have immediately matched")
        await self._cancel(good["resting"]["oid"])

    async def place_alo(self):
        await self._cancel((await self._place(t=ALO))["resting"]["oid"])

    async def alo_refused(self):
        error = (await self._place(1.1, ALO))["error"]
        says(error, r"^Post only order would have immediately matched, bbo was \d+@\d+\. asset=0$")

    async def ioc_unmatched(self):
        error = (await self._place(0.9, IOC))["error"]
        same(error, "Order could not immediately match against any resting orders. asset=0")

    async def too_small(self):
        error = (await self._place(s="0.00001"))["error"]
        same(error, "Order must have minimum value of $10. asset=0")

    async def bad_price(self):
        says((await self._place(p="90000.5"))["error"], "invalid price|tick size")

    async def no_margin(self):
        error = (await self._place(s="50"))["error"]
        same(error, "Insufficient margin to place order. asset=0")

    async def cancel_unknown(self):
        (status,) = statuses(await self.exchange.cancel([{"a": ASSET, "o": 12345}]))
        says(status["error"], "^Order was never placed, already canceled, or filled. asset=0$")

    async def stranger(self):
        async with connect(self.url, STRANGER_KEY) as client:
            reply = await client.exchange.order([await self._wire()], grouping="na")
        address = Account.from_key(STRANGER_KEY).address.lower()
        text = f"User or API Wallet {address} does not exist."
        same((reply["status"], reply["response"]), ("err", text))

    async def fill(self):
        self.filled = await self._takes(True)
        same(float(self.filled["totalSz"]), SIZE)

    async def position(self):
        (entry,) = (await self._state())["assetPositions"]
        same(float(entry["position"]["szi"]), SIZE)
        near(entry["position"]["entryPx"], self.filled["avgPx"])

    async def reduce_only_refused(self):
        error = (await self._place(r=True))["error"]
        same(error, "Reduce only order would increase position. asset=0")

    async def _exit(self, share, kind):
        trigger = {"isMarket": True, "triggerPx": await self._far(share), "tpsl": kind}
        return await self._wire(share, {"trigger": trigger}, b=False, r=True)

    async def stop_order(self):
        order = await self._exit(0.9, "sl")
        await self.exchange.order([order], grouping="na", validate=False)
        (order,) = await self.info.frontend_open_orders(user=self.user)
        same(order["orderType"], "Stop Market")
        await self._cancel(order["oid"])

    async def close(self):
        same(float((await self._takes(False, r=True))["totalSz"]), SIZE)
        same((await self._state())["assetPositions"], [])

    async def fills(self):
        fills = await self.info.user_fills(self.user)
        same({fill["dir"] for fill in fills}, {"Open Long", "Close Long"})
        by_time = await self.info.user_fills_by_time(self.user, start_time=LONG_AGO)
        same({fill["tid"] for fill in by_time}, {fill["tid"] for fill in fills})

    async def order_status(self):
        found = await self.info.order_status(self.user, oid=self.filled["oid"])
        same(found["order"]["status"], "filled")

    async def order_history(self):
        orders = await self.info.user_historical_orders(self.user, validate=False)
        true(self.filled["oid"] in [order["order"]["oid"] for order in orders], "it is there")

    async def entry_with_exits(self):
        orders = [await self._wire(), await self._exit(1.1, "tp"), await self._exit(0.8, "sl")]
        await self.exchange.order(orders, grouping="normalTpsl", validate=False)
        shown = await self.info.frontend_open_orders(user=self.user)
        kinds = {order["orderType"]: order["oid"] for order in shown}
        same(set(kinds), {"Limit", "Take Profit Market", "Stop Market"})
        await self._cancel(kinds["Limit"])
        same(await self.info.frontend_open_orders(user=self.user), [])

    async def twap(self):
        order = {"a": ASSET, "b": True, "s": "0.02", "r": False, "m": 5, "t": False}
        reply = await self.exchange.twap_order(order)
        twap_id = reply["data"]["status"]["running"]["twapId"]
        true(twap_id, "a TWAP has an id")
        for entry in (await self._state())["assetPositions"]:
            await self._takes(False, s=str(entry["position"]["szi"]), r=True)

    async def _set_leverage(self, leverage, *, is_cross=True):
        return await self.exchange.update_leverage(
            asset=ASSET, is_cross=is_cross, leverage=leverage
        )

    async def leverage(self):
        same((await self._set_leverage(10))["type"], "default")

    async def leverage_refused(self):
        await refused(lambda: self._set_leverage(99), "Invalid leverage value")

    async def isolated_margin(self):
        await self._set_leverage(5, is_cross=False)
        await self._takes(True)
        (before,) = (await self._state())["assetPositions"]
        await self.exchange.update_isolated_margin(asset=ASSET, is_buy=True, ntli=50_000_000)
        (after,) = (await self._state())["assetPositions"]
        used = [float(entry["position"]["marginUsed"]) for entry in (before, after)]
        near(used[1] - used[0], 50.0, 1.0)
        await self._takes(False, r=True)
        await self._set_leverage(10)

    async def dead_mans_switch(self):
        await self.exchange.schedule_cancel(time=datetime.now(UTC) + timedelta(minutes=1))
        same((await self.exchange.schedule_cancel())["type"], "default")

    async def agent(self):
        wallet = Account.create()
        await self.exchange.approve_agent(
            agent_address=wallet.address, agent_name="conformance", signature_chain_id=CHAIN
        )
        async with connect(self.url, wallet.key.hex()) as client:
            placed = await self._place(exchange=client.exchange)
        await self._cancel(placed["resting"]["oid"])

    async def transfer(self):
        """To spot and back: `usdc_transfer` sends a `nonce`, which the action has not."""
        await self.exchange.usd_class_transfer(amount="12", to_perp=False, signature_chain_id=CHAIN)
        (balance, *_) = (await self.info.spot_clearinghouse_state(self.user))["balances"]
        same((balance["coin"], float(balance["total"])), ("USDC", 12.0))
        await self.exchange.usd_class_transfer(amount="12", to_perp=True, signature_chain_id=CHAIN)

    async def ledger(self):
        updates = await self.info.user_non_funding_ledger_updates(self.user, start_time=LONG_AGO)
        kinds = {update["delta"]["type"] for update in updates}
        true("accountClassTransfer" in kinds, f"the transfer is among {kinds}")

    async def funding_payment(self):
        await self._takes(True)
        pass_the_hour(self.url)
        (paid,) = await self.info.user_funding(self.user, start_time=LONG_AGO)
        same((paid["delta"]["type"], paid["delta"]["coin"]), ("funding", COIN))
        await self._takes(False, r=True)

    async def dex_markets(self):
        own, dex = await self.info.perp_dexs()
        same((own, dex["name"]), (None, DEX))
        same((await self.info.perp_meta(DEX))["universe"][1]["name"], DEX_COIN)
        state = await self._state(dex=DEX)
        same(float(state["marginSummary"]["accountValue"]), 1_000.0)

    async def dex_order(self):
        price = await self._far(0.9, DEX_COIN, DEX)
        oid = (await self._place(a=DEX_ASSET, p=price))["resting"]["oid"]
        (order,) = await self.info.open_orders(user=self.user, dex=DEX)
        same((order["coin"], order["oid"]), (DEX_COIN, oid))
        await self._cancel(oid, DEX_ASSET)
        buys = await self._takes(True, a=DEX_ASSET, p=await self._far(1.02, DEX_COIN, DEX))
        same(float(buys["totalSz"]), SIZE)
        await self._takes(False, a=DEX_ASSET, r=True, p=await self._far(0.98, DEX_COIN, DEX))

    async def _first(self, manager):
        async with manager as stream:
            return await anext(aiter(stream))

    def _call(self, method, name):
        """Call a method with those arguments that it must have."""
        given = {**GIVEN, "user": self.user}
        wanted = inspect.signature(method).parameters.values()
        needed = {p.name: given[p.name] for p in wanted if p.default is p.empty}
        return method(**needed, validate=name not in UNCHECKED)

    async def other_reads(self):
        for name in READS.split():
            await self._call(getattr(self.info, name), name)

    async def other_streams(self):
        for name in STREAMS.split():
            await self._first(self._call(getattr(self.client.streams, name), name))

    async def stream_book(self):
        same((await self._first(self.client.streams.l2_book(COIN)))["coin"], COIN)

    async def stream_bbo(self):
        bid, ask = (await self._first(self.client.streams.bbo(COIN)))["bbo"]
        true(bid["px"] < ask["px"], "not crossed")

    async def stream_trades(self):
        trades = await self._first(self.client.streams.trades(COIN))
        same({trade["coin"] for trade in trades}, {COIN})

    async def stream_candles(self):
        candle = await self._first(self.client.streams.candle(COIN, interval="1m"))
        same((candle["s"], candle["i"]), (COIN, "1m"))

    async def stream_mids(self):
        true(COIN in (await self._first(self.client.streams.all_mids()))["mids"], "a mid")

    async def stream_orders(self):
        async with self.client.streams.order_updates(self.user, validate=False) as stream:
            oid = (await self._place())["resting"]["oid"]
            await self._cancel(oid)
            seen = []
            async for updates in stream:
                seen += [entry["status"] for entry in updates if entry["order"]["oid"] == oid]
                if len(seen) == 2:
                    break
        same(seen, ["open", "canceled"])

    async def stream_fills(self):
        async with self.client.streams.user_fills(self.user) as stream:
            oid = (await self._takes(True))["oid"]
            async for data in stream:
                if not data.get("isSnapshot") and oid in {f["oid"] for f in data["fills"]}:
                    break
        await self._takes(False, r=True)

    async def socket_order(self):
        oid = (await self._place(transport="ws"))["resting"]["oid"]
        reply = await self.exchange.cancel([{"a": ASSET, "o": oid}], transport="ws")
        same(statuses(reply), ["success"])


if __name__ == "__main__":
    run(Typed())
