"""Measure a recorded market: volatility, fill intensity, arrivals, with their errors.

    python examples/recorded_market.py PATH/TO/RECORDING

For each coin of a recording of Hyperliquid (see `hypermm.open_recordings`), over its longest
stretch without an outage: the volatility robust to jumps at several bucket sizes, whether there
were jumps, the decay of fill intensity with distance, and the clustering of aggressive orders.
"""

import sys
from pathlib import Path

import numpy as np
from attrs import frozen

import hypermm
from hypermm._core.rows import QUOTE, SNAPSHOT, TRADE
from hypermm.notebook.hawkes import HawkesFit
from hypermm.recordings import pieces

BUCKETS_PER_MINUTE = (6, 12, 60)
NS = 1e-9
SLACK = 0.01  # half a tick is another number of bps at another price


@frozen
class Measured:
    """What one coin's recording says."""

    volatilities: dict[int, hypermm.Estimate]
    jumps: hypermm.JumpTest
    kappa: hypermm.KappaFit
    arrivals: HawkesFit
    at_touch: float  # share of aggressive orders that stop at the best price


def measure(recording: hypermm.Recording) -> Measured:
    """Measure one coin."""
    rows = recording.rows.array
    start, end = max(pieces(recording), key=lambda piece: piece[1] - piece[0])
    stretch = rows[(rows["exch_ns"] >= start) & (rows["exch_ns"] <= end)]
    trades = stretch[(stretch["kind"] == TRADE) & (stretch["flags"] & SNAPSHOT == 0)]
    secs = (trades["exch_ns"] - trades["exch_ns"][0]) * NS
    minutes = secs[-1] / 60.0
    prices = trades["price"].astype(float)
    volatilities = {}
    for per_minute in BUCKETS_PER_MINUTE:
        bucket = max(int(trades["size"].sum() / minutes / per_minute), 1)
        volatilities[per_minute] = hypermm.volatility(
            secs, prices, trades["size"], bucket_lots=bucket
        )
    bars = hypermm.volume_bars(secs, prices, trades["size"], bucket_lots=bucket)
    event_secs, depths, half_spread = _events(stretch, trades)
    touch = half_spread * (1.0 - SLACK)
    distinct, _ = hypermm.distinct_times(event_secs)
    return Measured(
        volatilities=volatilities,
        jumps=hypermm.jump_test(np.diff(np.log(bars.vwap))),
        kappa=hypermm.fit_kappa(depths[depths >= touch], depth_min=touch),
        arrivals=hypermm.fit_hawkes(distinct, horizon_secs=float(secs[-1])),
        at_touch=float(np.mean(depths <= half_spread * (1.0 + SLACK))),
    )


def _events(stretch: np.ndarray, trades: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return times and depths (bps) of aggressive orders, and half the median spread (bps)."""
    quotes = stretch[stretch["kind"] == QUOTE]
    bids, asks = quotes[quotes["side"] > 0], quotes[quotes["side"] < 0]
    mids = (bids["price"] + asks["price"]) / 2.0
    half_spread = float(np.median((asks["price"] - bids["price"]) / mids)) / 2.0 * 1e4
    stamps, sides = trades["exch_ns"], trades["side"].astype(np.int64)
    is_new = np.ones(len(trades), bool)
    is_new[1:] = (np.diff(stamps) != 0) | (np.diff(sides) != 0)
    starts = np.flatnonzero(is_new)
    worst = np.maximum.reduceat(sides * trades["price"], starts) * sides[starts]
    # A quote with the event's own stamp already shows its effect.
    before = np.searchsorted(bids["exch_ns"], stamps[starts], side="left") - 1
    known = before >= 0
    mid = mids[before[known]]
    depths = sides[starts][known] * (worst[known] - mid) / mid * 1e4
    secs = (stamps[starts][known] - trades["exch_ns"][0]) * NS
    return secs, depths, half_spread


def _shown(estimate: hypermm.Estimate, digits: int = 3) -> str:
    low, high = hypermm.Estimate.interval(estimate)
    return f"{estimate.value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}] {estimate.unit}"


def main() -> int:
    """Print what each coin's recording says; exit status 2 without a recording."""
    if len(sys.argv) != 2:
        print("usage: python examples/recorded_market.py PATH", file=sys.stderr)
        return 2
    for coin, recording in hypermm.open_recordings(Path(sys.argv[1])).items():
        found = measure(recording)
        print(f"\n{coin}: longest stretch without an outage")
        for per_minute, volatility in found.volatilities.items():
            print(f"  volatility, {per_minute:>2} buckets a minute  {_shown(volatility)}")
        print(f"  jumps: RV/BV {found.jumps.ratio:.2f}, z {found.jumps.statistic:.1f}")
        print(f"  kappa beyond half a spread         {_shown(found.kappa)}")
        print(f"  orders that stop at the touch      {found.at_touch:.0%}")
        print(f"  arrivals: branching                {_shown(found.arrivals.branching)}")
        print(f"  arrivals: decay                    {_shown(found.arrivals.decay)}")
        ks = found.arrivals.ks
        print(f"  arrivals: KS distance              {ks.distance:.3f} of {ks.n} events")
    return 0


if __name__ == "__main__":
    sys.exit(main())
