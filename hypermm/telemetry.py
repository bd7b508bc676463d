"""What leaves the process for people: notices as log lines, a snapshot as metrics.

A line has a fixed event name and fields whose names end in their units. Text from outside is
escaped, so that a line stays a line. Nothing here is called on the decision path.
"""

import contextlib
import json
import logging
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
FILE_MODE = 0o640

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
        parts.append(f"{name}={json.dumps(text) if ' ' in text or not text else text}")
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


def start_logging(*, level: str, form: str, file: Path | None) -> None:
    """Send log lines to the terminal or, if given, to a file (mode 0640).

    Raises
    ------
    ConfigError
        If the file cannot be written.
    """
    handler: logging.Handler = logging.StreamHandler(sys.stdout)
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            handler = _File(file, encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"log file {file} cannot be written: {error.strerror}",
                hint="choose another --log-file, or change its permissions",
            ) from None
    handler.setFormatter(FORMATTERS[form]())
    for old in LOGGER.handlers[:]:
        LOGGER.removeHandler(old)
        old.close()
    LOGGER.addHandler(handler)
    LOGGER.setLevel(Level[level.upper()].value)
    LOGGER.propagate = False
    logging.raiseExceptions = False  # a full disk must never stop a cancel


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
