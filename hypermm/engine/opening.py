"""What has to be settled before the first quote: sizes that work, and a strategy for them."""

from hypermm.config import Config
from hypermm.engine.sizes import Sizes, choose_sizes, num_levels
from hypermm.errors import ConfigError
from hypermm.instrument import MIN_NOTIONAL_USD, Instrument
from hypermm.quoting import Strategy, make_strategy

MAKER_FEE_BPS = 1.5  # base tier
COLLAR_SHARE = 0.99  # of the gate's collar, which it measures by prices of its own


def open_strategy(
    config: Config,
    instrument: Instrument,
    *,
    account_value_usd: float,
    leverage: int,
    price: float,
) -> tuple[Sizes, Strategy]:
    """Settle sizes and make the strategy.

    Raises
    ------
    ConfigError
        If nothing could ever be quoted with these settings on this account.
    """
    trading, ladder, limits = config.trading, config.strategy.ladder_config, config.risk
    sizes = choose_sizes(
        config,
        instrument,
        account_value_usd=account_value_usd,
        leverage=leverage,
        price=price,
    )
    _refuse_small(sizes, instrument, int(price), num_levels(config))
    if not ladder.min_depth_bps < COLLAR_SHARE * limits.price_collar_bps:
        raise ConfigError(
            f"risk.price_collar_bps = {limits.price_collar_bps:g} leaves no room for quotes at "
            f"strategy.ladder_config.min_depth_bps = {ladder.min_depth_bps:g} or beyond",
            hint="raise price_collar_bps (default 500) or lower min_depth_bps",
        )
    strategy = make_strategy(
        config.strategy.strategy_type,
        instrument,
        order_lots=sizes.order,
        position_limit_lots=sizes.position,
        risk_aversion=trading.risk_aversion,
        num_levels=ladder.num_levels,
        min_depth_bps=ladder.min_depth_bps,
        max_depth_bps=ladder.max_depth_bps,
        is_geometric=ladder.geometric_spacing,
        cost_bps=MAKER_FEE_BPS,
    )
    return sizes, strategy


def _refuse_small(sizes: Sizes, instrument: Instrument, price: int, levels: int) -> None:
    """Refuse a side, or a level cut to its cap, that is below the exchange's minimum."""
    rules = "; ".join(sizes.caps)
    least = min(sizes.order, sizes.wanted_order)
    by_notional = any("max_order_notional_usd" in rule for rule in sizes.caps)
    for what, lots in (("one side", least), ("one level", least // levels)):
        if instrument.is_above_minimum(price, lots) or (what == "one level" and not by_notional):
            continue
        worth_usd = instrument.notional_usd(price, lots)
        raise ConfigError(
            f"{what} of {instrument.print_size(lots)} {instrument.coin} is worth {worth_usd:.2f} "
            f"USD, below the exchange's minimum order of {MIN_NOTIONAL_USD} USD"
            + (f" ({rules})" if rules else "")
        )
