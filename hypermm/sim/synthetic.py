"""A synthetic market: Hawkes order flow around a moving efficient price, seeded and endless.

The model, all of it in ticks. News moves the efficient price at once; the quotes follow with a
lag. Trades come from a two-sided Hawkes process; news adds informed ones on its own side, which
excite it like the others. A trade that finds the efficient price beyond the touch sweeps part of
the way there, so whoever quoted there was picked off: adverse selection is a consequence, not a
parameter. What a preset holds was measured on a recording or fitted so that the market measures
like it (`hypermm.sim.calibrate`).

Rows are made in chunks of market time from one generator, so that they depend on preset and seed
alone, however the caller slices time.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from math import cos, exp, floor, log, pi, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from hypermm._core.rows import (
    CONTEXT,
    FIRST,
    FORCED,
    LAST,
    LEVEL,
    OPEN_INTEREST,
    QUOTE,
    ROW_DTYPE,
    SNAPSHOT,
    TRADE,
    Rows,
)
from hypermm.sim.market import DAY_SECS, NS_PER_SEC, SNAPSHOT_TRADES, join
from hypermm.sim.preset import Preset
from hypermm.sim.regimes import AS_FITTED, Regime

DEPTH: Final = 20
CHUNK_SECS: Final = 10.0
BURN_IN_SECS: Final = 90.0  # before time 0: the flow becomes stationary, 30 trades are known
LEASH_SECS: Final = 21_600.0  # pull back to the start price: keeps weeks inside one tick size
IMPACT_POWER: Final = 0.75  # of a deep trade's reach: between the square root and proportion
HOLD_TICKS: Final = 0.75  # the quotes stand while their middle is this close to where it should be
FORCED_FILLS: Final = 5  # at most, of one forced sweep
QUOTE_GAP_SECS: Final = 0.05  # shortest time between two changes of the touch: one block
_NS_PER_MS: Final = 1_000_000
_WINDOW: Final = 4096  # ticks around the price whose queues are remembered
_Z_STEPS: Final = 64
_Z_SPAN: Final = 3.2
_INDEX: Final = np.arange(DEPTH, dtype=np.uint8)


class _Uniforms:
    """Uniform numbers one by one; drawn in blocks, because a single draw costs ten times more."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self._block: list[float] = []

    def __call__(self) -> float:
        """Return one from [0, 1)."""
        if not self._block:
            self._block = self._generator.random(2048).tolist()
        return self._block.pop()

    def exponential(self) -> float:
        """Return one of mean 1."""
        return -log(1.0 - self())


_SCORES: Final = np.linspace(-_Z_SPAN, _Z_SPAN, _Z_STEPS)
_RANKS: Final = ndtr(_SCORES)


def _by_score(table: Sequence[float]) -> NDArray[np.int64]:
    """Turn a table of equally probable values into one over the steps of a normal score."""
    place = np.minimum((_RANKS * len(table)).astype(int), len(table) - 1)
    lots: NDArray[np.int64] = np.maximum(np.round(np.asarray(table, float)[place]), 1.0).astype(
        np.int64
    )
    return lots


def _step(score: float) -> int:
    """Return the step of a normal score."""
    return min(
        max(int((score + _Z_SPAN) * ((_Z_STEPS - 1) / (2.0 * _Z_SPAN)) + 0.5), 0), _Z_STEPS - 1
    )


class _Flow:
    """Times and sides of trades: a two-sided Hawkes process, drawn exactly, event by event."""

    def __init__(self, preset: Preset, uniforms: _Uniforms, start: float) -> None:
        self._uniform = uniforms
        self._base = preset.hawkes_base_per_sec
        self._decay = preset.hawkes_decay_per_sec
        self._self_jump = preset.hawkes_self * self._decay
        self._cross_jump = preset.hawkes_cross * self._decay
        self._buy = self._sell = 0.0  # excitation of either side at self._time
        self._time = start
        self.next_time = 0.0
        self._draw()

    def take(self) -> int:
        """Let the next event happen; return its side."""
        self._advance(self.next_time)
        buy, sell = self._base + self._buy, self._base + self._sell
        side = 1 if self._uniform() * (buy + sell) < buy else -1
        self._excite(side)
        return side

    def _advance(self, time: float) -> None:
        fade = exp(-self._decay * (time - self._time))
        self._buy *= fade
        self._sell *= fade
        self._time = time

    def _excite(self, side: int) -> None:
        self._buy += self._self_jump if side > 0 else self._cross_jump
        self._sell += self._cross_jump if side > 0 else self._self_jump
        self._draw()

    def _draw(self) -> None:
        # Dassios and Zhao (2013): the next event is the earlier of one from the base rate and one
        # from the fading excitation, which may never come. Valid from any time: the state is
        # Markov.
        wait = self._uniform.exponential() / (2.0 * self._base)
        excitation = self._buy + self._sell
        if excitation > 0.0:
            left = 1.0 - self._decay * self._uniform.exponential() / excitation
            if left > 0.0:
                wait = min(wait, -log(left) / self._decay)
        self.next_time = self._time + wait


class _Storm:
    """Times, side and reach of forced sweeps: bursts that come at random."""

    def __init__(self, regime: Regime, price: float, uniforms: _Uniforms) -> None:
        self._regime = regime
        self._uniform = uniforms
        self._mean_reach = price * regime.burst_reach
        self._until = 0.0  # end of the burst that goes on
        self._began_at = price
        self.side = 0  # 0: none goes on
        self.next_time = self._wait(0.0)

    def _wait(self, time: float) -> float:
        return time + self._uniform.exponential() * 3_600.0 / self._regime.bursts_per_hour

    def take(self, efficient: float) -> int:
        """Let the next sweep happen; return its reach in ticks, 0 for the end of a burst."""
        time, regime = self.next_time, self._regime
        if self.side == 0:
            self.side = 1 if self._uniform() < 0.5 else -1
            self._until = time + regime.burst_secs
            self._began_at = efficient
        elif time >= self._until:
            self.side = 0
            self.next_time = self._wait(time)
            return 0
        pause = self._uniform.exponential() / regime.burst_sweeps_per_sec
        self.next_time = min(time + pause, self._until)
        return max(1, round(self._mean_reach * self._uniform.exponential()))

    def reversal(self, efficient: float) -> float:
        """Return the move by which the efficient price comes back after a burst."""
        return self._regime.burst_reversal * (self._began_at - efficient)


class SyntheticMarket:
    """The market of one preset and seed, made as it is asked for. It has no end.

    Parameters
    ----------
    preset : Preset
        Numbers of the market.
    seed : int
        Same preset and seed, same rows.
    asset_id : int
        Place in the universe.
    regime : Regime
        How its hours differ from those of the preset.
    """

    is_over = False

    def __init__(
        self, preset: Preset, seed: int, asset_id: int = 0, regime: Regime = AS_FITTED
    ) -> None:
        if regime is not AS_FITTED:
            preset = regime.applied(preset)
        self._regime = regime
        self.instrument = preset.instrument(asset_id)
        self._preset = preset
        self._tick = self.instrument.step_at(preset.start_price)
        self._generator = np.random.Generator(np.random.PCG64([seed, _coin_number(preset.coin)]))
        self._uniform = _Uniforms(self._generator)
        self._draw_tables()
        self._start_state()
        self._chunk = Rows(np.zeros(0, ROW_DTYPE))
        self._stamps = self._chunk.array["exch_ns"]
        self._position = 0
        known = self._run_until(0.0, with_books=False)
        known = known[known["kind"] == TRADE][-SNAPSHOT_TRADES:]
        known["flags"] |= SNAPSHOT
        self.snapshot_trades = Rows(np.ascontiguousarray(known))
        self.day_volume_lots = round(preset.volume_lots_per_sec * DAY_SECS)
        self._next_frame = self._next_quote = 0.0
        self._made_until = 0.0

    def rows_until(self, t_ns: int) -> Rows:
        """Return the events up to `t_ns`; see `Market.rows_until`."""
        windows = [self._take(t_ns)]
        while self._made_until * NS_PER_SEC <= t_ns:
            self._made_until += CHUNK_SECS
            self._chunk = Rows(self._run_until(self._made_until, with_books=True))
            self._stamps = np.ascontiguousarray(self._chunk.array["exch_ns"])
            self._position = 0
            windows.append(self._take(t_ns))
        return join(windows)

    def _take(self, t_ns: int) -> Rows:
        start = self._position
        stop = int(np.searchsorted(self._stamps, t_ns, side="right"))
        self._position = max(start, stop)
        return self._chunk.window(start, self._position)

    def _draw_tables(self) -> None:
        preset = self._preset
        self._quote_sizes = _by_score(preset.quote_sizes_lots).tolist()
        self._levels = np.array([_by_score(table) for table in preset.level_sizes_lots])
        self._level_class = np.asarray(preset.level_class)
        self._occupancy = np.asarray(preset.level_occupancy)
        self._reaches = [round(ticks) for ticks in preset.deep_reach_ticks]
        self._distances = np.arange(1, len(self._occupancy) + 1)
        self._scores = self._generator.standard_normal(_WINDOW)
        self._seats = self._generator.random(_WINDOW)  # a level exists where this < its occupancy

    def _start_state(self) -> None:
        preset, uniform = self._preset, self._uniform
        self._time = -BURN_IN_SECS
        self._anchor = preset.start_price / self._tick + 0.5
        self._efficient = self._centre = self._anchor  # true price; what the quotes are set by
        self._speed = 0.0  # of the quotes' middle towards it, ticks per second
        self._bid = preset.start_price // self._tick
        self._ask = self._bid + 1
        self._bid_score = self._ask_score = 0.0
        self._bid_size = self._ask_size = self._quote_sizes[_Z_STEPS // 2]
        self._flow = _Flow(preset, uniform, self._time)
        self._next_news = self._time + uniform.exponential() / preset.news_per_sec
        self._next_quote = self._time
        self._next_frame = 0.0
        regime = self._regime
        self._drift = self._anchor * regime.drift_per_sec
        self._next_turn = self._time  # where the first trend draws its direction
        self._storm = _Storm(regime, self._anchor, uniform) if regime.bursts_per_hour else None
        self._interest = round(preset.volume_lots_per_sec * DAY_SECS / 2.0)
        self._last_quote = self._time
        self._trade_id = int(uniform() * 2**40)
        self._pieces: list[NDArray[np.void]] = []
        self._small: list[tuple[int, ...]] = []

    # ---- the loop

    def _run_until(self, end: float, *, with_books: bool) -> NDArray[np.void]:
        """Let everything before `end` happen; return its rows."""
        while True:
            frame = self._next_frame if with_books else end
            forced = self._storm.next_time if self._storm is not None else end
            time = min(self._next_quote, self._flow.next_time, self._next_news, frame, forced)
            if time >= end:
                break
            self._time = time
            if time == forced:
                self._force(time)
            elif time == frame:
                self._push_frame(time)
            elif time == self._next_quote:
                self._requote(time)
            elif time == self._flow.next_time:
                self._trade(time, self._flow.take())
            else:
                self._hear_news(time)
        self._flush()
        pieces, self._pieces = self._pieces, []
        return np.concatenate(pieces) if pieces else np.zeros(0, ROW_DTYPE)

    def _hear_news(self, time: float) -> None:
        preset, uniform = self._preset, self._uniform
        self._next_news = time + uniform.exponential() / preset.news_per_sec
        move = 0.5 * preset.news_ticks * (uniform.exponential() + uniform.exponential())
        self._move_efficient(move if uniform() < 0.5 else -move)

    def _move_efficient(self, ticks: float) -> None:
        self._efficient += ticks
        self._speed = abs(self._efficient - self._centre) / self._preset.lag_secs

    def _trade(self, time: float, side: int) -> None:
        preset, uniform = self._preset, self._uniform
        touch = self._ask if side > 0 else self._bid
        gap = side * (self._efficient - touch)
        if gap < 0.0 and -gap >= self._ask - self._bid + 1.0:
            return  # the other touch is behind: who wants to trade this way waits for the quotes
        reach = 0
        if gap >= 1.0:
            reach = max(1, round(gap * min(2.0 * preset.informed_reach * uniform(), 1.0)))
        elif uniform() < preset.deep_share:
            deep = preset.deep_reach_ticks
            reach = max(1, floor(deep[int(uniform() * len(deep))] + uniform()))
            self._move_efficient(side * preset.deep_impact_ticks * reach**IMPACT_POWER)
        sizes = preset.sweep_sizes_lots if reach else preset.touch_sizes_lots
        counts = preset.sweep_fills if reach else preset.touch_fills
        rank = uniform()
        if reach and uniform() < preset.sweep_size_order:
            low, high = bisect_left(self._reaches, reach), bisect_right(self._reaches, reach)
            rank = min((low + rank * (high - low)) / len(self._reaches), 1.0 - 1e-9)
        # Within its bin a size is spread evenly around the bin's mean, which keeps the mean.
        size = max(1, round(sizes[int(rank * len(sizes))] * (0.75 + 0.5 * uniform())))
        fills = min(max(1, floor(counts[int(rank * len(counts))] + uniform())), size)
        self._print(_stamp(time), side, touch, reach, size, fills, 0)

    def _force(self, time: float) -> None:
        """Let the next forced sweep of a cascade happen, or the cascade begin or end."""
        storm = self._storm
        assert storm is not None, "a sweep without a storm"
        reach = storm.take(self._efficient)
        if reach == 0:
            self._move_efficient(storm.reversal(self._efficient))
            return
        sizes, side = self._preset.sweep_sizes_lots, storm.side
        size = min(max(1, round(sizes[int(self._uniform() * len(sizes))])), self._interest // 100)
        touch = self._ask if side > 0 else self._bid
        self._move_efficient(side * reach)
        self._print(
            _stamp(time), side, touch, reach, size, min(reach + 1, size, FORCED_FILLS), FORCED
        )
        self._interest -= size
        self._push_interest(time)

    def _print(
        self, stamp: int, side: int, touch: int, reach: int, size: int, fills: int, flags: int
    ) -> None:
        uniform, left, tick = self._uniform, size, self._tick
        for i in range(fills):
            after = fills - i - 1
            part = (
                left if not after else 1 + int((left - after - 1) * uniform() * 2.0 / (after + 2))
            )
            left -= part
            step = reach if not after else reach * i // fills
            self._trade_id += 1 + int(uniform() * 1000.0)
            price = (touch + side * step) * tick
            self._small.append((stamp, price, part, self._trade_id, 0, TRADE, side, 0, flags))
        self._after_trade(stamp, side, touch, reach, size)

    def _after_trade(self, stamp: int, side: int, touch: int, reach: int, size: int) -> None:
        if side > 0:
            if reach:
                self._ask = touch + reach
            if reach or self._ask_size <= size:
                self._renew(is_bid=False)
            else:
                self._ask_size -= size
        else:
            if reach:
                self._bid = touch - reach
            if reach or self._bid_size <= size:
                self._renew(is_bid=True)
            else:
                self._bid_size -= size
        self._move_efficient(side * self._preset.impact_ticks)
        # What traded last is news to all: the quotes' middle is at least halfway there.
        middle = (self._bid + self._ask) / 2.0
        self._centre = max(self._centre, middle) if side * reach > 0 else self._centre
        self._centre = min(self._centre, middle) if side * reach < 0 else self._centre
        self._push_quote(stamp)

    def _requote(self, time: float) -> None:
        """Let the quotes follow the efficient price by one step, or only change their sizes."""
        preset, uniform = self._preset, self._uniform
        passed, self._last_quote = time - self._last_quote, time
        mean_gap = max(1.0 / preset.quotes_per_sec - QUOTE_GAP_SECS, 0.01)
        self._next_quote = time + QUOTE_GAP_SECS + mean_gap * uniform.exponential()
        self._efficient += (self._anchor - self._efficient) * passed / LEASH_SECS
        if self._drift:
            self._follow_trend(time, passed)
        step = min(passed * self._speed, abs(self._efficient - self._centre))
        self._centre += step if self._efficient > self._centre else -step
        bid, ask = self._bid, self._ask
        if abs(self._centre - (bid + ask) / 2.0) > HOLD_TICKS:
            self._place(preset.moving_spreads_ticks)
        elif uniform() < preset.spread_redraw:
            self._place(preset.calm_spreads_ticks)
        if self._bid != bid:
            self._renew(is_bid=True)
        if self._ask != ask:
            self._renew(is_bid=False)
        if self._bid == bid and self._ask == ask:
            self._resize(is_bid=uniform() < 0.5)
        self._push_quote(_stamp(time))

    def _follow_trend(self, time: float, passed: float) -> None:
        if time >= self._next_turn:
            self._next_turn = time + self._uniform.exponential() * self._regime.drift_secs
            self._drift *= 1.0 if self._uniform() < 0.5 else -1.0
        # The quotes have to follow at the trend's own speed at least.
        self._efficient += self._drift * passed
        self._speed = max(self._speed, 1.5 * abs(self._drift))

    def _place(self, spreads: Sequence[float]) -> None:
        spread = int(spreads[int(self._uniform() * len(spreads))] + self._uniform())
        self._bid = round(self._centre - spread / 2.0)
        self._ask = self._bid + max(spread, 1)

    def _renew(self, *, is_bid: bool) -> None:
        """Draw the size of a level that has just become the touch."""
        self._set_size(self._preset.quote_fresh + self._normal(), is_bid=is_bid)

    def _resize(self, *, is_bid: bool) -> None:
        memory = self._preset.quote_memory
        score = self._bid_score if is_bid else self._ask_score
        self._set_size(memory * score + sqrt(1.0 - memory * memory) * self._normal(), is_bid=is_bid)

    def _set_size(self, score: float, *, is_bid: bool) -> None:
        size = max(1, round(self._quote_sizes[_step(score)] * (0.75 + 0.5 * self._uniform())))
        if is_bid:
            self._bid_score, self._bid_size = score, size
        else:
            self._ask_score, self._ask_size = score, size

    def _normal(self) -> float:
        # Two uniforms (Box and Muller); the second number is not kept.
        return sqrt(2.0 * self._uniform.exponential()) * cos(2.0 * pi * self._uniform())

    # ---- rows

    def _push_quote(self, stamp: int) -> None:
        tick = self._tick
        self._small.append((stamp, self._bid * tick, self._bid_size, 0, 0, QUOTE, 1, 0, FIRST))
        self._small.append((stamp, self._ask * tick, self._ask_size, 0, 0, QUOTE, -1, 0, LAST))

    def _flush(self) -> None:
        if self._small:
            self._pieces.append(np.array(self._small, ROW_DTYPE))
            self._small = []

    def _push_interest(self, time: float) -> None:
        row = (_stamp(time), 0, self._interest, 0, 0, CONTEXT, 0, OPEN_INTEREST, FIRST | LAST)
        self._small.append(row)

    def _push_frame(self, time: float) -> None:
        if self._storm is not None:
            self._push_interest(time)
        self._flush()
        self._next_frame = time + self._preset.frame_secs * (0.95 + 0.1 * self._uniform())
        bid_prices, bid_sizes = self._side_levels(self._bid, -1, self._bid_size)
        ask_prices, ask_sizes = self._side_levels(self._ask, 1, self._ask_size)
        bids, count = len(bid_prices), len(bid_prices) + len(ask_prices)
        rows = np.zeros(count, ROW_DTYPE)
        rows["exch_ns"] = _stamp(time)
        rows["kind"] = LEVEL
        rows["price"][:bids], rows["price"][bids:] = bid_prices, ask_prices
        rows["size"][:bids], rows["size"][bids:] = bid_sizes, ask_sizes
        rows["side"][:bids], rows["side"][bids:] = 1, -1
        rows["index"][:bids], rows["index"][bids:] = _INDEX[:bids], _INDEX[: count - bids]
        rows["flags"][0], rows["flags"][-1] = FIRST, LAST
        self._pieces.append(rows)

    def _side_levels(
        self, touch: int, direction: int, touch_size: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Let the queues behind the touch change for one frame; return prices and sizes."""
        preset, generator = self._preset, self._generator
        ticks = touch + direction * self._distances
        places = ticks % _WINDOW
        draws = generator.random((2, len(ticks)))
        fresh = generator.standard_normal(len(ticks))
        scores = self._scores[places]
        stirred = preset.level_memory * scores + sqrt(1.0 - preset.level_memory**2) * fresh
        scores = np.where(draws[0] >= preset.level_keeps, stirred, scores)
        seats = self._seats[places]
        was_free = seats >= self._occupancy
        is_new = draws[1] < preset.level_vanishes
        seats = np.where(is_new, draws[1] / preset.level_vanishes, seats)
        is_taken = seats < self._occupancy
        scores = np.where(was_free & is_taken, fresh, scores)
        self._scores[places], self._seats[places] = scores, seats
        exists = np.flatnonzero(is_taken & (ticks > 0))[: DEPTH - 1]
        steps = (scores[exists] + _Z_SPAN) * ((_Z_STEPS - 1) / (2.0 * _Z_SPAN)) + 0.5
        steps = np.clip(steps, 0, _Z_STEPS - 1).astype(np.int64)
        sizes = self._levels[self._level_class[exists], steps]
        prices = np.concatenate(([touch], ticks[exists])) * self._tick
        return prices, np.concatenate(([touch_size], sizes))


def _stamp(time: float) -> int:
    return floor(time * 1000.0) * _NS_PER_MS


def _coin_number(coin: str) -> int:
    return int.from_bytes(coin.encode(), "big")
