"""A step on the path of a message, against a floor of plain Python taken in the same process."""

import time

import pytest

from hypermm._core.rows import Rows
from hypermm.engine import Mode
from hypermm.messages import Batch, Order, PlaceOrders
from tests.scenario import MS, Scenario, add_book, settings

ROUNDS = 2_000
# The floor: make the ten orders and two actions that a moved ladder needs, and nothing else.
ORDERS = 10


def floor_secs() -> float:
    """Return the time in which plain Python makes the values of a moved 2x5 ladder."""

    def once() -> PlaceOrders:
        return PlaceOrders(1, tuple(Order(i << 16, 1, 1_000_000 + i, 200) for i in range(ORDERS)))

    best = float("inf")
    for _ in range(9):
        start = time.perf_counter()
        for _ in range(200):
            once()
        best = min(best, (time.perf_counter() - start) / 200)
    return best


@pytest.fixture
def world() -> Scenario:
    """An engine that quotes five levels a side."""
    return Scenario(settings(logging__level="info")).quote()


def book(world: Scenario, shift: int) -> Rows:
    """Make a frame of 20 levels a side."""
    rows = Rows.allocate(40)
    add_book(rows, world.exch_ns, world.mid + shift)
    return rows


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def test_a_book_that_changes_no_order_costs_at_most_ten_floors(benchmark, world):
    """The common case: 40 rows in, everything decided again, nothing to send. Aim: 15 us."""
    took = []

    def run() -> None:
        for _ in range(ROUNDS):
            world.now_ns += 100 * MS
            batch = Batch(book(world, 0))
            start = time.perf_counter()
            actions = world.engine.step(batch, world.now_ns)
            took.append(time.perf_counter() - start)
            for action in actions:  # the reads of every ten seconds
                for event in world.perform(action):
                    world.engine.step(Batch(private=(event,)), world.now_ns)

    benchmark.pedantic(run, rounds=1)

    assert world.engine.mode is Mode.QUOTING
    ratio = median(took) / floor_secs()
    benchmark.extra_info.update(step_us=round(median(took) * 1e6, 2), ratio=round(ratio, 2))
    assert ratio <= 10.0


def test_a_book_that_moves_a_ladder_costs_at_most_eighty_floors(benchmark, world):
    """Every level moves: ten cancels; and, with their twenty proofs, ten new orders."""
    cancels, places = [], []

    def run() -> None:
        for i in range(400):
            world.now_ns += 500 * MS
            shift = 2_000 * (i % 2)
            batch = Batch(book(world, shift))
            start = time.perf_counter()
            actions = world.engine.step(batch, world.now_ns)
            cancel_secs = time.perf_counter() - start
            batch = Batch(private=tuple(e for a in actions for e in world.perform(a)))
            start = time.perf_counter()
            actions = world.engine.step(batch, world.now_ns)
            place_secs = time.perf_counter() - start
            if any(isinstance(action, PlaceOrders) for action in actions):
                cancels.append(cancel_secs)
                places.append(place_secs)
            events = tuple(e for action in actions for e in world.perform(action))
            world.engine.step(Batch(private=events), world.now_ns)

    benchmark.pedantic(run, rounds=1)

    assert len(places) > 100
    ratio = (median(cancels) + median(places)) / floor_secs()
    benchmark.extra_info.update(
        cancel_step_us=round(median(cancels) * 1e6, 2),
        place_step_us=round(median(places) * 1e6, 2),
        ratio=round(ratio, 2),
    )
    assert ratio <= 80.0
