"""What becomes of orders: placing, matching, filling, cancelling, one at a time.

The desk changes books and accounts and writes down what their owners have to be told. It knows
neither requests nor blocks: `now_ms`, the block's time, is set by whoever runs it.
"""

from hypermm.messages import Side
from hypermm.sim import checks, fees, refusals
from hypermm.sim.accounts import Account
from hypermm.sim.bank import Bank
from hypermm.sim.dexs import Dex
from hypermm.sim.fees import Charge
from hypermm.sim.listing import Listing
from hypermm.sim.orders import OUTSIDE, Ids, OrderUpdate, Trade, UserFill, UserNews, VenueOrder
from hypermm.sim.refusals import Refusal
from hypermm.sim.rules import Rules
from hypermm.sim.shapes import price_text, size_text
from hypermm.sim.tickets import MARKET_TIFS, Ticket
from hypermm.sim.triggers import Triggers
from hypermm.sim.twaps import Twaps

Status = dict[str, object] | str  # an entry of a reply's `statuses`


class Desk:
    """Executes orders on behalf of accounts and of the outside world."""

    def __init__(self, ids: Ids, rules: Rules, backstop: Account) -> None:
        self.ids = ids
        self.rules = rules
        self.triggers = Triggers(self)
        self.twaps = Twaps(self)
        self.bank = Bank()
        self.dexs: dict[str, Dex] = {"": Dex()}
        self.exposed: dict[tuple[str, str], Account] = {}  # by address and dex: who holds positions
        self.backstop = backstop
        self.is_post_only = False  # nothing that takes is let in, as after an upgrade
        self.now_ms = 0
        self.action_hash = ""
        self.news: dict[str, UserNews] = {}

    def news_of(self, account: Account) -> UserNews:
        """Return what a user will be told of this block."""
        return self.news.setdefault(account.address, UserNews())

    def note(self, order: VenueOrder, status: str) -> None:
        """Give an order a state, tell its owner, and let those that hang on it follow."""
        order.status = status
        order.status_ms = self.now_ms
        self.tell(order)
        self.triggers.follow(order)

    def tell(self, order: VenueOrder, *, remaining: int | None = None, status: str = "") -> None:
        """Tell an owner what became of an order: its state as it is, or as said."""
        left = order.remaining if remaining is None else remaining
        update = OrderUpdate(order, status or order.status, left, self.now_ms)
        self.news_of(order.account).updates.append(update)

    # Placing

    def place(self, account: Account, ticket: Ticket) -> Status:
        """Place an order; return its entry in the reply."""
        order = self.new(account, ticket)
        return self.cloid_live if order is None else self.start(order)

    @property
    def cloid_live(self) -> Status:
        """The entry of an order whose client id another one holds."""
        return {"error": self.rules.live_cloid_text}

    def new(self, account: Account, ticket: Ticket) -> VenueOrder | None:
        """Make and remember an order; None if its client id belongs to a live one."""
        if ticket.cloid is not None:
            latest = account.by_cloid.get(ticket.cloid)
            if latest is not None and latest.is_open:
                return None
        listing, size = ticket.listing, ticket.size
        is_cut = ticket.is_reduce_only and ticket.trigger is None and not listing.is_spot
        if is_cut:  # never more than the position
            size = min(size, checks.closable(account, listing, ticket.side)) or size
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
            trigger=ticket.trigger,
            is_position_tpsl=ticket.is_position_tpsl,
            builder=ticket.builder,
        )
        account.remember(order)
        return order

    def start(self, order: VenueOrder) -> Status:
        """Take up a new order: let it wait for its trigger, or send it to the market."""
        if order.listing.is_spot:
            return self.refuse(order, checks.spot_refusal(order, self.rules))
        if order.trigger is None:
            is_immediate = order.tif in MARKET_TIFS
            return self.execute(order, order.price, is_immediate=is_immediate)
        refusal = checks.waiting_refusal(order, None, self.rules)
        if refusal is not None:
            return self.refuse(order, refusal)
        self.tell(order)
        self.triggers.wait(order)
        return "waitingForTrigger"

    def execute(
        self, order: VenueOrder, limit: int, *, is_immediate: bool, is_forced: bool = False
    ) -> Status:
        """Match an order up to a limit price and let the rest of it rest; say what came of it.

        A forced order is the exchange's own doing: a market trigger, a slice of a TWAP.
        """
        refusal = checks.refusal(
            order,
            limit,
            self.rules,
            self.now_ms,
            is_immediate=is_immediate,
            is_forced=is_forced,
        )
        if refusal is not None:
            return self.refuse(order, refusal)
        start, paid = order.remaining, 0
        if order.tif != "Alo":
            paid = self._take(order, limit)
            if order.remaining == start and is_immediate:
                is_empty = order.listing.book.half(order.side.other).touch() is None
                none = refusals.NO_LIQUIDITY if is_forced and is_empty else refusals.NO_MATCH
                return self.refuse(order, none)
        self.tell(order, remaining=start, status="open")
        entry: dict[str, object] = {"oid": order.oid}
        if order.remaining > 0 and not is_immediate:
            self._rest(order)
            if order.remaining == start or self.rules.does_partial_gtc_rest:
                return {"resting": _named(order, entry)}
        else:
            self.note(order, "filled")
        filled = start - order.remaining
        price = paid // filled  # cut, not rounded, to the market's decimals
        done = {
            "totalSz": size_text(order.listing, filled),
            "avgPx": price_text(order.listing, price),
            **entry,
        }
        return {"filled": _named(order, done)}

    def refuse(self, order: VenueOrder, refusal: Refusal) -> Status:
        """End an order that is not taken; return its entry in the reply."""
        self.note(order, refusal.status)
        return {"error": refusal.on(order.listing.asset)}

    def _rest(self, order: VenueOrder) -> None:
        order.status = "open"
        order.status_ms = self.now_ms
        order.listing.book.half(order.side).add(order)
        order.account.rest(order)
        if order.is_reduce_only:
            self._trim_reduce_only(order.account, order.listing)

    # Cancelling

    def cancel(self, order: VenueOrder, status: str = "canceled", *, is_told: bool = True) -> None:
        """End an open order; the user is told of one that was not his doing."""
        order.account.take_off(order)
        if order.is_resting:
            order.listing.book.half(order.side).remove(order)
        else:
            self.triggers.drop(order)
        if status != "canceled" and is_told:
            self.news_of(order.account).cancels.append(order)
        self.note(order, status)

    def enforce_cap(self, listing: Listing) -> None:
        """Cancel what rests beyond the oracle in a market whose open interest is at its cap."""
        if not listing.is_at_cap:
            return
        for half in (listing.book.bids, listing.book.asks):
            for order in list(half.orders.values()):
                is_beyond = (order.price - listing.oracle_price) * order.side > 0
                if is_beyond and not order.is_reduce_only:
                    self.cancel(order, "openInterestCapCanceled")

    def _trim_reduce_only(self, account: Account, listing: Listing) -> None:
        """Cancel resting reduce-only orders, older first, that exceed the position together."""
        self.triggers.follow_position(account, listing)
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

    def _take(self, taker: VenueOrder, limit: int) -> int:
        """Match an order of a user with what rests; return price times size, summed."""
        listing, side = taker.listing, taker.side
        half = listing.book.half(side.other)
        paid = 0
        while taker.remaining > 0:
            piece = half.next_piece()
            if piece is None or (piece.price - limit) * side > 0:
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
                size = min(size, checks.closable(taker.account, listing, side))
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
            size = min(size, checks.closable(account, listing, side))
            if size == 0:
                self.cancel(maker, "reduceOnlyCanceled")
        elif not account.pool_of(listing).can_hold(listing, size * side):
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
        if taker is None:
            self.bank.trade_outside(listing.asset, size * side, price)
        if maker is None:
            self.bank.trade_outside(listing.asset, -size * side, price)
        for order in (taker, maker):
            if order is not None:
                self._book(order, price, size, tid, is_taker=order is taker)
        if maker is not None:
            if maker.remaining == 0:
                maker.account.take_off(maker)
                self.note(maker, "filled")
            elif self.rules.are_partial_fills_updates:
                self.tell(maker)
            self._trim_reduce_only(maker.account, listing)
        if taker is not None:
            self._trim_reduce_only(taker.account, listing)

    def _book(self, order: VenueOrder, price: int, size: int, tid: int, *, is_taker: bool) -> None:
        account, listing = order.account, order.listing
        position = account.position(listing)
        change = size * order.side
        start, direction = position.size, position.direction(change)
        grown = abs(start + change) - abs(start)
        if grown > 0:
            listing.note_growth(self.now_ms, grown * price)
        if is_taker:
            order.remaining -= size
        else:
            account.reserve(order, -size)
            listing.book.half(order.side).reduce(order, size)
        pool = account.pool_of(listing)
        profit = pool.trade(listing, change, price)
        charge = self._charge(order, price * size, is_taker=is_taker)
        pool.cash -= charge.fee
        self.exposed[account.address, pool.dex] = account
        counted = self.dexs[listing.instrument.dex].fees.counted_volume(price * size)
        account.count_volume(counted, self.now_ms, is_taker=is_taker)
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
            charge.fee,
            tid,
            builder_fee=charge.builder,
            twap_id=order.twap.id if order.twap else None,
            liquidation=order.liquidation,
        )
        if position.size == 0 or start * position.size < 0:
            position.funding_since_open = 0
        position.funding_since_change = 0
        if order.twap is not None:
            order.twap.count(price, size)
            account.twap_fills.append(fill)
            self.news_of(account).twap_fills.append(fill)
            return
        self.record(account, fill)

    def record(self, account: Account, fill: UserFill) -> None:
        """Keep a fill, and tell its owner."""
        account.fills.append(fill)
        self.news_of(account).fills.append(fill)

    def force(self, order: VenueOrder) -> None:
        """Execute an order of the venue's own against the book; what does not match is gone."""
        order.account.remember(order)
        self._take(order, order.price)
        self.note(order, "filled" if order.filled else "canceled")

    def _charge(self, order: VenueOrder, notional: int, *, is_taker: bool) -> Charge:
        """Work out what a fill costs its owner, and credit those who get a part."""
        if order.liquidation is not None:  # whoever is liquidated pays no fee for it
            return Charge(0)
        account = order.account.master or order.account
        rates = account.rates or fees.base(self.rules)
        dex = self.dexs[order.listing.instrument.dex]
        found = fees.charge(
            notional,
            rates.cross if is_taker else rates.add,
            dex.fees,
            builder_tenths=order.builder.f if order.builder else 0,
            is_referred=bool(account.referrer) and account.volume < fees.REFERRAL_VOLUME,
        )
        bank = self.bank
        bank.fees += found.fee - found.builder - found.deployer - found.referrer
        if order.builder and found.builder:
            bank.share(order.builder.b, found.builder)
        if found.deployer:
            bank.share(dex.deployer, found.deployer)
        if found.referrer:
            bank.share(account.referrer, found.referrer)
        return found


def _named(order: VenueOrder, entry: dict[str, object]) -> dict[str, object]:
    """Add the cloid to an entry of a reply, if one was sent."""
    return entry if order.cloid is None else {**entry, "cloid": order.cloid}
