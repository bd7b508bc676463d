"""The prices that the last check holds orders against."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm._core import rows as r
from hypermm._core.reference import Reference

PRICES = st.integers(1, 10**7)
SIZES = st.integers(0, 3)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([r.TRADE, r.LEVEL, r.QUOTE, r.CONTEXT]),
            st.sampled_from([1, -1]),
            PRICES,
            SIZES,
            st.integers(0, 3),
        ),
        max_size=30,
    )
)
def test_it_shows_what_a_plain_walk_finds(given_rows):
    """The kernel agrees with its reading in plain Python."""
    seen = Reference(1)
    window = r.Rows.allocate(30)
    mark = oracle = mid = 0.0
    touch = {1: 0, -1: 0}
    for kind, side, price, size, index in given_rows:
        raw = price * 10**11 if kind == r.CONTEXT else price
        window.append(kind=kind, side=side, price=raw, size=size, index=index)
        if kind == r.CONTEXT and index == r.MARK:
            mark = float(price)
        elif kind == r.CONTEXT and index == r.ORACLE:
            oracle = float(price)
        elif kind == r.QUOTE or (kind == r.LEVEL and index == 0):
            touch[side] = price if size else 0

    seen.observe(window)

    if 0 < touch[1] < touch[-1]:
        mid = (touch[1] + touch[-1]) / 2
    assert (seen.mark, seen.oracle, seen.mid) == pytest.approx((mark, oracle, mid), rel=1e-14)


def test_a_crossed_touch_leaves_the_last_mid():
    """An order is held against the last market that made sense."""
    seen = Reference(1)
    for bid, ask in ((100, 102), (105, 103)):
        window = r.Rows.allocate(2)
        window.append(kind=r.QUOTE, side=1, price=bid, size=1)
        window.append(kind=r.QUOTE, side=-1, price=ask, size=1)
        seen.observe(window)

    assert seen.mid == 101.0


@pytest.mark.parametrize("decimals", [-1, 13])
def test_decimals_outside_their_domain_are_refused(decimals):
    """The unit of context rows is 1e-12 USD."""
    with pytest.raises(ValueError, match="price_decimals must be 0 to 12"):
        Reference(decimals)
