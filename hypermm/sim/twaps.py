"""TWAPs: a size traded in slices, one every 30 seconds, each within 3 % of the mark.

A slice aims at the share of the size that the time so far calls for; what earlier slices missed is
made up for, by at most three slices' worth at a time. No taking order stands behind a slice, so
its fills carry no hash, and they are told apart from all others.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from attrs import define, frozen

from hypermm.errors import WireError
from hypermm.hyperliquid.actions import TwapOrderAction
from hypermm.messages import Side
from hypermm.sim import checks, refusals
from hypermm.sim import rules as numbers
from hypermm.sim.accounts import Account
from hypermm.sim.listing import Listing
from hypermm.sim.orders import NO_HASH, Threshold, VenueOrder
from hypermm.sim.rules import MILLION, USD, Rules
from hypermm.sim.tickets import StaticRefusalError

if TYPE_CHECKING:
    from hypermm.sim.desk import Desk

SLICES_A_MINUTE = 60_000 // numbers.TWAP_SLICE_MS


@define(eq=False)
class Twap:
    """A TWAP from its start to its end; sizes in lots, money in micro-USD."""

    id: int
    account: Account
    listing: Listing
    side: Side
    size: int
    minutes: int
    is_reduce_only: bool
    is_randomized: bool
    start_ms: int
    begin: Threshold | None  # None: it runs
    stop: Threshold | None
    executed: int = 0
    executed_notional: int = 0
    slices: int = 0  # whose time has come

    @property
    def slices_all(self) -> int:
        """How many slices there are."""
        return self.minutes * SLICES_A_MINUTE

    def count(self, price: int, size: int) -> None:
        """Count a fill of a slice."""
        self.executed += size
        self.executed_notional += price * size


@frozen
class TwapRecord:
    """What became of a TWAP, and how far it was."""

    twap: Twap
    time_ms: int
    status: str  # activated, finished, terminated or error
    description: str
    executed: int
    executed_notional: int


class Twaps:
    """The TWAPs of a venue that run, or wait for their price."""

    def __init__(self, desk: "Desk") -> None:
        self._desk = desk
        self.running: dict[int, Twap] = {}  # by id

    def start(
        self,
        account: Account,
        action: TwapOrderAction,
        listings: Mapping[int, Listing],
        rules: Rules,
    ) -> Twap:
        """Take up a TWAP. Raises StaticRefusalError with the text of the refusal."""
        asked, details = action.twap, action.details
        listing = listings.get(asked.a)
        if listing is None:
            raise StaticRefusalError(refusals.unknown_asset(asked.a))
        if listing.is_halted:
            raise StaticRefusalError(rules.halted_text)
        if self._desk.is_post_only:
            raise StaticRefusalError(refusals.POST_ONLY_WINDOW)
        side = Side.BUY if asked.b else Side.SELL
        size = self._read_size(asked.s, asked.m, listing)
        if asked.r and checks.closable(account, listing, side) == 0:
            raise StaticRefusalError(refusals.TWAP_REDUCE_ONLY)
        if listing.book.half(side.other).touch() is None:
            raise StaticRefusalError(refusals.NO_LIQUIDITY.text)
        begin = stop = None
        entry = listing.mark_price
        if details is not None and details.t is not None:
            entry = _read_price(details.t.p, listing)
            begin = Threshold(entry, details.t.a)
        if details is not None and details.s is not None:
            price = _read_price(details.s, listing)
            stop = Threshold(price, is_above=price >= entry)
        twap = Twap(
            self._desk.ids.twap(),
            account,
            listing,
            side,
            size,
            asked.m,
            asked.r,
            asked.t,
            self._desk.now_ms,
            begin,
            stop,
        )
        self.running[twap.id] = twap
        self._note(twap, "activated")
        return twap

    @staticmethod
    def _read_size(text: str, minutes: int, listing: Listing) -> int:
        try:
            size = listing.instrument.parse_size(text)
        except WireError:
            raise StaticRefusalError(refusals.INVALID_SIZE) from None
        if size == 0:
            raise StaticRefusalError(refusals.ZERO_SIZE)
        shortest, longest = numbers.TWAP_MINUTES
        if not shortest <= minutes <= longest:
            raise StaticRefusalError(refusals.twap_duration(minutes))
        least = max(numbers.TWAP_VALUE_MIN, minutes * numbers.TWAP_VALUE_A_MINUTE)
        if size * listing.mark_price < least:
            a_minute = least // minutes // USD
            raise StaticRefusalError(refusals.twap_value(least // USD, a_minute))
        return size

    def cancel(self, account: Account, asset: int, number: int) -> bool:
        """End a TWAP of an account; return whether there was one."""
        twap = self.running.get(number)
        if twap is None or twap.account is not account or twap.listing.asset != asset:
            return False
        self._end(twap, "terminated")
        return True

    def fire(self) -> None:
        """Start, stop and slice what is due."""
        desk = self._desk
        for twap in list(self.running.values()):
            mark = twap.listing.mark_price
            if twap.begin is not None:
                if not twap.begin.is_met(mark):
                    continue
                twap.begin, twap.start_ms = None, desk.now_ms
            if twap.stop is not None and twap.stop.is_met(mark):
                self._end(twap, "terminated")
                continue
            due = min((desk.now_ms - twap.start_ms) // numbers.TWAP_SLICE_MS, twap.slices_all)
            if due > twap.slices:
                twap.slices = due
                if not desk.is_post_only and not twap.listing.is_halted:
                    self._slice(twap)
            is_over = twap.executed == twap.size or twap.slices == twap.slices_all
            if is_over and twap.id in self.running:
                self._end(twap, "finished")

    def _slice(self, twap: Twap) -> None:
        """Send the slice whose time has come."""
        desk, listing = self._desk, twap.listing
        left = twap.size - twap.executed
        size = twap.size * twap.slices // twap.slices_all - twap.executed
        if twap.is_randomized and twap.slices < twap.slices_all:
            spread = 2 * desk.ids.per_million() - MILLION  # from -1 to +1 in millionths
            size += size * spread * numbers.TWAP_SPREAD_PERCENT // (100 * MILLION)
        most = numbers.TWAP_CATCH_UP * -(-twap.size // twap.slices_all)
        if twap.is_reduce_only:
            closable = checks.closable(twap.account, listing, twap.side)
            most = min(most, closable) if closable else most
        size = min(size, most, left)
        if size <= 0:
            return
        share = 100 + numbers.TWAP_SLIPPAGE_PERCENT * twap.side
        worst = listing.mark_price * share // 100
        rule = listing.instrument
        limit = rule.floor_price(worst) if twap.side is Side.BUY else rule.ceil_price(worst)
        order = VenueOrder(
            oid=desk.ids.oid(),
            account=twap.account,
            listing=listing,
            side=twap.side,
            price=limit,
            original=size,
            remaining=size,
            tif="Ioc",
            is_reduce_only=twap.is_reduce_only,
            cloid=None,
            placed_ms=desk.now_ms,
            twap=twap,
        )
        twap.account.remember(order)
        desk.action_hash = NO_HASH
        desk.execute(order, limit, is_immediate=True, is_forced=True)
        ending = {r.status: r.text for r in (refusals.NO_LIQUIDITY, refusals.MARGIN)}
        ending[refusals.REDUCE_ONLY.status] = refusals.TWAP_REDUCE_ONLY
        if order.status in ending:
            self._end(twap, "error", ending[order.status])

    def _end(self, twap: Twap, status: str, description: str = "") -> None:
        del self.running[twap.id]
        self._note(twap, status, description)

    def _note(self, twap: Twap, status: str, description: str = "") -> None:
        record = TwapRecord(
            twap,
            self._desk.now_ms,
            status,
            description,
            twap.executed,
            twap.executed_notional,
        )
        twap.account.twaps.append(record)
        self._desk.news_of(twap.account).twaps.append(record)


def _read_price(text: str, listing: Listing) -> int:
    try:
        price = listing.instrument.parse_price(text)
    except WireError:
        raise StaticRefusalError(refusals.INVALID_PRICE) from None
    if not listing.instrument.is_allowed_price(price):
        raise StaticRefusalError(refusals.INVALID_PRICE)
    return price
