"""Ladders for notebooks: depths, sizes, and the exchange's grid of prices and lots."""

import math

import numpy as np
from attrs import frozen
from numpy.typing import ArrayLike

from hypermm._core.ladder import Ladder, level_depths, optimal_sizes, round_lots, round_price
from hypermm.notebook._arrays import Floats, floats, number

__all__ = [
    "LadderQuotes",
    "ladder",
    "ladder_depths",
    "ladder_sizes",
    "round_lots",
    "round_price",
]


@frozen
class LadderQuotes:
    """A finished ladder on the exchange's grid.

    Parameters
    ----------
    bids, asks : tuple of (price, size)
        Nearest first, prices in the quote currency, sizes in base units.
    """

    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]


def ladder_depths(
    inner_bps: float, outer_bps: float, num_levels: int, *, is_geometric: bool = True
) -> Floats:
    """Return the depths of a ladder's levels, inner to outer, in bps.

    Parameters
    ----------
    inner_bps, outer_bps : float
        First and last depth, > 0.
    num_levels : int
        1 to 32; one level stands at `inner_bps`.
    is_geometric : bool
        Geometric spacing, else linear.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain.

    Examples
    --------
    >>> ladder_depths(5.0, 20.0, 3).tolist()
    [5.0, 10.0, 20.0]
    """
    out = np.empty(max(num_levels, 0))
    level_depths(out, inner=inner_bps, outer=outer_bps, is_geometric=is_geometric)
    return out


def ladder_sizes(
    depths_bps: ArrayLike,
    *,
    kappa_per_bps: float,
    slope_bps: float,
    max_lots: float,
    cost_bps: float = 0.0,
    inventory_lots: float = 0.0,
) -> Floats:
    """Return the best size of each level of one side, in lots of the slope.

    Parameters
    ----------
    depths_bps : array_like
        Depths of the levels, strictly increasing, 1 to 32 of them.
    kappa_per_bps : float
        Decay of fill intensity, in 1/bps, > 0.
    slope_bps : float
        Curvature of the value function: what one more lot lowers both quotes by, > 0.
    max_lots : float
        Most lots on the side, >= 0.
    cost_bps : float
        Fee plus adverse selection of a fill.
    inventory_lots : float
        Present inventory for bids, its negative for asks.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain.

    Notes
    -----
    Fills are nested, a sweep that reaches a level has filled the nearer ones; the cumulative sizes
    that maximise gain less quadratic risk, by pooling adjacent violators.

    Examples
    --------
    >>> ladder_sizes([5.0, 10.0, 20.0], kappa_per_bps=0.25, slope_bps=1.0, max_lots=9.0).round(2)
    array([2.99, 6.01, 0.  ])
    """
    depths = floats("depths_bps", depths_bps, least=1)
    kappa = number("kappa_per_bps", kappa_per_bps, low=0.0, is_open=True)
    number("cost_bps", cost_bps)
    out = np.empty(depths.size)
    optimal_sizes(
        np.exp(-kappa * (depths - depths[0])),
        depths - cost_bps,
        out,
        curvature=slope_bps,
        max_size=max_lots,
        inventory=inventory_lots,
    )
    return np.diff(out, prepend=0.0)


def ladder(
    fair_price: float,
    *,
    price_decimals: int,
    size_decimals: int,
    best_bid: float,
    best_ask: float,
    bid_depth_bps: float,
    ask_depth_bps: float,
    depth_ratio: float = 10.0,
    num_levels: int = 5,
    is_geometric: bool = True,
    side_size: float,
    bid_room: float | None = None,
    ask_room: float | None = None,
    kappa_per_bps: float,
    cost_bps: float = 0.0,
    marginal_cost_bps: float = 0.0,
    slope_bps_per_lot: float = 0.0,
    min_notional: float = 10.0,
) -> LadderQuotes:
    """Return a ladder ready to send: depths, sizes, allowed prices and lots.

    Parameters
    ----------
    fair_price, best_bid, best_ask : float
        In the quote currency; 0 for an empty side of the market.
    price_decimals, size_decimals : int
        Most decimals that the exchange allows, 6 - size_decimals for perpetuals.
    bid_depth_bps, ask_depth_bps : float
        Depth of level 0, as `glft` gives it; nan for no quotes on that side.
    depth_ratio, num_levels, is_geometric
        Depth of the last level over that of the first, levels a side, and their spacing.
    side_size, bid_room, ask_room : float
        Most base units on a side, and what the limits leave for each (all by default).
    kappa_per_bps, cost_bps : float
        As for `glft`.
    marginal_cost_bps, slope_bps_per_lot : float
        What holding one more exchange lot costs now, and how that grows with each lot.
    min_notional : float
        Least price times size of an order.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain, or the market is crossed.

    Notes
    -----
    Rounding only moves quotes away from the fair price; none reaches the other side; equal prices
    merge; levels below the minimum are added to the next or dropped.

    Examples
    --------
    >>> quotes = ladder(100_000.0, price_decimals=1, size_decimals=5, best_bid=99_999.0,
    ...                 best_ask=100_001.0, bid_depth_bps=5.0, ask_depth_bps=5.0, depth_ratio=4.0,
    ...                 num_levels=2, side_size=0.01, kappa_per_bps=0.25)
    >>> quotes.bids
    ((99950.0, 0.005), (99800.0, 0.005))
    """
    if not 0 <= price_decimals <= 8:
        raise ValueError(f"price_decimals must be 0 to 8: {price_decimals}")
    if not 0 <= size_decimals <= 8:
        raise ValueError(f"size_decimals must be 0 to 8: {size_decimals}")
    unit: int = 10**price_decimals
    lots: int = 10**size_decimals

    def raw(name: str, price: float) -> int:
        return round(number(name, price, low=0.0) * unit)

    def room(name: str, size: float | None) -> int:
        return round_lots(number(name, side_size if size is None else size, low=0.0) * lots)

    built = Ladder(price_decimals=price_decimals)
    built.build(
        fair_price=fair_price * unit,
        best_bid=raw("best_bid", best_bid),
        best_ask=raw("best_ask", best_ask),
        bid_depth_bps=bid_depth_bps,
        ask_depth_bps=ask_depth_bps,
        depth_ratio=depth_ratio,
        num_levels=num_levels,
        is_geometric=is_geometric,
        side_lots=room("side_size", side_size),
        bid_room_lots=room("bid_room", bid_room),
        ask_room_lots=room("ask_room", ask_room),
        kappa_per_bps=kappa_per_bps,
        cost_bps=cost_bps,
        marginal_cost_bps=marginal_cost_bps,
        slope_bps_per_lot=slope_bps_per_lot,
        min_notional=math.ceil(number("min_notional", min_notional, low=0.0) * unit * lots) or 1,
    )
    return LadderQuotes(
        bids=tuple((price / unit, size / lots) for price, size in built.bids),
        asks=tuple((price / unit, size / lots) for price, size in built.asks),
    )
