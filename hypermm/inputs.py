"""All that went into an engine and what came out, on disk: for an audit of what it did.

A file begins with a line of JSON that says how the engine was made, without the key. Each step
follows: its time, the rows as they were, the private events as JSON, and the actions in the form of
the digest. What an unfinished write left at the end is not read.
"""

import json
import os
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from struct import Struct
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from attrs import asdict, fields, frozen

from hypermm import ledger, messages, risk
from hypermm._core.rows import ROW_DTYPE, Rows
from hypermm.config import Config
from hypermm.engine.digest import printed
from hypermm.errors import RecordingError
from hypermm.instrument import Instrument
from hypermm.messages import Action, Batch

FORMAT: Final = 1
FILE_MODE: Final = 0o640  # as log files
SECRET: Final = ".private_key"  # noqa: S105
RULES: Final = (
    "coin", "asset_id", "size_decimals", "decimals_cap", "max_leverage", "is_isolated_only",
    "dex", "collateral",
)  # fmt: skip
_HEAD: Final = Struct("<qIII")
_CLASSES: Final = {
    name: value
    for module in (messages, ledger, risk)
    for name, value in vars(module).items()
    if isinstance(value, type)
}


@frozen
class Step:
    """One call of the engine and its answer."""

    now_ns: int
    batch: Batch
    actions: str  # as the digest prints them, one a line


def print_actions(actions: tuple[Action, ...]) -> str:
    """Print actions so that two lists differ in print if they differ at all."""
    return "\n".join(map(printed, actions))


class InputLog:
    """Writes the steps of one engine; `header` says how it was made."""

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
            self._file = os.fdopen(descriptor, "wb")
        except OSError as error:
            raise RecordingError(f"{path} cannot be written: {error.strerror}") from None
        self._file.write(json.dumps({"format": FORMAT, **encode(header)}).encode() + b"\n")

    def absorb(self, batch: Batch, actions: tuple[Action, ...], now_ns: int) -> None:
        """Add one step."""
        rows = batch.rows.array.tobytes()
        private = json.dumps(encode(batch.private)).encode() if batch.private else b""
        done = print_actions(actions).encode()
        self._file.write(_HEAD.pack(now_ns, len(rows), len(private), len(done)))
        self._file.write(rows + private + done)

    def close(self) -> None:
        """Write out what is buffered."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()


def open_log(
    path: Path, config: Config, instrument: Instrument, made: Mapping[str, Any]
) -> InputLog:
    """Begin the record of an engine.

    Parameters
    ----------
    path : path
        Written over if it exists.
    config, instrument
        As given to the engine. The key is left out.
    made : mapping
        The other arguments of the engine, by name.
    """
    settings = {
        name: value
        for name, value in _flat(asdict(config))
        if value is not None and not name.endswith(SECRET)
    }
    rules = {name: getattr(instrument, name) for name in RULES}
    return InputLog(path, {"config": settings, "instrument": rules, "made": dict(made)})


def _flat(values: Any, head: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, dict) and value:
            found += _flat(value, f"{head}{name}.")
        elif not isinstance(value, dict):
            found.append((head + name, value))
    return found


def read_inputs(path: Path) -> tuple[dict[str, Any], Iterator[Step]]:
    """Return the header of a file, and its steps one by one.

    Raises
    ------
    RecordingError
        If it cannot be read or is no such file; a torn last step is left out.
    """
    try:
        data = memoryview(path.read_bytes())
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror})") from None
    line = bytes(data[: 1 << 20]).partition(b"\n")[0]
    try:
        header = decode(json.loads(line))
        known = header["format"] == FORMAT
    except (ValueError, KeyError, TypeError, AttributeError):
        known = False
    if not known:
        raise RecordingError(f"{path}: no record of an engine's inputs, or of another version")
    return header, _steps(path, data[len(line) + 1 :])


def _steps(path: Path, data: memoryview) -> Iterator[Step]:
    at, number = 0, 0
    while at + _HEAD.size <= len(data):
        now_ns, *sizes = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        if at + sum(sizes) > len(data):
            return
        parts = []
        for size in sizes:
            parts.append(bytes(data[at : at + size]))
            at += size
        number += 1
        try:
            rows = Rows(np.frombuffer(bytearray(parts[0]), ROW_DTYPE))
            private = decode(json.loads(parts[1])) if parts[1] else ()
            yield Step(now_ns, Batch(rows, private), parts[2].decode())
        except (ValueError, KeyError, TypeError) as error:
            raise RecordingError(
                f"{path}, step {number}: damaged ({str(error)[:80]})",
                hint="fetch the file again; the steps before this one are whole",
            ) from error


def encode(value: Any) -> Any:
    """Turn frozen values into what JSON holds."""
    if isinstance(value, Enum):
        return {"$": type(value).__name__, "of": value.value}
    if hasattr(type(value), "__attrs_attrs__"):
        names = [one.name for one in fields(type(value)) if one.init]
        return {"$": type(value).__name__} | {name: encode(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {name: encode(one) for name, one in value.items()}
    return [encode(one) for one in value] if isinstance(value, tuple | list) else value


def decode(value: Any) -> Any:
    """Turn JSON back into frozen values; lists become tuples."""
    if isinstance(value, list):
        return tuple(decode(one) for one in value)
    if not isinstance(value, dict):
        return value
    found = {name: decode(one) for name, one in value.items() if name != "$"}
    if "$" not in value:
        return found
    cls = _CLASSES[value["$"]]
    return cls(found["of"]) if issubclass(cls, Enum) else cls(**found)
