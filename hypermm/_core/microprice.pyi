from typing import final

import numpy as np
from numpy.typing import NDArray

def book_imbalances(
    bid_sizes: NDArray[np.float64],
    ask_sizes: NDArray[np.float64],
    out: NDArray[np.float64],
    *,
    decay: float = 1.0,
) -> None: ...
def flow_imbalances(
    buys: NDArray[np.float64], sells: NDArray[np.float64], out: NDArray[np.float64]
) -> None: ...
def weighted_mids(
    bids: NDArray[np.float64],
    asks: NDArray[np.float64],
    bid_sizes: NDArray[np.float64],
    ask_sizes: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None: ...
def microprices(
    mids: NDArray[np.float64],
    book_imbalance: NDArray[np.float64],
    flow_imbalance: NDArray[np.float64],
    out: NDArray[np.float64],
    *,
    beta_book: float,
    beta_flow: float,
) -> None: ...

@final
class FlowImbalance:
    decay_secs: float
    buys: float
    sells: float
    def __init__(self, *, decay_secs: float) -> None: ...
    def update(self, signed_size: float) -> None: ...
    def advance(self, secs: float) -> None: ...
    @property
    def value(self) -> float: ...
