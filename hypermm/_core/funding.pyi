from typing import Final, final

INTEREST: Final[float]
PULL_MAX: Final[float]
HOURLY_MAX: Final[float]
SAMPLES_PER_HOUR: Final[int]

def funding_premium(
    impact_bid: float, impact_ask: float, *, oracle_price: float, is_builder_dex: bool = False
) -> float: ...
def funding_rate(premium: float) -> float: ...
def hourly_funding_rate(premium: float) -> float: ...
def funding_payment(position: float, *, oracle_price: float, premium: float) -> float: ...
def expected_mean_premium(
    mean_seen: float,
    last: float,
    *,
    seen: float,
    persistence: float,
    long_run: float = 0.0,
    samples: float = 720.0,
) -> float: ...
def expected_funding_rate(mean: float, deviation: float) -> float: ...

@final
class FundingStream:
    samples: int
    rate: float
    rate_se: float
    def __init__(self) -> None: ...
    def update(self, exch_ns: int, premium: float) -> None: ...
