"""Answers to `/info` about what is listed: universes, margin tables, contexts, builders' dexs."""

from typing import TYPE_CHECKING, Any

from hypermm.sim import ask, rules, shapes
from hypermm.sim.ask import Request

if TYPE_CHECKING:
    from hypermm.sim.exchange import Exchange

ZERO_TIME = "1970-01-01T00:00:00"
ONE_TIER_TABLES = 50  # ids below are tables of one tier, named after its leverage


def _one_tier(leverage: int) -> dict[str, Any]:
    return {"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": leverage}]}


def meta(venue: "Exchange", request: Request) -> Any:
    """Answer `meta`."""
    listings = ask.listings(venue, ask.dex(request))
    leverages = sorted({listing.instrument.max_leverage for listing in listings})
    return {
        "universe": [shapes.universe_entry(listing) for listing in listings],
        "marginTables": [[leverage, _one_tier(leverage)] for leverage in leverages],
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
        return tables.get(wanted, _one_tier(wanted))
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
    return [
        None,
        *(
            {
                "name": dex,
                "fullName": dex,
                "deployer": "0x" + 40 * "0",
                "oracleUpdater": None,
                "feeRecipient": None,
                "assetToStreamingOiCap": [],
                "subDeployers": [],
                "deployerFeeScale": "1.0",
                "lastDeployerFeeScaleChangeTime": ZERO_TIME,
                "assetToFundingMultiplier": [],
                "assetToFundingInterestRate": [],
            }
            for dex in venue.dexs[1:]
        ),
    ]


def dex_limits(_venue: "Exchange", request: Request) -> Any:
    """Answer `perpDexLimits`."""
    ask.text(request, "dex")


def dex_status(venue: "Exchange", request: Request) -> Any:
    """Answer `perpDexStatus`."""
    dex = ask.text(request, "dex")
    accounts = venue.accounts.by_address.values() if dex == "" else ()
    return {"totalNetDeposit": shapes.usd_text(sum(account.paid_in for account in accounts))}


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
