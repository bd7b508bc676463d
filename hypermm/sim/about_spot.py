"""Answers to `/info` about spot: two tokens and their one pair, without a market behind them."""

from typing import TYPE_CHECKING, Any

from hypermm.sim import ask, shapes
from hypermm.sim.accounts import Account
from hypermm.sim.ask import Request

if TYPE_CHECKING:
    from hypermm.sim.exchange import Exchange

PAIR = "PURR/USDC"


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


def meta(_venue: "Exchange", _request: Request) -> Any:
    """Answer `spotMeta`."""
    return {
        "universe": [{"tokens": [1, 0], "name": PAIR, "index": 0, "isCanonical": True}],
        "tokens": [_token("USDC", 0, 8, 8), _token("PURR", 1, 0, 5)],
    }


def context() -> dict[str, Any]:
    """Return the context of the pair, which nobody quotes or trades."""
    return {
        "prevDayPx": "0.1",
        "dayNtlVlm": "0.0",
        "markPx": "0.1",
        "midPx": None,
        "circulatingSupply": "0.0",
        "coin": PAIR,
        "totalSupply": "0.0",
        "dayBaseVlm": "0.0",
    }


def meta_and_contexts(venue: "Exchange", request: Request) -> Any:
    """Answer `spotMetaAndAssetCtxs`."""
    return [meta(venue, request), [context()]]


def state(venue: "Exchange", request: Request) -> Any:
    """Answer `spotClearinghouseState`."""
    return balances(ask.account(venue, request))


def balances(account: Account | None) -> dict[str, Any]:
    """Return the balances of an account; one that holds nothing has an empty list."""
    usdc = account.spot_usdc if account else 0
    if usdc == 0:
        return {"balances": []}
    held = {"coin": "USDC", "token": 0, "total": shapes.usd_text(usdc)}
    return {"balances": [{**held, "hold": "0.0", "entryNtl": "0.0"}]}


def empty_book(venue: "Exchange") -> dict[str, Any]:
    """Return the pair's book."""
    return {"coin": PAIR, "time": venue.now_ms, "levels": [[], []]}
