"""Variance under noise from the formulas, with every sum written out."""

from itertools import pairwise
from math import fsum


def realised(y):
    return fsum((b - a) ** 2 for a, b in pairwise(y))


def two_scale(y, step):
    n = len(y) - 1
    slow = fsum((y[i] - y[i - step]) ** 2 for i in range(step, n + 1)) / step
    share = (n - step + 1) / step / n
    return (slow - share * realised(y)) / (1 - share)


def preaveraged(y, window):
    n = len(y) - 1
    returns = [b - a for a, b in pairwise(y)]

    def g(j):
        return min(j, window - j) / window

    psi_1 = window * fsum((g(j) - g(j - 1)) ** 2 for j in range(1, window + 1))
    psi_2 = fsum(g(j) ** 2 for j in range(1, window)) / window
    means = [
        fsum(g(j) * returns[i + j - 1] for j in range(1, window)) for i in range(n - window + 2)
    ]
    scaled = n / (n - window + 2) / (window * psi_2) * fsum(x * x for x in means)
    return scaled - psi_1 / (2 * window * window * psi_2) * realised(y)


def parzen(x):
    return 1 - 6 * x**2 + 6 * x**3 if x <= 0.5 else 2 * (1 - x) ** 3


def kernel(returns, bandwidth):
    n = len(returns)
    total = 0.0
    for h in range(-bandwidth, bandwidth + 1):
        gamma = fsum(returns[j] * returns[j - abs(h)] for j in range(abs(h), n))
        total += parzen(abs(h) / (bandwidth + 1)) * gamma
    return total
