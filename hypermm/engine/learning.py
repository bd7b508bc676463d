"""What the engine learns once a second of its own fills and of its places in the queues."""

import math

from hypermm._core.reconcile import queue_value_bps
from hypermm.engine.explained import QUEUE_TOLERANCES, RESTING, Explained

LEARN_NS = 10**9  # between looks, if no fill is new
LONGEST_LIFE_SECS = 60.0  # of inventory, where nothing is known or nothing pulls it back


class Learning(Explained):
    """The parts, and what they tell each other of our own orders."""

    def _learn(self) -> None:
        self._learn_ns = self._now_ns + LEARN_NS
        self._learn_adverse()
        self._value_queues()

    def _learn_adverse(self) -> None:
        """Tell the estimators what our fills lose, at the horizon of our inventory.

        Inventory returns to its mean in 1/omega, omega = 2 sqrt(alpha eta) of the solution with
        alpha = kappa g sigma^2 / 2 and eta = A/e.
        """
        known = self._estimates
        aversion = self._config.trading.risk_aversion * known.kappa_reference_per_bps
        pull = 0.5 * known.kappa_per_bps * aversion * known.volatility**2
        rate = 2.0 * math.sqrt(pull * known.intensity_per_sec / math.e)
        life_secs = 1.0 / rate if rate > 0.0 else LONGEST_LIFE_SECS
        found = self._markouts.adverse(0.5 * known.spread_bps, min(life_secs, LONGEST_LIFE_SECS))
        self._estimators.set_adverse(
            found.mean_bps, found.touch_bps, found.depth_bps, error_bps=found.error_bps, n=found.n
        )

    def _value_queues(self) -> None:
        """Tell the orders what their places in the queues are worth."""
        kappa = self._estimates.kappa_per_bps
        most = QUEUE_TOLERANCES * self._config.trading.max_bps_diff
        values: dict[tuple[int, int], float] = {}
        for queue in self._estimators.queues():
            now, at_end = queue.fill_probability, queue.fill_probability_at_end
            if now >= 0.0 and at_end > 0.0 and kappa > 0.0:
                value = queue_value_bps(
                    kappa_per_bps=kappa, fill_probability=now, fill_probability_at_end=at_end
                )
                values[queue.side, queue.price] = min(value, most)
        for order in self._orders.live():
            if order.state in RESTING:
                value = values.get((order.side, order.price), 0.0)
                self._orders.set_queue_value(order.cloid, value)
