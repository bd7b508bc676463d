"""The command `validate-config`."""

import argparse
import json
import os
from typing import TYPE_CHECKING, Any

from hypermm.cli.options import load_layers

if TYPE_CHECKING:
    from hypermm.layers import Layered

HELP = "check a configuration file, show the effective settings and what follows from them"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Check the settings, say where each comes from and what they would do. Sends nothing."""
    from hypermm.consequences import consequences
    from hypermm.quoting import strategy_class

    layered, path = load_layers(args)
    strategy_class(layered.config.strategy.strategy_type)  # an own one has to be there
    follows = consequences(layered.config)
    rows = _effective(layered, vars(args))
    if args.json:
        settings = {dotted: {"value": value, "source": source} for dotted, value, source in rows}
        print(json.dumps({"settings": settings, "consequences": dict(follows)}, indent=2))
        return 0
    trading, network = layered.config.trading, layered.config.network
    print(f"{path or 'the defaults'}: valid ({trading.asset} on {network.base_url})\n")
    width = max(len(dotted) for dotted, _, _ in rows)
    for dotted, value, source in rows:
        mark = " " if source == "default" else "*"
        print(f"{mark} {dotted:<{width}}  {_shown(value):<12}  {source}")
    print()
    for subject, text in follows:
        print(f"{subject:<11} {text}")
    return 0


def _effective(layered: "Layered", given: dict[str, Any]) -> list[tuple[str, Any, str]]:
    """Return path, value and source of each setting; of a secret only whether it is set."""
    from hypermm import config as configuration
    from hypermm.credentials import VARIABLE

    rows: list[tuple[str, Any, str]] = []
    for dotted, attribute in configuration.settings():
        value: Any = layered.config
        for name in dotted.split("."):
            value = getattr(value, name)
        source = layered.sources[dotted]
        if attribute.metadata.get("secret"):
            if "private_key" in given:
                source = "--private-key"
            elif os.environ.get(VARIABLE):
                source = "env"
            is_set = value is not None or source != "default"
            value = f"set ({source})" if is_set else None
        rows.append((dotted, value, source))
    return rows


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return str(value).lower() if isinstance(value, bool) else f"{value}"
