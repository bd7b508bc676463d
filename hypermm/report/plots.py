"""The plots of a report, each an SVG that stands alone. The only place that knows matplotlib."""

import io
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hypermm.backtesting import Result
from hypermm.errors import ConfigError
from hypermm.messages import Side

SIZE_INCHES: Final = (5.6, 3.1)
POINTS: Final = 1_500  # of a line: more than a page has pixels
INK, PALE, RULE = "#1c2733", "#8a97a5", "#dfe5ea"
BUY, SELL, MARKET, OURS = "#1f7a5c", "#c2452d", "#44546a", "#3567b0"
PARTS: Final = {
    "spread": ("spread captured", "#1f7a5c"),
    "adverse": ("adverse selection, 5 s", "#c2452d"),
    "inventory": ("inventory", "#3567b0"),
    "fees": ("fees", "#b7791f"),
    "total": ("total, before funding", INK),
}
REASON_COLORS: Final = ("#f0c36d", "#d98a6a", "#a6b1bd", "#c9a9d6", "#8fb8c9", "#d7dce1")
STYLE: Final = {
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 9,
    "axes.edgecolor": PALE, "axes.labelcolor": INK, "axes.linewidth": 0.8,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.color": RULE, "grid.linewidth": 0.7, "text.color": INK,
    "xtick.color": INK, "ytick.color": INK, "xtick.labelsize": 8.5, "ytick.labelsize": 8.5,
    "legend.frameon": False, "legend.fontsize": 8, "lines.linewidth": 1.2,
    "svg.fonttype": "none", "svg.hashsalt": "hypermm", "axes.formatter.useoffset": False,
    "figure.constrained_layout.use": True,
}  # fmt: skip
Floats = NDArray[np.float64]


def need_matplotlib() -> Any:
    """Return matplotlib's figure module; ConfigError with the next step where it is missing."""
    try:
        import matplotlib as mpl
        from matplotlib import figure
    except ImportError as error:
        raise ConfigError(
            "a report needs matplotlib, which is not installed",
            hint="pip install 'hypermm[research]', or leave --out away",
        ) from error
    return mpl, figure


def draw(plot: Callable[[Any, Result], None], result: Result) -> str:
    """Return a plot as SVG text, sized by the page around it."""
    mpl, figure = need_matplotlib()
    with mpl.rc_context(STYLE):
        canvas = figure.Figure(figsize=SIZE_INCHES)
        plot(canvas.add_subplot(), result)
        text = io.StringIO()
        canvas.savefig(text, format="svg", metadata={"Date": None}, transparent=True)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    return re.sub(r' (width|height)="[0-9.]+pt"', "", svg, count=2)


def clock(result: Result, secs: float) -> str:
    """Print a time of the run as UTC."""
    return datetime.fromtimestamp(result.start_ns / 1e9 + secs, UTC).strftime("%H:%M:%S")


def _minutes(axes: Any, result: Result) -> None:
    axes.set_xlabel(f"minutes since {clock(result, 0.0)} UTC")
    axes.margins(x=0.01)


def _grid(result: Result, points: int = POINTS) -> Floats:
    return np.linspace(0.0, result.virtual_secs, points)


def _last(table: NDArray[np.void], name: str, secs: Floats) -> Floats:
    """Return the value of a step path at each time, NaN before its first."""
    place = np.searchsorted(table["secs"], secs, side="right") - 1
    return np.where(place >= 0, table[name][np.maximum(place, 0)] if len(table) else np.nan, np.nan)


def _legend(axes: Any, columns: int = 3, lines: Any = None) -> None:
    axes.legend(
        handles=lines,
        loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, borderaxespad=0.2,
        handlelength=1.2, columnspacing=1.2,
    )  # fmt: skip


def _fills(axes: Any, result: Result, *, since: float = 0.0, until: float = np.inf) -> None:
    fills = result.fills[(result.fills["secs"] >= since) & (result.fills["secs"] <= until)]
    for side, marker, color, name in ((1, "^", BUY, "bought"), (-1, "v", SELL, "sold")):
        ours = fills[fills["side"] == side]
        axes.scatter(
            ours["secs"] / 60, ours["price"], marker=marker, s=22, color=color, zorder=3,
            linewidths=0.4, edgecolors="white", label=name,
        )  # fmt: skip


def price(axes: Any, result: Result) -> None:
    """Draw the market's mid, our best quotes and our fills, over the whole run."""
    secs = _grid(result)
    for name, label in (("bid", "our best bid and ask"), ("ask", None)):
        axes.plot(secs / 60, _last(result.quotes, name, secs), color=OURS, lw=0.6, alpha=0.7,
                  label=label)  # fmt: skip
    mid = 0.5 * (_last(result.market, "bid", secs) + _last(result.market, "ask", secs))
    axes.plot(secs / 60, mid, color=INK, lw=1.0, label="mid")
    _fills(axes, result)
    axes.set_ylabel("USD")
    _minutes(axes, result)
    _legend(axes, 4)


def close_up(axes: Any, result: Result) -> None:
    """Draw three minutes around the run's busiest moment, step by step."""
    middle = result.virtual_secs / 2
    if len(result.fills):
        times = result.fills["secs"]
        near = np.searchsorted(times, times + 120.0) - np.arange(len(times))
        middle = times[int(near.argmax())] + 60.0
    since, until = max(middle - 90.0, 0.0), min(middle + 90.0, result.virtual_secs)
    secs = np.linspace(since, until, POINTS)
    market = [_last(result.market, name, secs) for name in ("bid", "ask")]
    axes.fill_between(secs / 60, *market, step="post", color=MARKET, alpha=0.6, lw=0,
                      label="market's spread")  # fmt: skip
    for name, label in (("bid", "our best bid and ask"), ("ask", None)):
        axes.step(secs / 60, _last(result.quotes, name, secs), where="post", color=OURS, lw=1.0,
                  label=label)  # fmt: skip
    _fills(axes, result, since=since, until=until)
    axes.set_ylabel("USD")
    _minutes(axes, result)
    _legend(axes, 4)


def inventory(axes: Any, result: Result) -> None:
    """Draw the position from fill to fill, and its limit."""
    fills = result.fills
    secs = np.concatenate(([0.0], fills["secs"], [result.virtual_secs])) / 60
    held = np.concatenate(
        ([0.0], fills["position"], fills["position"][-1:] if len(fills) else [0.0])
    )
    axes.fill_between(secs, held, step="post", where=held >= 0, color=BUY, alpha=0.25, lw=0)
    axes.fill_between(secs, held, step="post", where=held <= 0, color=SELL, alpha=0.25, lw=0)
    axes.step(secs, held, where="post", color=INK, lw=1.0)
    limit = result.position_limit_base
    most = np.abs(held).max()
    if limit and most > 0.4 * limit:
        for level in (limit, -limit):
            axes.axhline(level, color=SELL, lw=0.9, ls=(0, (4, 3)))
        axes.set_title(f"limit {limit:g}", loc="left", fontsize=8, color=PALE)
    else:
        share = f"at most {most / limit:.0%} of the limit of {limit:g}" if limit else ""
        axes.set_title(share, loc="left", fontsize=8, color=PALE)
    axes.set_ylabel(f"{result.coin}")
    _minutes(axes, result)


def profit(axes: Any, result: Result) -> None:
    """Draw where the profit came from, summed up as the run went on."""
    secs = _grid(result, 600)
    parts = result.profit_path(secs)
    parts["total"] = np.sum(list(parts.values()), axis=0)
    for name, (label, color) in PARTS.items():
        axes.plot(secs / 60, parts[name], color=color, lw=2.0 if name == "total" else 1.1,
                  label=label)  # fmt: skip
    axes.axhline(0.0, color=PALE, lw=0.8)
    axes.set_ylabel("USD")
    _minutes(axes, result)
    _legend(axes)


def markout(axes: Any, result: Result) -> None:
    """Draw what is kept of a fill after each horizon, with its 95 % interval."""
    known = [one for one in result.markouts if one.markout.n]
    if not known:
        _nothing(axes, "no fill")
        return
    place = np.arange(len(known))
    edge = np.array([one.edge_bps for one in known])
    error = 1.96 * np.array([one.markout.standard_error for one in known])
    capture = known[0].capture_bps
    axes.axhline(0.0, color=PALE, lw=0.8)
    axes.axhline(capture, color=BUY, lw=1.0, ls=(0, (4, 3)), label="captured at the fill")
    axes.fill_between(place, edge - error, edge + error, color=OURS, alpha=0.15, lw=0,
                      label="95 % interval")  # fmt: skip
    axes.plot(place, edge, color=OURS, marker="o", ms=4, label="kept after the horizon")
    axes.set_xticks(place, [f"{one.horizon_secs:g} s" for one in known])
    axes.set_xlabel(
        f"time after the fill, n = {known[0].markout.n:.0f} to {known[-1].markout.n:.0f}"
    )
    axes.set_ylabel("bps of the mid, before fees")
    axes.set_xlim(-0.3, len(known) - 0.7)
    _legend(axes)


def spreads(axes: Any, result: Result) -> None:
    """Draw the market's spread and ours, each the median of a three-hundredth of the run."""
    secs = _grid(result, 300 * 9)
    for table, label, color in (
        (result.quotes, "between our best quotes", OURS),
        (result.market, "the market's spread", MARKET),
    ):
        bid, ask = _last(table, "bid", secs), _last(table, "ask", secs)
        wide = np.sort((2e4 * (ask - bid) / (ask + bid)).reshape(300, 9))[:, 4]
        axes.plot(secs[4::9] / 60, np.where(wide > 0.0, wide, np.nan), color=color, label=label)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else "")
    axes.set_ylabel("bps, on a log scale")
    _minutes(axes, result)
    _legend(axes)


def estimates(axes: Any, result: Result) -> None:
    """Draw volatility and the decay of fill intensity, as the engine had them."""
    samples = result.samples
    axes.plot(samples["secs"] / 60, samples["volatility"], color=INK, label="volatility, left")
    axes.set_ylabel("bps per root second")
    _from_nothing(axes, samples["volatility"])
    right = axes.twinx()
    right.plot(
        samples["secs"] / 60, samples["kappa_per_bps"], color="#b7791f", label="kappa, right"
    )
    right.set_ylabel("1/bps", color="#b7791f")
    _from_nothing(right, samples["kappa_per_bps"])
    right.grid(visible=False)
    right.spines["right"].set_visible(True)
    lines = axes.get_lines() + right.get_lines()
    _legend(axes, lines=lines)
    _minutes(axes, result)


def risk(axes: Any, result: Result) -> None:
    """Draw what raised gamma, and how rare the flow was."""
    secs, samples = result.samples["secs"] / 60, result.samples
    gamma = result.settings["trading"]["risk_aversion"]
    axes.step(
        secs, gamma * samples["risk_multiplier"], where="post", color=INK, label="gamma, left"
    )
    axes.set_ylabel("gamma, its factors included")
    axes.set_ylim(0.0, 1.15 * gamma * max(samples["risk_multiplier"].max(initial=1.0), 1.0))
    right = axes.twinx()
    right.plot(
        secs, samples["severity"], color=SELL, lw=0.8, alpha=0.7, label="cascade severity, right"
    )
    right.set_ylim(0.0, 1.0)
    right.grid(visible=False)
    right.spines["right"].set_visible(True)
    _minutes(axes, result)
    _legend(axes, lines=axes.get_lines() + right.get_lines())


def kept(axes: Any, result: Result) -> None:
    """Draw how the fills spread around what the mean one keeps after five seconds."""
    fills, times = result.fills, result.market["secs"]
    mids = 0.5 * (result.market["bid"] + result.market["ask"])
    known = fills[fills["secs"] + 5.0 <= result.virtual_secs]
    if not len(known):
        _nothing(axes, "no fill")
        return
    later = mids[np.maximum(np.searchsorted(times, known["secs"] + 5.0, side="right") - 1, 0)]
    edge = 1e4 * known["side"] * (later - known["price"]) / known["mid_before"]
    low, high = np.quantile(edge, [0.01, 0.99])
    reach = max(abs(low), abs(high), 0.1)
    bins = np.linspace(-reach, reach, 41)
    counts, _, bars = axes.hist(np.clip(edge, -reach, reach), bins=bins, color=BUY)
    for left, bar in zip(bins, bars, strict=False):
        bar.set_facecolor(SELL if left < -1e-9 else BUY)
    axes.axvline(edge.mean(), color=INK, lw=1.2, label=f"mean {edge.mean():+.2f} bps")
    axes.set_xlabel("bps of the mid, 5 s after the fill, before fees")
    axes.set_ylabel("fills")
    axes.set_ylim(0.0, 1.15 * counts.max())
    _legend(axes)


def _from_nothing(axes: Any, values: Floats) -> None:
    """Let an axis begin at 0, and leave out what only the first moments show."""
    known = np.sort(values[np.isfinite(values)])
    top = 1.15 * known[int(0.99 * (len(known) - 1))] if len(known) else 0.0
    axes.set_ylim(0.0, top if top > 0.0 else 1.0)


def time_quoted(axes: Any, result: Result) -> None:
    """Draw the share of the time that each side stood in the book, and why it did not."""
    reasons = sorted({reason for one in result.quoted.values() for reason in one.reasons})
    colors = dict(zip(reasons, REASON_COLORS * 3, strict=False))
    for row, (side, color) in enumerate(((Side.SELL, SELL), (Side.BUY, BUY))):
        one, left = result.quoted[side], 0.0
        total = max(one.total_secs, 1e-9)
        bars = [
            ("quoted", one.secs, color),
            *((r, one.reasons.get(r, 0.0), colors[r]) for r in reasons),
        ]
        for name, secs, shade in bars:
            label = name if row == 0 and name != "quoted" else None
            axes.barh(row, 100 * secs / total, left=left, color=shade, height=0.55, label=label)
            left += 100 * secs / total
        axes.text(1.5, row, f"quoted {one.fraction:.1%}", va="center", color="white", fontsize=9)
    axes.set_yticks([0, 1], ["ask", "bid"])
    axes.set_xlim(0.0, 100.0)
    axes.set_xlabel("% of the run")
    axes.grid(visible=False)
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=1, borderaxespad=0.2)


def _nothing(axes: Any, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", color=PALE, transform=axes.transAxes)
    axes.set_axis_off()


PLOTS: Final = (
    ("Price, quotes and fills", price),
    ("The busiest minutes", close_up),
    ("Profit by source", profit),
    ("What a fill keeps", markout),
    ("Inventory", inventory),
    ("Fills by what they keep", kept),
    ("Spreads", spreads),
    ("What the engine estimated", estimates),
    ("Risk aversion and cascades", risk),
    ("Time quoted", time_quoted),
)
