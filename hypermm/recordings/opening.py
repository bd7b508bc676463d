"""Which reader a path needs."""

from pathlib import Path

from hypermm.errors import RecordingError
from hypermm.recordings import foreign, hyperliquid
from hypermm.recordings.files import read_bytes
from hypermm.recordings.hyperliquid import ENDINGS, KINDS
from hypermm.recordings.values import Recording

EXPECTED = (
    "a folder with prices_COIN.csv and trades_COIN.csv (and orderbooks_COIN.csv), .parquet hours, "
    "Binance's streams or the exchange's archive; or one such file, or raw frames"
)


def open_recordings(path: Path | str) -> dict[str, Recording]:
    """Read every coin of a recording. What kind it is shows in the names and first bytes.

    Parameters
    ----------
    path : path
        Of Hyperliquid: a folder with `orderbooks_COIN`, `prices_COIN` and `trades_COIN`, each
        `.csv` or `.csv.gz` (without `orderbooks` the quotes are the book); a file of raw WebSocket
        frames (a stamp, a space, the frame on each line); files of the exchange's archive (JSON
        lines), plain, `.gz` or `.lz4`, or the folder above them; a CSV of books and trades in one.
        Of others: Aster's CSV files, StandX's and Binance's Parquet hours, Binance's streams (a
        stamp, a space, the message) and depth files.

    Returns
    -------
    dict of str to Recording
        By coin.

    Raises
    ------
    RecordingError
        If a file is missing, truncated or not of its format.
    """
    path = Path(path)
    if path.is_dir():
        return _open_folder(path)
    if not path.is_file():
        raise RecordingError(f"{path}: no such file or folder", hint=f"expected {EXPECTED}")
    kind, _, name = path.name.partition("_")
    coin = next((name.removesuffix(end) for end in ENDINGS if name.endswith(end)), "")
    if kind in KINDS and coin:
        return _read_coins(path.parent, [coin])
    if path.suffix == ".parquet":
        return _read_parquet([path])
    return _read_files([path])


def _open_folder(path: Path) -> dict[str, Recording]:
    coins = hyperliquid.coins_of(path)
    if coins:
        return _read_coins(path, coins)
    files = sorted(
        file
        for file in path.rglob("*")
        if file.is_file() and file.name.endswith((".parquet", ".gz", ".lz4", ".json"))
    )
    inner = sorted({file.parent for file in files if hyperliquid.coins_of(file.parent)})
    if inner:
        raise RecordingError(
            f"{path}: there are several recordings in here",
            hint=f"choose one: {', '.join(folder.name for folder in inner[:8])}",
        )
    parquet = [file for file in files if file.suffix == ".parquet"]
    if parquet:
        return _read_parquet(parquet)
    if not files:
        raise RecordingError(f"{path}: no recording in this folder", hint=f"expected {EXPECTED}")
    return _read_files(files)


def _read_coins(folder: Path, coins: list[str]) -> dict[str, Recording]:
    found = {}
    for asset_id, coin in enumerate(coins):
        prices = hyperliquid.find(folder, "prices", coin)
        is_aster = prices is not None and read_bytes(prices).startswith(b"unix_timestamp,")
        read = foreign.read_aster if is_aster else hyperliquid.read_csv
        recording = read(folder, coin, asset_id)
        found[recording.instrument.coin] = recording
    return found


def _read_parquet(files: list[Path]) -> dict[str, Recording]:
    """Read hours of books with the trades that lie beside them."""
    for head, read in (("orderbook_", foreign.read_standx), ("lobdeep_", foreign.read_deep)):
        books = [file for file in files if file.name.startswith(head)]
        if books:
            trades = [file.with_name(file.name.replace(head, "trades_")) for file in books]
            missing = [file for file in trades if not file.is_file()]
            if missing:
                raise RecordingError(f"{missing[0]} is missing: the trades of the books beside it")
            return read(books, trades, 0)
    raise RecordingError(
        f"{files[0]}: no Parquet file of books", hint="expected orderbook_SYMBOL_* or lobdeep_*"
    )


def _read_files(files: list[Path]) -> dict[str, Recording]:
    head = read_bytes(files[0])[:4096]
    first = head.split(b"\n", 1)[0]
    if all(name.encode() in first for name in hyperliquid.MIXED_COLUMNS):
        return hyperliquid.read_mixed(files[0])
    if b'{"channel":' in first or b'"coin":' in first:
        return hyperliquid.read_frames(files)
    if (
        b"lastUpdateId" in first
        or b'"stream":' in head
        or b'"e":' in first[:200].replace(b" ", b"")
    ):
        return foreign.read_binance(_snapshots_first(files))
    return hyperliquid.read_frames(files)  # which says what it expects


def _snapshots_first(files: list[Path]) -> list[Path]:
    return sorted(files, key=lambda file: ("snapshot" not in file.name, file.name))
