"""Cancel what rests on an account, without the engine, and prove it gone by the list."""

import asyncio
from typing import Any

from attrs import frozen

from hypermm.hyperliquid.actions import CancelAction, CancelWire
from hypermm.hyperliquid.ask import ask
from hypermm.hyperliquid.client import Client
from hypermm.hyperliquid.cloids import parse_cloid
from hypermm.hyperliquid.payloads import OrderPayload, UniverseMeta, convert
from hypermm.hyperliquid.signing import Nonces, Signer
from hypermm.hyperliquid.universe import find_dex, first_asset
from hypermm.journal import StateDirectory
from hypermm.orders import Cloids

TRIES = 5
PAUSE_SECS = 0.5
BATCH = 100  # cancels in one action


@frozen
class Cancelled:
    """What a sweep did: orders that rested at first, and those that rest still."""

    found: tuple[OrderPayload, ...]
    left: tuple[OrderPayload, ...]


async def cancel_all(
    client: Client,
    signer: Signer,
    account: str,
    state: StateDirectory,
    *,
    dex: str,
    coin: str | None,
    only_ours: bool,
    wall_ms: int,
) -> Cancelled:
    """Cancel open orders of an account on one dex until its list shows none.

    Parameters
    ----------
    client : Client
        Connection to the exchange.
    signer : Signer
        Signs the cancels.
    account : str
        Address of the account.
    state : StateDirectory
        Its state, held by the caller: keeps nonces from being used twice.
    dex : str
        Short or full name of the dex; empty for the exchange's own.
    coin : str or None
        Only this market.
    only_ours : bool
        Leave orders without our tag.
    wall_ms : int
        Wall clock, ms since 1970.

    Raises
    ------
    UnreachableError
        If the exchange does not answer.
    """
    index, name = find_dex(await ask(client, {"type": "perpDexs"}) if dex else None, dex)
    on_dex = {"dex": name} if name else {}
    meta: UniverseMeta = convert(await ask(client, {"type": "meta", **on_dex}), UniverseMeta)
    assets = {one.name: first_asset(index) + i for i, one in enumerate(meta.universe)}
    tag = Cloids(account, "default", 0)
    nonces = Nonces(state.nonce_high_water(wall_ms).value)

    async def resting() -> tuple[OrderPayload, ...]:
        request = {"type": "frontendOpenOrders", "user": account, **on_dex}
        listed: list[OrderPayload] = convert(await ask(client, request), list[OrderPayload])
        return tuple(
            order
            for order in listed
            if coin in (None, order.coin)
            and (not only_ours or (order.cloid and tag.is_ours(parse_cloid(order.cloid))))
        )

    found = left = await resting()
    for _ in range(TRIES):
        if not left:
            break
        for start in range(0, len(left), BATCH):
            wires = [CancelWire(assets[o.coin], o.oid) for o in left[start : start + BATCH]]
            state.reserve_nonce(max(wall_ms, nonces.high_water) + 1)
            signed: Any = signer.sign(CancelAction(wires), nonces.next(wall_ms))
            await client.post("/exchange", signed)
        await asyncio.sleep(PAUSE_SECS)
        left = await resting()
    return Cancelled(found, left)
