"""Answers to `/info` about spot: two tokens and their one pair, without a market behind them."""

from typing import TYPE_CHECKING, Any

from hypermm.sim import ask
from hypermm.sim.ask import Request
from hypermm.sim.shapes import usd_text

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
    account = ask.account(venue, request)
    if account is None or account.spot_usdc == 0:
        return {"balances": []}
    total = usd_text(account.spot_usdc)
    usdc = {"coin": "USDC", "token": 0, "total": total, "hold": "0.0", "entryNtl": "0.0"}
    return {"balances": [usdc]}


def empty_book(venue: "Exchange") -> dict[str, Any]:
    """Return the pair's book."""
    return {"coin": PAIR, "time": venue.now_ms, "levels": [[], []]}
