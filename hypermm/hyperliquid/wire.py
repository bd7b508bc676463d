"""The exchange's JSON to and from our rows and messages. `instrument` reads and prints all numbers.

Strict at the border: extra keys are ignored; a missing or ill-typed one, or a number outside the
exchange's decimal grammar, is a `WireError`, and nothing is applied.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from hypermm._core import rows as row
from hypermm._core.rows import Rows
from hypermm.errors import WireError
from hypermm.hyperliquid.actions import (
    ALO,
    GTC,
    IOC,
    CancelAction,
    CancelByCloidAction,
    CancelWire,
    CloidWire,
    ExchangeAction,
    OrderAction,
    OrderWire,
    UpdateLeverageAction,
)
from hypermm.hyperliquid.cloids import cloid_text, parse_cloid
from hypermm.hyperliquid.payloads import (
    ActiveAssetContext,
    ClearinghouseState,
    FillPayload,
    OrderPayload,
    OrderStatus,
    OrderStatusReply,
    UserFills,
    UserFundings,
    convert,
)
from hypermm.instrument import Instrument, print_decimal
from hypermm.messages import (
    AccountState,
    CancelOids,
    CancelOrders,
    Fill,
    Fills,
    FundingPaid,
    OpenOrder,
    OpenOrders,
    OrderState,
    OrderUpdate,
    PlaceOrders,
    PrivateEvent,
    ReadAccount,
    ReadAction,
    ReadFills,
    ReadOpenOrders,
    ReadOrder,
    Side,
    SignedAction,
    Tif,
    UpdateLeverage,
)

NS_PER_MS: Final = 1_000_000
CONTEXT_DECIMALS: Final = 12  # of the prices and rates in context rows

_NUMBER = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?", re.ASCII)
_INT64_MAX = 2**63 - 1
_TEXTS_MAX = 65_536

_BUY = Side.BUY
_ALO = Tif.ALO
_IOC = Tif.IOC


class _Texts(dict[int, str]):
    """Prints numbers with a fixed number of decimals and keeps the texts: prices recur."""

    __slots__ = ("_decimals",)

    def __init__(self, decimals: int) -> None:
        super().__init__()
        self._decimals = decimals

    def __missing__(self, value: int) -> str:
        if len(self) >= _TEXTS_MAX:
            self.clear()
        text = self[value] = print_decimal(value, self._decimals)
        return text


_TEXTS = tuple(_Texts(decimals) for decimals in range(7))


def encode_action(action: SignedAction, instrument: Instrument) -> ExchangeAction:
    """Return an action as the exchange hashes it."""
    asset = instrument.asset_id
    match action:
        case PlaceOrders(orders=orders):
            prices = _TEXTS[instrument.price_decimals]
            sizes = _TEXTS[instrument.size_decimals]
            return OrderAction(
                [
                    OrderWire(
                        asset,
                        order.side is _BUY,
                        prices[order.price],
                        sizes[order.size],
                        order.is_reduce_only,
                        ALO if (tif := order.tif) is _ALO else IOC if tif is _IOC else GTC,
                        "0x" + order.cloid.to_bytes(16, "big").hex(),
                    )
                    for order in orders
                ],
                "na",
            )
        case CancelOrders(cloids=cloids):
            return CancelByCloidAction([CloidWire(asset, cloid_text(cloid)) for cloid in cloids])
        case CancelOids(oids=oids):
            return CancelAction([CancelWire(asset, oid) for oid in oids])
        case UpdateLeverage(leverage=leverage, is_cross=is_cross):
            return UpdateLeverageAction(asset, is_cross, leverage)


def encode_read(action: ReadAction, account: str, dex: str = "") -> dict[str, Any]:
    """Return the body of `/info` for a read of the account (a master or vault, never an agent)."""
    body: dict[str, Any] = {}
    match action:
        case ReadOpenOrders():
            body = {"type": "frontendOpenOrders", "user": account}
        case ReadAccount():
            body = {"type": "clearinghouseState", "user": account}
        case ReadFills(since_ms=since_ms):
            return {"type": "userFillsByTime", "user": account, "startTime": since_ms}
        case ReadOrder(cloid=cloid):
            return {"type": "orderStatus", "user": account, "oid": cloid_text(cloid)}
    if dex:
        body["dex"] = dex
    return body


def decode_read(action: ReadAction, payload: Any, instrument: Instrument) -> PrivateEvent:
    """Read the parsed answer of `/info` to a read.

    Raises
    ------
    WireError
        If the answer breaks the exchange's form, or is that of another order.
    """
    match action:
        case ReadOpenOrders(id=id):
            orders: list[OrderPayload] = convert(payload, list[OrderPayload])
            ours = (order for order in orders if order.coin == instrument.coin)
            return OpenOrders(id, tuple(_open_order(order, instrument) for order in ours))
        case ReadAccount(id=id):
            return _account_state(id, convert(payload, ClearinghouseState), instrument)
        case ReadFills(id=id):
            return Fills(id, user_fills(payload, instrument))
        case ReadOrder(id=id, cloid=cloid):
            reply: OrderStatusReply = convert(payload, OrderStatusReply)
            if reply.status == "unknownOid":
                return OrderState(id, cloid, None)
            if reply.order is None:
                raise WireError("an order status without the order")
            if reply.order.order.coin != instrument.coin:
                raise WireError(f"the order of another market: {reply.order.order.coin[:60]!r}")
            update = _order_update(reply.order, instrument)
            if update.cloid != cloid:
                raise WireError(f"the order of another cloid: {reply.order.order.cloid!r}")
            return OrderState(id, cloid, update)


def user_fills(payload: Any, instrument: Instrument) -> tuple[Fill, ...]:
    """Read fills, oldest first; those of other markets are left out.

    Parameters
    ----------
    payload
        The data of a `userFills` frame as decoded, or the answer to a read: a list, parsed.
    instrument : Instrument
        The market's rules.

    Raises
    ------
    WireError
        If the payload breaks the exchange's form.
    """
    entries: Sequence[FillPayload]
    if isinstance(payload, UserFills):
        entries = payload.fills
    else:
        entries = convert(payload, list[FillPayload])
    if len(entries) > 1 and entries[0].time > entries[-1].time:
        entries = entries[::-1]  # some lists come newest first
    fills = (_fill(entry, instrument) for entry in entries if entry.coin == instrument.coin)
    return tuple(sorted(fills, key=lambda fill: fill.exch_ns))


def user_fundings(payload: UserFundings, instrument: Instrument) -> tuple[FundingPaid, ...]:
    """Read funding, oldest first; that of other markets is left out.

    Raises
    ------
    WireError
        If an amount is no number.
    """
    found = (
        FundingPaid(_amount(one.usdc), one.time * NS_PER_MS)
        for one in payload.fundings
        if one.coin == instrument.coin
    )
    return tuple(sorted(found, key=lambda funding: funding.exch_ns))


def order_updates(payload: Any, instrument: Instrument) -> tuple[OrderUpdate, ...]:
    """Read the data of an `orderUpdates` frame in its order, without other markets' entries.

    Raises
    ------
    WireError
        If the payload breaks the exchange's form.
    """
    if not (isinstance(payload, list) and all(isinstance(one, OrderStatus) for one in payload)):
        payload = convert(payload, list[OrderStatus])
    return tuple(
        _order_update(entry, instrument) for entry in payload if entry.order.coin == instrument.coin
    )


def context_rows(payload: Any, instrument: Instrument, rows: Rows) -> int:
    """Add the rows of an asset context, which has no time. Return how many were added.

    A value that the exchange leaves out gives no row: unknown is not 0.

    Raises
    ------
    WireError
        If the payload breaks the exchange's form; no row was added.
    OverflowError
        If `rows` has no room; no row was added.
    """
    if not isinstance(payload, ActiveAssetContext):
        payload = convert(payload, ActiveAssetContext)
    if payload.coin != instrument.coin:
        return 0
    context, decimals = payload.ctx, instrument.size_decimals
    figures = [
        (row.MARK, _nearest(context.markPx, CONTEXT_DECIMALS), 0),
        (row.ORACLE, _nearest(context.oraclePx, CONTEXT_DECIMALS), 0),
        (row.FUNDING, _nearest(context.funding, CONTEXT_DECIMALS), 0),
        (row.OPEN_INTEREST, 0, _nearest(context.openInterest, decimals)),
    ]
    if context.dayBaseVlm is not None:
        figures.append((row.DAY_VOLUME, 0, _nearest(context.dayBaseVlm, decimals)))
    if context.premium is not None:
        figures.append((row.PREMIUM, _nearest(context.premium, CONTEXT_DECIMALS), 0))
    if rows.capacity - len(rows) < len(figures):
        raise OverflowError(f"the window holds {rows.capacity} rows and has no room")
    for i, (index, price, size) in enumerate(figures):
        flags = (row.FIRST if i == 0 else 0) | (row.LAST if i == len(figures) - 1 else 0)
        rows.append(kind=row.CONTEXT, index=index, price=price, size=size, flags=flags)
    return len(figures)


def _nearest(text: str, decimals: int) -> int:
    """Read a number as the nearest integer of 10**-decimals: sums carry binary noise."""
    if not _NUMBER.fullmatch(text):
        raise WireError(f"not a decimal number of the exchange's form: {text[:60]!r}")
    value = int(Decimal(text).scaleb(decimals).to_integral_value())
    if abs(value) > _INT64_MAX:
        raise WireError(f"a number beyond 64 bits: {text[:60]!r}")
    return value


def _amount(text: str) -> float:
    """Read an amount of money, maybe negative."""
    if not _NUMBER.fullmatch(text):
        raise WireError(f"not a decimal number of the exchange's form: {text[:60]!r}")
    return float(text)


def _side(text: str) -> Side:
    return Side.BUY if text == "B" else Side.SELL


def _cloid(text: str | None) -> int | None:
    return None if text is None else parse_cloid(text)


def _fill(entry: FillPayload, instrument: Instrument) -> Fill:
    return Fill(
        trade_id=entry.tid,
        oid=entry.oid,
        cloid=_cloid(entry.cloid),
        side=_side(entry.side),
        price=instrument.parse_price(entry.px),
        size=instrument.parse_size(entry.sz),
        fee_usd=_amount(entry.fee),
        exch_ns=entry.time * NS_PER_MS,
        start_position=instrument.parse_signed_size(entry.startPosition),
        closed_pnl_usd=_amount(entry.closedPnl),
        is_taker=entry.crossed,
    )


def _order_update(entry: OrderStatus, instrument: Instrument) -> OrderUpdate:
    order = entry.order
    remaining = instrument.parse_size(order.sz)
    return OrderUpdate(
        oid=order.oid,
        cloid=_cloid(order.cloid),
        side=_side(order.side),
        price=instrument.parse_price(order.limitPx),
        remaining=remaining,
        original=remaining if order.origSz is None else instrument.parse_size(order.origSz),
        status=entry.status,
        exch_ns=entry.statusTimestamp * NS_PER_MS,
    )


def _open_order(order: OrderPayload, instrument: Instrument) -> OpenOrder:
    remaining = instrument.parse_size(order.sz)
    return OpenOrder(
        oid=order.oid,
        cloid=_cloid(order.cloid),
        side=_side(order.side),
        price=instrument.parse_price(order.limitPx),
        remaining=remaining,
        original=remaining if order.origSz is None else instrument.parse_size(order.origSz),
        is_reduce_only=order.reduceOnly,
    )


def _account_state(id: int, state: ClearinghouseState, instrument: Instrument) -> AccountState:
    held = (asset.position for asset in state.assetPositions)
    position = next((one for one in held if one.coin == instrument.coin), None)
    leverage = None if position is None else position.leverage
    return AccountState(
        id=id,
        position=instrument.parse_signed_size(position.szi) if position else 0,
        entry_price_usd=_amount(position.entryPx) if position and position.entryPx else 0.0,
        account_value_usd=_amount(state.marginSummary.accountValue),
        margin_used_usd=_amount(state.marginSummary.totalMarginUsed),
        withdrawable_usd=_amount(state.withdrawable),
        leverage=leverage.value if leverage else 0,
        is_cross=leverage.type == "cross" if leverage else not instrument.is_isolated_only,
        exch_ns=state.time * NS_PER_MS,
    )
