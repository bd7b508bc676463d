"""What has to be settled before the first quote: sizes that work, and a strategy for them."""

from hypermm.config import Config
from hypermm.engine.sizes import FALL, Sizes, choose_sizes, num_levels
from hypermm.errors import ConfigError
from hypermm.instrument import MIN_NOTIONAL_USD, Instrument
from hypermm.quoting import Strategy, strategy_class

MAKER_FEE_BPS = 1.5  # base tier
COLLAR_SHARE = 0.99  # of the gate's collar, which it measures by prices of its own


def open_strategy(
    config: Config,
    instrument: Instrument,
    *,
    account_value_usd: float,
    leverage: int,
    price: float,
    maker_fee_bps: float,
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
    _refuse_small(sizes, instrument, price, num_levels(config))
    if not ladder.min_depth_bps < COLLAR_SHARE * limits.price_collar_bps:
        raise ConfigError(
            f"risk.price_collar_bps = {limits.price_collar_bps:g} leaves no room for quotes at "
            f"strategy.ladder_config.min_depth_bps = {ladder.min_depth_bps:g} or beyond",
            hint="raise price_collar_bps (default 500) or lower min_depth_bps",
        )
    flat_by = config.strategy.flat_by_utc
    strategy = strategy_class(config.strategy.strategy_type)(
        instrument,
        order_lots=sizes.order,
        position_limit_lots=sizes.position,
        risk_aversion=trading.risk_aversion,
        fee_bps=maker_fee_bps,
        min_depth_bps=ladder.min_depth_bps,
        max_depth_bps=ladder.max_depth_bps,
        num_levels=ladder.num_levels,
        is_geometric=ladder.geometric_spacing,
        flat_by_secs=int(flat_by[:2]) * 3_600 + int(flat_by[3:]) * 60 if flat_by else None,
    )
    return sizes, strategy


def _refuse_small(sizes: Sizes, instrument: Instrument, price: float, levels: int) -> None:
    """Refuse a side, or a level cut to its cap, that is below the exchange's minimum."""
    tests = [("one side", sizes.order, int(price))]
    if any("max_order_notional_usd" in rule for rule in sizes.caps):
        # The cut number of lots stays while the price falls a little.
        tests.append(("one level", sizes.order // levels, int(price * FALL)))
    for what, lots, at_price in tests:
        if not instrument.is_above_minimum(at_price, lots):
            raise ConfigError(
                f"{what} of {instrument.print_size(lots)} {instrument.coin} is worth "
                f"{instrument.notional_usd(at_price, lots):.2f} USD, below the exchange's minimum "
                f"order of {MIN_NOTIONAL_USD} USD",
                hint="; ".join(sizes.caps),
            )
