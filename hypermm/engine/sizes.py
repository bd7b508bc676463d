"""How much is quoted and held at most, from the settings, the account and the price."""

from attrs import frozen

from hypermm.config import TradingConfig
from hypermm.instrument import MAX_PERP_DECIMALS, Instrument

ORDER_USD_DEFAULT = 1_000.0
POSITION_USD_DEFAULT = 5_000.0
ACCOUNT_SHARE_MAX = 0.5  # of account value times leverage, in the position limit
ORDER_SHARE_MAX = 0.4  # of the position limit, in one side's orders


@frozen
class Sizes:
    """What is quoted and held at most, in lots; `wanted` is before the caps."""

    order: int  # one side, all levels together
    position: int
    wanted_order: int
    wanted_position: int

    @property
    def is_capped(self) -> bool:
        """Whether the account does not carry what was asked for."""
        return self.order < self.wanted_order or self.position < self.wanted_position


def choose_sizes(
    trading: TradingConfig,
    instrument: Instrument,
    *,
    account_value_usd: float,
    leverage: int,
    price: float,
) -> Sizes:
    """Settle sizes: what is set, else 1,000 and 5,000 USD worth; then the caps.

    Position: at most account value times leverage times 0.5 over the price. One side's orders: at
    most 0.4 of the position limit.
    """
    lot_usd = price / 10**MAX_PERP_DECIMALS
    most = int(ACCOUNT_SHARE_MAX * max(account_value_usd, 0.0) * leverage / lot_usd)
    wanted_position = (
        int(POSITION_USD_DEFAULT / lot_usd)
        if trading.max_absolute_position_size is None
        else instrument.lots(trading.max_absolute_position_size)
    )
    wanted_order = (
        int(ORDER_USD_DEFAULT / lot_usd)
        if trading.target_liquidity is None
        else instrument.lots(trading.target_liquidity)
    )
    position = min(wanted_position, most)
    order = min(wanted_order, int(ORDER_SHARE_MAX * position))
    return Sizes(order, position, wanted_order, wanted_position)
