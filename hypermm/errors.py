"""What went wrong, named by who must act. Messages say what, its value and what was expected."""

import re

SHOWN_CHARS = 60
# A private key is 64 hex digits, or 77 decimal ones; an address is 40 and may be shown.
_KEY_LIKE = re.compile(r"(?:0[xX])?[0-9a-fA-F]{41,}")


def redact(text: str) -> str:
    """Hide what may be a private key."""
    return _KEY_LIKE.sub("(hidden)", text)


def shown(value: object) -> str:
    """Print a value from outside for an error text: hidden if it may be a key, and cut."""
    return redact(repr(value))[:SHOWN_CHARS]


class HypermmError(Exception):
    """Base of every error that hypermm raises on purpose.

    Parameters
    ----------
    message : str
        What is wrong, with the value, its unit and what was expected.
    hint : str
        The next step for whoever reads it; empty if the message says it already.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\n  -> {self.hint}" if self.hint else message


class ConfigError(HypermmError):
    """The operator must act: a setting, a file, a key or an option is not usable."""


class StartRefusedError(HypermmError):
    """The operator must act: a kill latch or a second instance stands in the way."""


class UnreachableError(HypermmError):
    """The exchange does not answer at its address."""


class WireError(HypermmError):
    """Bytes from outside break the contract; they were dropped and nothing was applied."""


class RecordingError(HypermmError):
    """A recording cannot be read: wrong format, truncated, or damaged."""


class InvariantError(HypermmError):
    """Our own defect. Not to be caught, except to stop safely."""
