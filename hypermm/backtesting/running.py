"""Engine and exchange in virtual time, one process, no sockets: a market of hours in seconds.

The engine is the one that trades live; it cannot tell. Orders fill by the simulated exchange's
named queue model: behind the size that the market showed at their price, in price-time order, and
never more than traded. Same market, configuration and seed: same digest, on every build and
machine, whatever is shown while it runs or written afterwards.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from attrs import asdict, evolve

from hypermm import config as configuration
from hypermm._core.queue import MODEL_NAMES
from hypermm.backtesting.progress import Progress
from hypermm.backtesting.recorder import (
    FILL_DTYPE,
    SAMPLE_DTYPE,
    SIDES,
    TOUCH_DTYPE,
    Recorder,
    table,
)
from hypermm.backtesting.result import Assumptions, Result, markouts_of, split_profits
from hypermm.config import Config
from hypermm.engine import Engine
from hypermm.errors import ConfigError
from hypermm.gate import Gate
from hypermm.hyperliquid.budget import Budget
from hypermm.hyperliquid.signing import Nonces
from hypermm.inputs import open_log
from hypermm.recordings import Recording, pieces
from hypermm.sim.exchange import Exchange
from hypermm.sim.latency import Latency
from hypermm.sim.link import NS_PER_SEC, Bot, Link
from hypermm.sim.market import Market, RecordedMarket, open_market
from hypermm.sim.rules import Rules

ACCOUNT: Final = "0x" + "b1" * 20
SYNTHETIC_START_MS: Final = 1_757_000_000_000
SAMPLES_MAX: Final = 2_000
FUNDING_PAGE: Final = 500  # payments in one answer
Source = str | Path | Recording | Mapping[str, Recording] | Sequence[Market]


def backtest(
    source: Source,
    config: Config | Path | str | None = None,
    *,
    coin: str | None = None,
    seed: int = 0,
    duration_secs: float | None = None,
    latency: Latency | None = None,
    queue_model: str = "risk_averse",
    queue_exponent: float = 3.0,
    fees_bps: tuple[float, float] | None = None,
    keep_gaps: bool = False,
    funded_usd: float = 10_000.0,
    block_ms: int = 70,
    shows_progress: bool = False,
    record: Path | str | None = None,
    at_end: Callable[[Engine], None] | None = None,
) -> Result:
    """Trade a market in virtual time, from its start until it is over.

    Parameters
    ----------
    source : path, `synthetic`, Recording, mapping of them, or sequence of Market
        What to play; markets are used up by the run.
    config : Config or path, optional
        Settings, as live; the defaults if None.
    coin : str, optional
        The market to trade; `trading.asset`, or the only one there is, if None.
    seed : int
        Seed of the exchange's ids, of synthetic markets and of drawn delays.
    duration_secs : float, optional
        Virtual time after which the run ends; needed for a market that never does.
    latency : Latency, optional
        One-way delays; 50 ms each if None.
    queue_model : str
        Who left when a price shows less: `risk_averse` (all behind us: the pessimistic bound),
        `power`, `log`, `power2`, `log2` or `power3`; see `queue_position`. A profit that only one
        of them shows deserves distrust.
    queue_exponent : float
        Of the power models, > 0.
    fees_bps : (float, float), optional
        What the exchange charges a maker and a taker, in bps, not below 0; its base tier if None.
    keep_gaps : bool
        Play a silence of the recording as a dead feed. Otherwise the simulated venue keeps
        pushing its book, in which nothing moves.
    funded_usd : float
        What the account begins with.
    block_ms : int
        Time from block to block.
    record : path, optional
        Write all that goes into the engine and what comes out there, for `audit`.
    shows_progress : bool
        Show a line on stderr while it runs, if that is a terminal.
    at_end : callable, optional
        Called with the engine as the run leaves it.

    Returns
    -------
    Result
        Figures, arrays, and the split of the profit.

    Raises
    ------
    ConfigError
        If there is no such market, or a setting is not usable.
    RecordingError
        If the recording cannot be read.

    Examples
    --------
    >>> from hypermm import backtest
    >>> backtest("synthetic:WLFI", duration_secs=20.0).coin
    'WLFI'
    """
    settings = config if isinstance(config, Config) else _loaded(config)
    markets = _markets(source, seed)
    market = _chosen(markets, coin, settings)
    recording = market.recording if isinstance(market, RecordedMarket) else None
    start_ms = recording.start_ns // 1_000_000 if recording is not None else SYNTHETIC_START_MS
    name = market.instrument.coin
    rules = _rules(queue_model, queue_exponent, fees_bps)
    exchange = Exchange(markets, start_ms=start_ms, seed=seed, block_ms=block_ms, rules=rules)
    exchange.fund(ACCOUNT, funded_usd)
    instrument = evolve(exchange.by_coin[name].instrument, decimals_cap=settings.trading.decimals)
    outages = _outages(recording)
    delay = latency if latency is not None else Latency()
    if delay.model == "recorded":
        delay = _with_lags(delay, recording)
    link = Link(
        exchange,
        instrument,
        account=ACCOUNT,
        signer=ACCOUNT,
        latency=delay,
        seed=seed,
        outages=outages if keep_gaps else (),
    )
    made: dict[str, Any] = {
        "account": ACCOUNT,
        "session_start_secs": start_ms // 1_000,
        "maker_fee_bps": rules.maker_fee_per_million / PER_MILLION_IN_BPS,
    }
    engine = Engine(settings, instrument, **made)
    inputs = None if record is None else open_log(Path(record), settings, instrument, made)
    length_secs = _length_secs(recording, duration_secs)
    sample_ns = max(int(length_secs / SAMPLES_MAX * NS_PER_SEC), NS_PER_SEC)
    recorder = Recorder(link, engine, sample_ns=sample_ns)
    bot = Bot(
        engine,
        Gate(settings.risk, instrument),
        Budget(),
        Nonces(),
        link,
        on_step=recorder.on_step,
        on_truth=recorder.on_truth,
        inputs=inputs,
    )
    began = time.perf_counter()
    _run(bot, market, duration_secs, recorder, Progress(length_secs, name), shows_progress)
    if inputs is not None:
        inputs.close()
    fills, touches = table(recorder.fills, FILL_DTYPE), table(recorder.touches, TOUCH_DTYPE)
    secs = link.now_ns / NS_PER_SEC
    if not len(touches):
        raise ConfigError(f"{name}: no book with two sides in {secs:.0f} s of this market")
    splits = split_profits(touches, fills, _funding_paid(exchange, start_ms), secs)
    pnl_usd = recorder.equity_usd - funded_usd
    since_ns = link.now_ns - int((recorder.two_sided_secs or 0.0) * NS_PER_SEC)
    snapshot = engine.snapshot()
    if at_end is not None:
        at_end(engine)
    return Result(
        digest=engine.digest(),
        seed=seed,
        coin=name,
        venue=recording.venue if recording is not None else "synthetic",
        assumptions=_assumptions(delay, rules, recording, keep_gaps, outages),
        start_ns=start_ms * 1_000_000,
        virtual_secs=secs,
        wall_secs=time.perf_counter() - began,
        steps=bot.steps,
        blocks=link.now_ns // (block_ms * 1_000_000),
        rows=len(recording.rows) if recording is not None else 0,
        orders=recorder.orders,
        cancels=recorder.cancels,
        refusals=dict(recorder.refusals),
        denials=dict(recorder.denials),
        position=recorder.position,
        position_max=recorder.position_max,
        position_limit=engine.position_limit,
        lot=float(instrument.lot),
        pnl_usd=pnl_usd,
        residual_usd=pnl_usd - next(iter(splits.values())).total,
        funded_usd=funded_usd,
        first_quote_secs=recorder.first_quote_secs,
        two_sided_secs=recorder.two_sided_secs,
        two_sided_fraction=recorder.two_sided_ns / max(since_ns, 1),
        floor_fraction=recorder.floored_ns / max(recorder.two_sided_ns, 1),
        mode=engine.mode,
        end_reason=snapshot.latch.reason if snapshot.latch is not None else snapshot.start_error,
        warnings=tuple(recorder.warnings),
        dropped=dict(recording.dropped) if recording is not None else {},
        outages=tuple((start / NS_PER_SEC, end / NS_PER_SEC) for start, end in outages),
        splits=splits,
        quoted={side: recorder.quoted(side) for side in SIDES},
        settings=_shown(settings),
        markouts=markouts_of(touches, fills),
        fills=fills,
        market=touches,
        quotes=table(recorder.quotes, TOUCH_DTYPE),
        samples=table(recorder.samples, SAMPLE_DTYPE),
    )


def _run(
    bot: Bot,
    market: Market,
    duration_secs: float | None,
    recorder: Recorder,
    progress: Progress,
    shows_progress: bool,
) -> None:
    link = bot.link
    link.connect()
    end_ns = None if duration_secs is None else int(duration_secs * NS_PER_SEC)
    start_usd = recorder.equity_usd
    try:
        while not (bot.is_done or market.is_over or (end_ns is not None and link.now_ns >= end_ns)):
            next_ns = link.now_ns + NS_PER_SEC
            bot.run_until(next_ns if end_ns is None else min(next_ns, end_ns))
            if shows_progress:
                gain = recorder.equity_usd - start_usd
                progress.show(link.now_ns / NS_PER_SEC, len(recorder.fills), gain)
    finally:
        if shows_progress:
            progress.close()


def _loaded(path: Path | str | None) -> Config:
    return configuration.load(None if path is None else Path(path))


def _markets(source: Source, seed: int) -> Sequence[Market]:
    if isinstance(source, Recording):
        return [RecordedMarket(source)]
    if isinstance(source, Mapping):
        return [RecordedMarket(recording) for recording in source.values()]
    if isinstance(source, str | Path):
        return open_market(str(source), seed)
    return source


def _chosen(markets: Sequence[Market], coin: str | None, settings: Config) -> Market:
    name = coin if coin is not None else settings.trading.asset
    found = next((m for m in markets if m.instrument.coin == name), None)
    if found is None and coin is None and len(markets) == 1:
        return markets[0]
    if found is None:
        listed = ", ".join(m.instrument.coin for m in markets)
        raise ConfigError(f"no market {name!r} here: {listed}", hint="choose one with --asset")
    return found


def _outages(recording: Recording | None) -> tuple[tuple[int, int], ...]:
    """Return the silences of a recording, in virtual ns."""
    if recording is None:
        return ()
    parts = list(pieces(recording))
    return tuple(
        (before[1] - recording.start_ns, after[0] - recording.start_ns)
        for before, after in pairwise(parts)
    )


def _length_secs(recording: Recording | None, duration_secs: float | None) -> float:
    lengths = [] if duration_secs is None else [duration_secs]
    if recording is not None:
        lengths.append((recording.end_ns - recording.start_ns) / NS_PER_SEC)
    return min(lengths, default=0.0)


def _with_lags(latency: Latency, recording: Recording | None) -> Latency:
    if recording is None or not len(recording.lags_ns):
        raise ConfigError(
            "this market has no lags of its own: its recorder kept no clock",
            hint="use the constant or the lognormal latency model",
        )
    return evolve(latency, lags_ns=recording.lags_ns - (recording.start_ns, 0))


def _funding_paid(exchange: Exchange, start_ms: int) -> list[float]:
    """Return what the account paid for funding, by the exchange's own list."""
    paid: list[float] = []
    while True:
        request = {"type": "userFunding", "user": ACCOUNT, "startTime": start_ms}
        page = exchange.info(request)
        paid += [-float(one["delta"]["usdc"]) for one in page]
        if len(page) < FUNDING_PAGE:
            return paid
        start_ms = page[-1]["time"] + 1


def _assumptions(
    latency: Latency,
    rules: Rules,
    recording: Recording | None,
    keep_gaps: bool,
    outages: Sequence[tuple[int, int]],
) -> Assumptions:
    out_secs = sum(end - start for start, end in outages) / NS_PER_SEC
    played = "a dead feed" if keep_gaps else "a book that stands still and is still pushed"
    gaps = f"{len(outages)} of {out_secs:.1f} s in all, played as {played}" if outages else "none"
    maker, taker = (
        rate / PER_MILLION_IN_BPS
        for rate in (rules.maker_fee_per_million, rules.taker_fee_per_million)
    )
    exponent = f" (n = {rules.queue_exponent:g})" if rules.queue_model.startswith("power") else ""
    return Assumptions(
        queue=f"{rules.queue_model}{exponent}: behind all that was shown at the price; "
        + QUEUE_STATEMENTS.get(rules.queue_model, SHARED_CANCELS),
        latency=str(latency),
        fees=f"maker {maker:g}, taker {taker:g} bps"
        + (", less with volume by the exchange's tiers" if rules.has_fee_tiers else ""),
        gaps=gaps,
        notes=recording.notes if recording is not None else (),
    )


PER_MILLION_IN_BPS: Final = 100.0
QUEUE_STATEMENTS: Final = {
    "risk_averse": "cancels are all behind us, only trades bring us forward",
}
SHARED_CANCELS: Final = "cancels are shared between those before and behind us by the model"


def _rules(queue_model: str, queue_exponent: float, fees_bps: tuple[float, float] | None) -> Rules:
    if queue_model not in MODEL_NAMES:
        raise ConfigError(
            f"queue model {queue_model!r} is none of {', '.join(MODEL_NAMES)}",
            hint="use risk_averse, the pessimistic one",
        )
    if not 0.0 < queue_exponent <= 100.0:
        raise ConfigError(f"queue exponent {queue_exponent} is outside: above 0 to 100")
    # One market's volume says nothing of the exchange's tiers, and the result names one fee.
    base = Rules(queue_model=queue_model, queue_exponent=queue_exponent, has_fee_tiers=False)
    if fees_bps is None:
        return base
    if not all(0.0 <= fee <= 100.0 for fee in fees_bps):
        raise ConfigError(f"fees of {fees_bps} bps are outside 0 to 100")
    maker, taker = (round(fee * PER_MILLION_IN_BPS) for fee in fees_bps)
    return evolve(
        base,
        maker_fee_per_million=maker,
        taker_fee_per_million=taker,
        has_fee_tiers=False,
    )


def _shown(settings: Config) -> dict[str, Any]:
    """Return the settings without the secret one."""
    return {
        name: {key: value for key, value in section.items() if key != "private_key"}
        for name, section in asdict(settings).items()
    }
