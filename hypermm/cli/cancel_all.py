"""The command `cancel-all`."""

import argparse
import os

from hypermm.cli.options import load_config

HELP = "cancel every open order of the account and prove them gone"
UNPROVED = 13


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--ours", action="store_true", help="leave orders without our tag")


def run(args: argparse.Namespace) -> int:
    """Cancel open orders on the exchange's own markets, or on those of --dex; --asset: of it alone.

    Signs cancels and nothing else. Exit status: 0 the exchange's list shows none, 13 it still does.
    """
    import asyncio

    from hypermm import operations

    config, path = load_config(args)
    given = vars(args)
    done = asyncio.run(
        operations.cancel_everything(
            config,
            coin=given.get("trading.asset"),
            only_ours=args.ours,
            config_path=path,
            key_argument=given.get("private_key"),
            accepts_key_risk=given.get("accept_key_risk", False),
            environ=os.environ,
        )
    )
    for order in done.found:
        side = "buy" if order.side == "B" else "sell"
        state = "rests still" if order in done.left else "gone"
        print(f"{order.coin} {side} {order.sz} at {order.limitPx}, order {order.oid}: {state}")
    if done.left:
        print(f"NOT all orders proved gone: {len(done.left)} rest still")
        return UNPROVED
    print(
        f"{len(done.found)} orders cancelled; all proved gone" if done.found else "no open orders"
    )
    return 0
