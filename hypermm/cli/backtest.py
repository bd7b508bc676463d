"""The command `backtest`."""

import argparse

from hypermm.cli.options import DEFAULT_SEED, load_config, say, seed

HELP = "run the engine on a market in virtual time"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add = parser.add_argument
    add("path", nargs="?", default="synthetic", metavar="MARKET", help="as for exchange --market")
    add("--seed", type=seed, default=DEFAULT_SEED, help="seed of market and latencies")


def run(args: argparse.Namespace) -> int:
    """Run the engine on a market in virtual time and print what it did. Sends nothing."""
    from hypermm import backtest as virtual
    from hypermm.sim.market import open_market

    settings, _ = load_config(args)
    markets = open_market(args.path, args.seed, loop=False, announce=say)
    result = virtual.run(
        settings, markets, coin=settings.trading.asset, seed=args.seed,
        duration_secs=vars(args).get("duration"),
    )  # fmt: skip
    print(result)
    return 0
