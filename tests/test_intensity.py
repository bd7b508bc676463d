"""General fill intensities: expected numbers, a grid search, a dense solver, and limits."""

import doctest
import math
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypermm._core import intensity
from hypermm._core.glft import Solver
from hypermm._core.glft_finite import FiniteHorizon
from hypermm._core.intensity import Intensity, PolicySolver, best_depths
from tests import oracle
from tests.reference import intensity as reference
from tests.test_glft import check_quotes, log_floats

MAKERS = {
    "exponential": Intensity.exponential,
    "power": Intensity.power,
    "logistic": Intensity.logistic,
    "two_exponentials": Intensity.two_exponentials,
}
LOGISTIC = Intensity.logistic(1.5, -1.0, 0.8)
MARKET = {"volatility": 0.5, "risk_aversion_per_bps": 0.1, "lots_long": 5, "lots_short": 5}


def from_paper(inputs, **costs):
    """Translate a case in the papers' units to one order as the unit of size."""
    par = inputs["par"]
    costs |= {
        "adverse_bps": inputs.get("a0", 0.0),
        "adverse_decay_bps": inputs.get("da", 1.0),
        "execution_risk_per_bps": inputs["xi"] * inputs["Delta"],
    }
    match inputs["kind"]:
        case "exp":
            return Intensity.exponential(par["A"], par["k"], **costs)
        case "power":
            return Intensity.power(par["A"], par["d0"], par["p"], **costs)
        case "logistic":
            return Intensity.logistic(par["A"], par["a"], par["b"], **costs)
        case "biexp":
            return Intensity.two_exponentials(par["A1"], par["k1"], par["A2"], par["k2"], **costs)


def best_of(law, reservation):
    out = [np.empty(1) for _ in range(3)]
    best_depths(np.array([reservation]), *out, intensity=law)
    return tuple(float(x[0]) for x in out)


def solved(law, ask=None, **market):
    solver = PolicySolver(1000)
    solver.solve(bid=law, ask=ask, **market)
    return solver


@st.composite
def laws(draw, *, has_adverse=True):
    """A family, its parameters and costs, for the twin and for the kernel."""
    scale = draw(log_floats(1e-3, 1e3))
    level = draw(log_floats(1e-3, 1e3))
    kind = draw(st.sampled_from(sorted(MAKERS)))
    parameters = {
        "exponential": (level, 1.0 / scale),
        "power": (level, scale * draw(st.floats(0.5, 5.0)), draw(st.floats(1.2, 6.0))),
        "logistic": (level, draw(st.floats(-3.0, 3.0)), 1.0 / scale),
        "two_exponentials": (
            level,
            1.0 / scale,
            level * draw(log_floats(1e-3, 10.0)),
            draw(st.floats(0.02, 1.0)) / scale,
        ),
    }[kind]
    costs = {"cost": scale * draw(st.floats(-0.3, 2.0))}
    costs["xi"] = draw(st.one_of(st.just(0.0), log_floats(1e-6, 10.0))) / scale
    if has_adverse and draw(st.booleans()):
        costs["adverse"] = scale * draw(st.floats(0.0, 2.0))
        costs["decay"] = scale * draw(st.floats(0.3, 5.0))
    names = {
        "cost": "cost_bps",
        "xi": "execution_risk_per_bps",
        "adverse": "adverse_bps",
        "decay": "adverse_decay_bps",
    }
    law = MAKERS[kind](*parameters, **{names[key]: x for key, x in costs.items()})
    return kind, parameters, costs, law, scale


@pytest.mark.parametrize("case", oracle.cases("intensity_hamiltonian"))
def test_best_quotes_agree_with_high_precision(case):
    """All families, adverse selection by depth, with and without aversion."""
    inputs = case["inputs"]
    size = inputs["Delta"]

    depth, gain, rate = best_of(from_paper(inputs, cost_bps=inputs["c"]), inputs["p"])

    oracle.check(case, "delta", depth)
    oracle.check(case, "H", gain * size)
    oracle.check(case, "dH", -rate * size)


@pytest.mark.parametrize("case", oracle.cases("intensity_stationary"))
def test_stationary_quotes_agree_with_high_precision(case):
    """The gain and the value function too."""
    inputs = case["inputs"]
    size = inputs["Delta"]
    solver = solved(
        from_paper(inputs),
        volatility=inputs["sigma"],
        risk_aversion_per_bps=inputs["gamma"] * size,
        drift_bps_per_sec=inputs.get("mu", 0.0),
        lots_long=inputs["n_max"],
        lots_short=inputs["n_max"],
    )

    check_quotes(case, "delta_bid", solver.bid_depth_bps)
    check_quotes(case, "delta_ask", solver.ask_depth_bps)
    oracle.check(case, "g", solver.gain_bps_per_sec * size)
    oracle.check(case, "theta", [solver.value_bps(n) * size for n in case["expected"]["n"]])


@given(laws(), st.floats(-1.0, 5.0))
def test_no_other_depth_earns_more(law, reservation):
    """A search over a grid, for one family or the other; two maxima are told apart."""
    kind, parameters, costs, kernel, scale = law
    reservation = reservation * scale
    if kind == "power":
        reservation = max(reservation, 0.2 * scale - parameters[1] - costs["cost"])

    depth, gain, rate = best_of(kernel, reservation)

    low = max(reservation + costs["cost"], -parameters[1] if kind == "power" else -math.inf)
    high = depth + 30.0 * scale
    _, best = reference.best(kind, parameters, reservation, low, high, **costs)
    at = reference.gain(kind, parameters, depth, reservation, **costs)
    assert gain == pytest.approx(at, rel=1e-9)
    assert gain >= best * (1.0 - 1e-9)
    step = 1e-4 * scale
    ahead, behind = (best_of(kernel, reservation + x)[1] for x in (step, -step))
    if kind != "two_exponentials":
        assert (behind - ahead) / (2.0 * step) == pytest.approx(rate, rel=1e-5)


@given(laws(), st.floats(-1.0, 5.0), st.floats(0.0, 3.0))
def test_depth_rises_and_gain_falls_with_the_reservation(law, reservation, more):
    """What makes quotes deeper for the side that adds inventory."""
    kind, parameters, costs, kernel, scale = law
    reservation *= scale
    if kind == "power":
        reservation = max(reservation, 0.2 * scale - parameters[1] - costs["cost"])

    near, far = best_of(kernel, reservation), best_of(kernel, reservation + more * scale)

    assert far[0] >= near[0] - 1e-9 * scale
    assert far[1] <= near[1] * (1.0 + 1e-12)
    assert near[2] > 0.0


@pytest.mark.parametrize("xi", [0.0, 0.05])
@pytest.mark.parametrize("reservation", [-80.0, -1.0, 0.0, 3.0, 80.0])
def test_extreme_reservations_have_a_quote(reservation, xi):
    """Far through the mid a logistic law is saturated, far out it is exponential."""
    law = Intensity.logistic(1.5, -1.0, 0.8, execution_risk_per_bps=xi)

    depth, gain, _ = best_of(law, reservation)

    for other in (depth - 1e-3, depth + 1e-3):
        assert gain >= reference.gain("logistic", (1.5, -1.0, 0.8), other, reservation, xi=xi)
    assert gain > 0.0


@given(log_floats(1e-4, 0.05), log_floats(1e-2, 2.0), st.integers(1, 4), st.booleans())
@settings(max_examples=30)
def test_policies_agree_with_a_dense_solver(risk, decay, lots, is_averse):
    """Howard's iteration in plain Python, for the exponential law."""
    xi = risk if is_averse else 0.0
    gain, bids = reference.stationary(
        reference.exponential_hamiltonian(0.5, decay, xi), 0.5 * risk, lots
    )

    solver = solved(
        Intensity.exponential(0.5, decay, execution_risk_per_bps=xi),
        volatility=1.0,
        risk_aversion_per_bps=risk,
        lots_long=lots,
        lots_short=lots,
    )

    assert solver.gain_bps_per_sec == pytest.approx(gain, rel=1e-7, abs=1e-9)
    depths = [solver.bid_depth_bps(n) for n in range(-lots, lots)]
    assert depths == pytest.approx(bids, rel=1e-6, abs=1e-7 / decay)


@pytest.mark.parametrize("lots", [1, 2, 12, 100, 500])
@pytest.mark.parametrize("kappa", [1e-3, 1.0, 1e6])
@pytest.mark.parametrize("gamma", [0.0, 1e-8, 1e-3, 10.0])
def test_extremes_agree_with_the_exact_solution_for_one_exponential(lots, kappa, gamma):
    """An eigenvector and a policy iteration have nothing in common but the answer."""
    market = {
        "volatility": 1.0,
        "risk_aversion_per_bps": gamma,
        "lots_long": lots,
        "lots_short": lots,
    }
    exact = Solver(2 * lots)
    exact.solve(**market, kappa_per_bps=kappa, intensity_per_sec=0.5)

    solver = solved(Intensity.exponential(0.5, kappa), **market)

    for n in range(-lots, lots):
        wanted = exact.bid_depth_bps(n)
        assert solver.bid_depth_bps(n) == pytest.approx(wanted, rel=1e-9, abs=1e-9 / kappa)
    wanted = -exact.eigenvalue_per_sec / kappa
    assert solver.gain_bps_per_sec == pytest.approx(wanted, rel=1e-8)


@pytest.mark.parametrize("kind", ["power", "logistic", "two_exponentials", "far exponentials"])
@pytest.mark.parametrize("lots", [1, 12, 100])
@pytest.mark.parametrize("kappa", [1e-3, 1.0, 1e6])
@pytest.mark.parametrize("gamma", [1e-8, 1e-3, 10.0])
def test_extremes_settle_and_quotes_fall_with_inventory(kind, lots, kappa, gamma):
    """Full steps would leave the range of doubles where risk is large against the fills."""
    law = {
        "power": Intensity.power(0.5, 3.0 / kappa, 3.0),
        "logistic": Intensity.logistic(1.0, -1.0, kappa),
        "two_exponentials": Intensity.two_exponentials(0.5, kappa, 0.1, kappa / 2.0),
        "far exponentials": Intensity.two_exponentials(0.1, kappa / 20.0, 0.5, kappa),
    }[kind]

    solver = solved(
        law, volatility=1.0, risk_aversion_per_bps=gamma, lots_long=lots, lots_short=lots
    )

    bids = [solver.bid_depth_bps(n) for n in range(-lots, lots)]
    assert all(map(math.isfinite, bids))
    assert all(deeper >= nearer - 1e-9 / kappa for nearer, deeper in pairwise(bids))
    for n in range(-lots, lots):
        wanted = solver.bid_depth_bps(n)
        assert solver.ask_depth_bps(-n) == pytest.approx(wanted, rel=1e-6, abs=1e-9 / kappa)


@pytest.mark.parametrize("risk", [0.02, 0.1])
def test_more_risk_aversion_and_volatility_widen_the_flat_spread(risk):
    """The promise of the operating procedures, for a law that saturates."""
    flat = solved(LOGISTIC, **MARKET | {"risk_aversion_per_bps": risk}).bid_depth_bps(0)

    averse = solved(LOGISTIC, **MARKET | {"risk_aversion_per_bps": 2.0 * risk})
    volatile = solved(LOGISTIC, **MARKET | {"risk_aversion_per_bps": risk, "volatility": 0.8})

    assert averse.bid_depth_bps(0) > flat
    assert volatile.bid_depth_bps(0) > flat


def test_unequal_sides_have_their_own_laws():
    """Different decays break the linear system; here they are nothing special."""
    bid, ask = Intensity.exponential(0.5, 0.25), Intensity.exponential(0.7, 0.4)

    solver = solved(bid, ask, **MARKET)

    mirrored = solved(ask, bid, **MARKET)
    for n in range(-5, 5):
        assert solver.bid_depth_bps(n) == pytest.approx(mirrored.ask_depth_bps(-n), rel=1e-11)
        assert solver.ask_depth_bps(n + 1) == pytest.approx(
            mirrored.bid_depth_bps(-n - 1), rel=1e-11
        )


def test_a_warm_start_is_the_same_answer_sooner():
    """The former value function is where the iteration begins."""
    cold = solved(LOGISTIC, **MARKET | {"volatility": 0.501})
    warm = solved(LOGISTIC, **MARKET)

    warm.solve(bid=LOGISTIC, **MARKET | {"volatility": 0.501})

    assert warm.iterations <= 3 < cold.iterations
    for n in range(-5, 5):
        assert warm.bid_depth_bps(n) == pytest.approx(cold.bid_depth_bps(n), rel=1e-11)


@pytest.mark.parametrize("secs", [0.0, 0.1, 5.0, 100.0])
@pytest.mark.parametrize("xi", [0.0, 0.1])
def test_before_a_horizon_one_exponential_gives_the_exact_solution(secs, xi):
    """Extrapolated implicit steps against the series of positive terms."""
    market = MARKET | {"volatility": 1.0, "terminal_cost_bps": 2.0, "terminal_risk_bps": 0.1}
    walk, solver = FiniteHorizon(10), PolicySolver(10)
    walk.start(
        kappa_per_bps=0.25, intensity_per_sec=0.5, execution_risk_per_bps=xi, cost_bps=1.0, **market
    )
    solver.start(
        bid=Intensity.exponential(0.5, 0.25, cost_bps=1.0, execution_risk_per_bps=xi), **market
    )

    walk.advance(secs)
    solver.advance(secs)

    for n in range(-5, 5):
        assert solver.bid_depth_bps(n) == pytest.approx(walk.bid_depth_bps(n), abs=2e-9)
        assert solver.value_bps(n) == pytest.approx(walk.value_bps(n), abs=2e-9)
    assert solver.horizon_secs == secs


@pytest.mark.parametrize(
    "law",
    [
        Intensity.logistic(1.5, -1.0, 0.8, adverse_bps=0.4, execution_risk_per_bps=0.02),
        Intensity.power(2.0, 4.0, 3.0),
        Intensity.two_exponentials(2.0, 1.5, 0.3, 0.5),
    ],
    ids=["logistic", "power", "two exponentials"],
)
def test_far_from_the_horizon_the_quotes_are_the_stationary_ones(law):
    """Implicit steps have no memory of the end once it is far."""
    stationary, solver = solved(law, **MARKET), PolicySolver(10)
    solver.start(bid=law, **MARKET, terminal_cost_bps=1.0)

    solver.advance(2000.0)

    out = np.empty(11), np.empty(11)
    solver.depths(*out)
    for n in range(-5, 6):
        for got, wanted in (
            (solver.bid_depth_bps(n), stationary.bid_depth_bps(n)),
            (out[1][n + 5], stationary.ask_depth_bps(n)),
        ):
            assert got == pytest.approx(wanted, rel=1e-9, nan_ok=True)


def test_one_maximum_is_said_to_be_one():
    """L L'' < 2 L'**2 fails for two exponentials whose decays differ 5.83 times or more."""
    assert LOGISTIC.has_one_maximum
    assert Intensity.two_exponentials(1.0, 1.0, 1.0, 0.2).has_one_maximum
    assert not Intensity.two_exponentials(1.0, 0.1, 1.0, 1.0).has_one_maximum


def test_two_maxima_are_compared():
    """The near one wins while many fills are there, the far one when the reservation is high."""
    law = Intensity.two_exponentials(100.0, 5.0, 0.05, 0.05)
    parameters = (100.0, 5.0, 0.05, 0.05)

    for reservation in np.linspace(-2.0, 3.0, 26):
        depth, gain, _ = best_of(law, reservation)
        found, best = reference.best(
            "two_exponentials", parameters, reservation, reservation, reservation + 60.0
        )
        assert gain == pytest.approx(best, rel=1e-9)
        assert depth == pytest.approx(found, rel=1e-4)


def test_without_room_there_are_no_quotes():
    """One state has no neighbours; holding it costs its penalty."""
    solver = solved(LOGISTIC, **MARKET | {"lots_long": 2, "lots_short": -2})

    assert math.isnan(solver.bid_depth_bps(2))
    assert math.isnan(solver.ask_depth_bps(2))
    assert solver.gain_bps_per_sec == pytest.approx(-0.5 * 0.1 * 0.25 * 4)


def test_doors_refuse_what_has_no_answer():
    """Each by its name; a power law may earn without end."""
    nan, inf = math.nan, math.inf
    for maker, arguments in (
        (Intensity.exponential, (0.0, 1.0)),
        (Intensity.exponential, (nan, 1.0)),
        (Intensity.exponential, (1.0, -1.0)),
        (Intensity.exponential, (1.0, inf)),
        (Intensity.power, (1.0, 0.0, 2.0)),
        (Intensity.power, (1.0, 1.0, 1.0)),
        (Intensity.logistic, (1.0, nan, 1.0)),
        (Intensity.logistic, (1.0, 0.0, 0.0)),
        (Intensity.two_exponentials, (1.0, 1.0, 0.0, 1.0)),
        (Intensity.two_exponentials, (1.0, 1.0, 1.0, 0.0)),
    ):
        with pytest.raises(ValueError, match="must be"):
            maker(*arguments)
    for name, value in (
        ("cost_bps", nan),
        ("adverse_bps", -1.0),
        ("adverse_decay_bps", 0.0),
        ("execution_risk_per_bps", -1.0),
    ):
        with pytest.raises(ValueError, match=name):
            Intensity.exponential(1.0, 1.0, **{name: value})
    with pytest.raises(TypeError, match="fee"):
        Intensity.exponential(1.0, 1.0, fee=1.0)
    with pytest.raises(TypeError, match="exponential"):
        Intensity()
    solver = solved(LOGISTIC, **MARKET)
    for name in ("volatility", "risk_aversion_per_bps", "drift_bps_per_sec"):
        with pytest.raises(ValueError, match=name):
            solver.solve(bid=LOGISTIC, **MARKET | {name: nan})
    out = np.empty(11)
    fresh = PolicySolver(10)
    for match, call in (
        ("solve", lambda: fresh.bid_depth_bps(0.0)),
        ("lots_long", lambda: fresh.solve(bid=LOGISTIC, **MARKET | {"lots_long": 6})),
        ("capacity", lambda: PolicySolver(0)),
        ("horizon", lambda: solver.advance(1.0)),
        ("inventory_lots", lambda: solver.bid_depth_bps(nan)),
        ("inventory_lots", lambda: solver.value_bps(6)),
        ("length", lambda: solver.depths(out[:3], out)),
        ("terminal_cost_bps", lambda: fresh.start(bid=LOGISTIC, **MARKET, terminal_cost_bps=nan)),
        ("pole", lambda: best_of(Intensity.power(1.0, 2.0, 2.0), -2.0)),
        ("pole", lambda: Intensity.power(1.0, 2.0, 2.0).at(-2.0)),
        (r"reservation_bps\[0\]", lambda: best_of(LOGISTIC, nan)),
        ("length", lambda: best_depths(out, out, out[:1], out, intensity=LOGISTIC)),
    ):
        with pytest.raises(ValueError, match=match):
            call()
    started = PolicySolver(10)
    started.start(bid=LOGISTIC, **MARKET)
    with pytest.raises(ValueError, match="secs"):
        started.advance(-1.0)
    best_depths(np.empty(0), np.empty(0), np.empty(0), np.empty(0), intensity=LOGISTIC)


def test_solving_and_reading_allocate_nothing():
    """The tables are made once."""
    solver = PolicySolver(10)

    def work():
        solver.solve(bid=LOGISTIC, **MARKET)
        solver.bid_depth_bps(0.5)

    for _ in range(100):
        work()
    before = sys.getallocatedblocks()
    for _ in range(10_000):
        work()

    assert sys.getallocatedblocks() - before < 10


def test_the_examples_hold():
    """Docstrings are read first; they must be true."""
    assert doctest.testmod(intensity).failed == 0
