"""What is known of one market, how well, and since when."""

from hypermm.estimators.live import Estimators
from hypermm.estimators.values import Channel, Estimate, Estimates, Queue, State, WarmUp

__all__ = ["Channel", "Estimate", "Estimates", "Estimators", "Queue", "State", "WarmUp"]
