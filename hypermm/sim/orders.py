"""Records of the venue: orders, fills, trades, and the numbers that name them."""

from hashlib import blake2b
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from hypermm.hyperliquid.actions import Builder
from hypermm.messages import Side

if TYPE_CHECKING:
    from hypermm.sim.accounts import Account, FundingPayment, LedgerUpdate
    from hypermm.sim.listing import Listing
    from hypermm.sim.twaps import Twap, TwapRecord

NO_SLOT = -1  # of an order that stands in no book
FIRST_OID = 570_000_000_000
NO_HASH = "0x" + 64 * "0"  # of what no user's action caused directly
OUTSIDE = (
    "0x1d5c9c0a6f3e0b7d2a48e1f05b6c7d8e9f0a1b2c",
    "0x8e7f6a5b4c3d2e1f00112233445566778899aabb",
)  # who trades in the market's own flow: the taker and the maker


@frozen
class Threshold:
    """A price, and on which side of it the mark has to be."""

    price: int
    is_above: bool  # at and above it, else at and below

    def is_met(self, mark: int) -> bool:
        """Whether the mark is there; no mark is nowhere."""
        return mark > 0 and (mark >= self.price if self.is_above else mark <= self.price)


@frozen
class Trigger(Threshold):
    """When a stop or take-profit order wakes, and as what."""

    is_market: bool
    is_take_profit: bool

    @property
    def name(self) -> str:
        """The kind of order, as the exchange calls it."""
        kind = "Take Profit" if self.is_take_profit else "Stop"
        return f"{kind} {'Market' if self.is_market else 'Limit'}"


@frozen
class Liquidation:
    """What a fill says if it took part in somebody's liquidation."""

    user: str
    mark_price: int
    method: str  # "market" or "backstop"


@define(eq=False)
class VenueOrder:
    """An order from its placement to its end, and after that for those who ask.

    It rests in the book, or waits: for its trigger, or as a child for the fill of its parent.
    """

    oid: int
    account: "Account"
    listing: "Listing"
    side: Side
    price: int
    original: int
    remaining: int
    tif: str | None  # None of a trigger order
    is_reduce_only: bool
    cloid: str | None
    placed_ms: int
    status: str = "open"
    status_ms: int = 0
    slot: int = NO_SLOT  # its place in the matching book
    trigger: Trigger | None = None
    is_position_tpsl: bool = False
    children: tuple["VenueOrder", ...] = ()  # take-profit and stop that its fill places
    siblings: tuple["VenueOrder", ...] = ()  # those that its own fill cancels
    builder: Builder | None = None
    twap: "Twap | None" = None  # whose slice it is
    liquidation: Liquidation | None = None  # that it carries out

    @property
    def is_open(self) -> bool:
        """Whether it rests or waits."""
        return self.status == "open"

    @property
    def is_resting(self) -> bool:
        """Whether it stands in the book."""
        return self.slot != NO_SLOT

    @property
    def order_type(self) -> str:
        """The kind of order, as the exchange calls it."""
        if self.twap is not None:
            return "Twap Slice"
        if self.trigger is not None:
            return self.trigger.name
        return "Market" if self.tif == "FrontendMarket" else "Limit"

    @property
    def filled(self) -> int:
        """Lots filled so far."""
        return self.original - self.remaining


@frozen
class OrderUpdate:
    """What became of an order, as its owner is told; the order itself goes on changing."""

    order: VenueOrder
    status: str
    remaining: int
    time_ms: int


@frozen
class Trade:
    """One fill as the public sees it; `side` is the aggressor's."""

    side: Side
    price: int
    size: int
    time_ms: int
    tid: int
    hash: str
    buyer: str
    seller: str


@frozen
class UserFill:
    """One fill as its owner sees it; money in micro-USD."""

    listing: "Listing"
    oid: int
    cloid: str | None
    side: Side
    price: int
    size: int
    time_ms: int
    start_position: int
    direction: str
    closed_pnl: int
    hash: str
    is_taker: bool
    fee: int
    tid: int
    builder_fee: int = 0  # the part of the fee that is the builder's
    twap_id: int | None = None
    liquidation: Liquidation | None = None


@define
class UserNews:
    """What one user is told of one block, in order."""

    updates: list[OrderUpdate] = field(factory=list)
    fills: list[UserFill] = field(factory=list)
    cancels: list[VenueOrder] = field(factory=list)  # those that the user did not ask for
    twap_fills: list[UserFill] = field(factory=list)
    twaps: list["TwapRecord"] = field(factory=list)
    fundings: list["FundingPayment"] = field(factory=list)
    ledger: list["LedgerUpdate"] = field(factory=list)
    liquidations: list[dict[str, object]] = field(factory=list)  # as `userEvents` tells them


class Ids:
    """Numbers that depend on the seed and on how many were drawn before, on nothing else."""

    def __init__(self, seed: int) -> None:
        self._prefix = blake2b(str(seed).encode(), digest_size=16).digest()
        self._drawn = 0
        self._oid = FIRST_OID
        self._twap = 0

    def _draw(self, size: int) -> bytes:
        self._drawn += 1
        return blake2b(self._drawn.to_bytes(8, "big"), digest_size=size, key=self._prefix).digest()

    def oid(self) -> int:
        """Return the next order id."""
        self._oid += 1
        return self._oid

    def twap(self) -> int:
        """Return the next id of a TWAP."""
        self._twap += 1
        return self._twap

    def per_million(self) -> int:
        """Return a number from 0 to 999,999."""
        return int.from_bytes(self._draw(8), "big") % 1_000_000

    def tid(self) -> int:
        """Return a trade id of 50 bits."""
        return int.from_bytes(self._draw(8), "big") >> 14

    def hash(self) -> str:
        """Return the hash of an action."""
        return "0x" + self._draw(32).hex()
