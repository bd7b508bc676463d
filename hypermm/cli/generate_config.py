"""The command `generate-config`."""

import argparse
from pathlib import Path

from hypermm.cli.options import DEFAULT_FILE
from hypermm.errors import ConfigError

HELP = "write a configuration file with every setting"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--force", action="store_true", help="write over an existing file")


def run(args: argparse.Namespace) -> int:
    """Write a configuration file with every setting; an existing one stays without --force."""
    from hypermm import config as configuration

    path: Path = vars(args).get("config", Path(DEFAULT_FILE))
    try:
        with path.open("w" if args.force else "x", encoding="utf-8") as file:
            file.write(configuration.generate())
    except FileExistsError:
        raise ConfigError(f"{path} exists", hint="write over it with --force") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
    print(f"{path}: written")
    return 0
