"""What our fills cost afterwards: the move of the mid at fixed horizons, a loss positive.

The mid at the fill is the one strictly before the taker's order, because the sweep itself is part
of the loss. The mid at a horizon is the last one at or before it. Everything is bounded.
"""

from heapq import heappop, heappush
from math import inf, isnan, log, nan

from attrs import frozen

from hypermm._core.markouts import MarkoutRing
from hypermm.messages import Fill

HORIZONS_SECS = (0.5, 1.0, 5.0, 30.0, 60.0)
PRIOR_FILLS = 50  # weight of the prior in the expected loss
SLOPE_ERRORS = 2.0  # that a fall with depth has to stand out by
MAX_OPEN = 1_000  # fills that wait for one horizon
MAX_KEPT = 2_000  # finished ones per horizon, for mean and error
MAX_GAP_NS = 5_000_000_000  # no markout crosses a longer silence of the market
NEVER_NS = 1 << 62


@frozen
class Markout:
    """Adverse selection at one horizon.

    Parameters
    ----------
    horizon_secs : float
        Time after the fill.
    n : int
        Fills that count.
    mean_bps : float
        Mean move of the mid against us, in bps of the mid at the fill; NaN without a fill.
    se_bps : float
        Its standard error, robust to fills that cluster.
    sized_mean_bps : float
        The mean weighted by size.
    capture_bps : float
        Mean distance of our price from the mid at the fill: what we earned at once.
    edge_bps : float
        What is left of it: capture minus markout.
    """

    horizon_secs: float
    n: int
    mean_bps: float
    se_bps: float
    sized_mean_bps: float
    capture_bps: float
    edge_bps: float


@frozen
class Adverse:
    """What a fill is expected to lose, from own fills and a prior.

    Parameters
    ----------
    mean_bps, error_bps : float
        At the chosen horizon: own fills drawn to the prior with the weight of fifty fills, and
        the standard error of the own fills' mean; NaN where not known.
    n : int
        Own fills that count.
    touch_bps, depth_bps : float
        By the depth d of the quote: touch * exp(-d / depth). The mean and infinite unless own
        fills show that it falls.
    horizon_secs : float
        The horizon.
    """

    mean_bps: float
    error_bps: float
    n: int
    touch_bps: float
    depth_bps: float
    horizon_secs: float


@frozen
class _Open:
    due_ns: int
    fill_ns: int
    side: int
    mid: float
    capture_bps: float
    size: int


class Markouts:
    """Opens a markout per fill and horizon and closes it when the market has moved on.

    Notes
    -----
    `advance` is to be called at every step with the newest mid and its stamp: a silence of more
    than five seconds drops what falls due in it. At most 1,000 fills wait for one horizon and
    the last 2,000 finished ones count.
    """

    def __init__(self) -> None:
        self._open: list[list[tuple[int, int, _Open]]] = [[] for _ in HORIZONS_SECS]
        self._done = [MarkoutRing(MAX_KEPT) for _ in HORIZONS_SECS]
        self._summary = [Markout(h, 0, nan, nan, nan, nan, nan) for h in HORIZONS_SECS]
        self._summarised = [0 for _ in HORIZONS_SECS]
        self._mid = nan
        self._mid_ns = 0
        self._due_ns = NEVER_NS  # when the first markout is due
        self._sequence = 0
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Markouts given up: no mid, heard of too late, a silence, or too many open."""
        return self._dropped

    @property
    def open_count(self) -> int:
        """Fills that wait for the longest horizon."""
        return max(len(waiting) for waiting in self._open)

    def open(self, fill: Fill, mid_before: float, exch_ns: int) -> None:
        """Start the markouts of a fill.

        Parameters
        ----------
        fill : Fill
            Our fill.
        mid_before : float
            Mid strictly before the fill's stamp, in price units; NaN if not known.
        exch_ns : int
            The fill's stamp.
        """
        if not mid_before > 0.0:
            self._dropped += len(HORIZONS_SECS)
            return
        capture_bps = fill.side * (mid_before - fill.price) / mid_before * 1e4
        for horizon_secs, waiting in zip(HORIZONS_SECS, self._open, strict=True):
            due_ns = exch_ns + round(horizon_secs * 1e9)
            if due_ns < self._mid_ns or len(waiting) >= MAX_OPEN:
                self._dropped += 1
                continue
            self._sequence += 1
            one = _Open(due_ns, exch_ns, int(fill.side), mid_before, capture_bps, fill.size)
            heappush(waiting, (due_ns, self._sequence, one))
            self._due_ns = min(self._due_ns, due_ns)

    def advance(self, mid: float, exch_ns: int) -> bool:
        """Say that the mid is `mid` (NaN: none) since `exch_ns`; older news is ignored.

        Returns whether a markout was finished.
        """
        if exch_ns < self._mid_ns:
            return False
        # Nothing is due before the mid that it would be measured by.
        has_finished = self._due_ns < exch_ns and self._finish(exch_ns)
        self._mid, self._mid_ns = mid, exch_ns
        return has_finished

    def _finish(self, exch_ns: int) -> bool:
        has_finished = False
        is_silence = exch_ns - self._mid_ns > MAX_GAP_NS
        for waiting, done in zip(self._open, self._done, strict=True):
            while waiting and waiting[0][0] < exch_ns:
                one = heappop(waiting)[2]
                if is_silence or isnan(self._mid):
                    self._dropped += 1
                    continue
                move_bps = -one.side * (self._mid - one.mid) / one.mid * 1e4
                done.add(one.fill_ns, move_bps, one.capture_bps, one.size)
                has_finished = True
        self._due_ns = min((waiting[0][0] for waiting in self._open if waiting), default=NEVER_NS)
        return has_finished

    def adverse(self, prior_bps: float, life_secs: float) -> Adverse:
        """Return what a fill is expected to lose.

        Parameters
        ----------
        prior_bps : float
            Loss to expect without own fills.
        life_secs : float
            Time in which inventory is worked off; the nearest horizon is taken.
        """
        i = min(range(len(HORIZONS_SECS)), key=lambda k: abs(log(HORIZONS_SECS[k] / life_secs)))
        horizon_secs, done = HORIZONS_SECS[i], self._done[i]
        n, mean, error, _, _ = done.read(horizon_ns=round(horizon_secs * 1e9))
        if n == 0:
            return Adverse(prior_bps, nan, 0, prior_bps, inf, horizon_secs)
        share = n / (n + PRIOR_FILLS)
        used = share * mean + (1.0 - share) * prior_bps
        touch, depth = used, inf
        if n >= PRIOR_FILLS:
            fit = done.fit_depth()
            is_falling = fit["slope"] + SLOPE_ERRORS * fit["slope_error"] < 0.0
            if is_falling and fit["decay_per_bps"] > 0.0:
                touch = share * fit["markout"] + (1.0 - share) * prior_bps
                depth = 1.0 / fit["decay_per_bps"]
        return Adverse(used, error, n, touch, depth, horizon_secs)

    def summary(self) -> tuple[Markout, ...]:
        """Return the figures of every horizon; those without news are the ones of before."""
        for i, (horizon_secs, done) in enumerate(zip(HORIZONS_SECS, self._done, strict=True)):
            if done.added != self._summarised[i]:
                self._summarised[i] = done.added
                n, mean, se, sized, capture = done.read(horizon_ns=round(horizon_secs * 1e9))
                self._summary[i] = Markout(
                    horizon_secs, n, mean, se, sized, capture, capture - mean
                )
        return tuple(self._summary)
