"""Reads the fields of an info request. What breaks the contract is a WireError: HTTP 422."""

from typing import TYPE_CHECKING, Any

from hypermm.errors import WireError
from hypermm.hyperliquid.actions import canonical_address
from hypermm.sim.accounts import Account
from hypermm.sim.listing import Listing

if TYPE_CHECKING:
    from hypermm.sim.exchange import Exchange

Request = dict[str, Any]


def text(request: Request, key: str) -> str:
    """Return a field that must be a string."""
    value = request.get(key)
    if not isinstance(value, str):
        raise WireError(f"{key} must be a string")
    return value


def number(request: Request, key: str, default: int | None = None) -> int:
    """Return a field that must be a whole number, 0 or more."""
    value = request.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise WireError(f"{key} must be a non-negative integer")
    return value


def flag(request: Request, key: str) -> bool:
    """Return a field that must be true or false, false if absent."""
    value = request.get(key)
    if value is not None and not isinstance(value, bool):
        raise WireError(f"{key} must be true or false")
    return bool(value)


def span(venue: "Exchange", request: Request, first_ms: int | None = None) -> tuple[int, int]:
    """Return the first and the last ms that a request asks for.

    The end may be left out, and so may the start where there is a default for it.
    """
    return number(request, "startTime", first_ms), number(request, "endTime", venue.now_ms)


def dex(request: Request) -> str:
    """Return the dex; the exchange's own is empty."""
    return request.get("dex") or ""


def address(request: Request) -> str:
    """Return the user, in lower case."""
    return canonical_address(text(request, "user"))


def account(venue: "Exchange", request: Request) -> Account | None:
    """Return the account of the user, None for a stranger."""
    return venue.accounts.get(address(request))


def listing(venue: "Exchange", request: Request) -> Listing | None:
    """Return the market of the coin, None if it is not listed."""
    return venue.by_coin.get(text(request, "coin"))


def listings(venue: "Exchange", dex: str) -> list[Listing]:
    """Return the markets of a dex."""
    if dex not in venue.dexs:
        raise WireError(f"no dex {dex!r}")
    return [x for x in venue.listings.values() if x.instrument.dex == dex]
