"""One order of this session, what is frozen of it for others, and what is counted."""

from attrs import define, field, frozen

from hypermm.messages import Side
from hypermm.orders.states import OrderState


@define(eq=False)
class Record:
    """One order of this session."""

    cloid: int
    side: Side
    price: int
    size: int
    action_id: int
    since_ns: int  # when the last event came
    state: OrderState = OrderState.PLANNED
    remaining: int = field(init=False)  # what may still fill
    filled: int = 0  # the sum of its fills
    oid: int = 0
    slot: int = -1  # in the reconciler; -1 when a new order may take its place there
    owed: int = -1  # filled size by the exchange's word, once it is proved off the book
    status: str = ""  # the exchange's word for its end
    cancel_tries: int = 0
    cancel_due_ns: int = 0  # when to ask again for its end; 0: not asked
    doubt_ns: int = 0  # from when on its fate has to be read; 0: there is no doubt

    @remaining.default
    def _whole(self) -> int:
        return self.size

    def measure(self) -> None:
        """Find what may still fill, after `filled` or `owed` has changed."""
        most = self.size if self.owed < 0 else self.owed
        self.remaining = max(most - self.filled, 0)


@frozen
class OwnOrder:
    """An order of ours that may be live, frozen."""

    cloid: int
    oid: int  # 0 while it is not known
    side: Side
    price: int
    size: int
    remaining: int
    state: str


@define
class OrderCounts:
    """Counts since the start."""

    placed: int = 0
    canceled: int = 0
    refused: int = 0
    denied: int = 0
    unknown: int = 0
    never_landed: int = 0
    late_fills: int = 0
    overfills: int = 0
