# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False
"""The kernels' C functions in compiled loops, for peers.py: what a caller by `cimport` pays."""

from hypermm._core._types cimport float64_t
from hypermm._core.glft cimport Market, Solver
from hypermm._core.glft_closed cimport closed_quotes
from hypermm._core.ladder cimport Ladder
from hypermm._core.reconcile cimport Reconciler


def closed_forms(const float64_t[:, ::1] markets, const float64_t[::1] inventory):
    """Return the sum of both depths over rows of volatility, kappa, intensity and aversion."""
    cdef Py_ssize_t i
    cdef Market market
    cdef float64_t bid, ask, total = 0.0
    market.bid_cost = market.ask_cost = market.drift = market.impact = 0.0
    with nogil:
        for i in range(markets.shape[0]):
            market.volatility = markets[i, 0]
            market.kappa = markets[i, 1]
            market.bid_intensity = market.ask_intensity = markets[i, 2]
            market.risk_aversion = market.execution_risk = markets[i, 3]
            closed_quotes(&market, inventory[i], &bid, &ask)
            total += bid + ask
    return total


def compare_often(Reconciler table, Ladder ladder, float64_t max_bps_diff, int times):
    """Return the differences found by `times` comparisons."""
    cdef int _turn, total = 0
    with nogil:
        for _turn in range(times):
            total += table.compare_live(ladder, max_bps_diff)
    return total
