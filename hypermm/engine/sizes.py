"""How much is quoted and held at most, from the settings, the account and the price."""

from attrs import frozen

from hypermm._core.ladder import Ladder
from hypermm.config import Config
from hypermm.instrument import MAX_PERP_DECIMALS, Instrument
from hypermm.quoting import strategy_class

ORDER_USD_DEFAULT = 1_000.0
POSITION_USD_DEFAULT = 5_000.0
ACCOUNT_SHARE_MAX = 0.5  # of account value times leverage, in the position limit
ORDER_SHARE_MAX = 0.4  # of the position limit, in one side's orders
MICRO_USD = 10**MAX_PERP_DECIMALS  # price units times lots that make one USD
# A number of lots that followed each price would renew orders with each price: it holds for prices
# from 2 % below to 1/2 % above the one that it was made for.
RISE, FALL = 1.005, 0.98


class LotCap:
    """Most lots of a value in USD, in steps.

    Parameters
    ----------
    usd : float
        The value.
    """

    def __init__(self, usd: float) -> None:
        self._micro = usd * MICRO_USD
        self._lowest = self._highest = 0.0
        self._lots = 0

    def at(self, price: float) -> int:
        """Return the lots that are worth at most the value at this price, in price units."""
        if not self._lowest <= price <= self._highest:
            self._lowest, self._highest = price * FALL, price * RISE
            self._lots = int(self._micro / self._highest)
        return self._lots

    def cut(self, ladder: Ladder, fair_price: float) -> None:
        """Cut every level of a ladder to the value; levels at one price are one order."""
        most = self.at(fair_price)
        highest = self._highest
        bids, asks = ladder.bids, ladder.asks
        if all(size <= most and price <= highest for price, size in (*bids, *asks)):
            return
        best_bid, best_ask = ladder.best_bid, ladder.best_ask
        ladder.clear()
        ladder.set_market(best_bid, best_ask)
        for side, levels in ((1, bids), (-1, asks)):
            for price, size in levels:
                ladder.append(side, price, min(size, most, int(self._micro / price)))


@frozen
class Sizes:
    """What is quoted and held at most, in lots; `wanted` is before the caps."""

    order: int  # one side, all levels together
    position: int
    wanted_order: int
    wanted_position: int
    caps: tuple[str, ...]  # the rules that made it less than wanted


def num_levels(config: Config) -> int:
    """Return how many levels a side are quoted: one, unless the strategy has levels."""
    has_levels = strategy_class(config.strategy.strategy_type).has_levels
    return config.strategy.ladder_config.num_levels if has_levels else 1


def choose_sizes(
    config: Config,
    instrument: Instrument,
    *,
    account_value_usd: float,
    leverage: int,
    price: float,
) -> Sizes:
    """Settle sizes: what is set, else 1,000 and 5,000 USD worth; then the caps.

    Position: at most account value times leverage times 0.5, and `max_position_value_usd`. One
    side's orders: at most 0.4 of the position limit, and `max_order_notional_usd` a level.
    """
    trading, limits = config.trading, config.risk
    lot_usd = price / MICRO_USD
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
    margin_usd = ACCOUNT_SHARE_MAX * max(account_value_usd, 0.0) * leverage
    position, caps = _capped(
        wanted_position,
        (int(margin_usd / lot_usd), f"position <= account x leverage x {ACCOUNT_SHARE_MAX}"),
        (
            LotCap(limits.max_position_value_usd).at(price),
            f"position <= risk.max_position_value_usd = {limits.max_position_value_usd:g}",
        ),
    )
    levels = num_levels(config)
    order, order_caps = _capped(
        wanted_order,
        (int(ORDER_SHARE_MAX * position), f"target_liquidity <= {ORDER_SHARE_MAX} x position"),
        (
            levels * LotCap(limits.max_order_notional_usd).at(price),
            f"level <= risk.max_order_notional_usd = {limits.max_order_notional_usd:g}",
        ),
    )
    return Sizes(order, position, wanted_order, wanted_position, (*caps, *order_caps))


def _capped(wanted: int, *caps: tuple[int, str]) -> tuple[int, tuple[str, ...]]:
    """Return the least, and the rules that are below what is wanted and reached."""
    least = min(wanted, *(most for most, _ in caps))
    rules = tuple(rule for most, rule in caps if most == least < wanted)
    return least, rules
