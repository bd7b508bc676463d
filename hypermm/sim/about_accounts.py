"""Answers to `/info` about accounts: state, orders, fills, fees, limits, agents."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hypermm.hyperliquid.actions import canonical_address, canonical_cloid
from hypermm.sim import ask, rules, shapes
from hypermm.sim.accounts import Account
from hypermm.sim.ask import Request
from hypermm.sim.orders import UserFill, VenueOrder

if TYPE_CHECKING:
    from hypermm.sim.exchange import Exchange

PAGE = 2_000
ORDERS_SHOWN = 2_000
FEE_DAYS = 15


def state(venue: "Exchange", request: Request) -> dict[str, Any]:
    """Return `clearinghouseState` of a user and dex."""
    return shapes.state_shape(ask.account(venue, request), ask.dex(request), venue.now_ms)


def spot_state(venue: "Exchange", request: Request) -> Any:
    """Answer `spotClearinghouseState`."""
    ask.account(venue, request)
    return {"balances": []}


def open_orders(venue: "Exchange", request: Request) -> list[VenueOrder]:
    """Return the open orders of a user on a dex, newest first as the exchange lists them."""
    account, dex = ask.account(venue, request), ask.dex(request)
    if account is None:
        return []
    return [x for x in reversed(account.orders.values()) if x.listing.instrument.dex == dex]


def open_orders_reply(venue: "Exchange", request: Request) -> Any:
    """Answer `openOrders`."""
    return [shapes.order_brief(order) for order in open_orders(venue, request)]


def frontend_open_orders(venue: "Exchange", request: Request) -> Any:
    """Answer `frontendOpenOrders`."""
    return [shapes.order_full(order) for order in open_orders(venue, request)]


def historical_orders(venue: "Exchange", request: Request) -> Any:
    """Answer `historicalOrders`."""
    account = ask.account(venue, request)
    orders = list(account.history.values())[-ORDERS_SHOWN:] if account else []
    return [shapes.order_record(order) for order in reversed(orders)]


def order_status(venue: "Exchange", request: Request) -> Any:
    """Answer `orderStatus`."""
    account, name = ask.account(venue, request), request.get("oid")
    if isinstance(name, str):
        cloid = canonical_cloid(name)
        order = account.by_cloid.get(cloid) if account else None
    else:
        oid = ask.number(request, "oid")
        order = account.history.get(oid) if account else None
    if order is None:
        return {"status": "unknownOid"}
    return {"status": "order", "order": shapes.order_record(order)}


def fills(venue: "Exchange", request: Request) -> list[UserFill]:
    """Return the fills of a user, oldest first."""
    account = ask.account(venue, request)
    return list(account.fills) if account else []


def user_fills(venue: "Exchange", request: Request) -> Any:
    """Answer `userFills`."""
    return [shapes.fill_shape(fill) for fill in reversed(fills(venue, request)[-PAGE:])]


def user_fills_by_time(venue: "Exchange", request: Request) -> Any:
    """Answer `userFillsByTime`."""
    start_ms = ask.number(request, "startTime")
    end_ms = ask.number(request, "endTime", venue.now_ms)
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


def ledger_updates_reply(venue: "Exchange", request: Request) -> Any:
    """Answer `userNonFundingLedgerUpdates`."""
    start_ms = ask.number(request, "startTime")
    end_ms = ask.number(request, "endTime", venue.now_ms)
    updates = ledger_updates(ask.account(venue, request))
    return [update for update in updates if start_ms <= update["time"] <= end_ms]


def user_funding(venue: "Exchange", request: Request) -> Any:
    """Answer `userFunding`."""
    ask.account(venue, request)
    ask.number(request, "startTime")
    return []


def rate_limit(venue: "Exchange", request: Request) -> Any:
    """Answer `userRateLimit`."""
    account = ask.account(venue, request)
    return {
        "cumVlm": shapes.usd_text(account.volume if account else 0),
        "nRequestsUsed": account.requests if account else 0,
        "nRequestsCap": account.requests_cap if account else rules.FREE_REQUESTS,
        "nRequestsSurplus": 0,
    }


def user_fees(venue: "Exchange", request: Request) -> Any:
    """Answer `userFees`."""
    account = ask.account(venue, request)
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


def user_role(venue: "Exchange", request: Request) -> Any:
    """Answer `userRole`."""
    address = ask.address(request)
    master = venue.accounts.master(address)
    if master is not None:
        return {"role": "agent", "data": {"user": master.address}}
    return {"role": "missing" if venue.accounts.get(address) is None else "user"}


def extra_agents(venue: "Exchange", request: Request) -> Any:
    """Answer `extraAgents`."""
    account = ask.account(venue, request)
    return [
        {"name": agent.name, "address": agent.address, "validUntil": agent.valid_until_ms}
        for agent in (account.agents.values() if account else [])
        if agent.name
    ]


def asset_data(venue: "Exchange", request: Request) -> dict[str, Any] | None:
    """Return `activeAssetData`; None for a coin that is not listed."""
    listing, address = ask.listing(venue, request), ask.address(request)
    if listing is None:
        return None
    return shapes.asset_data_shape(venue.accounts.get(address) or Account(address), listing)


def abstraction(venue: "Exchange", request: Request) -> Any:
    """Answer `userAbstraction`."""
    ask.account(venue, request)
    return "disabled"


def max_builder_fee(venue: "Exchange", request: Request) -> Any:
    """Answer `maxBuilderFee`."""
    ask.account(venue, request)
    canonical_address(ask.text(request, "builder"))
    return 0


def referral(venue: "Exchange", request: Request) -> Any:
    """Answer `referral`."""
    account = ask.account(venue, request)
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


def portfolio(venue: "Exchange", request: Request) -> Any:
    """Answer `portfolio`."""
    account = ask.account(venue, request)
    now = [[venue.now_ms, shapes.usd_text(account.value)]] if account else []
    volume = shapes.usd_text(account.volume if account else 0)
    periods = ("day", "week", "month", "allTime")
    names = [*periods, *(f"perp{period[0].upper()}{period[1:]}" for period in periods)]
    return [[name, {"accountValueHistory": now, "pnlHistory": [], "vlm": volume}] for name in names]
