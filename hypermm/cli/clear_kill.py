"""The command `clear-kill`."""

import argparse
import os

from hypermm.cli.options import load_config

HELP = "allow quoting again after the kill switch"


def run(args: argparse.Namespace) -> int:
    """Remove the kill latch of the account and show its reason. Sends nothing."""
    from hypermm import operations

    settings, path = load_config(args)
    given = vars(args)
    cleared = operations.clear_kill(
        settings, config_path=path, key_argument=given.get("private_key"), environ=os.environ
    )
    print(cleared)
    return 0
