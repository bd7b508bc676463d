"""What stands before the loop: key, state directory, exchange, market and account.

Whatever is wrong there is said before anything is placed.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from hypermm import telemetry
from hypermm.collateral import allocate, plan
from hypermm.config import Config
from hypermm.embedded import Embedded
from hypermm.errors import ConfigError, StartRefusedError, WireError
from hypermm.hyperliquid import wire
from hypermm.hyperliquid.ask import ask, master_of
from hypermm.hyperliquid.client import Client, is_mainnet
from hypermm.hyperliquid.signing import Nonces, Signer, address_of
from hypermm.instrument import Instrument
from hypermm.journal import StateDirectory
from hypermm.messages import AccountState, Level, Notice, ReadAccount
from hypermm.orders import Cloids
from hypermm.place import Place, find_market, find_private_key
from hypermm.rehearsal import Rehearsal
from hypermm.runner import Exit, Runner, Say, wall_ms
from hypermm.telemetry import escaped


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


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not on this platform: asyncio's own loop is slower, and right
        return None
    return uvloop.new_event_loop


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
