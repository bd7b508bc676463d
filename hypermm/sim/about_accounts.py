"""Answers to `/info` about accounts: state, money, fees, limits, agents, history."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hypermm.sim import (
    about_dexs,
    about_orders,
    about_relations,
    about_spot,
    about_twaps,
    account_shapes,
    ask,
    fees,
    rules,
    shapes,
)
from hypermm.sim.accounts import Account, FundingPayment, LedgerUpdate
from hypermm.sim.ask import Request
from hypermm.sim.samples import Sample

if TYPE_CHECKING:
    from hypermm.sim.exchange import Exchange

PAGE = 500  # items of a time range
FEE_DAYS = 15
PERIODS = {
    "day": rules.DAY_MS,
    "week": 7 * rules.DAY_MS,
    "month": 30 * rules.DAY_MS,
    "allTime": 1 << 62,
}


def state(venue: "Exchange", request: Request) -> dict[str, Any]:
    """Return `clearinghouseState` of a user and dex."""
    return account_shapes.state_shape(ask.account(venue, request), ask.dex(request), venue.now_ms)


def ledger_updates(account: Account | None) -> list[dict[str, Any]]:
    """Return what moved the balance beside trading, oldest first."""
    return [ledger_shape(update) for update in (account.ledger if account else ())]


def ledger_shape(update: LedgerUpdate) -> dict[str, Any]:
    """Return an entry of the ledger."""
    return {"time": update.time_ms, "hash": update.hash, "delta": dict(update.delta)}


def ledger_updates_reply(venue: "Exchange", request: Request) -> Any:
    """Answer `userNonFundingLedgerUpdates`."""
    first_ms, last_ms = ask.span(venue, request, 0)
    updates = ledger_updates(ask.account(venue, request))
    return [update for update in updates if first_ms <= update["time"] <= last_ms][:PAGE]


def user_funding(venue: "Exchange", request: Request) -> Any:
    """Answer `userFunding`."""
    account = ask.account(venue, request)
    first_ms, last_ms = ask.span(venue, request, 0)
    paid = account.fundings if account else ()
    return [
        {
            "time": payment.time_ms,
            "hash": payment.hash,
            "delta": {"type": "funding", **funding_fields(payment)},
        }
        for payment in paid
        if first_ms <= payment.time_ms <= last_ms
    ][:PAGE]


def funding_fields(payment: FundingPayment) -> dict[str, Any]:
    """Return what a payment shows beside its time."""
    return {
        "coin": payment.coin,
        "usdc": shapes.usd_text(payment.amount),
        "szi": payment.size_text,
        "fundingRate": shapes.funding_text(payment.rate),
        "nSamples": None,
    }


def flat_funding(payment: FundingPayment) -> dict[str, Any]:
    """Return a payment as the feeds show it."""
    return {"time": payment.time_ms, **funding_fields(payment)}


def rate_limit(venue: "Exchange", request: Request) -> Any:
    """Answer `userRateLimit`."""
    account = ask.account(venue, request)
    return {
        "cumVlm": shapes.usd_text(account.volume if account else 0),
        "nRequestsUsed": account.requests if account else 0,
        "nRequestsCap": account.requests_cap if account else venue.rules.free_requests,
        "nRequestsSurplus": 0,
    }


def user_fees(venue: "Exchange", request: Request) -> Any:
    """Answer `userFees`."""
    account = ask.account(venue, request)
    days = account.day_volume if account else {}
    today = venue.now_ms // rules.DAY_MS
    traded = venue.traded_by_day()
    own = (account.rates if account else None) or fees.base(venue.rules)
    none = {"bpsOfMaxSupply": "0.0", "discount": "0.0"}
    return {
        "dailyUserVlm": [
            {
                "date": _date(day),
                "userCross": shapes.usd_text(days.get(day, (0, 0))[0]),
                "userAdd": shapes.usd_text(days.get(day, (0, 0))[1]),
                "exchange": shapes.usd_text(traded.get(day, 0)),
            }
            for day in range(today - FEE_DAYS + 1, today + 1)
        ],
        "feeSchedule": _fee_schedule(venue),
        "userCrossRate": _rate_text(own.cross),
        "userAddRate": _rate_text(own.add),
        "userSpotCrossRate": _rate_text(own.spot_cross),
        "userSpotAddRate": _rate_text(own.spot_add),
        "activeReferralDiscount": about_relations.active_discount(account),
        "trial": None,
        "feeTrialEscrow": "0.0",
        "nextTrialAvailableTimestamp": None,
        "stakingLink": None,
        "activeStakingDiscount": none,
    }


def _fee_schedule(venue: "Exchange") -> dict[str, Any]:
    """Return all rates; there is no staking here, so that nobody has its discounts."""
    has_tiers = venue.rules.has_fee_tiers
    vip = [
        {"ntlCutoff": f"{volume}.0", **_rates_shape(rates)}
        for volume, rates in (fees.TIERS if has_tiers else ())
    ]
    makers = [
        {"makerFractionCutoff": _rate_text(share), "add": _rate_text(rebate)}
        for share, rebate in (fees.REBATES if has_tiers else ())
    ]
    return {
        **_rates_shape(fees.base(venue.rules)),
        "tiers": {"vip": vip, "mm": makers},
        "referralDiscount": "0.04",
        "stakingDiscountTiers": [{"bpsOfMaxSupply": "0.0", "discount": "0.0"}],
    }


def _rates_shape(rates: fees.Rates) -> dict[str, str]:
    return {
        "cross": _rate_text(rates.cross),
        "add": _rate_text(rates.add),
        "spotCross": _rate_text(rates.spot_cross),
        "spotAdd": _rate_text(rates.spot_add),
    }


def _rate_text(per_million: int) -> str:
    return shapes.decimal_text(per_million, 6)


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * rules.DAY_MS / 1000, UTC).date().isoformat()


def asset_data(venue: "Exchange", request: Request) -> dict[str, Any] | None:
    """Return `activeAssetData`; None for a coin that is not listed."""
    listing, address = ask.listing(venue, request), ask.address(request)
    if listing is None:
        return None
    return account_shapes.asset_data_shape(venue.accounts.get(address) or Account(address), listing)


def abstraction(venue: "Exchange", request: Request) -> Any:
    """Answer `userAbstraction`."""
    account = ask.account(venue, request)
    return account.abstraction if account else "disabled"


def portfolio(venue: "Exchange", request: Request) -> Any:
    """Answer `portfolio`; what lies on spot earns nothing, so that all profit is of perpetuals."""
    account = ask.account(venue, request)
    whole: list[tuple[str, dict[str, Any]]] = []
    perp: list[tuple[str, dict[str, Any]]] = []
    for name, length_ms in PERIODS.items():
        samples: list[Sample] = []
        if account is not None:
            samples = account.samples.since(venue.now_ms - length_ms, account.sample(venue.now_ms))
        whole.append((name, _period(samples)))
        perp.append((f"perp{name[0].upper()}{name[1:]}", _period(samples, without_spot=True)))
    return whole + perp


def _period(samples: list[Sample], *, without_spot: bool = False) -> dict[str, Any]:
    """Return values and profits of a period; profit counts from its first sample."""
    earned = [sample.value - sample.paid_in for sample in samples]
    return {
        "accountValueHistory": [
            [x.time_ms, shapes.usd_text(x.value - x.spot if without_spot else x.value)]
            for x in samples
        ],
        "pnlHistory": [
            [sample.time_ms, shapes.usd_text(profit - earned[0])]
            for sample, profit in zip(samples, earned, strict=True)
        ],
        "vlm": shapes.usd_text(samples[-1].volume - samples[0].volume if samples else 0),
    }


def web_data(venue: "Exchange", request: Request) -> Any:
    """Answer `webData2`."""
    account = ask.account(venue, request)
    request = {**request, "dex": ""}
    meta, contexts = about_dexs.meta_and_contexts(venue, request)
    return {
        "clearinghouseState": state(venue, request),
        "leadingVaults": [],
        "totalVaultEquity": "0.0",
        "openOrders": about_orders.frontend_open_orders(venue, request),
        **about_relations.agent_fields(account),
        "meta": meta,
        "assetCtxs": contexts,
        "serverTime": venue.now_ms,
        "isVault": False,
        "user": ask.address(request),
        "twapStates": about_twaps.states(venue, request),
        "spotState": about_spot.state(venue, request),
        "spotAssetCtxs": [about_spot.context()],
        **about_dexs.capped(venue, ""),
    }


# What this venue does not have: vaults, staking, signing by several


def no_items(venue: "Exchange", request: Request) -> Any:
    """Answer what is an empty list for every user."""
    ask.account(venue, request)
    return []


def nothing(venue: "Exchange", request: Request) -> Any:
    """Answer what is null for every user."""
    ask.account(venue, request)


def staking(venue: "Exchange", request: Request) -> Any:
    """Answer `delegatorSummary`."""
    ask.account(venue, request)
    zeros = dict.fromkeys(("delegated", "undelegated", "totalPendingWithdrawal"), "0.0")
    return {**zeros, "nPendingWithdrawals": 0}
