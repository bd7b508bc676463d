"""hftbacktest's side of `replay.py`: a GLFT grid on its public interface, compiled by numba."""

import numpy as np
from hftbacktest import BUY_EVENT, GTX, LIMIT, BacktestAsset, ROIVectorMarketDepthBacktest
from numba import njit, uint64
from numba.typed import Dict

ASK_IDS = 1 << 40  # added to the ids of asks, so that both sides can rest at one price
GAMMA, DECAY = 0.05, 0.99


@njit
def trade(hbt, levels, every_ns):
    depth_sum, trades, secs, squares, last_mid = 0.0, 0.0, 0.0, 1.0, np.nan
    sigma, half, skew = 1.0, 0.5, 0.0
    size, most = 0.01, 0.2
    decisions, sent = 0, 0
    wanted_bids = Dict.empty(np.uint64, np.float64)
    wanted_asks = Dict.empty(np.uint64, np.float64)
    while hbt.elapse(every_ns) == 0:
        depth = hbt.depth(0)
        bid, ask = depth.best_bid_tick, depth.best_ask_tick
        mid = 0.5 * (bid + ask)
        for one in hbt.last_trades(0):
            if decisions == 0:
                break  # no mid yet
            is_buy = one.ev & BUY_EVENT == BUY_EVENT
            depth_sum += max((one.px - last_mid) * (1.0 if is_buy else -1.0), 0.5) - 0.5
            trades += 1.0
        hbt.clear_last_trades(0)
        hbt.clear_inactive_orders(0)
        if decisions > 0:
            squares += (mid - last_mid) ** 2
        secs += every_ns * 1e-9
        last_mid = mid
        if decisions % 50 == 0:
            kappa = min((4.0 + trades) / (2.0 + depth_sum), 20.0)
            rate = 0.5 * (1.0 + trades) / (10.0 + secs) * np.exp(0.5 * kappa)
            sigma = np.sqrt(squares / secs)
            half = np.log(1 + GAMMA / kappa) / GAMMA
            skew = sigma * np.sqrt(
                GAMMA / (2 * kappa * rate) * (1 + GAMMA / kappa) ** (1 + kappa / GAMMA)
            )
            depth_sum, trades, secs, squares = (
                DECAY * depth_sum, DECAY * trades, DECAY * secs, DECAY * squares,
            )  # fmt: skip
        decisions += 1
        lots = hbt.position(0) / size
        first_bid = min(np.floor(mid - half - skew * (lots + 0.5)), bid)
        first_ask = max(np.ceil(mid + half - skew * (lots - 0.5)), ask)
        wanted_bids.clear()
        wanted_asks.clear()
        for i in range(levels):
            if (lots + i) * size < most:
                wanted_bids[uint64(first_bid - i)] = first_bid - i
            if (-lots + i) * size < most:
                wanted_asks[uint64(first_ask + i) + uint64(ASK_IDS)] = first_ask + i
        orders = hbt.orders(0)
        values = orders.values()
        while values.has_next():
            order = values.get()
            if order.cancellable and not (
                order.order_id in wanted_bids or order.order_id in wanted_asks
            ):
                hbt.cancel(0, order.order_id, False)
        for order_id, price in wanted_bids.items():
            if order_id not in orders:
                hbt.submit_buy_order(0, order_id, price, size, GTX, LIMIT, False)
                sent += 1
        for order_id, price in wanted_asks.items():
            if order_id not in orders:
                hbt.submit_sell_order(0, order_id, price, size, GTX, LIMIT, False)
                sent += 1
    return decisions, sent


def run(events, levels, every_ns, latency_ns):
    """Play the events; the depth of the fastest kind that the package has."""
    asset = (
        BacktestAsset()
        .data(events)
        .linear_asset(1.0)
        .constant_order_latency(latency_ns, latency_ns)
        .power_prob_queue_model(2.0)
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.00015, 0.00045)
        .tick_size(1.0)
        .lot_size(0.00001)
        .roi_lb(50_000.0)
        .roi_ub(80_000.0)
        .last_trades_capacity(10_000)
    )
    hbt = ROIVectorMarketDepthBacktest([asset])
    decisions, sent = trade(hbt, levels, every_ns)
    state = hbt.state_values(0)
    figures = {"decisions": int(decisions), "orders": int(sent), "fills": int(state.num_trades)}
    hbt.close()
    return figures
