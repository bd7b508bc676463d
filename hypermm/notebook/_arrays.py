"""What every function for notebooks shares: arrays checked by name, and the form of a result."""

from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@frozen
class Estimate:
    """A number with what is known about it.

    Parameters
    ----------
    value : float
        The estimate.
    standard_error : float
        Its standard error; NaN where none is defined.
    n : float
        Observations that it rests on (effective ones where they are weighted).
    unit : str
        Unit of value and standard error, such as `1/bps`.
    """

    value: float
    standard_error: float
    n: float
    unit: str

    def __float__(self) -> float:
        return self.value

    def interval(self, z: float = 1.96) -> tuple[float, float]:
        """Return value - z se and value + z se."""
        return self.value - z * self.standard_error, self.value + z * self.standard_error


def floats(name: str, values: ArrayLike, *, least: int = 0, rule: str = "finite") -> Floats:
    """Take a one-dimensional array of floats; contiguous float64 is not copied.

    Parameters
    ----------
    name : str
        Name of the argument, for the error text.
    values : array_like
        Anything that numpy turns into numbers: lists, series, columns.
    least : int
        Fewest elements.
    rule : str
        `finite`, `positive`, `non-negative` or `increasing` (not strictly); `any` where the
        kernel checks every element itself.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken.
    """
    raw: NDArray[Any] = np.asarray(values)
    if raw.dtype.kind not in "fiu" and raw.size:
        raise ValueError(f"{name} must hold numbers: dtype {raw.dtype}")
    array = np.ascontiguousarray(raw, dtype=np.float64)
    if raw.ndim != 1:
        raise ValueError(f"{name} must have one dimension: shape {raw.shape}")
    if array.size < least:
        raise ValueError(f"{name} must have at least {least} elements: {array.size}")
    if rule == "any":
        return array
    _refuse(name, array, ~np.isfinite(array), "finite")
    match rule:
        case "finite":
            pass
        case "positive":
            _refuse(name, array, ~(array > 0.0), "> 0")
        case "non-negative":
            _refuse(name, array, ~(array >= 0.0), ">= 0")
        case "increasing":
            steps = np.diff(array) < 0.0
            _refuse(name, array[1:], steps, "not below the element before it", first=1)
        case _:
            raise AssertionError(f"unknown rule {rule!r}")
    return array


def _refuse(name: str, array: Floats, broken: NDArray[np.bool_], rule: str, first: int = 0) -> None:
    if broken.any():
        i = int(np.argmax(broken))
        raise ValueError(f"{name}[{i + first}] must be {rule}: {array[i]}")


def number(name: str, value: float, *, low: float = -np.inf, is_open: bool = False) -> float:
    """Take a finite number of at least `low` (above it if `is_open`).

    Raises
    ------
    ValueError
        Naming the argument and the rule that is broken.
    """
    given = float(value)
    inside = given > low if is_open else given >= low
    if not (inside and np.isfinite(given)):
        sign = ">" if is_open else ">="
        rule = "finite" if low == -np.inf else f"finite and {sign} {low:g}"
        raise ValueError(f"{name} must be {rule}: {value}")
    return given


def output(name: str, out: Floats | None, n: int) -> Floats:
    """Take the caller's array for the result, or make one.

    Raises
    ------
    ValueError
        If it is not writable contiguous float64 of length `n`.
    """
    if out is None:
        return np.empty(n)
    given: Any = out  # a caller may hand in anything
    fits = isinstance(given, np.ndarray) and given.dtype == np.float64 and given.shape == (n,)
    if not (fits and out.flags.c_contiguous and out.flags.writeable):
        raise ValueError(f"{name} must be a writable contiguous float64 array of length {n}")
    return out
