"""Imbalance and the prices made of it, in plain Python."""


def imbalance(buys, sells):
    """Return (buys - sells)/(buys + sells), 0 where both are 0."""
    total = buys + sells
    return (buys - sells) / total if total > 0.0 else 0.0


def book_imbalance(bid_sizes, ask_sizes, decay):
    """Weigh level i by decay^i."""
    bids = sum(size * decay**i for i, size in enumerate(bid_sizes))
    asks = sum(size * decay**i for i, size in enumerate(ask_sizes))
    return imbalance(bids, asks)


def weighted_mid(bid, ask, bid_size, ask_size):
    """Return (ask V_b + bid V_a)/(V_b + V_a)."""
    return (ask * bid_size + bid * ask_size) / (bid_size + ask_size)
