"""The command `top`."""

import argparse
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hypermm.cli.options import load_config
from hypermm.cli.status import address
from hypermm.errors import ConfigError

if TYPE_CHECKING:
    from hypermm.cli.tables import RenderableType

HELP = "watch the market maker that runs on this machine, from another terminal"
FRAMES_PER_SEC = 2.0
STALE_SECS = 5.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--account", type=address, metavar="ADDRESS", help="needs no key")
    parser.add_argument("--once", action="store_true", help="print one picture and leave")


def run(args: argparse.Namespace) -> int:
    """Draw what a running market maker shows in its state directory. Asks the exchange nothing.

    Ctrl-C leaves; so does the end of the market maker.
    """
    from hypermm import operations
    from hypermm.cli.tables import Live, console

    config, path = load_config(args)
    state = operations.state_of(
        config,
        account=args.account,
        config_path=path,
        key_argument=vars(args).get("private_key"),
        environ=os.environ,
    )
    view = None if state is None else state.view()
    if state is None or view is None:
        raise ConfigError(
            "no market maker runs on this account on this machine",
            hint="start one with hypermm run; hypermm status asks the exchange instead",
        )
    out = console()
    if args.once or not out.is_terminal:
        out.print(picture(view, time.time()))
        return 0
    with Live(picture(view, time.time()), console=out, screen=True, auto_refresh=False) as live:
        while view is not None:
            live.update(picture(view, time.time()), refresh=True)
            time.sleep(1.0 / FRAMES_PER_SEC)
            view = state.view()
    print("the market maker has ended")
    return 0


def picture(view: Mapping[str, Any], now_secs: float) -> "RenderableType":
    """Return one frame: where it stands, what it earns, what it believes, what rests."""
    from hypermm.cli.tables import Group, Text, pairs, table, warning

    age_secs = now_secs - view["at_ms"] / 1000
    mode = view["mode"] if view["is_connected"] else f"{view['mode']}, not connected"
    shown: Text | str = mode if mode == "quoting" else warning(mode)
    if age_secs > STALE_SECS:
        shown = warning(f"{mode}; silent for {age_secs:.0f} s")
    lasted = max(now_secs - view["session_secs"], 0.0)
    warm = view["warm_up"]
    rows: list[tuple[str, Any]] = [
        ("market", f"{view['coin']}, process {view['pid']}, {_span(lasted)}"),
        ("mode", shown),
        ("position", f"{view['position']} of {view['position_limit']}, {view['leverage']}x"),
        ("P&L", (f"{view['session_pnl_usd']:+,.2f} USD session, {view['day_pnl_usd']:+,.2f} day, "
                f"drawdown {view['drawdown_fraction']:.2%}, fees {view['fees_usd']:,.2f} USD")),
        ("fills", (f"{view['buys']} buys, {view['sells']} sells, {view['traded_usd']:,.0f} USD; "
                  f"{view['orders_placed']} orders placed, {view['orders_refused']} refused")),
        ("fair price", (f"{_figure(view['fair_price'], ',.6g')} USD, spread "
                       f"{_figure(view['spread_bps'], '.2f')} bps, data "
                       f"{_figure(view['age_secs'], '.1f')} s old")),
        ("estimates", (f"volatility {_figure(view['volatility_bps'], '.2f')} bps per root second, "
                      f"kappa {_figure(view['kappa_per_bps'], '.3f')} per bps")),
    ]  # fmt: skip
    if not warm["is_warm"]:
        need = f"{warm['trades']} of {warm['trades_needed']} trades, {warm['volume_ticks']} of "
        rows.append(("warm-up", f"{need}{warm['volume_ticks_needed']} volume ticks"))
    if view["kill_reason"]:
        rows.append(("killed", warning(view["kill_reason"])))
    fair = view["fair_price"]
    orders = sorted(view["orders"], key=lambda order: -float(order["price"]))
    return Group(
        pairs(rows),
        table(
            "Orders",
            ["side", "size>", "price>", "bps from fair>", "state"],
            [
                (o["side"], o["size"], o["price"],
                 f"{(float(o['price']) / fair - 1) * 1e4:+.2f}" if fair else "-", o["state"])
                for o in orders
            ],
        ) if orders else Text("no orders"),
    )  # fmt: skip


def _figure(value: float | None, form: str) -> str:
    return "?" if value is None else format(value, form)


def _span(secs: float) -> str:
    hours, rest = divmod(int(secs), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
