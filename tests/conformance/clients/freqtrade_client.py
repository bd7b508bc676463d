"""freqtrade's adapter: the exchange object of a live futures bot, made from a configuration."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from freqtrade.enums import CandleType, RunMode
from freqtrade.resolvers import ExchangeResolver

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from session import SIZE, pass_the_hour, refused, run, same, true

PAIR = "BTC/USDC:USDC"
LEVERAGE = 10.0


class Freqtrade:
    def start(self, url, key, address):
        self.url = url
        urls = {"api": {"public": url, "private": url, "ws": {"public": "ws" + url[4:] + "/ws"}}}
        sides = {"use_order_book": True, "order_book_top": 1, "price_side": "same"}
        order_types = {"entry": "limit", "exit": "limit", "stoploss": "limit",
                       "stoploss_on_exchange": False}  # fmt: skip
        self.bot = ExchangeResolver.load_exchange(
            {
                "runmode": RunMode.LIVE,
                "dry_run": False,
                "trading_mode": "futures",
                "margin_mode": "cross",
                "stake_currency": "USDC",
                "timeframe": "1m",
                "entry_pricing": sides,
                "exit_pricing": sides,
                "order_types": order_types,
                "exchange": {
                    "name": "hyperliquid",
                    "walletAddress": address,
                    "privateKey": key,
                    "pair_whitelist": [PAIR],
                    "ccxt_config": {"urls": urls, "enableRateLimit": False},
                },
            }
        )

    def stop(self):
        self.bot.close()

    def _far(self, share=0.9):
        return share * self.bot.fetch_ticker(PAIR)["last"]

    def _order(self, side="buy", share=0.9, ordertype="limit", **more):
        return self.bot.create_order(
            pair=PAIR, ordertype=ordertype, side=side, amount=SIZE, rate=self._far(share),
            leverage=LEVERAGE, **more,
        )  # fmt: skip

    def markets(self):
        true(PAIR in self.bot.get_markets(), "the market is there")

    def mids(self):
        true(self.bot.get_tickers()[PAIR]["last"] > 0, "a price")

    def book(self):
        book = self.bot.fetch_l2_order_book(PAIR)
        true(book["bids"][0][0] < book["asks"][0][0], "not crossed")

    def candles(self):
        key = (PAIR, "1m", CandleType.FUTURES)
        candles = self.bot.refresh_latest_ohlcv([key], drop_incomplete=False)
        true(len(candles[key]) > 0, "candles are there")

    def balance(self):
        same(self.bot.get_balances()["USDC"]["total"], 10_000.0)

    def fees(self):
        same(self.bot.get_fee(PAIR, taker_or_maker="taker"), 0.00045)

    def place_gtc(self):
        self.order = self._order()
        same(self.bot.fetch_order(self.order["id"], PAIR)["status"], "open")

    def cancel(self):
        self.bot.cancel_order(self.order["id"], PAIR)
        same(self.bot.fetch_order(self.order["id"], PAIR)["status"], "canceled")

    async def cancel_unknown(self):
        await refused(lambda: self.bot.cancel_order("12345", PAIR), "Order was never placed")

    def fill(self):
        self.order = self._order(share=1.02)
        found = self.bot.fetch_order(self.order["id"], PAIR)
        same((found["status"], found["filled"]), ("closed", SIZE))

    def position(self):
        (position,) = self.bot.fetch_positions(PAIR)
        same((position["side"], position["contracts"]), ("long", SIZE))

    def stop_order(self):
        types = {"stoploss": "limit", "stoploss_on_exchange_limit_ratio": 0.99}
        stop = self.bot.create_stoploss(PAIR, SIZE, self._far(), types, "sell", LEVERAGE)
        same(stop["info"]["status"], "waitingForTrigger")  # no id yet: the list of orders has it
        orders = self.bot.fetch_orders(PAIR, datetime.now(UTC) - timedelta(hours=2))
        (placed,) = (order for order in orders if order["status"] == "open")
        self.bot.cancel_stoploss_order(placed["id"], PAIR)

    def close(self):
        self._order("sell", 0.98, reduceOnly=True)
        same(self.bot.fetch_positions(PAIR), [])

    def fills(self):
        since = datetime.now(UTC) - timedelta(hours=2)
        fills = self.bot.get_trades_for_order(self.order["id"], PAIR, since)
        same(sum(fill["amount"] for fill in fills), SIZE)

    def order_history(self):
        orders = self.bot.fetch_orders(PAIR, datetime.now(UTC) - timedelta(hours=2))
        true(self.order["id"] in {order["id"] for order in orders}, "the filled order is there")

    def funding_payment(self):
        since = datetime.now(UTC) - timedelta(hours=2)
        self._order(share=1.02)
        pass_the_hour(self.url)
        true(self.bot.get_funding_fees(PAIR, SIZE, False, since) != 0, "a payment")
        self._order("sell", 0.98, reduceOnly=True)


if __name__ == "__main__":
    run(Freqtrade())
