"""From estimates and a position to a target ladder, and every term of it."""

from hypermm.quoting.caution import Caution
from hypermm.quoting.market import MarketView
from hypermm.quoting.strategies import (
    STRATEGIES,
    Glft,
    InventoryAware,
    LadderStrategy,
    Symmetric,
    strategy_class,
)
from hypermm.quoting.strategy import MAX_SOLVER_LOTS, Strategy
from hypermm.quoting.terms import Level, Term, explain

__all__ = [
    "MAX_SOLVER_LOTS",
    "STRATEGIES",
    "Caution",
    "Glft",
    "InventoryAware",
    "LadderStrategy",
    "Level",
    "MarketView",
    "Strategy",
    "Symmetric",
    "Term",
    "explain",
    "strategy_class",
]
