"""The command `explain`."""

import argparse
import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hypermm.cli.options import DEFAULT_SEED, duration_secs, load_config, seed
from hypermm.cli.status import address
from hypermm.errors import ConfigError, shown

if TYPE_CHECKING:
    from hypermm.cli.tables import RenderableType

HELP = "say of each quote what its price is made of, and of each missing one why"
NS_PER_SEC = 1_000_000_000


def moment(text: str) -> float | datetime:
    """Read a time since the start, such as 90s or 25m, or a UTC time as 2025-09-04T12:30:00Z."""
    if re.match(r"\d{4}-", text):
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{shown(text)} is not a UTC time such as 2025-09-04T12:30:00Z"
            ) from None
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return duration_secs(text)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add = parser.add_argument
    add(
        "path", nargs="?", metavar="PATH",
        help="a recording, synthetic, or synthetic:COIN; without it: the running market maker",
    )  # fmt: skip
    add(
        "--at", type=moment, metavar="TIME",
        help="with PATH: time since its start (90s, 25m), or UTC (2025-09-04T12:30:00Z)",
    )  # fmt: skip
    add("--seed", type=seed, default=DEFAULT_SEED, help="seed of market and latencies")
    add("--account", type=address, metavar="ADDRESS", help="of the running one; needs no key")
    add("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Explain the last decision at a time of a recording, or of a running market maker.

    Sends nothing. The recording is played by the backtest up to that time.
    """
    if args.path is None:
        explained = _running(args)
    elif args.at is None:
        raise ConfigError("explain PATH needs a time", hint="add --at 10m, or a UTC time")
    else:
        explained = _played(args)
    if args.json:
        print(json.dumps(explained, indent=2))
        return 0
    from hypermm.cli.tables import console

    console().print(picture(explained))
    return 0


def _running(args: argparse.Namespace) -> dict[str, Any]:
    from hypermm import operations

    config, path = load_config(args)
    state = operations.state_of(
        config,
        account=args.account,
        config_path=path,
        key_argument=vars(args).get("private_key"),
        environ=os.environ,
    )
    view = None if state is None else state.view()
    if view is None:
        raise ConfigError(
            "no market maker runs on this account on this machine",
            hint="start one with hypermm run, or explain a recording: explain PATH --at 10m",
        )
    return {"coin": view["coin"], **view["explanation"]}


def _played(args: argparse.Namespace) -> dict[str, Any]:
    from hypermm.backtesting import backtest
    from hypermm.engine import Engine
    from hypermm.sim.market import RecordedMarket, open_market

    settings, _ = load_config(args)
    markets = open_market(args.path, args.seed, loop=False, announce=lambda _: None)
    coin = vars(args).get("trading.asset")
    name = coin or settings.trading.asset
    market = next((m for m in markets if m.instrument.coin == name), markets[0])
    secs = args.at
    if isinstance(secs, datetime):
        if not isinstance(market, RecordedMarket):
            raise ConfigError("a synthetic market has no date", hint="use a time such as 10m")
        recording = market.recording
        secs = secs.timestamp() - recording.start_ns / NS_PER_SEC
        length_secs = (recording.end_ns - recording.start_ns) / NS_PER_SEC
        if not 0.0 < secs <= length_secs:
            begin, end = (
                datetime.fromtimestamp(ns / NS_PER_SEC, UTC).isoformat(timespec="seconds")
                for ns in (recording.start_ns, recording.end_ns)
            )
            raise ConfigError(f"{args.at.isoformat()} is outside the recording: {begin} to {end}")
    found: dict[str, Any] = {"coin": market.instrument.coin}

    def keep(engine: Engine) -> None:
        found.update(engine.explain().as_dict(market.instrument))

    backtest(markets, settings, coin=coin, seed=args.seed, duration_secs=secs, at_end=keep)
    return found


def picture(explained: Mapping[str, Any]) -> "RenderableType":
    """Return the tables: the decision, and each side with a column a level."""
    from hypermm.cli.tables import Group, pairs

    caution = explained["caution"]
    at = datetime.fromtimestamp(explained["exch_ns"] / NS_PER_SEC, UTC)
    rows: list[tuple[str, Any]] = [
        ("market", f"{explained['coin']}, {at:%Y-%m-%d %H:%M:%S} UTC, {explained['mode']}"),
        ("mid", _number(explained["mid"])),
        ("fair price", _number(explained["fair_price"])),
        ("position", explained["position"]),
        (
            "gamma",
            "x {multiplier:.3g}: volatility {volatility:.3g}, jumps {toxicity:.3g}, inventory "
            "{inventory:.3g}, cascade {tail:.3g}".format_map(caution),
        ),
    ]
    return Group(pairs(rows), *(_side(one) for one in explained["sides"]))


def _side(side: Mapping[str, Any]) -> "RenderableType":
    """Return the table of one side: terms that add up from the middle of the book to the price."""
    from hypermm.cli.tables import Text, table

    name = {"buy": "Bids", "sell": "Asks"}[side["side"]]
    title = f"{name}: mid and terms in bps"
    if side["reason"]:
        title = f"{name}: none, {side['reason']}"
    levels = side["levels"]
    if not levels:
        return Text(title, style="bold")
    terms: Mapping[str, float] = next(
        (level["terms_bps"] for level in levels if level["terms_bps"]), {}
    )
    rows = [
        [term, *(_bps(level["terms_bps"].get(term)) for level in levels)]
        for term in terms
        if any(level["terms_bps"].get(term) for level in levels)
    ]
    total = [sum(level["terms_bps"].values()) if level["price"] else None for level in levels]
    rows += [
        ["all terms", *map(_bps, total)],
        ["price", *(level["price"] or "-" for level in levels)],
        ["size", *(level["size"] or "-" for level in levels)],
        ["in the book at", *(level["live_price"] or "-" for level in levels)],
    ]
    if any(level["reason"] for level in levels):
        rows.append(["not quoted", *(level["reason"] or "" for level in levels)])
    return table(title, ["", *(f"level {level['level']}>" for level in levels)], rows)


def _bps(value: float | None) -> str:
    return "-" if value is None else f"{round(value, 3) + 0.0:+.3f}"


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:,.8g}"
