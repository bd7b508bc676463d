"""A dry run: the engine decides as ever, and nothing that is signed leaves.

Reads pass. Leverage and collateral are taken as set, so that the sizes are those of a run; orders
of an earlier session are kept from the engine; the first orders that it wants are the result.
"""

from collections.abc import Iterable

from attrs import evolve

from hypermm.instrument import Instrument
from hypermm.messages import (
    AccountState,
    Action,
    ActionDenied,
    ActionReply,
    Batch,
    CancelOids,
    CancelOrders,
    Done,
    OpenOrders,
    Order,
    PlaceOrders,
    PrivateEvent,
    Side,
    UpdateLeverage,
)
from hypermm.orders import Cloids


class Rehearsal:
    """Stands between engine and session.

    Parameters
    ----------
    cloids : Cloids
        Knows our tag.
    collateral_usd : float
        What a run would have moved onto the market's dex.

    Attributes
    ----------
    orders : tuple of Order
        What would be placed; empty until the engine wants to.
    leverage : int
        What the leverage would be set to; 0 if it would not be touched.
    leftovers : int
        Orders of an earlier session that a run would cancel.
    """

    def __init__(self, cloids: Cloids, collateral_usd: float = 0.0) -> None:
        self._cloids = cloids
        self._collateral_usd = collateral_usd
        self.orders: tuple[Order, ...] = ()
        self.leverage = 0
        self.leftovers = 0

    def hide(self, batch: Batch) -> Batch:
        """Return the batch as a run would see it once it had begun."""
        if not any(isinstance(event, OpenOrders | AccountState) for event in batch.private):
            return batch
        return Batch(batch.rows, tuple(self._hidden(event) for event in batch.private))

    def _hidden(self, event: PrivateEvent) -> PrivateEvent:
        if isinstance(event, AccountState):
            more = self._collateral_usd
            return evolve(
                event,
                account_value_usd=event.account_value_usd + more,
                withdrawable_usd=event.withdrawable_usd + more,
            )
        if not isinstance(event, OpenOrders):
            return event
        others = tuple(o for o in event.orders if not self._cloids.is_ours(o.cloid))
        self.leftovers = len(event.orders) - len(others)
        return evolve(event, orders=others)

    def keep(
        self, actions: Iterable[Action]
    ) -> tuple[tuple[Action, ...], tuple[ActionReply | ActionDenied, ...]]:
        """Return the reads among actions, and answers to the others."""
        passed: list[Action] = []
        answers: list[ActionReply | ActionDenied] = []
        for action in actions:
            match action:
                case UpdateLeverage(leverage=leverage):
                    self.leverage = leverage
                    answers.append(ActionReply(action.id, (Done(),)))
                case PlaceOrders(orders=orders):
                    self.orders = self.orders or orders
                    answers.append(ActionDenied(action.id, "dry run"))
                case CancelOrders() | CancelOids():
                    answers.append(ActionDenied(action.id, "dry run"))
                case _:
                    passed.append(action)
        return tuple(passed), tuple(answers)

    def lines(self, instrument: Instrument, fair_price: float) -> list[str]:
        """Say what a run would do, for a person."""
        coin = instrument.coin
        said = []
        if self.leverage:
            said.append(f"would set the leverage to {self.leverage}x")
        if self.leftovers:
            said.append(f"would cancel {self.leftovers} orders of an earlier session")
        for order in sorted(self.orders, key=lambda o: -o.price):
            side = "sell" if order.side is Side.SELL else "buy "
            away_bps = (order.price / fair_price - 1.0) * 1e4
            said.append(
                f"would {side} {instrument.print_size(order.size):>10} {coin} at "
                f"{instrument.print_price(order.price):>10}  {away_bps:+8.2f} bps  post-only"
            )
        if not self.orders:
            said.append("no ladder was decided: the lines above say why; --duration cut it short?")
        return said
