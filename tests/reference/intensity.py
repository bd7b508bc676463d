"""General fill intensities: the best depth by a search, the gain by value iteration of policies."""

from math import exp, inf, log1p

import numpy as np


def intensity(kind, parameters, depth):
    if kind == "exponential":
        a, k = parameters
        return a * exp(-k * depth)
    if kind == "power":
        a, scale, p = parameters
        return a * (1.0 + depth / scale) ** -p if depth > -scale else inf
    if kind == "logistic":
        a, offset, b = parameters
        return a / (1.0 + exp(offset + b * depth))
    a, k, a2, k2 = parameters
    return a * exp(-k * depth) + a2 * exp(-k2 * depth)


def gain(kind, parameters, depth, reservation, *, cost=0.0, adverse=0.0, decay=1.0, xi=0.0):
    """What a quote at this depth earns, in bps times lots per second."""
    kept = depth - adverse * exp(-depth / decay) - cost - reservation
    worth = -np.expm1(-xi * kept) / xi if xi > 0.0 else kept
    return intensity(kind, parameters, depth) * worth


def best(kind, parameters, reservation, low, high, **costs):
    """Search a grid, then narrow it: slow and sure, to about 1e-7 in depth and 1e-14 in gain."""
    for _ in range(6):
        grid = np.linspace(low, high, 401)
        values = [gain(kind, parameters, d, reservation, **costs) for d in grid]
        i = int(np.argmax(values))
        low, high = grid[max(i - 1, 0)], grid[min(i + 1, 400)]
    return grid[i], values[i]


def stationary(hamiltonian, penalty, lots):
    """Howard's iteration with a dense solver; `hamiltonian(p)` gives gain, rate and depth.

    Returns the gain and the depths of bids from the lower bound up.
    """
    n = np.arange(-lots, lots + 1.0)
    value, size = np.zeros(n.size), n.size
    for _ in range(200):
        matrix, right = np.zeros((size, size)), -penalty * n**2
        matrix[:, lots] = 1.0  # of the gain, in place of the value when flat
        for i in range(size):
            for j in (i - 1, i + 1):
                if 0 <= j < size:
                    p = value[i] - value[j]
                    earned, rate, _ = hamiltonian(p)
                    right[i] += earned + rate * p
                    for column, sign in ((i, 1.0), (j, -1.0)):
                        if column != lots:
                            matrix[i, column] += sign * rate
        solution = np.linalg.solve(matrix, right)
        gain, solution[lots] = solution[lots], 0.0
        moved, value = np.abs(solution - value).max(), solution
        if moved < 1e-12 * (1.0 + np.abs(value).max()):
            break
    return gain, [hamiltonian(value[i] - value[i + 1])[2] for i in range(size - 1)]


def exponential_hamiltonian(a, k, xi=0.0):
    x = xi / k
    base = log1p(x) / x / k if x > 0.0 else 1.0 / k

    def hamiltonian(p):
        kept = base
        worth = (1.0 - exp(-xi * kept)) / xi if xi > 0.0 else kept
        fills = a * exp(-k * (p + base))
        return fills * worth, fills * exp(-xi * kept), p + base

    return hamiltonian
