"""The book against a book of dictionaries, and what must hold of any book."""

import sys
from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm._core.book import MAX_OWN_PRICES, Book
from hypermm._core.rows import FIRST, LAST, LEVEL, QUOTE, Rows
from tests.recorded import market
from tests.reference import book as reference

PRICE = st.integers(90, 110)
SIZE = st.integers(1, 9)


@st.composite
def frames_strategy(draw):
    """A frame of any kind; prices of both sides overlap, so that books cross and lock."""
    kind = draw(st.sampled_from(["deep", "top", "quote"]))
    most = {"deep": 8, "top": 5, "quote": 1}[kind]
    sides = []
    for side in (1, -1):
        prices = draw(st.lists(PRICE, max_size=most, unique=True))
        prices.sort(key=lambda price, side=side: -side * price)
        sides.append([(price, draw(SIZE)) for price in prices])
    return (kind, draw(st.integers(1, 12)), *sides)


OWN_CHANGE = st.tuples(st.sampled_from([1, -1]), PRICE, SIZE)


def applied(*frames):
    book = Book()
    book.apply(reference.rows_of(frames))
    return book


def same(value, expected):
    return isnan(value) if expected is None else value == expected


@given(st.lists(st.one_of(frames_strategy(), OWN_CHANGE), max_size=30))
def test_the_kernel_agrees_with_its_reference(steps):
    """Any mixture of frames, old frames and own orders leaves the same book in both."""
    book, twin = Book(), reference.Book()

    for step in steps:
        if isinstance(step[0], str):
            book.apply(reference.rows_of([step]))
            twin.apply(step)
        else:
            book.change_own(*step)
            twin.change_own(*step)

    for side in (1, -1):
        assert book.levels(side) == twin.levels(side)
        assert book.depth(side, 250.0) == twin.depth(side, 250.0)
    assert (book.best_bid, book.best_ask) == (twin.best(1), twin.best(-1))
    assert same(book.mid, twin.mid)
    assert book.is_quotable == (twin.mid is not None)
    assert book.is_crossed == (book.best_bid >= book.best_ask > 0)
    assert (book.old_frames, book.unquotable_frames) == (twin.old_frames, twin.unquotable_frames)
    assert book.imbalance(3, 0.5) == pytest.approx(twin.imbalance(3, 0.5), rel=1e-14)
    for stamp in range(14):
        assert same(book.mid_before(stamp), twin.mid_before(stamp))


@given(st.lists(frames_strategy(), max_size=20), st.data())
def test_a_replay_of_frames_changes_nothing(frames, data):
    """After a reconnect the venue may send what was seen; the book must not go back in time."""
    frames = [(kind, i + 1, *sides) for i, (kind, _, *sides) in enumerate(frames)]
    clean, replayed = Book(), Book()

    clean.apply(reference.rows_of(frames))
    for i, frame in enumerate(frames):
        replayed.apply(reference.rows_of([frame]))
        for old in data.draw(st.lists(st.sampled_from(frames[: i + 1]), max_size=2)):
            replayed.apply(reference.rows_of([old]))

    assert [replayed.levels(side) for side in (1, -1)] == [clean.levels(side) for side in (1, -1)]
    assert same(replayed.mid, None if isnan(clean.mid) else clean.mid)


@given(st.lists(frames_strategy(), min_size=1, max_size=10))
def test_no_own_order_shows_in_any_figure(frames):
    """We must not quote off ourselves: the net book is the book that others made."""
    plain, with_ours = Book(), Book()
    ours = {(side, price) for side in (1, -1) for price in (99, 101)}
    for side, price in sorted(ours):
        with_ours.change_own(side, price, 7)

    for frame in frames:
        kind, stamp, *sides = frame
        others = [
            [(price, size) for price, size in levels if (side, price) not in ours]
            for side, levels in zip((1, -1), sides, strict=True)
        ]
        joined = [
            [(price, 7) if (side, price) in ours else (price, size) for price, size in levels]
            for side, levels in zip((1, -1), sides, strict=True)
        ]
        if kind == "deep":  # the other forms say where a side ends, which our orders move
            plain.apply(reference.rows_of([(kind, stamp, *others)]))
            with_ours.apply(reference.rows_of([(kind, stamp, *joined)]))

    assert same(with_ours.mid, None if isnan(plain.mid) else plain.mid)
    assert with_ours.imbalance(4, 0.7) == plain.imbalance(4, 0.7)
    assert with_ours.depth(1, 300.0) == plain.depth(1, 300.0)


def test_when_ours_alone_is_the_touch_the_next_level_is_the_touch():
    """Otherwise our own bid would raise the fair price, and that our next bid."""
    book = applied(("deep", 1, [(100, 5), (99, 4)], [(105, 3), (106, 1)]))

    book.set_own(1, [100], [5])
    book.change_own(-1, 105, 3)

    assert (book.best_bid, book.best_ask, book.mid) == (99, 106, 102.5)
    book.change_own(1, 100, -1)
    assert book.best_bid == 100
    assert book.levels(1) == [(100, 1), (99, 4)]


def test_our_own_order_beyond_the_net_mid_does_not_end_the_depth():
    """A displayed bid of ours above the net mid once stopped the walk at the first level."""
    book = applied(
        ("quote", 1, [(101, 1)], [(105, 1)]), ("deep", 2, [(101, 1), (90, 4)], [(91, 1)])
    )

    book.change_own(1, 101, 1)

    assert (book.mid, book.depth(1, 250.0)) == (90.5, 4)


def test_a_top_frame_keeps_the_deeper_levels_of_the_last_deep_one():
    """The fast form shows five levels; depth beyond them is still the best knowledge."""
    deep = ("deep", 1, [(100 - i, 9) for i in range(8)], [(101 + i, 9) for i in range(8)])
    top = ("top", 2, [(99 - i, 1) for i in range(5)], [(100 + i, 1) for i in range(5)])

    book = applied(deep, top)

    assert book.levels(1) == [(99 - i, 1) for i in range(5)] + [(94, 9), (93, 9)]
    assert book.levels(-1) == [(100 + i, 1) for i in range(5)] + [(105 + i, 9) for i in range(4)]


def test_a_top_frame_with_fewer_than_five_levels_is_the_whole_side():
    """The venue has no more to show, so nothing older can be there."""
    deep = ("deep", 1, [(100 - i, 9) for i in range(8)], [(101, 1)])

    book = applied(deep, ("top", 2, [(100, 1)], [(101, 1)]))

    assert book.levels(1) == [(100, 1)]


def test_a_quote_removes_the_levels_it_proves_gone():
    """Nothing rests before the best quote; a better one comes in front of what is known."""
    deep = ("deep", 1, [(100, 1), (99, 2), (98, 3)], [(101, 1), (102, 2)])

    worse = applied(deep, ("quote", 2, [(98, 7)], [(103, 4)]))
    better = applied(deep, ("quote", 2, [(100, 5)], [(101, 6)]))

    assert (worse.levels(1), worse.levels(-1)) == ([(98, 7)], [(103, 4)])
    assert better.levels(1) == [(100, 5), (99, 2), (98, 3)]
    assert better.levels(-1) == [(101, 6), (102, 2)]


@pytest.mark.parametrize(
    ("bids", "asks", "is_crossed"),
    [
        ([(100, 1)], [(100, 1)], True),
        ([(101, 1)], [(100, 1)], True),
        ([(100, 1)], [], False),
        ([], [(100, 1)], False),
        ([], [], False),
    ],
)
def test_a_book_without_two_ordered_sides_is_not_quotable(bids, asks, is_crossed):
    """Crossed, locked, one-sided or empty: no mid from one side, no division by zero, counted."""
    good = ("deep", 1, [(99, 1)], [(101, 1)])

    for kind in ("deep", "top", "quote"):
        book = applied(good, (kind, 2, bids, asks))

        assert not book.is_quotable
        assert book.is_crossed == is_crossed
        assert isnan(book.mid)
        assert isnan(book.mid_before(3))
        assert book.mid_before(2) == 100.0
        assert book.depth(1, 10.0) == 0
        assert -1.0 <= book.imbalance() <= 1.0
        assert book.unquotable_frames == 1


def test_the_mid_before_a_trade_is_that_before_its_own_stamp():
    """Quote and trade of one block carry one stamp, and the quote is the state after the trade."""
    book = applied(
        ("quote", 10, [(100, 1)], [(102, 1)]),
        ("quote", 20, [(104, 1)], [(106, 1)]),
        ("quote", 20, [(108, 1)], [(110, 1)]),
    )

    assert isnan(book.mid_before(10))
    assert book.mid_before(11) == book.mid_before(20) == 101.0
    assert book.mid_before(21) == 109.0


def test_mids_older_than_the_memory_are_unknown():
    """The ring is bounded; a stamp beyond its reach has no mid rather than a wrong one."""
    book = Book()
    for i in range(1, 201):
        book.apply(reference.rows_of([("quote", i, [(100 + i, 1)], [(102 + i, 1)])]))

    assert isnan(book.mid_before(72))
    assert book.mid_before(74) == 101.0 + 73


def test_a_torn_or_unsorted_frame_is_ignored_and_counted():
    """Half a frame must never become the book."""
    good = ("deep", 5, [(99, 1)], [(101, 1)])
    torn = Rows.allocate(8)
    torn.append(kind=LEVEL, side=1, exch_ns=6, price=98, size=1, flags=FIRST)
    torn.append(kind=LEVEL, side=1, exch_ns=7, price=97, size=1, flags=LAST)
    torn.append(kind=LEVEL, side=1, exch_ns=8, price=97, size=1, flags=LAST)
    torn.append(kind=QUOTE, side=1, exch_ns=9, price=-1, size=1, flags=FIRST | LAST)
    torn.append(kind=QUOTE, side=1, exch_ns=9, price=99, size=2**60, flags=FIRST | LAST)
    unsorted = ("deep", 10, [(97, 1), (98, 1)], [(101, 1)])
    book = applied(good)

    book.apply(torn)
    book.apply(reference.rows_of([unsorted]))

    assert book.malformed_frames == 5
    assert (book.newest_ns, book.mid) == (5, 100.0)


def test_more_levels_than_fit_are_the_deepest_ones_and_are_dropped():
    """The arrays are fixed: 64 levels a side, and a deeper book loses its far end only."""
    book = applied(("deep", 1, [(1000 - i, 1) for i in range(80)], [(1001, 1)]))
    book.apply(reference.rows_of([("quote", 2, [(1000, 2)], [(1001, 1)])]))

    assert len(book.levels(1)) == 64
    assert book.levels(1)[0] == (1000, 2)


@pytest.mark.parametrize(
    "call",
    [
        lambda book: book.change_own(0, 100, 1),
        lambda book: book.change_own(1, 0, 1),
        lambda book: book.change_own(1, 100, -1),
        lambda book: book.set_own(1, [100], [1, 2]),
        lambda book: book.set_own(1, range(1, MAX_OWN_PRICES + 2), [1] * (MAX_OWN_PRICES + 1)),
        lambda book: book.imbalance(0),
        lambda book: book.imbalance(1, 0.0),
        lambda book: book.imbalance(1, nan),
        lambda book: book.depth(1, nan),
        lambda book: book.depth(1, -1.0),
        lambda book: book.depth(2, 1.0),
        lambda book: book.levels(0),
    ],
)
def test_values_outside_their_domain_are_refused(call):
    """The door checks, so that the room need not."""
    with pytest.raises(ValueError, match=r"must|below 0|longer|shorter"):
        call(Book())


def test_clearing_forgets_the_market_but_not_our_orders():
    """After a lost connection the book is void, while what rests of ours still rests."""
    book = applied(("deep", 9, [(100, 5)], [(105, 3)]))
    book.set_own(1, [100], [2])

    book.clear()
    book.apply(reference.rows_of([("deep", 3, [(100, 5)], [(105, 3)])]))

    assert book.levels(1) == [(100, 3)]
    assert book.newest_ns == 3


def test_applying_a_frame_allocates_nothing():
    """The path of every message: no object is made for a level."""
    rows = reference.rows_of(
        [("deep", 1, [(100 - i, 1) for i in range(20)], [(101 + i, 1) for i in range(20)])]
    )
    book = Book()
    book.apply(rows)
    before = sys.getallocatedblocks()

    for _ in range(100):
        book.apply(rows)

    assert sys.getallocatedblocks() - before < 10


def test_the_recorded_books_are_all_quotable(data_dir):
    """No crossed book was recorded, so none may be made by mixing quotes and books."""
    for coin in ("BTC", "WLFI"):
        recorded = market(data_dir, coin)
        book = Book()

        book.apply(recorded.rows)

        assert book.frames > 12_000
        assert book.unquotable_frames == book.malformed_frames == 0
        assert book.old_frames < 0.02 * book.frames
        assert np.isfinite(book.mid)
