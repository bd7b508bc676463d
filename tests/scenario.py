"""A small scripted venue for tests of the engine by events: it does what it is told, when told.

Time is a number and everything is in one process. `run` lets the world go on by itself: the market
stands still, every action takes effect at once and is answered one tick later. A test switches
that off piece by piece (`mute`, `lose`) or hands events to `step` by itself.
"""

import random
from collections.abc import Callable, Iterable

from attrs import define, evolve

from hypermm._core.rows import (
    CONTEXT,
    DAY_VOLUME,
    FIRST,
    FORCED,
    LAST,
    LEVEL,
    MARK,
    ORACLE,
    QUOTE,
    TRADE,
    Rows,
)
from hypermm.config import Config, load
from hypermm.engine import Engine, Mode
from hypermm.instrument import Instrument
from hypermm.messages import (
    AccountState,
    Action,
    ActionLost,
    ActionReply,
    Batch,
    CancelOids,
    CancelOrders,
    Connected,
    Disconnected,
    Done,
    Fill,
    Fills,
    Notice,
    OpenOrder,
    OpenOrders,
    Order,
    OrderState,
    OrderUpdate,
    PlaceOrders,
    PrivateEvent,
    ReadAccount,
    ReadFailed,
    ReadFills,
    ReadOpenOrders,
    ReadOrder,
    Refused,
    Resting,
    Side,
    UpdateLeverage,
)

MS = 10**6
SEC = 10**9
START_NS = 1_757_000_000 * SEC  # the venue's clock when ours shows 0
ACCOUNT = "0x" + "ab" * 20
# One lot of 1e-5 BTC at 100,000.0 is worth 1 USD; a price unit is 0.1 USD; allowed step 1 USD.
BTC = Instrument(coin="BTC", asset_id=0, size_decimals=5, max_leverage=40)
MID = 1_000_000
GONE = "Order was never placed, already canceled, or filled. asset=0"


def settings(**values: object) -> Config:
    """Make a configuration; names are dotted paths with `__` for the dot."""
    return load(None, {name.replace("__", "."): value for name, value in values.items()})


def quotes(exch_ns: int, bid: int, ask: int, size: int = 1_000) -> Rows:
    """Make the two rows of a best quote; a price of 0 is an empty side."""
    rows = Rows.allocate(2)
    add_quotes(rows, exch_ns, bid, ask, size)
    return rows


def add_quotes(rows: Rows, exch_ns: int, bid: int, ask: int, size: int = 1_000) -> None:
    """Append a best quote."""
    rows.append(
        kind=QUOTE, side=1, exch_ns=exch_ns, price=bid, size=size if bid else 0, flags=FIRST
    )
    rows.append(
        kind=QUOTE, side=-1, exch_ns=exch_ns, price=ask, size=size if ask else 0, flags=LAST
    )


def add_book(rows: Rows, exch_ns: int, mid: int, levels: int = 20, size: int = 1_000) -> None:
    """Append a full book frame, levels 10 price units apart."""
    for side in (1, -1):
        for i in range(levels):
            flags = FIRST * (side > 0 and i == 0) | LAST * (side < 0 and i == levels - 1)
            price = mid - side * (10 + 10 * i)
            rows.append(
                kind=LEVEL, side=side, exch_ns=exch_ns, price=price, size=size, index=i, flags=flags
            )


def add_context(rows: Rows, price: int) -> None:
    """Append mark, oracle and a day's volume of which one trade of `warm` is a volume tick."""
    usd_e12 = price * 10 ** (12 - BTC.price_decimals)
    rows.append(kind=CONTEXT, index=MARK, price=usd_e12, flags=FIRST)
    rows.append(kind=CONTEXT, index=ORACLE, price=usd_e12)
    rows.append(kind=CONTEXT, index=DAY_VOLUME, size=2_000 * 720 * 1_440, flags=LAST)


def add_trade(rows: Rows, exch_ns: int, side: int, price: int, size: int, trade_id: int) -> None:
    """Append somebody's trade."""
    rows.append(
        kind=TRADE,
        side=side,
        exch_ns=exch_ns,
        price=price,
        size=size,
        id=trade_id,
        flags=FIRST | LAST,
    )


@define
class Landed:
    """An order on the scripted venue."""

    order: Order
    oid: int
    remaining: int
    status: str = "open"


class Scenario:
    """An engine and its scripted venue."""

    def __init__(
        self,
        config: Config | None = None,
        *,
        position: int = 0,
        account_usd: float = 10_000.0,
        **engine: object,
    ) -> None:
        self.config = config if config is not None else settings()
        self.engine = Engine(
            self.config,
            BTC,
            account=ACCOUNT,
            **{"session_start_secs": START_NS // SEC, **engine},  # type: ignore[arg-type]
        )
        self.now_ns = 0
        self.mid = MID
        self.half_spread = 10
        self.is_market_on = True
        self.position = position
        self.account_usd = account_usd
        self.leverage = 20
        self.orders: dict[int, Landed] = {}  # by cloid, everything that ever landed
        self.foreign: list[OpenOrder] = []
        self.fills: list[Fill] = []
        self.pending: list[PrivateEvent] = []
        self.sent: list[Action] = []
        self.notices: list[Notice] = []
        self.is_dark = False  # for the test's own use
        self.live_before_restart: list[Landed] = []
        self.next_oid = 1_000
        self.next_trade = 1
        # What the venue does with an action instead of the usual; None falls back to that.
        self.answer: Callable[[Action], list[PrivateEvent] | None] = lambda _: None
        self.after_step: Callable[[], None] = lambda: None

    @property
    def exch_ns(self) -> int:
        """The venue's clock."""
        return START_NS + self.now_ns

    @property
    def live(self) -> dict[int, Landed]:
        """What rests on the venue."""
        return {cloid: order for cloid, order in self.orders.items() if order.status == "open"}

    def side(self, side: Side) -> list[Landed]:
        """What rests on one side, nearest first."""
        found = [order for order in self.live.values() if order.order.side is side]
        return sorted(found, key=lambda order: -side * order.order.price)

    def events(self) -> list[str]:
        """Names of the notices so far."""
        return [notice.event for notice in self.notices]

    # Driving it.

    def step(
        self, *events: PrivateEvent, rows: Rows | None = None, after_ns: int = 0
    ) -> tuple[Action, ...]:
        """Step the engine once; what it wants is recorded and not carried out."""
        self.now_ns += after_ns
        batch = Batch(rows, events) if rows is not None else Batch(private=events)
        actions = self.engine.step(batch, self.now_ns)
        self.sent += actions
        self.notices += self.engine.take_notices()
        self.after_step()
        return actions

    def tick(self, after_ns: int = 50 * MS) -> tuple[Action, ...]:
        """One step of the running world."""
        self.now_ns += after_ns
        events, self.pending = tuple(self.pending), []
        rows = None
        if self.is_market_on:
            rows = quotes(self.exch_ns, self.mid - self.half_spread, self.mid + self.half_spread)
        actions = self.step(*events, rows=rows)
        for action in actions:
            answer = self.answer(action)
            self.pending += self.perform(action) if answer is None else answer
        return actions

    def run(self, secs: float, *, until: Mode | None = None) -> None:
        """Let the world go on, at most for a while."""
        end_ns = self.now_ns + int(secs * SEC)
        while self.now_ns < end_ns and (until is None or self.engine.mode is not until):
            self.tick()

    def connect(self) -> None:
        """Connect, with market data."""
        self.pending += [Fills(0, ()), Connected()]

    def warm(self, trades: int = 60) -> None:
        """Let enough trades happen."""
        for i in range(trades):
            rows = Rows.allocate(8)
            add_context(rows, self.mid)
            self.now_ns += 100 * MS
            add_quotes(rows, self.exch_ns, self.mid - self.half_spread, self.mid + self.half_spread)
            side = 1 if i % 2 else -1
            price = self.mid + side * self.half_spread
            add_trade(rows, self.exch_ns, side, price, 2_000 + 100 * (i % 7), i + 1)
            events, self.pending = tuple(self.pending), []
            for action in self.step(*events, rows=rows):
                answer = self.answer(action)
                self.pending += self.perform(action) if answer is None else answer

    def trade(self, after_ns: int, side: int, *, beyond: int = 0, is_forced: bool = False) -> None:
        """One aggressive order, up to so far beyond the touch, and what follows from it."""
        rows = Rows.allocate(3)
        self.now_ns += after_ns
        add_quotes(rows, self.exch_ns, self.mid - self.half_spread, self.mid + self.half_spread)
        self.next_trade += 1
        rows.append(
            kind=TRADE,
            side=side,
            exch_ns=self.exch_ns,
            price=self.mid + side * (self.half_spread + beyond),
            size=200,
            id=10_000 + self.next_trade,
            flags=FIRST | LAST | FORCED * is_forced,
        )
        events, self.pending = tuple(self.pending), []
        for action in self.step(*events, rows=rows):
            answer = self.answer(action)
            self.pending += self.perform(action) if answer is None else answer

    def calm(self) -> "Scenario":
        """Let half an hour of ordinary flow pass, and its last trades be forgotten."""
        draw = random.Random(1)
        while self.now_ns < 2_000 * SEC:
            after_ms = 50 + int(draw.expovariate(1e-3)) % 4_000
            beyond = int(draw.expovariate(1.0 / 300.0))  # price units: 3 bps
            self.trade(after_ms * MS, draw.choice((1, -1)), beyond=beyond)
        self.run(24.0)
        return self

    def sell_forced(self, orders: int, sold: int = 0) -> None:
        """Let somebody sell who has to, faster with each order sold."""
        for i in range(sold, sold + orders):
            self.trade(int(400 / (1 + i / 6)) * MS, -1, is_forced=True)

    def quote(self) -> "Scenario":
        """Bring it to quoting, with every order acknowledged."""
        self.connect()
        self.run(1.0)
        self.warm()
        self.run(2.0)
        assert self.engine.mode is Mode.QUOTING, (self.engine.mode, self.events())
        return self

    def quote_reducing(self) -> "Scenario":
        """Bring it to where only the reducing side is quoted."""
        self.connect()
        self.run(1.0)
        self.warm()
        self.run(2.0)
        assert self.engine.mode is Mode.REDUCING, (self.engine.mode, self.events())
        return self

    def restart(self, **engine: object) -> "Scenario":
        """Kill the engine and start another on the same account; the venue stays."""
        again = Scenario(self.config, **{"session_start_secs": self.exch_ns // SEC, **engine})
        for name in ("now_ns", "mid", "position", "account_usd", "leverage", "orders", "fills"):
            setattr(again, name, getattr(self, name))
        again.next_oid, again.next_trade = self.next_oid, self.next_trade
        self.live_before_restart = list(self.live.values())
        return again

    # What the venue does.

    def perform(self, action: Action) -> list[PrivateEvent]:
        """Carry out an action at once; return what the venue tells, in its order."""
        match action:
            case PlaceOrders(action_id, orders):
                outcomes, updates = [], []
                for order in orders:
                    landed = self.land(order)
                    outcomes.append(Resting(landed.oid))
                    updates.append(self.update(landed))
                return [*updates, ActionReply(action_id, tuple(outcomes))]
            case CancelOrders(action_id, cloids):
                return self._cancel(action_id, [self.orders.get(cloid) for cloid in cloids])
            case CancelOids(action_id, oids):
                by_oid = {order.oid: order for order in self.orders.values()}
                known = [by_oid.get(oid) for oid in oids]
                self.foreign = [order for order in self.foreign if order.oid not in oids]
                return self._cancel(action_id, known)
            case UpdateLeverage(action_id, leverage, _):
                self.leverage = leverage
                return [ActionReply(action_id, (Done(),))]
            case ReadOpenOrders(read_id):
                return [OpenOrders(read_id, self.open_orders())]
            case ReadAccount(read_id):
                return [self.account(read_id)]
            case ReadFills(read_id, since_ms):
                since = [fill for fill in self.fills if fill.exch_ns >= since_ms * MS]
                return [Fills(read_id, tuple(since))]
            case ReadOrder(read_id, cloid):
                order = self.orders.get(cloid)
                return [OrderState(read_id, cloid, None if order is None else self.update(order))]

    def lose(self, action: Action, *, has_effect: bool) -> list[PrivateEvent]:
        """Lose the answer to an action, with or without its effect."""
        told: list[PrivateEvent] = []
        if has_effect:
            told = [e for e in self.perform(action) if isinstance(e, Fill | OrderUpdate)]
        match action:
            case ReadOpenOrders() | ReadAccount() | ReadFills() | ReadOrder():
                return [ReadFailed(action.id, "timeout")]
            case _:
                return [*told, ActionLost(action.id, "timeout")]

    def cut(self) -> None:
        """Break the connection."""
        self.pending.append(Disconnected("reset"))
        self.is_market_on = False

    def reconnect(self) -> None:
        """Restore it."""
        self.is_market_on = True
        self.connect()

    def land(self, order: Order) -> Landed:
        """Let an order rest."""
        self.next_oid += 1
        landed = Landed(order, self.next_oid, order.size)
        self.orders[order.cloid] = landed
        return landed

    def update(self, landed: Landed) -> OrderUpdate:
        """Tell the state of an order as the order stream does."""
        order = landed.order
        return OrderUpdate(
            oid=landed.oid,
            cloid=order.cloid,
            side=order.side,
            price=order.price,
            remaining=landed.remaining,
            original=order.size,
            status=landed.status,
            exch_ns=self.exch_ns,
        )

    def fill(self, landed: Landed, size: int) -> list[PrivateEvent]:
        """Fill an order; return what the streams tell."""
        size = min(size, landed.remaining)
        landed.remaining -= size
        order = landed.order
        fill = Fill(
            trade_id=self.next_trade,
            oid=landed.oid,
            cloid=order.cloid,
            side=order.side,
            price=order.price,
            size=size,
            fee_usd=round(order.price * size * 1e-6 * 1.5e-4, 6),
            exch_ns=self.exch_ns,
            start_position=self.position,
            closed_pnl_usd=0.0,
            is_taker=False,
        )
        self.next_trade += 1
        self.fills.append(fill)
        self.position += order.side * size
        if landed.remaining:
            return [fill]
        landed.status = "filled"
        return [fill, self.update(landed)]

    def end(self, landed: Landed, status: str) -> OrderUpdate:
        """End an order by the exchange's own hand."""
        landed.status = status
        return self.update(landed)

    def account(self, read_id: int) -> AccountState:
        """Tell the account."""
        return AccountState(
            id=read_id,
            position=self.position,
            entry_price_usd=0.0,
            account_value_usd=self.account_usd,
            margin_used_usd=0.0,
            withdrawable_usd=self.account_usd,
            leverage=self.leverage,
            is_cross=True,
            exch_ns=self.exch_ns,
        )

    def open_orders(self) -> tuple[OpenOrder, ...]:
        """Tell what rests."""
        own = [
            OpenOrder(
                oid=landed.oid,
                cloid=landed.order.cloid,
                side=landed.order.side,
                price=landed.order.price,
                remaining=landed.remaining,
                original=landed.order.size,
                is_reduce_only=landed.order.is_reduce_only,
            )
            for landed in self.live.values()
        ]
        return (*own, *self.foreign)

    def _cancel(self, action_id: int, wanted: Iterable[Landed | None]) -> list[PrivateEvent]:
        outcomes: list[Done | Refused] = []
        updates = []
        for landed in wanted:
            if landed is None or landed.status != "open":
                outcomes.append(Refused(GONE))
                continue
            landed.status = "canceled"
            updates.append(self.update(landed))
            outcomes.append(Done())
        return [ActionReply(action_id, tuple(outcomes)), *updates]


def placed(actions: Iterable[Action]) -> list[Order]:
    """All orders of all placements."""
    return [o for action in actions if isinstance(action, PlaceOrders) for o in action.orders]


def moved(fill: Fill, **changes: object) -> Fill:
    """Make a fill that differs."""
    return evolve(fill, **changes)
