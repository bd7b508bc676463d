"""Faults on demand: how they are written, which are on, and whether one strikes.

A fault is written `KIND[@START][+DURATION][:KEY=VALUE[,KEY=VALUE...]]`, as
`drop@10s+1m:channel=bbo,share=0.3`. Times are the venue's; START counts from the moment at which
the fault is ordered, and without a DURATION the fault lasts until it is healed.
"""

import re
from collections.abc import Callable, Iterable
from random import Random
from typing import Final

from attrs import define, frozen

from hypermm.errors import ConfigError, WireError
from hypermm.hyperliquid.actions import canonical_address
from hypermm.sim.subscriptions import FIELDS

FOREVER_MS: Final = 1 << 62
FAULTS_KEPT: Final = 100  # of those that are over; as many may be ordered at a time
SHIFT_MS_MAX: Final = 7 * 86_400_000
_UNITS_MS: Final = {"ms": 1.0, "s": 1_000.0, "m": 60_000.0, "h": 3_600_000.0, "": 1_000.0}
_TIME = r"[0-9]{1,9}(?:\.[0-9]{1,6})?(?:ms|s|m|h)?"
_FAULT = re.compile(rf"([a-z0-9-]+)(?:@({_TIME}))?(?:\+({_TIME}))?(?::(.*))?", re.ASCII)


@frozen
class Kind:
    """A kind of fault: what it does, and the keys that it must and may have."""

    doc: str
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


FRAMES: Final = ("channel", "share")
KINDS: Final[dict[str, Kind]] = {
    "delay": Kind("pushed frames come `ms` late", ("ms",), FRAMES),
    "drop": Kind("pushed frames are lost", (), FRAMES),
    "repeat": Kind("pushed frames come twice", (), FRAMES),
    "reorder": Kind("a pushed frame comes after the next one of its subscription", (), FRAMES),
    "stall": Kind("pushed frames are held until the end, then come all at once", (), FRAMES),
    "half-open": Kind("sockets open at its start are neither read nor written, then reset"),
    "disconnect": Kind("all sockets are reset; until its end none is accepted"),
    "429": Kind("requests are refused with 429 and have no effect", (), ("share",)),
    "502": Kind("requests are refused with 502 and have no effect", (), ("share",)),
    "lost-request": Kind("actions vanish without effect and without an answer", (), ("share",)),
    "lost-reply": Kind("actions have their effect and no answer", (), ("share",)),
    "error-after-effect": Kind("actions have their effect and are answered 502", (), ("share",)),
    "false-error": Kind("accepted actions are answered `status: err`", (), ("share",)),
    "budget": Kind("the address budget is exhausted", (), ("user",)),
    "skew": Kind("the venue's clock is ahead by `ms`", ("ms",)),
    "halt": Kind("a market does not trade; a builder's is settled at its mark", ("coin",)),
    "upgrade": Kind("only post-only orders are taken, as after a network upgrade"),
}


@define(eq=False)
class Fault:
    """One ordered fault; times in ms of the venue, the end is not part of it."""

    text: str
    kind: str
    start_ms: int
    end_ms: int
    share: float = 1.0
    ms: int = 0
    channel: str = ""  # empty: all
    coin: str = ""
    user: str = ""  # empty: all
    is_on: bool = False
    strikes: int = 0  # so far


def read_fault(text: str, now_ms: int) -> Fault:
    """Read a fault that is ordered at a time of the venue.

    Raises
    ------
    ConfigError
        If the grammar, the kind, a key or a value is not known.
    """
    match = _FAULT.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"fault {text[:80]!r} is not KIND@START+DURATION:KEY=VALUE,...",
            hint="as drop@10s+1m:channel=bbo,share=0.3",
        )
    name, start, duration, rest = match.groups()
    kind = KINDS.get(name)
    if kind is None:
        raise ConfigError(
            f"fault {text[:80]!r}: no kind {name[:40]!r}", hint=f"there are: {', '.join(KINDS)}"
        )
    start_ms = now_ms + _milliseconds(start or "0")
    fault = Fault(text, name, start_ms, FOREVER_MS)
    if duration is not None:
        fault.end_ms = start_ms + _milliseconds(duration)
    elif name == "disconnect":
        fault.end_ms = start_ms
    given = [pair.partition("=") for pair in rest.split(",")] if rest else []
    keys = [key for key, _, _ in given]
    for key, _, value in given:
        if key not in kind.needs + kind.takes or keys.count(key) > 1:
            known = ", ".join(kind.needs + kind.takes) or "none"
            raise ConfigError(
                f"fault {text[:80]!r}: {name} takes no key {key[:40]!r} here",
                hint=f"its keys, each once: {known}",
            )
        _READERS[key](fault, value)
    for key in kind.needs:
        if key not in keys:
            raise ConfigError(f"fault {text[:80]!r}: {name} needs {key}=")
    return fault


def _milliseconds(text: str) -> int:
    number = text.rstrip("msh")
    return round(float(number) * _UNITS_MS[text[len(number) :]])


def _bad(fault: Fault, key: str, value: str, expected: str) -> ConfigError:
    return ConfigError(f"fault {fault.text[:80]!r}: {key} = {value[:40]!r} is not {expected}")


def _read_share(fault: Fault, value: str) -> None:
    if not re.fullmatch(r"[0-9]?\.?[0-9]{1,9}", value) or not 0.0 < float(value) <= 1.0:
        raise _bad(fault, "share", value, "a number above 0 and up to 1")
    fault.share = float(value)


def _read_ms(fault: Fault, value: str) -> None:
    if not re.fullmatch(r"[0-9]{1,9}", value) or not 0 < int(value) <= SHIFT_MS_MAX:
        raise _bad(fault, "ms", value, f"a whole number from 1 to {SHIFT_MS_MAX}")
    fault.ms = int(value)


def _read_channel(fault: Fault, value: str) -> None:
    if value not in FIELDS:
        raise _bad(fault, "channel", value, f"one of {', '.join(FIELDS)}")
    fault.channel = value


def _read_coin(fault: Fault, value: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9:@#/_-]{1,40}", value):
        raise _bad(fault, "coin", value, "a coin's name")
    fault.coin = value


def _read_user(fault: Fault, value: str) -> None:
    try:
        fault.user = canonical_address(value)
    except WireError as error:
        raise _bad(fault, "user", value, "an address, 0x and 40 hex digits") from error


_READERS: Final[dict[str, Callable[[Fault, str], None]]] = {
    "share": _read_share,
    "ms": _read_ms,
    "channel": _read_channel,
    "coin": _read_coin,
    "user": _read_user,
}


class Faults:
    """All faults that were ordered.

    Parameters
    ----------
    seed : int
        Decides which message a fault with a share strikes.
    """

    def __init__(self, seed: int) -> None:
        self.waiting: list[Fault] = []
        self.on: list[Fault] = []
        self.over: list[Fault] = []
        self._random = Random(seed)  # noqa: S311 - repeated by the seed, not a secret

    @property
    def all(self) -> Iterable[Fault]:
        """Every fault, the past ones first."""
        return (*self.over, *self.on, *self.waiting)

    def order(self, fault: Fault) -> None:
        """Take up a fault. Raises ConfigError if there are too many."""
        if len(self.waiting) + len(self.on) >= FAULTS_KEPT:
            raise ConfigError(f"{FAULTS_KEPT} faults are on or waiting already", hint="heal first")
        self.waiting.append(fault)

    def move(self, now_ms: int) -> tuple[list[Fault], list[Fault]]:
        """Return those that begin at a time, and those that end; one may do both."""
        begun = [fault for fault in self.waiting if fault.start_ms <= now_ms]
        for fault in begun:
            self.waiting.remove(fault)
            self.on.append(fault)
            fault.is_on = True
        ended = [fault for fault in self.on if fault.end_ms <= now_ms]
        for fault in ended:
            self.on.remove(fault)
            fault.is_on = False
            self.over = [*self.over, fault][-FAULTS_KEPT:]
        return begun, ended

    def heal(self, now_ms: int) -> None:
        """Let all end with the next block, and none begin."""
        for fault in self.on:
            fault.end_ms = min(fault.end_ms, now_ms)
        self.waiting.clear()

    def strikes(self, kind: str) -> bool:
        """Whether a fault of this kind strikes here and now."""
        return any(fault.kind == kind and self.hits(fault) for fault in self.on)

    def hits(self, fault: Fault) -> bool:
        """Draw whether a fault that is on strikes a message."""
        if fault.share < 1.0 and self._random.random() >= fault.share:
            return False
        fault.strikes += 1
        return True

    def of_channel(self, channel: str) -> list[Fault]:
        """Return those that trouble the frames of a channel."""
        return [
            fault
            for fault in self.on
            if "channel" in KINDS[fault.kind].takes and fault.channel in ("", channel)
        ]
