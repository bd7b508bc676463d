"""The grid replay in plain Python: dictionaries for the book, a list for the orders of a side.

The estimates and the solution are the kernels' own, which are held elsewhere. Rows are level
changes, quotes and trades; frames are held against recordings.
"""

import math

from hypermm._core.bipower import BipowerStream
from hypermm._core.glft import Solver
from hypermm._core.kappa import KappaStream
from hypermm._core.queue import QueuePosition
from hypermm._core.rows import QUOTE, TRADE

SECOND, REFIT = 10**9, 5 * 10**9
MOST = 64


class Order:
    def __init__(self, price, size, live_ns):
        self.price, self.remaining, self.live_ns, self.gone_ns = price, size, live_ns, None
        self.is_live = False
        self.ahead = self.traded = self.shown = 0


class Grid:
    def __init__(self, *, levels, lots, max_lots, latency_ns, every_ns, model, exponent,
                 spacing, risk_aversion, maker_bps, window_secs):  # fmt: skip
        self.levels, self.lots, self.max_lots = levels, lots, max_lots
        self.latency, self.every, self.spacing = latency_ns, every_ns, spacing
        self.model, self.exponent = model, exponent
        self.risk_aversion, self.maker_bps = risk_aversion, maker_bps
        self.books, self.orders = {1: {}, -1: {}}, {1: [], -1: []}
        self.fills, self.position, self.placed, self.canceled = [], 0, 0, 0
        self.now = self.next_decision = self.next_second = self.next_refit = 0
        self.variation = BipowerStream(decay_secs=window_secs)
        self.depths = KappaStream(decay_secs=window_secs)
        self.solver = Solver(2 * (max_lots // lots))
        self.last_mid = 0.0

    def best(self, side):
        prices = [side * price for price, size in self.books[side].items() if size]
        return side * max(prices) if prices else None

    def mid(self):
        bid, ask = self.best(1), self.best(-1)
        return None if bid is None or ask is None or bid >= ask else 0.5 * (bid + ask)

    def play(self, row):
        stamp, side, price, size = (int(row[name]) for name in ("exch_ns", "side", "price", "size"))
        if stamp > self.now:
            if self.now == 0:
                self.next_decision = stamp + self.every - stamp % self.every
            while (due := self.due()) < stamp:
                self.happen(due)
            self.now = stamp
        if row["kind"] == TRADE:
            self.trade(side, price, size)
        elif row["kind"] == QUOTE:
            while (best := self.best(side)) is not None and side * (best - price) > 0:
                self.show(side, best, 0)
            self.show(side, price, size)
        else:
            self.show(side, price, size)

    def due(self):
        waits = [self.next_decision]
        for order in self.orders[1] + self.orders[-1]:
            waits += [] if order.is_live else [order.live_ns]
            waits += [order.gone_ns] if order.gone_ns is not None else []
        return min(waits)

    def happen(self, due):
        for side in (1, -1):
            self.orders[side] = [
                o for o in self.orders[side] if o.gone_ns is None or o.gone_ns > due
            ]
            for order in list(self.orders[side]):
                if order.is_live or order.live_ns > due:
                    continue
                other = self.best(-side)
                if other is not None and side * (order.price - other) >= 0:
                    self.orders[side].remove(order)
                else:
                    order.is_live = True
                    order.ahead = order.shown = self.books[side].get(order.price, 0)
        if due == self.next_decision:
            self.decide(due)
            self.next_decision += self.every

    def show(self, side, price, size):
        before = self.best(side)
        self.books[side][price] = size
        for order in self.orders[side]:
            if order.is_live and order.price == price:
                queue = QueuePosition(self.model, self.exponent, order.ahead + order.traded)
                queue.trade(order.traded)
                queue.depth(order.shown, size)
                order.ahead, order.traded, order.shown = max(queue.ahead, 0.0), 0, size
        if size and (before is None or side * (price - before) > 0):
            for order in list(self.orders[-side]):
                if order.is_live and side * (price - order.price) >= 0:
                    self.fill(-side, order, order.remaining)

    def trade(self, side, price, size):
        mid, ours = self.mid(), -side
        if mid is not None:
            least = 0.5e4 * (self.best(-1) - self.best(1)) / mid
            depth = 1e4 * side * (price - mid) / mid
            if depth >= least:
                self.depths.update(depth, least_bps=least, most_bps=50.0 * least)
        for order in list(self.orders[ours]):
            if order.is_live and ours * (order.price - price) > 0:
                self.fill(ours, order, order.remaining)
            elif order.is_live and order.price == price:
                order.ahead -= size
                order.traded += size
                if order.ahead <= -1:
                    lots, order.ahead = min(math.floor(-order.ahead), order.remaining), 0
                    self.fill(ours, order, lots)

    def fill(self, side, order, lots):
        self.fills.append((self.now, side, order.price, lots))
        self.position += side * lots
        order.remaining -= lots
        if not order.remaining:
            self.orders[side].remove(order)

    def decide(self, now):
        mid, first = self.mid(), {1: None, -1: None}
        if mid is not None:
            if now >= self.next_second:
                if self.last_mid:
                    self.variation.update(math.log(mid / self.last_mid), 1.0)
                    self.depths.advance(1.0)
                self.last_mid, self.next_second = mid, now + SECOND
            if now >= self.next_refit:
                self.refit(0.5e4 * (self.best(-1) - self.best(1)) / mid)
                self.next_refit = now + REFIT
            held = max(min(self.position, self.max_lots), -self.max_lots) / self.lots
            bid = self.solver.bid_depth_bps(held) * 1e-4 * mid
            ask = self.solver.ask_depth_bps(held) * 1e-4 * mid
            if math.isfinite(bid):
                first[1] = math.floor(min(mid - bid, self.best(-1) - 1))
            if math.isfinite(ask):
                first[-1] = math.ceil(max(mid + ask, self.best(1) + 1))
        for side in (1, -1):
            self.quote(side, first[side], now)

    def refit(self, half):
        depths, volatility = self.depths, self.variation.volatility_bps
        if self.variation.returns < 5:
            volatility = 1.5 * half
        kappa = min((4.0 + depths.weight) / (4.0 * half + depths.excess_bps), 100.0)
        rate = (1.0 + 0.5 * depths.events) / (10.0 + depths.exposure_secs) * math.exp(kappa * half)
        bound = self.max_lots // self.lots
        self.solver.solve(
            volatility=volatility, kappa_per_bps=kappa, intensity_per_sec=rate,
            risk_aversion_per_bps=self.risk_aversion * kappa, lots_long=bound, lots_short=bound,
            cost_bps=self.maker_bps,
        )  # fmt: skip

    def quote(self, side, first, now):
        room = max(self.max_lots - side * self.position, 0) // self.lots
        wanted = [] if first is None else [
            first - side * i * self.spacing for i in range(min(self.levels, room))
        ]  # fmt: skip
        served = set()
        for order in self.orders[side]:
            if order.gone_ns is not None:
                continue
            if order.price in wanted and order.price not in served:
                served.add(order.price)
            else:
                order.gone_ns = max(now, order.live_ns) + self.latency
                self.canceled += 1
        for price in wanted:
            if price not in served and len(self.orders[side]) < MOST:
                self.orders[side].append(Order(price, self.lots, now + self.latency))
                self.placed += 1
