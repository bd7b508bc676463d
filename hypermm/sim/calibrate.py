"""Calibration report: a recording and the synthetic market fitted to it, measured side by side."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from hypermm.errors import ConfigError
from hypermm.recordings import Recording, open_recordings, pieces
from hypermm.sim.fit import fit_preset
from hypermm.sim.market import NS_PER_SEC
from hypermm.sim.measure import extract_events, extract_quotes, measure, mids_at
from hypermm.sim.preset import Preset
from hypermm.sim.synthetic import SyntheticMarket

COMPARE_SECS: Final = 14_400
COMPARE_SEED: Final = 0
REACH_BPS: Final = 5.0
REACH_SECS: Final = 600
REACH_SEEDS: Final = 20
TOLERANCE: Final = 0.25

# Figures that the synthetic market has to match within the tolerance; the others are shown.
HELD: Final = (
    "spread_bps",
    "volatility_10s_bps",
    "events_per_sec",
    "fills_per_event",
    "event_size_mean",
    "level_0_size",
    "level_2_size",
    "level_5_size",
    "level_10_size",
    "level_19_size",
    "quotes_per_sec",
    "frames_per_sec",
)


@frozen
class Reach:
    """How often a quote that stands `REACH_BPS` from the mid is within the market's reach.

    Parameters
    ----------
    both_ways_share : float
        Share of ten-minute runs in which the mid moves by the distance up and down, each counted
        from the lowest or highest mid before.
    both_sides_share : float
        Share of runs in which, on each side, some trade goes beyond the distance from the mid of
        a second before: both quotes of a ladder that is renewed each second would be filled.
    trades_per_run : float
        Mean number of such trades.
    """

    both_ways_share: float
    both_sides_share: float
    trades_per_run: float


@frozen
class Report:
    """The outcome of a calibration."""

    coin: str
    preset: Preset
    recorded: Mapping[str, float]
    synthetic: Mapping[str, float]
    recorded_reach: Reach
    synthetic_reach: Reach

    @property
    def misses(self) -> list[str]:
        """Names of the held figures that are not within the tolerance."""
        return [
            name
            for name in HELD
            if abs(self.synthetic[name] / self.recorded[name] - 1.0) > TOLERANCE
        ]

    def _lines(self) -> list[tuple[str, float, float]]:
        lines = [(name, value, self.synthetic[name]) for name, value in self.recorded.items()]
        for reach in attrs.fields(Reach):
            pair = (
                getattr(self.recorded_reach, reach.name),
                getattr(self.synthetic_reach, reach.name),
            )
            lines.append((f"reach_5bps_{reach.name}", *pair))
        return lines

    @property
    def text(self) -> str:
        """The comparison as aligned columns."""
        rows = [f"{'':32} {'recorded':>12} {'synthetic':>12} {'ratio':>7}"]
        rows += [
            f"{name:32} {_number(left):>12} {_number(right):>12} {_ratio(left, right):>7}"
            for name, left, right in self._lines()
        ]
        return "\n".join([f"{self.coin}", *rows])

    @property
    def markdown(self) -> str:
        """The comparison as a table for the documentation."""
        rows = [f"| {self.coin} | recorded | synthetic | ratio |", "|---|---:|---:|---:|"]
        rows += [
            f"| `{name}` | {_number(left)} | {_number(right)} | {_ratio(left, right)} |"
            for name, left, right in self._lines()
        ]
        return "\n".join(rows)


@frozen
class Calibration:
    """The reports of a recording's coins; prints as the comparison, then the presets."""

    path: str
    reports: Sequence[Report]

    def __str__(self) -> str:
        parts = [report.text for report in self.reports]
        parts += [
            f"{report.coin}: off by more than {TOLERANCE:.0%}: {', '.join(report.misses) or 'none'}"
            for report in self.reports
        ]
        return "\n\n".join([*parts, self.source])

    @property
    def markdown(self) -> str:
        """The comparisons as tables for the documentation."""
        return "\n\n".join(report.markdown for report in self.reports) + "\n"

    @property
    def source(self) -> str:
        """The module `hypermm/sim/presets.py` with these presets."""
        return preset_source([report.preset for report in self.reports], Path(self.path).name)


def calibrate(path: Path | str, coin: str | None = None) -> Calibration:
    """Fit the synthetic market to a recording and compare the two.

    Parameters
    ----------
    path : path
        A recording with book, quotes and trades.
    coin : str, optional
        Only this coin of it.

    Raises
    ------
    RecordingError
        If the recording cannot be read or is too small.
    ConfigError
        If it does not have the coin.

    Notes
    -----
    The same recording gives the same report. About half a minute a coin.
    """
    recordings = open_recordings(path)
    if coin is not None and coin not in recordings:
        raise ConfigError(f"{path}: no coin {coin!r}", hint=f"there are: {', '.join(recordings)}")
    reports = [compare(one) for name, one in recordings.items() if coin in (None, name)]
    return Calibration(str(path), reports)


def compare(recording: Recording) -> Report:
    """Fit a preset to one coin and measure both markets."""
    preset = fit_preset(recording)
    rows, parts = recording.rows.array, list(pieces(recording))
    market = SyntheticMarket(preset, COMPARE_SEED)
    end = COMPARE_SECS * NS_PER_SEC
    made = market.rows_until(end).array
    return Report(
        coin=preset.coin,
        preset=preset,
        recorded=measure(rows, recording.instrument, parts),
        synthetic=measure(made, market.instrument, [(0, end)]),
        recorded_reach=_mean([reach(rows, *window) for window in _windows(parts)]),
        synthetic_reach=synthetic_reach(preset),
    )


def synthetic_reach(preset: Preset, seeds: Sequence[int] = range(REACH_SEEDS)) -> Reach:
    """Measure the reach over ten minutes of each seed."""
    end = REACH_SECS * NS_PER_SEC
    return _mean(
        [reach(SyntheticMarket(preset, seed).rows_until(end).array, 0, end) for seed in seeds]
    )


def reach(rows: NDArray[np.void], start: int, end: int) -> Reach:
    """Measure the reach of one stretch."""
    rows = rows[(rows["exch_ns"] >= start) & (rows["exch_ns"] <= end)]
    quotes = extract_quotes(rows, 1, [(start, end)])
    mids = quotes.mids
    up = mids / np.minimum.accumulate(mids) - 1.0
    down = 1.0 - mids / np.maximum.accumulate(mids)
    moves = min(up.max(), down.max()) * 1e4
    events = extract_events(rows, 1, [(start, end)], quotes)
    is_buy = events.sides > 0
    touch = np.where(is_buy, quotes.asks[events.quote], quotes.bids[events.quote])
    deepest = touch + events.sides * events.reach
    before = mids_at(quotes, events.stamps - NS_PER_SEC)
    beyond = events.sides * (deepest - before) / before * 1e4 >= REACH_BPS
    both = bool((beyond & is_buy).any() and (beyond & ~is_buy).any())
    return Reach(float(moves >= REACH_BPS), float(both), float(np.count_nonzero(beyond)))


def _windows(parts: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    length = REACH_SECS * NS_PER_SEC
    return [
        (start, start + length)
        for begin, end in parts
        for start in range(begin, end - length + 1, length)
    ]


def _mean(found: Sequence[Reach]) -> Reach:
    if not found:
        return Reach(float("nan"), float("nan"), float("nan"))
    return Reach(*np.mean([attrs.astuple(one) for one in found], axis=0).tolist())


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1e5 else f"{value:.0f}"


def _ratio(left: float, right: float) -> str:
    return f"{right / left:.2f}" if left else ""


def preset_source(presets: Sequence[Preset], origin: str) -> str:
    """Write the module that holds the presets, as Python source."""
    lines = [
        '"""Numbers of the synthetic markets. Written by the calibration command, not by hand."""',
        "",
        "from typing import Final",
        "",
        "from hypermm.sim.preset import Preset",
        "",
        "# fmt: off",
        f"# Fitted to the recording {origin}.",
        "PRESETS: Final = {",
    ]
    for preset in presets:
        lines.append(f'    "{preset.coin}": Preset(')
        for name, value in attrs.asdict(preset).items():
            if not isinstance(value, list):
                text = f'"{value}"' if isinstance(value, str) else repr(value)
                lines.append(f"        {name}={text},")
            elif isinstance(value[0], list):
                lines.append(f"        {name}=[")
                for table in value:
                    lines += _table("            [", table, "            ],")
                lines.append("        ],")
            else:
                lines += _table(f"        {name}=[", value, "        ],")
        lines.append("    ),")
    return "\n".join([*lines, "}", ""])


def _table(opening: str, values: Sequence[float], closing: str) -> list[str]:
    """Write a table in lines of up to 96 characters."""
    return [
        opening,
        *textwrap.wrap(
            ", ".join(_short(value) for value in values) + ",",
            width=96,
            initial_indent=" " * 16,
            subsequent_indent=" " * 16,
            break_on_hyphens=False,
        ),
        closing,
    ]


def _short(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(value)
