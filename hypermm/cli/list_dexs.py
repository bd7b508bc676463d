"""The command `list-dexs`."""

import argparse
import json
from typing import Any

from hypermm.cli.options import load_config

HELP = "list the builders' dexs of the exchange"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """List the builders' dexs. Only reads."""
    import asyncio

    from hypermm import operations

    config, _ = load_config(args)
    dexs: list[dict[str, Any]] = asyncio.run(operations.list_dexs(config))
    if vars(args).get("json"):
        print(json.dumps(dexs, indent=2))
        return 0
    if not dexs:
        print(f"{config.network.base_url} has no HIP-3 DEXs")
        return 0
    print("Available HIP-3 DEXs:")
    width = max(len(dex["name"]) for dex in dexs)
    for dex in dexs:
        print(f"  {dex['name']:<{width}} - {dex['full_name']} (deployer: {dex['deployer']})")
        print(f"  {'':<{width}}   {', '.join(dex['markets']) or 'no markets'}")
    return 0
