"""What a backtest shows: figures, arrays, and a profit split whose parts sum to what is there."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from attrs import asdict, field, frozen
from numpy.typing import NDArray

from hypermm.backtesting.recorder import Quoted
from hypermm.engine import Mode
from hypermm.messages import Side
from hypermm.notebook.adverse_selection import HORIZONS_SECS, MarkoutSummary, measure_markouts
from hypermm.notebook.profit import ProfitSplit, split_profit

SPLIT_HORIZON_SECS: Final = 5.0  # shown first; the others stand beside it
JUST_BEFORE_SECS: Final = 1e-9  # the mid that counts at a fill is the one before it
WARNINGS_SHOWN: Final = 20
Table = NDArray[np.void]


@frozen(kw_only=True)
class Assumptions:
    """What the run takes for granted, to be read before its profit."""

    queue: str
    latency: str
    fees: str
    gaps: str
    notes: tuple[str, ...]


@frozen(kw_only=True)
class Result:
    """What a backtest shows.

    Parameters
    ----------
    digest : str
        Hash of all that went into the engine and came out: the same market, configuration and
        seed give the same one.
    coin, venue : str
        What was traded, and where it was recorded.
    assumptions : Assumptions
        The models that stand between this run and a live one.
    start_ns, virtual_secs : int, float
        Market time of the start (since 1970), and how long the run was.
    fills : structured array
        secs, side, price, size, fee_usd, mid_before, position (after it), is_taker; times in
        seconds since the start, sizes in base units, money in USD.
    market, quotes : structured arrays
        secs, bid, ask: the touch without our orders, and our own best ones (NaN: none), each from
        the given time on.
    samples : structured array
        secs, and what the engine had estimated then; equity_usd at the mid.
    splits : mapping of float to ProfitSplit
        By horizon in seconds.
    markouts : tuple of MarkoutSummary
        By horizon, with errors that know that fills cluster.
    quoted : mapping of Side to Quoted
        Time with an order in the book, and why there was none.
    pnl_usd : float
        By the exchange's own books: cash and position at the mid, less what it began with.
    residual_usd : float
        That, less the sum of the split: rounding, and zero.
    settings : mapping
        Every setting of the run.
    """

    digest: str
    seed: int
    coin: str
    venue: str
    assumptions: Assumptions
    start_ns: int
    virtual_secs: float
    wall_secs: float = field(eq=False)
    steps: int
    blocks: int
    rows: int
    orders: int
    cancels: int
    refusals: Mapping[str, int]  # by the exchange's text, without its figures
    denials: Mapping[str, int]  # by gate or budget
    position: int
    position_max: int  # largest absolute position at any moment, lots
    position_limit: int
    lot: float  # in base units
    pnl_usd: float
    residual_usd: float
    funded_usd: float
    first_quote_secs: float | None
    two_sided_secs: float | None
    two_sided_fraction: float  # of the time since then
    floor_fraction: float  # of that, with a quote that `min_depth_bps` holds where it is
    mode: Mode
    end_reason: str  # why the engine ended before the market did; empty if it did not
    warnings: tuple[str, ...]
    dropped: Mapping[str, int]
    outages: tuple[tuple[float, float], ...]  # of the recording, seconds since the start
    splits: Mapping[float, ProfitSplit]
    quoted: Mapping[Side, Quoted]
    settings: Mapping[str, Any] = field(repr=False)
    markouts: tuple[MarkoutSummary, ...] = field(eq=False)  # NaN where there is no fill
    fills: Table = field(eq=False, repr=False)
    market: Table = field(eq=False, repr=False)
    quotes: Table = field(eq=False, repr=False)
    samples: Table = field(eq=False, repr=False)

    @property
    def speedup(self) -> float:
        """Virtual seconds in one second of the wall clock."""
        return self.virtual_secs / max(self.wall_secs, 1e-9)

    @property
    def split(self) -> ProfitSplit:
        """The profit, what the mid did in the 5 s after a fill counted as adverse."""
        return self.splits[SPLIT_HORIZON_SECS]

    @property
    def position_limit_base(self) -> float:
        """Limit of the position in base units; 0 where it was never settled."""
        return self.position_limit * self.lot

    @property
    def volume_usd(self) -> float:
        """Traded."""
        return self.split.turnover

    @property
    def taker_fills(self) -> int:
        """Fills in which we took: quotes are post-only, so none."""
        return int(np.count_nonzero(self.fills["is_taker"]))

    @property
    def buys(self) -> int:
        """Fills in which we bought."""
        return int(np.count_nonzero(self.fills["side"] > 0))

    @property
    def sells(self) -> int:
        """Fills in which we sold."""
        return int(np.count_nonzero(self.fills["side"] < 0))

    @property
    def max_drawdown_usd(self) -> float:
        """Largest fall of the equity from its peak, at the samples."""
        equity = self.samples["equity_usd"]
        equity = equity[np.isfinite(equity)]
        return float((np.maximum.accumulate(equity) - equity).max(initial=0.0))

    @property
    def pnl_bps(self) -> float:
        """Profit in bps of the volume; 0 without a fill."""
        return 1e4 * self.pnl_usd / self.volume_usd if self.volume_usd > 0.0 else 0.0

    def profit_path(self, secs: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Return the parts of the profit up to each time, in USD, as `split` names them."""
        fills, times, mids = self.fills, self.market["secs"], _mids(self.market)
        at = fills["secs"] - JUST_BEFORE_SECS
        signed = fills["side"] * fills["size"]

        def mid_at(when: NDArray[np.float64]) -> NDArray[np.float64]:
            place = np.maximum(np.searchsorted(times, when, side="right") - 1, 0)
            return np.asarray(mids[place])

        parts = {name: np.zeros(len(secs)) for name in ("spread", "adverse", "inventory", "fees")}
        now_mids = mid_at(secs)
        for fill, (when, size, before) in enumerate(zip(at, signed, mid_at(at), strict=True)):
            since = secs >= fills["secs"][fill]
            later = mid_at(np.minimum(when + SPLIT_HORIZON_SECS, secs[since]))
            parts["spread"][since] += size * (before - fills["price"][fill])
            parts["adverse"][since] += size * (later - before)
            parts["inventory"][since] += size * (now_mids[since] - later)
            parts["fees"][since] -= fills["fee_usd"][fill]
        return parts

    def to_dict(self) -> dict[str, Any]:
        """Return everything that JSON can hold; numbers that are none become null."""
        plain = asdict(
            self,
            filter=lambda attribute, _: (
                attribute.name
                not in ("fills", "market", "quotes", "samples", "splits", "quoted", "mode")
            ),
        )
        plain["mode"] = self.mode.name
        plain["splits"] = {f"{horizon:g}": asdict(one) for horizon, one in self.splits.items()}
        plain["quoted"] = {
            side.name.lower(): asdict(one) | {"fraction": one.fraction}
            for side, one in self.quoted.items()
        }
        plain["fills"] = [
            dict(zip(self.fills.dtype.names or (), row, strict=True)) for row in self.fills.tolist()
        ]
        plain["speedup"] = self.speedup
        found: dict[str, Any] = _plain(plain)
        return found

    def __str__(self) -> str:
        """Print the figures, one a line; what they rest on comes first."""
        return "\n".join(f"{name:<14}{text}" for name, text in self._lines())

    def _lines(self) -> list[tuple[str, str]]:
        pace = f"{self.virtual_secs:.0f} s in {self.wall_secs:.2f} s ({self.speedup:.0f}x)"
        split, took = self.split, self.assumptions
        bid, ask = (self.quoted[side] for side in (Side.BUY, Side.SELL))
        lines = [
            ("market", f"{self.coin}, {self.venue}"),
            ("queue model", took.queue),
            ("latency", took.latency),
            ("fees", took.fees),
            ("gaps", took.gaps),
            *(("assumed", note) for note in took.notes),
            ("digest", self.digest),
            ("time", f"{pace}, {self.steps} steps, {self.rows} rows"),
            ("first quote", f"{self.first_quote_secs} s, on both sides {self.two_sided_secs} s"),
            ("two-sided", f"{self.two_sided_fraction:.1%} of the time since then"),
            ("floor", f"min_depth_bps binds in {self.floor_fraction:.1%} of that time"),
            ("bid quoted", _quoted(bid)),
            ("ask quoted", _quoted(ask)),
            ("actions", f"{self.orders} orders, {self.cancels} cancels"),
            ("refused", _listed(self.refusals)),
            ("denied", _listed(self.denials)),
            ("fills", f"{self.buys} buys, {self.sells} sells, {self.taker_fills} as taker"),
            ("volume", f"{self.volume_usd:.0f} USD"),
            ("position", f"{self.position} lots, at most {self.position_max}"),
            ("limit", f"{self.position_limit} lots"),
            ("P&L", f"{self.pnl_usd:+.4f} USD, {self.pnl_bps:+.2f} bps of the volume"),
            ("  spread", f"{split.spread:+.4f}"),
            ("  adverse", f"{split.adverse:+.4f} in {SPLIT_HORIZON_SECS:g} s after the fills"),
            ("  inventory", f"{split.inventory:+.4f}"),
            ("  fees", f"{split.fees:+.4f}"),
            ("  funding", f"{split.funding:+.4f}"),
            ("  residual", f"{self.residual_usd:+.1e}"),
            ("drawdown", f"{self.max_drawdown_usd:.4f} USD"),
        ]
        lines += [
            (f"after {one.horizon_secs:g} s", _markout(one))
            for one in self.markouts
            if one.markout.n
        ]
        lines += [("mode", self.mode.name + (f": {self.end_reason}" if self.end_reason else ""))]
        lines += [("warning", text) for text in self.warnings[:WARNINGS_SHOWN]]
        hidden = len(self.warnings) - WARNINGS_SHOWN
        return lines + ([("warning", f"and {hidden} more")] if hidden > 0 else [])


def split_profits(
    market: Table, fills: Table, funding_paid: list[float], end_secs: float
) -> dict[float, ProfitSplit]:
    """Split the profit at every horizon; `market` has at least one row."""
    secs, mids = market["secs"], _mids(market)
    if secs[-1] < end_secs:
        secs, mids = np.append(secs, end_secs), np.append(mids, mids[-1])
    return {
        horizon: split_profit(
            secs,
            mids,
            fills["secs"] - JUST_BEFORE_SECS,
            fills["side"] * fills["size"],
            fills["price"],
            fills["fee_usd"],
            horizon_secs=horizon,
            funding_paid=funding_paid,
        )
        for horizon in HORIZONS_SECS
    }


def markouts_of(market: Table, fills: Table) -> tuple[MarkoutSummary, ...]:
    """Measure the markouts of a run's fills."""
    return measure_markouts(
        market["secs"],
        _mids(market),
        fills["secs"],
        fills["side"].astype(float),
        fills["price"],
        fills["size"],
        is_before_ties=True,
    )


def _mids(market: Table) -> NDArray[np.float64]:
    return np.asarray(0.5 * (market["bid"] + market["ask"]))


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} x {text}" for text, count in counts.items()) or "none"


def _quoted(one: Quoted) -> str:
    rest = ", ".join(f"{secs:.1f} s {reason}" for reason, secs in one.reasons.items())
    return f"{one.fraction:.1%} of {one.total_secs:.0f} s; not: {rest or 'never'}"


def _markout(one: MarkoutSummary) -> str:
    low, high = one.markout.interval()
    return (
        f"{one.markout.value:+.3f} bps against us ({low:+.3f} to {high:+.3f}, n "
        f"{one.markout.n:.0f}), of {one.capture_bps:+.3f} captured {one.edge_bps:+.3f} kept"
    )


def _plain(value: Any) -> Any:
    """Turn numpy numbers, keys and NaN into what JSON knows."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
