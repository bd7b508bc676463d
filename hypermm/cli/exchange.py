"""The command `exchange`."""

import argparse

from hypermm.cli.options import DEFAULT_SEED, funding, say, seed
from hypermm.errors import ConfigError

HELP = "serve a simulated exchange that any Hyperliquid client can trade on"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, default=3001, help="port to listen on")
    add("--market", default="synthetic", metavar="SPEC", help="synthetic, or a recording's path")
    add("--seed", type=seed, default=DEFAULT_SEED, help="seed of the synthetic market")
    add("--speed", type=float, default=1.0, help="market seconds per second")
    add(
        "--fund",
        type=funding,
        action="append",
        default=[],
        metavar="ADDRESS=USDC",
        help="an account and its balance; repeatable",
    )
    add("--loop", action="store_true", help="play a recording again at its end")


def run(args: argparse.Namespace) -> int:
    """Serve a simulated exchange until told to stop. Sends nothing to a real one."""
    from hypermm.sim.market import open_market
    from hypermm.sim.server import run_exchange

    if not 0 < args.port < 65536:
        raise ConfigError(f"--port = {args.port} is outside 1 to 65535")
    if not 0.0 < args.speed <= 1000.0:
        raise ConfigError(f"--speed = {args.speed} is outside: above 0 to 1000")
    accounts = [address for address, _ in args.fund]
    if len(set(accounts)) < len(accounts):
        raise ConfigError("--fund names an account twice", hint="one --fund for each account")
    markets = open_market(args.market, args.seed, args.loop, announce=say)
    return run_exchange(
        args.host, args.port, markets, seed=args.seed, speed=args.speed, fund=dict(args.fund),
        announce=say,
    )  # fmt: skip
