"""Answers about dexs, sub-accounts, builders, referrers and money beside trading."""

from hypermm.sim.accounts import FundingPayment, LedgerUpdate
from hypermm.sim.dexs import Dex
from hypermm.sim.fees import DexFees
from hypermm.sim.orders import UserNews
from hypermm.sim.told import PAYLOADS
from tests.scripted_market import ALICE, BOB, START_MS, ScriptedMarket, instrument
from tests.sim_desk import ASKS, BIDS, Venue

COIN = "xyz:GOLD"
NO_HASH = "0x" + 64 * "0"
SUB = "0x" + 40 * "5"


def venue_with_dex():
    market = ScriptedMarket(instrument(COIN, dex="xyz"))
    market.book(0, BIDS, ASKS)
    dex = Dex(
        name="xyz",
        full_name="XYZ",
        deployer=BOB,
        fees=DexFees(scale=500, has_growth_mode=True),
        interest_caps_usd={COIN: 5_000_000},
        interest_cap_usd=50_000_000,
        funding_multipliers={COIN: "0.5"},
    )
    return Venue(markets=[ScriptedMarket(), market], dexs=[dex])


def test_a_builder_s_dex_is_shown_with_its_scale_caps_and_multipliers():
    venue = venue_with_dex()

    nothing, dex = venue.info("perpDexs")

    assert nothing is None
    assert (dex["name"], dex["fullName"], dex["deployer"]) == ("xyz", "XYZ", BOB)
    assert dex["deployerFeeScale"] == "0.5"
    assert dex["assetToStreamingOiCap"] == [[COIN, "5000000.0"]]
    assert dex["assetToFundingMultiplier"] == [[COIN, "0.5"]]
    assert venue.info("perpDexLimits", dex="xyz")["totalOiCap"] == "50000000.0"
    assert venue.info("perpDexLimits", dex="") is None
    assert venue.info("perpDexLimits", dex="nope") is None
    plain, growing = (venue.info("meta", dex=name)["universe"][0] for name in ("", "xyz"))
    assert "growthMode" not in plain
    assert growing["growthMode"] == "enabled"


def test_the_money_on_each_dex_is_told():
    venue = venue_with_dex()
    venue.exchange.fund(ALICE, 70, "xyz")

    assert venue.info("perpDexStatus", dex="xyz") == {"totalNetDeposit": "20070.0"}
    assert venue.info("perpDexStatus", dex="") == {"totalNetDeposit": "20000.0"}


def test_markets_with_several_tiers_share_a_table_of_their_own():
    venue = venue_with_dex()
    venue.exchange.listings[0].tiers = ((0, 25), (100_000_000_000_000, 15))

    meta = venue.info("meta")

    number = meta["universe"][0]["marginTableId"]
    assert number >= 50
    assert dict(meta["marginTables"])[number] == {
        "description": "tiered 25x",
        "marginTiers": [
            {"lowerBound": "0.0", "maxLeverage": 25},
            {"lowerBound": "100000000.0", "maxLeverage": 15},
        ],
    }
    assert venue.info("marginTable", id=number) == dict(meta["marginTables"])[number]


def test_a_master_sees_the_states_of_his_sub_accounts():
    venue = venue_with_dex()
    assert venue.info("subAccounts", ALICE) is None
    master, sub = (venue.exchange.accounts.open(user) for user in (ALICE, SUB))
    master.sub_accounts[SUB] = "Test"
    sub.master = master
    sub.pool("xyz").cash = 29_780_010

    (brief,) = venue.info("subAccounts", ALICE)
    (full,) = venue.info("subAccounts2", ALICE)

    assert list(brief) == ["name", "subAccountUser", "master", "clearinghouseState", "spotState"]
    assert (brief["name"], brief["subAccountUser"], brief["master"]) == ("Test", SUB, ALICE)
    states = dict(full["dexToClearinghouseState"])
    assert states["xyz"]["marginSummary"]["accountValue"] == "29.78001"
    assert states[""]["marginSummary"]["accountValue"] == "0.0"
    assert venue.info("userRole", SUB) == {"role": "subAccount", "data": {"master": ALICE}}


def test_builders_and_referrers_are_shown_by_who_chose_them():
    venue = venue_with_dex()
    alice, bob = (venue.exchange.accounts.get(user) for user in (ALICE, BOB))
    alice.builder_fees[BOB] = 10
    alice.referrer, bob.referral_code = BOB, "CODE"

    assert venue.info("maxBuilderFee", ALICE, builder=BOB) == 10
    assert venue.info("maxBuilderFee", BOB, builder=ALICE) == 0
    assert venue.info("referral", ALICE)["referredBy"] == {"referrer": BOB, "code": "CODE"}
    assert venue.info("userFees", ALICE)["activeReferralDiscount"] == "0.04"
    assert venue.info("referral", BOB)["referrerState"] == {
        "stage": "ready",
        "data": {"code": "CODE", "nReferrals": 1, "referralStates": []},
    }


def test_money_beside_trading_is_told_in_the_channel_of_its_kind():
    payment = FundingPayment(START_MS, "ETH", 502, "0.00061", -10_482_100, NO_HASH)
    moved = LedgerUpdate(START_MS, NO_HASH, 5, {"type": "deposit", "usdc": "0.000005"})
    news = UserNews(fundings=[payment], ledger=[moved])
    flat = {
        "time": START_MS,
        "coin": "ETH",
        "usdc": "0.000502",
        "szi": "0.00061",
        "fundingRate": "-0.0000104821",
        "nSamples": None,
    }

    def told(kind):
        return list(PAYLOADS[kind]({"user": ALICE}, news))

    assert told("userFundings") == [{"user": ALICE, "fundings": [flat]}]
    assert told("userEvents") == [{"funding": flat}]
    assert told("userNonFundingLedgerUpdates") == [
        {
            "user": ALICE,
            "nonFundingLedgerUpdates": [
                {"time": START_MS, "hash": NO_HASH, "delta": dict(moved.delta)}
            ],
        }
    ]


def test_funding_payments_of_a_time_are_shown_with_their_delta():
    venue = venue_with_dex()
    account = venue.exchange.accounts.get(ALICE)
    for hour in range(3):
        account.fundings.append(
            FundingPayment(START_MS + hour, "ETH", -1, "0.5", 12_500_000, NO_HASH)
        )

    found = venue.info("userFunding", ALICE, startTime=START_MS + 1, endTime=START_MS + 1)

    assert [entry["time"] for entry in found] == [START_MS + 1]
    assert list(found[0]) == ["time", "hash", "delta"]
    assert list(found[0]["delta"])[:3] == ["type", "coin", "usdc"]
