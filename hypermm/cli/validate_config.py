"""The command `validate-config`."""

import argparse

from hypermm.cli.options import load_config

HELP = "check a configuration file"


def run(args: argparse.Namespace) -> int:
    """Check a configuration file. Sends nothing."""
    settings, path = load_config(args)
    where = path or "the defaults"
    print(f"{where}: valid ({settings.trading.asset} on {settings.network.base_url})")
    return 0
