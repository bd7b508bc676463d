"""The command `replay`."""

import argparse
from pathlib import Path

HELP = "play an engine's recorded inputs again and compare its actions"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "path", type=Path, metavar="FILE", help="written by run or backtest with --record"
    )


def run(args: argparse.Namespace) -> int:
    """Compare what the engine does with what it did. Sends nothing.

    Exit status: 0 the same, 1 another action.
    """
    from hypermm.backtesting import audit

    found = audit(args.path)
    print(found)
    return 0 if found.difference is None else 1
