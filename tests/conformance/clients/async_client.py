"""`async-hyperliquid`, which has no sockets. It takes its base URL from the network's name, so the
two endpoints that it is made of are replaced by the same classes with another URL.
"""

import sys
import time
from pathlib import Path
from typing import Any

from async_hyperliquid.async_hyperliquid import AsyncHyperliquid
from async_hyperliquid.exchange import ExchangeAPI
from async_hyperliquid.info import InfoAPI
from async_hyperliquid.utils.types import CandleInterval, Cloid, LimitTif, limit_order_type
from eth_account import Account

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
)

GTC, ALO, IOC = (limit_order_type(LimitTif(tif)) for tif in ("Gtc", "Alo", "Ioc"))
DEFAULT = {"status": "ok", "response": {"type": "default"}}


def connect(url: str, key: str, address: str) -> AsyncHyperliquid:
    client = AsyncHyperliquid(address, key, is_mainnet=False, perp_dexs=["", DEX])
    client.info = InfoAPI(url, client.session)
    client.exchange = ExchangeAPI(
        client.account, client.session, url, address=address, nonce_factory=client.next_nonce
    )
    return client


def statuses(reply: Any) -> list[Any]:
    same(reply["status"], "ok")
    return reply["response"]["data"]["statuses"]


class AsyncClient:
    async def start(self, url, key, address):
        self.url, self.address = url, address
        self.client = connect(url, key, address)
        self.info = self.client.info
        await self.client.init_metas()

    async def stop(self):
        await self.client.close()

    async def _far(self, share=0.9):
        return share * await self.client.get_mid_price(COIN)

    async def _place(self, share=0.9, order_type=GTC, size=SIZE, is_buy=True, client=None, **more):
        reply = await (client or self.client).place_typed_order(
            COIN, is_buy, size, await self._far(share), order_type=order_type, **more
        )
        (status,) = statuses(reply)
        return status

    async def _market(self, is_buy, coin=COIN, size=SIZE, **more):
        (status,) = statuses(await self.client.place_market_order(coin, is_buy, size, **more))
        return status["filled"]

    async def _open(self, dex=""):
        orders = await self.client.get_user_open_orders(dex=dex)
        return {order["oid"] for order in orders}

    async def _cancel(self, oid, coin=COIN):
        same(statuses(await self.client.cancel_order(coin, oid)), ["success"])

    async def markets(self):
        same((await self.info.get_perp_meta())["universe"][0]["name"], COIN)
        same(await self.client.get_coin_asset(COIN), 0)

    async def contexts(self):
        meta, contexts = await self.info.get_perp_meta_ctx()
        same(len(meta["universe"]), len(contexts))
        true(await self.client.get_mark_price(COIN) > 0, "a mark price")

    async def mids(self):
        true((await self.client.get_all_mids())[COIN] > 0, "a mid")

    async def book(self):
        bids, asks = (await self.info.get_depth(COIN))["levels"]
        true(float(bids[0]["px"]) < float(asks[0]["px"]), "not crossed")

    async def candles(self):
        now = int(time.time() * 1000)
        found = await self.info.get_candles(COIN, CandleInterval("1m"), now - 7_200_000, now)
        same((found[-1]["s"], found[-1]["i"]), (COIN, "1m"))

    async def market_funding(self):
        now = int(time.time() * 1000)
        same(type(await self.info.get_funding_rates(COIN, now - 86_400_000)), list)

    async def balance(self):
        state = await self.client.get_perp_account_state()
        same(state["marginSummary"]["accountValue"], "10000.0")

    async def fees(self):
        fees = await self.info.get_user_fees(self.address)
        same((fees["userAddRate"], fees["userCrossRate"]), ("0.00015", "0.00045"))

    async def rate_limit(self):
        limit = await self.info.get_user_rate_limit(self.address)
        true(limit["nRequestsCap"] >= 10_000, "the first requests are free")

    async def place_gtc(self):
        self.oid = (await self._place())["resting"]["oid"]
        same(await self._open(), {self.oid})

    async def modify(self):
        reply = await self.client.modify_order(
            self.oid, COIN, True, 2 * SIZE, round(await self._far(0.91)), False, GTC
        )
        same(reply["status"], "ok")
        (order,) = await self.client.get_user_open_orders(is_frontend=True)
        same(order["sz"], "0.02")
        self.oid = order["oid"]

    async def cancel(self):
        await self._cancel(self.oid)
        same(await self._open(), set())

    async def place_cloid(self):
        self.cloid = Cloid.from_int(0xABC)
        placed = (await self._place(cloid=self.cloid))["resting"]
        same(placed["cloid"], self.cloid.to_raw())
        found = await self.info.get_order_status(self.cloid.to_raw(), self.address)
        same(found["order"]["order"]["oid"], placed["oid"])

    async def cancel_cloid(self):
        reply = await self.client.cancel_by_cloid(COIN, self.cloid)
        same(statuses(reply), ["success"])

    async def _request(self, share, order_type=GTC):
        return {"coin": COIN, "is_buy": True, "sz": SIZE, "px": await self._far(share),
                "ro": False, "order_type": order_type}  # fmt: skip

    async def batch(self):
        requests = [await self._request(0.9), await self._request(0.91)]
        reply = await self.client.batch_place_orders(requests)
        self.oids = [status["resting"]["oid"] for status in statuses(reply)]
        same(await self._open(), set(self.oids))

    async def batch_cancel(self):
        reply = await self.client.cancel_orders([(COIN, oid) for oid in self.oids])
        same(statuses(reply), ["success", "success"])

    async def batch_partial(self):
        requests = [await self._request(0.9), await self._request(1.1, ALO)]
        good, bad = statuses(await self.client.batch_place_orders(requests))
        says(bad["error"], "^Post only order would have immediately matched")
        await self._cancel(good["resting"]["oid"])

    async def place_alo(self):
        placed = await self._place(order_type=ALO)
        await self._cancel(placed["resting"]["oid"])

    async def alo_refused(self):
        error = (await self._place(1.1, ALO))["error"]
        says(error, r"^Post only order would have immediately matched, bbo was \d+@\d+\. asset=0$")

    async def ioc_unmatched(self):
        error = (await self._place(0.9, IOC))["error"]
        same(error, "Order could not immediately match against any resting orders. asset=0")

    async def too_small(self):
        error = (await self._place(size=0.00001))["error"]
        same(error, "Order must have minimum value of $10. asset=0")

    async def no_margin(self):
        error = (await self._place(size=50.0))["error"]
        same(error, "Insufficient margin to place order. asset=0")

    async def cancel_unknown(self):
        (status,) = statuses(await self.client.cancel_order(COIN, 12345))
        says(status["error"], "^Order was never placed, already canceled, or filled. asset=0$")

    async def stranger(self):
        address = Account.from_key(STRANGER_KEY).address
        client = connect(self.url, STRANGER_KEY, address)
        try:
            reply = await client.place_typed_order(COIN, True, SIZE, 90_000, order_type=GTC)
        finally:
            await client.close()
        says(reply, f"User or API Wallet {address.lower()} does not exist.")

    async def fill(self):
        self.filled = await self._market(True)
        same(float(self.filled["totalSz"]), SIZE)

    async def position(self):
        (position,) = await self.client.get_dex_positions()
        same(float(position["szi"]), SIZE)
        near(position["entryPx"], self.filled["avgPx"])

    async def reduce_only_refused(self):
        error = (await self._place(ro=True))["error"]
        same(error, "Reduce only order would increase position. asset=0")

    async def stop_order(self):
        price = f"{await self._far():.0f}"
        order_type = {"trigger": {"isMarket": True, "triggerPx": price, "tpsl": "sl"}}
        same(await self._place(0.9, order_type, is_buy=False, ro=True), "waitingForTrigger")
        (order,) = await self.client.get_user_open_orders(is_frontend=True)
        same(order["orderType"], "Stop Market")
        await self._cancel(order["oid"])

    async def close(self):
        (status,) = statuses(await self.client.close_position(COIN))
        same(float(status["filled"]["totalSz"]), SIZE)
        same(await self.client.get_dex_positions(), [])

    async def fills(self):
        fills = await self.info.get_user_fills(self.address)
        same({fill["dir"] for fill in fills}, {"Open Long", "Close Long"})
        by_time = await self.info.get_user_fills(self.address, start_time=1)
        same({fill["tid"] for fill in by_time}, {fill["tid"] for fill in fills})

    async def order_status(self):
        found = await self.client.get_order_status(self.filled["oid"])
        same(found["order"]["status"], "filled")

    async def order_history(self):
        orders = await self.info.get_user_order_history(self.address)
        true(self.filled["oid"] in [order["order"]["oid"] for order in orders], "it is there")

    async def twap(self):
        reply = await self.client.place_twap(COIN, True, 0.02, 5)
        twap_id = reply["response"]["data"]["status"]["running"]["twapId"]
        reply = await self.client.cancel_twap(COIN, twap_id)
        same(reply["response"]["data"]["status"], "success")
        await self.client.close_position(COIN)

    async def leverage(self):
        same(await self.client.update_leverage(10, COIN), DEFAULT)

    async def leverage_refused(self):
        reply = await self.client.update_leverage(99, COIN)
        same(reply, {"status": "err", "response": "Invalid leverage value"})

    async def isolated_margin(self):
        same(await self.client.update_leverage(5, COIN, is_cross=False), DEFAULT)
        await self._market(True)
        (before,) = await self.client.get_dex_positions()
        same(await self.client.update_isolated_margin(50.0, COIN), DEFAULT)
        (after,) = await self.client.get_dex_positions()
        near(float(after["marginUsed"]) - float(before["marginUsed"]), 50.0, 1.0)
        await self.client.close_position(COIN)
        same(await self.client.update_leverage(10, COIN), DEFAULT)

    async def dead_mans_switch(self):
        in_a_minute = int(time.time() * 1000) + 60_000
        same(await self.client.schedule_cancel(in_a_minute), DEFAULT)

    async def agent(self):
        wallet = Account.create()
        same(await self.client.approve_agent(wallet.address, "conformance"), DEFAULT)
        agent = connect(self.url, wallet.key.hex(), self.address)
        try:
            placed = await self._place(client=agent)
        finally:
            await agent.close()
        await self._cancel(placed["resting"]["oid"])

    async def transfer(self):
        same(await self.client.usd_transfer(12.0, OTHER), DEFAULT)
        state = await self.client.get_perp_account_state(OTHER)
        true(float(state["marginSummary"]["accountValue"]) > 10.0, "it arrived")

    async def ledger(self):
        updates = await self.info.get_user_funding(self.address, 0, is_funding=False)
        kinds = {update["delta"]["type"] for update in updates}
        true({"internalTransfer", "send"} & kinds, f"the transfer is among {kinds}")

    async def sub_account(self):
        for _ in range(3):
            await self._market(True, size=0.2)  # the volume that the venue asks for
            await self._market(False, size=0.2)
        address = (await self.client.create_sub_account("sub"))["response"]["data"]
        (sub,) = await self.info.get_user_subaccounts(self.address)
        same((sub["name"], sub["subAccountUser"]), ("sub", address))

    async def funding_payment(self):
        await self._market(True)
        pass_the_hour(self.url)
        (paid,) = await self.info.get_user_funding(self.address, 1)
        same((paid["delta"]["type"], paid["delta"]["coin"]), ("funding", COIN))
        await self.client.close_position(COIN)

    async def dex_markets(self):
        same(await self.client.get_all_dex_name(), ["", DEX])
        same(await self.client.get_coin_asset(DEX_COIN), 110_001)
        state = await self.client.get_perp_account_state(dex=DEX)
        same(state["marginSummary"]["accountValue"], "1000.0")

    async def dex_order(self):
        same(float((await self._market(True, DEX_COIN))["totalSz"]), SIZE)
        (position,) = await self.client.get_dex_positions(dex=DEX)
        same(position["coin"], DEX_COIN)
        (status,) = statuses(await self.client.close_position(DEX_COIN))
        same(float(status["filled"]["totalSz"]), SIZE)


if __name__ == "__main__":
    run(AsyncClient())
