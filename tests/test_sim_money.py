"""Money of the simulated exchange: pools by dex, fees, and that nothing is made or lost."""

import pytest

from hypermm.instrument import Instrument
from hypermm.sim.dexs import Dex
from hypermm.sim.fees import DexFees
from hypermm.sim.rules import USD
from tests.scripted_market import ALICE, BOB, ScriptedMarket
from tests.sim_desk import ASKS, BIDS, Venue, wire

HYNA = Dex(
    name="hyna",
    full_name="HyENA",
    deployer="0x" + "d0" * 20,
    fees=DexFees(scale=1_000, has_growth_mode=True),
)
BUILDER_ASSET = 110_000


def on_dex(coin="hyna:ETH"):
    market = ScriptedMarket(
        Instrument(coin=coin, asset_id=0, size_decimals=4, max_leverage=10, dex="hyna",
                   is_isolated_only=True)
    )  # fmt: skip
    market.book(0, BIDS, ASKS)
    return market


def check_books(venue):
    """Every sum over all books is zero."""
    accounts = list(venue.exchange.accounts.by_address.values())
    bank = venue.exchange.bank
    assert bank.imbalance(accounts) == 0
    assert not any(bank.lots(accounts).values())


@pytest.fixture
def venue():
    main = ScriptedMarket()
    main.book(0, BIDS, ASKS)
    return Venue(markets=[main, on_dex()], dexs=[HYNA], funds_dexs=False)


def test_equal_names_on_two_dexs_are_two_markets_with_collateral_of_their_own(venue):
    """A builder's dex has its own universe, ids from 110000, and an empty balance at first."""
    main, builder = venue.info("meta"), venue.info("meta", dex="hyna")
    assert [x["name"] for x in builder["universe"]] == ["hyna:ETH"]
    assert builder["universe"][0]["onlyIsolated"] is True
    assert main["universe"][0]["name"] == "ETH"

    refused = venue.place(ALICE, wire("B", "2001", "0.1", "Ioc", asset=BUILDER_ASSET))

    assert refused == [{"error": f"Insufficient margin to place order. asset={BUILDER_ASSET}"}]
    assert venue.info("clearinghouseState", ALICE, dex="hyna")["withdrawable"] == "0.0"
    assert venue.info("clearinghouseState", ALICE)["withdrawable"] == "10000.0"
    check_books(venue)


def test_a_fill_between_users_and_the_world_keeps_every_sum(venue):
    """Cash and lots have their opposite somewhere, fees included."""
    venue.place(ALICE, wire("B", "2001", "0.7", "Ioc"))
    venue.place(BOB, wire("A", "2001", "0.5", "Gtc"))
    venue.place(ALICE, wire("B", "2002", "0.9", "Ioc"))
    venue.place(ALICE, wire("A", "2000", "2", "Ioc"))

    check_books(venue)
    assert venue.exchange.bank.fees > 0


@pytest.mark.parametrize(
    ("dex", "rate"),
    [
        (DexFees(), 450),
        (DexFees(scale=500), 675),
        (DexFees(scale=1_000), 900),
        (DexFees(scale=2_000), 1_800),
        (DexFees(scale=1_000, has_growth_mode=True), 90),
    ],
)
def test_a_dex_scales_the_fee_and_takes_its_part(dex, rate):
    """s below 1 adds s, from 1 on doubles s; growth mode is a tenth."""
    venue = Venue(markets=[on_dex()], dexs=[Dex(name="hyna", full_name="H", fees=dex)])
    venue.place(ALICE, wire("B", "2001", "0.1", "Ioc", asset=BUILDER_ASSET))

    (fill,) = venue.fills(ALICE)
    fee = 200_100_000 * rate // 1_000_000
    assert float(fill["fee"]) == fee / USD
    part = venue.exchange.bank.shares.get("0x" + 40 * "0", 0)
    scale = dex.scale
    assert part == (fee * scale // (1_000 + scale) if scale < 1_000 else fee // 2)
    check_books(venue)
