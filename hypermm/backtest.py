"""Engine and exchange in virtual time, one process, no sockets: a market of hours in seconds.

The engine is the one that trades live; it cannot tell. Orders fill by the simulated exchange's
queue rule: behind the size that the market showed at their price, in price-time order, and never
more than traded. Same market, configuration and seed: same digest, on every build and machine.
"""

import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Final

from attrs import evolve, field, frozen

from hypermm.config import Config
from hypermm.engine import Engine, Mode
from hypermm.errors import ConfigError
from hypermm.gate import Gate
from hypermm.hyperliquid.budget import Budget
from hypermm.hyperliquid.signing import Nonces
from hypermm.messages import (
    Action,
    ActionDenied,
    ActionReply,
    Batch,
    CancelOids,
    CancelOrders,
    Fill,
    Level,
    Notice,
    PlaceOrders,
    Refused,
    Side,
)
from hypermm.sim.exchange import Exchange
from hypermm.sim.link import NS_PER_SEC, Bot, Latency, Link, Truth
from hypermm.sim.market import Market

ACCOUNT: Final = "0x" + "b1" * 20
MARKOUT_SECS: Final = 5.0
WARNINGS_SHOWN: Final = 20
BASIS_POINTS: Final = 10_000.0


@frozen(kw_only=True)
class Result:
    """What a backtest shows. Sizes are lots; money is after fees, in USD."""

    digest: str
    seed: int
    virtual_secs: float
    wall_secs: float = field(eq=False)
    steps: int
    orders: int
    cancels: int
    fills: Mapping[Side, int]
    filled_lots: Mapping[Side, int]
    taker_fills: int
    refusals: Mapping[str, int]  # by the exchange's text, without its figures
    denials: Mapping[str, int]  # by gate or budget
    position: int
    position_max: int  # largest absolute position at any moment
    position_limit: int
    pnl_usd: float
    volume_usd: float
    markout_bps: float  # mean move of the mid against our fills after MARKOUT_SECS; a loss is > 0
    first_quote_secs: float | None
    two_sided_secs: float | None
    two_sided_fraction: float  # of the time since then
    mode: Mode
    warnings: tuple[str, ...]

    @property
    def speedup(self) -> float:
        """Virtual seconds in one second of the wall clock."""
        return self.virtual_secs / max(self.wall_secs, 1e-9)

    def __str__(self) -> str:
        """Print the figures, one a line."""

        def listed(counts: Mapping[str, int]) -> str:
            return ", ".join(f"{count} x {text}" for text, count in counts.items()) or "none"

        buys, sells = self.fills[Side.BUY], self.fills[Side.SELL]
        pace = f"{self.virtual_secs:.0f} s in {self.wall_secs:.2f} s ({self.speedup:.0f}x)"
        lines = [
            ("digest", self.digest),
            ("time", f"{pace}, {self.steps} steps"),
            ("first quote", f"{self.first_quote_secs} s, on both sides {self.two_sided_secs} s"),
            ("two-sided", f"{self.two_sided_fraction:.1%} of the time since then"),
            ("actions", f"{self.orders} orders, {self.cancels} cancels"),
            ("refused", listed(self.refusals)),
            ("denied", listed(self.denials)),
            ("fills", f"{buys} buys, {sells} sells, {self.taker_fills} as taker"),
            ("volume", f"{self.volume_usd:.0f} USD"),
            ("position", f"{self.position} lots, at most {self.position_max}"),
            ("limit", f"{self.position_limit} lots"),
            ("P&L", f"{self.pnl_usd:+.4f} USD"),
            ("markout", f"{self.markout_bps:+.3f} bps after {MARKOUT_SECS:g} s"),
            ("mode", self.mode.name),
        ]
        lines += [("warning", text) for text in self.warnings[:WARNINGS_SHOWN]]
        return "\n".join(f"{name:<12}{text}" for name, text in lines)


class _Recorder:
    """Watches one run from the side of the truth."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.orders = self.cancels = self.taker_fills = 0
        self.fills = {Side.BUY: 0, Side.SELL: 0}
        self.lots = {Side.BUY: 0, Side.SELL: 0}
        self.refusals: Counter[str] = Counter()
        self.denials: Counter[str] = Counter()
        self.volume_usd = 0.0
        self.position = self.position_max = 0
        self.first_quote_secs: float | None = None
        self.two_sided_secs: float | None = None
        self.blocks = self.two_sided_blocks = 0
        self.warnings: list[str] = []
        self._account = link.exchange.accounts.open(link.account)
        self._listing = link.exchange.by_coin[link.instrument.coin]
        self._marks: deque[tuple[int, int, float]] = deque()  # due, side, mid at the fill
        self._markouts_bps: list[float] = []

    @property
    def markout_bps(self) -> float:
        """Mean markout; 0 without fills."""
        return sum(self._markouts_bps) / len(self._markouts_bps) if self._markouts_bps else 0.0

    def on_step(self, batch: Batch, sent: Sequence[Action], notices: Sequence[Notice]) -> None:
        """Count what left and what came back."""
        for action in sent:
            match action:
                case PlaceOrders(orders=orders):
                    self.orders += len(orders)
                    if self.first_quote_secs is None:
                        self.first_quote_secs = self.link.now_ns / NS_PER_SEC
                case CancelOrders(cloids=ids) | CancelOids(oids=ids):
                    self.cancels += len(ids)
                case _:
                    pass
        for event in batch.private:
            match event:
                case ActionReply(outcomes=outcomes):
                    self.refusals.update(
                        _gist(outcome.text) for outcome in outcomes if isinstance(outcome, Refused)
                    )
                case ActionDenied(reason=reason):
                    self.denials[_gist(reason)] += 1
                case _:
                    pass
        self.warnings += [
            f"{self.link.now_ns / NS_PER_SEC:.1f} s {notice.event} {dict(notice.fields)}"
            for notice in notices
            if notice.level >= Level.WARN
        ]

    def on_truth(self, truth: Truth) -> None:
        """Look at the book and the account after a block."""
        now_ns = self.link.now_ns
        mid = self._listing.mid_price
        if mid is not None:
            while self._marks and self._marks[0][0] <= now_ns:
                _, side, before = self._marks.popleft()
                self._markouts_bps.append(side * (before - mid) / before * BASIS_POINTS)
        for fill in truth.fills:
            self._on_fill(fill, mid)
        sides = {order.side for order in self._account.orders.values()}
        if len(sides) == 2 and self.two_sided_secs is None:
            self.two_sided_secs = now_ns / NS_PER_SEC
        if self.two_sided_secs is not None:
            self.blocks += 1
            self.two_sided_blocks += len(sides) == 2

    def _on_fill(self, fill: Fill, mid: float | None) -> None:
        self.fills[fill.side] += 1
        self.lots[fill.side] += fill.size
        self.taker_fills += fill.is_taker
        self.volume_usd += self.link.instrument.notional_usd(fill.price, fill.size)
        self.position = fill.start_position + fill.side * fill.size
        self.position_max = max(self.position_max, abs(self.position))
        if mid is not None:
            due_ns = self.link.now_ns + int(MARKOUT_SECS * NS_PER_SEC)
            self._marks.append((due_ns, fill.side, mid))


def _gist(text: str) -> str:
    """Return a refusal without the figures that differ from order to order."""
    return text.split(" asset=")[0].split(", bbo was")[0].split(":")[0]


def run(
    config: Config,
    markets: Sequence[Market],
    *,
    coin: str | None = None,
    seed: int = 0,
    duration_secs: float | None = None,
    latency: Latency | None = None,
    funded_usd: float = 10_000.0,
    start_ms: int = 1_757_000_000_000,
    block_ms: int = 70,
) -> Result:
    """Trade one of the markets in virtual time, from its start until it is over.

    Parameters
    ----------
    config : Config
        Settings, as live.
    markets : sequence of Market
        What the exchange lists; used up by the run.
    coin : str, optional
        The market to trade; `trading.asset` if None.
    seed : int
        Seed of the exchange's ids.
    duration_secs : float, optional
        Virtual time after which the run ends; needed for a market that never does.
    latency : Latency, optional
        One-way delays.
    funded_usd : float
        What the account begins with.
    start_ms : int
        The exchange's clock at the start, ms since 1970.
    block_ms : int
        Time from block to block.

    Raises
    ------
    ConfigError
        If there is no such market.
    """
    name = coin if coin is not None else config.trading.asset
    market = next((m for m in markets if m.instrument.coin == name), None)
    if market is None:
        listed = ", ".join(m.instrument.coin for m in markets)
        raise ConfigError(f"no market {name!r} here: {listed}")
    exchange = Exchange(markets, start_ms=start_ms, seed=seed, block_ms=block_ms)
    exchange.fund(ACCOUNT, funded_usd)
    instrument = evolve(exchange.by_coin[name].instrument, decimals_cap=config.trading.decimals)
    link = Link(
        exchange,
        instrument,
        account=ACCOUNT,
        signer=ACCOUNT,
        latency=latency if latency is not None else Latency(),
    )
    engine = Engine(config, instrument, account=ACCOUNT, session_start_secs=start_ms // 1_000)
    recorder = _Recorder(link)
    bot = Bot(
        engine,
        Gate(config.risk, instrument),
        Budget(),
        Nonces(),
        link,
        on_step=recorder.on_step,
        on_truth=recorder.on_truth,
    )
    began = time.perf_counter()
    link.connect()
    end_ns = None if duration_secs is None else int(duration_secs * NS_PER_SEC)
    while not (bot.is_done or market.is_over or (end_ns is not None and link.now_ns >= end_ns)):
        next_ns = link.now_ns + NS_PER_SEC
        bot.run_until(next_ns if end_ns is None else min(next_ns, end_ns))
    wall_secs = time.perf_counter() - began
    account = exchange.accounts.open(ACCOUNT)
    return Result(
        digest=engine.digest(),
        seed=seed,
        virtual_secs=link.now_ns / NS_PER_SEC,
        wall_secs=wall_secs,
        steps=bot.steps,
        orders=recorder.orders,
        cancels=recorder.cancels,
        fills=recorder.fills,
        filled_lots=recorder.lots,
        taker_fills=recorder.taker_fills,
        refusals=dict(recorder.refusals),
        denials=dict(recorder.denials),
        position=recorder.position,
        position_max=recorder.position_max,
        position_limit=engine.snapshot().position_limit,
        pnl_usd=account.value / 1e6 - funded_usd,
        volume_usd=recorder.volume_usd,
        markout_bps=recorder.markout_bps,
        first_quote_secs=recorder.first_quote_secs,
        two_sided_secs=recorder.two_sided_secs,
        two_sided_fraction=recorder.two_sided_blocks / max(recorder.blocks, 1),
        mode=engine.mode,
        warnings=tuple(recorder.warnings),
    )
