"""What becomes of orders: placing, matching, filling, cancelling, one at a time.

The desk changes books and accounts and writes down what their owners have to be told. It knows
neither requests nor blocks: `now_ms`, the block's time, is set by whoever runs it.
"""

from hypermm.messages import Side
from hypermm.sim import refusals
from hypermm.sim.accounts import Account
from hypermm.sim.listing import Listing
from hypermm.sim.orders import OUTSIDE, Ids, OrderUpdate, Trade, UserFill, UserNews, VenueOrder
from hypermm.sim.refusals import Refusal
from hypermm.sim.rules import MIN_NOTIONAL, OPEN_ORDERS, fee, open_orders_max
from hypermm.sim.shapes import price_text, size_text
from hypermm.sim.tickets import Ticket

Status = dict[str, object] | str  # an entry of a reply's `statuses`


class Desk:
    """Executes orders on behalf of accounts and of the outside world."""

    def __init__(self, ids: Ids) -> None:
        self.ids = ids
        self.now_ms = 0
        self.action_hash = ""
        self.news: dict[str, UserNews] = {}

    def _news(self, account: Account) -> UserNews:
        return self.news.setdefault(account.address, UserNews())

    def _note(self, order: VenueOrder, status: str) -> None:
        """Give an order a state and tell its owner."""
        order.status = status
        order.status_ms = self.now_ms
        self._tell(order)

    def _tell(self, order: VenueOrder, *, remaining: int | None = None, status: str = "") -> None:
        left = order.remaining if remaining is None else remaining
        update = OrderUpdate(order, status or order.status, left, self.now_ms)
        self._news(order.account).updates.append(update)

    # Placing

    def place(self, account: Account, ticket: Ticket) -> Status:
        """Place an order; return its entry in the reply."""
        listing = ticket.listing
        if ticket.cloid is not None:
            latest = account.by_cloid.get(ticket.cloid)
            if latest is not None and latest.is_open:
                return {"error": refusals.CLOID_LIVE}
        size = ticket.size
        if ticket.is_reduce_only:  # never more than the position
            size = min(size, self._closable(account, listing, ticket.side)) or size
        order = VenueOrder(
            oid=self.ids.oid(),
            account=account,
            listing=listing,
            side=ticket.side,
            price=ticket.price,
            original=size,
            remaining=size,
            tif=ticket.tif,
            is_reduce_only=ticket.is_reduce_only,
            cloid=ticket.cloid,
            placed_ms=self.now_ms,
        )
        account.remember(order)
        refusal = self._refusal(account, order)
        if refusal is not None:
            return self._refuse(order, refusal)
        paid = 0
        if ticket.tif != "Alo":
            paid = self._take(order)
            if order.filled == 0 and ticket.is_immediate:
                return self._refuse(order, refusals.NO_MATCH)
        self._tell(order, remaining=order.original, status="open")
        if order.remaining > 0 and not ticket.is_immediate:
            self._rest(order)
            return {"resting": _named(order, {"oid": order.oid})}
        self._note(order, "filled")
        price = paid // order.filled  # cut, not rounded, to the market's decimals
        done = {
            "totalSz": size_text(listing, order.filled),
            "avgPx": price_text(listing, price),
            "oid": order.oid,
        }
        return {"filled": _named(order, done)}

    @staticmethod
    def _closable(account: Account, listing: Listing, side: Side) -> int:
        """Return the lots of the position that an order to this side would close."""
        return max(-account.position(listing).size * side, 0)

    def _refusal(self, account: Account, order: VenueOrder) -> Refusal | None:
        """Check an order against the state of account and market."""
        listing, side = order.listing, order.side
        closable = self._closable(account, listing, side)
        if order.is_reduce_only and closable == 0:
            return refusals.REDUCE_ONLY
        closes_all = order.is_reduce_only and order.original == closable
        if order.price * order.original < MIN_NOTIONAL and not closes_all:
            return refusals.MIN_VALUE
        is_crossing = listing.book.crosses(side, order.price)
        if order.tif == "Alo" and is_crossing:
            rule = listing.instrument
            bid, ask = (
                rule.print_price(level[0]) if level else "" for level in listing.book.touch()
            )
            return refusals.post_only(bid, ask)
        if not order.is_reduce_only and not account.can_place(listing, order.original * side):
            return refusals.MARGIN
        if order.tif not in {"Ioc", "FrontendMarket"}:
            resting = len(account.orders)
            if resting >= open_orders_max(account.volume) or (
                order.is_reduce_only and resting >= OPEN_ORDERS
            ):
                return refusals.TOO_MANY_ORDERS
        return None

    def _refuse(self, order: VenueOrder, refusal: Refusal) -> Status:
        self._note(order, refusal.status)
        return {"error": refusal.on(order.listing.asset)}

    def _rest(self, order: VenueOrder) -> None:
        order.status = "open"
        order.status_ms = self.now_ms
        order.account.rest(order)
        order.listing.book.half(order.side).add(order)
        if order.is_reduce_only:
            self._trim_reduce_only(order.account, order.listing)

    # Cancelling

    def cancel(self, order: VenueOrder, status: str = "canceled") -> None:
        """Take a resting order out of the book."""
        order.listing.book.half(order.side).remove(order)
        order.account.take_off(order)
        if status != "canceled":
            self._news(order.account).cancels.append(order)
        self._note(order, status)

    def _trim_reduce_only(self, account: Account, listing: Listing) -> None:
        """Cancel resting reduce-only orders, older first, that exceed the position together."""
        orders = account.reduce_only(listing.asset)
        if not orders:
            return
        size = account.position(listing).size
        total = sum(order.remaining for order in orders)
        for index, order in enumerate(orders):
            is_last = index == len(orders) - 1
            if order.side * size >= 0 or (total > abs(size) and not is_last):
                self.cancel(order, "reduceOnlyCanceled")
                total -= order.remaining

    # Matching

    def _take(self, taker: VenueOrder) -> int:
        """Match an order of a user with what rests; return price times size, summed."""
        listing, side = taker.listing, taker.side
        half = listing.book.half(side.other)
        paid = 0
        while taker.remaining > 0:
            piece = half.next_piece()
            if piece is None or (piece.price - taker.price) * side > 0:
                break
            maker = piece.order
            size = min(taker.remaining, piece.size)
            if maker is not None:
                if maker.account is taker.account:
                    self.cancel(maker, "selfTradeCanceled")
                    continue
                size = min(size, self._matchable(maker))
                if size == 0:
                    continue
            if taker.is_reduce_only:
                size = min(size, self._closable(taker.account, listing, side))
                if size == 0:
                    break
            paid += size * piece.price
            if maker is None:
                half.consume(piece.price, size)
            self._fill(listing, piece.price, size, side, taker=taker, maker=maker)
        return paid

    def _matchable(self, maker: VenueOrder) -> int:
        """Return how much of a resting order may match now; cancel it where nothing may."""
        account, listing, side = maker.account, maker.listing, maker.side
        size = maker.remaining
        if maker.is_reduce_only:
            size = min(size, self._closable(account, listing, side))
            if size == 0:
                self.cancel(maker, "reduceOnlyCanceled")
        elif not account.can_hold(listing, size * side):
            self.cancel(maker, "marginCanceled")
            size = 0
        return size

    def outside_trade(self, listing: Listing, side: Side, price: int, size: int, tid: int) -> None:
        """Let an outside taker trade: users' better prices first, then the queue at the price.

        What of the trade meets no user is printed as it was; its lots at the price are gone.
        """
        half = listing.book.half(side.other)
        left = size
        outside = 0
        while left > 0:
            maker = half.first_order()
            if maker is None or (maker.price - price) * side > 0:
                break
            ahead = half.get(maker.slot)[2]
            if maker.price == price and ahead > 0:
                before = min(ahead, left)
                half.consume(price, before)
                outside += before
                left -= before
                continue
            lots = min(left, self._matchable(maker))
            if lots > 0:
                self._fill(listing, maker.price, lots, side, taker=None, maker=maker)
                left -= lots
        half.drop_better(price)
        if left > 0:
            half.consume(price, left)
        if outside + left > 0:
            buyer, seller = OUTSIDE if side is Side.BUY else OUTSIDE[::-1]
            listing.print_trade(
                Trade(
                    side,
                    price,
                    outside + left,
                    self.now_ms,
                    tid or self.ids.tid(),
                    self.action_hash,
                    buyer,
                    seller,
                )
            )

    def uncross(self, listing: Listing) -> None:
        """Fill users' orders that outside levels have come to cross: somebody would have taken."""
        for side in (Side.BUY, Side.SELL):  # of the outside orders
            own, other = listing.book.half(side.other), listing.book.half(side)
            while True:
                maker, level = own.first_order(), other.outside_best()
                if maker is None or level is None or (maker.price - level[0]) * side > 0:
                    break
                size = min(level[1], self._matchable(maker))
                if size > 0:
                    other.consume(level[0], size)
                    self._fill(listing, maker.price, size, side, taker=None, maker=maker)

    def _fill(
        self,
        listing: Listing,
        price: int,
        size: int,
        side: Side,
        *,
        taker: VenueOrder | None,
        maker: VenueOrder | None,
    ) -> None:
        """Book one fill: positions, fees, the trade feed, the makers' end."""
        tid = self.ids.tid()
        taker_name = taker.account.address if taker else OUTSIDE[0]
        maker_name = maker.account.address if maker else OUTSIDE[1]
        buyer, seller = (taker_name, maker_name) if side is Side.BUY else (maker_name, taker_name)
        listing.print_trade(
            Trade(side, price, size, self.now_ms, tid, self.action_hash, buyer, seller)
        )
        for order in (taker, maker):
            if order is not None:
                self._book(order, price, size, tid, is_taker=order is taker)
        if maker is not None:
            if maker.remaining == 0:
                maker.account.take_off(maker)
                self._note(maker, "filled")
            self._trim_reduce_only(maker.account, listing)
        if taker is not None:
            self._trim_reduce_only(taker.account, listing)

    def _book(self, order: VenueOrder, price: int, size: int, tid: int, *, is_taker: bool) -> None:
        account, listing = order.account, order.listing
        position = account.position(listing)
        change = size * order.side
        start, direction = position.size, position.direction(change)
        if is_taker:
            order.remaining -= size
        else:
            listing.book.half(order.side).reduce(order, size)
            account.reserve(order, -size)
        charged = fee(price * size, is_taker=is_taker)
        profit = account.trade(listing, change, price)
        account.cash -= charged
        account.count_volume(price * size, self.now_ms, is_taker=is_taker)
        fill = UserFill(
            listing,
            order.oid,
            order.cloid,
            order.side,
            price,
            size,
            self.now_ms,
            start,
            direction,
            profit,
            self.action_hash,
            is_taker,
            charged,
            tid,
        )
        account.fills.append(fill)
        self._news(account).fills.append(fill)


def _named(order: VenueOrder, entry: dict[str, object]) -> dict[str, object]:
    """Add the cloid to an entry of a reply, if one was sent."""
    return entry if order.cloid is None else {**entry, "cloid": order.cloid}
