"""Checks of an order against the state of account and market, when it is placed or wakes."""

from hypermm.messages import Side
from hypermm.sim import refusals
from hypermm.sim.accounts import Account
from hypermm.sim.listing import Listing
from hypermm.sim.orders import VenueOrder
from hypermm.sim.refusals import Refusal
from hypermm.sim.rules import MIN_NOTIONAL, USD, Rules, open_orders_max


def closable(account: Account, listing: Listing, side: Side) -> int:
    """Return the lots of the position that an order to this side would close."""
    return max(-account.position(listing).size * side, 0)


def waiting_refusal(order: VenueOrder, entry: int | None, rules: Rules) -> Refusal | None:
    """Check an order that will wait for its trigger; `entry` is the limit of its parent."""
    trigger, listing, account = order.trigger, order.listing, order.account
    assert trigger is not None, f"order {order.oid} waits for nothing"
    rule = listing.instrument
    if not (rule.is_allowed_price(order.price) and rule.is_allowed_price(trigger.price)):
        return refusals.TICK
    if trigger.is_met(listing.mark_price if entry is None else entry):
        return refusals.TRIGGER_PRICE
    if order.is_position_tpsl and closable(account, listing, order.side) == 0:
        return refusals.REDUCE_ONLY
    if order.original > 0 and _is_too_small(order, order.price, rules):
        return refusals.MIN_VALUE
    if len(account.orders) >= rules.open_orders:
        return refusals.too_many_orders(rules.too_many_orders_text)
    return None


def refusal(
    order: VenueOrder,
    limit: int,
    rules: Rules,
    now_ms: int,
    *,
    is_immediate: bool,
    is_forced: bool,
) -> Refusal | None:
    """Check an order that goes to the market now; a forced one has no minimum and no distance."""
    account, listing, side = order.account, order.listing, order.side
    if not is_forced and not listing.instrument.is_allowed_price(limit):
        return refusals.TICK
    if order.is_reduce_only and closable(account, listing, side) == 0:
        return refusals.REDUCE_ONLY
    crossed = listing.book.half(side.other).touch()
    value_price = limit
    if is_immediate and rules.is_value_at_first_price and crossed is not None:
        value_price = crossed[0]
    if not is_forced:
        if _is_too_small(order, value_price, rules):
            return refusals.MIN_VALUE
        oracle = round(listing.oracle_price)
        if oracle and not rules.is_in_band(limit, oracle):
            return refusals.ORACLE
    if order.tif == "Alo" and listing.book.crosses(side, limit):
        rule = listing.instrument
        bid, ask = (
            rule.print_price(level[0]) if level else rules.missing_side_text
            for level in listing.book.touch()
        )
        return refusals.post_only(bid, ask)
    if not order.is_reduce_only:
        interest = _interest_refusal(order, limit, rules, now_ms)
        if interest is not None:
            return interest
        if _is_beyond_tier(order):
            return refusals.TIER
        if not account.pool_of(listing).can_place(listing, order.remaining * side):
            return refusals.MARGIN
    return None if is_immediate else _count_refusal(order, rules)


def _is_too_small(order: VenueOrder, price: int, rules: Rules) -> bool:
    whole = closable(order.account, order.listing, order.side)
    is_exempt = (
        rules.is_whole_close_exempt and order.is_reduce_only and 0 < whole <= order.remaining
    )
    return price * order.remaining < MIN_NOTIONAL and not is_exempt


def _interest_refusal(order: VenueOrder, limit: int, rules: Rules, now_ms: int) -> Refusal | None:
    """Check what an order would add to the open interest of a market."""
    listing, side = order.listing, order.side
    before = order.account.position(listing).size
    after = before + order.remaining * side
    if listing.is_at_cap:
        if before * after < 0:
            return refusals.CAP_FLIP
        if abs(after) > abs(before):
            return refusals.CAP_INCREASE
        if (limit - listing.oracle_price) * side > 0:
            return refusals.CAP_AGGRESSIVE
    growth_max = rules.interest_growth_usd_max * USD
    growth = (abs(after) - abs(before)) * limit
    if growth_max and growth > 0 and growth + listing.interest_growth(now_ms) > growth_max:
        return refusals.INTEREST_GROWTH
    return None


def _is_beyond_tier(order: VenueOrder) -> bool:
    """Whether the position would be larger than its leverage allows."""
    position = order.account.position(order.listing)
    after = abs(position.size + order.remaining * order.side)
    value = after * order.listing.mark_price
    return after > abs(position.size) and position.leverage > order.listing.leverage_max(value)


def spot_refusal(order: VenueOrder, rules: Rules) -> Refusal:
    """Refuse an order on the spot pair: nobody holds a token to trade."""
    if order.price * order.original < MIN_NOTIONAL:
        return refusals.SPOT_MIN_VALUE
    return refusals.spot_balance(rules.spot_balance_text)


def _count_refusal(order: VenueOrder, rules: Rules) -> Refusal | None:
    account = order.account
    resting = len(account.orders)
    if resting >= open_orders_max(rules.open_orders, account.volume) or (
        order.is_reduce_only and resting >= rules.open_orders
    ):
        return refusals.too_many_orders(rules.too_many_orders_text)
    return None
