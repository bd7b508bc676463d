"""Own orders: client order ids, states as a table, exposure, and target ladder to actions."""

from hypermm.orders.actions import Orders
from hypermm.orders.cloids import CloidParts, Cloids
from hypermm.orders.records import OrderCounts, OwnOrder
from hypermm.orders.states import (
    END_POLICIES,
    ORDER_TRANSITIONS,
    TERMINAL,
    EndPolicy,
    OrderEvent,
    OrderState,
    classify,
)

__all__ = [
    "END_POLICIES",
    "ORDER_TRANSITIONS",
    "TERMINAL",
    "CloidParts",
    "Cloids",
    "EndPolicy",
    "OrderCounts",
    "OrderEvent",
    "OrderState",
    "Orders",
    "OwnOrder",
    "classify",
]
