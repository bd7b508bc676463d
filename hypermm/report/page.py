"""The page around the plots: one file, no script, nothing loaded from elsewhere."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any, Final

from hypermm.backtesting import Result
from hypermm.errors import ConfigError
from hypermm.messages import Side
from hypermm.report.plots import PLOTS, draw, need_matplotlib

STYLE: Final = """
:root { color-scheme: light; --ink: #1c2733; --pale: #66727f; --rule: #dfe5ea; --good: #1f7a5c;
  --bad: #c2452d; }
* { box-sizing: border-box; }
body { margin: 0; background: #f4f6f8; color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1280px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 26px; line-height: 1.2; margin: 0; }
h2 { font-size: 16px; margin: 0 0 8px; }
.sub { color: var(--pale); margin: 4px 0 20px; }
section, figure { background: #fff; border: 1px solid var(--rule); border-radius: 8px;
  padding: 16px 18px; margin: 0 0 16px; min-width: 0; }
section.basis { border-left: 4px solid #b7791f; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 4px 16px; margin: 0; }
dt { color: var(--pale); } dd { margin: 0; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin-bottom: 16px; }
.tile { background: #fff; border: 1px solid var(--rule); border-radius: 8px; padding: 12px 14px; }
.tile b { display: block; font-size: 21px; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
.tile span { color: var(--pale); font-size: 13px; }
.good { color: var(--good); } .bad { color: var(--bad); }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 500px), 1fr));
  gap: 16px; margin-bottom: 16px; }
.grid > * { margin: 0; }
figure { padding: 14px 14px 8px; } figcaption { font-weight: 600; margin-bottom: 4px; }
svg { display: block; width: 100%; height: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 4px 8px; border-bottom: 1px solid var(--rule);
  white-space: nowrap; }
th { color: var(--pale); font-weight: 500; } th:first-child, td:first-child { text-align: left; }
tr:last-child td { border-bottom: 0; }
code { font: 13px/1.4 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
details summary { cursor: pointer; font-weight: 600; }
@media (max-width: 560px) { main { padding: 18px 10px 40px; } dl { grid-template-columns: 1fr; }
  dt { margin-top: 6px; } section { padding: 14px 12px; } figure { padding: 12px 6px 6px; }
  th, td { padding: 4px 7px; font-size: 13.5px; } }
"""
DIGEST_NOTE: Final = (
    "<p class='sub'>Of all that went into the engine and came out: the same market, settings and "
    "seed give it again.</p>"
)


def report_writer(path: Path) -> Callable[[Result], None]:
    """Check that a report can be drawn and written; return the function that writes it.

    Raises
    ------
    ConfigError
        If matplotlib is missing, or the folder does not exist.
    """
    need_matplotlib()
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent}", hint="make it first")
    return lambda result: write_report(result, path)


def write_report(result: Result, path: Path | str) -> None:
    """Write a backtest as one HTML file.

    Parameters
    ----------
    result : Result
        Of `backtest`.
    path : path
        Written over if it exists.

    Raises
    ------
    ConfigError
        If matplotlib is missing or the file cannot be written.
    """
    text = render(result)
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None


def render(result: Result) -> str:
    """Return the page. The same result gives the same text, the time it took left out."""
    start = datetime.fromtimestamp(result.start_ns / 1e9, UTC)
    title = f"{result.coin} backtest"
    subtitle = (
        f"{result.venue} market from {start:%Y-%m-%d %H:%M:%S} UTC, "
        f"{_duration(result.virtual_secs)}, played by the engine that trades live"
    )
    plots = "".join(
        f"<figure><figcaption>{escape(name)}</figcaption>{draw(plot, result)}</figure>"
        for name, plot in PLOTS
    )
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="sub">{escape(subtitle)}</p>',
        _basis(result),
        _tiles(result),
        f"<section><h2>Reading</h2>{_reading(result)}</section>",
        f'<div class="grid">{plots}</div>',
        f'<div class="grid">{_profit(result)}{_markouts(result)}</div>',
        f'<div class="grid">{_quoting(result)}{_data(result)}</div>',
        _settings(result),
        f"<section><h2>Digest</h2><code>{result.digest}</code>{DIGEST_NOTE}</section>",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def _basis(result: Result) -> str:
    took = result.assumptions
    pairs = [
        ("Queue model", took.queue),
        ("Latency", took.latency),
        ("Fees", took.fees),
        ("Gaps", took.gaps),
        *(("Assumed", note) for note in took.notes),
    ]
    return f'<section class="basis"><h2>What this rests on</h2>{_list(pairs)}</section>'


def _tiles(result: Result) -> str:
    both = sum(one.fraction for one in result.quoted.values()) / 2
    tiles = [
        (f"{result.pnl_usd:+,.2f} USD", "profit, after fees", result.pnl_usd),
        (f"{result.pnl_bps:+.2f} bps", "of the volume", result.pnl_bps),
        (f"{len(result.fills):,}", f"fills: {result.buys} bought, {result.sells} sold", None),
        (f"{result.volume_usd:,.0f} USD", "traded", None),
        (f"{result.max_drawdown_usd:,.2f} USD", "largest fall of the equity", None),
        (f"{both:.1%}", "of the time in the book, mean of both sides", None),
    ]
    return '<div class="tiles">' + "".join(
        f'<div class="tile"><b class="{_tone(value)}">{text}</b><span>{name}</span></div>'
        for text, name, value in tiles
    ) + "</div>"  # fmt: skip


def _reading(result: Result) -> str:
    """Say in words what the figures support, and no more."""
    if not len(result.fills):
        return "<p>Nothing was filled: there is no profit to read.</p>"
    split = result.split
    loser = "Adverse selection took" if split.adverse < 0 else "The mid then moved our way by"
    text = (
        f"Quoting captured {split.spread:+,.2f} USD. {loser} {abs(split.adverse):,.2f} in the five "
        f"seconds after the fills; later moves on the inventory made {split.inventory:+,.2f}, fees "
        f"{split.fees:+,.2f}, funding {split.funding:+,.2f}. "
    )
    five = next(one for one in result.markouts if one.horizon_secs == 5.0)
    half = 1.96 * five.markout.standard_error
    fee_bps = 1e4 * -split.fees / split.turnover
    net, low, high = (five.edge_bps - fee_bps + shift for shift in (0.0, -half, half))
    if not half >= 0.0:
        text += "There are too few fills for an interval."
    elif low > 0.0:
        text += f"A fill kept {net:+.2f} bps after fees, clearly above nothing"
    elif high < 0.0:
        text += f"A fill lost {-net:.2f} bps after fees, clearly"
    else:
        text += f"A fill kept {net:+.2f} bps after fees, which cannot be told from nothing"
    if half >= 0.0:
        text += f" (95 %: {low:+.2f} to {high:+.2f}, {five.markout.n:.0f} fills that cluster)."
    return (
        f"<p>{text}</p><p class='sub'>The market of a recording does not react to our orders, and "
        "its queues are modelled. A profit here is a reason to look closer, not a promise.</p>"
    )


def _profit(result: Result) -> str:
    rows = [
        [
            f"{horizon:g} s",
            *(f"{value:+,.3f}" for value in (
                one.spread, one.adverse, one.inventory, one.fees, one.funding, one.total)),
        ]
        for horizon, one in result.splits.items()
    ]  # fmt: skip
    note = (
        f"By the exchange's books {result.pnl_usd:+,.4f} USD; residual {result.residual_usd:+.1e}."
    )
    head = ["within", "spread", "adverse", "inventory", "fees", "funding", "total"]
    table = _table(head, rows)
    return (
        f"<section><h2>Profit in USD, split exactly</h2>{table}<p class='sub'>{note}</p></section>"
    )


def _markouts(result: Result) -> str:
    rows = [
        [
            f"{one.horizon_secs:g} s",
            f"{one.markout.n:.0f}",
            f"{one.capture_bps:+.3f}",
            f"{one.markout.value:+.3f}",
            f"{1.96 * one.markout.standard_error:.3f}",
            f"{one.edge_bps:+.3f}",
        ]
        for one in result.markouts
        if one.markout.n
    ]
    head = ["after", "fills", "captured", "moved against", "± 95 %", "kept, bps"]
    return f"<section><h2>Markouts</h2>{_table(head, rows)}</section>"


def _quoting(result: Result) -> str:
    rows = []
    for side, name in ((Side.BUY, "bid"), (Side.SELL, "ask")):
        one = result.quoted[side]
        rows.append([f"{name} quoted", f"{one.secs:,.1f}", f"{one.fraction:.2%}"])
        rows += [
            [f"{name}: {reason}", f"{secs:,.1f}", f"{secs / max(one.total_secs, 1e-9):.2%}"]
            for reason, secs in one.reasons.items()
        ]
    pairs = [
        ("Orders", f"{result.orders:,} placed, {result.cancels:,} cancelled"),
        ("Refused", _counts(result.refusals)),
        ("Held back by the gate", _counts(result.denials)),
        (
            "Mode at the end",
            result.mode.name + (f": {result.end_reason}" if result.end_reason else ""),
        ),
        *(("Warning", text) for text in result.warnings[:8]),
    ]
    table = _table(["", "seconds", "share"], rows)
    return f"<section><h2>Quoting</h2>{table}<br>{_list(pairs)}</section>"


def _data(result: Result) -> str:
    holes = ", ".join(
        f"{(end - start):.1f} s after {_duration(start)}" for start, end in result.outages[:6]
    )
    more = len(result.outages) - 6
    pairs = [
        ("Rows", f"{result.rows:,}" if result.rows else "made as the market goes"),
        ("Left out", _counts(result.dropped)),
        ("Silences", (holes or "none") + (f", and {more} more" if more > 0 else "")),
        ("Steps of the engine", f"{result.steps:,}"),
        ("Seed", str(result.seed)),
    ]
    return f"<section><h2>Data</h2>{_list(pairs)}</section>"


def _settings(result: Result) -> str:
    flat = list(_flat(result.settings))
    pairs = [(name, f"<code>{escape(str(value))}</code>") for name, value in flat]
    body = "".join(f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in pairs)
    return f"<section><details><summary>Settings</summary><dl>{body}</dl></details></section>"


def _flat(tree: Mapping[str, Any], head: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{head}{name}.")
        else:
            yield f"{head}{name}", "unset" if value is None else value


def _list(pairs: Iterable[tuple[str, str]]) -> str:
    body = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in pairs)
    return f"<dl>{body}</dl>"


def _table(head: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return "<p>None.</p>"
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<div class="scroll"><table><tr>{top}</tr>{body}</table></div>'


def _counts(counts: Mapping[str, int]) -> str:
    return "; ".join(f"{count:,} x {text}" for text, count in counts.items()) or "none"


def _tone(value: float | None) -> str:
    return "" if value is None or value == 0.0 else "good" if value > 0.0 else "bad"


def _duration(secs: float) -> str:
    hours, rest = divmod(round(secs), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"
