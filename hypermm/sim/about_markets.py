"""Answers to `/info` about what goes on in markets: books, trades, candles, funding, status."""

from typing import TYPE_CHECKING, Any

from hypermm.errors import WireError
from hypermm.messages import Side
from hypermm.sim import about_spot, ask, rules, shapes
from hypermm.sim.ask import Request
from hypermm.sim.candles import CANDLES_SHOWN, INTERVALS_MS, aggregate
from hypermm.sim.listing import Listing
from hypermm.sim.matching import Level

if TYPE_CHECKING:
    from hypermm.sim.exchange import Exchange

TRADES_SHOWN = 30
BOOK_DEPTH = 20
ALL_LEVELS = 1 << 30
FUNDINGS_SHOWN = 500
VENUES = ("BinPerp", "HlPerp", "BybitPerp")  # of predicted fundings; ours is the second


class AggregationError(Exception):
    """`nSigFigs` or `mantissa` has a value that the exchange answers with 500."""


def all_mids(venue: "Exchange", request: Request) -> dict[str, str]:
    """Return the mids of a dex; where a side is empty the last trade stands in."""
    mids = {}
    for listing in ask.listings(venue, ask.dex(request)):
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
        _aggregate(half.levels(ALL_LEVELS), Side(half.side), figures, mantissa)[:depth]
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


def l2_book(venue: "Exchange", request: Request) -> Any:
    """Answer `l2Book`."""
    listing = ask.listing(venue, request)
    aggregation(request)
    if request["coin"] == about_spot.PAIR:
        return about_spot.empty_book(venue)
    return None if listing is None else book(venue, listing, request, BOOK_DEPTH)


def recent_trades(listing: Listing) -> list[dict[str, Any]]:
    """Return the latest trades, oldest first, as the feed shows them on subscribing."""
    return [shapes.trade_shape(listing, trade) for trade in list(listing.trades)[-TRADES_SHOWN:]]


def recent_trades_reply(venue: "Exchange", request: Request) -> Any:
    """Answer `recentTrades`."""
    listing = ask.listing(venue, request)
    if request["coin"] == about_spot.PAIR:
        return []
    return None if listing is None else recent_trades(listing)[::-1]


def candles(venue: "Exchange", request: Request) -> Any:
    """Answer `candleSnapshot`."""
    inner = request.get("req")
    if not isinstance(inner, dict):
        raise WireError("req must be an object")
    interval = ask.text(inner, "interval")
    if interval not in INTERVALS_MS:
        raise WireError("interval is not one of the exchange's")
    listing = ask.listing(venue, inner)
    start_ms = ask.number(inner, "startTime")
    end_ms = ask.number(inner, "endTime", venue.now_ms)
    if listing is None:
        return []
    return [
        shapes.candle_shape(listing, interval, end, candle)
        for candle, end in [*aggregate(listing.candles, interval)][-CANDLES_SHOWN:]
        if start_ms <= candle.start_ms <= end_ms
    ]


def status(venue: "Exchange", _request: Request) -> Any:
    """Answer `exchangeStatus`."""
    over = "the market is over" if venue.is_over else None
    return {"time": venue.now_ms, "specialStatuses": over}


def predicted_fundings(venue: "Exchange", _request: Request) -> Any:
    """Answer `predictedFundings`; of other venues nothing is known."""
    next_ms = venue.now_ms - venue.now_ms % rules.HOUR_MS + rules.HOUR_MS
    return [
        [
            listing.coin,
            [
                [
                    name,
                    {
                        "fundingRate": shapes.funding_text(listing.funding),
                        "nextFundingTime": next_ms,
                        "fundingIntervalHours": 1,
                    }
                    if name == "HlPerp"
                    else None,
                ]
                for name in VENUES
            ],
        ]
        for listing in ask.listings(venue, "")
    ]


def funding_history(venue: "Exchange", request: Request) -> Any:
    """Answer `fundingHistory`."""
    listing = ask.listing(venue, request)
    first_ms, last_ms = ask.span(venue, request)
    if listing is None:
        return []
    return [
        {
            "coin": listing.coin,
            "fundingRate": shapes.funding_text(rate),
            "premium": shapes.funding_text(premium),
            "time": time_ms,
        }
        for time_ms, rate, premium in listing.funding_history
        if first_ms <= time_ms <= last_ms
    ][:FUNDINGS_SHOWN]
