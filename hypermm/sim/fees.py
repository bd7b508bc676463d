"""What trades cost: rates by the volume of 14 days, in millionths of a trade's value.

They change at the end of a UTC day. Source: Hyperliquid documentation, "Fees"; the table agrees
with the recorded `userFees`.
"""

from collections.abc import Mapping, Sequence

from attrs import evolve, frozen

from hypermm.sim.rules import MILLION, USD, Rules

DAYS = 14


@frozen
class Rates:
    """Of takers and makers, on perpetuals and on spot."""

    cross: int
    add: int
    spot_cross: int = 700
    spot_add: int = 400


TIERS = (  # 14-day volume beyond which they hold, USD
    (5_000_000, Rates(400, 120, 600, 300)),
    (25_000_000, Rates(350, 80, 500, 200)),
    (100_000_000, Rates(300, 40, 400, 100)),
    (500_000_000, Rates(280, 0, 350, 0)),
    (2_000_000_000, Rates(260, 0, 300, 0)),
    (7_000_000_000, Rates(240, 0, 250, 0)),
)
REBATES = ((5_000, -10), (15_000, -20), (30_000, -30))  # by share of all makers' volume, millionths


def base(rules: Rules) -> Rates:
    """Return what an account pays that has traded little."""
    return Rates(rules.taker_fee_per_million, rules.maker_fee_per_million)


def rates(
    own: Mapping[int, Sequence[int]], everybodys: Mapping[int, int], today: int, rules: Rules
) -> Rates:
    """Return what an account pays on a day.

    Parameters
    ----------
    own : mapping of UTC day to (taker, maker)
        Volume of the account, micro-USD.
    everybodys : mapping of UTC day to volume
        Of the whole venue, micro-USD; every trade has one maker.
    today : int
        UTC day; the 14 before it count.
    rules : Rules
        Base rates, and whether there are tiers at all.
    """
    found = base(rules)
    if not rules.has_fee_tiers:
        return found
    days = range(today - DAYS, today)
    taken, made = (sum(own[day][side] for day in days if day in own) for side in (0, 1))
    for volume, tier in TIERS:
        if taken + made > volume * USD:
            found = tier
    total = sum(everybodys.get(day, 0) for day in days)
    for share, rebate in REBATES:
        if made * MILLION > share * total:
            found = evolve(found, add=rebate)
    return found


def fee(notional: int, rates: Rates, *, is_taker: bool) -> int:
    """Return the fee of a fill in micro-USD, cut towards zero, as the exchange does."""
    rate = rates.cross if is_taker else rates.add
    cut = notional * abs(rate) // MILLION
    return cut if rate >= 0 else -cut
