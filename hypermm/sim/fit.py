"""Fit a preset of the synthetic market to a recording.

What can be read off the recording is read off it: sizes, spreads, depth, clustering. The numbers
of the hidden part (news, lag, deep trades, impact, redraw) are found by running the market and
correcting each by the measure that answers to it; the same recording gives the same preset.
"""

from collections.abc import Sequence
from math import sqrt
from typing import Any, Final

import attrs
import numpy as np
from attrs import evolve
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from hypermm._core.rows import QUOTE, TRADE
from hypermm.errors import RecordingError
from hypermm.recordings import Recording, pieces
from hypermm.sim.market import NS_PER_SEC
from hypermm.sim.measure import (
    Events,
    Floats,
    Integers,
    Quotes,
    book_arrays,
    extract_events,
    extract_quotes,
    fit_hawkes,
    measure,
)
from hypermm.sim.preset import Preset
from hypermm.sim.synthetic import SyntheticMarket

MIN_ROWS: Final = 500
BINS: Final = 40
LEVEL_BINS: Final = 20
FILL_BINS: Final = 16
FIT_SECS: Final = 7200.0
FIT_SEED: Final = 20_250_904
ROUNDS: Final = 30
FIRST_STEP: Final = 0.7  # exponent with which a ratio of wanted to found corrects
STEP_FADES: Final = 0.92
MIN_HELD_SECS: Final = 1e-4
MIN_NEWS_PER_SEC: Final = 0.01
DISTANCE_EDGES: Final = (1, 2, 3, 4, 7, 13, 25, 10_000)  # ticks behind the touch, one table each


def bins(
    values: Floats | Integers, count: int = BINS, weights: Floats | None = None
) -> list[float]:
    """Return the means of `count` equally probable parts, smallest first: keeps the mean."""
    order = np.argsort(values, kind="stable")
    values = np.asarray(values, float)[order]
    shares = np.ones(len(values)) if weights is None else weights[order]
    edges = np.concatenate(([0.0], np.cumsum(shares) / shares.sum()))
    sums = np.concatenate(([0.0], np.cumsum(values * shares) / shares.sum()))
    at = np.interp(np.linspace(0.0, 1.0, count + 1), edges, sums)
    return [float(f"{mean:.4g}") for mean in np.diff(at) * count]


def read_preset(recording: Recording) -> Preset:
    """Read off the recording what can be; the hidden part gets a first guess."""
    rows, instrument = recording.rows.array, recording.instrument
    parts = list(pieces(recording))
    secs = sum(end - start for start, end in parts) / NS_PER_SEC
    counts = [int(np.count_nonzero(rows["kind"] == kind)) for kind in (QUOTE, TRADE)]
    if min(counts) < MIN_ROWS:
        raise RecordingError(
            f"{instrument.coin}: {counts[0]} quote rows and {counts[1]} trades are too few to fit "
            f"a market to; expected {MIN_ROWS} of each"
        )
    middle = int(np.median(rows["price"][rows["kind"] == QUOTE]))
    tick = instrument.step_at(middle)
    quotes = extract_quotes(rows, tick, parts)
    events = extract_events(rows, tick, parts, quotes)
    is_sweep = events.reach > 0
    flow = _flow_fields(events, parts)
    depth = _depth_fields(*book_arrays(rows, tick, 20))
    frames = depth.pop("frames")
    return Preset(
        coin=instrument.coin,
        size_decimals=instrument.size_decimals,
        start_price=middle - middle % tick,
        max_leverage=instrument.max_leverage,
        quotes_per_sec=len(quotes.stamps) / secs - len(events.sides) / secs,
        frame_secs=secs / frames,
        hawkes_base_per_sec=0.5 * len(events.sides) / secs * (1.0 - sum(flow[:2])),
        hawkes_self=flow[0],
        hawkes_cross=flow[1],
        hawkes_decay_per_sec=flow[2],
        news_per_sec=0.1,
        news_ticks=5.0,
        lag_secs=1.0,
        informed_reach=0.4,
        deep_share=0.5 * float(np.mean(is_sweep)),
        deep_reach_ticks=bins(events.reach[is_sweep]),
        deep_impact_ticks=2.0,
        sweep_size_order=max(
            0.0, _rank_correlation(events.sizes[is_sweep], events.reach[is_sweep])
        ),
        impact_ticks=0.0,
        touch_sizes_lots=bins(events.sizes[~is_sweep]),
        sweep_sizes_lots=bins(events.sizes[is_sweep]),
        touch_fills=_fills_by_size(events, ~is_sweep),
        sweep_fills=_fills_by_size(events, is_sweep),
        **_spread_fields(quotes),
        spread_redraw=0.2,
        **_quote_size_fields(quotes),
        **depth,
        volume_lots_per_sec=float(events.sizes.sum()) / secs,
    )


def _flow_fields(events: Events, parts: Sequence[tuple[int, int]]) -> tuple[float, float, float]:
    start, end = max(parts, key=lambda part: part[1] - part[0])
    inside = (events.stamps >= start) & (events.stamps <= end)
    stamps, sides = events.stamps[inside], events.sides[inside]
    fit = fit_hawkes(np.unique(stamps[sides > 0]), np.unique(stamps[sides < 0]), start, end)
    (buy_buy, buy_sell), (sell_buy, sell_sell) = fit.children
    # The two sides are made alike: a recording's half hour has a direction, a market has none.
    return (buy_buy + sell_sell) / 2.0, (buy_sell + sell_buy) / 2.0, fit.decay_per_sec


def _rank_correlation(x: Integers, y: Integers) -> float:
    return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])


def _fills_by_size(events: Events, which: NDArray[np.bool_]) -> list[float]:
    """Mean fills of events in equally probable bins of size."""
    sizes, fills = events.sizes[which], events.fills[which]
    parts = np.array_split(fills[np.argsort(sizes, kind="stable")], FILL_BINS)
    return [float(f"{part.mean():.4g}") for part in parts]


def _spread_fields(quotes: Quotes) -> dict[str, Any]:
    spreads = quotes.asks - quotes.bids
    held = np.maximum(quotes.held_secs, MIN_HELD_SECS)
    has_moved = np.diff(quotes.mids, prepend=quotes.mids[0]) != 0
    return {
        "calm_spreads_ticks": bins(spreads[~has_moved], weights=held[~has_moved]),
        "moving_spreads_ticks": bins(spreads[has_moved]),
    }


def _scores(values: Floats | Integers) -> Floats:
    """Return normal scores: the value that a standard normal has at the same rank."""
    return np.asarray(ndtri((rankdata(values) - 0.5) / len(values)))


def _quote_size_fields(quotes: Quotes) -> dict[str, Any]:
    stays, follows, fresh = [], [], []
    for prices, sizes in ((quotes.bids, quotes.bid_sizes), (quotes.asks, quotes.ask_sizes)):
        scores = _scores(sizes)
        same = np.diff(prices) == 0
        stays.append(scores[:-1][same])
        follows.append(scores[1:][same])
        fresh.append(scores[1:][~same])
    before, after = np.concatenate(stays), np.concatenate(follows)
    memory = float((before * after).mean() / (before**2).mean())
    both = np.concatenate((quotes.bid_sizes, quotes.ask_sizes))
    held = np.tile(np.maximum(quotes.held_secs, MIN_HELD_SECS), 2)
    return {
        "quote_sizes_lots": bins(both, weights=held),
        # A change of the touch changes one of the two sizes.
        "quote_memory": max(0.0, 2.0 * memory - 1.0),
        "quote_fresh": float(np.concatenate(fresh).mean()),
    }


def _depth_fields(prices: Integers, sizes: Integers) -> dict[str, Any]:
    behind = np.abs(prices - prices[:, :, :1])
    farthest = behind[:, :, -1].ravel()
    occupancy: list[float] = []
    while sum(occupancy) < 32.0:
        distance = len(occupancy) + 1
        seen = farthest >= distance
        if seen.mean() > 0.02:
            share = np.count_nonzero(behind == distance) / np.count_nonzero(seen)
            occupancy.append(float(f"{share:.4g}"))
        else:
            occupancy.append(occupancy[-1])
    tables: list[list[float]] = []
    label = np.digitize(behind, DISTANCE_EDGES) - 1
    for i in range(len(DISTANCE_EDGES) - 1):
        found = sizes[label == i]
        tables.append(bins(found, LEVEL_BINS) if len(found) >= LEVEL_BINS else tables[-1])
    classes = [int(np.digitize(i + 1, DISTANCE_EDGES)) - 1 for i in range(len(occupancy))]
    return {
        "frames": len(prices),
        "level_occupancy": occupancy,
        "level_sizes_lots": tables,
        "level_class": classes,
        **_level_memory(prices, sizes, label, float(np.mean(occupancy[:20]))),
    }


def _level_memory(
    prices: Integers, sizes: Integers, label: Integers, occupancy: float
) -> dict[str, float]:
    """How the levels behind the touch change from one frame to the next."""
    scores = np.zeros(sizes.shape)
    for i in range(1, len(DISTANCE_EDGES)):
        of_class = label == i - 1
        if of_class.any():
            scores[of_class] = _scores(sizes[of_class])
    gone = kept = total = 0
    before: list[Floats] = []
    after: list[Floats] = []
    for side, direction in ((0, -1), (1, 1)):
        for i in range(len(prices) - 1):
            old, new = prices[i, side], prices[i + 1, side]
            visible = (direction * old <= direction * new[-1]) & (
                direction * old > direction * new[0]
            )
            visible[0] = False
            places = np.searchsorted(direction * new, direction * old[visible])
            found = new[places] == old[visible]
            mine, theirs = np.flatnonzero(visible)[found], places[found]
            same = sizes[i, side, mine] == sizes[i + 1, side, theirs]
            total += len(found)
            gone += int(np.count_nonzero(~found))
            kept += int(np.count_nonzero(same))
            before.append(scores[i, side, mine[~same]])
            after.append(scores[i + 1, side, theirs[~same]])
    x, y = np.concatenate(before), np.concatenate(after)
    memory = float((x * y).mean() / (x**2).mean())
    return {
        "level_keeps": kept / max(total - gone, 1),
        "level_memory": min(max(memory, 0.0), 0.99),
        # A level that is drawn anew is empty with the probability of an empty one.
        "level_vanishes": min(0.9, gone / total / max(1.0 - occupancy, 0.01)),
    }


def fit_preset(recording: Recording, secs: float = FIT_SECS, rounds: int = ROUNDS) -> Preset:
    """Fit the hidden part: run the market, correct each number by the measure it answers to.

    The steps shrink from round to round, because each round has a seed of its own: a fit to one
    seed would be a fit to its noise.
    """
    preset = read_preset(recording)
    parts = list(pieces(recording))
    rows, instrument = recording.rows.array, recording.instrument
    wanted = measure(rows, instrument, parts, with_hawkes=False)
    end = int(secs * NS_PER_SEC)
    for i in range(rounds):
        market = SyntheticMarket(preset, FIT_SEED + i)
        made = market.rows_until(end).array
        found = measure(made, market.instrument, [(0, end)], with_hawkes=False)
        preset = _corrected(preset, wanted, found, FIRST_STEP * STEP_FADES**i)
    return rounded(preset)


def rounded(preset: Preset) -> Preset:
    """Return the preset with numbers of four digits: more would be noise."""

    def short(value: Any) -> Any:
        if isinstance(value, float):
            return float(f"{value:.4g}")
        return [short(item) for item in value] if isinstance(value, list) else value

    return Preset(**{name: short(value) for name, value in attrs.asdict(preset).items()})


def _corrected(
    preset: Preset, wanted: dict[str, float], found: dict[str, float], power: float
) -> Preset:
    def ratio(name: str, exponent: float = 1.0) -> float:
        """Return wanted over found, tempered so that noise and coupling do not swing it."""
        value = wanted[name] / max(found[name], 1e-9)
        return float(min(max(value, 0.2), 5.0) ** (exponent * power))

    bps_per_tick = wanted["spread_bps"] / wanted["spread_ticks"]
    # Rarer news: larger jumps (kurtosis) and fewer changes of the mid.
    rate = (min(found["kurtosis_1s"], 100.0) - 3.0) / (wanted["kurtosis_1s"] - 3.0)
    rate *= wanted["mid_changes_per_sec"] / found["mid_changes_per_sec"]
    rate = min(max(rate, 0.3), 3.0) ** (0.5 * power)
    smoothness = (found["volatility_1s_bps"] / found["volatility_10s_bps"]) / (
        wanted["volatility_1s_bps"] / wanted["volatility_10s_bps"]
    )
    # Where news hardly moves the price any more, volatility has the last word on deep trades.
    variance = (wanted["volatility_10s_bps"] / bps_per_tick) ** 2
    by_news = min(1.0, 4.0 * 1.5 * preset.news_per_sec * preset.news_ticks**2 / variance)
    impact = wanted["touch_impact_5s_bps"] - found["touch_impact_5s_bps"]
    children = preset.hawkes_self + preset.hawkes_cross
    missing = wanted["events_per_sec"] - found["events_per_sec"]
    base = preset.hawkes_base_per_sec + power * missing * (1.0 - children) / 2.0
    sizes = (wanted["bid_size"] + wanted["ask_size"]) / (found["bid_size"] + found["ask_size"])
    excess = (wanted["spread_ticks"] - 1.0) / max(found["spread_ticks"] - 1.0, 1e-3)
    return evolve(
        preset,
        news_per_sec=max(preset.news_per_sec * rate, MIN_NEWS_PER_SEC),
        news_ticks=preset.news_ticks * ratio("volatility_10s_bps") / sqrt(rate),
        lag_secs=min(max(preset.lag_secs * smoothness ** (2.0 * power), 0.05), 10.0),
        informed_reach=min(preset.informed_reach * ratio("sweep_reach_ticks"), 1.0),
        deep_share=min(preset.deep_share * ratio("sweep_share"), wanted["sweep_share"]),
        deep_impact_ticks=preset.deep_impact_ticks
        * ratio("sweep_impact_5s_bps", by_news)
        * ratio("volatility_10s_bps", 1.0 - by_news),
        impact_ticks=preset.impact_ticks + power * impact / bps_per_tick,
        spread_redraw=min(preset.spread_redraw * ratio("spread_change_share"), 0.95),
        moving_spreads_ticks=[1.0 + (x - 1.0) * excess**power for x in preset.moving_spreads_ticks],
        quotes_per_sec=preset.quotes_per_sec * ratio("quotes_per_sec"),
        hawkes_base_per_sec=max(base, 0.01),
        quote_sizes_lots=[size * sizes**power for size in preset.quote_sizes_lots],
    )
