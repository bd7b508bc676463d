"""What stands before the loop: key, state directory, exchange, market and account.

Whatever is wrong there is said before anything is placed.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import attrs

from hypermm import telemetry
from hypermm.cancel import Cancelled, cancel_all
from hypermm.collateral import allocate, plan
from hypermm.config import Config
from hypermm.credentials import Credential, find_key
from hypermm.embedded import Embedded
from hypermm.errors import ConfigError, StartRefusedError, UnreachableError, WireError
from hypermm.hyperliquid import universe, wire
from hypermm.hyperliquid.ask import ask, master_of
from hypermm.hyperliquid.client import NETWORKS, Client, base_url, is_mainnet
from hypermm.hyperliquid.signing import Nonces, Signer, address_of, parse_key
from hypermm.instrument import Instrument
from hypermm.journal import LocalState, StateDirectory, state_root
from hypermm.messages import AccountState, Level, Notice, ReadAccount
from hypermm.orders import Cloids
from hypermm.rehearsal import Rehearsal
from hypermm.runner import Exit, Runner, Say, wall_ms
from hypermm.status import Status, read_status
from hypermm.telemetry import escaped

LOCALHOST = "localhost"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def run(
    config: Config,
    *,
    config_path: Path | None,
    key_argument: str | None,
    accepts_key_risk: bool,
    log_file: Path | None,
    log_dir: Path | None = None,
    duration_secs: float | None,
    market: str | None,
    environ: Mapping[str, str],
    record: Path | None = None,
    is_dry: bool = False,
) -> int:
    """Quote until told to stop; returns an exit status.

    Places and cancels orders on the exchange that `config.network` names. A dry run only reads,
    and ends when the first ladder is known.

    Raises
    ------
    ConfigError
        If a setting, the key, the market or the state directory is not usable.
    StartRefusedError
        If the kill latch stands or another instance holds the account.
    UnreachableError
        If the exchange does not answer.
    """
    where = Place(config, environ)
    streams = None
    if log_dir is not None:
        now = datetime.now(UTC)
        place = config.trading.dex or where.name
        streams = log_dir / telemetry.log_name(place, config.trading.asset, now)
    telemetry.start_logging(
        level=config.logging.level,
        form=config.logging.format,
        file=log_file,
        levels=attrs.asdict(config.logging.levels),
        streams=streams,
    )
    if market is not None and where.local is None:
        raise ConfigError(
            "--market belongs to the embedded exchange", hint="use it with --network localhost"
        )
    key = find_private_key(
        config, config_path, key_argument, environ, where, accepts_risk=accepts_key_risk
    )
    where.state(address_of(key))  # a state directory that cannot be made is said at once
    embedded = None
    if where.local is not None:
        port = int(where.url.rsplit(":", 1)[1])
        embedded = Embedded(
            where.local,
            port=port,
            market=market,
            account=address_of(key),
            dex=config.trading.dex,
        )
    with asyncio.Runner(loop_factory=_loop_factory()) as loop:
        return int(
            loop.run(_main(config, where, key, embedded, duration_secs, record, is_dry=is_dry))
        )


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


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not on this platform: asyncio's own loop is slower, and right
        return None
    return uvloop.new_event_loop


class Place:
    """The network of a run: its address, its name on disk, its state.

    Parameters
    ----------
    config : Config
        Its `network` section counts.
    environ : mapping of str to str
        Where the state directory is found.
    """

    def __init__(self, config: Config, environ: Mapping[str, str]) -> None:
        self.url = base_url(config.network.base_url)
        self._root = state_root(environ)
        # However the address is written, one exchange has one latch, one lock and one nonce.
        parts = urlsplit(self.url)
        host = "localhost" if parts.hostname in LOOPBACK else str(parts.hostname)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        named = {url: name for name, url in NETWORKS.items()}
        self.name = named.get(f"{parts.scheme}://{host}:{port}".removesuffix(":443"), "")
        self.name = self.name or f"{host}_{port}".replace(":", "-")
        self.local = LocalState(self._root) if config.network.base_url == LOCALHOST else None

    @property
    def is_mainnet(self) -> bool:
        """Whether real money is traded there."""
        return is_mainnet(self.url)

    def has_state(self, account: str) -> bool:
        """Whether anything is kept of an account there."""
        return (self._root / self.name / account.lower()).is_dir()

    def state(self, account: str) -> StateDirectory:
        """Return the state of an account there."""
        return StateDirectory(self._root, self.name, account)


def find_private_key(
    config: Config,
    config_path: Path | None,
    argument: str | None,
    environ: Mapping[str, str],
    where: Place,
    *,
    accepts_risk: bool,
) -> bytes:
    """Find and check the key of the trading wallet; it is never shown.

    Raises
    ------
    ConfigError
        If there is none, it is no key, or on mainnet it lies where others may see it.
    """
    found = find_key(
        argument=argument,
        environ=environ,
        folder=Path.cwd(),
        file=config_path,
        file_key=config.network.private_key,
    )
    if found is None and where.local is not None:
        found = Credential(where.local.key(wall_ms()), "the state directory", is_exposed=False)
    if found is None:
        raise ConfigError(
            "Private key not set",
            hint="export HYPERLIQUID_PRIVATE_KEY=..., or write it to a file .env of mode 600, or "
            "to [network] private_key of the configuration file;\n     or trade on an exchange of "
            "your own, which needs none: python -m hypermm run --network localhost",
        )
    if found.is_exposed and where.is_mainnet and not accepts_risk:
        raise ConfigError(
            f"the key of a mainnet account comes from {found.source}, where others may see it",
            hint="use the variable HYPERLIQUID_PRIVATE_KEY, or add --accept-key-risk",
        )
    if found.is_exposed:
        fields = {"source": found.source}
        telemetry.write(Notice(Level.WARN, "Others may be able to see the private key", fields))
    return parse_key(found.text)


async def _account_if_reachable(where: Place, address: str) -> str:
    client = Client(where.url)
    try:
        return await master_of(client, address)
    except (UnreachableError, WireError):
        return address
    finally:
        await client.close()


async def _main(
    config: Config,
    where: Place,
    key: bytes,
    embedded: Embedded | None,
    duration_secs: float | None,
    record: Path | None,
    *,
    is_dry: bool,
) -> Exit:
    client = Client(where.url)
    try:
        try:
            if embedded is not None:
                await embedded.ensure(client)
            account = await master_of(client, address_of(key))
            with contextlib.ExitStack() as held:
                kept = where.state(account)
                _refuse_latched(kept)
                if is_dry:  # whoever runs goes on, and what it keeps stays as it is
                    folder = Path(held.enter_context(TemporaryDirectory()))
                    kept = StateDirectory(folder, where.name, account)
                state = held.enter_context(kept)
                runner = await _prepare(
                    config, client, key, account, state, embedded, is_dry=is_dry
                )
                if record is not None:
                    runner.record(record)
                status = await runner.run(duration_secs)
        except BaseException:
            if embedded is not None:
                await embedded.abandon()
            raise
        # What is not proved gone is to be found again by the next run.
        if embedded is not None and status in (Exit.STOPPED, Exit.KILLED, Exit.CONFIG):
            await embedded.stop()
        return status
    finally:
        await client.close()


def _refuse_latched(state: StateDirectory) -> None:
    latch = state.latch()
    if latch is not None:
        raise StartRefusedError(
            f"the kill switch was triggered: {escaped(latch.reason)}",
            hint="find the cause, then allow quoting again with: python -m hypermm clear-kill",
        )


async def find_market(client: Client, config: Config) -> Instrument:
    """Read the rules of the market that the settings name.

    Raises
    ------
    ConfigError
        If there is no such dex or market.
    UnreachableError
        If the exchange does not answer.
    """
    trading = config.trading
    dex, index = "", 0
    if trading.dex:
        index, dex = universe.find_dex(await ask(client, {"type": "perpDexs"}), trading.dex)
    meta = await ask(client, {"type": "meta", "dex": dex} if dex else {"type": "meta"})
    found = universe.instrument(meta, trading.asset, dex, index, trading.decimals)
    return attrs.evolve(found, is_isolated_only=True) if trading.force_isolated else found


async def _prepare(
    config: Config,
    client: Client,
    key: bytes,
    account: str,
    state: StateDirectory,
    embedded: Embedded | None,
    *,
    is_dry: bool,
) -> Runner:
    """Read what the loop needs to know of the market and the account, and say it."""
    instrument = await find_market(client, config)
    allocation = await plan(client, account, instrument, config.trading.initial_isolated_margin)
    signer = Signer(key, is_mainnet=is_mainnet(client.url))
    if allocation is not None and allocation.is_low:
        fields = {"dex": allocation.dex, "usd": round(allocation.missing_usd, 2)}
        event = "Collateral would be moved" if is_dry else "Collateral moved"
        if not is_dry:
            now_ms = wall_ms()
            nonces = Nonces(state.nonce_high_water(now_ms).value)
            state.reserve_nonce(max(now_ms, nonces.high_water) + 1)
            await allocate(
                client, signer, nonces, account, allocation,
                is_mainnet=is_mainnet(client.url), wall_ms=now_ms,
            )  # fmt: skip
        telemetry.write(Notice(Level.INFO, event, fields))
    read = ReadAccount(0)
    payload = await ask(client, wire.encode_read(read, account, instrument.dex))
    balance = wire.decode_read(read, payload, instrument)
    assert isinstance(balance, AccountState), f"the answer to {read} is {balance}"
    say = Say(config.logging.format)
    _introduce(say, client.url, embedded, instrument, account, balance.account_value_usd)
    rehearsal = None
    if is_dry:
        missing_usd = allocation.missing_usd if allocation is not None else 0.0
        rehearsal = Rehearsal(Cloids(account, "default", 0), missing_usd)
    return Runner(
        config,
        client,
        instrument,
        account,
        signer,
        state,
        embedded,
        say,
        maker_fee_bps=await _maker_fee_bps(client, account),
        rehearsal=rehearsal,
    )


async def _maker_fee_bps(client: Client, account: str) -> float:
    """Read what the account pays for a fill, discounts and rebates in it."""
    fees = await ask(client, {"type": "userFees", "user": account})
    try:
        return float(fees["userAddRate"]) * 1e4
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"the account's fees have another form: {error!r:.80}") from error


def _introduce(
    say: Say,
    url: str,
    embedded: Embedded | None,
    instrument: Instrument,
    account: str,
    value_usd: float,
) -> None:
    """Print one line each for exchange, market and account."""
    kind = ""
    if embedded is not None:
        kind = f" (embedded, {embedded.spec} market)" if embedded.is_ours else " (already running)"
    say(f"exchange  {url}{kind}")
    say(
        f"market    {instrument.coin}: prices of 5 figures and at most "
        f"{instrument.price_decimals} decimals, lot {instrument.print_size(1)}, "
        f"leverage up to {instrument.max_leverage}"
    )
    say(f"account   {account}: {value_usd:,.2f} {instrument.collateral}")


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
