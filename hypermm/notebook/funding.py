"""Funding: premium, rates, payment, and what the running hour will come to."""

from attrs import frozen

from hypermm._core.funding import (
    SAMPLES_PER_HOUR,
    expected_funding_rate,
    expected_mean_premium,
    funding_payment,
    funding_premium,
    funding_rate,
    hourly_funding_rate,
)

__all__ = [
    "FundingForecast",
    "expected_funding_rate",
    "funding_payment",
    "funding_premium",
    "funding_rate",
    "hourly_funding_rate",
    "predict_funding",
]


@frozen
class FundingForecast:
    """What the running hour will come to.

    Parameters
    ----------
    mean_premium : float
        Expected mean premium of the whole hour, fraction.
    rate : float
        Rate of 8 hours at that premium.
    expected_rate : float
        Mean of the rate over what the premium may still do.
    hourly_rate : float
        What a long pays for the hour at `rate`, as a fraction of the oracle's value.
    """

    mean_premium: float
    rate: float
    expected_rate: float
    hourly_rate: float


def predict_funding(
    mean_seen: float,
    last: float,
    *,
    seen: int,
    persistence: float,
    deviation: float,
    long_run: float = 0.0,
    samples: int = SAMPLES_PER_HOUR,
) -> FundingForecast:
    """Predict the funding of the running hour from the premium samples seen.

    Parameters
    ----------
    mean_seen, last : float
        Mean of the samples seen, and the last one, as fractions.
    seen : int
        How many they are, of `samples` in an hour (one each 5 s).
    persistence : float
        Correlation of neighbouring samples, in [-1, 1].
    deviation : float
        Standard deviation of the hour's mean premium around its expectation, >= 0.
    long_run : float
        What the premium reverts to.
    samples : int
        Samples of an hour.

    Returns
    -------
    FundingForecast
        Point forecast and mean.

    Raises
    ------
    ValueError
        If a value is outside its domain.

    Notes
    -----
    Samples to come are AR(1). While the mean premium stays between -4 and 6 bps the rate is 1 bp
    exactly: most hours are known in advance.

    Examples
    --------
    >>> one = predict_funding(2e-4, 1e-4, seen=600, persistence=0.95, deviation=1e-5)
    >>> one.rate, round(one.hourly_rate * 1e4, 4)
    (0.0001, 0.125)
    """
    mean = expected_mean_premium(
        mean_seen,
        last,
        seen=seen,
        persistence=persistence,
        long_run=long_run,
        samples=samples,
    )
    return FundingForecast(
        mean, funding_rate(mean), expected_funding_rate(mean, deviation), hourly_funding_rate(mean)
    )
