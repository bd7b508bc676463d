"""Money of the simulated exchange: pools by dex, fees, and that nothing is made or lost."""

import pytest

from hypermm.instrument import Instrument
from hypermm.sim.dexs import Dex
from hypermm.sim.fees import DexFees
from hypermm.sim.funding import hourly_rate
from hypermm.sim.liquidation import BACKSTOP
from hypermm.sim.rules import USD, Rules
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


HOUR_MS = 3_600_000


def hour_of(venue):
    """Let blocks pass to just beyond the next whole hour."""
    until_ms = venue.exchange.now_ms - venue.exchange.now_ms % HOUR_MS + HOUR_MS
    return venue.exchange.advance(until_ms + 2 * venue.exchange.block_ms)


@pytest.mark.parametrize(
    ("premium", "rate"),
    [
        (0, 12_500_000),
        (-400_000_000, 12_500_000),  # from -0.04 % to +0.06 % it is the interest alone
        (600_000_000, 12_500_000),
        (1_000_000_000, (1_000_000_000 - 500_000_000) // 8),
        (-1_000_000_000, (-1_000_000_000 + 500_000_000) // 8),
        (10**12, 40_000_000_000),  # 4 % an hour at most
    ],
)
def test_the_rate_is_the_published_formula(premium, rate):
    """Premium plus a clamped pull to the interest, an eighth of it an hour."""
    assert hourly_rate(premium) == rate


@pytest.mark.parametrize("side", ["B", "A"])
def test_positions_pay_funding_by_the_hour_and_everybody_is_told(side):
    """Longs pay a positive rate, of the oracle's value, cut to whole micro-USD."""
    venue = Venue(block_ms=1_000)
    price = "2001" if side == "B" else "2000"
    venue.place(ALICE, wire(side, price, "0.5", "Ioc"))
    before = venue.info("clearinghouseState", ALICE)["marginSummary"]["totalRawUsd"]

    blocks = hour_of(venue)

    listing = venue.exchange.by_coin["ETH"]
    owed = 5_000 * round(listing.oracle_price) * listing.funding_history[0][1] // 10**12
    paid = (-1 if side == "B" else 1) * owed / USD
    (payment,) = venue.info("userFunding", ALICE, startTime=0)
    assert float(payment["delta"]["usdc"]) == paid
    assert payment["delta"]["fundingRate"] == "0.0000125"
    after = venue.info("clearinghouseState", ALICE)["marginSummary"]["totalRawUsd"]
    assert float(after) - float(before) == pytest.approx(paid, abs=1e-9)
    position = venue.info("clearinghouseState", ALICE)["assetPositions"][0]["position"]
    assert float(position["cumFunding"]["allTime"]) == -paid
    told = [b.news[ALICE].fundings for b in blocks if ALICE in b.news and b.news[ALICE].fundings]
    assert len(told) == 1
    (history,) = venue.info("fundingHistory", coin="ETH", startTime=0)
    assert history["fundingRate"] == "0.0000125"
    check_books(venue)


def test_below_maintenance_a_market_order_closes_and_orders_go(venue):
    """The position is sold into the book without a fee; the feed says that it is a liquidation."""
    venue.place(ALICE, wire("B", "2002", "3", "Ioc"))
    venue.place(ALICE, wire("B", "1900", "0.1"))
    pool = venue.exchange.accounts.get(ALICE).pool()
    need = pool.maintenance_margin
    taken = pool.cross_value - (need - 1)
    pool.cash -= taken
    venue.exchange.bank.outside += taken

    venue.step()

    assert ("liquidatedCanceled", "0.1") in venue.updates(ALICE)
    fills = venue.fills(ALICE)
    assert {fill["liquidation"]["method"] for fill in fills} == {"market"}
    assert {fill["fee"] for fill in fills} == {"0.0"}
    assert {fill["dir"] for fill in fills} == {"Close Long"}
    assert any("liquidation" in event for event in venue.events(ALICE, "userEvents"))
    assert venue.size(ALICE) == "0.0"
    check_books(venue)


def test_of_a_large_position_a_fifth_goes_first_and_the_rest_within_half_a_minute():
    """What the fifth freed may be enough; if not, the whole follows."""
    venue = Venue(rules=Rules(partial_liquidation_usd=1_000))
    venue.place(ALICE, wire("B", "2002", "3", "Ioc"))
    pool = venue.exchange.accounts.get(ALICE).pool()
    taken = pool.cross_value - (pool.maintenance_margin - 1)
    pool.cash -= taken
    venue.exchange.bank.outside += taken

    venue.step()
    first = venue.size(ALICE)
    venue.exchange.accounts.get(ALICE).pool().cash -= 40 * USD
    venue.exchange.bank.outside += 40 * USD
    venue.step()

    assert first == "2.4"
    assert venue.size(ALICE) == "0.0"
    check_books(venue)


@pytest.mark.parametrize("is_cross", [True, False])
def test_below_two_thirds_the_backstop_takes_positions_and_margin(is_cross):
    """Also what is owed: nobody else pays for it."""
    venue = Venue()
    venue.act(
        ALICE,
        {"type": "updateLeverage", "asset": 0, "isCross": is_cross, "leverage": 20},
    )
    venue.place(ALICE, wire("B", "2002", "3", "Ioc"))
    pool = venue.exchange.accounts.get(ALICE).pool()
    position = pool.positions[0]
    own = pool.cross_value if is_cross else position.equity
    taken = own - position.maintenance_margin // 2
    if is_cross:
        pool.cash -= taken
    else:
        position.raw -= taken
    venue.exchange.bank.outside += taken

    venue.step()

    (fill,) = venue.fills(ALICE)
    assert fill["liquidation"]["method"] == "backstop"
    assert fill["dir"] == f"Liquidated {'Cross' if is_cross else 'Isolated'} Long"
    assert venue.size(ALICE) == "0.0"
    assert venue.size(BACKSTOP) == "3.0"
    if is_cross:
        assert venue.info("clearinghouseState", ALICE)["marginSummary"]["accountValue"] == "0.0"
    check_books(venue)


@pytest.mark.parametrize("side", ["B", "A"])
def test_a_liquidated_isolated_position_loses_no_more_than_its_own_margin(side):
    """In a thin book the market order stops where the margin ends; the backstop has the rest."""
    venue = Venue()
    venue.act(ALICE, {"type": "updateLeverage", "asset": 0, "isCross": False, "leverage": 20})
    venue.place(ALICE, wire(side, "2002" if side == "B" else "1999", "3", "Ioc"))
    cash = venue.exchange.accounts.get(ALICE).pool().cash
    near, far = ("1938", "1500") if side == "B" else ("2062", "2500")
    thin, other = [(near, "0.1"), (far, "10")], [("1939" if side == "B" else "2061", "1")]
    bids, asks = (thin, other) if side == "B" else (other, thin)

    venue.market.book(venue.soon(), bids, asks)
    venue.market.trade(venue.soon(), "A" if side == "B" else "B", near, "0.01")
    venue.step()
    venue.step()

    kinds = [fill["liquidation"]["method"] for fill in venue.info("userFills", ALICE)
             if "liquidation" in fill]  # fmt: skip
    assert "market" in kinds
    assert venue.exchange.accounts.get(ALICE).pool().cash >= cash
    check_books(venue)


def test_leverage_stays_within_the_tier_of_an_open_position(venue):
    """Else a large position would be held at the leverage of a small one."""
    action = {"type": "updateLeverage", "asset": 0, "isCross": True}
    venue.act(ALICE, {**action, "leverage": 5})
    venue.exchange.by_coin["ETH"].tiers = ((0, 25), (1_000 * USD, 10))
    venue.place(ALICE, wire("B", "2002", "3", "Ioc"))

    assert venue.act(ALICE, {**action, "leverage": 11})["response"] == "Invalid leverage value"
    assert venue.act(ALICE, {**action, "leverage": 10})["status"] == "ok"


def test_growth_mode_counts_a_tenth_of_the_volume():
    """Towards tiers and the request budget, as it charges a tenth of the fees."""
    venue = Venue(markets=[on_dex()], dexs=[HYNA])
    venue.place(ALICE, wire("B", "2001", "0.1", "Ioc", asset=BUILDER_ASSET))

    assert venue.info("userRateLimit", ALICE)["cumVlm"] == "20.01"


def test_maintenance_margin_follows_the_tiers(venue):
    """Half the initial margin of each slice, which is rate less deduction as documented."""
    listing = venue.exchange.by_coin["ETH"]
    listing.tiers = ((0, 20), (1_000 * USD, 10), (5_000 * USD, 5))

    value = 8_000 * USD
    deduction_1 = 1_000 * USD * (1 / 20 - 1 / 40)
    deduction_2 = deduction_1 + 5_000 * USD * (1 / 10 - 1 / 20)
    assert listing.maintenance_margin(value) == pytest.approx(value / 10 - deduction_2)
    assert listing.maintenance_margin(900 * USD) == 900 * USD // 40


def test_a_known_dex_shows_its_scale_its_caps_and_its_deposits():
    """An operator reads them before the first order."""
    venue = Venue(markets=[on_dex(), on_dex("hyna:BTC")])

    (_, dex) = venue.info("perpDexs")
    limits = venue.info("perpDexLimits", dex="hyna")

    assert (dex["fullName"], dex["deployerFeeScale"]) == ("HyENA", "1.0")
    assert dex["assetToStreamingOiCap"] == [["hyna:BTC", "25000000.0"]]
    assert limits["coinToOiCap"] == [["hyna:BTC", "25000000.0"]]
    assert limits["totalOiCap"] == "100000000.0"
    assert venue.info("perpDexLimits", dex="") is None
    assert venue.info("perpDexStatus", dex="hyna") == {"totalNetDeposit": "20000.0"}


def test_a_market_of_several_tiers_has_a_table_of_its_own(venue):
    """`marginTables` names what the rules enforce."""
    meta = venue.info("meta")
    number = meta["universe"][0]["marginTableId"]
    tables = dict(meta["marginTables"])

    assert tables[number]["marginTiers"] == [
        {"lowerBound": "0.0", "maxLeverage": 25},
        {"lowerBound": "100000000.0", "maxLeverage": 15},
    ]
    assert venue.info("marginTable", id=number) == tables[number]
    assert venue.info("marginTable", id=7)["marginTiers"][0]["maxLeverage"] == 7


def test_a_halted_builders_market_is_settled_at_its_mark():
    """Orders go, positions are closed without a fee, and it may trade again after that."""
    venue = Venue(markets=[on_dex()])
    order = wire("B", "2001", "0.5", "Ioc", asset=BUILDER_ASSET)
    venue.place(ALICE, order)
    venue.place(BOB, wire("A", "2001.5", "0.1", asset=BUILDER_ASSET))
    listing = venue.exchange.by_coin["hyna:ETH"]
    mark = listing.mark_price

    venue.exchange.halt({"hyna:ETH"})
    venue.step()

    (fill,) = venue.block.news[ALICE].fills
    assert (fill.direction, fill.price, fill.fee) == ("Settlement", mark, 0)
    assert venue.updates(BOB) == [("internalCancel", "0.1")]
    check_books(venue)
    refused = venue.place(ALICE, order)
    assert refused == [{"error": "Trading is halted"}]
    venue.exchange.halt(())
    assert "filled" in venue.place(ALICE, order)[0]
    check_books(venue)


def test_users_positions_count_towards_the_cap():
    """The outside world alone never comes near a cap: who trades here can reach it."""
    dex = Dex(name="hyna", full_name="H", interest_caps_usd={"hyna:ETH": 100})
    venue = Venue(markets=[on_dex()], dexs=[dex])
    order = wire("B", "2001", "0.2", "Ioc", asset=BUILDER_ASSET)

    assert "filled" in venue.place(ALICE, order)[0]
    assert venue.info("perpsAtOpenInterestCap", dex="hyna") == ["hyna:ETH"]
    refused = venue.place(ALICE, order)[0]["error"]
    assert refused.startswith("Order would increase open interest while open interest is capped")
    back = wire("A", "1999", "0.2", "Ioc", asset=BUILDER_ASSET, reduce_only=True)
    assert "filled" in venue.place(ALICE, back)[0]
    assert venue.info("perpsAtOpenInterestCap", dex="hyna") == []
    check_books(venue)
