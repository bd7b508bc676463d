"""The engine's frozen picture."""

from attrs import frozen

from hypermm.engine.audit import Comparison
from hypermm.engine.modes import Mode
from hypermm.estimators import Channel, Estimate, Estimates, Queue, WarmUp
from hypermm.ledger import DayFigures, LedgerFigures
from hypermm.markouts import Markout
from hypermm.orders import OwnOrder
from hypermm.quoting import Caution
from hypermm.risk import Latch, Reading


@frozen
class Counters:
    """Counts since the start."""

    steps: int
    buys: int
    sells: int
    foreign_fills: int
    orders_placed: int
    orders_canceled: int
    orders_refused: int
    orders_denied: int
    orders_unknown: int
    rate_limit_errors: int
    disconnects: int


@frozen(kw_only=True)
class Snapshot:
    """A frozen picture for metrics, status and tests. Prices are price units, sizes lots."""

    mode: Mode
    now_ns: int
    is_connected: bool
    is_synced: bool
    is_warm: bool
    position: int
    position_limit: int
    order_lots: int
    bid_exposure: int  # everything that may still buy, and sell
    ask_exposure: int
    ledger: LedgerFigures
    day: DayFigures | None
    estimates: Estimates
    bids: tuple[tuple[int, int], ...]  # the ladder last decided: (price, size), nearest first
    asks: tuple[tuple[int, int], ...]
    orders: tuple[OwnOrder, ...]  # everything of ours that may be live
    counters: Counters
    refusals: dict[str, int]
    markouts: tuple[Markout, ...]
    leverage: int
    latch: Latch | None
    stop_reason: str
    start_error: str  # why nothing could ever be quoted; empty if something could
    is_proved: bool  # once stopped: whether the exchange's list shows none of ours
    warm_up: WarmUp
    report: dict[str, Estimate]  # each estimate with its error, size, age and state
    queues: tuple[Queue, ...]  # of what rests of ours
    channels: dict[str, Channel]  # health of the market data
    audit: dict[str, Comparison]  # comparisons with the exchange, and differences found
    quality: dict[str, int]  # market data left out of the estimates, by kind
    caution: Caution  # what scaled the last decision
    risks: tuple[Reading, ...]  # every figure with its limit; empty before the first step
