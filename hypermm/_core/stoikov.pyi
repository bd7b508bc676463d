import numpy as np
from numpy.typing import NDArray

def solve_microprice(
    stay: NDArray[np.float64],
    move: NDArray[np.float64],
    size: NDArray[np.float64],
    moves: NDArray[np.float64],
    work: NDArray[np.float64],
    order: NDArray[np.intp],
    out_first: NDArray[np.float64],
    out_stationary: NDArray[np.float64],
    out_adjustment: NDArray[np.float64],
    *,
    subtract_drift: bool = False,
) -> float: ...
def count_transitions(
    states: NDArray[np.intp],
    mid_moves: NDArray[np.intp],
    out_stay: NDArray[np.float64],
    out_move: NDArray[np.float64],
    out_size: NDArray[np.float64],
    *,
    imbalance_buckets: int,
) -> None: ...
