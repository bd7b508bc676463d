"""The state directory: what must outlive a process, in one folder per network and account.

It holds what the exchange cannot tell: that an operator has to look (kill latch), what the UTC day
brought so far (day figures), which nonces may be used up, and who runs on the account (lock). Every
write is whole or absent: a new file is written, flushed to the disk and renamed over the old one.
A damaged file is set aside under another name and reported; only a damaged latch still counts, as
a latch. Time is an argument.
"""

import fcntl
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import attrs
from attrs import frozen

from hypermm.errors import ConfigError, StartRefusedError
from hypermm.ledger import DayFigures
from hypermm.risk import Latch

NONCE_BLOCK_MS = 60_000  # nonces reserved by one write: at one nonce a ms, one write a minute
FILE_BYTES_MAX = 64 * 1024  # our own files are far smaller; anything longer is damage
DIRECTORY_MODE = 0o700
FILE_MODE = 0o600

TEXT_CHARS_MAX = 1_000

DAY_NS = 86_400 * 10**9
DAYS_MAX = 100_000  # the year 2243
USD_MAX = 1e15
# Numbers beyond these were not written by us: JSON's 1e999 is infinite, and a process -1 is all.
_BOUNDS: dict[str, tuple[float, float]] = {
    "utc_day": (0, DAYS_MAX),
    "start_equity_usd": (-USD_MAX, USD_MAX),
    "pnl_usd": (-USD_MAX, USD_MAX),
    "peak_usd": (0.0, USD_MAX),
    "position": (-(1 << 53), 1 << 53),
    "mark_price": (0.0, 1e18),
    "exch_ns": (0, DAYS_MAX * DAY_NS),
    "at_exch_ns": (0, DAYS_MAX * DAY_NS),
    "nonce": (0, DAYS_MAX * DAY_NS // 10**6),
    "pid": (2, 1 << 22),
    "port": (1, 65_535),
}
NONCE_AHEAD_MS = 86_400_000  # what the exchange takes beyond its clock; later ones it refuses

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)
_KEY = re.compile(r"0x[0-9a-f]{64}", re.ASCII)

T = TypeVar("T")


@frozen
class Kept(Generic[T]):
    """What a file held; `set_aside` names the copy of a damaged file, which then held nothing."""

    value: T
    set_aside: Path | None = None


@frozen
class _Reserved:
    """Nonces up to this one may be used up. In an object, so that a cut file is seen as damage."""

    nonce: int


@frozen
class EmbeddedExchange:
    """The exchange process that a run started: it ends with a graceful stop of that run."""

    pid: int
    port: int


def state_root(environ: Mapping[str, str]) -> Path:
    """Return the folder of all state: `hypermm` in the XDG state home."""
    home = environ.get("XDG_STATE_HOME", "")
    if home and Path(home).is_absolute():  # the standard says that relative ones are ignored
        return Path(home) / "hypermm"
    return Path(environ.get("HOME") or Path.home()) / ".local" / "state" / "hypermm"


@contextmanager
def _telling_the_operator(path: Path) -> Iterator[None]:
    """Turn a failing disk into an error that names the file and the next step."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"the state directory cannot be used: {path}: {error.strerror or error}",
            hint="make it writable, free disk space, or set XDG_STATE_HOME to another folder",
        ) from error


class _Folder:
    """A private folder with small JSON files that are written whole."""

    def __init__(self, root: Path, *names: str) -> None:
        for name in names:
            if not _NAME.fullmatch(name):
                raise ConfigError(f"not usable as the name of a folder: {name[:60]!r}")
        self.path = root.joinpath(*names)
        with _telling_the_operator(self.path):
            self.path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            for folder in (self.path, *self.path.parents):
                if folder == root:
                    break
                folder.chmod(DIRECTORY_MODE)  # `parents` get the mode that the umask leaves
            if not os.access(self.path, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(13, "Permission denied", str(self.path))

    def _write(self, name: str, text: str) -> None:
        target, fresh = self.path / name, self.path / f"{name}.new"
        with _telling_the_operator(target):
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(target)
            self._flush_names()

    def _flush_names(self) -> None:
        """Make a rename or removal in this folder survive a loss of power."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _read(self, name: str) -> str | None:
        """Return the file's text, None if there is none. Raises ValueError for damage."""
        with _telling_the_operator(self.path / name):
            try:
                with (self.path / name).open("rb") as file:
                    data = file.read(FILE_BYTES_MAX + 1)
            except FileNotFoundError:
                return None
        if len(data) > FILE_BYTES_MAX:
            raise ValueError(f"longer than {FILE_BYTES_MAX} bytes")
        return data.decode("ascii")

    def _remove(self, name: str) -> None:
        with _telling_the_operator(self.path / name):
            (self.path / name).unlink(missing_ok=True)
            self._flush_names()

    def _set_aside(self, name: str, wall_ms: int) -> Path:
        damaged = self.path / name
        aside = self.path / f"{name}.damaged-{wall_ms}"
        with _telling_the_operator(damaged):
            damaged.replace(aside)
            self._flush_names()
        return aside


def _loads(text: str) -> Any:
    """Parse JSON without the constants that Python adds to it."""

    def refuse(constant: str) -> None:
        raise ValueError(f"not JSON: {constant}")

    return json.loads(text, parse_constant=refuse)


def _structure(text: str, cls: type[T]) -> T:
    """Build a frozen value from JSON: every field with its own type and bounds, and no other."""
    data = _loads(text)
    fields = attrs.fields_dict(cls)  # type: ignore[arg-type]
    if not isinstance(data, dict) or data.keys() != fields.keys():
        raise ValueError(f"expected the fields {', '.join(fields)}")
    for name, attribute in fields.items():
        value, expected = data[name], attribute.type
        if expected is float and type(value) is int:
            data[name] = float(value)
        elif type(value) is not expected:
            raise ValueError(f"{name} is a {type(value).__name__}, expected {expected}")
        if expected is str:
            data[name] = _printable(value)
            continue
        low, high = _BOUNDS[name]
        if not low <= data[name] <= high:  # NaN compares false and lands here
            raise ValueError(f"{name} is not within {low:g} to {high:g}")
    return cls(**data)


def _printable(text: str) -> str:
    """Escape what could steer the terminal of whoever is shown a text from a file."""
    shown = text[:TEXT_CHARS_MAX]
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown)


def _dump(value: Any) -> str:
    return json.dumps(attrs.asdict(value), allow_nan=False) + "\n"


class StateDirectory(_Folder):
    """State of one account on one network.

    Parameters
    ----------
    root : Path
        Folder of all state, see `state_root`.
    network : str
        `mainnet`, `testnet` or `localhost`.
    account : str
        Address of the account.

    Raises
    ------
    ConfigError
        If the folder cannot be made or written. Every method raises it when the disk fails.
    """

    def __init__(self, root: Path, network: str, account: str) -> None:
        super().__init__(root, network, account.lower())
        self._lock: int | None = None
        self._reserved = 0

    def lock(self) -> Self:
        """Hold the account for this process until `release` or its end, even by `kill -9`.

        Raises
        ------
        StartRefusedError
            If another process holds it.
        """
        assert self._lock is None, "the lock is held already"
        path = self.path / "lock"
        with _telling_the_operator(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
                os.close(descriptor)
                raise StartRefusedError(
                    f"another hypermm holds this account (pid {holder or 'unknown'}): {self.path}",
                    hint="stop it first, or use another account",
                ) from error
            os.truncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode("ascii"))
        self._lock = descriptor
        return self

    @property
    def holder(self) -> int | None:
        """Process that holds the account; None if nobody does."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(descriptor, 20).decode("ascii", "replace").strip()
            return int(pid) if pid.isdigit() else 0
        else:
            return None
        finally:
            os.close(descriptor)  # and with it a lock that was only tried

    def release(self) -> None:
        """Give the account up."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self if self._lock is not None else self.lock()

    def __exit__(self, *_: object) -> None:
        self.release()

    def latch(self) -> Latch | None:
        """Return the kill latch that stands, None if trading is allowed."""
        try:
            text = self._read("kill.json")
            return None if text is None else _structure(text, Latch)
        except ValueError as error:  # somebody latched; what was written cannot be read
            return Latch(reason=f"the latch file is damaged: {error}", at_exch_ns=0)

    def write_latch(self, latch: Latch) -> None:
        """Refuse every later start until an operator clears it."""
        self._write("kill.json", _dump(latch))

    def clear_latch(self) -> Latch | None:
        """Allow starts again. Returns the latch that stood."""
        latch = self.latch()
        self._remove("kill.json")
        return latch

    def write_view(self, view: Mapping[str, Any]) -> None:
        """Show what runs to other processes. Not kept across a loss of power."""
        target, fresh = self.path / "view.json", self.path / "view.json.new"
        with _telling_the_operator(target):
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                json.dump(view, file, allow_nan=False)
            fresh.replace(target)

    def view(self) -> dict[str, Any] | None:
        """Return what the process that holds the account shows of itself; None if it does not."""
        if self.holder is None:
            return None
        try:
            found = json.loads(self._read("view.json") or "null")
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    def day(self, wall_ms: int) -> Kept[DayFigures | None]:
        """Return the figures of the day that was last written; the caller compares the day."""
        try:
            text = self._read("day.json")
            figures = None if text is None else _structure(text, DayFigures)
            # Fills up to this stamp count as booked: one in the future would hide all to come.
            if figures is not None and figures.exch_ns > (figures.utc_day + 1) * DAY_NS:
                raise ValueError("exch_ns is after the day")
            return Kept(figures)
        except ValueError:
            return Kept(None, self._set_aside("day.json", wall_ms))

    def write_day(self, figures: DayFigures) -> None:
        """Keep the figures of the day across a crash."""
        self._write("day.json", _dump(figures))

    def nonce_high_water(self, wall_ms: int) -> Kept[int]:
        """Return a number that no nonce of an earlier process lies above; 0 if none was used."""
        try:
            text = self._read("nonce.json")
            self._reserved = 0 if text is None else _structure(text, _Reserved).nonce
            if self._reserved > wall_ms + NONCE_AHEAD_MS:
                raise ValueError("nonce is more than a day ahead")
        except ValueError:
            self._reserved = 0
            return Kept(0, self._set_aside("nonce.json", wall_ms))
        return Kept(self._reserved)

    def reserve_nonce(self, nonce: int) -> None:
        """Make the disk know of `nonce` before it is used; writes once in many calls."""
        if nonce > self._reserved:
            self._reserved = nonce + NONCE_BLOCK_MS
            self._write("nonce.json", _dump(_Reserved(self._reserved)))


class LocalState(_Folder):
    """State of the embedded exchange: its throw-away key and the process that a run started.

    It lies beside the accounts of `localhost`, because the account follows from the key.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root, "localhost")

    def key(self, wall_ms: int, make: Callable[[], str] | None = None) -> str:
        """Return the throw-away private key, made at the first call. Never print it."""
        try:
            text = self._read("exchange.key")
            if text is not None and _KEY.fullmatch(text.strip()):
                return text.strip()
        except ValueError:
            text = ""
        if text is not None:
            self._set_aside("exchange.key", wall_ms)
        key = make() if make is not None else "0x" + secrets.token_hex(32)
        self._write("exchange.key", key + "\n")
        return key

    def exchange(self) -> EmbeddedExchange | None:
        """Return the exchange that an earlier or this run started; it may be gone by now."""
        try:
            text = self._read("exchange.json")
            return None if text is None else _structure(text, EmbeddedExchange)
        except ValueError:
            return None

    def write_exchange(self, exchange: EmbeddedExchange) -> None:
        """Remember the exchange process, so that a later run can end it."""
        self._write("exchange.json", _dump(exchange))

    def clear_exchange(self) -> None:
        """Forget it: the process has ended."""
        self._remove("exchange.json")
