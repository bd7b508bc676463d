"""Comparisons with the exchange: how often each thing was compared, and how often it differed."""

from enum import Enum

from attrs import frozen

from hypermm.engine.leverage import LeverageSetting
from hypermm.engine.sizes import ACCOUNT_SHARE_MAX, MICRO_USD, Sizes
from hypermm.messages import AccountState

MARGIN_TOLERANCE = 1.1  # the position limit may exceed what the account allows by a tenth


class Audited(Enum):
    """What is compared."""

    ORDERS = "orders"
    POSITION = "position"
    FILLS = "fills"
    MARGIN = "margin"


@frozen
class Comparison:
    """How often something was compared with the exchange, and the differences found."""

    times: int
    differences: int


class Audit:
    """Counts comparisons and their differences since the start."""

    def __init__(self) -> None:
        self._times = dict.fromkeys(Audited, 0)
        self._differences = dict.fromkeys(Audited, 0)

    def note(self, what: Audited, differences: int = 0) -> None:
        """Count a comparison and what it found."""
        self._times[what] += 1
        self._differences[what] += differences

    def figures(self) -> dict[str, Comparison]:
        """Return the counts by name."""
        return {
            what.value: Comparison(self._times[what], self._differences[what]) for what in Audited
        }


def margin_difference(
    account: AccountState, leverage: LeverageSetting, sizes: Sizes, price: float
) -> str:
    """Return what of the account's margin does not fit what is quoted with; empty if all does.

    Leverage or margin mode may have been changed by somebody else, or the account's value may
    have fallen so far that the position limit is more than it carries.
    """
    if leverage.is_changed(account):
        mode = "cross" if account.is_cross else "isolated"
        return f"the account's leverage is {account.leverage} {mode}"
    value = leverage.value(account) or 1
    most = ACCOUNT_SHARE_MAX * max(account.account_value_usd, 0.0) * value * MICRO_USD / price
    if sizes.position > MARGIN_TOLERANCE * most:
        return (
            f"the account's value of {account.account_value_usd:.2f} USD carries {int(most)} lots"
        )
    return ""
