"""Answers to `/info` about what is listed: universes, margin tables, contexts, builders' dexs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hypermm.sim import ask, rules, shapes
from hypermm.sim.ask import Request
from hypermm.sim.dexs import NOBODY, Dex
from hypermm.sim.listing import Listing

if TYPE_CHECKING:
    from hypermm.sim.exchange import Exchange

SIZE_CAP = "10000000000.0"  # of one market, as every dex has it; no order comes near
ONE_TIER_TABLES = 50  # ids below are tables of one tier, named after its leverage


def _table(tiers: Sequence[tuple[int, int]]) -> dict[str, Any]:
    return {
        "description": f"tiered {tiers[0][1]}x" if len(tiers) > 1 else "",
        "marginTiers": [
            {"lowerBound": shapes.usd_text(bound), "maxLeverage": most} for bound, most in tiers
        ],
    }


def _tables(listings: list[Listing]) -> dict[int, tuple[tuple[int, int], ...]]:
    """Return the tables of margin tiers by id: that of one tier has its leverage for its id."""
    tables = {}
    several = sorted({x.tiers for x in listings if len(x.tiers) > 1})
    for listing in listings:
        is_plain = len(listing.tiers) == 1
        first = ONE_TIER_TABLES + several.index(listing.tiers) if not is_plain else 0
        tables[listing.tiers[0][1] if is_plain else first] = listing.tiers
    return dict(sorted(tables.items()))


def meta(venue: "Exchange", request: Request) -> Any:
    """Answer `meta`."""
    dex = ask.dex(request)
    listings = ask.listings(venue, dex)
    tables = _tables(listings)
    ids = {tiers: number for number, tiers in tables.items()}
    is_growing = venue.desk.dexs[dex].fees.has_growth_mode
    return {
        "universe": [
            shapes.universe_entry(x, ids[x.tiers], is_growing=is_growing) for x in listings
        ],
        "marginTables": [[number, _table(tiers)] for number, tiers in tables.items()],
        "collateralToken": 0,
    }


def all_metas(venue: "Exchange", _request: Request) -> Any:
    """Answer `allPerpMetas`."""
    return [meta(venue, {"dex": dex}) for dex in venue.dexs]


def margin_table(venue: "Exchange", request: Request) -> Any:
    """Answer `marginTable`; null for an id that no market has."""
    wanted = ask.number(request, "id")
    tables = dict(meta(venue, request)["marginTables"])
    if 0 < wanted < ONE_TIER_TABLES:
        return tables.get(wanted, _table([(0, wanted)]))
    return tables.get(wanted)


def contexts(venue: "Exchange", request: Request) -> Any:
    """Return the contexts of a dex, in the order of its universe."""
    return [
        shapes.context_shape(listing, venue.rules, venue.now_ms)
        for listing in ask.listings(venue, ask.dex(request))
    ]


def meta_and_contexts(venue: "Exchange", request: Request) -> Any:
    """Answer `metaAndAssetCtxs`."""
    return [meta(venue, request), contexts(venue, request)]


def dexs(venue: "Exchange", _request: Request) -> Any:
    """Answer `perpDexs`."""
    return [None, *(_dex(venue.desk.dexs[name]) for name in venue.dexs[1:])]


def _dex(dex: Dex) -> dict[str, Any]:
    return {
        "name": dex.name,
        "fullName": dex.full_name,
        "deployer": dex.deployer,
        "oracleUpdater": None,
        "feeRecipient": None if dex.deployer == NOBODY else dex.deployer,
        "assetToStreamingOiCap": _caps(dex),
        "subDeployers": [],
        "deployerFeeScale": shapes.decimal_text(dex.fees.scale, 3),
        "lastDeployerFeeScaleChangeTime": shapes.ZERO_TIME,
        "assetToFundingMultiplier": [[coin, x] for coin, x in dex.funding_multipliers.items()],
        "assetToFundingInterestRate": [],
    }


def _caps(dex: Dex) -> list[list[str]]:
    return [[coin, f"{usd}.0"] for coin, usd in dex.interest_caps_usd.items()]


def dex_limits(venue: "Exchange", request: Request) -> Any:
    """Answer `perpDexLimits`; null for the exchange's own dex and one that is not there."""
    dex = venue.desk.dexs.get(ask.text(request, "dex"))
    if dex is None or not dex.name:
        return None
    return {
        "totalOiCap": f"{dex.interest_cap_usd}.0",
        "oiSzCapPerPerp": SIZE_CAP,
        "maxTransferNtl": f"{dex.transfer_usd_max}.0",
        "coinToOiCap": _caps(dex),
    }


def dex_status(venue: "Exchange", request: Request) -> Any:
    """Answer `perpDexStatus`: the money on a dex, its positions at what they cost."""
    dex = ask.text(request, "dex")
    held = 0
    for account in venue.accounts.by_address.values():
        pool = account.pools.get(dex)
        if pool is not None:
            held += pool.cash + sum(x.raw + x.cost for x in pool.positions.values())
    return {"totalNetDeposit": shapes.usd_text(held)}


def at_cap(venue: "Exchange", request: Request) -> list[str]:
    """Return the coins whose open interest stands at its cap, as `perpsAtOpenInterestCap` does."""
    return [x.coin for x in ask.listings(venue, ask.dex(request)) if x.is_at_cap]


def capped(venue: "Exchange", dex: str) -> dict[str, Any]:
    """Return the key of the pages' data that names capped coins; absent if there are none."""
    coins = at_cap(venue, {"dex": dex})
    return {"perpsAtOpenInterestCap": coins} if coins else {}


def market_order_limits(_venue: "Exchange", _request: Request) -> Any:
    """Answer `maxMarketOrderNtls`."""
    return [
        [leverage, shapes.usd_text(rules.order_value_max(leverage, is_market=True))]
        for leverage in (25, 20, 10, 1)
    ]
