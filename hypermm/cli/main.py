"""The program: its parser, made of one module a command, and the exit statuses.

A command's module has `HELP`, `run(args)`, and `add_options(parser)` where it has options of its
own. Importing it is cheap: what takes time is imported by `run`.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType

from hypermm.cli import (
    backtest,
    calibrate,
    cancel_all,
    clear_kill,
    completion,
    exchange,
    explain,
    generate_config,
    list_dexs,
    logs,
    replay,
    run,
    status,
    top,
    validate_config,
)
from hypermm.cli.options import Parser, settings_options
from hypermm.errors import (
    ConfigError,
    HypermmError,
    RecordingError,
    StartRefusedError,
    UnreachableError,
    redact,
)

# Commands that take the options of settings, before or after the command, and those that do not.
WITH_SETTINGS: dict[str, ModuleType] = {
    "run": run,
    "backtest": backtest,
    "explain": explain,
    "generate-config": generate_config,
    "validate-config": validate_config,
    "status": status,
    "top": top,
    "list-dexs": list_dexs,
    "cancel-all": cancel_all,
    "clear-kill": clear_kill,
}
ALONE: dict[str, ModuleType] = {
    "exchange": exchange,
    "calibrate": calibrate,
    "logs": logs,
    "replay": replay,
    "completion": completion,
}

# First match wins, from the particular to the general.
STATUS: dict[type[HypermmError], int] = {
    StartRefusedError: 12,
    UnreachableError: 6,
    ConfigError: 2,
    RecordingError: 2,
    HypermmError: 1,
}


def parser() -> Parser:
    """Return the parser of the whole program."""
    shared = settings_options()
    made = Parser(
        prog="hypermm",
        parents=[shared],
        allow_abbrev=False,
        description="A market maker for Hyperliquid perpetuals.",
    )
    made.add_argument("--version", action=_Version, nargs=0, help="show the version and leave")
    commands = made.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for name, command in {**WITH_SETTINGS, **ALONE}.items():
        one = commands.add_parser(
            name,
            parents=[shared] if name in WITH_SETTINGS else [],
            help=command.HELP,
            description=command.HELP,
            allow_abbrev=False,
        )
        if hasattr(command, "add_options"):
            command.add_options(one)
    return made


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            shown = version("hypermm")
        except PackageNotFoundError:
            shown = "(not installed)"
        parser.exit(0, f"hypermm {shown}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status (the table is in docs/reference/exit-status.md)."""
    if not __debug__:
        print("hypermm: python -O switches off checks that must stay on", file=sys.stderr)
        return 2
    # Kernels of different builds do not fit together: what they share has another layout.
    warnings.filterwarnings("error", message=".*size changed", category=RuntimeWarning)
    args = parser().parse_args(argv)
    try:
        is_list = vars(args).get("list_dexs", False)  # an option that stands for a command
        command = {**WITH_SETTINGS, **ALONE}["list-dexs" if is_list else args.command or "run"]
        return int(command.run(args))
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
