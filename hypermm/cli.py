"""Commands: each parses, calls one function, prints, and returns an exit status."""

import argparse
import os
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from hypermm import config as configuration
from hypermm.config import Config
from hypermm.credentials import VARIABLE
from hypermm.errors import (
    ConfigError,
    HypermmError,
    RecordingError,
    StartRefusedError,
    UnreachableError,
    redact,
    shown,
)

# An ordinary one: in ten minutes of BTC the default ladder is hit three or four times a side, where
# the median over seeds 1 to 30 is 2.5 a side.
DEFAULT_SEED = 7

COMMANDS = {
    "run": "quote a market (what a bare call does)",
    "exchange": "serve a simulated exchange that any Hyperliquid client can trade on",
    "backtest": "run the engine on a market in virtual time",
    "calibrate": "measure a recording and compare the synthetic market with it",
    "generate-config": "write a configuration file with every setting",
    "validate-config": "check a configuration file",
    "clear-kill": "allow quoting again after the kill switch",
}

# Options that set one setting: option, dotted path, type, help.
SETTINGS: tuple[tuple[str, str, type, str], ...] = (
    ("--asset", "trading.asset", str, "market to quote"),
    ("--target-liquidity", "trading.target_liquidity", float, "order size per side, base units"),
    ("--risk-aversion", "trading.risk_aversion", float, "gamma: 0.1 tight to 1.0 wide"),
    ("--max-bps-diff", "trading.max_bps_diff", float, "requote threshold, bps"),
    ("--max-position", "trading.max_absolute_position_size", float, "position limit, base units"),
    ("--leverage", "trading.leverage", int, "leverage of the market"),
    ("--decimals", "trading.decimals", int, "cap on price decimals"),
    ("--network", "network.base_url", str, "mainnet, testnet, localhost or http(s)://host:port"),
    ("--metrics-port", "monitoring.metrics_port", int, "Prometheus port, 0 for none"),
    ("--log-level", "logging.level", str, "trace, debug, info, warn or error"),
    ("--log-format", "logging.format", str, "pretty, json or compact"),
)


class Parser(argparse.ArgumentParser):
    """A parser whose errors end with status 2 and never echo what looks like a key."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and leave."""
        self.exit(2, f"hypermm: {redact(message)}\n  -> try: hypermm --help\n")


def duration_secs(text: str) -> float:
    """Read a duration such as `60s`, `10m` or `1.5h`."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(s|m|h)?", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{shown(text)} is not a duration such as 60s, 10m or 1h")
    return float(match[1]) * {None: 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def funding(text: str) -> tuple[str, float]:
    """Read ADDRESS=USDC."""
    match = re.fullmatch(r"(0x[0-9a-fA-F]{40})=([0-9]{1,12}(?:\.[0-9]{1,6})?)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{shown(text)} is not ADDRESS=USDC, as 0xabc...=10000")
    return match[1].lower(), float(match[2])


# Options of the process: option, type, metavar, help.
PROCESS: tuple[tuple[str, Callable[[str], Any], str, str], ...] = (
    (
        "--private-key",
        str,
        "KEY",
        f"key of the trading wallet; others can see it: prefer {VARIABLE}",
    ),
    ("--log-file", Path, "PATH", "write log lines there"),
    ("--duration", duration_secs, "TIME", "stop by itself after this long: 60s, 10m, 1h"),
    ("--market", str, "SPEC", "market of the embedded exchange: synthetic, or a recording's path"),
)


def seed(text: str) -> int:
    """Read a seed."""
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"{shown(text)} is not a whole number of up to 18 digits")
    return int(text)


def _parser() -> Parser:
    shared = Parser(add_help=False, allow_abbrev=False)
    unset: Any = argparse.SUPPRESS
    shared.add_argument(
        "-c", "--config", type=Path, default=unset, metavar="PATH",
        help=f"configuration file (default: {configuration.DEFAULT_FILE} where it exists)",
    )  # fmt: skip
    for option, path, kind, text in SETTINGS:
        metavar = {str: "WORD", int: "INT", float: "NUMBER"}[kind]
        shared.add_argument(option, dest=path, type=kind, default=unset, metavar=metavar, help=text)
    for option, read, name, text in PROCESS:
        shared.add_argument(option, type=read, default=unset, metavar=name, help=text)
    shared.add_argument(
        "--accept-key-risk",
        action="store_true",
        default=unset,
        help="take a key from the command line or a file on mainnet",
    )
    parser = Parser(
        prog="hypermm", parents=[shared], allow_abbrev=False,
        description="A market maker for Hyperliquid perpetuals.",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"hypermm {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    made = {
        name: commands.add_parser(name, parents=[shared], help=text, description=text,
                                  allow_abbrev=False)
        for name, text in COMMANDS.items() if name not in ("exchange", "backtest", "calibrate")
    }  # fmt: skip
    made["generate-config"].add_argument(
        "--force", action="store_true", help="write over an existing file"
    )
    _exchange_options(commands.add_parser("exchange", help=COMMANDS["exchange"]))
    _backtest_options(commands.add_parser("backtest", parents=[shared], help=COMMANDS["backtest"]))
    calibrate = commands.add_parser("calibrate", help=COMMANDS["calibrate"])
    calibrate.add_argument("path", type=Path, help="folder of a recording")
    calibrate.add_argument("--coin", help="only this market of the recording")
    return parser


def _exchange_options(parser: argparse.ArgumentParser) -> None:
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


def _backtest_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("path", nargs="?", default="synthetic", metavar="MARKET", help="as for exchange --market")
    add("--seed", type=seed, default=DEFAULT_SEED, help="seed of market and latencies")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("hypermm")
    except PackageNotFoundError:
        return "(not installed)"


def say(line: str) -> None:
    """Print a line at once: a parent process may read it."""
    print(line, flush=True)


def load_config(args: argparse.Namespace) -> tuple[Config, Path | None]:
    """Load the named file, or the default one where it exists, with the options on top.

    Raises
    ------
    ConfigError
        If the named file is missing or any setting is not usable.
    """
    given = vars(args)
    overrides = {path: given[path] for _, path, _, _ in SETTINGS if path in given}
    path: Path | None = given.get("config")
    if path is None and Path(configuration.DEFAULT_FILE).is_file():
        path = Path(configuration.DEFAULT_FILE)
    return configuration.load(path, overrides), path


def run(args: argparse.Namespace) -> int:
    """Quote a market until told to stop. Places and cancels orders on the exchange."""
    from hypermm import start  # its sockets are not for --help

    settings, path = load_config(args)
    given = vars(args)
    return start.run(
        settings,
        config_path=path,
        key_argument=given.get("private_key"),
        accepts_key_risk=given.get("accept_key_risk", False),
        log_file=given.get("log_file"),
        duration_secs=given.get("duration"),
        market=given.get("market"),
        environ=os.environ,
    )


def exchange(args: argparse.Namespace) -> int:
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


def backtest(args: argparse.Namespace) -> int:
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


def calibrate(args: argparse.Namespace) -> int:
    """Measure a recording and compare the synthetic market with it. Sends nothing."""
    from hypermm.sim.calibrate import calibrate as measure

    print(measure(args.path, args.coin))
    return 0


def generate_config(args: argparse.Namespace) -> int:
    """Write a configuration file with every setting; an existing one stays without --force."""
    path: Path = vars(args).get("config", Path(configuration.DEFAULT_FILE))
    try:
        with path.open("w" if args.force else "x", encoding="utf-8") as file:
            file.write(configuration.generate())
    except FileExistsError:
        raise ConfigError(f"{path} exists", hint="write over it with --force") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
    print(f"{path}: written")
    return 0


def validate_config(args: argparse.Namespace) -> int:
    """Check a configuration file. Sends nothing."""
    settings, path = load_config(args)
    where = path or "the defaults"
    print(f"{where}: valid ({settings.trading.asset} on {settings.network.base_url})")
    return 0


def clear_kill(args: argparse.Namespace) -> int:
    """Remove the kill latch of the account and show its reason. Sends nothing."""
    from hypermm import start

    settings, path = load_config(args)
    given = vars(args)
    cleared = start.clear_kill(
        settings, config_path=path, key_argument=given.get("private_key"), environ=os.environ
    )
    print(cleared)
    return 0


# First match wins, from the particular to the general.
STATUS: dict[type[HypermmError], int] = {
    StartRefusedError: 12,
    UnreachableError: 6,
    ConfigError: 2,
    RecordingError: 2,
    HypermmError: 1,
}

FUNCTIONS = {
    "run": run,
    "exchange": exchange,
    "backtest": backtest,
    "calibrate": calibrate,
    "generate-config": generate_config,
    "validate-config": validate_config,
    "clear-kill": clear_kill,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status (the table is in docs/reference/exit-status.md)."""
    if not __debug__:
        print("hypermm: python -O switches off checks that must stay on", file=sys.stderr)
        return 2
    # Kernels of different builds do not fit together: what they share has another layout.
    warnings.filterwarnings("error", message=".*size changed", category=RuntimeWarning)
    args = _parser().parse_args(argv)
    try:
        return FUNCTIONS[args.command or "run"](args)
    except HypermmError as error:
        print(f"hypermm: {redact(str(error))}", file=sys.stderr)
        return next(status for kind, status in STATUS.items() if isinstance(error, kind))
    except KeyboardInterrupt:
        return 130
    finally:
        _let_go()


def _let_go() -> None:
    """Flush what was printed; a reader of the pipe who has left is no error of ours."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
