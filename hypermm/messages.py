"""Private events in, actions out, notices: the values that cross the engine's border.

Prices are integers of 10**-(6 - size_decimals) and sizes integer lots of 10**-size_decimals; only
`Instrument` turns them into text. `exch_ns` is the venue's stamp. A cloid is a 128-bit integer.
"""

from collections.abc import Mapping
from enum import Enum, IntEnum
from typing import Any

from attrs import field, frozen

from hypermm._core.rows import EMPTY, Rows


class Side(IntEnum):
    """Direction of an order or a fill; the sign of its effect on the position."""

    BUY = 1
    SELL = -1

    @property
    def other(self) -> "Side":
        """The opposite side."""
        return Side(-self.value)


class Tif(Enum):
    """How long an order lives; `ALO` is post-only."""

    ALO = "Alo"
    IOC = "Ioc"
    GTC = "Gtc"


@frozen
class Order:
    """An order that we want or sent."""

    cloid: int
    side: Side
    price: int
    size: int
    is_reduce_only: bool = False
    tif: Tif = Tif.ALO


# Actions: what the engine wants done. `id` is the engine's own sequence; the answer carries it.


@frozen
class PlaceOrders:
    """Place a batch of orders. Signed."""

    id: int
    orders: tuple[Order, ...]


@frozen
class CancelOrders:
    """Cancel our orders by client order id. Signed."""

    id: int
    cloids: tuple[int, ...]


@frozen
class CancelOids:
    """Cancel orders by the exchange's id: leftovers of an earlier session. Signed."""

    id: int
    oids: tuple[int, ...]


@frozen
class UpdateLeverage:
    """Set leverage and margin mode of the market. Signed."""

    id: int
    leverage: int
    is_cross: bool


@frozen
class ReadOpenOrders:
    """Ask for the list of all open orders of the account in this market."""

    id: int


@frozen
class ReadAccount:
    """Ask for position, margin and account value."""

    id: int


@frozen
class ReadFills:
    """Ask for the fills since a time (ms since 1970, inclusive)."""

    id: int
    since_ms: int


@frozen
class ReadOrder:
    """Ask for the state of one order by client order id."""

    id: int
    cloid: int


SignedAction = PlaceOrders | CancelOrders | CancelOids | UpdateLeverage
ReadAction = ReadOpenOrders | ReadAccount | ReadFills | ReadOrder
Action = SignedAction | ReadAction


# Outcomes: what the exchange said of one order or cancel of an action.


@frozen
class Resting:
    """The order rests in the book."""

    oid: int


@frozen
class Filled:
    """The order was filled at once; the fills themselves arrive as `Fill`."""

    oid: int
    size: int


@frozen
class Done:
    """The cancel or setting took effect."""


@frozen
class Refused:
    """Proved refusal, with the exchange's own text."""

    text: str


@frozen
class Unclear:
    """An answer that proves nothing."""

    text: str


Outcome = Resting | Filled | Done | Refused | Unclear


# Private events: what the engine is told.


@frozen
class ActionReply:
    """The answer to a signed action: one outcome for each order or cancel, in order."""

    id: int
    outcomes: tuple[Outcome, ...]


@frozen
class ActionLost:
    """A signed action left us and no answer proves what became of it."""

    id: int
    reason: str


@frozen
class ActionDenied:
    """A signed action never left us: gate or budget refused it."""

    id: int
    reason: str


@frozen
class ReadFailed:
    """A read was not answered or its answer was unusable; asking again is sound."""

    id: int
    reason: str


@frozen
class Fill:
    """One fill of an order of the account. Unique by (exch_ns, trade_id, oid)."""

    trade_id: int
    oid: int
    cloid: int | None
    side: Side
    price: int
    size: int
    fee_usd: float  # negative is a rebate
    exch_ns: int
    start_position: int  # lots before this fill
    closed_pnl_usd: float
    is_taker: bool


@frozen
class OrderUpdate:
    """A change of state of an order of the account, as the exchange tells it."""

    oid: int
    cloid: int | None
    side: Side
    price: int
    remaining: int
    original: int
    status: str  # the exchange's own word: open, filled, canceled, ...Canceled, ...Rejected
    exch_ns: int


@frozen
class OpenOrder:
    """One entry of the exchange's list of open orders."""

    oid: int
    cloid: int | None
    side: Side
    price: int
    remaining: int
    original: int
    is_reduce_only: bool


@frozen
class OpenOrders:
    """Answer to `ReadOpenOrders`: everything of the account that rests in this market."""

    id: int
    orders: tuple[OpenOrder, ...]


@frozen
class OrderState:
    """Answer to `ReadOrder`; `order` is None when the exchange does not know the id."""

    id: int
    cloid: int
    order: OrderUpdate | None


@frozen
class AccountState:
    """Answer to `ReadAccount`. The position includes every fill up to `exch_ns`."""

    id: int
    position: int  # signed lots
    entry_price_usd: float  # 0 when flat
    account_value_usd: float
    margin_used_usd: float
    withdrawable_usd: float
    leverage: int  # 0 when the exchange does not say
    is_cross: bool
    exch_ns: int


@frozen
class Fills:
    """Answer to `ReadFills`, or (id 0) the snapshot that opens the fill stream; oldest first."""

    id: int
    fills: tuple[Fill, ...]


@frozen
class FundingPaid:
    """Funding of one hour of our position: received, or paid where negative."""

    amount_usd: float
    exch_ns: int


@frozen
class Connected:
    """Every subscription is acknowledged and has shown data."""


@frozen
class Disconnected:
    """The connection is gone; what was in flight is reported as `ActionLost` before this."""

    reason: str


@frozen
class BudgetLevel:
    """How much of the address's actions is left; told at each mark that is passed, either way."""

    remaining_fraction: float  # of all that the address may ever send, 0 to 1


@frozen
class StopRequested:
    """The operator wants out: cancel, prove, end."""

    reason: str


PrivateEvent = (
    ActionReply
    | ActionLost
    | ActionDenied
    | ReadFailed
    | Fill
    | OrderUpdate
    | OpenOrders
    | OrderState
    | AccountState
    | Fills
    | FundingPaid
    | Connected
    | Disconnected
    | BudgetLevel
    | StopRequested
)


@frozen
class Batch:
    """What one wake-up brings: market data as rows, private events as values, in arrival order.

    `rows` is a window on memory that is used again: valid until the step that gets it returns.
    """

    rows: Rows = EMPTY
    private: tuple[PrivateEvent, ...] = ()


TIMER = Batch()


class Level(IntEnum):
    """Severity of a notice; the numbers are those of `logging`."""

    TRACE = 5
    DEBUG = 10
    INFO = 20
    WARN = 30
    ERROR = 40


@frozen
class Notice:
    """A fact worth a log line: a fixed event name and fields whose names end in their units."""

    level: Level
    event: str
    fields: Mapping[str, Any] = field(factory=dict)
