"""Files on disk, whatever packs them. The only place that knows lz4 and Parquet."""

import gzip
import zlib
from pathlib import Path
from typing import Any

from hypermm.errors import RecordingError

RESEARCH = "pip install 'hypermm[research]'"


def read_bytes(path: Path) -> bytes:
    """Read a whole file, unpacked by its ending. Raises RecordingError if it cannot be."""
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as packed:
                data = packed.read()
        elif path.suffix == ".lz4":
            data = _read_lz4(path)
        else:
            data = path.read_bytes()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RecordingError(
            f"{path}: the compressed file is truncated or damaged ({error})",
            hint="fetch it again, or unpack what can be saved and cut it at a whole line",
        ) from error
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not data.strip():
        raise RecordingError(f"{path}: the file is empty", hint="expected recorded market data")
    return data


def _read_lz4(path: Path) -> bytes:
    try:
        import lz4.frame
    except ImportError as error:
        raise RecordingError(f"{path}: reading .lz4 needs lz4", hint=RESEARCH) from error
    try:
        return bytes(lz4.frame.decompress(path.read_bytes()))
    except RuntimeError as error:
        raise EOFError(str(error)) from error


def read_columns(path: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """Read columns of a Parquet file: numpy arrays, lists as one flat array and their lengths.

    A column of lists gives `(values, lengths)`. Raises RecordingError if the file is damaged or a
    column is missing.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise RecordingError(f"{path}: reading .parquet needs pyarrow", hint=RESEARCH) from error
    try:
        present = parquet.read_schema(path).names
        missing = [name for name in names if name not in present]
        if missing:
            raise RecordingError(f"{path}: no column {missing[0]!r} in {', '.join(present)[:160]}")
        table = parquet.read_table(path, columns=list(names)).combine_chunks()
    except (pa.ArrowException, OSError) as error:
        raise RecordingError(
            f"{path}: not a whole Parquet file ({str(error).splitlines()[0][:120]})",
            hint="fetch it again",
        ) from error
    found: dict[str, Any] = {}
    for name in names:
        column = table[name]
        if column.null_count:
            raise RecordingError(f"{path}: {column.null_count} empty cells in column {name!r}")
        if pa.types.is_list(column.type):
            column = column.combine_chunks()
            lengths = column.value_lengths().to_numpy()
            found[name] = (column.flatten().to_numpy(), lengths)
        elif pa.types.is_timestamp(column.type):
            found[name] = column.cast(pa.timestamp("ns")).cast(pa.int64()).to_numpy()
        else:
            found[name] = column.to_numpy()
    return found
