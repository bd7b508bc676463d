"""What stands before the loop: key, state directory, exchange, market and account.

Whatever is wrong there is said before anything is placed.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hypermm import telemetry
from hypermm.config import Config
from hypermm.credentials import Credential, find_key
from hypermm.embedded import Embedded
from hypermm.errors import ConfigError, StartRefusedError, UnreachableError
from hypermm.hyperliquid import wire
from hypermm.hyperliquid.client import Client, base_url, is_mainnet
from hypermm.hyperliquid.signing import Signer, address_of, parse_key
from hypermm.instrument import Instrument
from hypermm.journal import LocalState, StateDirectory, state_root
from hypermm.messages import Level, Notice
from hypermm.runner import Exit, Runner, wall_ms

LOCALHOST = "localhost"


def run(
    config: Config,
    *,
    config_path: Path | None,
    key_argument: str | None,
    accepts_key_risk: bool,
    log_file: Path | None,
    duration_secs: float | None,
    market: str | None,
    environ: Mapping[str, str],
) -> int:
    """Quote until told to stop; returns an exit status.

    Places and cancels orders on the exchange that `config.network` names.

    Raises
    ------
    ConfigError
        If a setting, the key, the market or the state directory is not usable.
    StartRefusedError
        If the kill latch stands or another instance holds the account.
    UnreachableError
        If the exchange does not answer.
    """
    telemetry.start_logging(level=config.logging.level, form=config.logging.format, file=log_file)
    url = base_url(config.network.base_url)
    is_local = config.network.base_url == LOCALHOST
    if market is not None and not is_local:
        raise ConfigError(
            "--market belongs to the embedded exchange", hint="use it with --network localhost"
        )
    state_path = state_root(environ)
    local = LocalState(state_path) if is_local else None
    key = _key(config, config_path, key_argument, environ, local, accepts_risk=accepts_key_risk)
    account = address_of(key)
    with StateDirectory(state_path, _state_name(config, url), account) as state:
        latch = state.latch()
        if latch is not None:
            raise StartRefusedError(
                f"the kill switch was triggered: {latch.reason}",
                hint="find the cause, then allow quoting again with: python -m hypermm clear-kill",
            )
        embedded = None
        if local is not None:
            port = int(url.rsplit(":", 1)[1])
            embedded = Embedded(local, port=port, market=market, account=account)
        main = _main(config, url, key, account, state, embedded, duration_secs)
        with asyncio.Runner(loop_factory=_loop_factory()) as loop:
            return int(loop.run(main))


def clear_kill(
    config: Config,
    *,
    config_path: Path | None,
    key_argument: str | None,
    environ: Mapping[str, str],
) -> str:
    """Remove the kill latch of the account; returns what to tell the operator."""
    url = base_url(config.network.base_url)
    state_path = state_root(environ)
    local = LocalState(state_path) if config.network.base_url == LOCALHOST else None
    key = _key(config, config_path, key_argument, environ, local, accepts_risk=True)
    with StateDirectory(state_path, _state_name(config, url), address_of(key)) as state:
        latch = state.clear_latch()
    if latch is None:
        return "no kill latch stands"
    return f"cleared; the kill switch had been triggered: {latch.reason}"


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not on this platform: asyncio's own loop is slower, and right
        return None
    return uvloop.new_event_loop


def _state_name(config: Config, url: str) -> str:
    """Name the network in the state directory; an exchange of one's own by its address."""
    name = config.network.base_url
    return url.split("://", 1)[1].replace(":", "_") if "://" in name else name


def _key(
    config: Config,
    config_path: Path | None,
    argument: str | None,
    environ: Mapping[str, str],
    local: LocalState | None,
    *,
    accepts_risk: bool,
) -> bytes:
    found = find_key(
        argument=argument,
        environ=environ,
        folder=Path.cwd(),
        file=config_path,
        file_key=config.network.private_key,
    )
    if found is None and local is not None:
        found = Credential(local.key(wall_ms()), "the state directory", is_exposed=False)
    if found is None:
        raise ConfigError(
            "Private key not set",
            hint="export HYPERLIQUID_PRIVATE_KEY=..., or write it to a file .env of mode 600, or "
            "to [network] private_key of the configuration file;\n     or trade on an exchange of "
            "your own, which needs none: python -m hypermm run --network localhost",
        )
    if found.is_exposed and config.network.base_url == "mainnet" and not accepts_risk:
        raise ConfigError(
            f"the key of a mainnet account comes from {found.source}, where others may see it",
            hint="use the variable HYPERLIQUID_PRIVATE_KEY, or add --accept-key-risk",
        )
    if found.is_exposed:
        fields = {"source": found.source}
        telemetry.write(Notice(Level.WARN, "Others may be able to see the private key", fields))
    return parse_key(found.text)


async def _info(client: Client, request: dict[str, Any]) -> Any:
    status, body = await client.post("/info", wire.encode_json(request))
    if status != 200:
        shown = f"status {status}" if status else "no answer"
        raise UnreachableError(
            f"Failed to connect to exchange at {client.url}: {shown}",
            hint="check --network, and that the exchange is up",
        )
    return wire.parse_json(body)


async def _main(
    config: Config,
    url: str,
    key: bytes,
    account: str,
    state: StateDirectory,
    embedded: Embedded | None,
    duration_secs: float | None,
) -> Exit:
    client = Client(url)
    try:
        try:
            if embedded is not None:
                await embedded.ensure(client)
            loop = await _prepare(config, client, key, account, state, embedded)
        except BaseException:
            if embedded is not None:
                await embedded.stop()
            raise
        status = await loop.run(duration_secs)
        # What is not proved gone is to be found again by the next run.
        if embedded is not None and status in (Exit.STOPPED, Exit.KILLED):
            await embedded.stop()
        return status
    finally:
        await client.close()


async def _prepare(
    config: Config,
    client: Client,
    key: bytes,
    account: str,
    state: StateDirectory,
    embedded: Embedded | None,
) -> Runner:
    """Read what the loop needs to know of the market and the account, and say it."""
    meta = await _info(client, {"type": "meta"})
    instrument = wire.instrument(meta, config.trading.asset, decimals_cap=config.trading.decimals)
    balance = await _info(client, {"type": "clearinghouseState", "user": account})
    _introduce(client.url, embedded, instrument, account, balance)
    signer = Signer(key, is_mainnet=is_mainnet(client.url))
    return Runner(config, client, instrument, account, signer, state, embedded)


def _introduce(
    url: str, embedded: Embedded | None, instrument: Instrument, account: str, balance: Any
) -> None:
    """Print one line each for exchange, market and account."""
    kind = ""
    if embedded is not None:
        kind = f" (embedded, {embedded.spec} market)" if embedded.is_ours else " (already running)"
    value = float(balance["marginSummary"]["accountValue"])
    print(f"exchange  {url}{kind}")
    print(
        f"market    {instrument.coin}: prices of 5 figures and at most "
        f"{instrument.price_decimals} decimals, lot {instrument.print_size(1)}, "
        f"leverage up to {instrument.max_leverage}"
    )
    print(f"account   {account}: {value:,.2f} {instrument.collateral}", flush=True)
