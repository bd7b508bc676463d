"""The matching kernel and its plain twin under one suite, and both against each other.

A long stream, a million commands, with a seed of your own:

    python -m tests.test_matching 1000000 7
"""

import doctest
import math
import random
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm._core import matching
from hypermm._core.matching import UNSEEN, HalfBook
from hypermm._core.queue import MODEL_NAMES, QueuePosition
from tests.reference import matching as reference

SIDE = st.sampled_from([1, -1])
PRICE = st.integers(95, 105)
SIZE = st.integers(1, 9)


@pytest.fixture(params=[HalfBook, reference.HalfBook], ids=["kernel", "plain"])
def make(request):
    return request.param


def test_the_examples_hold():
    assert doctest.testmod(matching).failed == 0


@pytest.mark.parametrize("side", [1, -1])
def test_the_best_price_comes_first_and_older_orders_before_younger(make, side):
    book = make(side)
    older, better, younger = (
        book.enter(100 * 1, 3),
        book.enter(100 + side, 4),
        book.enter(100, 5),
    )

    met = []
    while (piece := book.front()) is not None:
        met.append(piece)
        book.fill(piece[2], piece[1])

    assert met == [(100 + side, 4, better), (100, 3, older), (100, 5, younger)]
    assert len(book) == 0


def test_outside_lots_shown_at_placement_stand_before_an_order(make):
    book = make(1)
    book.show([(100, 5, 2)])
    slot = book.enter(100, 3)
    book.show([(100, 9, 3)])  # four lots more, behind it

    assert book.front() == (100, 5, -1)
    book.consume(100, 5)
    assert book.front() == (100, 3, slot)
    assert book.levels(1) == [(100, 7, 4)]


def test_less_shown_means_less_ahead(make):
    book = make(1)
    book.show([(100, 5, 2)])
    slot = book.enter(100, 3)
    book.show([(100, 2, 1)])
    book.show([(100, 8, 1)])

    assert book.get(slot) == (100, 3, 2)


def test_an_order_beyond_the_shown_depth_stands_behind_what_appears_there(make):
    book = make(1)
    book.show([(100, 5, 1)])
    slot = book.enter(98, 3)
    assert book.get(slot)[2] == UNSEEN

    book.show([(100, 5, 1), (98, 4, 1)])

    assert book.get(slot)[2] == 4


def test_a_top_frame_leaves_deeper_levels_and_a_touch_drops_better_ones(make):
    book = make(-1)
    book.show([(100, 1, 1), (101, 2, 1), (102, 3, 1)])

    book.show([(100, 4, 1)], is_top=True)
    assert book.levels(5) == [(100, 4, 1), (101, 2, 1), (102, 3, 1)]
    book.show_touch(101, 9, 0)
    assert book.levels(5) == [(101, 9, 1), (102, 3, 1)]
    book.show_touch(0, 0, 0)
    assert book.touch() is None


@pytest.mark.parametrize(
    "call",
    [
        lambda book: book.enter(0, 1),
        lambda book: book.enter(1, 0),
        lambda book: book.enter(1 << 54, 1),
        lambda book: book.show([(100, 5, 1), (99, 0, 1)]),
        lambda book: book.show_touch(100, -1, 1),
        lambda book: book.consume(100, 0),
        lambda book: book.fill(0, 0),
        lambda book: book.fill(0, 4),
    ],
)
def test_values_outside_their_domain_are_refused_and_change_nothing(call):
    book = HalfBook(1)
    book.show([(101, 5, 1)])
    book.enter(100, 3)
    before = book.digest()

    with pytest.raises(ValueError, match="must"):
        call(book)

    assert book.digest() == before


def test_a_side_is_one_of_two_and_a_slot_is_one_in_use():
    with pytest.raises(ValueError, match="side"):
        HalfBook(0)
    book = HalfBook(1)
    slot = book.enter(100, 3)
    book.leave(slot)
    for call in (book.leave, book.get, lambda s: book.fill(s, 1)):
        for wrong in (slot, -1, 7):
            with pytest.raises(KeyError, match="free"):
                call(wrong)


def test_thousands_of_levels_and_orders_fit():
    """Memory grows from its first 64 by doubling, and what stood keeps its place."""
    book = HalfBook(1)
    slots = [book.enter(1 + i // 2, 1 + i) for i in range(5_000)]
    assert len(set(slots)) == len(book) == 5_000
    assert book.touch() == (2_500, 4_999 + 5_000, 2)
    for i, slot in enumerate(slots):
        assert book.get(slot)[:2] == (1 + i // 2, 1 + i)


def test_a_level_that_can_hold_no_more_lots_says_so():
    book = HalfBook(1)
    for _ in range(512):
        book.enter(100, 1 << 53)

    with pytest.raises(OverflowError, match="lots"):
        book.enter(100, 1 << 53)

    assert len(book) == 512


# Random commands over both


def perform(book, command, slots):
    """Apply a command; return what it answers."""
    kind, *values = command
    match kind:
        case "show":
            levels, is_top = values
            levels = sorted(levels.items(), reverse=book is not None and slots["side"] > 0)
            return book.show([(p, s, c) for p, (s, c) in levels], is_top=is_top)
        case "touch":
            return book.show_touch(*values)
        case "trade":
            price, size = values
            book.drop_better(price)
            return book.consume(price, size)
        case "enter":
            slot = book.enter(*values)
            slots["open"].append(slot)
            return slot
        case "leave" if slots["open"]:
            return book.leave(slots["open"].pop(values[0] % len(slots["open"])))
        case "take":
            limit, left = values
            got = []
            while left > 0 and book.reaches(limit):
                price, size, slot = book.front()
                size = min(size, left)
                if slot < 0:
                    book.consume(price, size)
                elif book.fill(slot, size) == 0:
                    slots["open"].remove(slot)
                left -= size
                got.append((price, size, slot))
            return got
    return None


COMMAND = st.one_of(
    st.tuples(
        st.just("show"),
        st.dictionaries(PRICE, st.tuples(SIZE, st.integers(1, 3)), max_size=6),
        st.booleans(),
    ),
    st.tuples(st.just("touch"), PRICE, st.integers(0, 9), st.integers(0, 3)),
    st.tuples(st.just("trade"), PRICE, SIZE),
    st.tuples(st.just("enter"), PRICE, SIZE),
    st.tuples(st.just("leave"), st.integers(0, 99)),
    st.tuples(st.just("take"), PRICE, st.integers(1, 30)),
)


def run_both(side, commands):
    """Drive kernel and twin with the same commands, compare answers, fronts and digests."""
    books = HalfBook(side), reference.HalfBook(side)
    slots = [{"side": side, "open": []} for _ in books]
    for command in commands:
        answers = [perform(b, command, s) for b, s in zip(books, slots, strict=True)]
        assert answers[0] == answers[1], command
        for view in ("digest", "front", "touch", "first", "outside_best"):
            kernel, plain = (getattr(book, view)() for book in books)
            assert kernel == plain, (view, command)
        assert books[0].levels(4) == books[1].levels(4)
    return books[0]


@given(SIDE, st.lists(COMMAND, max_size=40))
def test_random_commands_give_the_same_answers_and_digests(side, commands):
    run_both(side, commands)


@given(SIDE, st.lists(COMMAND, max_size=40))
def test_lots_are_conserved_and_levels_stand_in_order(side, commands):
    """What entered is what left, was filled or still stands; no level is empty."""
    book = HalfBook(side)
    slots = {"side": side, "open": []}
    balance = 0
    for command in commands:
        before = {slot: book.get(slot)[1] for slot in slots["open"]}
        answer = perform(book, command, slots)
        match command[0]:
            case "enter":
                balance += command[2]
            case "leave":
                balance -= sum(n for slot, n in before.items() if slot not in slots["open"])
            case "take":
                balance -= sum(size for _, size, slot in answer if slot >= 0)
        assert sum(book.get(slot)[1] for slot in slots["open"]) == balance
        ranks = [side * price for price, size, count in book.levels(99) if size > 0 and count > 0]
        assert ranks == sorted(set(ranks), reverse=True)
        assert len(ranks) == len(book.levels(99))


def stream(seed, length):
    """Yield commands as a venue meets them: a market that wanders, orders around it."""
    rng = random.Random(seed)
    middle = 10_000
    for _ in range(length):
        middle = max(1_000, middle + rng.randint(-2, 2))
        match rng.randrange(20):
            case 0:
                levels = {middle + rng.randint(-30, 30): (rng.randint(1, 90), 2) for _ in range(20)}
                yield "show", levels, rng.random() < 0.5
            case 1:
                yield "touch", middle + rng.randint(-3, 3), rng.randint(0, 50), 1
            case 2 | 3:
                yield "trade", middle + rng.randint(-4, 4), rng.randint(1, 60)
            case n if n < 12:
                yield "enter", middle + rng.randint(-40, 40), rng.randint(1, 50)
            case n if n < 18:
                yield "leave", rng.randrange(1 << 30)
            case _:
                yield "take", middle + rng.randint(-5, 5), rng.randint(1, 200)


@pytest.mark.parametrize("side", [1, -1])
def test_a_seeded_stream_gives_equal_digests(side):
    run_both(side, stream(11, 3_000))


# Queue models: who left when less is shown


def ahead_after_cancels(model, exponent=3.0):
    """100 lots before us, 100 more come behind; 40 trade, then 80 of the 160 are gone."""
    book = HalfBook(1)
    book.set_queue(MODEL_NAMES.index(model), exponent)
    book.show([(100, 100, 1)])
    slot = book.enter(100, 5)
    book.show([(100, 200, 2)])
    book.consume(100, 40)
    book.show([(100, 80, 2)])
    return book.get(slot)[2]


@pytest.mark.parametrize("model", MODEL_NAMES)
def test_cancels_are_shared_as_the_queue_kernel_says(model):
    """One owner of the formula: the book rounds its answer up to whole lots."""
    position = QueuePosition(MODEL_NAMES.index(model), 3.0, 100.0)
    position.depth(100.0, 200.0)
    position.trade(40.0)
    position.depth(200.0, 80.0)

    assert ahead_after_cancels(model) == max(math.ceil(position.ahead), 0)


def test_only_risk_aversion_puts_every_cancel_behind_us():
    """It is the default, and the bound of the others."""
    ahead = {model: ahead_after_cancels(model) for model in MODEL_NAMES}

    assert ahead["risk_averse"] == 60
    assert all(lots <= 60 for lots in ahead.values())
    assert ahead["power"] < 60
    assert HalfBook(1).queue_model == MODEL_NAMES.index("risk_averse")


@pytest.mark.parametrize(("model", "exponent"), [(-1, 3.0), (6, 3.0), (0, 0.0), (0, math.nan)])
def test_a_queue_model_that_does_not_exist_is_refused(model, exponent):
    with pytest.raises(ValueError, match="must be"):
        HalfBook(1).set_queue(model, exponent)


if __name__ == "__main__":
    length, seed = int(sys.argv[1]), int(sys.argv[2])
    for side in (1, -1):
        book = run_both(side, stream(seed, length))
        print(f"side {side:+d}: {length} commands, {len(book)} orders, digest {book.digest():016x}")
