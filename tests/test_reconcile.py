"""Reconciliation against its twin, and what must hold after every comparison."""

import doctest
import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm._core import reconcile
from hypermm._core.ladder import MAX_LEVELS, Ladder
from hypermm._core.reconcile import MAX_ORDERS, MIN_KEPT_FRACTION, Reconciler, queue_value_bps
from tests.reference import reconcile as reference

# Prices around 1000 with a step of 1: a bps is a tenth of a step, so that tolerances of 0 to 60 bps
# reach from none to six steps.
SIZE = st.integers(1, 8)
TOLERANCE = st.sampled_from([0.0, 10.0, 30.0, 60.0])
VALUES = st.dictionaries(st.integers(0, 11), st.sampled_from([0.0, 20.0, 70.0, math.inf]))


@st.composite
def targets(draw):
    """A ladder that does not cross itself or its market."""
    middle = draw(st.integers(990, 1010))
    bids = sorted(draw(st.sets(st.integers(middle - 12, middle), max_size=5)), reverse=True)
    asks = sorted(draw(st.sets(st.integers(middle + 1, middle + 13), max_size=5)))
    bids = [(price, draw(SIZE)) for price in bids]
    asks = [(price, draw(SIZE)) for price in asks]
    best_bid = draw(st.sampled_from([0, middle - 1, middle]))
    best_ask = draw(st.sampled_from([0, middle + 1, middle + 2]))
    if asks:
        best_bid = min(best_bid, asks[0][0] - 1)
    if bids and best_ask:
        best_ask = max(best_ask, bids[0][0] + 1)
    return bids, asks, best_bid, best_ask


LIVE = st.lists(st.tuples(st.sampled_from([1, -1]), st.integers(980, 1020), SIZE), max_size=12)


def ladder_of(bids, asks, best_bid=0, best_ask=0):
    target = Ladder(price_decimals=0)
    target.set_market(best_bid, best_ask)
    for side, levels in ((1, bids), (-1, asks)):
        for price, size in levels:
            target.append(side, price, size)
    return target


def table_of(orders, values=None):
    table = Reconciler()
    for order in orders:
        slot = table.add(*order)
        table.set_queue_value(slot, (values or {}).get(slot, 0.0))
    return table


def apply(table):
    """Do what the comparison asks for, as if the exchange agreed at once."""
    cancels, places = table.cancels, table.places
    for slot in cancels:
        table.remove(slot)
    return [table.add(*place) for place in places]


@given(targets(), LIVE, st.sets(st.integers(0, 11)), TOLERANCE, VALUES)
def test_comparisons_agree_with_their_reference(target, orders, removed, tolerance, values):
    """The same orders go, stay and come as with plain lists."""
    table = table_of(orders, values)
    live = {slot: (*order, slot) for slot, order in enumerate(orders)}
    for slot in removed & live.keys():
        table.remove(slot)
        del live[slot]

    count = table.compare(ladder_of(*target), tolerance)

    cancels, places = reference.compare(live, *target, tolerance, values)
    assert (list(table.cancels), list(table.places)) == (cancels, places)
    assert count == len(cancels) + len(places) == table.num_cancels + table.num_places


@given(targets(), LIVE, TOLERANCE)
def test_what_stays_is_fit_to_stay(target, orders, tolerance):
    """Within the tolerance of its own level, not larger, not through the market."""
    bids, asks, best_bid, best_ask = target
    table = table_of(orders)

    table.compare(ladder_of(*target), tolerance)

    kept = [orders[slot] for slot in range(len(orders)) if slot not in table.cancels]
    for side, levels in ((1, bids), (-1, asks)):
        stay = [(price, size) for is_on, price, size in kept if is_on == side]
        new = [(price, size) for is_on, price, size in table.places if is_on == side]
        assert len(stay) + len(new) == len(levels)
        assert set(new) <= set(levels)
        assert sum(size for _, size in stay + new) <= sum(size for _, size in levels)
        for price, size in stay:
            assert any(
                abs(price - wanted) * 1e4 <= tolerance * wanted
                and MIN_KEPT_FRACTION * most <= size <= most
                for wanted, most in levels
            )
    resting = [price for side, price, _ in kept + list(table.places) if side > 0]
    offered = [price for side, price, _ in kept + list(table.places) if side < 0]
    new_asks = [price for side, price, _ in table.places if side < 0]
    new_bids = [price for side, price, _ in table.places if side > 0]
    assert not best_ask or all(price < best_ask for price in resting)
    assert all(price > best_bid for price in offered)
    assert not new_asks or all(price < min(new_asks) for price in resting)
    assert not new_bids or all(price > max(new_bids) for price in offered)


@given(targets(), LIVE, TOLERANCE, VALUES)
def test_doing_what_it_says_leaves_nothing_to_do(target, orders, tolerance, values):
    """Otherwise each wake-up would cancel and place for ever."""
    table = table_of(orders, values)
    ladder = ladder_of(*target)
    table.compare(ladder, tolerance)

    apply(table)

    assert table.compare(ladder, tolerance) == 0


@given(targets(), TOLERANCE)
def test_a_ladder_that_rests_stays(target, tolerance):
    """Exact prices and sizes are kept whatever the tolerance."""
    table = Reconciler()
    ladder = ladder_of(*target)
    table.compare(ladder, tolerance)
    apply(table)

    assert len(table) == len(ladder)
    assert table.compare(ladder, 0.0) == 0
    assert (table.cancels, table.places) == ((), ())


@pytest.mark.parametrize(
    ("remaining", "is_kept"), [(10, True), (6, True), (5, True), (4, False), (11, False)]
)
def test_a_partly_filled_order_keeps_its_place_down_to_half(remaining, is_kept):
    """Its place in the queue is worth more than the missing size; a larger one breaks limits."""
    table = table_of([(1, 995, 12)])
    table.set_remaining(0, remaining)

    count = table.compare(ladder_of([(995, 10)], []), 5.0)

    assert count == (0 if is_kept else 2)
    assert table.get(0) == (1, 995, remaining)


def test_an_order_through_the_market_never_stays():
    """The market moved under a bid that is near its new level: it would take on the next move."""
    table = table_of([(1, 1000, 5)])

    count = table.compare(ladder_of([(999, 5)], [], 998, 1000), 50.0)

    assert count == 2
    assert table.cancels == (0,)
    assert table.places == ((1, 999, 5),)


def test_an_order_through_our_own_new_quote_never_stays():
    """The new ask would meet our own bid."""
    table = table_of([(1, 1000, 5)])

    table.compare(ladder_of([(999, 5)], [(1000, 5)], 0, 0), 50.0)

    assert table.cancels == (0,)


def test_an_exact_price_goes_before_a_near_one():
    """Else an order at the second level would be taken for the first, and the first not quoted."""
    table = table_of([(1, 998, 5)])

    table.compare(ladder_of([(999, 5), (998, 5)], []), 50.0)

    assert table.cancels == ()
    assert table.places == ((1, 999, 5),)


def test_the_tolerance_is_in_bps_of_the_target():
    """5 bps of 1,000,000 are 500; 501 are too many."""
    target = Ladder(price_decimals=1)
    target.append(-1, 1_000_000, 5)
    near, far = table_of([(-1, 1_000_500, 5)]), table_of([(-1, 1_000_510, 5)])

    assert near.compare(target, 5.0) == 0
    assert far.compare(target, 5.0) == 2


@pytest.mark.parametrize(("side", "behind", "nearer"), [(1, 990, 1010), (-1, 1010, 990)])
def test_a_place_in_the_queue_outweighs_a_move_towards_the_market_only(side, behind, nearer):
    """What is nearer than wanted stands where the market has just moved through: it must go."""
    levels = ([(1000, 5)], []) if side > 0 else ([], [(1000, 5)])
    table = table_of([(side, behind, 5)], {0: 100.0})
    assert table.compare(ladder_of(*levels), 0.0) == 0
    table.set_queue_value(0, 99.0)
    assert table.compare(ladder_of(*levels), 0.0) == 2

    assert table_of([(side, nearer, 5)], {0: math.inf}).compare(ladder_of(*levels), 99.0) == 2


def test_a_place_in_the_queue_is_forgotten_with_its_order():
    """The next order in the slot stands at the end of its queue."""
    table = table_of([(1, 990, 5)], {0: math.inf})
    table.remove(0)
    table.add(1, 990, 5)

    assert table.compare(ladder_of([(1000, 5)], []), 0.0) == 2


@given(st.floats(1e-3, 1e6), st.floats(1e-9, 1.0), st.floats(1e-9, 1.0))
def test_an_order_as_far_behind_as_its_place_is_worth_earns_no_less(kappa, chance, at_end):
    """Edge times chance at the value, over that of a new order at the best distance."""
    x = kappa * queue_value_bps(
        kappa_per_bps=kappa, fill_probability=chance, fill_probability_at_end=at_end
    )

    assert x >= 0.0
    assert (x > 0.0) == (chance > at_end)
    if x > 0.0:
        assert math.log(chance / at_end) + math.log1p(x) - x >= -1e-12


def test_an_empty_target_cancels_everything_on_both_sides():
    """Pulling quotes is a target without levels."""
    table = table_of([(1, 990, 1), (-1, 1010, 1), (1, 995, 1)])

    count = table.compare(Ladder(price_decimals=0), 50.0)

    assert count == 3
    assert table.cancels == (2, 0, 1)


def test_the_lowest_free_slot_is_used_again():
    """Slots are the caller's handles: they must not move, and they must be the same each run."""
    table = table_of([(1, 990, 1), (-1, 1010, 1), (1, 995, 1)])
    table.remove(1)

    assert table.add(1, 980, 4) == 1
    assert table.add(1, 981, 4) == 3
    assert table.get(1) == (1, 980, 4)
    assert len(table) == 4
    table.clear()
    assert len(table) == 0
    assert table.add(1, 1, 1) == 0


def test_the_table_is_bounded():
    """More orders than this are a defect of the caller."""
    table = table_of([(1 - 2 * (i % 2), 100 + i, 1) for i in range(MAX_ORDERS)])

    with pytest.raises(OverflowError, match=str(MAX_ORDERS)):
        table.add(1, 1, 1)
    full = ladder_of(
        [(500 - i, 1) for i in range(MAX_LEVELS)], [(501 + i, 1) for i in range(MAX_LEVELS)]
    )
    assert table.compare(full, 0.0) == MAX_ORDERS + 2 * MAX_LEVELS


def test_doors_refuse():
    """Free slots, wrong sides, NaN."""
    table = table_of([(1, 990, 1)])
    for slot in (-1, 1, MAX_ORDERS):
        with pytest.raises(KeyError):
            table.remove(slot)
        with pytest.raises(KeyError):
            table.set_remaining(slot, 1)
        with pytest.raises(KeyError):
            table.get(slot)
        with pytest.raises(KeyError):
            table.set_queue_value(slot, 1.0)
    for value in (math.nan, -1.0):
        with pytest.raises(ValueError, match="value_bps"):
            table.set_queue_value(0, value)
    ratio = {"kappa_per_bps": 0.5, "fill_probability": 0.6, "fill_probability_at_end": 0.4}
    for name in ratio:
        for value in (math.nan, -1.0):
            with pytest.raises(ValueError, match=name):
                queue_value_bps(**ratio | {name: value})
    for order in ((0, 1, 1), (1, 0, 1), (1, 1, 0)):
        with pytest.raises(ValueError, match="must be"):
            table.add(*order)
    with pytest.raises(ValueError, match="remaining"):
        table.set_remaining(0, 0)
    for tolerance in (math.nan, -1.0, math.inf):
        with pytest.raises(ValueError, match="max_bps_diff"):
            table.compare(Ladder(price_decimals=0), tolerance)
    with pytest.raises(TypeError):
        table.compare(None, 1.0)


def test_a_comparison_without_difference_allocates_nothing():
    """The quiet step must leave no garbage."""
    bids = [(990 - i, 5) for i in range(5)]
    ladder, table = ladder_of(bids, []), table_of([(1, *level) for level in bids])

    for _ in range(100):
        table.compare(ladder, 5.0)
    before = sys.getallocatedblocks()
    for _ in range(1000):
        table.compare(ladder, 5.0)

    assert sys.getallocatedblocks() - before < 10


def test_the_examples_hold():
    """Docstrings are read first; they must be true."""
    assert doctest.testmod(reconcile).failed == 0
