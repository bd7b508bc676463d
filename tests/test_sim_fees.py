"""Fees: tiers by 14 days of volume, rebates by share, cut to whole micro-USD."""

import pytest

from hypermm.sim import fees
from hypermm.sim.rules import USD, Rules
from tests.scripted_market import ALICE, BOB, START_MS
from tests.sim_desk import Venue, wire

DAY_MS = 86_400_000
TODAY = START_MS // DAY_MS


def of_day(day, *, taken=0, made=0, everybody=10**9):
    """Return the rates of an account that traded this many USD on one day."""
    return fees.rates({day: (taken * USD, made * USD)}, {day: everybody * USD}, TODAY, Rules())


@pytest.mark.parametrize(
    ("volume", "cross", "add"),
    [
        (0, 450, 150),
        (5_000_000, 450, 150),
        (5_000_001, 400, 120),
        (100_000_001, 300, 40),
        (500_000_001, 280, 0),
        (7_000_000_001, 240, 0),
    ],
)
def test_a_tier_begins_beyond_its_volume(volume, cross, add):
    found = of_day(TODAY - 1, taken=volume, everybody=10**12)
    assert (found.cross, found.add) == (cross, add)


def test_the_fourteen_days_before_today_count():
    """A tier changes at the end of a day: what is traded today counts from tomorrow on."""
    volume = 10_000_000
    assert of_day(TODAY, taken=volume).cross == 450
    assert of_day(TODAY - 14, taken=volume).cross == 400
    assert of_day(TODAY - 15, taken=volume).cross == 450


@pytest.mark.parametrize(
    ("made", "add"), [(5_000, 150), (5_001, -10), (15_001, -20), (30_001, -30)]
)
def test_makers_of_a_large_share_are_paid(made, add):
    assert of_day(TODAY - 1, made=made, everybody=1_000_000).add == add


def test_without_tiers_everybody_pays_the_base():
    rates = fees.rates({TODAY - 1: (10**18, 10**18)}, {}, TODAY, Rules(has_fee_tiers=False))

    assert rates == fees.base(Rules())


def test_fees_and_rebates_are_cut_towards_zero():
    """Recorded: 109.9644 at 0.0432 % are 0.047504, not 0.047505."""
    assert fees.charge(109_964_400, 450, is_referred=True).fee == 47_504
    assert fees.charge(199_999, -10).fee == -1


def test_a_day_s_end_changes_what_is_charged_and_shown():
    venue = Venue(block_ms=60_000)
    account = venue.exchange.accounts.get(ALICE)
    account.day_volume[TODAY] = [6_000_000 * USD, 0]
    venue.place(ALICE, wire("B", "2001", "0.5", "Ioc"))
    assert venue.info("userFees", ALICE)["userCrossRate"] == "0.00045"

    venue.exchange.advance((TODAY + 1) * DAY_MS + 60_000)
    venue.place(ALICE, wire("B", "2001", "0.5", "Ioc"))

    shown = venue.info("userFees", ALICE)
    assert (shown["userCrossRate"], shown["userAddRate"]) == ("0.0004", "0.00012")
    assert [fill["fee"] for fill in venue.info("userFills", ALICE)] == ["0.4002", "0.450225"]


def test_what_sub_accounts_trade_counts_to_their_master():
    venue = Venue(block_ms=60_000)
    sub = venue.exchange.accounts.get(BOB)
    sub.master = venue.exchange.accounts.get(ALICE)
    sub.day_volume[TODAY] = [3_000_000 * USD, 0]
    sub.master.day_volume[TODAY] = [3_000_000 * USD, 0]

    venue.exchange.advance((TODAY + 1) * DAY_MS + 60_000)
    venue.place(BOB, wire("B", "2001", "0.5", "Ioc"))

    assert [fill["fee"] for fill in venue.info("userFills", BOB)] == ["0.4002"]
    rates = [venue.info("userFees", user)["userCrossRate"] for user in (ALICE, BOB)]
    assert rates == ["0.0004", "0.0004"]
