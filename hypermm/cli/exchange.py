"""The command `exchange`."""

import argparse

from hypermm.cli.options import DEFAULT_SEED, funding, say, seed
from hypermm.errors import ConfigError, shown

HELP = "serve a simulated exchange that any Hyperliquid client can trade on"


def limit(text: str) -> tuple[str, str]:
    """Read NAME=off or NAME=N."""
    name, is_given, value = text.partition("=")
    if not (name and is_given and value):
        raise argparse.ArgumentTypeError(f"{shown(text)} is not NAME=off or NAME=N")
    return name, value


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, default=3001, help="port to listen on")
    add(
        "--market",
        action="append",
        metavar="SPEC",
        help="a recording's path, synthetic, or synthetic:COIN:REGIME with the regimes calm, "
        "trending, volatile, cascade and thin; repeatable (default: synthetic)",
    )
    add(
        "--dex",
        action="append",
        default=[],
        metavar="NAME",
        help="a builder's dex with markets NAME:GOLD (thin) and NAME:BTC; repeatable",
    )
    add("--seed", type=seed, default=DEFAULT_SEED, help="seed of all that is drawn")
    add("--speed", type=float, default=1.0, help="market seconds per second, 0 for steps only")
    add("--start-ms", type=int, metavar="MS", help="the venue's time at its start (default: now)")
    add("--block-ms", type=int, default=70, metavar="MS", help="time from block to block")
    add(
        "--latency-ms",
        default="0",
        metavar="MEDIAN[/P99]",
        help="time that an action is on its way, lognormal",
    )
    add(
        "--fund",
        type=funding,
        action="append",
        default=[],
        metavar="ADDRESS=USDC",
        help="an account and its balance; repeatable",
    )
    add(
        "--limit",
        type=limit,
        action="append",
        default=[],
        metavar="NAME=off|N",
        help="change a limit, as ip-weight=off; repeatable",
    )
    add(
        "--rule",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a rule of the venue, as schedule_cancel_volume=0; repeatable",
    )
    add(
        "--fault",
        action="append",
        default=[],
        metavar="KIND@START+DURATION:KEY=VALUE,...",
        help="what shall go wrong, as drop@10s+1m:channel=bbo,share=0.3; repeatable",
    )
    add("--loop", action="store_true", help="play a recording again at its end")


def run(args: argparse.Namespace) -> int:
    """Serve a simulated exchange until told to stop. Sends nothing to a real one."""
    from attrs import evolve

    from hypermm.sim.box import run_exchange
    from hypermm.sim.limits import read_limits
    from hypermm.sim.market import open_markets
    from hypermm.sim.pace import SPEED_MAX, read_latency
    from hypermm.sim.rules import read_rules

    if not 0 < args.port < 65536:
        raise ConfigError(f"--port = {args.port} is outside 1 to 65535")
    if not 0.0 <= args.speed <= SPEED_MAX:
        raise ConfigError(f"--speed = {args.speed} is outside 0 to {SPEED_MAX:g}")
    if not 1 <= args.block_ms <= 60_000:
        raise ConfigError(f"--block-ms = {args.block_ms} is outside 1 to 60000")
    if args.start_ms is not None and not 1 << 40 <= args.start_ms < 1 << 43:
        raise ConfigError(
            f"--start-ms = {args.start_ms} is no time in ms since 1970 between 2004 and 2248"
        )
    for name, given in (("--fund", args.fund), ("--limit", args.limit)):
        names = [key for key, _ in given]
        if len(set(names)) < len(names):
            raise ConfigError(f"{name} names one twice", hint=f"one {name} for each")
    per_ip, rules = read_limits(dict(args.limit))
    return run_exchange(
        args.host,
        args.port,
        open_markets(args.market or ["synthetic"], args.dex, args.seed, args.loop, announce=say),
        seed=args.seed,
        speed=args.speed,
        fund=dict(args.fund),
        announce=say,
        rules=read_rules(args.rule, evolve(rules, block_ms=args.block_ms)),
        per_ip=per_ip,
        latency=read_latency(args.latency_ms, args.seed),
        faults=args.fault,
        start_ms=args.start_ms,
    )
