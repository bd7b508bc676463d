"""A line on the terminal that tells how far a run is. It sees the run and changes nothing in it."""

import os
import sys
import time
from typing import TextIO

EVERY_SECS = 0.2
WIDTH = 24


class Progress:
    """Writes over one line of stderr; nothing at all where that is no terminal.

    Parameters
    ----------
    total_secs : float
        Virtual length of the run; 0 where it is not known.
    label : str
        What is run.
    stream : text stream, optional
        stderr if None.
    """

    def __init__(self, total_secs: float, label: str, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._is_shown = self._stream.isatty()
        self._has_color = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self._total_secs = total_secs
        self._label = label
        self._began = self._next = time.perf_counter()

    def show(self, secs: float, fills: int, equity_usd: float) -> None:
        """Show the state at a virtual time; at most five times a second."""
        now = time.perf_counter()
        if not self._is_shown or now < self._next:
            return
        self._next = now + EVERY_SECS
        pace = secs / max(now - self._began, 1e-9)
        done = min(secs / self._total_secs, 1.0) if self._total_secs else 0.0
        bar = "#" * round(WIDTH * done)
        if self._has_color:
            bar = f"\x1b[36m{bar}\x1b[0m"
        rest = "." * (WIDTH - round(WIDTH * done))
        share = f"{done:4.0%} [{bar}{rest}] " if self._total_secs else ""
        self._stream.write(
            f"\r{self._label} {share}{secs:.0f} s at {pace:.0f}x, {fills} fills, "
            f"{equity_usd:+.2f} USD\x1b[K"
        )
        self._stream.flush()

    def close(self) -> None:
        """Clear the line."""
        if self._is_shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
