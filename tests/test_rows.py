"""Rows: one struct that is one dtype, and windows that copy nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm._core.rows import EMPTY, FIRST, LAST, LEVEL, ROW_DTYPE, TRADE, Rows

INT64 = st.integers(-(2**63), 2**63 - 1)
FIELDS = st.fixed_dictionaries(
    {
        "kind": st.integers(0, 255),
        "side": st.integers(-128, 127),
        "exch_ns": INT64,
        "price": INT64,
        "size": INT64,
        "id": INT64,
        "count": st.integers(0, 2**32 - 1),
        "index": st.integers(0, 255),
        "flags": st.integers(0, 255),
    }
)


@given(st.lists(FIELDS, max_size=20))
def test_what_is_appended_is_what_numpy_reads(many):
    """The C struct and the dtype are the same memory: every field at every value."""
    rows = Rows.allocate(len(many))

    for one in many:
        rows.append(**one)

    assert len(rows) == len(many)
    assert [dict(zip(ROW_DTYPE.names, row.tolist(), strict=True)) for row in rows.array] == [
        {name: one[name] for name in ROW_DTYPE.names} for one in many
    ]


def test_a_row_has_no_hidden_padding():
    """A recording written by numpy is read by the kernels as it is."""
    assert ROW_DTYPE.itemsize == 40
    assert sum(ROW_DTYPE[name].itemsize for name in ROW_DTYPE.names) == 40


def test_a_window_is_a_view():
    """A batch is a slice of the session's buffer or of a recording: nothing is copied."""
    array = np.zeros(5, ROW_DTYPE)
    rows = Rows(array)

    window = rows.window(1, 4)
    array["price"][2] = 77

    assert len(window) == window.capacity == 3
    assert window.array["price"].tolist() == [0, 77, 0]
    assert np.shares_memory(window.array, array)
    assert window.window(1, 2).array["price"].tolist() == [77]


def test_a_window_keeps_its_memory_alive():
    """The parent may be gone before the batch is read."""
    window = Rows(np.full(3, np.array((1, 2, 3, 4, 5, 1, 1, 0, 0), ROW_DTYPE))).window(1, 3)

    assert window.array["price"].tolist() == [2, 2]


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (0, 4), (3, 2), (4, 4)])
def test_a_window_outside_the_rows_in_use_is_refused(start, stop):
    """Rows beyond the length are left over from an earlier batch."""
    rows = Rows.allocate(10)
    for _ in range(3):
        rows.append(kind=TRADE)

    with pytest.raises(IndexError, match="do not lie inside"):
        rows.window(start, stop)


def test_a_full_window_refuses_another_row():
    """The buffer is bounded; whoever fills it has to know."""
    rows = Rows.allocate(1)
    rows.append(kind=LEVEL, flags=FIRST | LAST)

    with pytest.raises(OverflowError, match="holds 1 rows"):
        rows.append(kind=LEVEL)
    assert len(rows) == 1


def test_a_cleared_window_is_used_again_from_clean_rows():
    """No field of an earlier frame may shine through."""
    rows = Rows.allocate(2)
    rows.append(kind=LEVEL, price=5, size=6, id=7, count=8, index=9, flags=15, side=-1)

    rows.clear()
    rows.append(kind=TRADE)

    assert rows.array[0].tolist() == (0, 0, 0, 0, 0, TRADE, 0, 0, 0)


@pytest.mark.parametrize(
    "array",
    [np.zeros(3), np.zeros((2, 2), ROW_DTYPE), np.zeros(6, ROW_DTYPE)[::2]],
    ids=["dtype", "shape", "stride"],
)
def test_an_array_of_another_form_is_refused(array):
    """The kernels walk it as C structs, one after the other."""
    with pytest.raises(ValueError, match="must be"):
        Rows(array)


def test_empty_rows_are_harmless():
    """A timer brings no rows."""
    assert len(EMPTY) == 0
    assert len(EMPTY.window(0, 0)) == 0
    with pytest.raises(OverflowError):
        EMPTY.append(kind=TRADE)
    with pytest.raises(ValueError, match="capacity"):
        Rows.allocate(-1)
