"""What leaves the process for people: notices as log lines, a snapshot as metrics.

A line has a fixed event name and fields whose names end in their units. Text from outside is
escaped, so that a line stays a line. Nothing here is called on the decision path.
"""

import contextlib
import json
import logging
import re
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any

from hypermm.errors import ConfigError, redact
from hypermm.messages import Level, Notice

LOGGER = logging.getLogger("hypermm")
MAX_FIELD_CHARS = 2048
_PLAIN = re.compile(r'[^\s"=\\]+')  # a value that is read back without quotes around it
FILE_MODE = 0o640

# The stream of an event: a level of its own in `[logging.levels]`, and a file of its own with
# `--multi-stream-logs`. Whatever is not named here is of the stream `system`.
STREAMS: dict[str, tuple[str, ...]] = {
    "quotes": (
        "Calculated ladder",
        "Quote cycle",
        "Quoting again",
        "No quotes",
        "Order refused",
        "Side paused",
        "Action denied",
        "Order ended by the exchange",
        "Order no longer known to the exchange",
        "Unknown order status",
    ),
    "fills": (
        "Fill processed",
        "Fill of a finished order",
        "Fills missing",
        "Order filled beyond its size",
    ),
    "risk": (
        "KILL SWITCH TRIGGERED",
        "Kill switch condition detected",
        "Cascade detected",
        "Reduce-only mode",
        "Quotes pulled",
        "Data staleness exceeded",
        "Position adopted from the exchange",
        "Audit overdue, quotes pulled",
    ),
    "market": (
        "Trades processed",
        "Warming up parameter estimator",
        "Parameter estimation warmed up",
    ),
}
SYSTEM = "system"
_STREAM_OF = {event: stream for stream, events in STREAMS.items() for event in events}


def stream_of(event: str) -> str:
    """Return the stream of an event."""
    return _STREAM_OF.get(event, SYSTEM)


for _level in Level:
    logging.addLevelName(_level.value, _level.name)


def escaped(text: str) -> str:
    """Escape control characters, hide what may be a key, and cut at `MAX_FIELD_CHARS`."""
    clean = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in redact(text)
    )
    return clean if len(clean) <= MAX_FIELD_CHARS else clean[:MAX_FIELD_CHARS] + "…"


def _timestamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    return getattr(record, "fields", {})


def _pairs(fields: Mapping[str, Any]) -> str:
    parts = []
    for name, value in fields.items():
        text = escaped(value if isinstance(value, str) else json.dumps(value, default=str))
        is_plain = _PLAIN.fullmatch(text) is not None
        parts.append(f"{name}={text if is_plain else json.dumps(text, ensure_ascii=False)}")
    return " ".join(parts)


class _File(WatchedFileHandler):
    """A log file of mode 0640 that is opened anew after a rotation, and never raises."""

    def _open(self) -> Any:
        stream = super()._open()
        Path(self.baseFilename).chmod(FILE_MODE)
        return stream

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError:  # the folder is gone or the disk is full: trading goes on without a log
            self.handleError(record)


class PrettyFormatter(logging.Formatter):
    """A line for a person: time, level, event, fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Format one record."""
        line = f"{_timestamp(record)} {record.levelname:>5}  {escaped(record.getMessage())}"
        pairs = _pairs(_fields(record))
        return f"{line:<66}  {pairs}" if pairs else line


class CompactFormatter(logging.Formatter):
    """The shortest line that is still complete."""

    def format(self, record: logging.LogRecord) -> str:
        """Format one record."""
        pairs = _pairs(_fields(record))
        message = escaped(record.getMessage())
        return f"{_timestamp(record)[11:]} {record.levelname[0]} {message} {pairs}".rstrip()


class JsonFormatter(logging.Formatter):
    """One JSON object a line: timestamp, level, target, message, fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Format one record."""
        fields = {
            name: escaped(value) if isinstance(value, str) else value
            for name, value in _fields(record).items()
        }
        entry = {
            "timestamp": _timestamp(record),
            "level": record.levelname,
            "target": record.name,
            "message": escaped(record.getMessage()),
            **fields,
        }
        return json.dumps(entry, default=str)


FORMATTERS: dict[str, type[logging.Formatter]] = {
    "pretty": PrettyFormatter,
    "json": JsonFormatter,
    "compact": CompactFormatter,
}


class _OfStream(logging.Filter):
    """Passes the lines of one stream."""

    def __init__(self, stream: str) -> None:
        super().__init__()
        self._stream = stream

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record belongs to it."""
        return stream_of(record.getMessage()) == self._stream


class _AtLeast(logging.Filter):
    """Holds each stream to the level that the operator gave it."""

    def __init__(self, levels: Mapping[str, int], usual: int) -> None:
        super().__init__()
        self._levels = levels
        self._usual = usual

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is severe enough for its stream."""
        return record.levelno >= self._levels.get(stream_of(record.getMessage()), self._usual)


def log_name(place: str, asset: str, moment: datetime) -> str:
    """Return the name of a session's log: `mm_{network or dex}_{asset}_{date}_{time}`."""
    return f"mm_{place}_{asset.replace(':', '-').replace('/', '-')}_{moment:%Y-%m-%d_%H-%M-%S}"


def start_logging(
    *,
    level: str,
    form: str,
    file: Path | None,
    levels: Mapping[str, str] | None = None,
    streams: Path | None = None,
) -> None:
    """Send log lines to the terminal or, if given, to files (mode 0640).

    Parameters
    ----------
    level, form : str
        Least severity, and the form of a line.
    file : Path or None
        File of all lines, instead of the terminal.
    levels : mapping of str to str, optional
        Least severity of single streams, over `level`.
    streams : Path or None
        Stem of one more file for each stream: `STEM_fills.log` and so on.

    Raises
    ------
    ConfigError
        If a file cannot be written.
    """
    handlers: list[logging.Handler] = []
    if file is not None:
        handlers.append(_open_file(file))
    elif streams is None:
        handlers.append(logging.StreamHandler(sys.stdout))
    if streams is not None:
        for stream in (*STREAMS, SYSTEM):
            handler = _open_file(streams.with_name(f"{streams.name}_{stream}.log"))
            handler.addFilter(_OfStream(stream))
            handlers.append(handler)
    usual = Level[level.upper()].value
    own = {stream: Level[word.upper()].value for stream, word in (levels or {}).items() if word}
    for old in LOGGER.handlers[:]:
        LOGGER.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.setFormatter(FORMATTERS[form]())
        handler.addFilter(_AtLeast(own, usual))
        LOGGER.addHandler(handler)
    LOGGER.setLevel(min(usual, *own.values()) if own else usual)
    LOGGER.propagate = False
    logging.raiseExceptions = False  # a full disk must never stop a cancel


def _open_file(path: Path) -> logging.Handler:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _File(path, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"log file {path} cannot be written: {error.strerror}",
            hint="choose another --log-file or --log-dir, or change its permissions",
        ) from None


def write(notice: Notice) -> None:
    """Write one notice as a log line, if its level is written at all."""
    if LOGGER.isEnabledFor(notice.level.value):
        LOGGER.log(notice.level.value, "%s", notice.event, extra={"fields": notice.fields})


def reopen() -> None:
    """Open the log file anew, after a rotation has renamed it."""
    for handler in LOGGER.handlers:
        if isinstance(handler, _File):
            with contextlib.suppress(OSError):
                handler.reopenIfNeeded()


def write_error(event: str, error: BaseException) -> None:
    """Write an error of ours with its places in the code; values of variables are not shown."""
    places = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{Path(p.filename).name}:{p.lineno} {p.name}" for p in reversed(places))
    fields = {"error": f"{type(error).__name__}: {error}", "where": where}
    write(Notice(Level.ERROR, event, fields))
