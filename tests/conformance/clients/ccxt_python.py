"""ccxt for Python: its synchronous REST client, and ccxt.pro for the sockets.

It signs as mainnet. It approves its own builder's fee first, which every order then carries.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any, ClassVar

import ccxt
import ccxt.pro

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from session import (
    DEX,
    DEX_COIN,
    OTHER,
    SIZE,
    STRANGER_KEY,
    control,
    near,
    pass_the_hour,
    refused,
    run,
    same,
    says,
    true,
    until,
)

SYMBOL = "BTC/USDC:USDC"
DEX_SYMBOL = f"{DEX.upper()}-BTC/USDC:USDC"


def connect(module: Any, url: str, address: str, key: str) -> Any:
    client = module.hyperliquid(
        {"walletAddress": address, "privateKey": key, "enableRateLimit": False}
    )
    client.urls["api"] |= {"public": url, "private": url}
    if "ws" in client.urls["api"]:
        client.urls["api"]["ws"] = {"public": "ws" + url[4:] + "/ws"}
    return client


class CcxtPython:
    TRAPS: ClassVar = {
        "stream_mids": ("webData2", "older ones ask for a channel that has been closed")
    }

    def start(self, url, key, address):
        self.url = url
        self.rest = connect(ccxt, url, address, key)
        self.pro = connect(ccxt.pro, url, address, key)
        self.rest.load_markets()

    async def stop(self):
        await self.pro.close()

    def _far(self, share=0.9, symbol=SYMBOL):
        return share * self.rest.fetch_ticker(symbol)["last"]

    def _order(self, share=0.9, size=SIZE, side="buy", **params):
        return self.rest.create_order(SYMBOL, "limit", side, size, self._far(share), params)

    def _open(self, symbol=SYMBOL):
        return {order["id"] for order in self.rest.fetch_open_orders(symbol)}

    def _market(self, side, symbol=SYMBOL, size=SIZE, **params):
        price = self.rest.fetch_ticker(symbol)["last"]
        return self.rest.create_order(symbol, "market", side, size, price, params)

    def markets(self):
        market = self.rest.market(SYMBOL)
        same((market["base"], market["precision"]["amount"], market["swap"]), ("BTC", 1e-5, True))
        true("PURR/USDC" in self.rest.markets, "the spot pair is there")

    def contexts(self):
        rate = self.rest.fetch_funding_rate(SYMBOL)
        true(rate["markPrice"] > 0 and rate["indexPrice"] > 0, "prices")
        true(self.rest.fetch_open_interest(SYMBOL)["openInterestAmount"] >= 0, "open interest")

    def mids(self):
        true(self.rest.fetch_tickers()[SYMBOL]["last"] > 0, "a price")

    def book(self):
        book = self.rest.fetch_order_book(SYMBOL)
        bids, asks = [level[0] for level in book["bids"]], [level[0] for level in book["asks"]]
        same((bids, asks), (sorted(bids, reverse=True), sorted(asks)))
        true(bids[0] < asks[0], "not crossed")

    def candles(self):
        (*_, (_, _, high, low, close, _)) = self.rest.fetch_ohlcv(SYMBOL, "1m")
        true(low <= close <= high, "low, close, high")

    def market_funding(self):
        same(type(self.rest.fetch_funding_rate_history(SYMBOL)), list)

    def balance(self):
        same(self.rest.fetch_balance()["USDC"]["total"], 10_000.0)
        same(type(self.rest.fetch_balance({"type": "spot"})), dict)

    def fees(self):
        fee = self.rest.fetch_trading_fee(SYMBOL)
        same((fee["maker"], fee["taker"]), (0.00015, 0.00045))

    def place_gtc(self):
        self.id = self._order()["id"]
        same(self._open(), {self.id})

    def modify(self):
        price = self._far(0.91)
        self.id = self.rest.edit_order(self.id, SYMBOL, "limit", "buy", 2 * SIZE, price)["id"]
        (order,) = self.rest.fetch_open_orders(SYMBOL)
        same((order["id"], order["amount"]), (self.id, 2 * SIZE))

    def cancel(self):
        self.rest.cancel_order(self.id, SYMBOL)
        same(self._open(), set())

    def place_cloid(self):
        self.cloid = "0x" + 31 * "0" + "a"
        placed = self._order(clientOrderId=self.cloid)
        found = self.rest.fetch_order(placed["id"], SYMBOL)
        same((found["id"], found["clientOrderId"]), (placed["id"], self.cloid))

    def cancel_cloid(self):
        self.rest.cancel_order(None, SYMBOL, {"clientOrderId": self.cloid})
        same(self._open(), set())

    def _request(self, share, **params):
        return {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": SIZE,
                "price": self._far(share), "params": params}  # fmt: skip

    def batch(self):
        orders = self.rest.create_orders([self._request(0.9), self._request(0.91)])
        self.ids = [order["id"] for order in orders]
        same(self._open(), set(self.ids))

    def batch_modify(self):
        changes = [{**self._request(0.88), "id": id_} for id_ in self.ids]
        self.ids = [order["id"] for order in self.rest.edit_orders(changes)]
        same(self._open(), set(self.ids))

    def batch_cancel(self):
        self.rest.cancel_orders(self.ids, SYMBOL)
        same(self._open(), set())

    async def batch_partial(self):
        """It raises for the bad order; the good one rests."""
        requests = [self._request(0.9), self._request(1.1, timeInForce="Alo")]
        await refused(lambda: self.rest.create_orders(requests), "Post only order would have")
        (order_id,) = self._open()
        both = [order_id, "12345"]
        await refused(lambda: self.rest.cancel_orders(both, SYMBOL), "Order was never placed")
        same(self._open(), set())

    def place_alo(self):
        placed = self._order(postOnly=True)
        same(self.rest.fetch_open_orders(SYMBOL)[0]["info"]["tif"], "Alo")
        self.rest.cancel_order(placed["id"], SYMBOL)

    async def alo_refused(self):
        text = r"InvalidOrder|Post only order would have immediately matched, bbo was \d+@\d+\."
        await refused(lambda: self._order(1.1, postOnly=True), text)

    async def ioc_unmatched(self):
        text = "Order could not immediately match against any resting orders. asset=0"
        await refused(lambda: self._order(0.9, timeInForce="Ioc"), text)

    async def too_small(self):
        text = "Order must have minimum value of .10. asset=0"
        await refused(lambda: self._order(size=0.00001), text)

    async def no_margin(self):
        text = "Insufficient margin to place order. asset=0"
        await refused(lambda: self._order(size=50), text)

    async def cancel_unknown(self):
        text = "Order was never placed, already canceled, or filled. asset=0"
        await refused(lambda: self.rest.cancel_order("12345", SYMBOL), text)

    async def stranger(self):
        client = connect(ccxt, self.url, OTHER, STRANGER_KEY)

        def place():
            client.create_order(SYMBOL, "limit", "buy", SIZE, self._far())

        await refused(place, "User or API Wallet 0x[0-9a-f]{40} does not exist.")

    def fill(self):
        self.filled = self._market("buy")
        same(self.filled["filled"], SIZE)

    def position(self):
        position = self.rest.fetch_position(SYMBOL)
        same((position["side"], position["contracts"]), ("long", SIZE))
        near(position["entryPrice"], self.filled["average"])

    async def reduce_only_refused(self):
        text = "Reduce only order would increase position. asset=0"
        await refused(lambda: self._order(reduceOnly=True), text)

    def stop_order(self):
        price = self._far(0.9)
        params = {"stopLossPrice": price, "reduceOnly": True}
        self.rest.create_order(SYMBOL, "market", "sell", SIZE, price, params)
        (order,) = self.rest.fetch_open_orders(SYMBOL)
        same((order["type"], order["info"]["orderType"]), ("market", "Stop Market"))
        self.rest.cancel_order(order["id"], SYMBOL)
        same(self._open(), set())

    def close(self):
        self._market("sell", reduceOnly=True)
        same(self.rest.fetch_positions([SYMBOL]), [])

    def fills(self):
        fills = self.rest.fetch_my_trades(SYMBOL)
        same({fill["side"] for fill in fills}, {"buy", "sell"})
        true(all(fill["fee"]["cost"] > 0 for fill in fills), "fees are paid")

    def order_status(self):
        same(self.rest.fetch_order(self.filled["id"], SYMBOL)["status"], "closed")

    def order_history(self):
        ids = {order["id"] for order in self.rest.fetch_orders(SYMBOL)}
        true(self.filled["id"] in ids, "the filled order is there")
        true(self.rest.fetch_canceled_orders(SYMBOL), "canceled ones are there")

    def entry_with_exits(self):
        exits = {"takeProfit": {"triggerPrice": self._far(1.1), "type": "market"},
                 "stopLoss": {"triggerPrice": self._far(0.8), "type": "market"}}  # fmt: skip
        placed = self._order(**exits)
        shown = {order["info"]["orderType"] for order in self.rest.fetch_open_orders(SYMBOL)}
        same(shown, {"Limit", "Take Profit Market", "Stop Market"})
        self.rest.cancel_order(placed["id"], SYMBOL)
        same(self._open(), set())

    def twap(self):
        order = self.rest.create_twap_order(SYMBOL, "buy", 0.02, 300_000)
        true(order["id"], "a TWAP has an id")
        self.rest.cancel_twap_order(order["id"], SYMBOL)
        self._flatten(SYMBOL)

    def _flatten(self, symbol):
        for position in self.rest.fetch_positions([symbol]):
            self._market("sell", symbol, position["contracts"], reduceOnly=True)

    def leverage(self):
        says(self.rest.set_leverage(10, SYMBOL), "'status': 'ok'")

    async def leverage_refused(self):
        await refused(lambda: self.rest.set_leverage(99, SYMBOL), "Invalid leverage value")

    def isolated_margin(self):
        self.rest.set_margin_mode("isolated", SYMBOL, {"leverage": 5})
        self._market("buy")
        before = self.rest.fetch_position(SYMBOL)
        same(before["marginMode"], "isolated")
        self.rest.add_margin(SYMBOL, 50)
        more = self.rest.fetch_position(SYMBOL)["collateral"] - before["collateral"]
        true(49.0 < more < 51.0, f"50 USDC more, not {more}")
        self._market("sell", reduceOnly=True)
        self.rest.set_margin_mode("cross", SYMBOL, {"leverage": 10})

    def dead_mans_switch(self):
        """It cannot take it back: 0 is a time to it."""
        same(self.rest.cancel_all_orders_after(3_600_000)["status"], "ok")

    def transfer(self):
        self.rest.transfer("USDC", 12.0, "swap", "spot")
        same(self.rest.fetch_balance({"type": "spot"})["USDC"]["total"], 12.0)
        self.rest.transfer("USDC", 12.0, "spot", "swap")

    def ledger(self):
        kinds = {entry["info"]["delta"]["type"] for entry in self.rest.fetch_ledger()}
        true("accountClassTransfer" in kinds, f"the transfer is among {kinds}")

    def sub_account(self):
        for _ in range(3):
            self._market("buy", size=0.2)  # the volume that the venue asks for
            self._market("sell", size=0.2)
        reply = self.rest.create_sub_account("sub")
        address = reply["response"]["data"]
        self.rest.transfer("USDC", 20.0, "main", address)
        same(self.rest.fetch_balance({"user": address})["USDC"]["total"], 20.0)

    def funding_payment(self):
        self._market("buy")
        pass_the_hour(self.url)
        (paid,) = self.rest.fetch_funding_history(SYMBOL)
        same((paid["symbol"], paid["code"]), (SYMBOL, "USDC"))
        self._market("sell", reduceOnly=True)

    def dex_markets(self):
        market = self.rest.market(DEX_SYMBOL)
        same((market["info"]["name"], market["baseId"]), (DEX_COIN, "110001"))
        same(self.rest.fetch_balance({"dex": DEX})["USDC"]["total"], 1_000.0)

    def dex_order(self):
        price = self._far(0.9, DEX_SYMBOL)
        placed = self.rest.create_order(DEX_SYMBOL, "limit", "buy", SIZE, price)
        orders = self.rest.fetch_open_orders(DEX_SYMBOL, params={"dex": DEX})
        same([order["id"] for order in orders], [placed["id"]])
        self.rest.cancel_order(placed["id"], DEX_SYMBOL)
        same(self._market("buy", DEX_SYMBOL)["filled"], SIZE)
        same(self._market("sell", DEX_SYMBOL, reduceOnly=True)["filled"], SIZE)

    async def stream_book(self):
        book = await self.pro.watch_order_book(SYMBOL)
        true(book["bids"][0][0] < book["asks"][0][0], "not crossed")

    async def stream_trades(self):
        trades = await self.pro.watch_trades(SYMBOL)
        same({trade["symbol"] for trade in trades}, {SYMBOL})

    async def stream_candles(self):
        (*_, candle) = await self.pro.watch_ohlcv(SYMBOL, "1m")
        true(candle[3] <= candle[4] <= candle[2], "low, close, high")

    async def stream_mids(self):
        tickers = await self.pro.watch_tickers([SYMBOL])
        true(tickers[SYMBOL]["last"] > 0, "a price")

    async def _watch(self, watch, act):
        """Watch, act when the subscription stands, return what comes with the act's order."""
        watching = asyncio.create_task(watch(SYMBOL))
        await asyncio.sleep(0.3)
        id_ = act()["id"]
        seen: list[Any] = []

        async def told():
            nonlocal watching
            seen.extend(await watching)
            watching = asyncio.create_task(watch(SYMBOL))
            return [entry for entry in seen if id_ in (entry["id"], entry.get("order"))]

        found = await until(told, "the order's event")
        watching.cancel()
        return found

    async def stream_orders(self):
        (order, *_) = await self._watch(self.pro.watch_orders, self._order)
        same((order["status"], order["amount"]), ("open", SIZE))
        self.rest.cancel_order(order["id"], SYMBOL)

    async def stream_fills(self):
        fills = await self._watch(self.pro.watch_my_trades, lambda: self._market("buy"))
        same({fill["side"] for fill in fills}, {"buy"})
        self._market("sell", reduceOnly=True)

    async def socket_order(self):
        price = self._far()
        placed = await self.pro.create_order_ws(SYMBOL, "limit", "buy", SIZE, price)
        same(self._open(), {placed["id"]})
        await self.pro.cancel_order_ws(placed["id"], SYMBOL)
        same(self._open(), set())

    async def reconnect(self):
        await self.pro.watch_order_book(SYMBOL)
        control(self.url, do="fault", fault="disconnect+500ms")
        await asyncio.sleep(1.0)

        async def told():
            try:
                return (await self.pro.watch_order_book(SYMBOL))["bids"]
            except ccxt.NetworkError:
                return None  # the watch that was cut says so; the next one connects

        await until(told, "a book")


if __name__ == "__main__":
    run(CcxtPython())
