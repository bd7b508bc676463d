"""Overfitting by cross-validation, split by split, from the definition."""

from itertools import combinations
from math import log
from statistics import fmean, stdev


def overfitting(returns, blocks):
    """Probability and mean logit."""
    rows, columns = len(returns), len(returns[0])
    length = rows // blocks
    logits = []
    for chosen in combinations(range(blocks), blocks // 2):
        inside = [returns[i] for i in range(rows) if i // length in chosen]
        outside = [returns[i] for i in range(rows) if i // length not in chosen]
        ratios = []
        for part in (inside, outside):
            series = [[row[j] for row in part] for j in range(columns)]
            ratios.append([fmean(one) / stdev(one) for one in series])
        best = ratios[0].index(max(ratios[0]))
        mine = ratios[1][best]
        rank = sum(x < mine for x in ratios[1]) + (sum(x == mine for x in ratios[1]) + 1) / 2
        share = rank / (columns + 1)
        logits.append(log(share / (1 - share)))
    return sum(x <= 0 for x in logits) / len(logits), fmean(logits)
