"""A venue with one scripted market and two funded users, driven block by block."""

from hypermm.sim.exchange import Exchange
from hypermm.sim.told import PAYLOADS
from tests.exchange_requests import decode_action
from tests.scripted_market import ALICE, BOB, START_MS, ScriptedMarket

BIDS = [("2000", "1"), ("1999", "2"), ("1998", "3")]
ASKS = [("2001", "1"), ("2002", "2"), ("2003", "3")]
CLOID = "0x" + 31 * "0" + "1"


def wire(side, price, size, tif="Alo", *, reduce_only=False, cloid=None, asset=0):
    order = {
        "a": asset,
        "b": side == "B",
        "p": price,
        "s": size,
        "r": reduce_only,
        "t": {"limit": {"tif": tif}},
    }
    return order if cloid is None else {**order, "c": cloid}


class Venue:
    """Submits as JSON says, makes one block, hands back what came of it."""

    def __init__(self, *, usdc=10_000, market=None, markets=None, funds_dexs=True, **options):
        self.market = market or ScriptedMarket()
        if not market and not markets:
            self.market.book(0, BIDS, ASKS)
        self.exchange = Exchange(markets or [self.market], start_ms=START_MS, **options)
        for user in (ALICE, BOB):
            for dex in self.exchange.dexs if funds_dexs else ("",):
                self.exchange.fund(user, usdc, dex)
        self.nonce = START_MS
        self.block = None
        self.step()

    def submit(self, user, action, *, nonce=None, **envelope):
        self.nonce += 1
        return self.exchange.submit(user, decode_action(action), nonce or self.nonce, **envelope)

    def step(self):
        """Make the next block."""
        blocks = self.exchange.advance(self.exchange.now_ms + self.exchange.block_ms)
        self.block = blocks[0] if blocks else None
        return self.block

    def soon(self):
        """Return the market time, ms, that falls into the next block."""
        return self.exchange.now_ms + 1 - START_MS

    def act(self, user, action, **envelope):
        """Submit, make a block, return the reply."""
        ticket = self.submit(user, action, **envelope)
        self.step()
        return dict(self.block.replies)[ticket]

    def place(self, user, *orders):
        """Place orders; return their statuses."""
        reply = self.act(user, {"type": "order", "orders": list(orders), "grouping": "na"})
        return reply["response"]["data"]["statuses"]

    def cancel(self, user, oid, asset=0):
        reply = self.act(user, {"type": "cancel", "cancels": [{"a": asset, "o": oid}]})
        return reply["response"]["data"]["statuses"][0]

    def trade(self, side, price, size):
        """Let an outside taker trade in the next block; make it."""
        self.market.trade(self.soon(), side, price, size)
        self.step()

    def info(self, kind, user=None, **others):
        request = {"type": kind, **others}
        return self.exchange.info({**request, "user": user} if user else request)

    def events(self, user, channel):
        """Return the payloads of one kind of subscription that the last block brought a user."""
        news = self.block.news.get(user) if self.block else None
        return list(PAYLOADS[channel]({"user": user}, news)) if news else []

    def updates(self, user):
        """Return (status, sz) of the order updates of the last block."""
        return [
            (entry["status"], entry["order"]["sz"])
            for payload in self.events(user, "orderUpdates")
            for entry in payload
        ]

    def fills(self, user):
        return [fill for payload in self.events(user, "userFills") for fill in payload["fills"]]

    def size(self, user):
        """Return the position, signed, as text."""
        positions = self.info("clearinghouseState", user)["assetPositions"]
        return positions[0]["position"]["szi"] if positions else "0.0"
