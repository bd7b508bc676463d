"""What the Hawkes functions for notebooks share."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hypermm.notebook._arrays import Floats, floats


def marks_or_none(marks: ArrayLike | None) -> Floats | None:
    """Take optional marks as an array; the kernel checks their values."""
    return None if marks is None else floats("marks", marks, rule="any")


def is_fresh(times: Floats) -> NDArray[np.bool_]:
    """Say which events are the first of their instant.

    The later ones have residuals of 0, which say nothing about the gaps.
    """
    return np.diff(times, prepend=-1.0) > 0.0
