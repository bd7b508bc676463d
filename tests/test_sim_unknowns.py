"""What nobody has recorded of orders is a rule of the venue: each in both readings."""

from pathlib import Path

import attrs
import pytest

from hypermm.errors import ConfigError
from hypermm.sim.rules import Rules, read_rules
from tests.scripted_market import ALICE, BOB, ScriptedMarket, instrument
from tests.sim_desk import ASKS, BIDS, CLOID, Venue, wire
from tests.test_sim_texts import empty, halted
from tests.test_sim_triggers import trigger

NIGHT_MS = 6_000
DOCS = Path(__file__).resolve().parent.parent / "docs" / "reference"


def test_every_rule_has_its_line_in_the_reference():
    """A switch that nobody can find decides nothing."""
    pages = "".join(page.read_text() for page in DOCS.glob("exchange-*.md"))

    for field in attrs.fields(Rules):
        assert f"`{field.name}`" in pages, (
            f"{field.name}: give it a line in the tables of docs/reference/exchange-*.md"
        )


def test_rules_are_read_as_a_command_line_gives_them():
    rules = read_rules(
        ["price_band_percent=80", "does_partial_gtc_rest=off", "halted_text=No trading = none"]
    )

    assert rules.price_band_percent == 80
    assert rules.does_partial_gtc_rest is False
    assert rules.halted_text == "No trading = none"
    assert read_rules(["block_ms=50"], rules) == attrs.evolve(rules, block_ms=50)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("nonsense=1", "no rule 'nonsense'"),
        ("is_in_band=1", "no rule"),
        ("", "no rule ''"),
        ("block_ms=soon", "of the kind of 70"),
        ("block_ms", "of the kind of 70"),
        ("block_ms=0", "of the kind of 70"),
        ("slow_push_ms=-1", "of the kind of 5000"),
        ("queue_exponent=nan", "of the kind of"),
        ("are_partial_fills_updates=1", "on or off"),
        ("price_band_percent=50", "of the kind of 95"),
    ],
)
def test_a_rule_that_cannot_be_is_named(text, part):
    with pytest.raises(ConfigError, match=part) as error:
        read_rules([text])

    assert error.value.hint


@pytest.mark.parametrize(
    ("percent", "refused", "taken"),
    [(95, ("99", "3905"), ("101", "3899")), (80, ("399", "10010"), ("401", "9999"))],
)
def test_the_band_is_95_percent_to_either_side_or_a_fifth_to_five_times(percent, refused, taken):
    venue = Venue(rules=Rules(price_band_percent=percent))
    text = f"Order price cannot be more than {percent}% away from the reference price"
    side = {True: "A", False: "B"}
    for price in refused:
        (status,) = venue.place(ALICE, wire(side[int(price) > 2000], price, "0.2"))
        assert status == {"error": text}
    for price in taken:
        (status,) = venue.place(ALICE, wire(side[int(price) > 2000], price, "0.2"))
        assert "resting" in status


@pytest.mark.parametrize("around_oracle", [False, True])
def test_the_band_lies_around_the_mark_or_around_the_oracle(around_oracle):
    venue = Venue(rules=Rules(is_band_around_oracle=around_oracle))
    venue.exchange.listings[0].oracle_price = 100_000.0  # 1000 dollars

    (status,) = venue.place(ALICE, wire("B", "60", "1"))
    (high,) = venue.place(ALICE, wire("B", "99", "1"))

    assert "95%" in high["error"] if not around_oracle else "resting" in high
    assert "resting" in status if around_oracle else "95%" in status["error"]


@pytest.mark.parametrize("at_first_price", [False, True])
def test_the_minimum_value_counts_at_the_limit_or_at_the_first_price(at_first_price):
    venue = Venue(rules=Rules(is_value_at_first_price=at_first_price))

    (status,) = venue.place(ALICE, wire("B", "3000", "0.004", "Ioc"))  # 12 or 8 dollars

    assert ("error" in status) == at_first_price


@pytest.mark.parametrize("exempt", [True, False])
def test_a_whole_close_may_be_small_or_may_not(exempt):
    venue = Venue(rules=Rules(is_whole_close_exempt=exempt))
    venue.place(ALICE, wire("B", "2001", "0.006", "Ioc"))
    venue.place(ALICE, wire("A", "2000", "0.005", "Ioc"))

    (status,) = venue.place(ALICE, wire("A", "2000", "1", "Ioc", reduce_only=True))

    assert ("filled" in status) == exempt


@pytest.mark.parametrize("told", [False, True])
def test_a_partial_fill_of_a_resting_order_is_told_or_not(told):
    venue = Venue(rules=Rules(are_partial_fills_updates=told))
    venue.place(ALICE, wire("B", "2000", "1"))

    venue.trade("A", "2000", "1.4")

    assert venue.updates(ALICE) == ([("open", "0.6")] if told else [])
    assert venue.fills(ALICE)[0]["sz"] == "0.4"


@pytest.mark.parametrize(("rests", "word"), [(True, "resting"), (False, "filled")])
def test_a_gtc_that_fills_in_part_is_answered_resting_or_filled(rests, word):
    venue = Venue(rules=Rules(does_partial_gtc_rest=rests))

    (status,) = venue.place(ALICE, wire("B", "2001", "1.5", "Gtc"))

    assert list(status) == [word]
    assert status[word].get("totalSz", "1.0") == "1.0"
    assert venue.info("openOrders", ALICE)[0]["sz"] == "0.5"


@pytest.mark.parametrize("text", ["", "0.0"])
def test_a_post_only_refusal_prints_a_missing_side_as_told(text):
    venue = Venue(rules=Rules(missing_side_text=text))
    venue.market.book(venue.soon(), [], ASKS)
    venue.step()

    (status,) = venue.place(ALICE, wire("B", "2001", "1"))

    assert f"bbo was {text}@2001. asset=0" in status["error"]


def test_texts_that_nobody_has_recorded_can_be_set():
    venue = Venue(
        rules=Rules(
            live_cloid_text="cloid", too_many_orders_text="many", halted_text="halt",
            spot_balance_text="spot",
        )
    )  # fmt: skip
    first, again = venue.place(
        ALICE, wire("B", "1999", "1", cloid=CLOID), wire("B", "1998", "1", cloid=CLOID)
    )
    assert "resting" in first
    assert again == {"error": "cloid"}
    assert venue.place(ALICE, wire("B", "1", "10", asset=10_000)) == [{"error": "spot asset=10000"}]
    for _ in range(2):
        venue.place(ALICE, *[wire("B", "1900", "0.01")] * 500)
    assert venue.place(ALICE, wire("B", "1900", "0.01")) == [{"error": "many asset=0"}]
    assert venue.place(ALICE, trigger("A", "1900", "1", "sl")) == [{"error": "many asset=0"}]
    halted(venue)
    assert venue.place(ALICE, wire("B", "1999", "1")) == [{"error": "halt"}]


# The dead man's switch


def night(**rules):
    """Let a switch fire over an order of each kind on two dexs; return the venue after it."""
    markets = [ScriptedMarket(), ScriptedMarket(instrument(coin="xyz:GOLD", dex="xyz"))]
    for market in markets:
        market.book(0, BIDS, ASKS)
    venue = Venue(markets=markets, rules=Rules(schedule_cancel_volume=0, **rules))
    venue.place(ALICE, wire("B", "2001", "1", "Ioc"))
    venue.place(ALICE, trigger("A", "1900", "1", "sl"))
    venue.place(ALICE, wire("B", "1999", "1"))
    venue.place(ALICE, wire("B", "1999", "1", asset=110_000))
    until_ms = venue.exchange.now_ms + NIGHT_MS
    venue.act(ALICE, {"type": "scheduleCancel", "time": until_ms})
    while not any(name == "scheduledCancel" for name, _ in venue.updates(ALICE)):
        venue.step()
        assert venue.exchange.now_ms < until_ms + 1_000
    return venue


def left(venue):
    orders = venue.info("openOrders", ALICE) + venue.info("openOrders", ALICE, dex="xyz")
    return sorted(order["coin"] for order in orders)


def test_the_switch_cancels_everything_unless_told_otherwise():
    assert left(night()) == []
    assert left(night(does_schedule_spare_triggers=True)) == ["ETH"]
    assert left(night(does_schedule_spare_dexs=True)) == ["xyz:GOLD"]


@pytest.mark.parametrize("told", [True, False])
def test_a_firing_appears_among_the_cancels_nobody_asked_for_or_not(told):
    venue = night(is_scheduled_cancel_told=told)

    assert any("nonUserCancel" in event for event in venue.events(ALICE, "userEvents")) == told


@pytest.mark.parametrize(("volume_first", "text"), [(True, "enough volume"), (False, "too early")])
def test_the_switch_refuses_for_volume_or_for_the_time_first(volume_first, text):
    venue = Venue(rules=Rules(is_volume_checked_first=volume_first))

    reply = venue.act(ALICE, {"type": "scheduleCancel", "time": venue.exchange.now_ms})

    assert text in reply["response"]


def test_the_eleventh_firing_of_a_day_is_refused_with_the_words_of_the_rule():
    venue = Venue(rules=Rules(schedule_cancel_volume=0, schedule_count_text="ten are enough"))
    day = venue.exchange.now_ms // 86_400_000
    venue.exchange.accounts.get(ALICE).scheduled_cancels = (day, 10)

    reply = venue.act(ALICE, {"type": "scheduleCancel", "time": venue.exchange.now_ms + 9_000})

    assert reply == {"status": "err", "response": "ten are enough"}


def test_growth_of_the_open_interest_is_limited_by_the_minute_where_a_rule_says_so():
    venue = Venue(rules=Rules(interest_growth_usd_max=3_000))
    venue.place(ALICE, wire("B", "2001", "1", "Ioc"))
    (refused,) = venue.place(BOB, wire("B", "2002", "1", "Ioc"))
    (reducing,) = venue.place(ALICE, wire("A", "2000", "1", "Ioc"))
    assert "too quickly" in refused["error"]
    assert "filled" in reducing

    for _ in range(60_000 // venue.exchange.block_ms + 1):
        venue.step()

    (status,) = venue.place(BOB, wire("B", "2002", "1", "Ioc"))
    assert "filled" in status


def test_an_empty_book_has_no_band():
    """Nothing is known there yet: an order may set the first price."""
    market = ScriptedMarket()
    market.book(0, [], [])
    venue = Venue(market=market)
    empty(venue)

    (status,) = venue.place(ALICE, wire("B", "5", "10"))

    assert "resting" in status
