"""Answers to `/info`: a table from request type to what is read from the venue.

Requests are dictionaries as parsed from JSON; unknown fields are ignored.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hypermm.errors import WireError
from hypermm.sim import (
    about_accounts,
    about_dexs,
    about_markets,
    about_orders,
    about_relations,
    about_spot,
    about_twaps,
)
from hypermm.sim.ask import Request

if TYPE_CHECKING:
    from hypermm.sim.exchange import Exchange

HANDLERS: dict[str, Callable[["Exchange", Request], Any]] = {
    "activeAssetData": about_accounts.asset_data,
    "allMids": about_markets.all_mids,
    "allPerpMetas": about_dexs.all_metas,
    "candleSnapshot": about_markets.candles,
    "clearinghouseState": about_accounts.state,
    "delegations": about_accounts.no_items,
    "delegatorHistory": about_accounts.no_items,
    "delegatorRewards": about_accounts.no_items,
    "delegatorSummary": about_accounts.staking,
    "exchangeStatus": about_markets.status,
    "extraAgents": about_relations.extra_agents,
    "frontendOpenOrders": about_orders.frontend_open_orders,
    "fundingHistory": about_markets.funding_history,
    "historicalOrders": about_orders.historical_orders,
    "l2Book": about_markets.l2_book,
    "leadingVaults": about_accounts.no_items,
    "marginTable": about_dexs.margin_table,
    "maxBuilderFee": about_relations.max_builder_fee,
    "maxMarketOrderNtls": about_dexs.market_order_limits,
    "meta": about_dexs.meta,
    "metaAndAssetCtxs": about_dexs.meta_and_contexts,
    "openOrders": about_orders.brief_open_orders,
    "orderStatus": about_orders.order_status,
    "perpDexLimits": about_dexs.dex_limits,
    "perpDexStatus": about_dexs.dex_status,
    "perpDexs": about_dexs.dexs,
    "perpsAtOpenInterestCap": about_dexs.at_cap,
    "portfolio": about_accounts.portfolio,
    "predictedFundings": about_markets.predicted_fundings,
    "recentTrades": about_markets.recent_trades_reply,
    "referral": about_relations.referral,
    "spotClearinghouseState": about_spot.state,
    "spotMeta": about_spot.meta,
    "spotMetaAndAssetCtxs": about_spot.meta_and_contexts,
    "subAccounts": about_relations.sub_accounts,
    "subAccounts2": about_relations.sub_accounts_of_dexs,
    "twapHistory": about_twaps.history,
    "userAbstraction": about_accounts.abstraction,
    "userFees": about_accounts.user_fees,
    "userFills": about_orders.user_fills,
    "userFillsByTime": about_orders.user_fills_by_time,
    "userFunding": about_accounts.user_funding,
    "userNonFundingLedgerUpdates": about_accounts.ledger_updates_reply,
    "userRateLimit": about_accounts.rate_limit,
    "userRole": about_relations.user_role,
    "userToMultiSigSigners": about_accounts.nothing,
    "userTwapSliceFills": about_orders.twap_slice_fills,
    "userTwapSliceFillsByTime": about_orders.twap_slice_fills_by_time,
    "userVaultEquities": about_accounts.no_items,
    "webData2": about_accounts.web_data,
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
