"""Collateral on one dex and what hangs on it: positions, margin, what may be placed.

Money is whole micro-USD and is conserved: a fill moves cash by price times size exactly; profit
appears only through prices. An isolated position has a balance of its own, `raw`.
"""

from typing import TYPE_CHECKING

from attrs import define, field

from hypermm.messages import Side
from hypermm.sim import rules

if TYPE_CHECKING:
    from hypermm.sim.listing import Listing


@define(eq=False)
class Position:
    """Holding in one market; sizes in lots, `cost` and `raw` in micro-USD."""

    listing: "Listing"
    leverage: int
    is_cross: bool
    size: int = 0
    cost: int = 0  # what the present size was bought for, negative for a short
    raw: int = 0  # balance of an isolated position
    funding: int = 0  # paid in all, micro-USD; negative was received
    funding_since_open: int = 0
    funding_since_change: int = 0

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
        """Margin below which a position is liquidated, by the market's tiers."""
        return self.listing.maintenance_margin(abs(self.value))

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
class Pool:
    """The cash of one account on one dex, with the positions that it backs."""

    dex: str = ""
    cash: int = 0  # what is not the balance of an isolated position
    positions: dict[int, Position] = field(factory=dict)
    open_lots: dict[tuple[int, Side], int] = field(factory=dict)  # that may add, by asset and side

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
        listing.count_interest(before, before + change)
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
    def maintenance_margin(self) -> int:
        """Margin below which the cross positions are liquidated."""
        return sum(p.maintenance_margin for p in self.positions.values() if p.is_cross)

    @property
    def is_flat(self) -> bool:
        """Whether nothing is held."""
        return all(position.size == 0 for position in self.positions.values())
