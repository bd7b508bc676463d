"""Accounts: orders, agents, history, and a pool of collateral for each dex."""

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from hypermm.sim import rules
from hypermm.sim.fees import Rates
from hypermm.sim.nonces import NonceWindow
from hypermm.sim.orders import UserFill, VenueOrder
from hypermm.sim.pools import Pool, Position
from hypermm.sim.rules import Rules
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


@frozen
class FundingPayment:
    """What one position paid or got for an hour."""

    time_ms: int
    coin: str
    amount: int  # micro-USD that came in; negative was paid
    size_text: str
    rate: int  # hourly, in 1e-12
    hash: str


@frozen
class LedgerUpdate:
    """Money that came or went beside trading; `delta` is what the feed says of it."""

    time_ms: int
    hash: str
    amount: int  # micro-USD that came in from outside the account; negative went out
    delta: Mapping[str, object]


@define(eq=False)
class Account:
    """One user."""

    address: str
    pools: dict[str, Pool] = field(factory=dict)  # collateral by dex
    spot_usdc: int = 0
    abstraction: str = "disabled"
    volume: int = 0
    orders: dict[int, VenueOrder] = field(factory=dict)  # open ones by oid, oldest first
    history: dict[int, VenueOrder] = field(factory=dict)  # all by oid, oldest first
    by_cloid: dict[str, VenueOrder] = field(factory=dict)  # the latest of each
    fills: deque[UserFill] = field(factory=lambda: deque(maxlen=FILLS_KEPT))
    twap_fills: deque[UserFill] = field(factory=lambda: deque(maxlen=FILLS_KEPT))
    twaps: deque["TwapRecord"] = field(factory=lambda: deque(maxlen=ORDERS_KEPT))
    ledger: list[LedgerUpdate] = field(factory=list)  # what moved money beside trading
    fundings: deque[FundingPayment] = field(factory=lambda: deque(maxlen=FILLS_KEPT))
    agents: dict[str, Agent] = field(factory=dict)  # by name
    agent_removed_ms: int = -1 << 62
    day_volume: dict[int, list[int]] = field(factory=dict)  # UTC day -> [taker, maker]
    samples: Samples = field(factory=Samples)
    rates: Rates | None = None  # of its fees today; None: the base
    master: "Account | None" = None  # of a sub-account
    sub_accounts: dict[str, str] = field(factory=dict)  # name by address
    referrer: str = ""  # address of who referred it
    referral_code: str = ""
    builder_fees: dict[str, int] = field(factory=dict)  # most, tenths of a bp, by builder
    reserved_requests: int = 0
    free_requests: int = 10_000
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
            open_lots = self.pool_of(order.listing).open_lots
            key = order.listing.asset, order.side
            open_lots[key] = open_lots.get(key, 0) + lots

    def reduce_only(self, asset: int) -> list[VenueOrder]:
        """Return the resting reduce-only orders of a market, oldest first."""
        return [
            order
            for order in self.orders.values()
            if order.is_reduce_only and order.is_resting and order.listing.asset == asset
        ]

    # Collateral

    def pool(self, dex: str = "") -> Pool:
        """Return the collateral on a dex; an account that is unified has one for all."""
        key = "" if self.is_unified else dex
        found = self.pools.get(key)
        if found is None:
            found = self.pools[key] = Pool(key)
        return found

    def pool_of(self, listing: "Listing") -> Pool:
        """Return the collateral that backs a market."""
        return self.pool(listing.instrument.dex)

    def position(self, listing: "Listing") -> Position:
        """Return the position in a market, flat if there was none; it carries the leverage."""
        return self.pool_of(listing).position(listing)

    @property
    def is_unified(self) -> bool:
        """Whether one balance backs the markets of all dexs."""
        return self.abstraction in ("unifiedAccount", "portfolioMargin")

    @property
    def value(self) -> int:
        """All that the account owns, at the marks."""
        return sum(pool.value for pool in self.pools.values()) + self.spot_usdc

    @property
    def paid_in(self) -> int:
        """What came in beside trading."""
        return sum(update.amount for update in self.ledger)

    def sample(self, now_ms: int) -> Sample:
        """Return what the account is worth."""
        return Sample(now_ms, self.value, self.spot_usdc, self.paid_in, self.volume)

    # Requests

    @property
    def requests_cap(self) -> int:
        """Actions that the lifetime volume pays for."""
        return self.free_requests + self.reserved_requests + self.volume // rules.USD

    @property
    def cancels_cap(self) -> int:
        """Actions after which not even cancels pass."""
        return min(self.requests_cap + rules.EXTRA_CANCELS, 2 * self.requests_cap)

    def count_volume(self, notional: int, now_ms: int, *, is_taker: bool) -> None:
        """Book traded volume."""
        self.volume += notional
        day = self.day_volume.setdefault(now_ms // rules.DAY_MS, [0, 0])
        day[0 if is_taker else 1] += notional


class Accounts:
    """All users and who signs for whom."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.by_address: dict[str, Account] = {}
        self.by_code: dict[str, Account] = {}  # referrers by their code
        self._masters: dict[str, Account] = {}  # agent's address -> its account
        self._nonces: dict[str, NonceWindow] = {}
        self.scheduled: dict[str, Account] = {}  # who has set the dead man's switch, by address

    def get(self, address: str) -> Account | None:
        """Return the user of an address."""
        return self.by_address.get(address.lower())

    def open(self, address: str) -> Account:
        """Return the user of an address, new if need be."""
        address = address.lower()
        account = Account(address, free_requests=self._rules.free_requests)
        return self.by_address.setdefault(address, account)

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
        return self._nonces.setdefault(signer, NonceWindow(self._rules.nonces_kept))
