"""JSON as the exchange reads and prints it: strict where Python's reader is not."""

import json
from typing import Any, NoReturn


class RepeatedFieldError(Exception):
    """An object names a field twice."""


def dumps(value: Any) -> str:
    """Encode as the exchange does: no spaces."""
    return json.dumps(value, separators=(",", ":"))


def loads(text: str) -> Any:
    """Read one JSON value. Raises as `loads_first`, and ValueError if more follows."""
    value, rest = _read(text)
    if rest.strip():
        raise ValueError("more than one value")
    return value


def loads_first(text: str) -> Any:
    """Read the first JSON value of a text; what follows it is ignored, as `/info` does.

    Raises
    ------
    ValueError
        If it is not JSON: Python's `NaN` is not, nor half of a surrogate pair.
    RepeatedFieldError
        If an object names a field twice.
    """
    return _read(text)[0]


def _read(text: str) -> tuple[Any, str]:
    """Return the first value and what follows it."""
    text = text.lstrip()
    try:
        value, end = _READER.raw_decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("too deep") from None
    return value, text[end:]


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise RepeatedFieldError
    return fields


_READER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse)
