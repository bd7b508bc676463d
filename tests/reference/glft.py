"""Optimal quotes: the stationary solution by Newton on lists, and the closed forms as written."""

from math import asinh, exp, hypot, inf, isnan, log, log1p, nan, pi, sin, sqrt, tanh


def base_depth_bps(kappa, xi=0.0):
    x = xi / kappa
    return (log1p(x) / x if x > 1e-300 else 1.0) / kappa


def log_intensity_factor(kappa, xi=0.0):
    x = xi / kappa
    if x < 1e-8:
        return -(1.0 + x) * (1.0 - x / 2.0 + x * x / 3.0)
    return -(1.0 + x) * log1p(x) / x


class Solution:
    """Depths for one market; bid and ask values are pairs."""

    def __init__(
        self,
        *,
        volatility,
        kappa,
        intensities,
        gamma,
        lots_long,
        lots_short,
        costs=(0.0, 0.0),
        drift=0.0,
        impact=0.0,
        xi=0.0,
    ):
        self.kappa = kappa
        self.lowest, self.highest = -lots_short, lots_long
        eta_bid, eta_ask = (
            intensity * exp(log_intensity_factor(kappa, xi) - kappa * (cost + impact / 2.0))
            for intensity, cost in zip(intensities, costs, strict=True)
        )
        eta = sqrt(eta_bid) * sqrt(eta_ask)
        self.log_r = 0.5 * log(eta_ask / eta_bid)
        self.bases = [base_depth_bps(kappa, xi) + cost + impact / 2.0 for cost in costs]
        rho = 0.5 * kappa * gamma * volatility**2 / eta
        tilt = kappa * drift / eta
        self.log_ratios = self._solve(rho, tilt)

    def _solve(self, rho, tilt):
        if self.lowest == self.highest:
            return {}
        if rho > 0.0:
            centre = tilt / (2.0 * rho)
        else:
            centre = 0.0 if tilt == 0.0 else inf if tilt > 0.0 else -inf
        centre = min(max(centre, self.lowest), self.highest)
        self.centre = m = round(centre)
        box = 2.0 * sin(pi / (2.0 * (self.highest - self.lowest + 2)))
        low, high, level = 0.0, 2.0, min(1.999, hypot(sqrt(rho), box * box))
        for _ in range(200):
            up = self._sweep(range(self.highest, m, -1), rho, tilt, level)
            down = self._sweep(range(self.lowest, m), rho, tilt, level)
            if up is None or down is None:
                high = level
                level = 0.5 * (low + high)
                continue
            value, slope = level, 1.0
            for _, u, du in (up, down):
                value -= u / (1.0 + u) if u is not None else 1.0
                slope -= du / (1.0 + u) ** 2 if u is not None else 0.0
            low, high = (low, level) if value > 0.0 else (level, high)
            following = level - value / slope
            if abs(following - level) <= 1e-15 * level or not low < high:
                break
            level = following if low < following < high else 0.5 * (low + high)
        ratios = {n - 1: log1p(u) for n, u in up[0].items()}
        ratios |= {n: -log1p(w) for n, w in down[0].items()}
        return ratios

    def _sweep(self, lots, rho, tilt, level):
        m, found, u, du = self.centre, {}, None, 0.0
        for n in lots:
            diagonal = (n - m) * (rho * (n + m) - tilt) - level
            if u is None:
                u, du = diagonal + 1.0, -1.0
            else:
                u, du = diagonal + u / (1.0 + u), -1.0 + du / (1.0 + u) ** 2
            if not 1.0 + u > 0.0:
                return None
            found[n] = u
        return found, u, du

    def _log_ratio(self, x):
        if not self.log_ratios:
            return nan
        rows = sorted(self.log_ratios)
        if len(rows) == 1:
            return self.log_ratios[rows[0]] - self.log_r
        n = max(row for row in rows[:-1] if row <= max(x, rows[0]))
        left, right = self.log_ratios[n], self.log_ratios[n + 1]
        return left + (x - n) * (right - left) - self.log_r

    def bid_depth_bps(self, inventory):
        if inventory >= self.highest:
            return nan
        return self.bases[0] + self._log_ratio(max(inventory, self.lowest)) / self.kappa

    def ask_depth_bps(self, inventory):
        if inventory <= self.lowest:
            return nan
        return self.bases[1] - self._log_ratio(min(inventory, self.highest) - 1) / self.kappa


def closed_form(*, volatility, kappa, intensity, gamma, xi=0.0, cost=0.0, impact=0.0):
    eta = intensity * exp(log_intensity_factor(kappa, xi) - kappa * (cost + impact / 2.0))
    alpha = 0.5 * kappa * gamma * volatility**2
    return (
        base_depth_bps(kappa, xi) + cost + impact / 2.0,
        volatility * sqrt(gamma / (2.0 * kappa * eta)),
        2.0 * sqrt(alpha * eta),
        alpha / eta,
    )


def finite_horizon_slope_bps(slope, rate, horizon, terminal):
    t = tanh(rate * horizon)
    return slope * (terminal + slope * t) / (slope + terminal * t)


def linear_depths_bps(n, base, slope, shift):
    return base + (2 * n + 1) / 2 * slope - shift, base - (2 * n - 1) / 2 * slope + shift


def asinh_depths_bps(n, base, kappa, rho):
    h = sqrt(rho) / 2 * (1 + 3 * sqrt(rho) / 16)
    return base + 2 / kappa * asinh(h * (n + 0.5)), base - 2 / kappa * asinh(h * (n - 0.5))


def is_close(left, right, tolerance):
    """Whether two depths agree; two nans do."""
    if isnan(left) or isnan(right):
        return isnan(left) and isnan(right)
    return abs(left - right) <= tolerance
