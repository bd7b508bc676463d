"""What commands share: the parser, kinds of values, the options of settings and of the process."""

import argparse
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from hypermm.errors import redact, shown

if TYPE_CHECKING:
    from hypermm.config import Config
    from hypermm.layers import Layered

DEFAULT_FILE = "market_maker.toml"

# An ordinary one: in ten minutes of BTC the default ladder is hit three or four times a side, where
# the median over seeds 1 to 30 is 2.5 a side.
DEFAULT_SEED = 7

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
    ("--dex", "trading.dex", str, "builder's dex that lists the market, such as hyna"),
    (
        "--initial-isolated-margin",
        "trading.initial_isolated_margin",
        float,
        "margin of an isolated position, USD",
    ),
    ("--metrics-port", "monitoring.metrics_port", int, "Prometheus port, 0 for none"),
    ("--log-level", "logging.level", str, "trace, debug, info, warn or error"),
    ("--log-format", "logging.format", str, "pretty, json or compact"),
)

# Options that switch a setting on.
FLAGS: tuple[tuple[str, str], ...] = (("--force-isolated", "trading.force_isolated"),)


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
        "key of the trading wallet; others can see it: prefer HYPERLIQUID_PRIVATE_KEY",
    ),
    ("--log-file", Path, "PATH", "write log lines there"),
    ("--log-dir", Path, "PATH", "folder of the files of --multi-stream-logs (default: logs)"),
    ("--record", Path, "FILE", "write what goes into the engine and comes out, for replay"),
    ("--duration", duration_secs, "TIME", "stop by itself after this long: 60s, 10m, 1h"),
    ("--market", str, "SPEC", "market of the embedded exchange: synthetic, or a recording's path"),
)


def seed(text: str) -> int:
    """Read a seed."""
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"{shown(text)} is not a whole number of up to 18 digits")
    return int(text)


def settings_options() -> Parser:
    """Return a parent parser with the options that set settings, the key and the log."""
    shared = Parser(add_help=False, allow_abbrev=False)
    unset: Any = argparse.SUPPRESS  # an option stands before or after the command
    shared.add_argument(
        "-c", "--config", type=Path, default=unset, metavar="PATH",
        help=f"configuration file (default: {DEFAULT_FILE} where it exists)",
    )  # fmt: skip
    for option, path, kind, text in SETTINGS:
        metavar = {str: "WORD", int: "INT", float: "NUMBER"}[kind]
        shared.add_argument(option, dest=path, type=kind, default=unset, metavar=metavar, help=text)
    shared.add_argument(
        "--force-isolated",
        dest="trading.force_isolated",
        action="store_true",
        default=unset,
        help="isolated margin where the market allows cross",
    )
    shared.add_argument(
        "--multi-stream-logs",
        action="store_true",
        default=unset,
        help="a log file for each of quotes, fills, risk, market and system",
    )
    shared.add_argument(
        "--dry-run",
        action="store_true",
        default=unset,
        help="warm up, print the ladder that would be quoted, change nothing",
    )
    shared.add_argument(
        "--list-dexs", action="store_true", default=unset, help="as the command list-dexs"
    )
    for option, read, name, text in PROCESS:
        shared.add_argument(option, type=read, default=unset, metavar=name, help=text)
    shared.add_argument(
        "--accept-key-risk",
        action="store_true",
        default=unset,
        help="take a key from the command line or a file on mainnet",
    )
    return shared


def say(line: str) -> None:
    """Print a line at once: a parent process may read it."""
    print(line, flush=True)


def load_layers(args: argparse.Namespace) -> "tuple[Layered, Path | None]":
    """Load the named file, or the default one where it exists, with environment and options on top.

    Raises
    ------
    ConfigError
        If the named file is missing or any setting is not usable.
    """
    from hypermm import layers  # what reads files is not for --help

    given = vars(args)
    options = {
        dotted: (option, given[dotted])
        for option, dotted in (*((o, d) for o, d, _, _ in SETTINGS), *FLAGS)
        if dotted in given
    }
    path: Path | None = given.get("config")
    if path is None and Path(DEFAULT_FILE).is_file():
        path = Path(DEFAULT_FILE)
    return layers.load(path, os.environ, options), path


def load_config(args: argparse.Namespace) -> "tuple[Config, Path | None]":
    """Load the settings and the file they stand in, see `load_layers`."""
    layered, path = load_layers(args)
    return layered.config, path
