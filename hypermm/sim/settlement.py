"""A builder halts a market: orders go, and positions are settled at the mark.

Source: Hyperliquid documentation, HIP-3, `haltTrading`. The market may be opened again. The status
word of the orders and the side of a settling fill have not been recorded.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hypermm.messages import Side
from hypermm.sim.accounts import Account
from hypermm.sim.orders import NO_HASH, UserFill

if TYPE_CHECKING:
    from hypermm.sim.desk import Desk
    from hypermm.sim.listing import Listing

STATUS = "internalCancel"


def settle(desk: "Desk", accounts: Iterable[Account], listing: "Listing") -> None:
    """Cancel every order of a market and close every position at its mark, without a fee."""
    mark = listing.mark_price
    for account in accounts:
        for order in list(account.orders.values()):
            if order.listing is listing and order.is_open:
                desk.cancel(order, STATUS)
        pool = account.pool_of(listing)
        position = pool.positions.get(listing.asset)
        if position is None or position.size == 0:
            continue
        size = position.size
        profit = pool.trade(listing, -size, mark)
        desk.bank.trade_outside(listing.asset, size, mark)
        side = Side.SELL if size > 0 else Side.BUY
        desk.record(account, UserFill(
            listing, desk.ids.oid(), None, side, mark, abs(size), desk.now_ms, size, "Settlement",
            profit, NO_HASH, True, 0, desk.ids.tid(),
        ))  # fmt: skip
