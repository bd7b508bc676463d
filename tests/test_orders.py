"""Own orders: ids, the table of states, exposure under events in any order, ladder to actions."""

import math
from collections import deque
from itertools import count, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm._core.ladder import Ladder
from hypermm.messages import (
    Action,
    ActionReply,
    CancelOids,
    CancelOrders,
    Done,
    Fill,
    Filled,
    Notice,
    OpenOrder,
    OrderUpdate,
    PlaceOrders,
    Refused,
    Resting,
    Side,
    Tif,
    Unclear,
)
from hypermm.orders import (
    ORDER_TRANSITIONS,
    TERMINAL,
    Cloids,
    OrderEvent,
    Orders,
    OrderState,
    classify,
)
from tests.scenario import ACCOUNT, BTC, GONE, MID, SEC

OID = 777
ROOM = 10**9


class Table:
    """Orders with an own clock, and shorthands to drive them."""

    def __init__(self, levels: int = 5) -> None:
        self.notices: deque[Notice] = deque()
        self.cloids = Cloids(ACCOUNT, "default", 1_757_000_000)
        self.orders = Orders(BTC, self.cloids, count(1), levels=levels, notices=self.notices)
        self.now_ns = SEC

    def want(
        self,
        *levels: tuple[int, int, int],
        bid_room: int = ROOM,
        ask_room: int = ROOM,
        **rest: object,
    ) -> tuple[Action, ...]:
        """Reconcile with a ladder of (side, price, size)."""
        ladder = Ladder(price_decimals=1)
        for side, price, size in levels:
            ladder.append(side, price, size)
        return self.orders.reconcile(
            ladder,
            1.0,
            bid_room=bid_room,
            ask_room=ask_room,
            is_reducing=bool(rest.get("is_reducing")),
            now_ns=self.now_ns,
            collar=(0.0, math.inf),
        )

    def place(self, side: int = 1, price: int = MID - 500, size: int = 100) -> tuple[int, int]:
        """Place one order; returns its cloid and the action's id."""
        (action,) = self.want((side, price, size))
        assert isinstance(action, PlaceOrders)
        return action.orders[0].cloid, action.id

    def rest(self, side: int = 1, price: int = MID - 500, size: int = 100) -> int:
        """Place one order and have it acknowledged."""
        cloid, action_id = self.place(side, price, size)
        self.orders.apply_reply(ActionReply(action_id, (Resting(OID),)), self.now_ns)
        return cloid

    def cancel(self, cloid: int) -> int:
        """Ask for the end of everything; returns the action's id."""
        (action,) = self.want()
        assert action == CancelOrders(action.id, (cloid,))
        return action.id


def fill(cloid: int | None, size: int, side: Side = Side.BUY, oid: int = OID) -> Fill:
    return Fill(1, oid, cloid, side, MID - 500, size, 0.0, 0, 0, 0.0, is_taker=False)


def update(cloid: int, status: str, remaining: int, original: int = 100) -> OrderUpdate:
    return OrderUpdate(OID, cloid, Side.BUY, MID - 500, remaining, original, status, 0)


# Ids.


@given(st.sampled_from(Side), st.integers(0, 300), st.integers(0, 1 << 40))
def test_an_id_says_what_it_was_made_of(side, level, session):
    """Recovery reads session and side of leftovers back from their ids."""
    parts = Cloids(ACCOUNT, "a", session)
    cloid = parts.next(side, level)

    read = parts.parse(cloid)

    assert cloid < 1 << 128
    assert read is not None
    assert (read.session_secs, read.sequence, read.side) == (session & 0xFFFFFFFF, 1, side)
    assert read.level == min(level, 127)


@given(st.integers(0, (1 << 128) - 1))
def test_a_strange_id_is_not_ours(cloid):
    """Orders without our tag and check are somebody else's and are left alone."""
    assert not Cloids(ACCOUNT, "a", 1).is_ours(cloid)


@given(st.integers(0, 127))
def test_one_wrong_bit_makes_an_id_foreign(bit):
    """The check keeps us from touching an order whose id only looks like ours."""
    cloids = Cloids(ACCOUNT, "a", 1)

    assert not cloids.is_ours(cloids.next(Side.BUY, 0) ^ (1 << bit))


def test_ids_do_not_repeat_over_restarts_and_instances():
    """A repeated id would bind a fill to the wrong order."""
    made = [
        Cloids(ACCOUNT, instance, session).next(side, 0)
        for instance in ("a", "b")
        for session in (1, 2)
        for side in Side
    ]

    assert len(set(made)) == len(made)
    assert not Cloids(ACCOUNT, "a", 1).is_ours(made[-1])


# The table of states.


def test_every_pair_of_state_and_event_is_decided():
    """A pair is either in the table or asserted not to happen: these are all of the latter."""
    impossible = {
        (state, event)
        for state in OrderState
        for event in OrderEvent
        if event not in ORDER_TRANSITIONS[state]
    }

    only_send_and_deny = set(OrderEvent) - {OrderEvent.SEND, OrderEvent.DENY}
    assert impossible == {
        *((OrderState.PLANNED, event) for event in only_send_and_deny),
        *((state, OrderEvent.SEND) for state in OrderState if state is not OrderState.PLANNED),
        # What rests has left us, and was known to the exchange.
        (OrderState.OPEN, OrderEvent.DENY),
        (OrderState.PARTIAL, OrderEvent.DENY),
        (OrderState.SENT, OrderEvent.NEVER),
        (OrderState.OPEN, OrderEvent.NEVER),
        (OrderState.PARTIAL, OrderEvent.NEVER),
    }


@pytest.mark.parametrize("state", TERMINAL)
def test_a_terminal_state_absorbs_everything(state):
    """I-13: nothing brings a finished order back."""
    assert set(ORDER_TRANSITIONS[state].values()) == {state}


@pytest.mark.parametrize(
    ("status", "event"),
    [
        ("open", OrderEvent.REST),
        ("filled", OrderEvent.END),
        ("canceled", OrderEvent.END),
        ("marginCanceled", OrderEvent.END),
        ("scheduledCancel", OrderEvent.END),
        ("internalCancel", OrderEvent.END),
        ("someNewCanceled", OrderEvent.END),
        ("rejected", OrderEvent.REFUSE),
        ("iocCancelRejected", OrderEvent.REFUSE),
        ("someNewRejected", OrderEvent.REFUSE),
        ("somethingElse", None),
    ],
)
def test_op14_statuses_are_read_by_their_ending(status, event):
    """The exchange's list of words is open; a new one must not be taken for a live order."""
    assert classify(status) is event


# One order, events in any order.


def drive(table: Table, cloid: int, action_id: int, cancel_id: int, event: str) -> None:
    orders, now_ns = table.orders, table.now_ns
    match event:
        case "ack":
            orders.apply_reply(ActionReply(action_id, (Resting(OID),)), now_ns)
        case "ack unclear":
            orders.apply_reply(ActionReply(action_id, (Unclear("?"),)), now_ns)
        case "lost":
            orders.apply_lost(action_id, "timeout", now_ns)
        case "open":
            orders.apply_update(update(cloid, "open", 100), now_ns)
        case "fill 30":
            orders.apply_fill(fill(cloid, 30), now_ns)
        case "fill 30 by oid":
            orders.apply_fill(fill(None, 30), now_ns)
        case "fill 70":
            orders.apply_fill(fill(cloid, 70), now_ns)
        case "filled":
            orders.apply_update(update(cloid, "filled", 0), now_ns)
        case "canceled 70":
            orders.apply_update(update(cloid, "canceled", 70), now_ns)
        case "cancel done":
            orders.apply_reply(ActionReply(cancel_id, (Done(),)), now_ns)
        case "cancel refused":
            orders.apply_reply(ActionReply(cancel_id, (Refused(GONE),)), now_ns)
        case "cancel lost":
            orders.apply_lost(cancel_id, "timeout", now_ns)
        case "lose all":
            orders.lose_all(now_ns)
        case _:
            raise AssertionError(event)


STORIES = {
    "filled": (["ack", "open", "fill 30", "fill 70", "filled"], OrderState.FILLED),
    "filled, answer lost": (["lost", "open", "fill 30", "fill 70", "filled"], OrderState.FILLED),
    "filled, by oid": (["ack", "open", "fill 30 by oid", "fill 70", "filled"], OrderState.FILLED),
    "canceled": (
        ["ack", "open", "fill 30", "canceled 70", "cancel done"],
        OrderState.CANCELED,
    ),
    "canceled, answers lost": (
        ["lost", "open", "fill 30", "canceled 70", "cancel lost", "lose all"],
        OrderState.CANCELED,
    ),
    "filled before the cancel": (
        ["ack", "fill 30", "fill 70", "filled", "cancel refused", "open"],
        OrderState.FILLED,
    ),
    "unclear": (["ack unclear", "open", "fill 30", "canceled 70"], OrderState.CANCELED),
}


@pytest.mark.parametrize("story", STORIES)
def test_op07_events_of_one_order_in_every_order(story):
    """Whatever comes first, the end is the same, and what is not booked yet counts as exposure."""
    events, end = STORIES[story]
    total = 100 if end is OrderState.FILLED else 30
    for sequence in permutations(events):
        table = Table()
        cloid, action_id = table.place()
        (cancel,) = table.orders.cancel_all(table.now_ns)
        delivered = 0
        for event in sequence:
            drive(table, cloid, action_id, cancel.id, event)
            if event.startswith("fill "):
                delivered += int(event.split()[1])
            else:  # the ledger keeps copies of fills away; everything else may come twice
                drive(table, cloid, action_id, cancel.id, event)
            assert table.orders.bid_lots >= total - delivered, sequence

        assert table.orders.state(cloid) is end, sequence
        assert table.orders.bid_lots == 0, sequence
        assert table.orders.counts.overfills == 0


def test_a_cancel_that_is_done_holds_the_exposure_until_the_fills_are_known():
    """'Done' does not say how much was filled before: that comes with the order stream."""
    table = Table()
    cloid = table.rest()
    cancel_id = table.cancel(cloid)

    table.orders.apply_reply(ActionReply(cancel_id, (Done(),)), table.now_ns)
    assert table.orders.bid_lots == 100

    table.orders.apply_update(update(cloid, "canceled", 60), table.now_ns)
    assert table.orders.bid_lots == 40  # fills that are still under way
    assert table.orders.state(cloid) is OrderState.CANCEL_SENT

    table.orders.apply_fill(fill(cloid, 40), table.now_ns)
    assert table.orders.bid_lots == 0
    assert table.orders.state(cloid) is OrderState.CANCELED


def test_fa04_fills_that_never_come_are_given_up_only_after_the_fills_were_read():
    """FA-04: an order ends when a later list of all fills does not hold what it owes."""
    table = Table()
    cloid = table.rest()
    table.orders.apply_update(update(cloid, "canceled", 60), table.now_ns)

    table.orders.fills_read(table.now_ns, table.now_ns)  # asked too early to count
    assert table.orders.bid_lots == 40

    table.now_ns += 2 * SEC
    assert table.orders.doubtful(table.now_ns) == (cloid,)
    assert table.orders.owes_fills
    table.orders.fills_read(table.now_ns, table.now_ns)
    assert table.orders.bid_lots == 0
    assert "Fills missing" in [notice.event for notice in table.notices]


def test_a_late_fill_of_a_finished_order_is_reported():
    """It is booked by the ledger all the same, and never brings the order back."""
    table = Table()
    cloid = table.rest()
    table.orders.apply_update(update(cloid, "canceled", 100), table.now_ns)

    assert table.orders.apply_fill(fill(cloid, 10), table.now_ns)

    assert table.orders.state(cloid) is OrderState.CANCELED
    assert table.orders.counts.late_fills == 1


def test_more_filled_than_ordered_is_reported_not_clipped():
    """I-13."""
    table = Table()
    cloid = table.rest()

    table.orders.apply_fill(fill(cloid, 150), table.now_ns)

    assert table.orders.counts.overfills == 1
    assert table.orders.state(cloid) is OrderState.FILLED


@given(
    st.lists(st.sampled_from([Resting(1), Refused("x"), Unclear("?"), Filled(2, 5)]), max_size=40)
)
def test_op03_op04_each_outcome_goes_to_its_order_or_none_is_believed(outcomes):
    """A list of another length proves nothing for any order."""
    table = Table(levels=30)
    (action,) = table.want(*((1, MID - 500 - 10 * i, 200) for i in range(20)))
    assert isinstance(action, PlaceOrders)

    table.orders.apply_reply(ActionReply(action.id, tuple(outcomes)), table.now_ns)

    states = [table.orders.state(order.cloid) for order in action.orders]
    expected = {
        Resting: OrderState.OPEN,
        Refused: OrderState.REJECTED,
        Unclear: OrderState.UNKNOWN,
        Filled: OrderState.SENT,  # until its fills are here
    }
    if len(outcomes) != 20:
        assert set(states) == {OrderState.UNKNOWN}
    else:
        assert states == [expected[type(outcome)] for outcome in outcomes]


# Doubt.


def test_an_order_without_an_answer_becomes_unknown():
    """The connection may be honest or not: after five seconds it is doubt."""
    table = Table()
    cloid, _ = table.place()

    assert table.orders.doubtful(table.now_ns + 4 * SEC) == ()
    assert table.orders.doubtful(table.now_ns + 5 * SEC) == (cloid,)

    assert table.orders.state(cloid) is OrderState.UNKNOWN
    assert table.orders.bid_lots == 100


def test_op01_an_unknown_order_keeps_its_slot_and_exposure():
    """Nothing takes its place before it is proved gone: no order twice."""
    table = Table(levels=1)
    cloid, action_id = table.place()
    table.orders.apply_lost(action_id, "timeout", table.now_ns)

    assert table.want((1, MID - 900, 100)) == ()

    table.orders.never_landed(cloid, table.now_ns)
    assert table.orders.state(cloid) is OrderState.NEVER_LANDED
    assert len(table.want((1, MID - 900, 100))) == 1


def test_op05_a_cancel_answered_with_gone_or_not_is_read():
    """The text is proof of none of its three readings."""
    table = Table()
    cloid = table.rest()
    cancel_id = table.cancel(cloid)

    table.orders.apply_reply(ActionReply(cancel_id, (Refused(GONE),)), table.now_ns)

    assert table.orders.state(cloid) is OrderState.CANCEL_SENT
    assert table.orders.bid_lots == 100
    assert table.orders.doubtful(table.now_ns) == (cloid,)


def test_op06_a_lost_cancel_is_repeated_at_once_then_slower_then_by_oid():
    """Three immediate tries, then growing pauses up to ten seconds, by the exchange's id."""
    table = Table()
    cloid = table.rest()
    actions: list[tuple[float, Action]] = (
        [(table.now_ns / SEC, CancelOrders(self_id, (cloid,)))]
        if (self_id := table.cancel(cloid))
        else []
    )
    start_ns = table.now_ns
    last = actions[0][1]
    while table.now_ns < start_ns + 40 * SEC:
        table.orders.apply_lost(last.id, "timeout", table.now_ns)
        repeated = table.orders.chase(table.now_ns)
        if repeated:
            (last,) = repeated
            actions.append((table.now_ns / SEC, last))
        else:
            table.now_ns += SEC // 4

    assert [type(action) for _, action in actions[:3]] == [CancelOrders] * 3
    assert {type(action) for _, action in actions[3:]} == {CancelOids}
    assert [at - start_ns / SEC for at, _ in actions] == [0, 0, 0, 1, 3, 7, 15, 25, 35]
    assert table.orders.bid_lots == 100


def test_a_list_that_was_asked_before_a_change_says_nothing_about_it():
    """The order was placed while the answer was under way: it is not missing."""
    table = Table()
    cloid = table.rest()

    table.orders.apply_list((), table.now_ns - 1, table.now_ns)
    assert table.orders.state(cloid) is OrderState.OPEN

    table.orders.apply_list((), table.now_ns + 1, table.now_ns + 2)
    assert table.orders.state(cloid) is OrderState.UNKNOWN


def listed(cloid: int | None, oid: int = OID, remaining: int = 100) -> OpenOrder:
    return OpenOrder(oid, cloid, Side.BUY, MID - 500, remaining, 100, is_reduce_only=False)


def test_an_order_of_ours_that_the_table_does_not_hold_counts_and_is_cancelled():
    """An orphan of an earlier session is live exposure until the list shows it no more."""
    table = Table()
    orphan = Cloids(ACCOUNT, "default", 1).next(Side.BUY, 0)

    table.orders.apply_list((listed(orphan, oid=5), listed(None, oid=6)), 1, table.now_ns)

    assert table.orders.bid_lots == 100  # the foreign one is not ours to count
    assert not table.orders.is_settled
    (action,) = table.orders.chase(table.now_ns)
    assert action == CancelOids(action.id, (5,))
    assert table.orders.chase(table.now_ns) == ()

    table.orders.apply_list((listed(None, oid=6),), 2, table.now_ns)
    assert table.orders.bid_lots == 0
    assert table.orders.is_settled


def test_an_order_that_comes_back_from_the_dead_is_seen():
    """Two reads did not know it, and it landed after that: the list finds it."""
    table = Table()
    cloid, action_id = table.place()
    table.orders.apply_lost(action_id, "timeout", table.now_ns)
    table.orders.never_landed(cloid, table.now_ns)

    table.orders.apply_list((listed(cloid),), table.now_ns + 1, table.now_ns + 2)

    assert table.orders.bid_lots == 100
    assert table.orders.num_strays == 1


# From ladder to actions.


def test_the_steady_state_makes_no_object():
    """The common case: a book moved, no order has to."""
    table = Table()
    table.rest()

    actions = table.want((1, MID - 500, 100))

    assert actions is table.want((1, MID - 500, 100))
    assert actions == ()


def test_an_order_stays_behind_its_level_for_its_place_in_the_queue():
    """Until the level is nearer than the place is worth, and never when the level is farther."""
    table = Table()
    cloid = table.rest()
    wanted = (1, MID - 400, 100)
    table.orders.set_queue_value(cloid + 1, 5.0)
    assert table.want(wanted) != ()

    table = Table()
    table.orders.set_queue_value(table.rest(), 5.0)
    assert table.want(wanted) == ()
    assert table.want((1, MID - 600, 100)) != ()


def test_cancels_go_first_and_their_slots_stay_taken_until_proved():
    """A replacement waits until the old order is proved gone."""
    table = Table(levels=1)
    cloid = table.rest()

    (cancel,) = table.want((1, MID - 900, 100))
    assert cancel == CancelOrders(cancel.id, (cloid,))
    assert table.want((1, MID - 900, 100)) == ()

    table.orders.apply_update(update(cloid, "canceled", 100), table.now_ns)
    (place,) = table.want((1, MID - 900, 100))
    assert isinstance(place, PlaceOrders)
    assert all(order.tif is Tif.ALO for order in place.orders)


@given(
    st.lists(
        st.tuples(st.sampled_from([1, -1]), st.integers(1, 50), st.integers(1, 2_000)), max_size=12
    ),
    st.integers(0, 5_000),
    st.integers(0, 5_000),
)
def test_rk03_no_placement_goes_beyond_the_room_of_its_side(wanted, bid_room, ask_room):
    """Everything that may still fill counts, what is being cancelled included."""
    table = Table(levels=4)
    for side, step, size in wanted:
        table.want((side, MID - side * 10 * step, size), bid_room=bid_room, ask_room=ask_room)
        table.now_ns += 1

        assert table.orders.bid_lots <= bid_room
        assert table.orders.ask_lots <= ask_room
        assert len(table.orders) <= 8


@given(
    st.lists(
        st.tuples(
            st.integers(-30, 30),
            st.integers(1, 5),
            st.sampled_from(["ack", "lost", "refused", "none"]),
        ),
        max_size=10,
    )
)
def test_i04_own_bids_stay_below_own_asks(moves):
    """Over all orders that may be live, in whatever state, at every step."""
    table = Table(levels=6)
    for shift, half, answer in moves:
        mid = MID + 10 * shift
        actions = table.want((1, mid - 10 * half, 200), (-1, mid + 10 * half, 200))
        for action in actions:
            if not isinstance(action, PlaceOrders) or answer == "none":
                continue
            if answer == "lost":
                table.orders.apply_lost(action.id, "timeout", table.now_ns)
                continue
            outcome = Resting if answer == "ack" else lambda _: Refused("Order has zero size.")
            outcomes = tuple(outcome(order.cloid & 0xFFFFFF) for order in action.orders)
            table.orders.apply_reply(ActionReply(action.id, outcomes), table.now_ns)
        table.now_ns += 1

        bids = [order.price for order in table.orders.live() if order.side is Side.BUY]
        asks = [order.price for order in table.orders.live() if order.side is Side.SELL]
        assert max(bids, default=0) < min(asks, default=1 << 62)


def test_orders_below_the_minimum_are_not_sent():
    """10 USD is the exchange's rule: 9 lots at 100,000 are worth 9 USD."""
    assert Table().want((1, MID - 500, 9)) == ()


def test_new_orders_are_marked_as_reduce_only_when_reducing():
    """RK-07."""
    (action,) = Table().want((-1, MID + 500, 100), is_reducing=True)

    assert isinstance(action, PlaceOrders)
    assert action.orders[0].is_reduce_only


POST_ONLY = "Post only order would have immediately matched, bbo was 99940@99941. asset=0"


def refuse(table: Table, text: str, price: int = MID - 500) -> bool:
    """Place one bid and have it refused; false if nothing was placed."""
    actions = table.want((1, price, 100))
    if not actions:
        return False
    table.orders.apply_reply(ActionReply(actions[0].id, (Refused(text),)), table.now_ns)
    return True


def test_op08_a_post_only_refusal_reprices_outside_the_quoted_touch_twice_a_second():
    """The touch that the exchange quotes is newer than our book; more than two tries are noise."""
    table = Table()
    assert refuse(table, POST_ONLY)  # at 99950.0

    (action,) = table.want((1, MID - 500, 100))
    assert isinstance(action, PlaceOrders)
    assert action.orders[0].price == 999_400  # one step below the quoted ask of 99941
    table.orders.apply_reply(ActionReply(action.id, (Refused(POST_ONLY),)), table.now_ns)

    assert table.want((1, MID - 500, 100)) == ()
    assert table.want((-1, MID + 500, 100)) != ()  # the other side goes on
    table.now_ns += SEC
    assert table.want((1, MID - 500, 100)) != ()


def test_op17_equal_refusals_pause_the_side_for_longer_each_time_and_end_in_a_kill():
    """A refusal that comes again and again is not solved by asking again."""
    table = Table()
    start_ns = table.now_ns
    refused_at = []
    while not table.orders.refusals.hopeless and table.now_ns < start_ns + 300 * SEC:
        if refuse(table, "Insufficient margin to place order. asset=0"):
            refused_at.append((table.now_ns - start_ns) / SEC)
        table.now_ns += SEC

    assert refused_at == [0, 1, 2, 3, 4, 34, 35, 36, 37, 38, 98, 99, 100, 101, 102]
    assert "Insufficient margin" in table.orders.refusals.hopeless


def test_op15_a_signer_that_the_exchange_does_not_know_is_hopeless_at_once():
    """Every further action would be refused too, often with another address."""
    table = Table()

    refuse(table, f"User or API Wallet {ACCOUNT} does not exist.")

    assert table.orders.refusals.hopeless


def test_op14_ends_by_the_exchange_have_a_policy():
    """Margin ends are counted like refusals, a delisted market is the end."""
    table = Table()
    for _ in range(5):
        cloid = table.rest()
        table.orders.apply_update(update(cloid, "marginCanceled", 100), table.now_ns)
    assert table.want((1, MID - 500, 100)) == ()  # paused
    assert not table.orders.refusals.hopeless

    table.now_ns += 40 * SEC
    cloid = table.rest()
    table.orders.apply_update(update(cloid, "delistedCanceled", 100), table.now_ns)
    assert table.orders.refusals.hopeless


def test_a_denied_placement_is_not_tried_again_at_once():
    """Gate or budget said no: the same order in the next step would be denied again."""
    table = Table()
    cloid, action_id = table.place()

    table.orders.apply_denied(action_id, table.now_ns)

    assert table.orders.state(cloid) is OrderState.DENIED
    assert table.orders.bid_lots == 0
    assert table.want((1, MID - 500, 100)) == ()
    table.now_ns += SEC
    assert table.want((1, MID - 500, 100)) != ()


def test_i22_the_table_is_bounded():
    """Finished orders are forgotten, oldest first."""
    table = Table()
    first = 0
    for i in range(3_000):
        cloid = table.rest()
        first = first or cloid
        table.orders.apply_update(update(cloid, "canceled", 100), table.now_ns)
        table.now_ns += 1
        assert len(table.orders) == 0, i

    assert table.orders.state(first) is None
    assert table.orders.state(cloid) is OrderState.CANCELED


def test_op08_a_refusal_told_by_the_stream_alone_counts_like_an_answered_one():
    """Otherwise a lost answer would let a strategy place and be refused at every step."""
    table = Table()
    placed = 0
    for _ in range(20):
        for action in table.want((1, MID - 500, 100)):
            assert isinstance(action, PlaceOrders)
            placed += 1
            cloid = action.orders[0].cloid
            table.orders.apply_update(update(cloid, "badAloPxRejected", 100), table.now_ns)
            table.orders.apply_lost(action.id, "timeout", table.now_ns)
        table.now_ns += SEC // 100

    assert placed == 2
