"""Reads a session's log back: what happened, what was wrong with it, and what to change.

Takes all three forms that are written. A line that is none of ours is counted and passed over.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from hypermm.errors import RecordingError

_PRETTY = re.compile(r"(\d{4}-\d\d-\d\dT[0-9:.]+Z) +(TRACE|DEBUG|INFO|WARN|ERROR)  (.*)")
_COMPACT = re.compile(r"(\d\d:\d\d:\d\d\.\d{3}Z) ([TDIWE]) (.*)")
_PAIR = re.compile(r' (\w+)=("(?:[^"\\]|\\.)*"|[^ "]\S*)')
_LEVELS = {name[0]: name for name in ("TRACE", "DEBUG", "INFO", "WARN", "ERROR")}


@frozen
class Entry:
    """One line: time as written, level, event, fields."""

    time: str
    level: str
    event: str
    fields: Mapping[str, Any]


@frozen
class Issue:
    """Something that went wrong: how badly, how often, and what to change."""

    severity: str  # critical, warning or note
    event: str
    count: int
    detail: str
    advice: str


# What an event means for an operator: severity and advice. The page of docs/how-to tells more.
ADVICE: dict[str, tuple[str, str]] = {
    "KILL SWITCH TRIGGERED": ("critical", "find the cause, then hypermm clear-kill"),
    "Internal error": ("critical", "report it with this log"),
    "Order filled beyond its size": ("critical", "report it with this log"),
    "Nothing can be quoted": ("critical", "fund the account or lower the sizes"),
    "Kill switch condition detected": ("warning", "a limit is near: lower sizes or raise it"),
    "Quotes pulled": ("warning", "look at the connection and the market of that time"),
    "Data staleness exceeded": ("warning", "check the connection; compare with another host"),
    "Reduce-only mode": ("warning", "inventory builds: raise risk_aversion or the limit"),
    "Disconnected": ("warning", "check the connection"),
    "Failed to connect to exchange": ("warning", "check the network and the exchange's state"),
    "Position adopted from the exchange": ("warning", "look for fills of another program"),
    "Foreign orders left alone": ("note", "cancel them with hypermm cancel-all, or by hand"),
    "Leftover orders found": ("note", "an earlier session ended without its proof"),
    "Sizes capped": ("note", "the settings ask for more than the limits allow"),
    "Side paused": ("note", "refusals came in a row: see their texts"),
    "Action denied": ("note", "the gate or the budget kept an action: see its reason"),
    "No quotes": ("warning", "see the reason; hypermm status and --dry-run help"),
}


@define
class Session:
    """What one log says."""

    first: str = ""
    last: str = ""
    entries: int = 0
    foreign_lines: int = 0
    levels: Counter[str] = field(factory=Counter)
    events: Counter[str] = field(factory=Counter)
    buys: int = 0
    sells: int = 0
    takers: int = 0
    fees_usd: float = 0.0
    largest_position: float = 0.0
    last_position: str = ""
    day_pnl_usd: float | None = None
    spreads_bps: list[float] = field(factory=list)
    orders_placed: int = 0
    details: dict[str, str] = field(factory=dict)  # by event: fields of the latest

    def take(self, entry: Entry) -> None:
        """Count one line."""
        self.first = self.first or entry.time
        self.last = entry.time
        self.entries += 1
        self.levels[entry.level] += 1
        self.events[entry.event] += 1
        fields = entry.fields
        self.details[entry.event] = ", ".join(f"{name} {value}" for name, value in fields.items())
        if "position" in fields:
            self.last_position = str(fields["position"])
            self.largest_position = max(self.largest_position, abs(_number(fields["position"])))
        if "day_pnl_usd" in fields:
            self.day_pnl_usd = _number(fields["day_pnl_usd"])
        if entry.event == "Fill processed":
            self.buys += fields.get("side") == "buy"
            self.sells += fields.get("side") == "sell"
            self.takers += str(fields.get("is_taker")).lower() == "true"
            self.fees_usd += _number(fields.get("fee_usd", 0.0))
        if entry.event == "Quote cycle":
            self.orders_placed += int(_number(fields.get("orders_placed", 0)))
            spread = fields.get("quoted_spread_bps")
            if spread not in (None, "one-sided"):
                self.spreads_bps.append(_number(spread))

    @property
    def secs(self) -> float | None:
        """Time from the first to the last line; None where the dates are not written."""
        try:
            return (_moment(self.last) - _moment(self.first)).total_seconds()
        except ValueError:
            return None

    def issues(self) -> list[Issue]:
        """Return what went wrong, the worst first."""
        found = [
            Issue(severity, event, self.events[event], self.details.get(event, ""), advice)
            for event, (severity, advice) in ADVICE.items()
            if self.events[event]
        ]
        if self.takers:
            text = "a post-only order took: report it with this log"
            found.append(Issue("critical", "Taker fill", self.takers, "", text))
        if self.events["Quote cycle"] and not self.buys + self.sells:
            text = "lower min_depth_bps or risk_aversion, or choose a livelier market"
            found.append(Issue("note", "No fills", 1, "", text))
        order = ("critical", "warning", "note")
        return sorted(found, key=lambda issue: order.index(issue.severity))

    def questions(self) -> list[str]:
        """Return what the log leaves open."""
        found = []
        if self.entries and "Market maker stopped" not in self.events:
            found.append("the log has no end: did the process die? see hypermm status")
        if "Parameter estimation warmed up" not in self.events:
            found.append("the warm-up never ended: is the market active?")
        if not self.events["Calculated ladder"] and self.events["Quote cycle"]:
            found.append("ladders are not written: run with --log-level debug to see each")
        if self.foreign_lines:
            found.append(f"{self.foreign_lines} lines are not of the market maker")
        return found


def read_log(path: Path) -> Session:
    """Read a log file.

    Raises
    ------
    RecordingError
        If it cannot be read or holds no line of ours.
    """
    session = Session()
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for entry in parse_lines(file):
                if entry is None:
                    session.foreign_lines += 1
                else:
                    session.take(entry)
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror}") from None
    if not session.entries:
        raise RecordingError(
            f"{path} holds no line of a market maker",
            hint="name a file that --log-file or --multi-stream-logs wrote",
        )
    return session


def parse_lines(lines: Iterable[str]) -> Iterator[Entry | None]:
    """Iterate over lines as entries; None for a line that is none of ours, empty ones left out."""
    for line in lines:
        text = line.rstrip("\n")
        if text:
            yield _json_entry(text) if text.startswith("{") else _text_entry(text)


def _json_entry(line: str) -> Entry | None:
    try:
        found = json.loads(line)
        time, level, event = found.pop("timestamp"), found.pop("level"), found.pop("message")
    except (ValueError, KeyError, AttributeError):
        return None
    found.pop("target", None)
    return Entry(str(time), str(level), str(event), found)


def _text_entry(line: str) -> Entry | None:
    match = _PRETTY.fullmatch(line) or _COMPACT.fullmatch(line)
    if match is None:
        return None
    time, level, rest = match.groups()
    pairs = list(_PAIR.finditer(rest))
    event = rest[: pairs[0].start()] if pairs else rest
    fields = {pair[1]: _unquoted(pair[2]) for pair in pairs}
    return Entry(time, _LEVELS.get(level, level), event.strip(), fields)


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        return text


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
