"""The exchange's limits: what may be sent, and what is always left for cancels."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm.errors import WireError
from hypermm.hyperliquid.budget import (
    CANCEL_ONLY_FRACTION,
    EMPTY_INTERVAL_NS,
    MINUTE_NS,
    NS_PER_SEC,
    POSTS_IN_FLIGHT,
    REST_WEIGHT,
    REST_WEIGHT_KEPT_BACK,
    SOCKET_MESSAGES,
    THROTTLED_NS,
    Budget,
    Need,
    Window,
    address_cost,
    rest_weight,
)
from hypermm.messages import (
    CancelOids,
    CancelOrders,
    Order,
    PlaceOrders,
    ReadAccount,
    ReadFills,
    ReadOpenOrders,
    ReadOrder,
    Side,
    UpdateLeverage,
)

# A new account, one that trades, and a maker of size; the middle one in the newer shape.
ANSWERS = [
    {"cumVlm": "412.5", "nRequestsUsed": 231, "nRequestsCap": 10412},
    {
        "cumVlm": "5700000.9800000004",
        "nRequestsUsed": 3053,
        "nRequestsCap": 5710000,
        "nRequestsSurplus": 0,
    },
    {"cumVlm": "170043721737.4", "nRequestsUsed": 36589831368, "nRequestsCap": 170043731737},
]


def place(count: int, *, is_reduce_only: bool = False) -> PlaceOrders:
    orders = tuple(
        Order(cloid, Side.BUY, 1_000, 10, is_reduce_only=is_reduce_only) for cloid in range(count)
    )
    return PlaceOrders(1, orders)


def cancel(count: int) -> CancelOrders:
    return CancelOrders(1, tuple(range(count)))


@pytest.mark.parametrize(
    ("action", "cost", "weight"),
    [
        (place(1), 1, 1),
        (place(39), 39, 1),
        (place(40), 40, 2),
        (place(80), 80, 3),
        (cancel(10), 10, 1),
        (CancelOids(1, (1, 2)), 2, 1),
        (UpdateLeverage(1, 5, True), 1, 1),
        (ReadOpenOrders(1), 0, 20),
        (ReadFills(1, 0), 0, 20),
        (ReadAccount(1), 0, 2),
        (ReadOrder(1, 1), 0, 2),
    ],
)
def test_an_action_costs_what_the_exchange_charges(action, cost, weight):
    """A batch of n costs the address n, and the host 1 more for each whole 40."""
    assert (address_cost(action), rest_weight(action)) == (cost, weight)


@pytest.mark.parametrize("payload", ANSWERS)
def test_the_count_of_the_exchange_is_taken_over(payload):
    """The exchange's own count replaces ours, whatever its size."""
    budget = Budget()
    budget.spend(place(5), 0)

    budget.learn(payload)

    assert (budget.used, budget.limit) == (payload["nRequestsUsed"], payload["nRequestsCap"])


def test_what_was_sent_after_the_question_is_added_to_the_answer():
    """The answer may be older than the actions sent meanwhile: doubt is counted as spent."""
    budget = Budget()
    asked_at = budget.actions_spent
    budget.spend(place(7), 0)

    budget.learn(ANSWERS[0], spent_since=budget.actions_spent - asked_at)

    assert budget.used == 231 + 7


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"nRequestsUsed": "3", "nRequestsCap": 4},
        {"nRequestsUsed": True, "nRequestsCap": 4},
        {"nRequestsUsed": -1, "nRequestsCap": 4},
        {"nRequestsUsed": 1.5, "nRequestsCap": 4},
        *([], None, "x", 5),
    ],
)
def test_a_count_that_is_no_count_changes_nothing(payload):
    """A garbled answer must not open or close the purse."""
    budget = Budget()

    with pytest.raises(WireError, match="userRateLimit"):
        budget.learn(payload)

    assert (budget.used, budget.limit, budget.take_level()) == (0, 10_000, None)


def test_op11_placing_stops_at_five_percent_and_reducing_at_nothing():
    """OP-11: the end of the purse is for getting out, never for quoting."""
    budget = Budget()
    budget.learn({"nRequestsUsed": 9_501, "nRequestsCap": 10_000})

    assert "address budget" in budget.check(place(1), 0)
    assert "address budget" in budget.check(UpdateLeverage(1, 3, True), 0)
    assert budget.check(place(1, is_reduce_only=True), 0) is None
    assert budget.check(cancel(40), 0) is None


def test_op11_an_empty_purse_pays_for_one_action_in_ten_seconds():
    """OP-11: past every limit the exchange takes one action in 10 s; quotes do not get it."""
    budget = Budget()
    budget.learn({"nRequestsUsed": 20_000, "nRequestsCap": 10_000})
    budget.spend(cancel(1), 0)

    assert budget.check(cancel(1), EMPTY_INTERVAL_NS - 1) is not None
    assert budget.check(cancel(1), EMPTY_INTERVAL_NS) is None
    assert budget.check(place(1, is_reduce_only=True), EMPTY_INTERVAL_NS) is None
    assert budget.check(place(1), EMPTY_INTERVAL_NS) is not None


@pytest.mark.parametrize(("limit", "expected"), [(10_000, 20_000), (500_000, 600_000)])
def test_cancels_have_the_larger_limit(limit, expected):
    """min(limit + 100,000, 2 x limit), as documented."""
    budget = Budget()
    budget.learn({"nRequestsUsed": 0, "nRequestsCap": limit})

    assert budget.cancel_limit == expected


def test_each_dollar_traded_is_one_more_action():
    """Cents add up, but only whole dollars count, and a refund of volume does not exist."""
    budget = Budget()

    for usd in (0.6, 0.6, -5.0, float("nan"), float("inf")):
        budget.add_volume(usd)

    assert budget.limit == 10_001


def test_a_refusal_for_too_many_requests_teaches_the_counts():
    """The exchange's own text is a fresher reading than ours."""
    budget = Budget()

    budget.learn_refusal(
        "Too many cumulative requests sent (37986 > 10436) for cumulative volume traded $437.92. "
        "Place taker orders to free up 1 request per USDC traded.",
        Need.PLACE,
    )
    budget.learn_refusal("Insufficient margin to place order. asset=0", Need.PLACE)

    assert (budget.used, budget.limit) == (37_986, 10_436)


def test_the_refusal_of_a_cancel_does_not_raise_the_limit():
    """Its second number may be the limit of cancels; placing up to there would be refused."""
    budget = Budget()
    refusal = "Too many cumulative requests sent (20001 > 20000) for cumulative volume traded $0."

    budget.learn_refusal(refusal, Need.CANCEL)

    assert (budget.used, budget.limit) == (20_001, 10_000)


def test_op11_a_level_is_told_once_at_each_mark_and_after_each_reading():
    """OP-11: 50, 20 and 5 %, downward and upward again."""
    budget, told = Budget(), []

    for used, volume in ((0, 0), (5_000, 0), (5_001, 0), (5_002, 0), (9_600, 0), (0, 200), (0, 9)):
        budget.used += max(used - budget.used, 0)
        budget.add_volume(volume)
        told.append(budget.take_level())
    budget.learn({"nRequestsUsed": 0, "nRequestsCap": 10_000})

    assert told == [None, None, 0.4999, None, 0.04, 600 / 10_200, None]
    assert (budget.take_level(), budget.take_level()) == (1.0, None)


def test_op02_after_a_429_only_cancels_go_out_for_a_while():
    """OP-02: the host asked too much, so it asks less, but cancels are not held back."""
    budget = Budget()

    budget.learn_throttled(0)

    assert "429" in budget.check(place(1), 1)
    assert "429" in budget.check(ReadAccount(1), 1)
    assert "429" in budget.check_request(20, 1)
    assert budget.check(cancel(1), 1) is None
    assert budget.check(place(1), THROTTLED_NS) is None


def test_the_weight_kept_back_is_for_cancels_alone():
    """Reads and quotes stop below 1,200 a minute, cancels at 1,200."""
    budget = Budget()
    budget.spend_request(REST_WEIGHT - REST_WEIGHT_KEPT_BACK, 0)

    assert "weight" in budget.check(place(1), 0)
    assert "weight" in budget.check(ReadAccount(1), 0)
    for _ in range(REST_WEIGHT_KEPT_BACK):
        assert budget.check(cancel(1), 0) is None
        budget.spend(cancel(1), 0)
    assert budget.check(cancel(1), 0) is not None
    assert budget.check(cancel(1), MINUTE_NS) is None


def test_messages_and_posts_in_flight_are_bounded_too():
    """2,000 messages a minute and 100 posts in flight over the socket; HTTP has neither."""
    budget = Budget()
    for _ in range(POSTS_IN_FLIGHT):
        budget.spend(cancel(1), 0, by_socket=True)

    assert "posts in flight" in budget.check(cancel(1), 0, by_socket=True)
    assert budget.check(cancel(1), 0) is None

    budget.release(POSTS_IN_FLIGHT)
    for _ in range(SOCKET_MESSAGES - POSTS_IN_FLIGHT):
        budget.spend_message(0)
    assert "message budget" in budget.check(cancel(1), 0, by_socket=True)


def test_more_answers_than_posts_are_our_own_defect():
    """A count below zero would hide a leak."""
    with pytest.raises(AssertionError, match="posts in flight"):
        Budget().release()


def test_op11_a_day_without_volume_is_never_refused():
    """OP-11: 24 h of greedy quoting on a fresh address; the exchange's count must never refuse."""
    budget, sent, live = Budget(), 0, 0
    limit = 10_000

    for second in range(0, 86_400, 2):
        now_ns = second * NS_PER_SEC
        if live and budget.check(cancel(live), now_ns) is None:
            assert sent + live <= 2 * limit, "the exchange would refuse this cancel"
            budget.spend(cancel(live), now_ns)
            sent, live = sent + live, 0
        if budget.check(place(10), now_ns) is None:
            assert sent + 10 <= limit, "the exchange would refuse these orders"
            budget.spend(place(10), now_ns)
            sent, live = sent + 10, live + 10

    assert live == 0, "the last orders could not be cancelled"
    assert sent >= limit * (1 - CANCEL_ONLY_FRACTION) - 20


@given(
    st.lists(
        st.tuples(st.integers(0, 30 * NS_PER_SEC), st.integers(1, 50)), min_size=1, max_size=200
    )
)
def test_no_minute_ever_holds_more_than_the_window_counts(steps):
    """The window's count is the sum of the last minute, or more where it merged; never less."""
    window, now_ns, truth = Window(100), 0, deque()

    for wait_ns, amount in steps:
        now_ns += wait_ns
        window.spend(amount, now_ns)
        truth.append((now_ns, amount))
        while truth[0][0] <= now_ns - MINUTE_NS:
            truth.popleft()

        assert window.spent(now_ns) >= sum(amount for _, amount in truth)
        assert len(window._entries) <= 100


@given(
    st.lists(
        st.tuples(st.integers(0, 5 * NS_PER_SEC), st.sampled_from("pcrlo"), st.integers(1, 60)),
        max_size=300,
    ),
    st.integers(0, 12_000),
)
def test_what_passes_the_check_is_never_refused_by_the_exchange(steps, used):
    """I-10: an exchange that counts by the documented rules takes all that `check` lets by."""
    budget, now_ns, weights = Budget(), 0, deque()
    limit, last_ns = 10_000, None
    budget.learn({"nRequestsUsed": used, "nRequestsCap": limit})
    kinds = {
        "p": place,
        "c": cancel,
        "r": lambda n: place(n, is_reduce_only=True),
        "l": ReadOpenOrders,
        "o": lambda n: ReadOrder(1, n),
    }

    for wait_ns, kind, count in steps:
        now_ns += wait_ns
        action = kinds[kind](count)
        if budget.check(action, now_ns) is not None:
            continue
        budget.spend(action, now_ns)
        while weights and weights[0][0] <= now_ns - MINUTE_NS:
            weights.popleft()
        weights.append((now_ns, rest_weight(action)))
        used += address_cost(action)

        assert sum(weight for _, weight in weights) <= REST_WEIGHT
        if address_cost(action):
            is_late = last_ns is None or now_ns - last_ns >= EMPTY_INTERVAL_NS
            assert used <= (2 * limit if kind == "c" else limit) or is_late
            last_ns = now_ns
