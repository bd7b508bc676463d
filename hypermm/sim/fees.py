"""What trades cost: rates by the volume of 14 days, in millionths of a trade's value.

They change at the end of a UTC day. Source: Hyperliquid documentation, "Fees"; the table agrees
with the recorded `userFees`.
"""

from collections.abc import Iterable, Mapping, Sequence

from attrs import evolve, frozen

from hypermm.sim.rules import MILLION, USD, Rules

DAYS = 14
THOUSAND = 1_000
REFERRAL_DISCOUNT_PERCENT = 4
REFERRER_SHARE_PERCENT = 10
REFERRAL_VOLUME = 25_000_000 * USD  # lifetime, up to which the discount holds
BUILDER_TENTHS_OF_BP = 100_000  # of a notional


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


def added(volumes: Iterable[Mapping[int, Sequence[int]]]) -> dict[int, tuple[int, int]]:
    """Add the volumes (taker, maker) of several accounts day by day."""
    total: dict[int, tuple[int, int]] = {}
    for of_one in volumes:
        for day, (taken, made) in of_one.items():
            before = total.get(day, (0, 0))
            total[day] = before[0] + taken, before[1] + made
    return total


@frozen
class DexFees:
    """How a builder's dex scales fees: `scale` in thousandths, and whether it is in growth mode."""

    scale: int = 0
    has_growth_mode: bool = False

    @property
    def factor(self) -> tuple[int, int]:
        """What a fee of the exchange is multiplied with, as numerator and denominator."""
        scale = self.scale
        top = THOUSAND + scale if scale < THOUSAND else 2 * scale
        return top, THOUSAND * (10 if self.has_growth_mode else 1)

    def counted_volume(self, notional: int) -> int:
        """Return what of a trade counts towards tiers and the request budget, micro-USD."""
        return notional // 10 if self.has_growth_mode else notional

    def deployer_part(self, fee: int) -> int:
        """Return the deployer's part of a fee; he has none in a rebate."""
        if fee <= 0:
            return 0
        scale = self.scale
        return fee * scale // (THOUSAND + scale) if scale < THOUSAND else fee // 2


PLAIN = DexFees()


@frozen
class Charge:
    """A fee in micro-USD, and the parts in it of builder, deployer and referrer."""

    fee: int
    builder: int = 0
    deployer: int = 0
    referrer: int = 0


def charge(
    notional: int,
    rate: int,
    dex: DexFees = PLAIN,
    *,
    builder_tenths: int = 0,
    is_referred: bool = False,
) -> Charge:
    """Return what a fill costs; a fraction of a micro-USD is cut towards zero, as recorded.

    Parameters
    ----------
    notional : int
        Price times size, micro-USD.
    rate : int
        Millionths of it; negative is a rebate, on which there is no discount.
    dex : DexFees
        Scale of the market's dex.
    builder_tenths : int
        The builder's fee on top, in tenths of a basis point.
    is_referred : bool
        Whether the referral discount holds, and a referrer gets his part.
    """
    top, below = dex.factor
    has_discount = is_referred and rate > 0
    percent = 100 - REFERRAL_DISCOUNT_PERCENT if has_discount else 100
    cut = notional * abs(rate) * top * percent // (MILLION * below * 100)
    plain = cut if rate >= 0 else -cut
    builder = notional * builder_tenths // BUILDER_TENTHS_OF_BP
    deployer = dex.deployer_part(plain)
    referrer = (plain - deployer) * REFERRER_SHARE_PERCENT // 100 if has_discount else 0
    return Charge(plain + builder, builder, deployer, referrer)
