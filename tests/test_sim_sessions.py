"""Random sessions on the simulated exchange: what must hold of orders whatever anybody does.

A long session, a hundred thousand actions, with a seed of your own:

    python -m tests.test_sim_sessions 100000 7
"""

import random
import sys
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from hypermm.messages import Side
from hypermm.sim.rules import Rules
from tests.scripted_market import ALICE, BOB
from tests.sim_desk import Venue, wire
from tests.test_sim_triggers import trigger

USERS = (ALICE, BOB)
MIDDLE = 2000
RULES = Rules(schedule_cancel_volume=0, free_requests=1 << 62)
TIFS = ("Alo", "Alo", "Gtc", "Ioc", "FrontendMarket")
CLOIDS = ("0x" + 32 * "1", "0x" + 32 * "2")
TRIGGERED = "triggered"


class Session:
    """A venue under random actions, and what it told about each order."""

    def __init__(self):
        self.venue = Venue(usdc=3_000, rules=RULES)
        self.middle = MIDDLE
        self.told = {}  # oid -> statuses in the order of telling
        self.tickets = {}  # of the block that is being filled -> action
        self.filled = Counter()  # lots by oid
        self.actions = 0

    # What may happen: each takes numbers from 0 to 1

    def order(self, a, b, c, d):
        side, tif = "AB"[a < 0.5], TIFS[int(b * len(TIFS))]
        price = str(self.middle + int(c * 13) - 6)
        size = ["0", "0.001", "0.3", "0.5", "1", "40"][int(d * 6)]
        cloid = CLOIDS[int(b * 97) % 2] if int(b * 1_000) % 4 == 0 else None
        return wire(side, price, size, tif, reduce_only=int(d * 1_000) % 4 == 0, cloid=cloid)

    def place(self, a, b, c, d):
        return {"type": "order", "orders": [self.order(a, b, c, d)], "grouping": "na"}

    def batch(self, a, b, c, d):
        orders = [self.order(a, b, c, d), self.order(b, c, d, a), self.order(c, d, a, b)]
        return {"type": "order", "orders": orders, "grouping": "na"}

    def stop(self, a, b, c, d):
        limit = str(self.middle) if d < 0.3 else None
        price = str(self.middle + int(b * 21) - 10)
        kind, size = ("tp", "sl")[c < 0.5], ["0.3", "1"][d < 0.5]
        one = trigger("AB"[a < 0.5], price, size, kind, limit=limit, reduce_only=c < 0.8)
        return {"type": "order", "orders": [one], "grouping": "na"}

    def family(self, a, b, c, d):
        side = "AB"[a < 0.5]
        other, up = ("B", -1) if side == "A" else ("A", 1)
        parent = self.order(a, b, c, 0.6)
        parent["b"], parent["r"] = side == "B", False
        reach = 2 + int(d * 8)
        children = [
            trigger(other, str(self.middle + up * reach), "0.5", "tp"),
            trigger(other, str(self.middle - up * reach), "0.5", "sl"),
        ]
        return {"type": "order", "orders": [parent, *children], "grouping": "normalTpsl"}

    def protect(self, a, b, _c, _d):
        side, up = ("A", 1) if a < 0.5 else ("B", -1)
        reach = 1 + int(b * 8)
        orders = [
            trigger(side, str(self.middle + up * reach), "0", "tp"),
            trigger(side, str(self.middle - up * reach), "0", "sl"),
        ]
        return {"type": "order", "orders": orders, "grouping": "positionTpsl"}

    def _some_oid(self, user, a):
        oids = list(self.venue.exchange.accounts.get(user).history)[-12:]
        return oids[int(a * len(oids))] if oids else 1

    def cancel(self, a, b, _c, _d, user):
        oid = self._some_oid(user, a)
        return {
            "type": "cancel",
            "cancels": [{"a": 0, "o": oid}],
            **({"f": True} if b < 0.2 else {}),
        }

    def modify(self, a, b, c, d, user):
        modify = {"oid": self._some_oid(user, d), "order": self.order(a, b, c, d)}
        return {"type": "batchModify", "modifies": [modify], **({"a": True} if a < 0.5 else {})}

    def twap(self, a, b, _c, d):
        if b < 0.2:
            return {"type": "twapCancel", "a": 0, "t": int(d * 6)}
        wired = {"a": 0, "b": a < 0.5, "s": "1", "r": b < 0.4, "m": 5, "t": d < 0.5}
        return {"type": "twapOrder", "twap": wired}

    def switch(self, _a, b, _c, _d):
        return {"type": "scheduleCancel", "time": self.venue.exchange.now_ms + 5_000 + int(b * 900)}

    def leverage(self, a, b, _c, _d):
        return {"type": "updateLeverage", "asset": 0, "isCross": a < 0.6, "leverage": int(b * 27)}

    def margin(self, a, b, _c, _d):
        amount = int((a - 0.5) * 200_000_000)
        return {"type": "updateIsolatedMargin", "asset": 0, "isBuy": b < 0.5, "ntli": amount}

    # What the world does

    def act(self, kind, who, numbers):
        """Let a user act; everything waits for the next block."""
        user = USERS[who]
        extra = (user,) if kind in {"cancel", "modify"} else ()
        action = getattr(self, kind)(*numbers, *extra)
        self.tickets[self.venue.submit(user, action)] = (user, action)
        self.actions += 1

    def move(self, a, b, c, _d):
        self.middle += int(a * 13) - 6
        depth = 1 + int(b * 5) if b > 0.05 else 0
        bids = [(str(self.middle - i), "0.7") for i in range(1, 1 + depth)]
        asks = [(str(self.middle + i), "0.7") for i in range(1, 1 + depth)]
        self.venue.market.book(self.venue.soon(), bids, asks, is_top=c < 0.2)
        self.venue.market.trade(self.venue.soon(), "AB"[c < 0.5], str(self.middle), "0.6")

    def wait(self, a, _b, _c, _d):
        """Let a while pass, so that slices and switches come due."""
        for _ in range(int(a * 500)):
            self.block()

    def block(self):
        block = self.venue.step()
        if block is None:
            assert not self.tickets, "an action without a block"
            return
        replies = dict(block.replies)
        updates = {}
        for user in USERS:
            for payload in self.venue.events(user, "orderUpdates"):
                for update in payload:
                    updates.setdefault(update["order"]["oid"], []).append(update["status"])
            for fill in (
                block.news[user].fills + block.news[user].twap_fills if (user in block.news) else ()
            ):
                self.filled[fill.oid] += fill.size
        for oid, statuses in updates.items():
            self._check_history(oid, statuses)
        for ticket, (_, action) in self.tickets.items():
            self._check_reply(replies[ticket], action, updates)
        self.tickets = {}
        if updates:
            self.check()

    # What must hold

    def _check_history(self, oid, statuses):
        """An end is told once and last; a trigger fires once, and out of an open order."""
        before = self.told.setdefault(oid, [])
        for status in statuses:
            assert all(s in {"open", TRIGGERED} for s in before), (oid, before, status)
            if status == TRIGGERED:
                assert before == ["open"], (oid, before)
            before.append(status)

    def _check_reply(self, reply, action, updates):
        """No reply without its order event."""
        if action["type"] not in {"order", "batchModify"}:
            return
        rejections = sum(s.endswith("Rejected") for told in updates.values() for s in told)
        refused = 0
        for status in reply["response"]["data"]["statuses"]:
            if isinstance(status, dict) and "error" in status:
                refused += status["error"].endswith("asset=0")
            elif isinstance(status, dict):
                (entry,) = status.values()
                assert "open" in updates[entry["oid"]], status
        assert rejections >= refused, (reply, updates)

    def check(self):
        exchange = self.venue.exchange
        book = exchange.listings[0].book
        bid, ask = book.touch()
        assert bid is None or ask is None or bid[0] < ask[0], "crossed"
        accounts = list(exchange.accounts.by_address.values())
        assert exchange.bank.imbalance(accounts) == 0
        assert not any(exchange.bank.lots(accounts).values())
        for account in accounts:
            position = account.position(exchange.listings[0]).size
            bought = 0
            hanging = {c.oid for o in account.orders.values() for c in o.children}
            for order in account.history.values():
                assert order.filled == self.filled[order.oid], order.oid
                assert 0 <= order.remaining <= order.original
                assert order.status == (self.told.get(order.oid) or ["open"])[-1]
                bought += order.filled * order.side
                is_listed = order.oid in account.orders
                if order.is_resting:
                    assert is_listed
                    assert order.status == "open"
                    slot = book.half(order.side).get(order.slot)
                    assert slot[:2] == (order.price, order.remaining)
                assert order.status != TRIGGERED, "a trigger that fired and did nothing"
                if order.is_position_tpsl and order.is_open:
                    assert order.side * position < 0, "protects nothing"
                if order.is_open:
                    assert is_listed or order.oid in hanging, "nobody holds it"
                else:
                    assert not is_listed
                    assert not any(
                        c.is_open and c.oid not in account.orders for c in order.children
                    )
            assert bought == position
            self._check_margin(account, position)
        resting = sum(o.is_resting for a in accounts for o in a.orders.values())
        assert len(book.bids) + len(book.asks) == resting

    @staticmethod
    def _check_margin(account, position):
        for side in Side:
            orders = [o for o in account.orders.values() if o.side is side and o.is_resting]
            held = sum(o.remaining for o in orders if not o.is_reduce_only)
            assert account.pool().open_lots.get((0, side), 0) == held
            reducing = [o.remaining for o in orders if o.is_reduce_only]
            if reducing and side * position >= 0:
                raise AssertionError("a reduce-only order that would add")
            assert len(reducing) <= 1 or sum(reducing) <= abs(position)

    def run(self, event):
        kind, who, numbers = event
        if kind == "block":
            self.block()
        elif kind in {"move", "wait"}:
            getattr(self, kind)(*numbers)
        else:
            self.act(kind, who, numbers)


ACTS = ("place", "batch", "stop", "family", "protect", "cancel", "modify", "twap", "switch")
KINDS = (
    *ACTS,
    "leverage",
    "margin",
    "place",
    "batch",
    "move",
    "move",
    "block",
    "block",
    "block",
    "wait",
)
UNIT = st.integers(0, 9_999).map(lambda n: n / 10_000)
EVENT = st.tuples(st.sampled_from(KINDS), st.integers(0, 1), st.tuples(UNIT, UNIT, UNIT, UNIT))


@given(st.lists(EVENT, min_size=5, max_size=60))
@settings(max_examples=60)
def test_whatever_users_do_books_orders_and_what_is_told_agree(events):
    session = Session()
    for event in events:
        session.run(event)
    session.block()


def live(seed, actions):
    """Run a long session of random events."""
    rng = random.Random(seed)
    session = Session()
    while session.actions < actions:
        kind = rng.choice(KINDS)
        session.run((kind, rng.randrange(2), tuple(rng.random() for _ in range(4))))
    session.block()
    return session


def test_a_seeded_session_of_a_thousand_actions_holds():
    """It reaches every way in which an order can end that this venue has."""
    session = live(3, 1_000)

    ends = Counter(statuses[-1] for statuses in session.told.values())
    for end in (
        "filled", "canceled", "selfTradeCanceled", "reduceOnlyCanceled", "siblingFilledCanceled",
        "scheduledCancel", "minTradeNtlRejected", "perpMarginRejected", "reduceOnlyRejected",
        "badAloPxRejected", "iocCancelRejected", "badTriggerPxRejected",
    ):  # fmt: skip
        assert ends[end] > 0, (end, ends)


if __name__ == "__main__":
    done = live(int(sys.argv[2]), int(sys.argv[1]))
    print(Counter(statuses[-1] for statuses in done.told.values()))
