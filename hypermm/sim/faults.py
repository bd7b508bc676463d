"""A seeded world in which everything between engine and exchange goes wrong.

Each seed switches a subset of faults on, with rates of its own; one seed in three has them all.
The seed alone decides everything: same seed and code, same digest. The world only drives; what
must hold is checked by whoever hands in `after_step` and `after_tick`.
"""

from collections import deque
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from attrs import evolve

from hypermm.config import Config, LadderConfig, RiskConfig, StrategyConfig, TradingConfig
from hypermm.engine import Engine, Mode
from hypermm.gate import Gate
from hypermm.hyperliquid.budget import Budget
from hypermm.hyperliquid.signing import Nonces
from hypermm.ledger import DayFigures
from hypermm.messages import Action, Batch, Notice, StopRequested
from hypermm.sim.accounts import Agent
from hypermm.sim.exchange import Exchange
from hypermm.sim.faulty_link import FaultyLink
from hypermm.sim.latency import Latency
from hypermm.sim.link import NS_PER_MS, Bot, Truth
from hypermm.sim.orders import VenueOrder
from hypermm.sim.trouble import (
    INSTRUMENT,
    TICK_MS,
    Fault,
    RestlessMarket,
    Stranger,
    draw_rates,
    generator,
)

START_MS: Final = 1_757_000_000_000
FOREVER_MS: Final = 1 << 60
LOSS_STEP_USD: Final = 4.0  # a loss limit that is reached now and then
FUNDED_USD: Final = 10_000.0
BELIEVED_FEE_BPS: Final = -3.0  # it believes in a rebate, and quotes near enough to be filled
NOTICES_KEPT: Final = 1_000  # to look at after a failure
ACCOUNT: Final = "0x" + "a1" * 20
AGENT: Final = "0x" + "a2" * 20
LATENCY: Final = Latency(order_ms=20.0, reply_ms=20.0, data_ms=20.0)

CONFIG: Final = Config(
    trading=TradingConfig(
        asset=INSTRUMENT.coin,
        target_liquidity=1.0,
        max_absolute_position_size=2.5,
        max_bps_diff=1.0,
        risk_aversion=0.05,
    ),
    strategy=StrategyConfig(
        estimation_window_secs=30.0,
        min_trades=10,
        warmup_decay_secs=5.0,
        ladder_config=LadderConfig(num_levels=3, min_depth_bps=1.0, max_depth_bps=6.0),
    ),
    risk=RiskConfig(max_actions_per_minute=2000, max_position_value_usd=215.0),
)


class FaultWorld:
    """Bot, faulty link and exchange, driven tick by tick.

    Parameters
    ----------
    seed : int
        Decides everything.
    after_step : callable, optional
        Called with the world, the batch, and the actions that left, after every step.
    after_truth : callable, optional
        Called with the world and what a block decided, before anything of it is delivered.
    after_tick : callable, optional
        Called with the world after every tick.
    on_end : callable, optional
        Called with the world when an engine has ended by itself, before the next one starts.
    make_engine : callable
        Makes the engine; tests hand in one with a planted defect.
    """

    def __init__(
        self,
        seed: int,
        *,
        after_step: Callable[["FaultWorld", Batch, list[Action]], None] | None = None,
        after_truth: Callable[["FaultWorld", Truth], None] | None = None,
        after_tick: Callable[["FaultWorld"], None] | None = None,
        on_end: Callable[["FaultWorld"], None] | None = None,
        make_engine: Callable[..., Engine] = Engine,
        config: Config = CONFIG,
    ) -> None:
        random = generator(seed)
        self.seed = seed
        self.rates = draw_rates(random)
        self.config = config
        if Fault.SMALL_LOSS_LIMIT in self.rates:
            self.config = evolve(config, risk=evolve(config.risk, max_daily_loss_usd=LOSS_STEP_USD))
        self.market = RestlessMarket(generator(random.getrandbits(64)))
        self.exchange = Exchange([self.market], start_ms=START_MS, seed=seed, block_ms=TICK_MS)
        self.exchange.fund(ACCOUNT, FUNDED_USD)
        self.account = self.exchange.accounts.open(ACCOUNT)
        self.exchange.accounts.set_agent(self.account, Agent("bot", AGENT, FOREVER_MS))
        self.link = FaultyLink(
            self.exchange,
            INSTRUMENT,
            account=ACCOUNT,
            signer=AGENT,
            latency=LATENCY,
            random=generator(random.getrandbits(64)),
            rates={},
        )
        self.stranger = Stranger(self.exchange, ACCOUNT, generator(random.getrandbits(64)))
        self.ticks = 0
        self.kills: list[str] = []
        self.notices: deque[tuple[int, Notice]] = deque(maxlen=NOTICES_KEPT)  # with their tick
        self.sessions = 0
        self.adjustments = 0  # of former sessions
        self.is_healed = True
        self._random = random
        self._after_step = after_step
        self._after_truth = after_truth
        self._after_tick = after_tick
        self._on_end = on_end
        self._make_engine = make_engine
        self._digest = blake2b(digest_size=16)
        self._day: DayFigures | None = None
        self._nonce_high_water = 0
        self.bot = self._start()

    @property
    def engine(self) -> Engine:
        """The engine of this session."""
        return self.bot.engine

    @property
    def position(self) -> int:
        """The position in truth, lots."""
        held = self.account.pool().positions.get(INSTRUMENT.asset_id)
        return 0 if held is None else held.size

    @property
    def position_limit(self) -> int:
        """The limit of the position, lots, as configured."""
        size = self.config.trading.max_absolute_position_size
        assert size is not None
        return INSTRUMENT.lots(size)

    @property
    def order_lots(self) -> int:
        """What one side quotes at most, lots, as configured."""
        size = self.config.trading.target_liquidity
        assert size is not None
        return INSTRUMENT.lots(size)

    @property
    def own_orders(self) -> list[VenueOrder]:
        """The bot's orders that rest in truth, those of earlier sessions too."""
        return [order for order in self.account.orders.values() if order.cloid is not None]

    @property
    def stranger_oids(self) -> list[int]:
        """Ids of the stranger's resting orders."""
        return [order.oid for order in self.account.orders.values() if order.cloid is None]

    def warm_up(self, ticks_max: int = 300) -> None:
        """Run without faults until the engine quotes."""
        for _ in range(ticks_max):
            if self.engine.mode is Mode.QUOTING:
                return
            self._tick()
        raise AssertionError(f"not quoting after {ticks_max} ticks: {self.engine.mode}")

    def run(self, ticks: int) -> None:
        """Let the faults of this seed strike; after `heal`, none does."""
        for _ in range(ticks):
            self._tick()

    def break_things(self) -> None:
        """Switch the faults of this seed on."""
        self.is_healed = False
        self.link.rates = self.market.rates = self.stranger.rates = self.rates

    def heal(self) -> None:
        """Switch all faults off and mend what is broken."""
        self.is_healed = True
        self.market.rates = self.stranger.rates = {}
        self.link.heal()

    def settle(self, ticks_max: int = 200) -> None:
        """Stop the market and let what is in flight arrive, until nothing is under way."""
        self.market.is_still = True
        for _ in range(ticks_max):
            self._tick()
            if not self.link.is_busy and self.engine.snapshot().is_synced:
                return
        raise AssertionError(f"still busy after {ticks_max} ticks: {self.link.open}")

    def digest(self) -> str:
        """Return a hash over everything that every engine saw and did, and over the truth."""
        final = self._digest.copy()
        final.update(f"{self.engine.digest()} {self.position} {self.account.pool().cash}".encode())
        return final.hexdigest()

    def _tick(self) -> None:
        self.link.tick()
        if not self.is_healed:
            self.stranger.act(self.market.mid, self.stranger_oids)
            if self.link.strikes(Fault.RESTART):
                self._restart("killed by signal 9")
            if self.link.strikes(Fault.STOP):
                self.link.tell(StopRequested("by the operator"))
        self.bot.run_until(self.link.now_ns + TICK_MS * NS_PER_MS)
        self.ticks += 1
        if self.bot.is_done:
            if self._on_end is not None:
                self._on_end(self)
            self._pardon()
        if self._after_tick is not None:
            self._after_tick(self)

    def _pardon(self) -> None:
        """Clear the latch and start again, as an operator does who accepts another such loss."""
        picture = self.engine.snapshot()
        if picture.day is not None:
            accepted_usd = LOSS_STEP_USD - picture.day.pnl_usd
            limits = self.config.risk
            if accepted_usd > limits.max_daily_loss_usd:
                limits = evolve(limits, max_daily_loss_usd=accepted_usd)
                self.config = evolve(self.config, risk=limits)
        self._restart(picture.latch.reason if picture.latch else picture.stop_reason)

    def _restart(self, reason: str) -> None:
        """End the process in the middle of everything, and start another."""
        self.kills.append(reason)
        self._digest.update(self.engine.digest().encode())
        picture = self.engine.snapshot()
        self._day = picture.day or self._day  # as on disk, where the last figures stay
        self.adjustments += picture.ledger.adjustments
        self._nonce_high_water = self.bot.nonces.high_water
        self.link.cut()
        self.link.open.clear()
        self.bot = self._start()

    def _start(self) -> Bot:
        self.sessions += 1
        self.session_secs = self.link.wall_ms // 1_000 + self.sessions
        engine = self._make_engine(
            self.config,
            INSTRUMENT,
            account=ACCOUNT,
            session_start_secs=self.session_secs,
            day=self._day,
            maker_fee_bps=BELIEVED_FEE_BPS,
        )
        return Bot(
            engine,
            Gate(self.config.risk, INSTRUMENT),
            Budget(),
            Nonces(self._nonce_high_water),
            self.link,
            on_step=self._on_step,
            on_truth=self._on_truth,
        )

    def _on_step(self, batch: Batch, sent: list[Action], notices: list[Notice]) -> None:
        self.notices.extend((self.ticks, notice) for notice in notices)
        if self._after_step is not None:
            self._after_step(self, batch, sent)

    def _on_truth(self, truth: Truth) -> None:
        if self._after_truth is not None:
            self._after_truth(self, truth)
