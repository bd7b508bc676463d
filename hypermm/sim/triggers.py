"""Stop and take-profit orders: those that wait for the mark, and those that hang on another order.

A child waits for its parent: it is placed when the parent has filled, or has filled in part and
lost the rest to its margin; it ends with a parent that ends otherwise. The fill of one of a pair
cancels the other. What is for the whole position ends with the position.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hypermm.sim import checks
from hypermm.sim.accounts import Account
from hypermm.sim.listing import Listing
from hypermm.sim.orders import NO_HASH, VenueOrder
from hypermm.sim.rules import TRIGGER_SLIPPAGE_PERCENT
from hypermm.sim.tickets import Ticket

if TYPE_CHECKING:
    from hypermm.sim.desk import Desk, Status

LIVE = ("open", "triggered")


class Triggers:
    """The orders of a venue that wait.

    Parameters
    ----------
    desk : Desk
        Executes and cancels them.
    """

    def __init__(self, desk: "Desk") -> None:
        self._desk = desk
        self._waiting: dict[int, VenueOrder] = {}  # for their trigger, by oid

    # Placing

    def place_family(self, account: Account, tickets: Sequence[Ticket]) -> list["Status"]:
        """Place a parent and its children; return their entries in the reply."""
        desk = self._desk
        parent = desk.new(account, tickets[0])
        if parent is None:
            return [desk.cloid_live] * len(tickets)
        statuses: list[Status] = []
        children = []
        for ticket in tickets[1:]:
            child = desk.new(account, ticket)
            if child is None:
                statuses.append(desk.cloid_live)
                continue
            refusal = checks.waiting_refusal(child, parent.price, desk.rules)
            if refusal is not None:
                statuses.append(desk.refuse(child, refusal))
                continue
            statuses.append("waitingForFill")
            children.append(child)
            desk.tell(child)
        parent.children = tuple(children)
        _pair(children)
        first = desk.start(parent)
        then: Status = "waitingForFill"
        if isinstance(first, dict) and "error" in first:
            then = first
        elif parent.status == "filled":
            then = "waitingForTrigger"
        return [first, *(then if status == "waitingForFill" else status for status in statuses)]

    def place_for_position(self, account: Account, tickets: Sequence[Ticket]) -> list["Status"]:
        """Place take-profit and stop of a whole position; return their entries in the reply."""
        desk = self._desk
        orders = [desk.new(account, ticket) for ticket in tickets]
        statuses = [desk.cloid_live if x is None else desk.start(x) for x in orders]
        _pair([order for order in orders if order is not None and order.is_open])
        return statuses

    def wait(self, order: VenueOrder) -> None:
        """Let an order wait for its trigger."""
        order.account.orders[order.oid] = order
        self._waiting[order.oid] = order

    def drop(self, order: VenueOrder) -> None:
        """Let it wait no longer."""
        self._waiting.pop(order.oid, None)

    def fire(self) -> None:
        """Wake all orders whose trigger the mark meets, in the order of their placement."""
        if self._desk.is_post_only:
            return
        for order in list(self._waiting.values()):
            trigger, listing = order.trigger, order.listing
            is_live = order.oid in self._waiting and not listing.is_halted  # a sibling may end it
            if is_live and trigger is not None and trigger.is_met(listing.mark_price):
                self._fire(order)

    def _fire(self, order: VenueOrder) -> None:
        desk, trigger, listing = self._desk, order.trigger, order.listing
        assert trigger is not None, f"order {order.oid} waits for nothing"
        desk.action_hash = NO_HASH
        order.account.take_off(order)
        self.drop(order)
        if order.is_reduce_only:
            most = checks.closable(order.account, listing, order.side)
            whole = most if order.original == 0 else order.original
            order.original = order.remaining = min(whole, most) or whole
        desk.note(order, "triggered")
        limit = order.price
        if trigger.is_market:
            # Counted from the mark; the order's own price is what the user looked for.
            share = 100 + TRIGGER_SLIPPAGE_PERCENT * order.side
            limit = max(listing.mark_price * share // 100, 1)
        desk.execute(order, limit, is_immediate=trigger.is_market, is_forced=trigger.is_market)

    # What hangs on what

    def follow(self, order: VenueOrder) -> None:
        """Let the end of an order have its effect on children and siblings."""
        if order.status in LIVE:
            return
        if order.status == "filled":
            for other in order.siblings:
                if other.is_open:
                    self._desk.cancel(other, "siblingFilledCanceled")
        is_placed = order.status == "filled" or (
            order.status == "marginCanceled" and order.filled > 0
        )
        for child in order.children:
            if child.is_open and is_placed:
                self.wait(child)
            elif child.is_open:
                is_told = not order.status.endswith("Rejected")
                self._desk.cancel(child, order.status, is_told=is_told)

    def follow_position(self, account: Account, listing: Listing) -> None:
        """End what protects a position that is no more."""
        for order in list(self._waiting.values()):
            is_firing = any(other.status == "triggered" for other in order.siblings)
            if (
                order.is_position_tpsl
                and not is_firing
                and order.account is account
                and order.listing is listing
                and checks.closable(account, listing, order.side) == 0
            ):
                self._desk.cancel(order, "reduceOnlyCanceled")


def _pair(orders: list[VenueOrder]) -> None:
    """Let the fill of one cancel the others."""
    for order in orders:
        order.siblings = tuple(other for other in orders if other is not order)
