from typing import Final, final

from hypermm._core.kalman import LevelStream
from hypermm._core.regression import FairPriceStream

SIGNAL_SECS: Final[float]

@final
class FairPrice:
    signal: FairPriceStream
    smoothing: LevelStream
    mid: float
    book_imbalance: float
    flow_imbalance: float
    book_bps: float
    flow_bps: float
    kalman_bps: float
    def __init__(self) -> None: ...
    def observe(
        self,
        exch_ns: int,
        bid: float,
        ask: float,
        tick: float,
        book_imbalance: float,
        flow_imbalance: float,
        volatility_bps: float,
    ) -> None: ...
    def cut(self) -> None: ...
    @property
    def fair_price(self) -> float: ...
