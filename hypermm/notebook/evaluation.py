"""How good a result is: Sharpe ratios with their errors, and the chance of overfitting."""

from itertools import combinations
from math import comb, e, fsum, inf, nan, sqrt

import numpy as np
from attrs import frozen
from numpy.typing import ArrayLike

from hypermm.notebook._arrays import Estimate, Floats, floats, number

_EULER = 0.5772156649015329
_MOST_SPLITS = 200_000  # of the blocks of a matrix of returns: 20 blocks have 184,756
_CHUNK = 4096  # splits worked on at a time


@frozen
class SharpeRatio:
    """Sharpe ratio of a series of returns, per period, and what is known about it.

    Parameters
    ----------
    value : float
        Mean over standard deviation (n-1), per period; NaN if nothing varies.
    standard_error : float
        For returns of any skewness and kurtosis.
    n : int
        Returns.
    unit : str
        `1/sqrt(period)`.
    standard_error_normal : float
        For normal returns.
    skewness, kurtosis : float
        Of the returns; 0 and 3 for normal ones.
    autocorrelations : tuple of float
        Of the returns, at lags 1, 2, ...
    """

    value: float
    standard_error: float
    n: int
    unit: str
    standard_error_normal: float
    skewness: float
    kurtosis: float
    autocorrelations: tuple[float, ...]

    def interval(self, z: float = 1.96) -> tuple[float, float]:
        """Return value - z se and value + z se."""
        return self.value - z * self.standard_error, self.value + z * self.standard_error

    def annual(self, periods_per_year: float, *, lags: int | None = None) -> float:
        """Annual ratio: the autocorrelation of the returns is taken into account.

        Parameters
        ----------
        periods_per_year : float
            Periods in a year, q, >= 1.
        lags : int, optional
            Autocorrelations to use; all that were measured if left out, 0 for none (sqrt(q)).

        Returns
        -------
        float
            SR q / sqrt(q + 2 sum (q-k) rho_k); NaN where the root is not defined.

        Raises
        ------
        ValueError
            If a value is outside its domain.
        """
        q = number("periods_per_year", periods_per_year, low=1.0)
        most = len(self.autocorrelations)
        used = most if lags is None else lags
        if not 0 <= used <= most:
            raise ValueError(f"lags must lie in 0 to {most}: {lags}")
        spread = q + 2.0 * fsum(
            (q - k) * rho for k, rho in enumerate(self.autocorrelations[:used], start=1)
        )
        return self.value * q / sqrt(spread) if spread > 0.0 else nan


def sharpe_ratio(returns: ArrayLike, *, lags: int = 0) -> SharpeRatio:
    """Sharpe ratio of a series of returns, with its standard error.

    Parameters
    ----------
    returns : array_like, shape (n,), n >= 2
        Return or P&L of each period, finite.
    lags : int
        Autocorrelations to measure, 0 to n-1.

    Returns
    -------
    SharpeRatio
        Per period; `annual` makes it one of a year.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken.

    Notes
    -----
    SR = mean/sd; se = sqrt((1 - g3 SR + (g4-1)/4 SR^2)/(n-1)), sqrt((1 + SR^2/2)/n) if normal.
    Sources: Lo (2002), "The statistics of Sharpe ratios"; Bailey and Lopez de Prado (2014), "The
    deflated Sharpe ratio".

    Examples
    --------
    >>> ratio = sharpe_ratio([0.01, -0.005, 0.02, 0.0, 0.01], lags=1)
    >>> round(ratio.value, 3), round(ratio.annual(365.0, lags=0), 2)
    (0.718, 13.72)
    """
    values = floats("returns", returns, least=2)
    n = values.size
    if not 0 <= lags < n:
        raise ValueError(f"lags must lie in 0 to {n - 1}: {lags}")
    # A power of two keeps squares and fourth powers of any unit inside the doubles, exactly.
    unit = 2.0 ** -float(np.frexp(np.abs(values).max())[1]) if values.any() else 1.0
    values = values * unit
    mean = fsum(values) / n
    rest = values - mean
    rest -= fsum(rest) / n
    squares = fsum(rest * rest)
    constant = squares <= n * (4e-16 * abs(mean)) ** 2
    if constant:
        return SharpeRatio(nan, nan, n, "1/sqrt(period)", nan, nan, nan, (nan,) * lags)
    ratio = mean / sqrt(squares / (n - 1))
    skewness = fsum(rest**3) / n / (squares / n) ** 1.5
    kurtosis = fsum(rest**4) / n / (squares / n) ** 2
    spread = 1.0 - skewness * ratio + (kurtosis - 1.0) / 4.0 * ratio**2
    return SharpeRatio(
        value=ratio,
        standard_error=sqrt(max(spread, 0.0) / (n - 1)),
        n=n,
        unit="1/sqrt(period)",
        standard_error_normal=sqrt((1.0 + 0.5 * ratio**2) / n),
        skewness=skewness,
        kurtosis=kurtosis,
        autocorrelations=tuple(
            fsum(rest[lag:] * rest[:-lag]) / squares for lag in range(1, lags + 1)
        ),
    )


def probabilistic_sharpe(ratio: SharpeRatio, *, least: float = 0.0) -> float:
    """Probability that the true Sharpe ratio is above a threshold.

    Parameters
    ----------
    ratio : SharpeRatio
        What was measured.
    least : float
        The threshold, per period, finite.

    Returns
    -------
    float
        Phi((SR - threshold)/se), 0 to 1; NaN if the ratio is.

    Raises
    ------
    ValueError
        If the threshold is not finite.

    Notes
    -----
    Source: Bailey and Lopez de Prado (2012), "The Sharpe ratio efficient frontier".

    Examples
    --------
    >>> ratio = sharpe_ratio([0.01, -0.005, 0.02, 0.0, 0.01])
    >>> round(probabilistic_sharpe(ratio), 3)
    0.918
    """
    from scipy.special import ndtr  # 0.1 s to load

    excess = ratio.value - number("least", least)
    if ratio.standard_error == 0.0:
        return 1.0 if excess > 0.0 else 0.0 if excess < 0.0 else 0.5
    return float(ndtr(excess / ratio.standard_error))


def deflated_sharpe_threshold(trials: int, trials_variance: float) -> float:
    """Sharpe ratio that the best of many worthless configurations is expected to show.

    Parameters
    ----------
    trials : int
        Independent configurations that were tried, N, >= 1: cluster those of a sweep.
    trials_variance : float
        Variance of the Sharpe ratios across trials, per period, >= 0.

    Returns
    -------
    float
        sqrt(V) ((1-gE) Phi^-1(1 - 1/N) + gE Phi^-1(1 - 1/(N e))); 0 for one trial.

    Raises
    ------
    ValueError
        If a value is outside its domain.

    Examples
    --------
    >>> round(deflated_sharpe_threshold(100, 0.01), 3)
    0.253
    """
    from scipy.special import ndtri  # 0.1 s to load

    if trials < 1:
        raise ValueError(f"trials must be >= 1: {trials}")
    spread = sqrt(number("trials_variance", trials_variance, low=0.0))
    if trials == 1:
        return 0.0
    # By symmetry, -Phi^-1(1/N): 1 - 1/N would lose the digits of a large N.
    best = -(1.0 - _EULER) * ndtri(1.0 / trials) - _EULER * ndtri(1.0 / (trials * e))
    return spread * float(best)


def deflated_sharpe(ratio: SharpeRatio, *, trials: int, trials_variance: float) -> float:
    """Probability that the best of many configurations is better than luck makes it.

    Parameters
    ----------
    ratio : SharpeRatio
        That of the configuration which was chosen.
    trials : int
        Independent configurations that were tried, >= 1.
    trials_variance : float
        Variance of their Sharpe ratios, per period, >= 0.

    Returns
    -------
    float
        `probabilistic_sharpe` above `deflated_sharpe_threshold`. Choose only above 0.95.

    Raises
    ------
    ValueError
        If a value is outside its domain.

    Notes
    -----
    Source: Bailey and Lopez de Prado (2014), "The deflated Sharpe ratio".

    Examples
    --------
    >>> returns = np.random.default_rng(1).normal(0.1, 1.0, size=1000)
    >>> round(deflated_sharpe(sharpe_ratio(returns), trials=100, trials_variance=0.001), 2)
    0.14
    """
    threshold = deflated_sharpe_threshold(trials, trials_variance)
    return probabilistic_sharpe(ratio, least=threshold)


@frozen
class Overfitting:
    """Whether the best configuration in the sample is any good outside it.

    Parameters
    ----------
    probability : Estimate
        Share of splits whose best configuration ranks in the lower half outside; its error is
        that of as many independent splits as there are blocks.
    mean_logit : float
        Mean of ln(w/(1-w)), w the rank outside over N+1; above 0 is better than the median.
    slope : float
        Of the Sharpe ratio outside on the one inside, over splits.
    splits : int
        Ways to choose half of the blocks.
    """

    probability: Estimate
    mean_logit: float
    slope: float
    splits: int


def overfitting_probability(returns: ArrayLike, *, blocks: int = 10) -> Overfitting:
    """Probability of backtest overfitting, by combinatorially symmetric cross-validation.

    Parameters
    ----------
    returns : array_like, shape (n, m), m >= 2
        Returns, finite: a row for each period, a column for each configuration.
    blocks : int
        Blocks of equal length that the rows are cut into: even, 2 to 20, and n must be a
        multiple of it with at least 2 rows for each half.

    Returns
    -------
    Overfitting
        Choose a configuration only if the probability is below 0.2.

    Raises
    ------
    ValueError
        Naming the argument and the rule that is broken.

    Notes
    -----
    For each half of the blocks the configuration with the best Sharpe ratio there is ranked by
    that on the other half (1 worst, ties by average; the lowest index of equal ones is chosen).
    A configuration that does not vary has no ratio and counts as the worst. Source: Bailey,
    Borwein, Lopez de Prado and Zhu (2017), "The probability of backtest overfitting".

    Examples
    --------
    >>> noise = np.random.default_rng(3).normal(size=(160, 20))  # nothing is any good
    >>> found = overfitting_probability(noise, blocks=8)
    >>> found.splits, found.probability.value > 0.2
    (70, True)
    """
    matrix = _matrix(returns)
    rows, columns = matrix.shape
    if blocks % 2 or not 2 <= blocks <= 20 or comb(blocks, blocks // 2) > _MOST_SPLITS:
        raise ValueError(f"blocks must be even and lie in 2 to 20: {blocks}")
    if rows % blocks or rows // 2 < 2:
        raise ValueError(f"returns must have a multiple of {blocks} rows, at least 4: {rows}")
    centre = matrix.mean(axis=0)  # taken out, so that a mean far from 0 costs no digits
    parts = (matrix - centre).reshape(blocks, -1, columns)
    sums, squares = parts.sum(axis=1), (parts * parts).sum(axis=1)
    total_sum, total_squares = sums.sum(axis=0), squares.sum(axis=0)
    half = rows // 2
    logits, inside_best, outside_best = [], [], []
    for chosen in _halves(blocks):
        part_sum, part_squares = chosen @ sums, chosen @ squares
        inside = _ratios(centre, part_sum, part_squares, half)
        outside = _ratios(centre, total_sum - part_sum, total_squares - part_squares, half)
        best = inside.argmax(axis=1)
        each = np.arange(len(best))
        theirs = outside[each, best]
        below = (outside < theirs[:, None]).sum(axis=1)
        ties = (outside == theirs[:, None]).sum(axis=1)
        share = (below + 0.5 * (ties + 1.0)) / (columns + 1.0)
        logits.append(np.log(share / (1.0 - share)))
        inside_best.append(inside[each, best])
        outside_best.append(theirs)
    logit = np.concatenate(logits)
    probability = float((logit <= 0.0).mean())
    error = sqrt(probability * (1.0 - probability) / blocks)
    return Overfitting(
        Estimate(probability, error, logit.size, "1"),
        fsum(logit) / logit.size,
        _slope(np.concatenate(inside_best), np.concatenate(outside_best)),
        logit.size,
    )


def _matrix(returns: ArrayLike) -> Floats:
    raw = np.asarray(returns)
    if raw.ndim != 2 or raw.shape[1] < 2:
        raise ValueError(f"returns must have rows and at least 2 columns: shape {raw.shape}")
    if raw.dtype.kind not in "fiu":
        raise ValueError(f"returns must hold numbers: dtype {raw.dtype}")
    matrix = np.ascontiguousarray(raw, dtype=np.float64)
    broken = ~np.isfinite(matrix)
    if broken.any():
        i, j = (int(k) for k in np.argwhere(broken)[0])
        raise ValueError(f"returns[{i}, {j}] must be finite: {matrix[i, j]}")
    largest = np.abs(matrix).max(axis=0)
    return matrix * np.where(largest > 0.0, 2.0 ** -np.frexp(largest)[1].astype(float), 1.0)


def _halves(blocks: int) -> list[Floats]:
    """Every choice of half of the blocks, a row of zeros and ones each, in chunks."""
    chosen = np.array(list(combinations(range(blocks), blocks // 2)))
    table = np.zeros((len(chosen), blocks))
    np.put_along_axis(table, chosen, 1.0, axis=1)
    return [table[i : i + _CHUNK] for i in range(0, len(table), _CHUNK)]


def _ratios(centre: Floats, sums: Floats, squares: Floats, n: int) -> Floats:
    variance = (squares - sums * sums / n) / (n - 1)
    varies = variance > 1e-28 * centre * centre + 1e-13 * squares / n
    deviation = np.sqrt(variance, where=varies, out=np.ones_like(variance))
    ratio = np.full_like(variance, -inf)
    np.divide(centre + sums / n, deviation, out=ratio, where=varies)
    return ratio


def _slope(x: Floats, y: Floats) -> float:
    known = np.isfinite(x) & np.isfinite(y)
    if known.sum() < 2:
        return nan
    x, y = x[known] - x[known].mean(), y[known] - y[known].mean()
    spread = float(x @ x)
    return float(x @ y) / spread if spread > 0.0 else nan
