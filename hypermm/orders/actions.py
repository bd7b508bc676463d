"""From a target ladder to actions: cancels first, then placements within what the limits leave."""

from hypermm._core.ladder import Ladder
from hypermm.messages import (
    Action,
    CancelOids,
    CancelOrders,
    Order,
    PlaceOrders,
    Side,
)
from hypermm.orders.records import Record
from hypermm.orders.states import OrderEvent, OrderState
from hypermm.orders.table import ANSWER_NS, IMMEDIATE_TRIES, Table, pause_ns

IN_FLIGHT_MAX = 1_024  # actions without an answer


class Orders(Table):
    """The table of own orders, and what is to be done about them.

    Everything is post-only. A new order needs a free place on its side, room under the limit with
    all that may still fill counted, and a price that no own order of the other side may cross.
    """

    def reconcile(
        self,
        ladder: Ladder,
        max_bps_diff: float,
        *,
        bid_room: int,
        ask_room: int,
        is_reducing: bool,
        now_ns: int,
        collar: tuple[float, float],
    ) -> tuple[Action, ...]:
        """Turn the difference between the wanted ladder and the live orders into actions.

        Parameters
        ----------
        ladder : Ladder
            Wanted prices and sizes.
        max_bps_diff : float
            An order stays while its price is this close to the wanted one, in bps.
        bid_room, ask_room : int
            Lots that a side may add to the position in the worst case, what is live included.
        is_reducing : bool
            Whether new orders are marked as reduce-only.
        now_ns : int
            Our clock.
        collar : tuple of float
            Lowest and highest price of a new order; what is wanted beyond is left out.

        Returns
        -------
        tuple of Action
            Cancels first, then placements. Empty in the steady state, without making any object.
        """
        retries = self._due_cancels(now_ns) if now_ns >= self._check_ns else ()
        if self._reconciler.compare(ladder, max_bps_diff) == 0:
            return retries
        actions: list[Action] = list(retries)
        cancels = []
        for slot in self._reconciler.cancels:
            record = self._by_slot[slot]
            if record.state in (OrderState.OPEN, OrderState.PARTIAL):
                cancels.append(record)
        if cancels:
            actions.append(self._cancel(cancels, now_ns))
        orders = self._placements(
            bid_room, ask_room, is_reducing=is_reducing, now_ns=now_ns, collar=collar
        )
        if orders:
            actions.append(self._place(orders, now_ns))
        return tuple(actions)

    def set_queue_value(self, cloid: int, value_bps: float) -> None:
        """Say what an order's place in its queue is worth; nearer levels have to be worth more.

        Parameters
        ----------
        cloid : int
            Of the order; nothing happens if it rests no more.
        value_bps : float
            How far behind its level it may stay, in bps, >= 0: `_core.reconcile.queue_value_bps`.
            0 until it is set.

        Raises
        ------
        ValueError
            If the value is NaN or negative.
        """
        record = self._live.get(cloid)
        if record is not None and record.slot >= 0:
            self._reconciler.set_queue_value(record.slot, value_bps)

    def chase(self, now_ns: int) -> tuple[Action, ...]:
        """Ask again for the end of what should be gone, where that is due; nothing new."""
        return self._due_cancels(now_ns) if now_ns >= self._check_ns else ()

    def cancel_all(self, now_ns: int) -> tuple[Action, ...]:
        """Ask for the end of everything that may be live; asks again where that is due."""
        actions = list(self._due_cancels(now_ns))
        wanted = [
            record
            for record in self._live.values()
            if record.owed < 0
            and (record.state is not OrderState.CANCEL_SENT)
            and not record.cancel_due_ns
        ]
        if wanted:
            actions.append(self._cancel(wanted, now_ns))
        return tuple(actions)

    def _placements(
        self,
        bid_room: int,
        ask_room: int,
        *,
        is_reducing: bool,
        now_ns: int,
        collar: tuple[float, float],
    ) -> list[Order]:
        highest_bid, lowest_ask, bids, asks = 0, 1 << 62, 0, 0
        for side, price, _ in self.resting():
            if side is Side.BUY:
                bids += 1
                if price > highest_bid:
                    highest_bid = price
            else:
                asks += 1
                if price < lowest_ask:
                    lowest_ask = price
        if bids >= self._levels and asks >= self._levels:
            return []
        rooms = {Side.BUY: bid_room - self.bid_lots, Side.SELL: ask_room - self.ask_lots}
        free = {Side.BUY: self._levels - bids, Side.SELL: self._levels - asks}
        may_place = {side: self.refusals.may_place(side, now_ns) for side in Side}
        orders = []
        for raw_side, wanted_price, size in self._reconciler.places:
            side = Side(raw_side)
            # All or nothing: an order cut to the room would be replaced as soon as there is more.
            if free[side] <= 0 or size > rooms[side] or not may_place[side]:
                continue
            price = self.refusals.outside_touch(side, wanted_price, now_ns)
            if side is Side.BUY:
                if not 0 < price < lowest_ask:
                    continue
                highest_bid = max(highest_bid, price)
            else:
                if not price > highest_bid:
                    continue
                lowest_ask = min(lowest_ask, price)
            if not (
                collar[0] <= price <= collar[1] and self._instrument.is_above_minimum(price, size)
            ):
                continue
            free[side] -= 1
            rooms[side] -= size
            level = self._levels - 1 - free[side]
            orders.append(Order(self._cloids.next(side, level), side, price, size, is_reducing))
        return orders

    def _place(self, orders: list[Order], now_ns: int) -> PlaceOrders:
        action = PlaceOrders(next(self._ids), tuple(orders))
        for order in orders:
            record = Record(order.cloid, order.side, order.price, order.size, action.id, now_ns)
            self._live[order.cloid] = record
            record.slot = self._reconciler.add(order.side, order.price, order.size)
            self._by_slot[record.slot] = record
            self._advance(record, OrderEvent.SEND, now_ns)
        self.counts.placed += len(orders)
        self._fly(action.id, is_placement=True, cloids=tuple(o.cloid for o in orders))
        self._changed()
        return action

    def _cancel(self, records: list[Record], now_ns: int) -> CancelOrders:
        cloids = tuple(record.cloid for record in records)
        action = CancelOrders(next(self._ids), cloids)
        for record in records:
            self._leave_slot(record)
            if record.state is not OrderState.CANCEL_SENT:
                self._advance(record, OrderEvent.CANCEL, now_ns)
            record.cancel_tries += 1
            record.cancel_due_ns = now_ns + ANSWER_NS
            record.doubt_ns = record.doubt_ns or now_ns + ANSWER_NS
        self._fly(action.id, is_placement=False, cloids=cloids)
        self._check_ns = 0
        return action

    def _due_cancels(self, now_ns: int) -> tuple[Action, ...]:
        due = [r for r in self._live.values() if 0 < r.cancel_due_ns <= now_ns and r.owed < 0]
        actions: list[Action] = []
        by_oid = [r for r in due if r.cancel_tries >= IMMEDIATE_TRIES and r.oid]
        by_cloid = [r for r in due if not (r.cancel_tries >= IMMEDIATE_TRIES and r.oid)]
        if by_cloid:
            actions.append(self._cancel(by_cloid, now_ns))
        if by_oid:
            for record in by_oid:
                record.cancel_tries += 1
                record.cancel_due_ns = now_ns + ANSWER_NS
            oids = CancelOids(next(self._ids), tuple(record.oid for record in by_oid))
            self._fly(oids.id, is_placement=False, cloids=tuple(r.cloid for r in by_oid))
            actions.append(oids)
        if self._strays and now_ns >= self._strays_due_ns:
            self._strays_tries += 1
            self._strays_due_ns = now_ns + pause_ns(self._strays_tries)
            actions.append(CancelOids(next(self._ids), tuple(self._strays)))
        self._check_ns = 0
        return tuple(actions)

    def _fly(self, action_id: int, *, is_placement: bool, cloids: tuple[int, ...]) -> None:
        self._in_flight[action_id] = (is_placement, cloids)
        if len(self._in_flight) > IN_FLIGHT_MAX:
            del self._in_flight[next(iter(self._in_flight))]
