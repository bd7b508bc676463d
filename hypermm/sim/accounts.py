"""Accounts: cash, positions, margin, orders, agents. Money is whole micro-USD and is conserved.

What an account owns is `cash` (its cross balance in USD after all it paid and got for positions),
the raw balance of each isolated position, and its positions at the mark. A fill moves cash by
price times size exactly; profit appears only through prices.
"""

from collections import deque
from typing import TYPE_CHECKING

from attrs import define, field

from hypermm.messages import Side
from hypermm.sim import rules
from hypermm.sim.fees import Rates
from hypermm.sim.nonces import NonceWindow
from hypermm.sim.orders import UserFill, VenueOrder
from hypermm.sim.samples import Sample, Samples

if TYPE_CHECKING:
    from hypermm.sim.listing import Listing
    from hypermm.sim.twaps import TwapRecord

NEVER_MS = 1 << 62
FILLS_KEPT = 10_000
ORDERS_KEPT = 10_000


@define
class Agent:
    """A key that signs for an account; the unnamed one has the empty name."""

    name: str
    address: str
    valid_until_ms: int

    @property
    def has_end(self) -> bool:
        """Whether its time is limited; that of one whom the venue's owner let in is not."""
        return self.valid_until_ms < NEVER_MS


@define(eq=False)
class Position:
    """Holding in one market; sizes in lots, `cost` and `raw` in micro-USD."""

    listing: "Listing"
    leverage: int
    is_cross: bool
    size: int = 0
    cost: int = 0  # what the present size was bought for, negative for a short
    raw: int = 0  # balance of an isolated position

    @property
    def value(self) -> int:
        """Size at the mark, signed."""
        return self.size * self.listing.mark_price

    @property
    def unrealized_pnl(self) -> int:
        """Gain of the present size at the mark."""
        return self.value - self.cost

    @property
    def equity(self) -> int:
        """Own funds of an isolated position."""
        return self.raw + self.value

    @property
    def maintenance_margin(self) -> int:
        """Margin below which a position is liquidated: half the initial one at full leverage."""
        return abs(self.value) // (2 * self.listing.instrument.max_leverage)

    @property
    def margin_used(self) -> int:
        """Margin that the position holds."""
        return abs(self.value) // self.leverage if self.is_cross else self.equity

    def direction(self, change: int) -> str:
        """Name a fill the way the exchange does, before it is applied."""
        before, after = self.size, self.size + change
        if before == 0 or (before > 0) == (change > 0):
            return "Open Long" if change > 0 else "Open Short"
        if after == 0 or (after > 0) == (before > 0):
            return "Close Long" if before > 0 else "Close Short"
        return "Long > Short" if before > 0 else "Short > Long"

    def trade(self, change: int, price: int) -> int:
        """Change the size at a price; return the profit that this realises."""
        before, after = self.size, self.size + change
        self.size = after
        if before == 0 or (before > 0) == (change > 0):
            self.cost += change * price
            return 0
        if after == 0 or (after > 0) == (before > 0):  # a part, or all, is closed
            closed = abs(self.cost) * abs(change) // abs(before)
            closed = closed if self.cost > 0 else -closed
            self.cost -= closed
            return -change * price - closed
        profit = before * price - self.cost
        self.cost = after * price
        return profit


@define(eq=False)
class Account:
    """One user."""

    address: str
    cash: int = 0
    volume: int = 0
    positions: dict[int, Position] = field(factory=dict)
    orders: dict[int, VenueOrder] = field(factory=dict)  # open ones by oid, oldest first
    history: dict[int, VenueOrder] = field(factory=dict)  # all by oid, oldest first
    by_cloid: dict[str, VenueOrder] = field(factory=dict)  # the latest of each
    open_lots: dict[tuple[int, Side], int] = field(factory=dict)  # that may add, by asset and side
    fills: deque[UserFill] = field(factory=lambda: deque(maxlen=FILLS_KEPT))
    twap_fills: deque[UserFill] = field(factory=lambda: deque(maxlen=FILLS_KEPT))
    twaps: deque["TwapRecord"] = field(factory=lambda: deque(maxlen=ORDERS_KEPT))
    ledger: list[tuple[int, str, int]] = field(factory=list)  # time, hash, deposited micro-USD
    agents: dict[str, Agent] = field(factory=dict)  # by name
    day_volume: dict[int, list[int]] = field(factory=dict)  # UTC day -> [taker, maker]
    samples: Samples = field(factory=Samples)
    rates: Rates | None = None  # of its fees today; None: the base
    requests: int = 0
    over_budget_ms: int = 0  # when the last request beyond the budget was let through
    scheduled_cancel_ms: int | None = None
    scheduled_cancels: tuple[int, int] = (0, 0)  # UTC day, firings on it

    # Orders

    def remember(self, order: VenueOrder) -> None:
        """Keep a record of an order, for the time when it is asked for."""
        self.history[order.oid] = order
        if order.cloid is not None:
            self.by_cloid[order.cloid] = order
        while len(self.history) > ORDERS_KEPT:
            oid = next(iter(self.history))
            oldest = self.history.pop(oid)
            if oldest.is_open:  # it outlives its turn
                self.history[oid] = oldest
            elif oldest.cloid is not None and self.by_cloid.get(oldest.cloid) is oldest:
                del self.by_cloid[oldest.cloid]

    def find(
        self, asset: int, *, oid: int | None = None, cloid: str | None = None
    ) -> VenueOrder | None:
        """Return the open order of this id in this market."""
        order = self.history.get(oid) if oid is not None else self.by_cloid.get(cloid or "")
        if order is None or not order.is_open or order.listing.asset != asset:
            return None
        return order

    def rest(self, order: VenueOrder) -> None:
        """Take up an order that rests now."""
        self.orders[order.oid] = order
        self.reserve(order, order.remaining)

    def take_off(self, order: VenueOrder) -> None:
        """Forget an order that rests or waits no longer."""
        self.orders.pop(order.oid, None)  # a child that waits for its parent is not among them
        if order.is_resting:
            self.reserve(order, -order.remaining)

    def reserve(self, order: VenueOrder, lots: int) -> None:
        """Count lots of a resting order towards the margin, or with a minus no more."""
        if not order.is_reduce_only:
            key = order.listing.asset, order.side
            self.open_lots[key] = self.open_lots.get(key, 0) + lots

    def reduce_only(self, asset: int) -> list[VenueOrder]:
        """Return the resting reduce-only orders of a market, oldest first."""
        return [
            order
            for order in self.orders.values()
            if order.is_reduce_only and order.is_resting and order.listing.asset == asset
        ]

    # Positions and margin

    def position(self, listing: "Listing") -> Position:
        """Return the position in a market, flat if there was none; it carries the leverage."""
        found = self.positions.get(listing.asset)
        if found is None:
            rule = listing.instrument
            leverage = min(rules.DEFAULT_LEVERAGE, rule.max_leverage)
            found = Position(listing, leverage, is_cross=not rule.is_isolated_only)
            self.positions[listing.asset] = found
        return found

    def trade(self, listing: "Listing", change: int, price: int) -> int:
        """Apply a fill to position and balance; return the realised profit."""
        position = self.position(listing)
        before = position.size
        if position.is_cross:
            self.cash -= change * price
            return position.trade(change, price)
        position.raw -= change * price
        equity = position.raw + position.size * price + change * price
        profit = position.trade(change, price)
        after = position.size
        if after == 0:
            self.cash += position.raw
            position.raw = 0
        elif before == 0 or (before > 0) != (after > 0):  # opened, perhaps through zero
            margin = abs(after) * price // position.leverage
            self.cash -= margin - equity
            position.raw += margin - equity
        elif abs(after) > abs(before):
            margin = abs(change) * price // position.leverage
            self.cash -= margin
            position.raw += margin
        else:
            released = max(equity, 0) * abs(change) // abs(before)
            self.cash += released
            position.raw -= released
        return profit

    @property
    def cross_value(self) -> int:
        """Cash plus cross positions at the mark."""
        return self.cash + sum(p.value for p in self.positions.values() if p.is_cross)

    @property
    def value(self) -> int:
        """All that the account owns, at the mark."""
        return self.cross_value + sum(p.equity for p in self.positions.values() if not p.is_cross)

    def margin_required(self, extra: tuple["Listing", int] | None = None) -> int:
        """Return the initial margin of cross positions and of all open orders.

        Of a market counts the largest position that its open orders can lead to. `extra` is one
        more order, its signed size.
        """
        extra_asset, change = -1, 0
        if extra is not None:
            self.position(extra[0])
            extra_asset, change = extra[0].asset, extra[1]
        required = 0
        for asset, position in self.positions.items():
            size, mark = position.size, position.listing.mark_price
            bought = self.open_lots.get((asset, Side.BUY), 0)
            sold = self.open_lots.get((asset, Side.SELL), 0)
            if asset == extra_asset:
                bought, sold = bought + max(change, 0), sold + max(-change, 0)
            most = max(abs(size), abs(size + bought), abs(size - sold))
            if not position.is_cross:  # its own margin left the cash already
                most -= abs(size)
            required += most * mark // position.leverage
        return required

    def can_place(self, listing: "Listing", change: int) -> bool:
        """Whether the margin allows one more order; what does not raise the need always passes."""
        after = self.margin_required((listing, change))
        return after <= self.cross_value or after <= self.margin_required()

    def can_hold(self, listing: "Listing", change: int) -> bool:
        """Whether the margin allows a resting order to match."""
        position = self.position(listing)
        if abs(position.size + change) <= abs(position.size):
            return True
        need = sum(p.margin_used for p in self.positions.values() if p.is_cross)
        return need + abs(change) * listing.mark_price // position.leverage <= self.cross_value

    @property
    def withdrawable(self) -> int:
        """What may leave the account."""
        notional = sum(abs(p.value) for p in self.positions.values() if p.is_cross)
        return max(self.cross_value - max(self.margin_required(), notional // 10), 0)

    @property
    def paid_in(self) -> int:
        """What came in beside trading."""
        return sum(amount for _, _, amount in self.ledger)

    def sample(self, now_ms: int) -> Sample:
        """Return what the account is worth."""
        return Sample(now_ms, self.value, self.paid_in, self.volume)

    # Requests

    @property
    def requests_cap(self) -> int:
        """Actions that the lifetime volume pays for."""
        return rules.FREE_REQUESTS + self.volume // rules.USD

    def count_volume(self, notional: int, now_ms: int, *, is_taker: bool) -> None:
        """Book traded volume."""
        self.volume += notional
        day = self.day_volume.setdefault(now_ms // rules.DAY_MS, [0, 0])
        day[0 if is_taker else 1] += notional


class Accounts:
    """All users and who signs for whom."""

    def __init__(self) -> None:
        self.by_address: dict[str, Account] = {}
        self._masters: dict[str, Account] = {}  # agent's address -> its account
        self._nonces: dict[str, NonceWindow] = {}

    def get(self, address: str) -> Account | None:
        """Return the user of an address."""
        return self.by_address.get(address.lower())

    def open(self, address: str) -> Account:
        """Return the user of an address, new if need be."""
        address = address.lower()
        return self.by_address.setdefault(address, Account(address))

    def acting(self, signer: str, now_ms: int) -> Account | None:
        """Return the account for which a signer acts; an agent does so until its time is over."""
        master = self._masters.get(signer)
        if master is None:
            return self.by_address.get(signer)
        agents = master.agents.values()
        is_valid = any(a.address == signer and now_ms < a.valid_until_ms for a in agents)
        return master if is_valid else None

    def master(self, address: str) -> Account | None:
        """Return the account whose agent this address is."""
        return self._masters.get(address.lower())

    def set_agent(self, account: Account, agent: Agent) -> None:
        """Let an agent sign; one of the same name before it may no longer."""
        self.drop_agent(account, agent.name)
        account.agents[agent.name] = agent
        self._masters[agent.address] = account

    def drop_agent(self, account: Account, name: str) -> None:
        """Take an agent's right to sign."""
        old = account.agents.pop(name, None)
        if old is not None:
            del self._masters[old.address]

    def nonces(self, signer: str) -> NonceWindow:
        """Return the nonces of a signer."""
        return self._nonces.setdefault(signer, NonceWindow())
