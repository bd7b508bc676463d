"""The market that a strategy quotes, and what of it becomes cost and carry: values and formulas."""

import math
from typing import Protocol

from hypermm._core.fair import SIGNAL_SECS

MAX_ADVERSE_BPS = 100.0  # of expected loss after a fill that is priced
MAX_FUNDING_BPS = 50.0  # of one payment that is priced
ADVERSE_ROUNDS = 4  # of the loss that depends on the depth that it asks for


class MarketView(Protocol):
    """What a strategy reads of the estimates: `hypermm.estimators.Estimates` says what they are."""

    @property
    def mid(self) -> float: ...  # noqa: D102

    @property
    def fair_price(self) -> float: ...  # noqa: D102

    @property
    def book_deviation_bps(self) -> float: ...  # noqa: D102

    @property
    def flow_deviation_bps(self) -> float: ...  # noqa: D102

    @property
    def kalman_deviation_bps(self) -> float: ...  # noqa: D102

    @property
    def microprice_deviation_bps(self) -> float: ...  # noqa: D102

    @property
    def best_bid(self) -> int: ...  # noqa: D102

    @property
    def best_ask(self) -> int: ...  # noqa: D102

    @property
    def spread_bps(self) -> float: ...  # noqa: D102

    @property
    def volatility(self) -> float: ...  # noqa: D102

    @property
    def volatility_regime(self) -> int: ...  # noqa: D102

    @property
    def jump_ratio(self) -> float: ...  # noqa: D102

    @property
    def kappa_per_bps(self) -> float: ...  # noqa: D102

    @property
    def kappa_reference_per_bps(self) -> float: ...  # noqa: D102

    @property
    def intensity_per_sec(self) -> float: ...  # noqa: D102

    @property
    def cascade_severity(self) -> float: ...  # noqa: D102

    @property
    def adverse_touch_bps(self) -> float: ...  # noqa: D102

    @property
    def adverse_depth_bps(self) -> float: ...  # noqa: D102

    @property
    def funding_rate_hourly(self) -> float: ...  # noqa: D102

    @property
    def funding_secs(self) -> float: ...  # noqa: D102

    @property
    def exch_now_ns(self) -> int: ...  # noqa: D102


def adverse_law(market: MarketView) -> tuple[float, float]:
    """Return the loss after a fill at the fair price, and the distance of its decay, in bps.

    A loss that is not known, or a gain, asks for nothing.
    """
    found, decay_bps = market.adverse_touch_bps, market.adverse_depth_bps
    at_fair = min(found, MAX_ADVERSE_BPS) if found > 0.0 else 0.0
    return at_fair, decay_bps if decay_bps > 0.0 else math.inf


def adverse_bps(at_fair_bps: float, decay_bps: float, base_bps: float) -> float:
    """Return the loss after a fill of the nearest quote, in bps.

    Parameters
    ----------
    at_fair_bps, decay_bps : float
        The law, see `adverse_law`.
    base_bps : float
        Depth of the quote without that loss: the loss depends on the depth that it asks for.
    """
    found = at_fair_bps
    if at_fair_bps > 0.0 and decay_bps < math.inf:
        for _ in range(ADVERSE_ROUNDS):
            found = at_fair_bps * math.exp(-max(base_bps + found, 0.0) / decay_bps)
    return found


def funding_shift_bps(market: MarketView, rate_per_sec: float) -> float:
    """Return by how much the next funding payment raises both quotes, in bps.

    What is held now is held at the payment only as far as it is not worked off before, at a rate
    `rate_per_sec`; a long position that will pay makes both quotes lower.
    """
    rate, secs = market.funding_rate_hourly, market.funding_secs
    if not (rate == rate and secs >= 0.0):
        return 0.0
    payment_bps = max(min(rate * 1e4, MAX_FUNDING_BPS), -MAX_FUNDING_BPS)
    return -payment_bps * math.exp(-rate_per_sec * secs)


def signal_shift_bps(market: MarketView, rate_per_sec: float) -> float:
    """Return by how much the quotes follow the fair price less than it moved, in bps, signed.

    The move that imbalance announces is over after `SIGNAL_SECS`; quotes that work a position off
    at a rate `rate_per_sec` gain the share 1 / (1 + rate x life) of it.
    """
    found = market.microprice_deviation_bps
    passed = rate_per_sec * SIGNAL_SECS
    return -found * passed / (1.0 + passed) if found == found else 0.0
