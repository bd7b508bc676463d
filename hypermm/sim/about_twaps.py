"""TWAPs as requests and channels show them."""

from typing import TYPE_CHECKING, Any

from hypermm.sim import ask, shapes
from hypermm.sim.ask import Request
from hypermm.sim.twaps import Twap, TwapRecord

if TYPE_CHECKING:
    from hypermm.sim.exchange import Exchange

SHOWN = 2_000
Json = dict[str, Any]


def state_shape(twap: Twap, executed: int, executed_notional: int) -> Json:
    """Return a TWAP as it stood when this much of it was done."""
    listing = twap.listing
    begin, stop = twap.begin, twap.stop
    trigger = None
    if begin is not None:
        trigger = {"px": shapes.price_text(listing, begin.price), "above": begin.is_above}
    return {
        "coin": listing.coin,
        "user": twap.account.address,
        "side": shapes.SIDE_LETTER[twap.side],
        "sz": shapes.size_text(listing, twap.size),
        "executedSz": shapes.size_text(listing, executed),
        "executedNtl": shapes.usd_text(executed_notional),
        "minutes": twap.minutes,
        "reduceOnly": twap.is_reduce_only,
        "randomize": twap.is_randomized,
        "timestamp": twap.start_ms,
        "trigger": trigger,
        "stopPx": None if stop is None else shapes.price_text(listing, stop.price),
    }


def record_shape(record: TwapRecord) -> Json:
    """Return what became of a TWAP; the time is in seconds."""
    status = {"status": record.status}
    if record.description:
        status["description"] = record.description
    return {
        "time": record.time_ms // 1000,
        "state": state_shape(record.twap, record.executed, record.executed_notional),
        "status": status,
        "twapId": record.twap.id,
    }


def states(venue: "Exchange", request: Request) -> list[Any]:
    """Return the TWAPs of a user that run on a dex."""
    account, dex = ask.account(venue, request), ask.dex(request)
    return [
        [twap.id, state_shape(twap, twap.executed, twap.executed_notional)]
        for twap in venue.desk.twaps.running.values()
        if twap.account is account and twap.listing.instrument.dex == dex
    ]


def history(venue: "Exchange", request: Request) -> list[Json]:
    """Answer `twapHistory`, newest first."""
    account = ask.account(venue, request)
    records = list(account.twaps)[-SHOWN:] if account else []
    return [record_shape(record) for record in reversed(records)]
