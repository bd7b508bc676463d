"""The command `calibrate`."""

import argparse
from pathlib import Path

HELP = "measure a recording and compare the synthetic market with it"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("path", type=Path, help="folder of a recording")
    parser.add_argument("--coin", help="only this market of the recording")


def run(args: argparse.Namespace) -> int:
    """Measure a recording and compare the synthetic market with it. Sends nothing."""
    from hypermm.sim.calibrate import calibrate as measure

    print(measure(args.path, args.coin))
    return 0
