"""The command `run`."""

import argparse
import os
from pathlib import Path

from hypermm.cli.options import load_config

HELP = "quote a market (what a bare call does)"


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
        log_dir=given.get("log_dir", Path("logs")) if given.get("multi_stream_logs") else None,
        duration_secs=given.get("duration"),
        market=given.get("market"),
        environ=os.environ,
        record=given.get("record"),
        is_dry=given.get("dry_run", False),
    )
