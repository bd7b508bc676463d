"""What an operator does beside a run: look at an account, watch, clean up, allow quoting again."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypermm.cancel import Cancelled, cancel_all
from hypermm.config import Config
from hypermm.errors import UnreachableError, WireError
from hypermm.hyperliquid import universe
from hypermm.hyperliquid.ask import ask, master_of
from hypermm.hyperliquid.client import Client, base_url
from hypermm.hyperliquid.signing import Signer, address_of
from hypermm.journal import StateDirectory
from hypermm.place import Place, find_market, find_private_key
from hypermm.runner import wall_ms
from hypermm.status import Status, read_status
from hypermm.telemetry import escaped


def clear_kill(
    config: Config,
    *,
    config_path: Path | None,
    key_argument: str | None,
    environ: Mapping[str, str],
) -> str:
    """Remove the kill latch of the account; returns what to tell the operator."""
    where = Place(config, environ)
    key = find_private_key(config, config_path, key_argument, environ, where, accepts_risk=True)
    account = asyncio.run(_account_if_reachable(where, address_of(key)))
    with where.state(account) as state:
        latch = state.clear_latch()
    if latch is None:
        return "no kill latch stands"
    return (
        f"cleared; the kill switch had been triggered: {escaped(latch.reason)}\n"
        "a loss of the same UTC day still counts: it would trigger again at once"
    )


async def _account_if_reachable(where: Place, address: str) -> str:
    client = Client(where.url)
    try:
        return await master_of(client, address)
    except (UnreachableError, WireError):
        return address
    finally:
        await client.close()


async def status(
    config: Config,
    *,
    account: str | None,
    config_path: Path | None,
    key_argument: str | None,
    environ: Mapping[str, str],
) -> Status:
    """Read where an account stands: the given one, or the one that the key acts for.

    Raises
    ------
    ConfigError
        If neither address nor key is known, or the market does not exist.
    UnreachableError
        If the exchange does not answer.
    """
    where = Place(config, environ)
    if account is None:
        key = find_private_key(config, config_path, key_argument, environ, where, accepts_risk=True)
        account = address_of(key)
    client = Client(where.url)
    try:
        account = await master_of(client, account)
        market = await find_market(client, config)
        state = where.state(account) if where.has_state(account) else None
        return await read_status(client, account, market.dex, market.coin, state)
    finally:
        await client.close()


def state_of(
    config: Config,
    *,
    account: str | None,
    config_path: Path | None,
    key_argument: str | None,
    environ: Mapping[str, str],
) -> StateDirectory | None:
    """Return the state of an account, the given one or the key's; None if nothing is kept of it."""
    where = Place(config, environ)
    if account is None:
        key = find_private_key(config, config_path, key_argument, environ, where, accepts_risk=True)
        account = address_of(key)
        if not where.has_state(account):  # perhaps the key is an API wallet's
            account = asyncio.run(_account_if_reachable(where, account))
    return where.state(account) if where.has_state(account) else None


async def list_dexs(config: Config) -> list[dict[str, Any]]:
    """Return the builders' dexs: name, full name, deployer, fee scale and markets of each."""
    client = Client(base_url(config.network.base_url))
    try:
        dexs = universe.builder_dexs(await ask(client, {"type": "perpDexs"}))
        for dex in dexs:
            meta = await ask(client, {"type": "meta", "dex": dex["name"]})
            dex["markets"] = universe.markets(meta)
        return dexs
    finally:
        await client.close()


async def cancel_everything(
    config: Config,
    *,
    coin: str | None,
    only_ours: bool,
    config_path: Path | None,
    key_argument: str | None,
    accepts_key_risk: bool,
    environ: Mapping[str, str],
) -> Cancelled:
    """Cancel what rests on the account that the key acts for.

    Raises
    ------
    StartRefusedError
        If a market maker holds the account: it would place anew.
    """
    where = Place(config, environ)
    key = find_private_key(
        config, config_path, key_argument, environ, where, accepts_risk=accepts_key_risk
    )
    client = Client(where.url)
    try:
        account = await master_of(client, address_of(key))
        with where.state(account) as state:
            market = (await find_market(client, config)).coin if coin is not None else None
            return await cancel_all(
                client,
                Signer(key, is_mainnet=where.is_mainnet),
                account,
                state,
                dex=config.trading.dex,
                coin=market,
                only_ours=only_ours,
                wall_ms=wall_ms(),
            )
    finally:
        await client.close()
