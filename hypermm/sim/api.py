"""Answers to `/info`: a table from request type to what is read from the venue.

Requests are dictionaries as parsed from JSON; unknown fields are ignored.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hypermm.errors import WireError
from hypermm.sim import about_accounts, about_markets
from hypermm.sim.ask import Request

if TYPE_CHECKING:
    from hypermm.sim.exchange import Exchange

HANDLERS: dict[str, Callable[["Exchange", Request], Any]] = {
    "activeAssetData": about_accounts.asset_data,
    "allMids": about_markets.all_mids,
    "allPerpMetas": about_markets.all_metas,
    "candleSnapshot": about_markets.candles,
    "clearinghouseState": about_accounts.state,
    "exchangeStatus": about_markets.status,
    "extraAgents": about_accounts.extra_agents,
    "frontendOpenOrders": about_accounts.frontend_open_orders,
    "fundingHistory": about_markets.empty_list,
    "historicalOrders": about_accounts.historical_orders,
    "l2Book": about_markets.l2_book,
    "maxBuilderFee": about_accounts.max_builder_fee,
    "maxMarketOrderNtls": about_markets.market_order_limits,
    "meta": about_markets.meta,
    "metaAndAssetCtxs": about_markets.meta_and_contexts,
    "openOrders": about_accounts.open_orders_reply,
    "orderStatus": about_accounts.order_status,
    "perpDexLimits": about_markets.nothing,
    "perpDexStatus": about_markets.dex_status,
    "perpDexs": about_markets.dexs,
    "perpsAtOpenInterestCap": about_markets.empty_list,
    "portfolio": about_accounts.portfolio,
    "predictedFundings": about_markets.predicted_fundings,
    "recentTrades": about_markets.recent_trades_reply,
    "referral": about_accounts.referral,
    "spotClearinghouseState": about_accounts.spot_state,
    "spotMeta": about_markets.spot_meta,
    "spotMetaAndAssetCtxs": about_markets.spot_meta_and_contexts,
    "subAccounts": about_markets.nothing,
    "subAccounts2": about_markets.nothing,
    "userAbstraction": about_accounts.abstraction,
    "userFees": about_accounts.user_fees,
    "userFills": about_accounts.user_fills,
    "userFillsByTime": about_accounts.user_fills_by_time,
    "userFunding": about_accounts.user_funding,
    "userNonFundingLedgerUpdates": about_accounts.ledger_updates_reply,
    "userRateLimit": about_accounts.rate_limit,
    "userRole": about_accounts.user_role,
}


def answer(venue: "Exchange", request: Request) -> Any:
    """Answer a request of `/info`.

    Raises
    ------
    WireError
        If the type is unknown, or a field missing or ill-typed: HTTP 422.
    AggregationError
        If a book is asked for with parameters that the exchange fails on: HTTP 500.
    """
    kind = request.get("type")
    handler = HANDLERS.get(kind) if isinstance(kind, str) else None
    if handler is None:
        raise WireError("unknown info type")
    dex = request.get("dex")
    if dex is not None and not isinstance(dex, str):
        raise WireError("dex must be a string")
    return handler(venue, request)
