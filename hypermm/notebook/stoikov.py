"""Stoikov's microprice: the mid plus where it goes from here, by imbalance and spread."""

import numpy as np
from attrs import field, frozen
from numpy.typing import ArrayLike

from hypermm._core.stoikov import count_transitions, solve_microprice
from hypermm.notebook._arrays import Floats, floats, number

MOST_STEPS = 20  # half ticks: larger moves of the mid are cut to that


@frozen(eq=False)
class Microprice:
    """Where the mid goes, in expectation, from each state.

    Parameters
    ----------
    adjustment : array of float64, shape (n,)
        G*, what to add to the mid: the expected total move, in the unit of the moves.
    first_move : array of float64, shape (n,)
        G1, the expected first move.
    stationary : array of float64, shape (n,)
        How often a move of the mid ends in each state.
    drift : float
        w'G1, the mean move of the mid; 0 for symmetrised data.
    """

    adjustment: Floats
    first_move: Floats
    stationary: Floats = field(repr=False)
    drift: float


def stoikov_microprice(
    stay: ArrayLike,
    move: ArrayLike,
    size: ArrayLike,
    moves: ArrayLike,
    *,
    subtract_drift: bool = False,
) -> Microprice:
    """Solve for Stoikov's microprice from one-step probabilities.

    Parameters
    ----------
    stay : array_like, shape (n, n)
        Q: probability of each next state while the mid stays.
    move : array_like, shape (n, n)
        T: probability of each next state when the mid moves.
    size : array_like, shape (n, m)
        R: probability that the mid moves by each of `moves`. The rows of R are taken as they are,
        those of T are scaled to the same sum, those of Q to the rest.
    moves : array_like, shape (m,)
        K: moves of the mid, in ticks or any one unit.
    subtract_drift : bool
        Subtract the stationary drift where the data are not symmetric, instead of refusing them.

    Returns
    -------
    Microprice
        Fair price = mid + adjustment of the state.

    Raises
    ------
    ValueError
        If a value is outside its domain, shapes do not fit, the mid never moves from a state, the
        states do not reach each other, or the drift is not 0 and `subtract_drift` is false:
        the sum over all future moves has a limit only without drift.

    Notes
    -----
    G1 = (I-Q)^-1 R K, B = (I-Q)^-1 T, G* = sum B^i G1, by state reduction. Source: Stoikov
    (2018), "The micro-price", Quantitative Finance 18.

    Examples
    --------
    >>> one = stoikov_microprice(
    ...     stay=[[0.3, 0.1], [0.1, 0.3]], move=[[0.4, 0.2], [0.2, 0.4]],
    ...     size=[[0.4, 0.2], [0.2, 0.4]], moves=[-0.5, 0.5])
    >>> one.adjustment
    array([-0.16666667,  0.16666667])
    """
    q, t, r = _rows("stay", stay), _rows("move", move), _rows("size", size)
    n = len(q)
    first, stationary, adjustment = np.empty(n), np.empty(n), np.empty(n)
    drift = solve_microprice(
        q,
        t,
        r,
        floats("moves", moves, least=1),
        np.empty((2 * n + 2, n)),
        np.empty(n, np.intp),
        first,
        stationary,
        adjustment,
        subtract_drift=subtract_drift,
    )
    return Microprice(adjustment, first, stationary, drift)


@frozen(eq=False)
class MicropriceTable:
    """Adjustments of the mid by imbalance and spread, learned from quotes.

    Parameters
    ----------
    adjustments : array of float64, shape (spreads, buckets)
        In the unit of the prices; rows are spreads of 1, 2, … ticks (the last: and more), columns
        buckets of imbalance from -1 to 1. NaN where there was no observation.
    visits : array of float64, shape (spreads, buckets)
        Observations of each, with their mirror images.
    tick : float
        Step of prices.
    """

    adjustments: Floats
    visits: Floats = field(repr=False)
    tick: float

    def microprice(
        self, bids: ArrayLike, asks: ArrayLike, bid_sizes: ArrayLike, ask_sizes: ArrayLike
    ) -> Floats:
        """Mid plus adjustment of each quote; the mid where the state was never seen.

        Raises
        ------
        ValueError
            If a value is outside its domain or lengths differ.
        """
        spreads, buckets = self.adjustments.shape
        bid, ask, states = _states(
            bids, asks, bid_sizes, ask_sizes, tick=self.tick, buckets=buckets, spreads=spreads
        )
        move = self.adjustments.ravel()[states]
        result: Floats = 0.5 * (bid + ask) + np.where(np.isnan(move), 0.0, move)
        return result


def fit_microprice(
    bids: ArrayLike,
    asks: ArrayLike,
    bid_sizes: ArrayLike,
    ask_sizes: ArrayLike,
    *,
    tick: float,
    buckets: int = 10,
    spreads: int = 2,
) -> MicropriceTable:
    """Learn Stoikov's microprice from a series of best quotes.

    Parameters
    ----------
    bids, asks : array_like, shape (n,)
        Best prices at the observations (each change, or each second), 0 < bid < ask.
    bid_sizes, ask_sizes : array_like, shape (n,)
        Sizes displayed there, > 0.
    tick : float
        Step of prices, > 0.
    buckets, spreads : int
        Buckets of imbalance from -1 to 1, and of the spread in ticks.

    Returns
    -------
    MicropriceTable
        Adjustments in the unit of the prices.

    Raises
    ------
    ValueError
        If a value is outside its domain, lengths differ, or the mid never moves.

    Notes
    -----
    Every transition is counted with its mirror image, so that no drift is left. Moves of the
    mid beyond 10 ticks are cut to that. At most 400 states; work grows with their cube.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> imbalance = rng.choice([-0.8, 0.8], 4_000)
    >>> steps = np.where(rng.random(4_000) < 0.3, np.sign(imbalance), 0.0)
    >>> bid = 100.0 + 0.01 * np.concatenate([[0.0], np.cumsum(steps[:-1])])
    >>> table = fit_microprice(
    ...     bid, bid + 0.01, 1.0 + imbalance, 1.0 - imbalance, tick=0.01, buckets=2, spreads=1)
    >>> table.adjustments.round(3)
    array([[-0.003,  0.003]])
    """
    step = number("tick", tick, low=0.0, is_open=True)
    if buckets < 1 or spreads < 1 or buckets * spreads > 400:
        raise ValueError(
            f"buckets and spreads must be >= 1 and give at most 400 states: {buckets}, {spreads}"
        )
    bid, ask, states = _states(
        bids, asks, bid_sizes, ask_sizes, tick=step, buckets=buckets, spreads=spreads
    )
    n = buckets * spreads
    half_ticks = np.rint(np.diff(bid + ask, prepend=(bid + ask)[:1]) / step)
    mid_moves = np.clip(half_ticks, -MOST_STEPS, MOST_STEPS).astype(np.intp)
    stay, move, size = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, 2 * MOST_STEPS + 1))
    count_transitions(states, mid_moves, stay, move, size, imbalance_buckets=buckets)
    kept = _closed(stay + move)
    visits = stay.sum(axis=1) + move.sum(axis=1)
    if not size.any() or not len(kept):
        raise ValueError("bids and asks must move: the mid stands still in all the data")
    # What leaves the kept states (only the last observation can) is left out.
    every = np.ix_(kept, kept)
    total = stay[every].sum(axis=1) + size[kept].sum(axis=1)
    solved = stoikov_microprice(
        stay[every] / total[:, None],
        move[every] / total[:, None],
        size[kept] / total[:, None],
        np.arange(-MOST_STEPS, MOST_STEPS + 1) * (0.5 * step),
    )
    adjustments = np.full(n, np.nan)
    adjustments[kept] = solved.adjustment
    return MicropriceTable(
        adjustments.reshape(spreads, buckets), visits.reshape(spreads, buckets), step
    )


def _closed(counts: Floats) -> "np.ndarray[tuple[int], np.dtype[np.intp]]":
    """States that are left again, to states that are: the end of the data is not."""
    kept = np.flatnonzero(counts.sum(axis=1) > 0.0)
    while len(kept):
        onward = counts[np.ix_(kept, kept)].sum(axis=1) > 0.0
        if onward.all():
            break
        kept = kept[onward]
    return kept


def _states(
    bids: ArrayLike,
    asks: ArrayLike,
    bid_sizes: ArrayLike,
    ask_sizes: ArrayLike,
    *,
    tick: float,
    buckets: int,
    spreads: int,
) -> "tuple[Floats, Floats, np.ndarray[tuple[int], np.dtype[np.intp]]]":
    bid, ask = floats("bids", bids, rule="positive"), floats("asks", asks, rule="positive")
    bid_size = floats("bid_sizes", bid_sizes, rule="positive")
    ask_size = floats("ask_sizes", ask_sizes, rule="positive")
    for name, array in (("asks", ask), ("bid_sizes", bid_size), ("ask_sizes", ask_size)):
        if len(array) != len(bid):
            raise ValueError(f"{name} must have length {len(bid)}: {len(array)}")
    is_crossed = bid >= ask
    if is_crossed.any():
        i = int(np.argmax(is_crossed))
        raise ValueError(f"asks[{i}] must be > bids[{i}] {bid[i]}: {ask[i]}")
    share = bid_size / (bid_size + ask_size)
    bucket = np.minimum(share * buckets, buckets - 1).astype(np.intp)
    ticks = np.clip(np.rint((ask - bid) / tick), 1, spreads).astype(np.intp)
    return bid, ask, (ticks - 1) * buckets + bucket


def _rows(name: str, values: ArrayLike) -> Floats:
    rows = np.ascontiguousarray(np.asarray(values, dtype=np.float64))
    if rows.ndim != 2:
        raise ValueError(f"{name} must have two dimensions: shape {rows.shape}")
    return rows
