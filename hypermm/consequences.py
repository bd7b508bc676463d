"""What follows from settings: quotes, messages, losses and margin on a typical market.

Offline arithmetic for `validate-config`: nothing is asked of an exchange. The market is one like
BTC on a calm day, named in the output, so that two configurations can be compared.
"""

from math import ceil, sqrt

from attrs import frozen

from hypermm._core.glft import Solver
from hypermm.config import Config

FREE_ACTIONS = 10_000  # what an address may send before it has traded anything
MAKER_FEE_BPS = 1.5
DEFAULT_ORDER_USD, DEFAULT_POSITION_USD = 1_000.0, 5_000.0
FAST_BOOK_SECS = 0.5  # cadence of the slowest channel that proves freshness, with `fast`
ADVERSE_SIGMAS = 4.0
SECONDS_A_MINUTE, MINUTES_A_DAY = 60.0, 1440.0


@frozen(kw_only=True)
class TypicalMarket:
    """Figures of a market; the defaults are of BTC on a calm day."""

    name: str = "BTC on a calm day"
    price_usd: float = 110_000.0
    volatility: float = 1.5  # bps per square root of a second
    kappa_per_bps: float = 0.25
    intensity_per_sec: float = 0.5
    max_leverage: int = 40
    account_usd: float = 10_000.0


def consequences(config: Config, market: TypicalMarket | None = None) -> list[tuple[str, str]]:
    """Return what follows, as (subject, sentence)."""
    market = market or TypicalMarket()
    trading, risk = config.trading, config.risk
    order_usd = DEFAULT_ORDER_USD
    position_usd = DEFAULT_POSITION_USD
    if trading.target_liquidity is not None:
        order_usd = trading.target_liquidity * market.price_usd
    if trading.max_absolute_position_size is not None:
        position_usd = trading.max_absolute_position_size * market.price_usd
    position_usd = min(position_usd, risk.max_position_value_usd)
    order_usd = min(order_usd, 0.4 * position_usd)
    leverage = min(trading.leverage or market.max_leverage, market.max_leverage)
    return [
        ("market", (f"{market.name}: {market.price_usd:,.0f} USD, {market.volatility:g} bps per "
         f"root second, kappa {market.kappa_per_bps:g} per bps, account of "
         f"{market.account_usd:,.0f} USD")),
        ("quotes", _quotes(config, market, order_usd, position_usd)),
        ("messages", _messages(config, market)),
        *_losses(config, market, position_usd),
        ("margin", (f"{position_usd / leverage:,.2f} USD at the position limit of "
         f"{position_usd:,.0f} USD and {leverage}x")),
        ("freshness", (f"quotes are pulled at {risk.stale_pull_secs:g} s and killed at "
         f"{risk.stale_kill_secs:g} s without data; the book comes each {FAST_BOOK_SECS:g} s")),
    ]  # fmt: skip


def _quotes(config: Config, market: TypicalMarket, order_usd: float, position_usd: float) -> str:
    ladder = config.strategy.ladder_config
    bound = max(int(position_usd // order_usd), 1)
    solver = Solver(2 * bound)
    solver.solve(
        lots_long=bound,
        lots_short=bound,
        near_lots=0.0,
        volatility=market.volatility,
        kappa_per_bps=market.kappa_per_bps,
        intensity_per_sec=market.intensity_per_sec,
        risk_aversion_per_bps=config.trading.risk_aversion * market.kappa_per_bps,
        cost_bps=MAKER_FEE_BPS,
    )
    flat, floor = solver.ask_depth_bps(0.0), ladder.min_depth_bps
    near = max(flat, floor)
    text = f"{order_usd:,.0f} USD a side, nearest {near:.2f} bps from the fair price"
    if config.strategy.strategy_type == "ladder" and ladder.num_levels > 1:
        last = near * ladder.max_depth_bps / floor
        text += f", {ladder.num_levels} levels to {last:.1f} bps"
    if flat < floor:
        text += (
            f"; min_depth_bps = {floor:g} binds (the solution alone asks {flat:.2f} bps), so "
            "risk_aversion moves the spread only where the solution passes it"
        )
    return text


def _messages(config: Config, market: TypicalMarket) -> str:
    """Orders are renewed when the price has moved by the threshold: a first passage."""
    levels = config.strategy.ladder_config.num_levels
    orders = 2 * (levels if config.strategy.strategy_type == "ladder" else 1)
    threshold = config.trading.max_bps_diff
    cap = config.risk.max_actions_per_minute
    moves = cap if threshold <= 0.0 else SECONDS_A_MINUTE * (market.volatility / threshold) ** 2
    moves = min(moves, cap)
    actions = moves * 2 * orders  # each order is cancelled and placed
    text = f"about {moves:.1f} moves of {orders} orders a minute, {actions:,.0f} actions"
    if actions <= 0.0:
        return text
    hours = FREE_ACTIONS / actions / 60.0
    need = ceil(actions * MINUTES_A_DAY)
    return (
        f"{text}; the free {FREE_ACTIONS:,} last {hours:.1f} hours without fills, after that each "
        f"needs 1 USD traded ({need:,} USD a day)"
    )


def _losses(config: Config, market: TypicalMarket, position_usd: float) -> list[tuple[str, str]]:
    """Say what each limit lets happen before it acts."""
    risk = config.risk
    blind = ADVERSE_SIGMAS * market.volatility * sqrt(risk.stale_kill_secs) * 1e-4
    drawdown = risk.max_drawdown * market.account_usd
    move = risk.max_daily_loss_usd / position_usd * 100.0
    return [
        ("daily loss", (f"kill at {risk.max_daily_loss_usd:,.2f} USD: a move of {move:.1f} % "
         "against a full position")),
        ("drawdown", (f"kill at {drawdown:,.2f} USD below the peak ({risk.max_drawdown:.1%} of "
         "equity plus peak)")),
        ("position", (f"only reducing orders from {position_usd:,.0f} USD, kill at "
         f"{risk.max_position_value_usd * risk.kill_position_factor:,.0f} USD")),
        ("stale data", (f"about {position_usd * blind:,.2f} USD in {risk.stale_kill_secs:g} blind "
         f"seconds at {ADVERSE_SIGMAS:g} sigma with a full position")),
        ("one order", (f"at most {risk.max_order_notional_usd:,.0f} USD, at most "
         f"{risk.price_collar_bps:g} bps from mark and oracle")),
    ]  # fmt: skip
