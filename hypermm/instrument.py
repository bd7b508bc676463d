"""One market's rules: ticks, lots, asset id, margin. The only place that prints a price or a size.

Inside, a price is an integer of 10**-price_decimals with price_decimals = 6 - size_decimals, for
every price of the market; the rule of five significant figures stands on top. A size is an integer
of 10**-size_decimals, a lot. Source: Hyperliquid documentation, "Tick and lot size".
"""

import re
from decimal import Decimal

from attrs import field, frozen
from attrs.validators import and_, ge, instance_of, le

from hypermm.errors import ConfigError, WireError

MAX_PERP_DECIMALS = 6
SIGNIFICANT_FIGURES = 5
MIN_NOTIONAL_USD = 10
MIN_NOTIONAL_UNITS = MIN_NOTIONAL_USD * 10**MAX_PERP_DECIMALS  # price units times lots

# The exchange's decimals: digits, optionally a point and digits. No sign, exponent, space or NaN.
_DECIMAL = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40})?", re.ASCII)


def parse_decimal(text: str, decimals: int) -> int:
    """Read a non-negative decimal as an integer of 10**-decimals, exactly.

    Raises
    ------
    WireError
        If the text is not of the exchange's decimal grammar, or has a non-zero digit beyond
        `decimals`.
    """
    if not _DECIMAL.fullmatch(text):
        raise WireError(f"not a decimal number of the exchange's form: {text[:60]!r}")
    whole, _, fraction = text.partition(".")
    kept, rest = fraction[:decimals], fraction[decimals:]
    if rest.strip("0"):
        raise WireError(f"more than {decimals} decimals: {text[:60]!r}")
    return int(whole + kept.ljust(decimals, "0"))


def print_decimal(value: int, decimals: int) -> str:
    """Print an integer of 10**-decimals as the exchange hashes it: no trailing zeros."""
    sign = "-" if value < 0 else ""
    digits = str(abs(value)).rjust(decimals + 1, "0")
    if decimals == 0:
        return sign + digits
    fraction = digits[-decimals:].rstrip("0")
    return f"{sign}{digits[:-decimals]}.{fraction}" if fraction else sign + digits[:-decimals]


@frozen(kw_only=True)
class Instrument:
    """The rules of one perpetual market.

    Parameters
    ----------
    coin : str
        Name in feeds, with the dex's prefix for a builder's market (`xyz:XYZ100`).
    asset_id : int
        Number in actions: position in the universe, or 100000 + 10000 x dex + position.
    size_decimals : int
        `szDecimals` of the exchange, 0 to 6.
    decimals_cap : int or None
        Operator's cap on price decimals, below the exchange's rule; None for the rule itself.
    max_leverage : int
        Highest leverage that the market allows.
    is_isolated_only : bool
        Whether cross margin is not allowed.
    dex : str
        Short name of the builder's dex, empty for the exchange's own.
    collateral : str
        Token of margin and P&L.
    """

    coin: str
    asset_id: int = field(validator=and_(instance_of(int), ge(0)))
    size_decimals: int = field(validator=and_(instance_of(int), ge(0), le(MAX_PERP_DECIMALS)))
    decimals_cap: int | None = None
    max_leverage: int = 1
    is_isolated_only: bool = False
    dex: str = ""
    collateral: str = "USDC"
    price_decimals: int = field(init=False)
    min_step: int = field(init=False)  # smallest step of a price in price units
    _whole_unit: int = field(init=False)  # one unit of the quote currency in price units

    @price_decimals.default
    def _price_decimals(self) -> int:
        return MAX_PERP_DECIMALS - self.size_decimals

    @min_step.default
    def _min_step(self) -> int:
        cap = self.price_decimals if self.decimals_cap is None else self.decimals_cap
        if not 0 <= cap <= self.price_decimals:
            raise ConfigError(
                f"decimals = {cap} is outside what {self.coin} allows: 0 to {self.price_decimals}",
                hint="leave --decimals out to use the exchange's own rule",
            )
        return int(10 ** (self.price_decimals - cap))

    @_whole_unit.default
    def _one_unit(self) -> int:
        return int(10**self.price_decimals)

    def step_at(self, price: int) -> int:
        """Return the distance of allowed prices around `price`, in price units.

        Five significant figures, but never finer than the decimals allow, and never coarser than
        one whole unit of the quote currency: integer prices are always allowed.
        """
        by_figures = int(10 ** max(len(str(price)) - SIGNIFICANT_FIGURES, 0))
        return max(min(by_figures, self._whole_unit), self.min_step)

    def floor_price(self, price: int) -> int:
        """Round down to an allowed price: the direction for bids. 0 means no price is left."""
        return price - price % self.step_at(price) if price > 0 else 0

    def ceil_price(self, price: int) -> int:
        """Round up to an allowed price: the direction for asks."""
        return price + -price % self.step_at(price)

    def is_allowed_price(self, price: int) -> bool:
        """Whether the exchange takes this price."""
        return price > 0 and price % self.step_at(price) == 0

    def price_below(self, price: int) -> int:
        """Return the next allowed price below an allowed price."""
        return self.floor_price(price - 1)

    def price_above(self, price: int) -> int:
        """Return the next allowed price above an allowed price."""
        return self.ceil_price(price + 1)

    @property
    def price_unit_usd(self) -> float:
        """One price unit in the quote currency."""
        return float(10.0**-self.price_decimals)

    @property
    def lot(self) -> float:
        """One lot in base units."""
        return float(10.0**-self.size_decimals)

    def price_usd(self, price: int) -> float:
        """Return a price as the nearest double."""
        return price / float(10**self.price_decimals)

    def size_base(self, size: int) -> float:
        """Return a size in base units as the nearest double."""
        return size / float(10**self.size_decimals)

    def notional_usd(self, price: int, size: int) -> float:
        """Return price times size in the quote currency."""
        return price * size / float(10**MAX_PERP_DECIMALS)

    def is_above_minimum(self, price: int, size: int) -> bool:
        """Whether the order is worth at least the exchange's minimum, compared on integers."""
        return bool(price * abs(size) >= MIN_NOTIONAL_UNITS)

    def lots(self, base: float) -> int:
        """Return a size in base units as whole lots, rounded down on its shortest decimal form."""
        return int(Decimal(repr(base)).scaleb(self.size_decimals))

    def parse_price(self, text: str) -> int:
        """Read a price of the exchange's form. Raises WireError if it is not one."""
        return parse_decimal(text, self.price_decimals)

    def parse_size(self, text: str) -> int:
        """Read an unsigned size of the exchange's form. Raises WireError if it is not one."""
        return parse_decimal(text, self.size_decimals)

    def parse_signed_size(self, text: str) -> int:
        """Read a position: a size with an optional minus. Raises WireError if it is not one."""
        if text.startswith("-"):
            return -parse_decimal(text[1:], self.size_decimals)
        return parse_decimal(text, self.size_decimals)

    def print_price(self, price: int) -> str:
        """Print a price as the exchange hashes it."""
        return print_decimal(price, self.price_decimals)

    def print_size(self, size: int) -> str:
        """Print a size as the exchange hashes it."""
        return print_decimal(size, self.size_decimals)
