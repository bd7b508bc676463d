"""The engine on recorded and synthetic markets, in virtual time."""

from hypermm.backtesting.result import Assumptions, Result
from hypermm.backtesting.running import backtest

__all__ = ["Assumptions", "Result", "backtest"]
