"""What a stretch of market rows measures: quotes, volatility, trades, impact, clustering, depth.

The definitions are those of docs/explanation/synthetic-market.md; the same code measures a
recording and the synthetic market that is to resemble it.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray
from scipy.optimize import minimize

from hypermm._core.rows import FIRST, LAST, LEVEL, QUOTE, SNAPSHOT, TRADE
from hypermm.instrument import Instrument

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Pieces = Sequence[tuple[int, int]]
NS: Final = 1e9
VOLATILITY_SECS: Final = (1, 2, 5, 10, 30)
IMPACT_SECS: Final = (0.1, 1, 5, 30)
LEVELS_SHOWN: Final = (0, 1, 2, 5, 10, 19)


@frozen
class Quotes:
    """The touch after each change, prices in ticks, sizes in lots."""

    stamps: Integers
    bids: Integers
    asks: Integers
    bid_sizes: Integers
    ask_sizes: Integers
    held_secs: Floats  # how long each stood, inside its piece

    @property
    def mids(self) -> Floats:
        """Middle of bid and ask, ticks."""
        return np.asarray((self.bids + self.asks) / 2.0)


@frozen
class Events:
    """Aggressor events: consecutive fills with one stamp and one side."""

    stamps: Integers
    sides: Integers
    sizes: Integers
    fills: Integers
    means: Floats  # average price, ticks
    quote: Integers  # index of the last quote strictly before
    reach: Integers  # ticks beyond that touch; negative: inside the spread


def extract_quotes(rows: NDArray[np.void], tick: int, pieces: Pieces) -> Quotes:
    """Take the quotes out of the rows; each stands until the next or the end of its piece."""
    quotes = rows[rows["kind"] == QUOTE]
    bids, asks = quotes[0::2], quotes[1::2]
    stamps = bids["exch_ns"]
    held = np.zeros(len(stamps))
    for start, end in pieces:
        edges = np.clip(np.append(stamps, end), start, end)
        held += np.diff(edges) / NS
    return Quotes(
        stamps=np.ascontiguousarray(stamps),
        bids=bids["price"] // tick,
        asks=asks["price"] // tick,
        bid_sizes=bids["size"],
        ask_sizes=asks["size"],
        held_secs=held,
    )


def extract_events(rows: NDArray[np.void], tick: int, pieces: Pieces, quotes: Quotes) -> Events:
    """Take the aggressor events out of the rows: those inside the pieces, after the first quote."""
    trades = rows[(rows["kind"] == TRADE) & (rows["flags"] & SNAPSHOT == 0)]
    stamps = trades["exch_ns"]
    inside = np.zeros(len(trades), bool)
    for start, end in pieces:
        inside |= (stamps >= start) & (stamps <= end)
    trades = trades[inside & (stamps > quotes.stamps[0])]
    stamps, sides = trades["exch_ns"], trades["side"].astype(np.int64)
    starts = np.flatnonzero((np.diff(stamps, prepend=-1) != 0) | (np.diff(sides, prepend=0) != 0))
    sizes = np.add.reduceat(trades["size"], starts)
    values = np.add.reduceat(trades["size"] * (trades["price"] / tick), starts)
    highest = np.maximum.reduceat(trades["price"], starts) // tick
    lowest = np.minimum.reduceat(trades["price"], starts) // tick
    quote = np.searchsorted(quotes.stamps, stamps[starts], side="left") - 1
    is_buy = sides[starts] > 0
    return Events(
        stamps=stamps[starts],
        sides=sides[starts],
        sizes=sizes,
        fills=np.diff(starts, append=len(trades)),
        means=values / sizes,
        quote=quote,
        reach=np.where(is_buy, highest - quotes.asks[quote], quotes.bids[quote] - lowest),
    )


def mids_at(quotes: Quotes, stamps: Integers) -> Floats:
    """Return the mid that stood at each stamp, a quote of that very stamp included."""
    return quotes.mids[np.maximum(np.searchsorted(quotes.stamps, stamps, side="right") - 1, 0)]


def returns(quotes: Quotes, pieces: Pieces, step_secs: float) -> Floats:
    """Log returns in bps of the previous-tick mid on a grid of whole seconds in each piece."""
    parts = []
    for start, end in pieces:
        first = -(-start // 1_000_000_000) * 1_000_000_000
        grid = np.arange(first, end + 1, int(step_secs * NS))
        parts.append(np.diff(np.log(mids_at(quotes, grid))) * 1e4)
    return np.concatenate(parts)


@frozen
class HawkesFit:
    """Two streams with one decay; `children[i][j]`: of kind i that one event of kind j has."""

    base_per_sec: tuple[float, float]
    decay_per_sec: float
    children: tuple[tuple[float, float], tuple[float, float]]

    @property
    def spectral_radius(self) -> float:
        """Below 1: the process does not explode."""
        return float(np.abs(np.linalg.eigvals(np.array(self.children))).max())


def fit_hawkes(buys: Integers, sells: Integers, start_ns: int, end_ns: int) -> HawkesFit:
    """Fit the two streams by maximum likelihood on distinct stamps.

    Events of one stamp do not excite each other. Source: Ogata (1978), with the usual recursion.
    """
    stamps = np.unique(np.concatenate((buys, sells)))
    is_buy, is_sell = np.isin(stamps, buys), np.isin(stamps, sells)
    marks = list(zip(is_buy.tolist(), is_sell.tolist(), strict=True))
    gaps = np.diff(stamps, prepend=stamps[0]) / NS
    to_end = (end_ns - stamps) / NS
    span = (end_ns - start_ns) / NS
    counts = np.array([is_buy.sum(), is_sell.sum()])

    def loss(logs: Floats) -> float:
        base, decay = np.exp(logs[:2]), np.exp(logs[2])
        jumps = np.exp(logs[3:7]).reshape(2, 2) * decay
        fades = np.exp(-decay * gaps).tolist()
        memory = np.empty((len(fades), 2))
        by_buys = by_sells = 0.0
        for i, fade in enumerate(fades):
            if i:
                by_buys += marks[i - 1][0]
                by_sells += marks[i - 1][1]
            by_buys *= fade
            by_sells *= fade
            memory[i] = by_buys, by_sells
        rates = base + memory @ jumps.T
        done = -np.expm1(-decay * to_end)
        born = jumps @ np.array([done[is_buy].sum(), done[is_sell].sum()]) / decay
        likelihood = np.log(rates[is_buy, 0]).sum() + np.log(rates[is_sell, 1]).sum()
        return float(base.sum() * span + born.sum() - likelihood)

    guess = np.log([*(0.6 * counts / span), 0.2, 0.35, 0.06, 0.06, 0.35])
    found = minimize(loss, guess, method="L-BFGS-B", bounds=[(-9.0, 4.0)] * 7)
    base_buy, base_sell, decay, *children = np.exp(found.x).tolist()
    return HawkesFit(
        base_per_sec=(base_buy, base_sell),
        decay_per_sec=decay,
        children=((children[0], children[1]), (children[2], children[3])),
    )


def book_arrays(rows: NDArray[np.void], tick: int, depth: int) -> tuple[Integers, Integers]:
    """Return prices in ticks and sizes of the frames with `depth` levels a side: (n, 2, depth)."""
    levels = rows[rows["kind"] == LEVEL]
    first = np.flatnonzero(levels["flags"] & FIRST)
    last = np.flatnonzero(levels["flags"] & LAST)
    full = first[last - first + 1 == 2 * depth]
    places = full[:, None] + np.arange(2 * depth)
    shape = (len(full), 2, depth)
    return (levels["price"][places] // tick).reshape(shape), levels["size"][places].reshape(shape)


def measure(
    rows: NDArray[np.void], instrument: Instrument, pieces: Pieces, *, with_hawkes: bool = True
) -> dict[str, float]:
    """Measure everything that the comparison shows; names end in units."""
    middle = int(np.median(rows["price"][rows["kind"] == QUOTE]))
    tick = instrument.step_at(middle)
    quotes = extract_quotes(rows, tick, pieces)
    events = extract_events(rows, tick, pieces, quotes)
    secs = sum(end - start for start, end in pieces) / NS
    figures: dict[str, float] = {}
    figures |= _quote_figures(quotes, secs, instrument)
    figures |= _volatility_figures(quotes, pieces)
    figures |= _event_figures(events, quotes, secs, instrument, tick)
    figures |= _impact_figures(events, quotes, pieces)
    if with_hawkes:
        figures |= _hawkes_figures(events, pieces)
    figures |= _depth_figures(rows, tick, secs, instrument)
    return figures


def _quote_figures(quotes: Quotes, secs: float, instrument: Instrument) -> dict[str, float]:
    held, mids = quotes.held_secs, quotes.mids
    spread = quotes.asks - quotes.bids
    moves = np.diff(mids)
    lot = instrument.lot
    return {
        "spread_bps": float((spread / mids * held).sum() / held.sum() * 1e4),
        "spread_ticks": float((spread * held).sum() / held.sum()),
        "one_tick_share": float(held[spread == 1].sum() / held.sum()),
        "quotes_per_sec": len(held) / secs,
        "mid_changes_per_sec": float(np.count_nonzero(moves)) / secs,
        "spread_change_share": float(np.mean(np.diff(spread) != 0)),
        "bid_size": float((quotes.bid_sizes * held).sum() / held.sum() * lot),
        "ask_size": float((quotes.ask_sizes * held).sum() / held.sum() * lot),
    }


def _volatility_figures(quotes: Quotes, pieces: Pieces) -> dict[str, float]:
    figures = {}
    for step in VOLATILITY_SECS:
        moves = returns(quotes, pieces, step)
        figures[f"volatility_{step}s_bps"] = float(np.sqrt((moves**2).mean() / step))
    moves = returns(quotes, pieces, 1)
    square = (moves**2).mean()
    figures["zero_share_1s"] = float(np.mean(moves == 0.0))
    figures["autocorrelation_1s"] = float((moves[1:] * moves[:-1]).mean() / square)
    figures["kurtosis_1s"] = float((moves**4).mean() / square**2)
    figures["bipower_ratio_1s"] = float(
        np.pi / 2.0 * np.abs(moves[1:] * moves[:-1]).mean() / square
    )
    mids, ranges = quotes.mids, []
    half_hour = 1_800_000_000_000
    begin, end = pieces[0][0], pieces[-1][1]
    for start in range(begin, max(end - half_hour, begin) + 1, half_hour):
        part = mids[(quotes.stamps >= start) & (quotes.stamps < start + half_hour)]
        ranges.append((part.max() - part.min()) / part.mean() * 1e4)
    figures["half_hour_range_bps"] = float(np.mean(ranges))
    return figures


def _event_figures(
    events: Events, quotes: Quotes, secs: float, instrument: Instrument, tick: int
) -> dict[str, float]:
    lot, mids = instrument.lot, quotes.mids[events.quote]
    depth = events.reach + (quotes.asks - quotes.bids)[events.quote] / 2.0
    depth = depth[depth >= 0.5]  # the others are on the wrong side of the mid
    bps_per_tick = 1e4 / mids.mean()
    signs = events.sides - events.sides.mean()
    halves = events.sides * (events.means - mids) / mids * 1e4
    worth = events.sizes * events.means
    return {
        "fills_per_sec": float(events.fills.sum()) / secs,
        "events_per_sec": len(events.sides) / secs,
        "fills_per_event": float(events.fills.mean()),
        "buy_share": float(np.mean(events.sides > 0)),
        "sign_autocorrelation": float((signs[1:] * signs[:-1]).mean() / (signs**2).mean()),
        "event_size_mean": float(events.sizes.mean() * lot),
        "event_size_median": float(np.median(events.sizes) * lot),
        "event_usd_mean": float(worth.mean() * lot * tick * instrument.price_unit_usd),
        "sweep_share": float(np.mean(events.reach > 0)),
        "sweep_reach_ticks": float(events.reach[events.reach > 0].mean()),
        "depth_q50_ticks": float(np.quantile(depth, 0.5)),
        "depth_q90_ticks": float(np.quantile(depth, 0.9)),
        "depth_q99_ticks": float(np.quantile(depth, 0.99)),
        "kappa_mle_per_bps": float(1.0 / (depth - 0.5).mean() / bps_per_tick),
        "half_spread_paid_bps": float(halves.mean()),
        "half_spread_paid_by_usd_bps": float((halves * worth).sum() / worth.sum()),
    }


def _impact_figures(events: Events, quotes: Quotes, pieces: Pieces) -> dict[str, float]:
    before = quotes.mids[events.quote]
    paid = events.sides * (events.means - before) / before * 1e4
    worth = events.sizes * events.means
    ends = np.array([end for _, end in pieces])
    end = ends[np.searchsorted(ends, events.stamps, side="left")]
    figures = {}
    for secs in IMPACT_SECS:
        inside = events.stamps + int(secs * NS) <= end
        after = mids_at(quotes, events.stamps + int(secs * NS))
        impact = events.sides * (after - before) / before * 1e4
        kept = paid - impact
        figures[f"impact_{secs}s_bps"] = float(impact[inside].mean())
        if secs >= 1:
            figures[f"kept_{secs}s_bps"] = float(kept[inside].mean())
        if secs == 5:
            shares = worth[inside] / worth[inside].sum()
            figures["kept_5s_by_usd_bps"] = float((kept[inside] * shares).sum())
            is_sweep = events.reach > 0
            figures["touch_impact_5s_bps"] = float(impact[inside & ~is_sweep].mean())
            figures["sweep_impact_5s_bps"] = float(impact[inside & is_sweep].mean())
    return figures


def _hawkes_figures(events: Events, pieces: Pieces) -> dict[str, float]:
    start, end = max(pieces, key=lambda piece: piece[1] - piece[0])
    end = min(end, start + 3_600_000_000_000)
    inside = (events.stamps >= start) & (events.stamps <= end)
    stamps, sides = events.stamps[inside], events.sides[inside]
    fit = fit_hawkes(np.unique(stamps[sides > 0]), np.unique(stamps[sides < 0]), start, end)
    return {
        "hawkes_base_buy_per_sec": fit.base_per_sec[0],
        "hawkes_base_sell_per_sec": fit.base_per_sec[1],
        "hawkes_decay_per_sec": fit.decay_per_sec,
        "hawkes_buy_by_buy": fit.children[0][0],
        "hawkes_buy_by_sell": fit.children[0][1],
        "hawkes_sell_by_buy": fit.children[1][0],
        "hawkes_sell_by_sell": fit.children[1][1],
        "hawkes_spectral_radius": fit.spectral_radius,
    }


def _depth_figures(
    rows: NDArray[np.void], tick: int, secs: float, instrument: Instrument
) -> dict[str, float]:
    prices, sizes = book_arrays(rows, tick, 20)
    behind = np.abs(prices - prices[:, :, :1])
    figures = {"frames_per_sec": len(prices) / secs}
    for level in LEVELS_SHOWN:
        figures[f"level_{level}_size"] = float(sizes[:, :, level].mean() * instrument.lot)
    for level in LEVELS_SHOWN[1:]:
        figures[f"level_{level}_ticks"] = float(behind[:, :, level].mean())
    return figures
