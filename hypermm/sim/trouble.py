"""What the fault world is made of: the faults with their rates, a restless market, a stranger.

All of it is cheap, so that a tick of 100 ms costs little. Each actor draws from a generator of its
own, so that what one does never shifts what another draws.
"""

from collections.abc import Mapping
from enum import Enum
from random import Random
from typing import Final

from hypermm._core.rows import EMPTY, FIRST, LAST, LEVEL, TRADE, Rows
from hypermm.hyperliquid.actions import (
    GTC,
    IOC,
    CancelAction,
    CancelWire,
    OrderAction,
    OrderType,
    OrderWire,
)
from hypermm.instrument import Instrument
from hypermm.sim.exchange import Exchange

TICK_MS: Final = 100
TICK_NS: Final = TICK_MS * 1_000_000
LEVELS: Final = 5
SWEEP_TICKS_MAX: Final = 30
ROWS_PER_STEP: Final = 2 * LEVELS + 2
DAY_VOLUME_LOTS: Final = 60_000_000
START_PRICE: Final = 1_000_000  # 100 USD in units of 1e-4
INSTRUMENT: Final = Instrument(coin="TST", asset_id=0, size_decimals=2, max_leverage=10)
STRANGER_ORDERS_MAX: Final = 5


class Fault(Enum):
    """What can go wrong."""

    DATA_DELAY = "market data late, and so out of order"
    DATA_DROP = "market data lost"
    DATA_REPEAT = "market data twice"
    BAD_BOOK = "a side of the book, or both, empty for a while"
    SPIKE = "the whole book far away for a while"
    USER_DELAY = "fills and order updates late, and so out of order"
    USER_DROP = "fills and order updates lost"
    USER_REPEAT = "fills and order updates twice"
    USER_MUTE = "the user stream silent, as after a lost subscription"
    DATA_MUTE = "market data silent, as after a lost subscription"
    REPLY_DELAY = "replies late, some after they are given up"
    REPLY_LOST = "replies lost after the effect"
    REQUEST_DELAY = "requests land late"
    REQUEST_LOST = "requests lost before the effect"
    HTTP_BURST = "429 and 5xx, before or after the effect"
    DISCONNECT = "the connection breaks with everything in flight"
    STALL = "the exchange makes no blocks, then all of them at once"
    RESTART = "our process dies and starts again"
    STOP = "an operator stops our process, and starts it again"
    SMALL_LOSS_LIMIT = "the loss limit is near, so that kills happen"
    STRANGER_ORDERS = "somebody else's orders rest on the account"
    STRANGER_TRADES = "somebody else trades on the account"


# Rates are drawn log-uniformly: per message for what happens to messages, else per tick.
RATES: Final[Mapping[Fault, tuple[float, float]]] = {
    Fault.DATA_DELAY: (0.01, 0.3),
    Fault.DATA_DROP: (0.01, 0.3),
    Fault.DATA_REPEAT: (0.01, 0.3),
    Fault.BAD_BOOK: (0.001, 0.02),
    Fault.SPIKE: (0.001, 0.005),
    Fault.USER_DELAY: (0.01, 0.5),
    Fault.USER_DROP: (0.003, 0.1),
    Fault.USER_REPEAT: (0.01, 0.5),
    Fault.USER_MUTE: (0.001, 0.01),
    Fault.DATA_MUTE: (0.001, 0.01),
    Fault.REPLY_DELAY: (0.01, 0.5),
    Fault.REPLY_LOST: (0.003, 0.1),
    Fault.REQUEST_DELAY: (0.01, 0.3),
    Fault.REQUEST_LOST: (0.003, 0.1),
    Fault.HTTP_BURST: (0.001, 0.01),
    Fault.DISCONNECT: (0.001, 0.02),
    Fault.STALL: (0.001, 0.01),
    Fault.RESTART: (0.001, 0.004),
    Fault.STOP: (0.001, 0.004),
    Fault.SMALL_LOSS_LIMIT: (1.0, 1.0),
    Fault.STRANGER_ORDERS: (0.01, 0.1),
    Fault.STRANGER_TRADES: (0.003, 0.03),
}
# These change what a safe engine may do at all, so they are rarer than the others.
RARE: Final = frozenset({Fault.RESTART, Fault.STOP, Fault.SMALL_LOSS_LIMIT, Fault.STRANGER_TRADES})
RARE_FRACTION: Final = 0.25


def generator(seed: int) -> Random:
    """Return a source of numbers that a seed repeats: the opposite of a secret."""
    return Random(seed)  # noqa: S311


def draw_rates(random: Random) -> dict[Fault, float]:
    """Draw which faults are on, and how often each strikes; one world in three has them all."""
    has_all = random.random() < 1.0 / 3.0
    share = random.random()
    rates: dict[Fault, float] = {}
    for fault, (low, high) in RATES.items():
        chance = RARE_FRACTION if fault in RARE else 1.0 if has_all else share
        is_on = random.random() < chance
        rate = low * (high / low) ** random.random()
        if is_on:
            rates[fault] = rate
    return rates


class RestlessMarket:
    """An outside market that trends, jumps and trades, so that positions run into their limit.

    Parameters
    ----------
    random : Random
        Where its moves come from.
    """

    def __init__(self, random: Random) -> None:
        self.instrument = INSTRUMENT
        self.snapshot_trades = EMPTY
        self.day_volume_lots = DAY_VOLUME_LOTS
        self.is_over = False
        self.is_still = False  # no row any more, until it is unset
        self.rates: Mapping[Fault, float] = {}
        self._random = random
        self._mid = START_PRICE
        self._drift = 0.0
        self._next_ns = 0
        self._trade_id = 0
        self._bad_until_ns = -1
        self._sides: tuple[int, ...] = (1, -1)  # sides of the book that are shown
        self._shift = 0  # ticks by which the whole book is displaced

    @property
    def mid(self) -> int:
        """Middle of the undisturbed book."""
        return self._mid

    def rows_until(self, t_ns: int) -> Rows:
        """Return the events of every tick up to `t_ns`."""
        steps = max((t_ns - self._next_ns) // TICK_NS + 1, 0)
        if steps == 0:
            return EMPTY
        rows = Rows.allocate(steps * ROWS_PER_STEP)
        for _ in range(steps):
            if not self.is_still:
                self._step(rows, self._next_ns)
            self._next_ns += TICK_NS
        return rows

    def _step(self, rows: Rows, stamp_ns: int) -> None:
        random = self._random
        if random.random() < 0.01:
            self._drift = random.uniform(-0.5, 0.5)
        moved = 0
        if random.random() < 0.5:
            moved = self._taker_side()
        if random.random() < 0.003:
            moved = random.randint(-30, 30)
        self._mid += moved * INSTRUMENT.step_at(self._mid)
        self._draw_faults(stamp_ns)
        if moved:
            self._trade(rows, stamp_ns, 1 if moved > 0 else -1, 0)
        if random.random() < 0.4:
            through = min(int(random.expovariate(0.2)), SWEEP_TICKS_MAX)
            self._trade(rows, stamp_ns, self._taker_side(), through)
        self._show(rows, stamp_ns)

    def _taker_side(self) -> int:
        """Draw who takes: in a trend mostly one side, so that makers run into their limit."""
        return 1 if self._random.random() < 0.5 + self._drift else -1

    def _draw_faults(self, stamp_ns: int) -> None:
        random = self._random
        if stamp_ns > self._bad_until_ns:
            self._sides, self._shift = (1, -1), 0
        if random.random() < self.rates.get(Fault.BAD_BOOK, 0.0):
            self._sides = random.choice(((1,), (-1,), ()))
            self._bad_until_ns = stamp_ns + int(random.uniform(0.1, 2.0) * 1e9)
        if random.random() < self.rates.get(Fault.SPIKE, 0.0):
            self._shift = random.choice((-1, 1)) * random.randint(600, 3_000)
            self._bad_until_ns = stamp_ns + int(random.uniform(0.1, 0.6) * 1e9)

    def _show(self, rows: Rows, stamp_ns: int) -> None:
        """Add a book frame: the best level of each side stands one tick from the middle."""
        first = len(rows)
        tick = INSTRUMENT.step_at(self._mid)
        middle = self._mid + self._shift * tick
        middle -= middle % INSTRUMENT.step_at(middle)
        tick = INSTRUMENT.step_at(middle)
        count = len(self._sides) * LEVELS
        for side in self._sides:
            for index in range(LEVELS):
                place = len(rows) - first
                rows.append(
                    kind=LEVEL,
                    side=side,
                    exch_ns=stamp_ns,
                    price=middle - side * tick * (index + 1),
                    size=self._random.randint(20, 400),
                    count=1 + index,
                    index=index,
                    flags=FIRST * (place == 0) | LAST * (place == count - 1),
                )
        if count == 0:
            rows.append(kind=LEVEL, side=1, exch_ns=stamp_ns, flags=FIRST | LAST)

    def _trade(self, rows: Rows, stamp_ns: int, side: int, ticks_through: int) -> None:
        self._trade_id += 1
        rows.append(
            kind=TRADE,
            side=side,
            exch_ns=stamp_ns,
            price=self._mid + side * INSTRUMENT.step_at(self._mid) * (1 + ticks_through),
            size=self._random.randint(1, 300),
            id=self._trade_id,
            flags=FIRST | LAST,
        )


class Stranger:
    """Somebody else who uses the same account: rests orders far away, or trades at the touch.

    Parameters
    ----------
    exchange : Exchange
        Where it acts, with the account's own key and without any latency.
    account : str
        Whose account it is.
    random : Random
        Where its decisions come from.
    """

    def __init__(self, exchange: Exchange, account: str, random: Random) -> None:
        self.rates: Mapping[Fault, float] = {}
        self.cancelled: set[int] = set()
        self._exchange = exchange
        self._account = account
        self._random = random
        self._nonce = 0

    def act(self, mid: int, resting: list[int]) -> None:
        """Perhaps place, cancel or trade; `resting` are the oids of its orders."""
        random = self._random
        if random.random() < self.rates.get(Fault.STRANGER_ORDERS, 0.0):
            if len(resting) >= STRANGER_ORDERS_MAX or (resting and random.random() < 0.3):
                oid = random.choice(resting)
                self.cancelled.add(oid)
                self._submit(CancelAction([CancelWire(INSTRUMENT.asset_id, oid)]))
            else:
                self._order(random.choice((-1, 1)), mid, random.uniform(0.05, 0.3), GTC)
        if random.random() < self.rates.get(Fault.STRANGER_TRADES, 0.0):
            self._order(random.choice((-1, 1)), mid, -0.01, IOC)

    def _order(self, side: int, mid: int, away: float, kind: OrderType) -> None:
        price = INSTRUMENT.floor_price(int(mid * (1.0 - side * away)))
        size = self._random.randint(20, 60)
        wire = OrderWire(
            INSTRUMENT.asset_id,
            side > 0,
            INSTRUMENT.print_price(price),
            INSTRUMENT.print_size(size),
            False,
            kind,
        )
        self._submit(OrderAction([wire]))

    def _submit(self, action: OrderAction | CancelAction) -> None:
        self._nonce = max(self._nonce + 1, self._exchange.now_ms)
        self._exchange.submit(self._account, action, self._nonce)
