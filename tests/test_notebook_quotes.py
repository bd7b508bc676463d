"""The public functions of quotes, control and ladders: what goes in, comes out, and is refused."""

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm._core.glft import Solver
from hypermm.notebook import control, ladders, quotes
from hypermm.notebook.control import (
    inventory_half_life_secs,
    is_liquidation_better,
    scale_risk_aversion,
)
from hypermm.notebook.ladders import ladder, ladder_depths, ladder_sizes
from hypermm.notebook.quotes import (
    Intensity,
    Units,
    alpha_shift_bps,
    avellaneda_stoikov,
    best_quotes,
    closed_form,
    closed_form_quotes,
    finite_horizon_depths,
    general_glft,
    glft,
)
from tests import oracle
from tests.test_glft import log_floats

BTC_LIKE = {
    "volatility": 1.5,
    "kappa_per_bps": 0.25,
    "intensity_per_sec": 0.5,
    "risk_aversion_per_bps": 0.075,
}
PAPER = {
    "volatility": 0.3,
    "kappa_per_bps": 0.3,
    "intensity_per_sec": 0.9,
    "risk_aversion_per_bps": 0.01,
    "execution_risk_per_bps": 0.01,
}


@pytest.mark.parametrize("module", [quotes, control, ladders], ids=lambda m: m.__name__)
def test_the_examples_hold(module):
    """Docstrings are read first; they must be true."""
    result = doctest.testmod(module)

    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("case", oracle.cases("glft_units"))
def test_one_market_in_currency_in_fractions_and_in_bps(case):
    """Conversions lose nothing: all three give the same quotes."""
    inputs = case["inputs"]
    price, lot = inputs["S"], inputs["Delta"]
    in_currency, in_fractions = Units(price, lot), Units(1.0, lot * price)
    lots = inputs["n_max"]

    for units, volatility, kappa in (
        (in_currency, inputs["sigma_rel"] * price, inputs["kappa_rel"] / price),
        (in_fractions, inputs["sigma_rel"], inputs["kappa_rel"]),
    ):
        risk = units.risk_aversion_per_bps(inputs["gamma"])
        found = glft(
            lots_long=lots,
            volatility=units.volatility_bps(volatility),
            kappa_per_bps=units.kappa_per_bps(kappa),
            intensity_per_sec=inputs["A"],
            risk_aversion_per_bps=risk,
            execution_risk_per_bps=risk,
        )
        oracle.check(case, "sigma_bps", units.volatility_bps(volatility))
        oracle.check(case, "kappa_per_bps", units.kappa_per_bps(kappa))
        oracle.check(case, "risk_aversion_per_bps", risk)
        oracle.check(case, "delta_bid_bps", found.bid_depth_bps.tolist())
        oracle.check(case, "delta_ask_bps", found.ask_depth_bps.tolist())
        assert units.gamma(risk) == pytest.approx(inputs["gamma"], rel=1e-14)
    distances = [in_currency.distance(depth) for depth in found.bid_depth_bps]
    oracle.check(case, "delta_bid_abs", distances)
    bid, ask = in_currency.prices(found)
    assert bid[0] == pytest.approx(price - distances[0], rel=1e-14)
    assert math.isnan(ask[0])


@pytest.mark.parametrize("case", oracle.cases("glft_paper_example"))
def test_the_example_of_2013_in_full(case):
    """Eigenvector, 600 s before the horizon, and closed form, lot by lot."""
    lots = case["inputs"]["n_max"]
    form = closed_form(**PAPER)
    stationary = glft(lots_long=lots, **PAPER)
    horizon = finite_horizon_depths([case["inputs"]["T"]], lots_long=lots, **PAPER)
    linear = form.linear(stationary.inventory_lots)

    oracle.check(case, "d0", form.base_depth_bps)
    oracle.check(case, "slope", form.slope_bps)
    oracle.check(case, "omega", form.rate_per_sec)
    oracle.check(case, "T_eff", 1.0 / form.rate_per_sec)
    oracle.check(case, "asymptotic_bid", stationary.bid_depth_bps.tolist())
    oracle.check(case, "asymptotic_ask", stationary.ask_depth_bps.tolist())
    oracle.check(case, "T600_bid", horizon.bid_depth_bps[0].tolist())
    oracle.check(case, "T600_ask", horizon.ask_depth_bps[0].tolist())
    oracle.check(case, "closed_bid", linear.bid_depth_bps.tolist())
    oracle.check(case, "closed_ask", linear.ask_depth_bps.tolist())
    logs = [0.0, *np.cumsum(-0.3 * (stationary.bid_depth_bps[lots:-1] - form.base_depth_bps))]
    oracle.check(case, "ln_f_nonneg", logs)
    alpha = 0.5 * 0.3 * 0.01 * 0.3**2
    oracle.check(case, "alpha", alpha)
    oracle.check(case, "eta", alpha / form.inventory_risk)
    oracle.check(case, "n", stationary.inventory_lots.tolist())
    off = np.abs(linear.bid_depth_bps - stationary.bid_depth_bps)
    oracle.check(case, "max_abs_closed_minus_asymptotic_all", np.nanmax(off))
    near = np.abs(stationary.inventory_lots) <= 20
    oracle.check(case, "max_abs_closed_minus_asymptotic_abs_n_le_20", off[near].max())
    eigenvalue = -0.3 * stationary.gain_bps_per_sec
    assert eigenvalue == pytest.approx(case["expected"]["eigenvalues_first5"][0], rel=1e-12)
    gap = np.abs(horizon.bid_depth_bps[0] - stationary.bid_depth_bps)[:-1].max()
    assert gap == pytest.approx(case["expected"]["max_abs_T600_minus_asymptotic"], rel=1e-5)


@pytest.mark.parametrize("case", oracle.cases("gamma_scaling"))
def test_risk_is_scaled_factor_by_factor(case):
    """Volatility, jumps, inventory, tail; then the caps, the pull and the kill."""
    inputs, expected = case["inputs"], case["expected"]

    scale = scale_risk_aversion(
        inputs["gamma"],
        volatility_ratio=inputs["sigma"] / inputs["sigma_base"],
        jump_ratio=inputs["j"],
        inventory_ratio=inputs["u"],
        severity=inputs["severity"],
        volatility_power=inputs["p"],
        volatility_cap=inputs["vol_cap"],
        jump_low=inputs["j0"],
        jump_high=inputs["j1"],
        toxicity_cap=inputs["tox_cap"],
        inventory_weight=inputs["inv_c"],
        total_cap=inputs["total_cap"],
    )

    for key, value in (
        ("vol", scale.volatility),
        ("tox", scale.toxicity),
        ("inv", scale.inventory),
        ("tail", scale.tail),
        ("multiplier", scale.multiplier),
        ("gamma_eff", scale.risk_aversion),
    ):
        oracle.check(case, key, value)
    assert (scale.is_pulled, scale.is_killed) == (bool(expected["pull"]), bool(expected["kill"]))


@given(
    st.floats(0.0, 1e300), st.floats(0.0, 1e300), st.floats(-1e300, 1e300), st.floats(0.0, 1.0)
)  # fmt: skip
def test_no_state_lowers_risk_aversion_or_breaks_its_cap(volatility, jump, inventory, severity):
    """Whatever is measured, the result stays between the base and ten times it."""
    scale = scale_risk_aversion(
        1.0,
        volatility_ratio=volatility,
        jump_ratio=jump,
        inventory_ratio=inventory,
        severity=severity,
        volatility_power=2.0,
    )

    assert 1.0 <= scale.risk_aversion <= 10.0


def test_glft_writes_where_it_is_told_and_takes_what_numpy_takes():
    """Output arrays are filled in place; lists, integers and views are inventories."""
    bid, ask = np.empty(3), np.empty(3)

    found = glft([-1, 0, 1], lots_long=5, bid_out=bid, ask_out=ask, **BTC_LIKE)

    assert found.bid_depth_bps is bid
    assert found.ask_depth_bps is ask
    solver = Solver(10)
    solver.solve(lots_long=5, lots_short=5, **BTC_LIKE)
    np.testing.assert_array_equal(bid, [solver.bid_depth_bps(n) for n in (-1, 0, 1)])
    whole = glft(lots_long=3, lots_short=0, **BTC_LIKE)
    assert whole.inventory_lots.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert glft([], lots_long=5, **BTC_LIKE).bid_depth_bps.size == 0


@pytest.mark.parametrize("factor", [1e3, 1e-3])
def test_quotes_do_not_know_the_unit_of_the_asset(factor):
    """A thousandth of the asset at a thousandth of the price is the same market."""
    units, other = Units(50_000.0, 0.01), Units(50_000.0 * factor, 0.01 / factor)
    volatility, kappa, gamma = 7.5, 0.05, 0.002

    def depths(scale, u):
        risk = u.risk_aversion_per_bps(gamma)
        return glft(
            lots_long=8,
            volatility=u.volatility_bps(volatility * scale),
            kappa_per_bps=u.kappa_per_bps(kappa / scale),
            intensity_per_sec=0.5,
            risk_aversion_per_bps=risk,
        ).bid_depth_bps

    np.testing.assert_allclose(depths(factor, other), depths(1.0, units), rtol=1e-12)


def test_a_surface_starts_at_the_terminal_cost_and_ends_stationary():
    """And a payment divides it in two."""
    found = finite_horizon_depths([0.0, 1e6], lots_long=4, terminal_cost_bps=5.0, **BTC_LIKE)
    paid = finite_horizon_depths(
        [0.0, 60.0, 61.0], lots_long=4, payment_bps=2.0, payment_secs=60.0, **BTC_LIKE
    )
    free = finite_horizon_depths([60.0], lots_long=4, **BTC_LIKE)

    assert found.value_bps[0].tolist() == pytest.approx([-5.0 * abs(n) for n in range(-4, 5)])
    np.testing.assert_allclose(
        found.bid_depth_bps[1], glft(lots_long=4, **BTC_LIKE).bid_depth_bps, rtol=1e-12
    )
    np.testing.assert_allclose(paid.bid_depth_bps[1], free.bid_depth_bps[0] + 2.0, rtol=1e-12)
    assert finite_horizon_depths([], lots_long=2, **BTC_LIKE).bid_depth_bps.shape == (0, 5)


def test_families_meet_in_the_exponential_one():
    """General intensities give the exact solution where both exist."""
    exact = glft(lots_long=6, cost_bps=1.5, **BTC_LIKE)

    general = general_glft(
        Intensity.exponential(0.5, 0.25, cost_bps=1.5),
        volatility=1.5,
        risk_aversion_per_bps=0.075,
        lots_long=6,
    )

    np.testing.assert_allclose(general.bid_depth_bps, exact.bid_depth_bps, rtol=1e-9)
    assert general.gain_bps_per_sec == pytest.approx(exact.gain_bps_per_sec, rel=1e-10)
    depth, gain, rate = best_quotes([0.0], Intensity.power(1.0, 4.0, 2.0))
    assert (depth[0], gain[0], rate[0]) == pytest.approx((4.0, 1.0, 0.25))


@given(log_floats(0.01, 30.0), log_floats(1e-3, 1e3), log_floats(1e-6, 10.0), st.floats(-5.0, 5.0))
def test_one_closed_quote_is_the_closed_form(volatility, kappa, gamma, inventory):
    """The quick door and the one for arrays."""
    market = {
        "volatility": volatility,
        "kappa_per_bps": kappa,
        "intensity_per_sec": 0.5,
        "risk_aversion_per_bps": gamma,
    }
    form = closed_form(**market, cost_bps=0.3 / kappa, impact_bps=0.1 / kappa)
    drift = 0.1 / kappa

    bid, ask = closed_form_quotes(
        inventory,
        *market.values(),
        cost_bps=0.3 / kappa,
        drift_bps_per_sec=drift,
        impact_bps=0.1 / kappa,
    )

    shift = alpha_shift_bps(drift_bps_per_sec=drift, rate_per_sec=form.rate_per_sec)
    found = form.linear([inventory], shift_bps=shift)
    scale = 1e-11 * (form.base_depth_bps + shift + 6.0 * form.slope_bps)
    assert bid == pytest.approx(found.bid_depth_bps[0], abs=scale)
    assert ask == pytest.approx(found.ask_depth_bps[0], abs=scale)


def test_closed_forms_meet_the_exact_quotes_far_from_the_bound():
    """Linear for small inventories, asinh for larger ones, tanh before a horizon."""
    form = closed_form(**PAPER)
    n = np.arange(-10.0, 11.0)

    exact = glft(n, lots_long=60, **PAPER)
    before = finite_horizon_depths([20.0], lots_long=60, **PAPER)
    short = avellaneda_stoikov(
        [0.0, 1.0], volatility=0.3, kappa_per_bps=0.3, risk_aversion_per_bps=0.01, horizon_secs=5.0
    )

    np.testing.assert_allclose(form.linear(n).bid_depth_bps, exact.bid_depth_bps, atol=3e-3)
    np.testing.assert_allclose(form.asinh(n).bid_depth_bps, exact.bid_depth_bps, atol=2e-4)
    np.testing.assert_allclose(
        form.before(n, 20.0).bid_depth_bps, before.bid_depth_bps[0, 50:71], atol=2e-3
    )
    assert np.diff(short.bid_depth_bps)[0] == pytest.approx(0.0045)
    assert alpha_shift_bps(drift_bps_per_sec=0.2, rate_per_sec=0.0, life_secs=5.0) == 1.0


def test_half_of_a_small_inventory_is_gone_after_its_half_life():
    """Fills of both optimal quotes, integrated: the rate is right near zero."""
    form, exact = closed_form(**PAPER), glft([0.0, 1.0], lots_long=60, **PAPER)

    bid, ask = (0.9 * np.exp(-0.3 * side[1]) for side in (exact.bid_depth_bps, exact.ask_depth_bps))

    rate = math.log(2.0) / inventory_half_life_secs(form, execution_risk_per_bps=0.01)
    assert ask - bid == pytest.approx(rate, rel=0.02)


def test_selling_out_pays_when_risk_is_large_and_not_when_it_is_small():
    """theta falls below the cost of the market; never for no inventory."""
    rest = {
        "horizon_secs": 600.0,
        "half_spread_bps": 0.5,
        "taker_fee_bps": 4.5,
        "lots_long": 6,
        "kappa_per_bps": 0.25,
        "intensity_per_sec": 0.01,
    }

    def is_better(lots, volatility, risk):
        return is_liquidation_better(
            lots, volatility=volatility, risk_aversion_per_bps=risk, **rest
        )

    assert is_better(6, 5.0, 0.5)
    assert is_better(-6, 5.0, 0.5)
    assert not is_better(6, 0.01, 1e-6)
    assert not is_better(0, 5.0, 0.5)


@pytest.mark.parametrize("case", oracle.cases("ladder_levels", "levels"))
def test_ladder_depths_agree_with_high_precision(case):
    """Geometric and linear spacing."""
    inputs = case["inputs"]

    for kind in ("geometric", "linear"):
        found = ladder_depths(
            inputs["dmin"], inputs["dmax"], inputs["n"], is_geometric=kind == "geometric"
        )
        oracle.check(case, kind, found.tolist())


def test_ladders_stay_on_their_side_and_within_their_room():
    """Prices and sizes in the units of people."""
    found = ladder(
        0.25,
        price_decimals=6,
        size_decimals=0,
        best_bid=0.2499,
        best_ask=0.2501,
        bid_depth_bps=4.0,
        ask_depth_bps=math.nan,
        num_levels=3,
        side_size=3000.0,
        bid_room=2000.0,
        kappa_per_bps=0.1,
    )

    assert found.asks == ()
    assert all(price <= 0.2499 for price, _ in found.bids)
    assert sum(size for _, size in found.bids) <= 2000.0
    sizes = ladder_sizes([5.0], kappa_per_bps=0.25, slope_bps=0.5, max_lots=3.0)
    assert sizes.tolist() == [3.0]


def test_doors_refuse_what_has_no_answer():
    """NaN, wrong order, wrong type and shape, each by its name."""
    nan = math.nan
    form, still = closed_form(**BTC_LIKE), closed_form(**BTC_LIKE | {"volatility": 0.0})
    law = {"kappa_per_bps": 1.0, "slope_bps": 1.0, "max_lots": 1.0}
    for match, call in (
        (r"inventory_lots\[1\]", lambda: glft([0.0, nan], lots_long=3, **BTC_LIKE)),
        ("inventory_lots", lambda: glft([[0.0]], lots_long=3, **BTC_LIKE)),
        ("inventory_lots", lambda: glft(["a"], lots_long=3, **BTC_LIKE)),
        ("bid_out", lambda: glft([0.0], lots_long=3, bid_out=np.empty(2), **BTC_LIKE)),
        ("volatility", lambda: glft(lots_long=3, **BTC_LIKE | {"volatility": nan})),
        (r"horizon_secs\[1\]", lambda: finite_horizon_depths([1, 0], lots_long=3, **BTC_LIKE)),
        (r"horizon_secs\[0\]", lambda: finite_horizon_depths([-1], lots_long=3, **BTC_LIKE)),
        ("fair_price", lambda: Units(0.0)),
        ("lot", lambda: Units(1.0, nan)),
        ("inventory_lots", lambda: closed_form_quotes(nan, 1.0, 1.0, 1.0, 1.0)),
        ("without risk", lambda: closed_form_quotes(0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0)),
        ("rate_per_sec", lambda: alpha_shift_bps(drift_bps_per_sec=1.0, rate_per_sec=0.0)),
        ("life_secs", lambda: alpha_shift_bps(drift_bps_per_sec=1, rate_per_sec=1, life_secs=0)),
        ("horizon_secs", lambda: form.before([0.0], -1.0)),
        ("rate_per_sec", lambda: inventory_half_life_secs(still)),
        ("severity", lambda: scale_risk_aversion(1.0, severity=1.1)),
        ("jump_high", lambda: scale_risk_aversion(1.0, jump_low=3.0)),
        ("risk_aversion", lambda: scale_risk_aversion(nan)),
        ("num_levels", lambda: ladder_depths(1.0, 2.0, 0)),
        ("intensity_per_sec", lambda: ladder_sizes([2.0, 1.0], **law)),
        ("kappa_per_bps", lambda: ladder_sizes([2.0], **law | {"kappa_per_bps": nan})),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=match):
            call()
