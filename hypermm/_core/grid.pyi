from typing import Final

from hypermm._core.bipower import BipowerStream
from hypermm._core.glft import Solver
from hypermm._core.kappa import KappaStream
from hypermm._core.rows import Rows

CHANGE: Final[int]
MAX_PLACES: Final[int]

class GridReplay:
    levels: int
    spacing_ticks: int
    queue_model: int
    lots: int
    max_lots: int
    every_ns: int
    latency_ns: int
    tick: int
    low_price: int
    risk_aversion: float
    queue_exponent: float
    maker_bps: float
    rows: int
    decisions: int
    orders: int
    cancels: int
    refused: int
    outside: int
    position: int
    volume: int
    two_sided: int
    volatility: float
    kappa_per_bps: float
    intensity_per_sec: float
    variation: BipowerStream
    depths: KappaStream
    solver: Solver
    def __init__(
        self,
        *,
        low_price: int,
        high_price: int,
        levels: int,
        lots: int,
        max_lots: int,
        tick: int = 1,
        spacing_ticks: int = 1,
        risk_aversion: float = 0.3,
        every_ns: int = ...,
        latency_ns: int = 50_000_000,
        window_secs: float = 300.0,
        queue_model: int = 5,
        queue_exponent: float = 3.0,
        maker_bps: float = 1.5,
    ) -> None: ...
    def apply(self, rows: Rows) -> None: ...
    @property
    def mid_price(self) -> float: ...
    @property
    def num_fills(self) -> int: ...
    @property
    def fees_usd(self) -> float: ...
    @property
    def pnl_usd(self) -> float: ...
    def fills(self) -> list[tuple[int, int, int, int]]: ...
