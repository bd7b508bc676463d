"""Answers to `/info` about who belongs to whom: agents, sub-accounts, referrers, builders."""

from typing import TYPE_CHECKING, Any

from hypermm.hyperliquid.actions import canonical_address
from hypermm.sim import about_spot, account_shapes, ask, fees, rules, shapes
from hypermm.sim.accounts import Account
from hypermm.sim.ask import Request
from hypermm.sim.liquidation import BACKSTOP

if TYPE_CHECKING:
    from hypermm.sim.exchange import Exchange


def user_role(venue: "Exchange", request: Request) -> Any:
    """Answer `userRole`."""
    address = ask.address(request)
    master = venue.accounts.master(address)
    if master is not None:
        return {"role": "agent", "data": {"user": master.address}}
    account = venue.accounts.get(address)
    if account is not None and account.master is not None:
        return {"role": "subAccount", "data": {"master": account.master.address}}
    if address == BACKSTOP:
        return {"role": "vault"}
    return {"role": "missing" if account is None else "user"}


def extra_agents(venue: "Exchange", request: Request) -> Any:
    """Answer `extraAgents`."""
    account = ask.account(venue, request)
    return [
        {"name": agent.name, "address": agent.address, "validUntil": agent.valid_until_ms}
        for agent in (account.agents.values() if account else [])
        if agent.name
    ]


def agent_fields(account: Account | None) -> dict[str, Any]:
    """Return the unnamed agent, as the data of the exchange's own pages do."""
    agent = account.agents.get("") if account else None
    return {
        "agentAddress": agent.address if agent else None,
        "agentValidUntil": agent.valid_until_ms if agent and agent.has_end else None,
        "cumLedger": shapes.usd_text(account.paid_in if account else 0),
    }


def max_builder_fee(venue: "Exchange", request: Request) -> Any:
    """Answer `maxBuilderFee`."""
    account = ask.account(venue, request)
    builder = canonical_address(ask.text(request, "builder"))
    return account.builder_fees.get(builder, 0) if account else 0


# Sub-accounts


def _sub_accounts(venue: "Exchange", request: Request) -> list[tuple[dict[str, Any], Account]]:
    account = ask.account(venue, request)
    return [
        ({"name": name, "subAccountUser": address, "master": account.address}, found)
        for address, name in (account.sub_accounts.items() if account else ())
        if account is not None and (found := venue.accounts.get(address)) is not None
    ]


def sub_accounts(venue: "Exchange", request: Request) -> Any:
    """Answer `subAccounts`; null for who has none."""
    return [
        {
            **named,
            "clearinghouseState": account_shapes.state_shape(found, "", venue.now_ms),
            "spotState": about_spot.balances(found),
        }
        for named, found in _sub_accounts(venue, request)
    ] or None


def sub_accounts_of_dexs(venue: "Exchange", request: Request) -> Any:
    """Answer `subAccounts2`."""
    return [
        {
            **named,
            "dexToClearinghouseState": [
                [dex, account_shapes.state_shape(found, dex, venue.now_ms)] for dex in venue.dexs
            ],
            "spotState": about_spot.balances(found),
        }
        for named, found in _sub_accounts(venue, request)
    ] or None


# Referrals


def referral(venue: "Exchange", request: Request) -> Any:
    """Answer `referral`. A referrer's part is credited at once, so that nothing is unclaimed."""
    account = ask.account(venue, request)
    volume = account.volume if account else 0
    address = ask.address(request)
    earned = shapes.usd_text(venue.bank.shares.get(address, 0))
    rewards = {"unclaimedRewards": "0.0", "claimedRewards": earned, "builderRewards": "0.0"}
    referrer = venue.accounts.get(account.referrer) if account and account.referrer else None
    by = None
    if referrer is not None:
        by = {"referrer": referrer.address, "code": referrer.referral_code}
    return {
        "referredBy": by,
        "cumVlm": shapes.usd_text(volume),
        **rewards,
        "referrerState": _stage(venue, account, volume),
        "rewardHistory": [],
        "tokenToState": [[0, {"cumVlm": shapes.usd_text(volume), **rewards}]],
    }


def _stage(venue: "Exchange", account: Account | None, volume: int) -> dict[str, Any]:
    if account is not None and account.referral_code:
        others = venue.accounts.by_address.values()
        referred = sum(other.referrer == account.address for other in others)
        data = {"code": account.referral_code, "nReferrals": referred, "referralStates": []}
        return {"stage": "ready", "data": data}
    if volume < rules.REFERRER_VOLUME:
        missing = shapes.usd_text(rules.REFERRER_VOLUME - volume)
        return {"stage": "needToTrade", "data": {"required": missing}}
    return {"stage": "needToCreateCode"}


def active_discount(account: Account | None) -> str:
    """Return the referral discount that an account has today."""
    has_discount = account and account.referrer and account.volume < fees.REFERRAL_VOLUME
    return shapes.decimal_text(fees.REFERRAL_DISCOUNT_PERCENT if has_discount else 0, 2)
