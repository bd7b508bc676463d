"""What becomes of who owns less than maintenance margin: sold into the book, or taken over whole.

Source: Hyperliquid documentation, "Liquidations". Below maintenance margin a market order closes
the position; of a large one a fifth first, and for half a minute after that all. Below two thirds
of it the backstop takes positions and margin over. No fee is charged. What is left of an account
that owes is the backstop's loss, so that money is conserved.
"""

from typing import TYPE_CHECKING

from hypermm.messages import Side
from hypermm.sim.accounts import Account
from hypermm.sim.orders import NO_HASH, Liquidation, UserFill, VenueOrder
from hypermm.sim.pools import Pool, Position
from hypermm.sim.rules import LIQUIDATION_PAUSE_MS, USD
from hypermm.sim.shapes import usd_text

if TYPE_CHECKING:
    from hypermm.sim.desk import Desk

BACKSTOP = "0x" + "b5" * 20  # the account of the liquidator vault
PARTIAL_SHARE = 5  # a fifth
HIGHEST_PRICE = 1 << 53


class Liquidator:
    """Looks at everybody who holds a position, once a block.

    Parameters
    ----------
    desk : Desk
        Executes what has to be.
    """

    def __init__(self, desk: "Desk") -> None:
        self._desk = desk
        self._again_ms: dict[tuple[str, str, int], int] = {}  # after a part: until when all goes
        self._count = 0

    def step(self) -> None:
        """Liquidate whoever has to be."""
        desk = self._desk
        for (address, dex), account in list(desk.exposed.items()):
            pool = account.pool(dex)
            if pool.is_flat:
                del desk.exposed[address, dex]
                continue
            if address == BACKSTOP:
                continue
            for position in [p for p in pool.positions.values() if not p.is_cross and p.size]:
                need = position.maintenance_margin
                if position.equity < need:
                    self._liquidate(account, pool, [position], position.equity, need)
            need = pool.maintenance_margin
            held = [p for p in pool.positions.values() if p.is_cross and p.size]
            if held and pool.cross_value < need:
                held.sort(key=lambda p: -abs(p.value))
                self._liquidate(account, pool, held, pool.cross_value, need)

    def _liquidate(
        self, account: Account, pool: Pool, held: list[Position], equity: int, need: int
    ) -> None:
        desk = self._desk
        markets = {position.listing.asset for position in held}
        for order in list(account.orders.values()):
            is_backed = held[0].is_cross and account.pool_of(order.listing) is pool
            if order.is_open and (is_backed or order.listing.asset in markets):
                desk.cancel(order, "liquidatedCanceled")
        desk.action_hash = NO_HASH
        value = sum(abs(position.value) for position in held)
        self._count += 1
        event = {
            "lid": self._count,
            "liquidator": BACKSTOP,
            "liquidated_user": account.address,
            "liquidated_ntl_pos": usd_text(value),
            "liquidated_account_value": usd_text(equity),
        }
        desk.news_of(account).liquidations.append(event)
        if 3 * equity < 2 * need:
            self._take_over(account, pool, held)
            return
        for position in held:
            if position.size:
                self._sell(account, pool, position)
            still = pool.cross_value < pool.maintenance_margin
            if position.is_cross and not still:
                return

    def _sell(self, account: Account, pool: Pool, position: Position) -> None:
        """Send a market order for the position, or for a fifth of a large one."""
        desk, listing = self._desk, position.listing
        key = (account.address, pool.dex, listing.asset)
        lots = abs(position.size)
        limit = desk.rules.partial_liquidation_usd * USD
        if abs(position.value) > limit and desk.now_ms >= self._again_ms.get(key, 0):
            lots = max(lots // PARTIAL_SHARE, 1)
            self._again_ms[key] = desk.now_ms + LIQUIDATION_PAUSE_MS
        side = Side.SELL if position.size > 0 else Side.BUY
        order = VenueOrder(
            oid=desk.ids.oid(),
            account=account,
            listing=listing,
            side=side,
            price=_worst_price(position),
            original=lots,
            remaining=lots,
            tif="LiquidationMarket",
            is_reduce_only=True,
            cloid=None,
            placed_ms=desk.now_ms,
            liquidation=Liquidation(account.address, listing.mark_price, "market"),
        )
        desk.force(order)

    def _take_over(self, account: Account, pool: Pool, held: list[Position]) -> None:
        """Move positions and their margin to the backstop, at the mark."""
        desk = self._desk
        backstop = desk.backstop
        theirs = backstop.pool(pool.dex)
        is_cross = held[0].is_cross
        for position in held:
            listing, size, mark = position.listing, position.size, position.listing.mark_price
            method = Liquidation(account.address, mark, "backstop")
            start, tid = position.size, desk.ids.tid()
            other = theirs.position(listing)
            other.is_cross = True
            theirs_start, theirs_way = other.size, other.direction(size)
            profit = pool.trade(listing, -size, mark)
            gained = theirs.trade(listing, size, mark)
            side = Side.SELL if size > 0 else Side.BUY
            desk.record(account, UserFill(
                listing, desk.ids.oid(), None, side, mark, abs(size), desk.now_ms, start,
                f"Liquidated {'Cross' if is_cross else 'Isolated'} "
                f"{'Long' if size > 0 else 'Short'}",
                profit, NO_HASH, True, 0, tid, liquidation=method,
            ))  # fmt: skip
            desk.record(backstop, UserFill(
                listing, desk.ids.oid(), None, side.other, mark, abs(size), desk.now_ms,
                theirs_start, theirs_way, gained, NO_HASH, False, 0, tid, liquidation=method,
            ))  # fmt: skip
        if is_cross:  # margin goes with the positions, a debt too
            theirs.cash += pool.cash
            pool.cash = 0
        desk.exposed[backstop.address, pool.dex] = backstop


def _worst_price(position: Position) -> int:
    """Return how far a position may be sold: an isolated one loses no more than its own margin."""
    if not position.is_cross:  # what it cannot sell within that, the backstop takes
        raw, size = position.raw, position.size
        return max(-(raw // size) if size > 0 else raw // -size, 1)
    return 1 if position.size > 0 else HIGHEST_PRICE
