"""The engine on recorded and synthetic markets, in virtual time."""

from hypermm.backtesting.audit import Audit, audit
from hypermm.backtesting.result import Assumptions, Result
from hypermm.backtesting.running import backtest

__all__ = ["Assumptions", "Audit", "Result", "audit", "backtest"]
