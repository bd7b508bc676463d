"""The command `status`."""

import argparse
import json
import os
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hypermm.cli.options import load_config
from hypermm.errors import shown

if TYPE_CHECKING:
    from hypermm.status import Status

HELP = "show where an account stands: position, balance, orders, margin, fees, budget"


def address(text: str) -> str:
    """Read an address."""
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", text):
        raise argparse.ArgumentTypeError(f"{shown(text)} is not an address: 0x and 40 hex digits")
    return text.lower()


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--account", type=address, metavar="ADDRESS", help="needs no key")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Show where an account stands. Only reads; sends nothing that is signed.

    Exit status: 0 all agrees, 1 a market maker on this machine believes otherwise.
    """
    import asyncio

    from hypermm import operations

    config, path = load_config(args)
    given = vars(args)
    status = asyncio.run(
        operations.status(
            config,
            account=args.account,
            config_path=path,
            key_argument=given.get("private_key"),
            environ=os.environ,
        )
    )
    if args.json:
        print(json.dumps(status.as_dict(), indent=2))
    else:
        _show(status)
    return 1 if status.differences else 0


def _show(status: "Status") -> None:
    from hypermm.cli.tables import console, pairs, table, warning

    out = console()
    mode = "cross" if status.is_cross else "isolated"
    spent = f"{status.requests_used:,} of {status.requests_cap:,} actions used"
    rows: list[tuple[str, Any]] = [
        ("exchange", status.url + (f", dex {status.dex}" if status.dex else "")),
        ("account", status.account),
        ("balance", f"{status.account_value_usd:,.2f} USD"),
        ("available margin", f"{status.withdrawable_usd:,.2f} USD"),
        ("margin used", f"{status.margin_used_usd:,.2f} USD"),
        ("leverage", f"{status.leverage}x {mode} on {status.asset}"),
        ("fees", f"maker {status.maker_fee_bps:g} bps, taker {status.taker_fee_bps:g} bps"),
        ("message budget", spent),
    ]
    for agent in status.agents:
        until = datetime.fromtimestamp(agent["validUntil"] / 1000, UTC)
        rows.append(("agent", f"{agent['name']} {agent['address']} until {until:%Y-%m-%d %H:%M}Z"))
    out.print(pairs(rows))
    out.print()
    if status.positions:
        out.print(table(
            "Positions",
            ["market", "size>", "entry>", "value USD>", "P&L USD>", "leverage", "margin USD>",
             "liquidation>"],
            [
                (p.coin, f"{p.size:g}", f"{p.entry_price:g}", f"{p.value_usd:,.2f}",
                 f"{p.unrealized_pnl_usd:+,.2f}",
                 f"{p.leverage}x {'cross' if p.is_cross else 'isolated'}",
                 f"{p.margin_usd:,.2f}", f"{p.liquidation_price or '-'}")
                for p in status.positions
            ],
        ))  # fmt: skip
    else:
        out.print("no position")
    if status.orders:
        out.print(table(
            "Open orders",
            ["market", "side", "price>", "size>", "order id>", "whose"],
            [
                (o.coin, o.side, o.price, o.size, o.oid,
                 o.whose if o.whose == "ours" else warning(o.whose))
                for o in status.orders
            ],
        ))  # fmt: skip
    else:
        out.print("no open orders")
    if status.bot is None:
        out.print("no market maker runs on this account on this machine")
        return
    bot = status.bot
    held = next((p.size for p in status.positions if p.coin == bot["coin"]), 0.0)
    resting = sum(o.whose == "ours" and o.coin == bot["coin"] for o in status.orders)
    out.print(table(
        f"Market maker, process {bot['pid']}",
        ["", "bot>", "exchange>"],
        [
            ("mode", bot["mode"], "-"),
            (f"position {bot['coin']}", bot["position"], f"{held:g}"),
            ("orders", len(bot["orders"]), resting),
            ("P&L of the UTC day, USD", f"{bot['day_pnl_usd']:+,.2f}", "-"),
        ],
    ))  # fmt: skip
    for difference in status.differences:
        out.print(warning(f"differs: {difference}"))
