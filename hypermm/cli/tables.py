"""Tables for the terminal: the door to rich. Without a terminal they are plain text."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

__all__ = ["Group", "Live", "RenderableType", "Text", "console", "pairs", "table", "warning"]

PIPE_COLUMNS = 120  # width where the output is no terminal


def console() -> Console:
    """Return the terminal of standard output; `NO_COLOR` and pipes are respected."""
    found = Console(highlight=False, markup=False, emoji=False)
    return found if found.is_terminal else Console(
        highlight=False, markup=False, emoji=False, width=PIPE_COLUMNS
    )  # fmt: skip


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Return a table; a column whose name ends with `>` is aligned to the right."""
    made = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for column in columns:
        right = column.endswith(">")
        made.add_column(column.removesuffix(">"), justify="right" if right else "left")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    return made


def pairs(rows: Iterable[tuple[str, Any]]) -> Table:
    """Return names with their values, one a line."""
    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(style="dim", no_wrap=True)
    made.add_column()
    for name, value in rows:
        made.add_row(name, value if isinstance(value, Text) else Text(str(value)))
    return made


def warning(text: str) -> Text:
    """Return a text that asks for attention."""
    return Text(text, style="bold yellow")
