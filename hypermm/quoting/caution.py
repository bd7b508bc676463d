"""How much more careful than usual: four factors of the risk aversion, and what widens besides.

The solver knows volatility and inventory already; the factors are a second, bounded count of what
its model does not know: regimes, jumps, a position near its limit, forced flow. More risk aversion
widens its quotes only mildly, so that a cascade's band multiplies half-spread and size as well.
"""

from attrs import frozen

VOLATILITY_FACTORS = (1.0, 1.5, 3.0)  # by regime: normal, high, extreme
JUMP_RATIO_USUAL = 1.5  # realised over bipower variance: up to here nothing is scaled
JUMP_RATIO_TOXIC = 3.0  # from here on by the whole factor
TOXICITY_MAX = 2.0
INVENTORY_WEIGHT = 1.0  # what the square of the limit's utilisation adds
MULTIPLIER_MAX = 10.0  # of the product
# Severity from which a band acts: factor of risk aversion, of half-spread, of size. Pulling and
# killing are the business of `risk`.
BANDS = ((0.5, 2.5, 2.5, 0.5), (0.3, 1.5, 1.5, 1.0))
SEVERITY_LEAST = BANDS[-1][0]


@frozen
class Caution:
    """The factors of one decision; all are at least 1 but the share of the usual size."""

    volatility: float = 1.0
    toxicity: float = 1.0
    inventory: float = 1.0
    tail: float = 1.0
    widening: float = 1.0  # of the half-spread, costs left out
    size_fraction: float = 1.0

    @property
    def multiplier(self) -> float:
        """The product of the four factors, at most `MULTIPLIER_MAX`."""
        return min(self.volatility * self.toxicity * self.inventory * self.tail, MULTIPLIER_MAX)


def assess(
    volatility_regime: int, jump_ratio: float, utilisation: float, severity: float
) -> Caution:
    """Return the factors; a figure that is not known, NaN, scales nothing.

    Parameters
    ----------
    volatility_regime : int
        0 normal, 1 high, 2 extreme.
    jump_ratio : float
        Realised over bipower variance.
    utilisation : float
        Absolute position over its limit, >= 0; beyond 1 counts as 1.
    severity : float
        Of a cascade, 0 to 1.
    """
    toxicity = 1.0
    if jump_ratio > JUMP_RATIO_USUAL:
        passed = (jump_ratio - JUMP_RATIO_USUAL) / (JUMP_RATIO_TOXIC - JUMP_RATIO_USUAL)
        toxicity += (TOXICITY_MAX - 1.0) * min(passed, 1.0)
    tail = widening = size_fraction = 1.0
    for least, *factors in BANDS:
        if severity >= least:
            tail, widening, size_fraction = factors
            break
    return Caution(
        VOLATILITY_FACTORS[volatility_regime],
        toxicity,
        1.0 + INVENTORY_WEIGHT * min(utilisation, 1.0) ** 2,
        tail,
        widening,
        size_fraction,
    )
