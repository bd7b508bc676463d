"""Answers to `/info`: a table from request type to what is read from the venue.

Requests are dictionaries as parsed from JSON; unknown fields are ignored, missing or ill-typed ones
raise WireError (HTTP 422). Bad aggregation parameters raise AggregationError (HTTP 500).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hypermm.errors import WireError
from hypermm.hyperliquid.actions import canonical_address, canonical_cloid
from hypermm.messages import Side
from hypermm.sim import rules, shapes
from hypermm.sim.accounts import Account
from hypermm.sim.candles import INTERVALS_MS, aggregate
from hypermm.sim.listing import Listing
from hypermm.sim.matching import Level
from hypermm.sim.orders import UserFill, VenueOrder

if TYPE_CHECKING:
    from hypermm.sim.exchange import Exchange

Request = dict[str, Any]
PAGE = 2_000
ORDERS_SHOWN = 2_000
TRADES_SHOWN = 30
BOOK_DEPTH = 20
FEE_DAYS = 15
ZERO_TIME = "1970-01-01T00:00:00"


class AggregationError(Exception):
    """`nSigFigs` or `mantissa` has a value that the exchange answers with 500."""


# Reading a request


def _text(request: Request, key: str) -> str:
    value = request.get(key)
    if not isinstance(value, str):
        raise WireError(f"{key} must be a string")
    return value


def _number(request: Request, key: str, default: int | None = None) -> int:
    value = request.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise WireError(f"{key} must be a non-negative integer")
    return value


def _dex(request: Request) -> str:
    return request.get("dex") or ""


def _address(request: Request) -> str:
    return canonical_address(_text(request, "user"))


def _account(venue: "Exchange", request: Request) -> Account | None:
    return venue.accounts.get(_address(request))


def _listing(venue: "Exchange", request: Request) -> Listing | None:
    return venue.by_coin.get(_text(request, "coin"))


def _listings(venue: "Exchange", dex: str) -> list[Listing]:
    if dex not in venue.dexs:
        raise WireError(f"no dex {dex!r}")
    return [x for x in venue.listings.values() if x.instrument.dex == dex]


# Metadata


def _meta(venue: "Exchange", request: Request) -> Any:
    listings = _listings(venue, _dex(request))
    leverages = sorted({listing.instrument.max_leverage for listing in listings})
    return {
        "universe": [shapes.universe_entry(listing) for listing in listings],
        "marginTables": [
            [
                leverage,
                {
                    "description": "",
                    "marginTiers": [{"lowerBound": "0.0", "maxLeverage": leverage}],
                },
            ]
            for leverage in leverages
        ],
        "collateralToken": 0,
    }


def _contexts(venue: "Exchange", request: Request) -> Any:
    return [shapes.context_shape(listing) for listing in _listings(venue, _dex(request))]


def _meta_and_contexts(venue: "Exchange", request: Request) -> Any:
    return [_meta(venue, request), _contexts(venue, request)]


def _all_metas(venue: "Exchange", _request: Request) -> Any:
    return [_meta(venue, {"dex": dex}) for dex in venue.dexs]


def _dexs(venue: "Exchange", _request: Request) -> Any:
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


def _token(name: str, index: int, size_decimals: int, wei_decimals: int) -> dict[str, Any]:
    return {
        "name": name,
        "szDecimals": size_decimals,
        "weiDecimals": wei_decimals,
        "index": index,
        "tokenId": f"0x{index:032x}",
        "isCanonical": True,
        "evmContract": None,
        "fullName": None,
        "deployerTradingFeeShare": "0.0",
    }


def _spot_meta(_venue: "Exchange", _request: Request) -> Any:
    return {
        "universe": [{"tokens": [1, 0], "name": "PURR/USDC", "index": 0, "isCanonical": True}],
        "tokens": [_token("USDC", 0, 8, 8), _token("PURR", 1, 0, 5)],
    }


def _spot_meta_and_contexts(venue: "Exchange", request: Request) -> Any:
    context = {
        "prevDayPx": "0.1",
        "dayNtlVlm": "0.0",
        "markPx": "0.1",
        "midPx": None,
        "circulatingSupply": "0.0",
        "coin": "PURR/USDC",
        "totalSupply": "0.0",
        "dayBaseVlm": "0.0",
    }
    return [_spot_meta(venue, request), [context]]


# Market data


def all_mids(venue: "Exchange", request: Request) -> dict[str, str]:
    """Return the mids of a dex; where a side is empty the last trade stands in."""
    mids = {}
    for listing in _listings(venue, _dex(request)):
        price = listing.last_price or listing.mark_price
        mids[listing.coin] = shapes.mid_text(listing) or shapes.price_text(listing, price)
    return mids


def aggregation(request: Request) -> tuple[int | None, int]:
    """Return significant figures and mantissa of a book request. Raises AggregationError."""
    figures, mantissa = request.get("nSigFigs"), request.get("mantissa")
    if figures is not None and (not isinstance(figures, int) or isinstance(figures, bool)):
        raise WireError("nSigFigs must be an integer")
    if mantissa is not None and (not isinstance(mantissa, int) or isinstance(mantissa, bool)):
        raise WireError("mantissa must be an integer")
    is_good = figures is None or 2 <= figures <= 5
    if mantissa is not None:
        is_good = is_good and figures == 5 and mantissa in {2, 5}
    if not is_good:
        raise AggregationError
    return figures, mantissa or 1


def _aggregate(levels: list[Level], side: Side, figures: int, mantissa: int) -> list[Level]:
    """Sum levels on a coarser grid: bids rounded down, asks up."""
    sums: dict[int, list[int]] = {}
    for price, size, count in levels:
        step = int(10 ** max(len(str(price)) - figures, 0)) * mantissa
        rounded = price - price % step if side is Side.BUY else price + -price % step
        level = sums.setdefault(rounded, [0, 0])
        level[0] += size
        level[1] += count
    return [(price, size, count) for price, (size, count) in sums.items()]


def book(venue: "Exchange", listing: Listing, request: Request, depth: int) -> dict[str, Any]:
    """Return a book, aggregated if the request asks for it."""
    figures, mantissa = aggregation(request)
    if figures is None:
        return shapes.book_shape(listing, venue.now_ms, depth)
    sides = [
        _aggregate(half.levels(10 * depth), half.side, figures, mantissa)[:depth]
        for half in (listing.book.bids, listing.book.asks)
    ]
    bid, ask = listing.book.touch()
    shape: dict[str, Any] = {
        "coin": listing.coin,
        "time": venue.now_ms,
        "levels": [[shapes.level_shape(listing, level) for level in side] for side in sides],
    }
    if bid and ask:
        shape["spread"] = shapes.price_text(listing, ask[0] - bid[0])
    return shape


def _l2_book(venue: "Exchange", request: Request) -> Any:
    listing = _listing(venue, request)
    aggregation(request)
    return None if listing is None else book(venue, listing, request, BOOK_DEPTH)


def recent_trades(listing: Listing) -> list[dict[str, Any]]:
    """Return the latest trades, oldest first, as the feed shows them on subscribing."""
    return [shapes.trade_shape(listing, trade) for trade in list(listing.trades)[-TRADES_SHOWN:]]


def _recent_trades(venue: "Exchange", request: Request) -> Any:
    listing = _listing(venue, request)
    return None if listing is None else recent_trades(listing)[::-1]


def _candles(venue: "Exchange", request: Request) -> Any:
    inner = request.get("req")
    if not isinstance(inner, dict):
        raise WireError("req must be an object")
    interval = _text(inner, "interval")
    if interval not in INTERVALS_MS:
        raise WireError("interval is not one of the exchange's")
    listing = _listing(venue, inner)
    start_ms = _number(inner, "startTime")
    end_ms = _number(inner, "endTime", venue.now_ms)
    if listing is None:
        return []
    return [
        shapes.candle_shape(listing, interval, end, candle)
        for candle, end in aggregate(listing.candles, interval)
        if start_ms <= candle.start_ms <= end_ms
    ]


def _empty_list(_venue: "Exchange", _request: Request) -> Any:
    return []


def _nothing(_venue: "Exchange", _request: Request) -> Any:
    return None


def _status(venue: "Exchange", _request: Request) -> Any:
    return {"time": venue.now_ms, "specialStatuses": None}


def _predicted_fundings(venue: "Exchange", _request: Request) -> Any:
    hour_ms = rules.DAY_MS // 24
    next_ms = venue.now_ms - venue.now_ms % hour_ms + hour_ms
    return [
        [
            listing.coin,
            [
                [
                    "HlPerp",
                    {
                        "fundingRate": shapes.funding_text(listing.funding),
                        "nextFundingTime": next_ms,
                        "fundingIntervalHours": 1,
                    },
                ]
            ],
        ]
        for listing in _listings(venue, "")
    ]


# Accounts


def state(venue: "Exchange", request: Request) -> dict[str, Any]:
    """Return `clearinghouseState` of a user and dex."""
    return shapes.state_shape(_account(venue, request), _dex(request), venue.now_ms)


def _spot_state(venue: "Exchange", request: Request) -> Any:
    _account(venue, request)
    return {"balances": []}


def open_orders(venue: "Exchange", request: Request) -> list[VenueOrder]:
    """Return the open orders of a user on a dex, newest first as the exchange lists them."""
    account, dex = _account(venue, request), _dex(request)
    if account is None:
        return []
    return [x for x in reversed(account.orders.values()) if x.listing.instrument.dex == dex]


def _open_orders(venue: "Exchange", request: Request) -> Any:
    return [shapes.order_brief(order) for order in open_orders(venue, request)]


def _frontend_open_orders(venue: "Exchange", request: Request) -> Any:
    return [shapes.order_full(order) for order in open_orders(venue, request)]


def _historical_orders(venue: "Exchange", request: Request) -> Any:
    account = _account(venue, request)
    orders = list(account.history.values())[-ORDERS_SHOWN:] if account else []
    return [shapes.order_record(order) for order in reversed(orders)]


def _order_status(venue: "Exchange", request: Request) -> Any:
    account, name = _account(venue, request), request.get("oid")
    if isinstance(name, str):
        cloid = canonical_cloid(name)
        order = account.by_cloid.get(cloid) if account else None
    else:
        oid = _number(request, "oid")
        order = account.history.get(oid) if account else None
    if order is None:
        return {"status": "unknownOid"}
    return {"status": "order", "order": shapes.order_record(order)}


def fills(venue: "Exchange", request: Request) -> list[UserFill]:
    """Return the fills of a user, oldest first."""
    account = _account(venue, request)
    return list(account.fills) if account else []


def _user_fills(venue: "Exchange", request: Request) -> Any:
    return [shapes.fill_shape(fill) for fill in reversed(fills(venue, request)[-PAGE:])]


def _user_fills_by_time(venue: "Exchange", request: Request) -> Any:
    start_ms = _number(request, "startTime")
    end_ms = _number(request, "endTime", venue.now_ms)
    found = [fill for fill in fills(venue, request) if start_ms <= fill.time_ms <= end_ms]
    if request.get("reversed"):
        found.reverse()
    return [shapes.fill_shape(fill) for fill in found[:PAGE]]


def ledger_updates(account: Account | None) -> list[dict[str, Any]]:
    """Return what moved the balance beside trading, oldest first."""
    return [
        {
            "time": time_ms,
            "hash": action_hash,
            "delta": {"type": "deposit", "usdc": shapes.usd_text(amount)},
        }
        for time_ms, action_hash, amount in (account.ledger if account else [])
    ]


def _ledger_updates(venue: "Exchange", request: Request) -> Any:
    start_ms = _number(request, "startTime")
    end_ms = _number(request, "endTime", venue.now_ms)
    updates = ledger_updates(_account(venue, request))
    return [update for update in updates if start_ms <= update["time"] <= end_ms]


def _user_funding(venue: "Exchange", request: Request) -> Any:
    _account(venue, request)
    _number(request, "startTime")
    return []


def _rate_limit(venue: "Exchange", request: Request) -> Any:
    account = _account(venue, request)
    return {
        "cumVlm": shapes.usd_text(account.volume if account else 0),
        "nRequestsUsed": account.requests if account else 0,
        "nRequestsCap": account.requests_cap if account else rules.FREE_REQUESTS,
        "nRequestsSurplus": 0,
    }


def _user_fees(venue: "Exchange", request: Request) -> Any:
    account = _account(venue, request)
    days = account.day_volume if account else {}
    today = venue.now_ms // rules.DAY_MS
    rates = {"cross": "0.00045", "add": "0.00015", "spotCross": "0.0007", "spotAdd": "0.0004"}
    none = {"bpsOfMaxSupply": "0.0", "discount": "0.0"}
    return {
        "dailyUserVlm": [
            {
                "date": _date(day),
                "userCross": shapes.usd_text(days.get(day, (0, 0))[0]),
                "userAdd": shapes.usd_text(days.get(day, (0, 0))[1]),
                "exchange": "0.0",
            }
            for day in range(today - FEE_DAYS + 1, today + 1)
        ],
        "feeSchedule": {
            **rates,
            "tiers": {"vip": [], "mm": []},
            "referralDiscount": "0.04",
            "stakingDiscountTiers": [none],
        },
        "userCrossRate": rates["cross"],
        "userAddRate": rates["add"],
        "userSpotCrossRate": rates["spotCross"],
        "userSpotAddRate": rates["spotAdd"],
        "activeReferralDiscount": "0.0",
        "trial": None,
        "feeTrialEscrow": "0.0",
        "nextTrialAvailableTimestamp": None,
        "stakingLink": None,
        "activeStakingDiscount": none,
    }


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * rules.DAY_MS / 1000, UTC).date().isoformat()


def _user_role(venue: "Exchange", request: Request) -> Any:
    address = _address(request)
    master = venue.accounts.master(address)
    if master is not None:
        return {"role": "agent", "data": {"user": master.address}}
    return {"role": "missing" if venue.accounts.get(address) is None else "user"}


def _extra_agents(venue: "Exchange", request: Request) -> Any:
    account = _account(venue, request)
    return [
        {"name": agent.name, "address": agent.address, "validUntil": agent.valid_until_ms}
        for agent in (account.agents.values() if account else [])
        if agent.name
    ]


def asset_data(venue: "Exchange", request: Request) -> dict[str, Any] | None:
    """Return `activeAssetData`; None for a coin that is not listed."""
    listing, address = _listing(venue, request), _address(request)
    if listing is None:
        return None
    return shapes.asset_data_shape(venue.accounts.get(address) or Account(address), listing)


def _abstraction(venue: "Exchange", request: Request) -> Any:
    _account(venue, request)
    return "disabled"


def _max_builder_fee(venue: "Exchange", request: Request) -> Any:
    _account(venue, request)
    canonical_address(_text(request, "builder"))
    return 0


def _referral(venue: "Exchange", request: Request) -> Any:
    account = _account(venue, request)
    return {
        "referredBy": None,
        "cumVlm": shapes.usd_text(account.volume if account else 0),
        "unclaimedRewards": "0.0",
        "claimedRewards": "0.0",
        "builderRewards": "0.0",
        "tokenToState": [],
        "referrerState": None,
        "rewardHistory": [],
    }


def _portfolio(venue: "Exchange", request: Request) -> Any:
    account = _account(venue, request)
    now = [[venue.now_ms, shapes.usd_text(account.value)]] if account else []
    volume = shapes.usd_text(account.volume if account else 0)
    periods = ("day", "week", "month", "allTime")
    names = [*periods, *(f"perp{period[0].upper()}{period[1:]}" for period in periods)]
    return [[name, {"accountValueHistory": now, "pnlHistory": [], "vlm": volume}] for name in names]


def _market_order_limits(_venue: "Exchange", _request: Request) -> Any:
    return [
        [leverage, shapes.usd_text(rules.order_value_max(leverage, is_market=True))]
        for leverage in (25, 20, 10, 1)
    ]


def _dex_status(_venue: "Exchange", request: Request) -> Any:
    _text(request, "dex")
    return {"totalNetDeposit": "0.0"}


HANDLERS: dict[str, Callable[["Exchange", Request], Any]] = {
    "activeAssetData": asset_data,
    "allMids": all_mids,
    "allPerpMetas": _all_metas,
    "candleSnapshot": _candles,
    "clearinghouseState": state,
    "exchangeStatus": _status,
    "extraAgents": _extra_agents,
    "frontendOpenOrders": _frontend_open_orders,
    "fundingHistory": _empty_list,
    "historicalOrders": _historical_orders,
    "l2Book": _l2_book,
    "maxBuilderFee": _max_builder_fee,
    "maxMarketOrderNtls": _market_order_limits,
    "meta": _meta,
    "metaAndAssetCtxs": _meta_and_contexts,
    "openOrders": _open_orders,
    "orderStatus": _order_status,
    "perpDexLimits": _nothing,
    "perpDexStatus": _dex_status,
    "perpDexs": _dexs,
    "perpsAtOpenInterestCap": _empty_list,
    "portfolio": _portfolio,
    "predictedFundings": _predicted_fundings,
    "recentTrades": _recent_trades,
    "referral": _referral,
    "spotClearinghouseState": _spot_state,
    "spotMeta": _spot_meta,
    "spotMetaAndAssetCtxs": _spot_meta_and_contexts,
    "subAccounts": _nothing,
    "subAccounts2": _nothing,
    "userAbstraction": _abstraction,
    "userFees": _user_fees,
    "userFills": _user_fills,
    "userFillsByTime": _user_fills_by_time,
    "userFunding": _user_funding,
    "userNonFundingLedgerUpdates": _ledger_updates,
    "userRateLimit": _rate_limit,
    "userRole": _user_role,
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
