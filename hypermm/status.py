"""Where an account stands: what the exchange says, beside what a market maker here believes.

Only reads. It works with an address alone; nothing is signed and nothing is changed.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from attrs import asdict, evolve, frozen

from hypermm.errors import WireError
from hypermm.hyperliquid.ask import ask
from hypermm.hyperliquid.client import Client
from hypermm.hyperliquid.cloids import parse_cloid
from hypermm.hyperliquid.payloads import ClearinghouseState, OrderPayload, convert
from hypermm.journal import StateDirectory
from hypermm.orders import Cloids
from hypermm.orders.states import OrderState

COMPARISONS = 4  # what the bot shows is up to a second old: a difference has to last
COMPARE_PAUSE_SECS = 0.7
RESTING_STATES = (OrderState.OPEN.value, OrderState.PARTIAL.value)


@frozen
class Holding:
    """A position; sizes in base units, money in the collateral token."""

    coin: str
    size: float
    entry_price: float
    value_usd: float
    unrealized_pnl_usd: float
    leverage: int
    is_cross: bool
    margin_usd: float
    liquidation_price: float | None


@frozen
class RestingOrder:
    """An open order, and whose it is: `ours`, `earlier session` or `foreign`."""

    coin: str
    side: str
    price: str
    size: str
    oid: int
    cloid: str | None
    is_reduce_only: bool
    whose: str


@frozen(kw_only=True)
class Status:
    """Everything at one moment."""

    url: str
    account: str
    dex: str
    account_value_usd: float
    withdrawable_usd: float
    margin_used_usd: float
    positions: tuple[Holding, ...]
    orders: tuple[RestingOrder, ...]
    asset: str
    leverage: int
    is_cross: bool
    taker_fee_bps: float
    maker_fee_bps: float
    requests_used: int
    requests_cap: int
    agents: tuple[dict[str, Any], ...]  # name, address, validUntil in ms
    bot: Mapping[str, Any] | None  # what the process that holds the account shows
    differences: tuple[str, ...]  # bot against exchange; empty if they agree or no bot runs

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)


async def read_status(
    client: Client, account: str, dex: str, coin: str, state: StateDirectory | None
) -> Status:
    """Read where an account stands.

    Parameters
    ----------
    client : Client
        Connection to the exchange.
    account : str
        Address of the master account.
    dex, coin : str
        Short name of the dex, empty for the exchange's own, and the market whose leverage is read.
    state : StateDirectory or None
        Where a market maker on this machine shows itself.

    Raises
    ------
    UnreachableError
        If the exchange does not answer.
    WireError
        If an answer breaks its form.
    """
    status = await _read_once(client, account, dex, coin, state)
    lasting = status.differences
    for _ in range(COMPARISONS - 1):
        if not lasting:
            break
        await asyncio.sleep(COMPARE_PAUSE_SECS)
        status = await _read_once(client, account, dex, coin, state)
        lasting = tuple(one for one in lasting if one in status.differences)
    return evolve(status, differences=lasting)


async def _read_once(
    client: Client, account: str, dex: str, coin: str, state: StateDirectory | None
) -> Status:
    on_dex = {"user": account, "dex": dex} if dex else {"user": account}
    held, listed, market, fees, limit, agents = await asyncio.gather(
        ask(client, {"type": "clearinghouseState", **on_dex}),
        ask(client, {"type": "frontendOpenOrders", **on_dex}),
        ask(client, {"type": "activeAssetData", "user": account, "coin": coin}),
        ask(client, {"type": "userFees", "user": account}),
        ask(client, {"type": "userRateLimit", "user": account}),
        ask(client, {"type": "extraAgents", "user": account}),
    )
    bot = state.view() if state is not None else None
    try:
        margin: ClearinghouseState = convert(held, ClearinghouseState)
        positions = tuple(_holding(one.position) for one in margin.assetPositions)
        cloids = Cloids(account, "default", int(bot["session_secs"]) if bot else 0)
        orders = tuple(
            _resting(order, cloids, int(bot["session_secs"]) if bot else None)
            for order in convert(listed, list[OrderPayload])
        )
        return Status(
            url=client.url,
            account=account,
            dex=dex,
            account_value_usd=float(margin.marginSummary.accountValue),
            withdrawable_usd=float(margin.withdrawable),
            margin_used_usd=float(margin.marginSummary.totalMarginUsed),
            positions=positions,
            orders=orders,
            asset=coin,
            leverage=int(market["leverage"]["value"]),
            is_cross=market["leverage"]["type"] == "cross",
            taker_fee_bps=float(fees["userCrossRate"]) * 1e4,
            maker_fee_bps=float(fees["userAddRate"]) * 1e4,
            requests_used=int(limit["nRequestsUsed"]),
            requests_cap=int(limit["nRequestsCap"]),
            agents=tuple(agents),
            bot=bot,
            differences=_differences(bot, positions, orders),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"an answer about the account has another form: {error!r:.80}") from error


def _holding(position: Any) -> Holding:
    return Holding(
        coin=position.coin,
        size=float(position.szi),
        entry_price=float(position.entryPx or 0.0),
        value_usd=float(position.positionValue),
        unrealized_pnl_usd=float(position.unrealizedPnl),
        leverage=position.leverage.value,
        is_cross=position.leverage.type == "cross",
        margin_usd=float(position.marginUsed),
        liquidation_price=float(position.liquidationPx) if position.liquidationPx else None,
    )


def _resting(order: OrderPayload, cloids: Cloids, session_secs: int | None) -> RestingOrder:
    parts = cloids.parse(parse_cloid(order.cloid)) if order.cloid else None
    whose = "foreign"
    if parts is not None:
        whose = "ours" if parts.session_secs == session_secs else "earlier session"
    return RestingOrder(
        coin=order.coin,
        side="buy" if order.side == "B" else "sell",
        price=order.limitPx,
        size=order.sz,
        oid=order.oid,
        cloid=order.cloid,
        is_reduce_only=order.reduceOnly,
        whose=whose,
    )


def _differences(
    bot: Mapping[str, Any] | None,
    positions: tuple[Holding, ...],
    orders: tuple[RestingOrder, ...],
) -> tuple[str, ...]:
    """Compare what the market maker believes with what the exchange says."""
    if bot is None:
        return ()
    found = []
    coin = bot["coin"]
    held = next((one.size for one in positions if one.coin == coin), 0.0)
    if float(bot["position"]) != held:
        found.append(f"position: bot {bot['position']}, exchange {held:g} {coin}")
    known = {order["cloid"] for order in bot["orders"]}
    listed = {order.cloid for order in orders if order.coin == coin and order.whose != "foreign"}
    found += [f"order {cloid} rests and the bot does not know it" for cloid in listed - known]
    live = {order["cloid"] for order in bot["orders"] if order["state"] in RESTING_STATES}
    found += [f"order {cloid} is live for the bot and does not rest" for cloid in live - listed]
    return tuple(found)
