from typing import final

import numpy as np
from numpy.typing import NDArray

def fit_forgetting(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    out_beta: NDArray[np.float64],
    *,
    forgetting: float,
    prior_variance: float,
) -> tuple[float, float, float]: ...

@final
class FairPriceStream:
    horizon_ns: int
    sample_ns: int
    decay_secs: float
    least_pairs: int
    def __init__(
        self,
        *,
        horizon_secs: float,
        decay_secs: float,
        sample_secs: float = 0.0,
        prior_variance: float = 1e3,
        least_pairs: int = 30,
    ) -> None: ...
    def observe(
        self, exch_ns: int, mid: float, book_imbalance: float, flow_imbalance: float
    ) -> None: ...
    def observe_all(
        self,
        exch_ns: NDArray[np.int64],
        mids: NDArray[np.float64],
        book_imbalance: NDArray[np.float64],
        flow_imbalance: NDArray[np.float64],
        out: NDArray[np.float64],
    ) -> None: ...
    def cut(self) -> None: ...
    def predict(self, book_imbalance: float, flow_imbalance: float) -> float: ...
    def fair_price(
        self,
        bid: float,
        ask: float,
        *,
        tick: float,
        book_imbalance: float,
        flow_imbalance: float,
        top_imbalance: float,
    ) -> float: ...
    @property
    def beta_book(self) -> float: ...
    @property
    def beta_flow(self) -> float: ...
    @property
    def covariance(self) -> tuple[float, float, float]: ...
    @property
    def pairs(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def r2_out_of_sample(self) -> float: ...
    @property
    def error_deviation(self) -> float: ...
