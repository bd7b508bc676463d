from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

MAX_LEVELS: Final[int]

class Ladder:
    best_bid: int
    best_ask: int
    __hash__: ClassVar[None]  # type: ignore[assignment]
    def __init__(self, *, price_decimals: int, min_step: int = 1) -> None: ...
    def clear(self) -> None: ...
    def set_market(self, best_bid: int, best_ask: int) -> None: ...
    def append(self, side: int, price: int, size: int) -> None: ...
    def build(
        self,
        *,
        fair_price: float,
        best_bid: int,
        best_ask: int,
        bid_depth_bps: float,
        ask_depth_bps: float,
        depth_ratio: float,
        num_levels: int,
        is_geometric: bool,
        side_lots: int,
        bid_room_lots: int,
        ask_room_lots: int,
        kappa_per_bps: float,
        cost_bps: float = 0.0,
        adverse_bps: float = 0.0,
        adverse_decay_bps: float = ...,
        marginal_cost_bps: float = 0.0,
        slope_bps_per_lot: float = 0.0,
        min_notional: int = 10_000_000,
    ) -> None: ...
    def fill(
        self,
        bid_prices: NDArray[np.float64],
        ask_prices: NDArray[np.float64],
        bid_lots: NDArray[np.float64],
        ask_lots: NDArray[np.float64],
        *,
        best_bid: int,
        best_ask: int,
        bid_room_lots: int,
        ask_room_lots: int,
        min_notional: int = 10_000_000,
    ) -> None: ...
    def __len__(self) -> int: ...
    def __eq__(self, other: object) -> bool: ...
    @property
    def num_bids(self) -> int: ...
    @property
    def num_asks(self) -> int: ...
    @property
    def bids(self) -> list[tuple[int, int]]: ...
    @property
    def asks(self) -> list[tuple[int, int]]: ...
    @property
    def bid_lots(self) -> int: ...
    @property
    def ask_lots(self) -> int: ...

def level_depths(
    out: NDArray[np.float64], *, inner: float, outer: float, is_geometric: bool
) -> None: ...
def optimal_sizes(
    intensity_per_sec: NDArray[np.float64],
    edge: NDArray[np.float64],
    out: NDArray[np.float64],
    *,
    curvature: float,
    max_size: float,
    inventory: float = 0.0,
) -> None: ...
def round_price(price: float, *, side: int, price_decimals: int, min_step: int = 1) -> int: ...
def round_lots(lots: float) -> int: ...
