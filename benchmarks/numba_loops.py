"""What a careful user writes with numba instead of taking hypermm: strict sums, plain loops."""

from math import exp, hypot, log, log1p, pi, sin, sqrt

import numpy as np
from numba import njit

compiled = njit(error_model="numpy")  # divisions by zero are not looked for, as in C


@compiled
def realised_bipower(returns):
    before = abs(returns[0])
    squares, products = before * before, 0.0
    for i in range(1, returns.size):
        size = abs(returns[i])
        squares += size * size
        products += size * before
        before = size
    return squares, pi / 2.0 * returns.size / (returns.size - 1) * products


@compiled
def stream_two_sums(secs, prices, decay_secs, out):
    """One log, one exp, two decayed sums: the least that a streaming jump ratio takes."""
    squares = products = before = 0.0
    last = log(prices[0])
    for i in range(1, prices.size):
        here = log(prices[i])
        size = abs(here - last)
        weight = exp((secs[i - 1] - secs[i]) / decay_secs)
        squares = weight * squares + size * size
        products = weight * products + size * before
        out[i] = squares / products if products > 0.0 else 1.0
        before, last = size, here


@compiled
def stream_volatility(secs, prices, decay_secs, out):
    """The sums of hypermm's stream: volatility per square root of a second, whatever the gaps."""
    products = roots = size_before = step_before = 0.0
    last = log(prices[0])
    out[0] = np.nan
    for i in range(1, prices.size):
        here = log(prices[i])
        size, step = abs(here - last), secs[i] - secs[i - 1]
        weight = exp(-step / decay_secs)
        products = weight * products + pi / 2.0 * size * size_before
        roots = weight * roots + sqrt(step * step_before)
        out[i] = 1e4 * sqrt(products / roots) if roots > 0.0 else np.nan
        size_before, step_before, last = size, step, here


@compiled
def hawkes(times, horizon, mu, alpha, beta):
    """Log-likelihood by the recursion; the state after the last event closes the compensator."""
    state, total = 0.0, log(mu)
    for i in range(1, times.size):
        state = exp(beta * (times[i - 1] - times[i])) * (1.0 + state)
        total += log(mu + alpha * state)
    left = exp(beta * (times[-1] - horizon)) * (1.0 + state)
    return total - mu * horizon - alpha / beta * (times.size - left)


@compiled
def hawkes_gradient(times, horizon, mu, alpha, beta, gradient):
    """The same with its derivatives, in one pass."""
    state, slope, total = 0.0, 0.0, log(mu)  # slope: minus the state's derivative by beta
    by_mu, by_alpha, by_beta = 1.0 / mu, 0.0, 0.0
    for i in range(1, times.size):
        gap = times[i] - times[i - 1]
        weight = exp(-beta * gap)
        slope = weight * (slope + gap * (1.0 + state))
        state = weight * (1.0 + state)
        intensity = mu + alpha * state
        total += log(intensity)
        by_mu += 1.0 / intensity
        by_alpha += state / intensity
        by_beta -= alpha * slope / intensity
    gap = horizon - times[-1]
    weight = exp(-beta * gap)
    rest = times.size - weight * (1.0 + state)
    gradient[0] = by_mu - horizon
    gradient[1] = by_alpha - rest / beta
    gradient[2] = by_beta + alpha / beta * (rest / beta - weight * (slope + gap * (1.0 + state)))
    return total - mu * horizon - alpha / beta * rest


@compiled
def inverse_iteration(alpha, eta, kappa, lots, vector, upper, work, out):
    """Lowest eigenvector by three shifted solves; out receives ln(f_n / f_(n+1)) / kappa."""
    rows = 2 * lots + 1
    width = 0.5 * sqrt(alpha / eta)
    for i in range(rows):
        vector[i] = exp(-width * (i - lots) ** 2)
    for _ in range(3):
        above = below = 0.0
        for i in range(rows):
            image = alpha * (i - lots) ** 2 * vector[i]
            image -= eta * vector[i - 1] if i > 0 else 0.0
            image -= eta * vector[i + 1] if i + 1 < rows else 0.0
            above += image * vector[i]
            below += vector[i] * vector[i]
        shift = above / below - 1e-13
        pivot = alpha * lots * lots - shift
        upper[0], work[0] = -eta / pivot, vector[0] / pivot
        for i in range(1, rows):
            pivot = alpha * (i - lots) ** 2 - shift + eta * upper[i - 1]
            upper[i] = -eta / pivot
            work[i] = (vector[i] + eta * work[i - 1]) / pivot
        vector[rows - 1] = work[rows - 1]
        for i in range(rows - 2, -1, -1):
            vector[i] = work[i] - upper[i] * vector[i + 1]
        scale = abs(vector[lots])
        for i in range(rows):
            vector[i] /= scale
    for i in range(rows - 1):
        out[i] = log(vector[i] / vector[i + 1]) / kappa


@compiled
def ratio_recursion(rho, kappa, base, lots, excess, level, bid, ask):
    """The ratios of neighbours themselves, by Newton on the level; returns it for a warm start."""
    low, high = 0.0, 2.0
    if level <= 0.0:
        box = 2.0 * sin(pi / (4.0 * (lots + 1)))
        level = min(1.999, hypot(sqrt(rho), box * box))
    for _ in range(60):
        value, slope = rho * lots * lots + 1.0 - level, -1.0
        excess[lots] = value
        for n in range(lots - 1, 0, -1):
            if value <= -1.0:
                break
            inverse = 1.0 / (1.0 + value)
            slope = slope * inverse * inverse - 1.0
            value = rho * n * n - level + value * inverse
            excess[n] = value
        if value <= -1.0:
            high = level
            level = 0.5 * (low + high)
            continue
        inverse = 1.0 / (1.0 + value)
        miss = level - 2.0 * value * inverse
        if miss > 0.0:
            high = level
        else:
            low = level
        step = miss / (1.0 - 2.0 * slope * inverse * inverse)
        following = level - step
        if not low < following < high:
            following = 0.5 * (low + high)
        is_done = abs(following - level) <= 1e-13 * level
        level = following
        if is_done:
            break
    for n in range(lots):
        part = log1p(excess[n + 1]) / kappa
        bid[lots + n] = ask[lots - n] = base + part
        bid[lots - n - 1] = ask[lots + n + 1] = base - part
    bid[2 * lots] = ask[0] = np.nan
    return level


@compiled
def crank_nicolson(alpha, eta, kappa, base, lots, horizon, steps, vector, upper, work, bid):
    """Bids at the horizon by `steps` implicit steps from a flat start."""
    rows, half = 2 * lots + 1, 0.5 * horizon / steps
    vector[:] = 1.0
    for _ in range(steps):
        for i in range(rows):
            work[i] = (1.0 - half * alpha * (i - lots) ** 2) * vector[i]
            work[i] += half * eta * vector[i - 1] if i > 0 else 0.0
            work[i] += half * eta * vector[i + 1] if i + 1 < rows else 0.0
        pivot = 1.0 + half * alpha * lots * lots
        upper[0] = -half * eta / pivot
        work[0] /= pivot
        for i in range(1, rows):
            pivot = 1.0 + half * alpha * (i - lots) ** 2 + half * eta * upper[i - 1]
            upper[i] = -half * eta / pivot
            work[i] = (work[i] + half * eta * work[i - 1]) / pivot
        vector[rows - 1] = work[rows - 1]
        for i in range(rows - 2, -1, -1):
            vector[i] = work[i] - upper[i] * vector[i + 1]
        scale = vector[lots]
        for i in range(rows):
            vector[i] /= scale
    for i in range(rows - 1):
        bid[i] = base + log(vector[i] / vector[i + 1]) / kappa


@compiled
def closed_form(inventory, volatility, kappa, intensity, aversion):
    """Gueant, Lehalle and Fernandez-Tapia (2013), section 4, for exponential utility."""
    base = log1p(aversion / kappa) / aversion
    slope = volatility * sqrt(
        aversion / (2.0 * kappa * intensity) * (1.0 + aversion / kappa) ** (1.0 + kappa / aversion)
    )
    return base + slope * (inventory + 0.5), base - slope * (inventory - 0.5)


@compiled
def closed_forms(markets, inventory):
    total = 0.0
    for i in range(inventory.size):
        bid, ask = closed_form(
            inventory[i], markets[i, 0], markets[i, 1], markets[i, 2], markets[i, 3]
        )
        total += bid + ask
    return total


@compiled
def mean_rate(depths):
    total = 0.0
    for depth in depths:
        total += depth
    return depths.size / total


@compiled
def reconcile(live, sizes, target, wanted, actions):
    """Two pointers over prices sorted from the touch; equal prices and half to all of the size."""
    i = j = count = 0
    while i < live.size and j < target.size:
        if live[i] == target[j] and wanted[j] <= 2 * sizes[i] and sizes[i] <= wanted[j]:
            i, j = i + 1, j + 1
        elif live[i] >= target[j]:
            actions[count] = -1 - i
            i, count = i + 1, count + 1
        else:
            actions[count] = 1 + j
            j, count = j + 1, count + 1
    while i < live.size:
        actions[count] = -1 - i
        i, count = i + 1, count + 1
    while j < target.size:
        actions[count] = 1 + j
        j, count = j + 1, count + 1
    return count


@compiled
def reconcile_often(live, sizes, target, wanted, actions, times):
    """Bids, and asks as the mirror image."""
    total = 0
    for _ in range(times):
        total += reconcile(live, sizes, target, wanted, actions)
        total += reconcile(live, sizes, target, wanted, actions)
    return total
