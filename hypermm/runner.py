"""The live loop: read a frame, hand it over with the time, write what comes back, one timer.

The only place that reads clocks for the engine. A frame is decided on in the coroutine that read
it, without a queue in between. Every task is supervised: if one dies, what may rest is cancelled
and the error is reported.
"""

import asyncio
import contextlib
import math
import os
import platform
import signal
import sys
import time
from collections.abc import Callable
from enum import IntEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hypermm import telemetry
from hypermm.collateral import allocate, plan
from hypermm.config import Config, MonitoringConfig
from hypermm.embedded import Embedded, market_over
from hypermm.engine import Engine, Mode, Snapshot
from hypermm.errors import ConfigError, HypermmError, UnreachableError, WireError
from hypermm.gate import Gate
from hypermm.hyperliquid import wire
from hypermm.hyperliquid.budget import Budget
from hypermm.hyperliquid.client import Client, is_mainnet
from hypermm.hyperliquid.payloads import encode_json, parse_json
from hypermm.hyperliquid.session import Frame, Post, Reopen, Session
from hypermm.hyperliquid.signing import Nonces, Signer
from hypermm.inputs import InputLog, open_log
from hypermm.instrument import Instrument
from hypermm.journal import StateDirectory
from hypermm.ledger import DayFigures
from hypermm.messages import (
    Action,
    Batch,
    CancelOids,
    Level,
    Notice,
    OpenOrders,
    PrivateEvent,
    ReadOpenOrders,
    StopRequested,
)
from hypermm.metrics import Metrics
from hypermm.orders import Cloids
from hypermm.rehearsal import Rehearsal
from hypermm.supervise import ALIVE, READY, STOPPING, Supervisor
from hypermm.view import view

BACKOFF_SECS = (0.1, 0.5, 1.0, 2.0, 4.0)  # then 4 s each: under 30 new connections a minute
PERSIST_SECS = 1.0
MARKET_POLL_SECS = 2.0
COLLATERAL_SECS = 60.0
HURRY_SECS = 1.0  # what a second signal leaves for the proof
TURNS_MAX = 8  # decisions on one wake-up, while refusals come back at once
IDLE_NS = 250_000_000
SWEEPS = 5
SWEEP_PAUSE_SECS = 0.5


class Exit(IntEnum):
    """Exit statuses of a run; the table is in docs/reference/exit-status.md."""

    STOPPED = 0
    INTERNAL = 1
    CONFIG = 2
    UNREACHABLE = 6
    KILLED = 10
    KILLED_UNPROVED = 11
    REFUSED = 12
    STOPPED_UNPROVED = 13


def _build(config: Config, url: str, instrument: Instrument) -> dict[str, str]:
    """Name what runs, for the metrics."""
    try:
        release = version("hypermm")
    except PackageNotFoundError:
        release = "source"
    return {
        "version": release,
        "python": platform.python_version(),
        "network": url,
        "asset": instrument.coin,
        "strategy": config.strategy.strategy_type,
        "risk_aversion": f"{config.trading.risk_aversion:g}",
    }


class Say:
    """Prints lines for a person, and never fails: the reader of a pipe may be gone.

    Parameters
    ----------
    form : str
        Form of the log lines; beside `json` they go to standard error, so that a parser of
        standard output meets nothing else.
    """

    def __init__(self, form: str) -> None:
        self._stream = sys.stderr if form == "json" else sys.stdout

    def __call__(self, line: str, *, is_error: bool = False) -> None:
        """Print one line."""
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr if is_error else self._stream, flush=True)


def wall_ms() -> int:
    """Return the wall clock in ms since 1970: for nonces and names, never for timers."""
    return time.time_ns() // 1_000_000


class Runner:
    """One run: its tasks, and the way between client, session, engine and gate."""

    def __init__(
        self,
        config: Config,
        client: Client,
        instrument: Instrument,
        account: str,
        signer: Signer,
        state: StateDirectory,
        embedded: Embedded | None,
        say: Say,
        *,
        maker_fee_bps: float,
        rehearsal: Rehearsal | None = None,
    ) -> None:
        self._say = say
        start_ms = wall_ms()
        kept_nonce = state.nonce_high_water(start_ms)
        kept_day = state.day(start_ms)
        for kept in (kept_nonce, kept_day):
            if kept.set_aside is not None:
                fields = {"copy": str(kept.set_aside)}
                telemetry.write(Notice(Level.WARN, "A damaged state file was set aside", fields))
        self._config = config
        self._client = client
        self._instrument = instrument
        self._account = account
        self._state = state
        self._embedded = embedded
        self._nonces = Nonces(kept_nonce.value)
        self._signer = signer
        self._session_secs = start_ms // 1000
        self._cloids = Cloids(account, "default", self._session_secs)
        self._budget = Budget()
        self._session = Session(instrument, account, signer, self._nonces, self._budget)
        self._gate = Gate(config.risk, instrument)
        self._made: dict[str, Any] = {
            "account": account,
            "session_start_secs": self._session_secs,
            "day": kept_day.value,
            "maker_fee_bps": maker_fee_bps,
        }
        self._engine = Engine(config, instrument, **self._made)
        self._inputs: InputLog | None = None
        self._rehearsal = rehearsal
        self._injected: list[PrivateEvent] = []
        self._posts: set[asyncio.Task[None]] = set()
        self._wakeup = asyncio.Event()
        self._armed_ns = 0
        self._signals = 0
        self._is_latched = False
        self._hard_stop: asyncio.TimerHandle | None = None
        self._over = asyncio.Event()
        self._saved_day: DayFigures | None = None
        self._supervisor = Supervisor(os.environ)
        self._is_unshown = False  # the picture for other processes could not be written
        self._fair_price = math.nan  # of a dry run's ladder
        self._metrics = Metrics(instrument, _build(config, client.url, instrument))

    def record(self, path: Path) -> None:
        """Write what goes into the engine and what comes out; to be called before `run`."""
        self._inputs = open_log(path, self._config, self._instrument, self._made)

    async def run(self, duration_secs: float | None) -> Exit:
        """Trade until the engine is done."""
        stop_metrics = self._serve_metrics()
        try:
            status = await self._run(duration_secs)
            if status in (Exit.KILLED, Exit.KILLED_UNPROVED) and stop_metrics is not None:
                await self._linger()
            return status
        finally:
            if self._inputs is not None:
                self._inputs.close()
            if stop_metrics is not None:
                stop_metrics()

    async def _linger(self) -> None:
        """Go on serving metrics after a kill, so that an alert can fire; a signal ends it."""
        loop = asyncio.get_running_loop()
        told = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, told.set)
        secs = self._config.monitoring.metrics_linger_secs
        self._say(f"metrics   served for {secs:g} s more; Ctrl-C leaves at once")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(secs):
                await told.wait()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    def _serve_metrics(self) -> Callable[[], None] | None:
        monitoring = self._config.monitoring
        if not monitoring.enable_http_metrics or monitoring.metrics_port == 0:
            return None
        try:
            return self._metrics.serve(monitoring.metrics_host, monitoring.metrics_port)
        except ConfigError as error:
            if monitoring.metrics_port != MonitoringConfig().metrics_port:
                raise
            # Nobody asked for just this port: another run may have it.
            fields = {"reason": str(error).replace("\n", " ")}
            telemetry.write(Notice(Level.WARN, "No metrics are served", fields))
            return None

    async def _run(self, duration_secs: float | None) -> Exit:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal, number.name)
        loop.add_signal_handler(signal.SIGHUP, telemetry.reopen)
        if duration_secs is not None:
            loop.call_later(duration_secs, self._stop, f"--duration {duration_secs:g}s is over")
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                workers = [
                    tasks.create_task(self._connect(), name="socket"),
                    tasks.create_task(self._keep_time(), name="timer"),
                    tasks.create_task(self._persist(), name="state"),
                ]
                if self._instrument.dex and self._rehearsal is None:
                    workers.append(tasks.create_task(self._keep_collateral(), name="collateral"))
                if self._config.network.base_url not in ("mainnet", "testnet"):
                    workers.append(tasks.create_task(self._watch_market(), name="market"))
                await self._over.wait()
                for worker in (*workers, *self._posts):
                    worker.cancel()
        except ExceptionGroup as group:
            return await self._fail(group)
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.remove_signal_handler(number)
        self._supervisor.tell(STOPPING)
        self._save()
        return self._farewell()

    # Inputs: each ends in a turn.

    async def _connect(self) -> None:
        """Keep a socket open and decide on every frame where it is read."""
        attempt = 0
        while True:
            try:
                await self._client.open()
            except UnreachableError as error:
                pause = BACKOFF_SECS[min(attempt, len(BACKOFF_SECS) - 1)]
                attempt += 1
                fields = {"reason": self._client.close_reason, "pause_secs": pause}
                telemetry.write(Notice(Level.WARN, "Failed to connect to exchange", fields))
                await asyncio.sleep(pause)
                await self._revive(error)
                continue
            self._session.connected(time.monotonic_ns())
            await self._turn()
            while (frame := await self._client.receive()) is not None:
                self._session.receive(frame, time.monotonic_ns())
                await self._turn()
            # A server that takes connections only to close them is as good as none.
            attempt = 0 if self._session.is_ready else attempt + 1
            self._session.disconnected(self._client.close_reason, time.monotonic_ns())
            await self._turn()
            await asyncio.sleep(BACKOFF_SECS[min(attempt, len(BACKOFF_SECS) - 1)])

    async def _keep_time(self) -> None:
        """Wake engine and session when they asked for it."""
        while True:
            self._armed_ns = self._due_ns()
            delay_secs = max(self._armed_ns - time.monotonic_ns(), 0) / 1e9
            try:
                async with asyncio.timeout(delay_secs):
                    await self._wakeup.wait()
            except TimeoutError:
                self._session.tick(time.monotonic_ns())
            self._wakeup.clear()
            await self._turn()

    async def _post(self, post: Post) -> None:
        status, body = await self._client.post(post.path, post.body)
        self._session.reply(post.id, status, body, time.monotonic_ns())
        await self._turn()

    def _on_signal(self, name: str) -> None:
        self._signals += 1
        if self._signals > 1:
            asyncio.get_running_loop().call_later(HURRY_SECS, self._give_up)
        self._stop(name)

    def _stop(self, reason: str) -> None:
        """Ask the engine to stop, and make sure that this ends."""
        self._injected.append(StopRequested(reason))
        if self._hard_stop is None:
            secs = self._config.risk.shutdown_deadline_secs + HURRY_SECS
            self._hard_stop = asyncio.get_running_loop().call_later(secs, self._give_up)
        self._wakeup.set()

    def _give_up(self) -> None:
        self._over.set()

    # The turn: everything that has arrived -> one decision -> what is to be written.

    async def _turn(self) -> None:
        session, engine, metrics = self._session, self._engine, self._metrics
        began_ns = now_ns = time.monotonic_ns()
        has_written = False
        for _ in range(TURNS_MAX):
            batch = session.take_batch()
            if self._injected:
                batch = Batch(batch.rows, (*batch.private, *self._injected))
                self._injected = []
            self._gate.observe(batch.rows)
            if self._rehearsal is not None:
                batch = self._rehearsal.hide(batch)
            actions = engine.step(batch, now_ns)
            if self._inputs is not None:
                self._inputs.absorb(batch, actions, now_ns)
            if actions:
                allowed, denied = self._gate.check(actions, now_ns)
                self._injected += denied
                if self._rehearsal is not None:
                    allowed = self._rehearse(self._rehearsal, allowed)
                sent_ms = wall_ms()
                self._state.reserve_nonce(max(sent_ms, self._nonces.high_water) + len(allowed))
                session.send(allowed, now_ns, sent_ms)
                has_written = True
            if not (self._injected or session.has_batch):
                break
            now_ns = time.monotonic_ns()
        for item in session.take_outbox():
            match item:
                case Frame(text):
                    await self._client.send(text)
                case Post():
                    task = self._tasks.create_task(self._post(item))
                    self._posts.add(task)
                    task.add_done_callback(self._posts.discard)
                case Reopen(reason):
                    telemetry.write(Notice(Level.WARN, "Reconnecting", {"reason": reason}))
                    await self._client.close_socket()
        took_ms = (time.monotonic_ns() - began_ns) * 1e-6
        metrics.steps.observe(took_ms)
        if has_written:
            metrics.cycles.observe(took_ms)
        for notice in (*engine.take_notices(), *session.take_notices()):
            telemetry.write(notice)
        if engine.latch is not None and not self._is_latched:
            self._is_latched = True
            self._state.write_latch(engine.latch)
        if engine.mode is Mode.DONE:
            self._over.set()
        elif self._due_ns() < self._armed_ns:
            self._wakeup.set()

    def _rehearse(self, rehearsal: Rehearsal, actions: tuple[Action, ...]) -> tuple[Action, ...]:
        """Keep what is signed; the first orders end the run."""
        passed, answers = rehearsal.keep(actions)
        self._injected += answers
        if rehearsal.orders and self._hard_stop is None:
            self._fair_price = self._engine.snapshot().estimates.fair_price
            self._stop("dry run: the ladder is known")
        return passed

    def _due_ns(self) -> int:
        due = (self._engine.deadline_ns, self._session.deadline_ns)
        return min((ns for ns in due if ns is not None), default=time.monotonic_ns() + IDLE_NS)

    # Beside the path of a message.

    async def _persist(self) -> None:
        """Keep the day's figures across a crash, and show the present ones."""
        is_ready = False
        while True:
            await asyncio.sleep(PERSIST_SECS)
            self._save()
            mode = self._engine.mode.value
            # Connected, and the account is known: from here on it quotes when it may.
            has_begun = self._engine.mode is not Mode.SYNCING
            self._supervisor.tell(READY if has_begun and not is_ready else ALIVE, mode)
            is_ready = is_ready or has_begun

    def _save(self) -> None:
        snapshot = self._engine.snapshot()
        self._metrics.show(snapshot, budget_remaining=self._budget.remaining)
        self._show(snapshot)
        day = snapshot.day
        if day is not None and day != self._saved_day:
            self._saved_day = day
            self._state.write_day(day)

    def _show(self, snapshot: Snapshot) -> None:
        """Let other processes see where the run stands; a disk that is full stops no trading."""
        picture = view(
            snapshot,
            self._engine.explain(),
            self._instrument,
            pid=os.getpid(),
            session_secs=self._session_secs,
            wall_ms=wall_ms(),
        )
        try:
            self._state.write_view(picture)
        except ConfigError as error:
            if not self._is_unshown:
                fields = {"reason": str(error).replace("\n", " ")}
                telemetry.write(Notice(Level.WARN, "State is not shown", fields))
            self._is_unshown = True
        else:
            self._is_unshown = False

    async def _keep_collateral(self) -> None:
        """Move more onto the builder's dex when losses have taken of it."""
        wanted_usd = self._config.trading.initial_isolated_margin
        is_told = False
        while True:
            await asyncio.sleep(COLLATERAL_SECS)
            try:
                found = await plan(self._client, self._account, self._instrument, wanted_usd)
                if found is None or not found.is_low:
                    continue
                now_ms = wall_ms()
                self._state.reserve_nonce(max(now_ms, self._nonces.high_water) + 1)
                await allocate(
                    self._client, self._signer, self._nonces, self._account, found,
                    is_mainnet=is_mainnet(self._client.url), wall_ms=now_ms,
                )  # fmt: skip
            except (ConfigError, UnreachableError, WireError) as error:
                if not is_told:  # it may last; the limits of risk hold meanwhile
                    fields = {"reason": str(error).replace("\n", " ")}
                    telemetry.write(Notice(Level.WARN, "Collateral is low", fields))
                is_told = True
            else:
                is_told = False
                fields = {"dex": found.dex, "usd": f"{found.missing_usd:.2f}"}
                telemetry.write(Notice(Level.WARN, "Collateral topped up", fields))

    async def _watch_market(self) -> None:
        """Stop when a simulated exchange says that its market is over."""
        while True:
            await asyncio.sleep(MARKET_POLL_SECS)
            over = await market_over(self._client)
            if over:
                self._stop(over)
                return

    async def _revive(self, error: UnreachableError) -> None:
        """Start the embedded exchange again if its process has died."""
        if self._embedded is None or not self._embedded.has_died:
            return
        fields = {"reason": str(error)}
        telemetry.write(Notice(Level.WARN, "The embedded exchange died; starting it again", fields))
        await self._embedded.start(self._client)

    async def _fail(self, group: BaseExceptionGroup[Exception]) -> Exit:
        """Cancel what may rest after a defect of ours, and only then say what happened."""
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        left = await self._sweep()
        telemetry.write_error("Internal error", error)
        with contextlib.suppress(HypermmError):  # the disk may be what failed
            self._save()
        for line in left:
            self._say(f"not proved gone: {line}", is_error=True)
        proof = "NOT all own orders proved gone" if left else "all own orders proved gone"
        self._say(f"stopped by an internal error; {proof}", is_error=True)
        return Exit.INTERNAL

    async def _sweep(self) -> list[str]:
        """Cancel everything with our tag by HTTP, without the engine; returns what is left."""
        left: list[str] = ["unknown: the exchange's list could not be read"]
        read = wire.encode_read(ReadOpenOrders(0), self._account, self._instrument.dex)
        for _ in range(SWEEPS):
            status, body = await self._client.post("/info", encode_json(read))
            if status == 200:
                listed = wire.decode_read(ReadOpenOrders(0), parse_json(body), self._instrument)
                orders = listed.orders if isinstance(listed, OpenOrders) else ()
                oids = tuple(o.oid for o in orders if self._cloids.is_ours(o.cloid))
                left = [f"order {oid}" for oid in oids]
                if not oids:
                    break
                action = wire.encode_action(CancelOids(0, oids), self._instrument)
                await self._client.post(
                    "/exchange", self._signer.sign(action, self._nonces.next(wall_ms()))
                )
            await asyncio.sleep(SWEEP_PAUSE_SECS)
        return left

    def _farewell(self) -> Exit:
        """Print where the account stands and return what was proved, or why nothing began."""
        last = self._engine.snapshot()
        figures, instrument = last.ledger, self._instrument
        value_usd = figures.position * figures.mark_price / 1e6
        size = instrument.print_size(last.position)
        fees, session, day = figures.fees_usd, figures.session_pnl_usd, figures.day_pnl_usd
        counts, say = last.counters, self._say
        if self._rehearsal is not None:
            for line in self._rehearsal.lines(instrument, self._fair_price):
                say(line)
            say("dry run   nothing was signed or sent; nothing was changed")
            return Exit.CONFIG if last.start_error else Exit.STOPPED
        say(f"\nposition  {size} {instrument.coin} ({value_usd:,.2f} USD)")
        say(f"P&L       {session:+,.2f} USD after {fees:,.2f} USD fees; UTC day {day:+,.2f} USD")
        say(
            f"fills     {counts.buys} buys, {counts.sells} sells, "
            f"{figures.traded_usd:,.0f} USD traded"
        )
        say(f"adverse selection  {_markouts(last)}")
        if not last.is_proved:
            for order in last.orders:
                price, left = instrument.print_price(order.price), order.remaining
                say(
                    f"not proved gone: {order.side.name.lower()} {instrument.print_size(left)} at "
                    f"{price}, cloid {order.cloid:#034x}",
                    is_error=True,
                )
        proof = "all own orders proved gone" if last.is_proved else "NOT all orders proved gone"
        if last.latch is not None:
            say(f"killed    {last.latch.reason}; {proof}")
            return Exit.KILLED if last.is_proved else Exit.KILLED_UNPROVED
        if last.start_error:
            say(f"hypermm: {last.start_error}; {proof}", is_error=True)
            return Exit.CONFIG
        say(f"stopped   {last.stop_reason}; {proof}")
        return Exit.STOPPED if last.is_proved else Exit.STOPPED_UNPROVED


def _markouts(snapshot: Snapshot) -> str:
    shown = [
        f"{m.horizon_secs:g} s {m.mean_bps:+.2f} bps (n {m.n})" for m in snapshot.markouts if m.n
    ]
    return ", ".join(shown) or "no fill is old enough"
