"""What an answer to a signed action proves: each order its outcome, or none of them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm.hyperliquid.cloids import cloid_text
from hypermm.hyperliquid.replies import PRE_CHECK_REFUSALS, WHOLE_ACTION_REFUSALS, decode_reply
from hypermm.instrument import Instrument
from hypermm.messages import (
    CancelOids,
    CancelOrders,
    Done,
    Filled,
    Order,
    PlaceOrders,
    Refused,
    Resting,
    Side,
    Unclear,
    UpdateLeverage,
)

BTC = Instrument(coin="BTC", asset_id=0, size_decimals=5)
ORDERS = st.integers(1, 40).map(
    lambda count: PlaceOrders(9, tuple(Order(i, Side.BUY, 1, 1_000) for i in range(count)))
)
TEXTS = st.sampled_from(
    [
        "Insufficient margin to place order. asset=0",
        "Post only order would have immediately matched, bbo was 64143@64144. asset=0",
        "Price must be divisible by tick size. asset=0",
        "something new",
    ]
)


def ok(kind, statuses):
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": statuses}}}


@given(ORDERS, st.data())
def test_an_answer_is_matched_order_by_order(action, data):
    """`ok` outside says nothing of the orders inside."""
    status = st.one_of(
        st.integers(0, 2**53).map(lambda oid: ({"resting": {"oid": oid}}, Resting(oid))),
        st.integers(0, 2**53).map(
            lambda oid: (
                {"filled": {"totalSz": "0.01", "avgPx": "2080.2", "oid": oid}},
                Filled(oid, 1_000),
            )
        ),
        TEXTS.map(lambda text: ({"error": text}, Refused(text))),
    )
    count = len(action.orders)
    mix = data.draw(st.lists(status, min_size=count, max_size=count))

    reply = decode_reply(action, ok("order", [sent for sent, _ in mix]), BTC)

    assert reply.outcomes == tuple(outcome for _, outcome in mix)


@given(ORDERS.filter(lambda action: len(action.orders) > 1), st.sampled_from(PRE_CHECK_REFUSALS))
def test_a_lone_pre_check_error_refuses_every_order(action, text):
    """Such errors are found before execution, and none of the batch was executed."""
    reply = decode_reply(action, ok("order", [{"error": text}]), BTC)

    assert reply.outcomes == (Refused(text),) * len(action.orders)


@given(ORDERS, st.sampled_from(WHOLE_ACTION_REFUSALS))
def test_a_known_error_of_the_action_refuses_every_order(action, text):
    """The exchange's word that it did not act."""
    payload = {"status": "err", "response": text + " and more"}

    reply = decode_reply(action, payload, BTC)

    assert reply.outcomes == (Refused(text + " and more"),) * len(action.orders)


RESTING = {"resting": {"oid": 1}}


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "429 Too Many Requests",
        {},
        {"status": "ok"},
        {"status": "ok", "response": {"type": "default"}},
        {"status": "ok", "response": {"type": "order", "data": None}},
        {"status": "ok", "response": {"type": "order", "data": {"statuses": None}}},
        {"status": "err", "response": None},
        {"status": "err", "response": "Internal error"},
        {"status": "err", "response": "Invalid nonce: duplicate nonce 5"},
        {"status": "maybe", "response": "Vault not registered"},
        ok("cancel", ["success", "success"]),
        ok("order", []),
        ok("order", [RESTING]),
        ok("order", [{"error": "something new"}]),
        ok("order", [RESTING, RESTING, RESTING]),
        ok("order", [RESTING, "waitingForFill"]),
        ok("order", [RESTING, "waitingForTrigger"]),
        ok("order", [RESTING, None]),
        ok("order", [RESTING, {}]),
        ok("order", [RESTING, {"resting": {"oid": "1"}}]),
        ok("order", [RESTING, {"resting": {"oid": True}}]),
        ok("order", [RESTING, {"resting": {"oid": -1}}]),
        ok("order", [RESTING, {"resting": {"oid": 1}, "error": "x"}]),
        ok("order", [RESTING, {"error": 5}]),
        ok("order", [RESTING, {"filled": {"oid": 1, "totalSz": "NaN"}}]),
        ok("order", [RESTING, {"filled": {"oid": 1}}]),
        ok("order", [RESTING, {"filled": {"oid": 1, "totalSz": 5}}]),
        ok("order", [RESTING, {"filled": {"oid": 1, "totalSz": "0.00002"}}]),
        ok("order", [RESTING, {"filled": {"oid": 1, "totalSz": "0.0"}}]),
        ok("order", [RESTING, {"resting": {"oid": 1, "cloid": cloid_text(77)}}]),
    ],
)
def test_an_answer_that_proves_nothing_leaves_every_order_open(payload):
    """Doubt about one order of a batch is doubt about the matching of all."""
    action = PlaceOrders(9, (Order(1, Side.BUY, 1, 1), Order(2, Side.SELL, 2, 1)))

    reply = decode_reply(action, payload, BTC)

    assert len(reply.outcomes) == 2
    assert all(isinstance(outcome, Unclear) for outcome in reply.outcomes)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: (
    st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["status", "response", "type", "data", "statuses", "error", "oid"]), inner
    )
)))  # fmt: skip
def test_no_answer_breaks_the_reader(payload):
    """One outcome for each order, whatever comes."""
    actions = (
        PlaceOrders(9, (Order(1, Side.BUY, 1, 1), Order(2, Side.SELL, 2, 1))),
        CancelOrders(9, (1, 2)),
        CancelOids(9, (1, 2)),
    )
    for action in actions:
        assert len(decode_reply(action, payload, BTC).outcomes) == 2


def test_cancels_and_settings_are_matched_too():
    """A cancel of an order that is gone is refused with the exchange's text."""
    gone = "Order was never placed, already canceled, or filled. asset=0"

    cancels = decode_reply(CancelOrders(4, (1, 2)), ok("cancel", ["success", {"error": gone}]), BTC)
    default = {"status": "ok", "response": {"type": "default"}}
    leverage = decode_reply(UpdateLeverage(5, 3, is_cross=True), default, BTC)

    assert cancels.outcomes == (Done(), Refused(gone))
    assert leverage.outcomes == (Done(),)


def test_every_recorded_answer_to_an_action_is_understood(data_dir):
    """Each recorded reply proves what its note says, or is of an action that we do not send."""
    outcomes = {}
    paths = sorted((data_dir / "hyperliquid/fixtures").glob("exchange-*.json"))
    recorded = [sample for path in paths for sample in json.loads(path.read_text())["samples"]]
    for sample in recorded:
        kind = sample["response"]["response"]
        kind = kind["type"] if isinstance(kind, dict) else "err"
        match kind:
            case "order" | "err":
                action = PlaceOrders(3, (Order(0, Side.BUY, 1, 10**9),))
            case "cancel":
                action = CancelOids(3, (1,))
            case "default":
                action = UpdateLeverage(3, 5, is_cross=True)
            case _:
                continue
        response = json.loads(json.dumps(sample["response"]))
        data = response["response"]
        if isinstance(data, dict) and "data" in data:
            for status in data["data"]["statuses"]:
                for fields in status.values() if isinstance(status, dict) else ():
                    if isinstance(fields, dict):
                        fields.pop("cloid", None)

        reply = decode_reply(action, response, BTC)

        assert reply.id == 3
        outcomes[sample["note"]] = reply.outcomes[0]

    assert outcomes["success_created"] == Resting(311_642_020_084)
    assert outcomes["success_filled"] == Filled(315_445_859_529, 1_000)
    assert outcomes["success"] == Done()
    assert outcomes["insufficient_margin"] == Refused("Insufficient margin to place order. asset=5")
    assert isinstance(outcomes["general_failure"], Refused)
    assert isinstance(outcomes["positionTpsl grouping, one reduce-only market stop"], Unclear)
