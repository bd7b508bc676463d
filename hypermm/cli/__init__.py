"""The commands, one module each."""

from hypermm.cli.main import main

__all__ = ["main"]
