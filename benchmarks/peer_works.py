"""The rows of peers.py: the same work by hypermm and by each peer that is installed."""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
OURS = "hypermm"
WARM = "hypermm, warm"  # from the last solution, a step of 0.1 % away
MISSING: dict[str, str] = {}


@dataclass
class Work:
    """One row of the table: the same work by several candidates, each a call without arguments."""

    name: str
    reach: str
    is_reached: Callable[[dict[str, float]], bool]
    candidates: dict[str, Callable[[], object]]
    units: int = 1  # of work a call: the figure is for one of them
    rtol: float = 1e-9  # between answers; None as an answer is not compared
    best: dict[str, float] = field(default_factory=dict)


def optional(name: str):
    """Return a module, or None and a line in the report."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        MISSING[name] = str(error)
        return None


def inside():
    """Compile `inside.pyx` against the kernels' `.pxd` files; what it holds runs without Python."""
    try:
        from Cython.Build import cythonize
        from setuptools import Extension
        from setuptools.dist import Distribution

        build = ROOT / "build" / "peers"
        extension = Extension(
            "inside",
            [str(Path(__file__).with_name("inside.pyx"))],
            extra_compile_args=["-O3", "-ffp-contract=off"],
        )
        modules = cythonize([extension], build_dir=str(build), include_path=[str(ROOT)], quiet=True)
        command = Distribution({"name": "inside", "ext_modules": modules}).get_command_obj(
            "build_ext"
        )
        command.build_lib, command.build_temp = str(build), str(build / "temp")
        command.ensure_finalized()
        command.run()
        sys.path.insert(0, str(build))
        return importlib.import_module("inside")
    except (ImportError, SystemExit, OSError) as error:
        MISSING["inside (Cython and a C compiler)"] = str(error)
        return None


loops = optional("benchmarks.numba_loops")
scipy_linalg = optional("scipy.linalg")
scipy_optimize = optional("scipy.optimize")
intensify = optional("intensify")
rust = optional("intensify._libintensify")  # its likelihoods have no public name
hawkes_rs = optional("hawkes.univariate")
compiled = inside()

RANDOM = np.random.default_rng(1)


def present(*pairs: tuple[object, str, Callable[[], object]]) -> dict[str, Callable[[], object]]:
    """Leave out the candidates whose module is missing."""
    return {name: call for module, name, call in pairs if module is not None}


def within(secs: float) -> Callable[[dict[str, float]], bool]:
    return lambda best: best[OURS] <= secs


def fraction_of(peer: str, fraction: float) -> Callable[[dict[str, float]], bool]:
    return lambda best: peer not in best or best[OURS] <= fraction * best[peer]


def volatility_works() -> list[Work]:
    from hypermm._core.bipower import BipowerStream
    from hypermm._core.realised import realised_bipower

    returns = RANDOM.normal(scale=1e-4, size=1_000_000)
    prices, secs = 65_000.0 * np.exp(np.cumsum(returns)), np.cumsum(RANDOM.exponential(0.1, 10**6))
    out, least = np.empty(prices.size), np.empty(prices.size)

    def stream():
        BipowerStream(decay_secs=60.0).run(secs, prices, out)
        return out[-1]

    def numba_stream():
        loops.stream_volatility(secs, prices, 60.0, out)
        return out[-1]

    def numba_two_sums():
        loops.stream_two_sums(secs, prices, 60.0, least)

    def numpy_pass():
        sizes = np.abs(returns)
        factor = np.pi / 2.0 * sizes.size / (sizes.size - 1)
        return returns @ returns, factor * (sizes[1:] @ sizes[:-1])

    return [
        Work(
            "realised + bipower, a return of 1e6",
            "0.6 x numba",
            fraction_of("numba, strict loop", 0.6),
            present(
                (True, OURS, lambda: realised_bipower(returns)[:2]),
                (loops, "numba, strict loop", lambda: loops.realised_bipower(returns)),
                (True, "numpy, two dots", numpy_pass),
            ),
            units=returns.size,
        ),
        Work(
            "streaming volatility, a trade of 1e6, compiled",
            "1.0 x numba",
            fraction_of("numba, log + exp + two sums", 1.0),
            present(
                (True, OURS, stream),
                (loops, "numba, the same sums", numba_stream),
                (loops, "numba, log + exp + two sums", numba_two_sums),
            ),
            units=prices.size,
        ),
    ]


def hawkes_works() -> list[Work]:
    from hypermm._core.hawkes import log_likelihood
    from hypermm._core.hawkes_fit import fit
    from tests.reference.hawkes import simulate

    mu, alpha, beta = 1.0, 0.9, 1.5
    model = {"baseline_per_sec": mu, "jump_per_sec": alpha, "decay_per_sec": beta}
    few = np.array(simulate(np.random.default_rng(7), 100_000, mu, alpha, beta))
    many = np.concatenate([few + k * few[-1] for k in range(10)])
    horizon, end = float(few[-1]), float(many[-1])
    gradient, other = np.empty(3), np.empty(3)
    likelihood = rust and rust.likelihood
    parameters = hawkes_rs and hawkes_rs.Parameters(mu, alpha / beta, beta)

    def with_gradient():
        return log_likelihood(many, horizon_secs=end, gradient=gradient, **model)

    def numba_fit():
        def cost(x):
            value = loops.hawkes_gradient(few, horizon, *np.exp(x), other)
            return -value, -other * np.exp(x)

        start = np.log([0.5, 0.3, 1.0])
        return np.exp(scipy_optimize.minimize(cost, start, jac=True, method="L-BFGS-B").x)

    def hawkes_rs_fit():
        found = hawkes_rs.fit(few, horizon).parameters
        return found.baseline, found.excitation * found.decay, found.decay

    def intensify_fit():
        kernel = intensify.ExponentialKernel(alpha=0.3, beta=1.0)
        found = intensify.Hawkes(mu=0.5, kernel=kernel).fit(few, T=horizon).flat_params()
        return found["mu"], found["alpha"] * found["beta"], found["beta"]

    def our_fit():
        found = fit(few, horizon_secs=horizon)
        return found["mu"], found["alpha"], found["beta"]

    return [
        Work(
            "Hawkes log-likelihood, 1e6 events",
            "1/3 x hawkes-rs",
            fraction_of("hawkes-rs", 1 / 3),
            present(
                (True, OURS, lambda: log_likelihood(many, horizon_secs=end, **model)),
                (loops, "numba by hand", lambda: loops.hawkes(many, end, mu, alpha, beta)),
                (
                    hawkes_rs,
                    "hawkes-rs",
                    lambda: -hawkes_rs.negative_log_likelihood(parameters, many, end),
                ),
                (
                    likelihood,
                    "intensify",
                    lambda: -likelihood.uni_exp_neg_ll(many, end, mu, alpha / beta, beta),
                ),
            ),
        ),
        Work(
            "Hawkes log-likelihood and gradient, 1e6",
            "0.8 x numba",
            fraction_of("numba by hand", 0.8),
            present(
                (True, OURS, with_gradient),
                (
                    loops,
                    "numba by hand",
                    lambda: loops.hawkes_gradient(many, end, mu, alpha, beta, other),
                ),
                (
                    hawkes_rs,
                    "hawkes-rs",
                    lambda: (
                        -hawkes_rs.negative_log_likelihood_and_gradient(parameters, many, end)[0]
                    ),
                ),
                (
                    likelihood,
                    "intensify",
                    lambda: (
                        -likelihood.uni_exp_neg_ll_with_grad(many, end, mu, alpha / beta, beta)[0]
                    ),
                ),
            ),
        ),
        Work(
            "Hawkes fit (mu, alpha, beta), 1e5",
            "1/3 x intensify",
            fraction_of("intensify", 1 / 3),
            present(
                (True, OURS, our_fit),
                (loops and scipy_optimize, "numba + scipy L-BFGS-B", numba_fit),
                (hawkes_rs, "hawkes-rs", hawkes_rs_fit),
                (intensify, "intensify", intensify_fit),
            ),
            rtol=1e-3,
        ),
    ]


KAPPA, AVERSION, VOLATILITY, INTENSITY = 0.3, 0.01, 0.3, 0.9
RISK = 0.5 * KAPPA * AVERSION * VOLATILITY**2
HOPS = INTENSITY * (1.0 + AVERSION / KAPPA) ** -(1.0 + KAPPA / AVERSION)
BASE = np.log1p(AVERSION / KAPPA) / AVERSION
MARKET = {
    "volatility": VOLATILITY,
    "kappa_per_bps": KAPPA,
    "intensity_per_sec": INTENSITY,
    "risk_aversion_per_bps": AVERSION,
    "execution_risk_per_bps": AVERSION,
}


def stationary_works(lots: int) -> list[Work]:
    """All quotes between the bounds; answers are compared within ten lots of the middle."""
    from hypermm._core.glft import Solver, stationary_depths

    rows = 2 * lots + 1
    inventory = np.arange(-lots, lots + 1.0)
    bid, ask, other, excess = (np.empty(rows) for _ in range(4))
    vector, upper, work, logs = (np.empty(rows) for _ in range(4))
    middle = slice(lots - 10, lots + 10)
    diagonal, side = RISK * inventory**2, np.full(rows - 1, -HOPS)
    solver, turns = Solver(rows), cycle((1.0, 1.001, 1.002, 1.001))
    unmoved = {name: value for name, value in MARKET.items() if name != "volatility"}
    level = 0.0

    def ours():
        stationary_depths(inventory, bid, ask, lots_long=lots, lots_short=lots, **MARKET)
        return bid[middle]

    def scipy():
        found = scipy_linalg.eigh_tridiagonal(diagonal, side, select="i", select_range=(0, 0))
        with np.errstate(all="ignore"):  # its tails underflow; ours do not
            f = np.abs(found[1][:, 0])
            other[:-1] = BASE + np.log(f[:-1] / f[1:]) / KAPPA
        return other[middle]

    def iteration():
        loops.inverse_iteration(RISK, HOPS, KAPPA, lots, vector, upper, work, logs)
        return BASE + logs[middle]

    def recursion():
        loops.ratio_recursion(RISK / HOPS, KAPPA, BASE, lots, excess, 0.0, bid, ask)
        return bid[middle]

    def our_warm():
        solver.solve(
            lots_long=lots, lots_short=lots, volatility=VOLATILITY * next(turns), **unmoved
        )
        solver.depths(bid, ask)

    def warm_recursion():
        nonlocal level
        rho = RISK / HOPS * next(turns) ** 2
        level = loops.ratio_recursion(rho, KAPPA, BASE, lots, excess, level, bid, ask)

    recursion_name = "numba, ratio recursion"
    return [
        Work(
            f"GLFT stationary, bound {lots}, all quotes",
            "1.25 x numba; warm half of that",
            lambda best: (
                fraction_of(recursion_name, 1.25)(best)
                and best.get(WARM, 0.0) <= 0.625 * best.get(recursion_name, np.inf)
            ),
            present(
                (True, OURS, ours),
                (compiled, WARM, our_warm),
                (loops, recursion_name, recursion),
                (loops, f"{recursion_name}, warm", warm_recursion),
                (loops, "numba, inverse iteration", iteration),
                (scipy_linalg, "scipy eigh_tridiagonal", scipy),
            ),
            rtol=1e-6,  # what the general solvers reach
        )
    ]


def finite_works() -> list[Work]:
    from hypermm._core.glft_finite import FiniteHorizon

    lots, horizon = 30, 60.0
    rows = 2 * lots + 1
    walk = FiniteHorizon(rows)
    bid, ask, out, vector, upper, work = (np.empty(rows) for _ in range(6))
    inventory = np.arange(-lots, lots + 1.0)
    diagonal, side = RISK * inventory**2, np.full(rows - 1, -HOPS)
    middle = slice(lots - 10, lots + 10)

    def ours():
        walk.start(lots_long=lots, lots_short=lots, **MARKET)
        walk.advance(horizon)
        walk.depths(bid, ask)
        return bid[middle]

    def spectrum():
        values, vectors = scipy_linalg.eigh_tridiagonal(diagonal, side)
        v = vectors @ (np.exp(-(values - values[0]) * horizon) * vectors.sum(axis=0))
        return (BASE + np.log(v[:-1] / v[1:]) / KAPPA)[middle]

    def steps():
        loops.crank_nicolson(RISK, HOPS, KAPPA, BASE, lots, horizon, 200, vector, upper, work, out)
        return out[middle]

    return [
        Work(
            "GLFT 60 s before a horizon, bound 30, all quotes",
            "1/4 x numba",
            fraction_of("numba, Crank-Nicolson, 200 steps", 0.25),
            present(
                (True, OURS, ours),
                (loops, "numba, Crank-Nicolson, 200 steps", steps),
                (scipy_linalg, "scipy, whole spectrum", spectrum),
            ),
            rtol=1e-3,  # of the 200 steps; the spectrum's is 1e-9
        )
    ]


def closed_works() -> list[Work]:
    from hypermm._core.glft_closed import closed_form_quotes

    n = 10_000
    markets = np.array([VOLATILITY, KAPPA, INTENSITY, AVERSION]) * RANDOM.uniform(0.5, 2.0, (n, 4))
    inventory = RANDOM.integers(-3, 4, n).astype(float)
    quote = (2.0, VOLATILITY, KAPPA, INTENSITY, AVERSION)
    works = [
        Work(
            "closed form, one quote, called from Python",
            "150 ns",
            within(150e-9),
            present(
                (True, OURS, lambda: closed_form_quotes(*quote, AVERSION)),
                (loops, "numba", lambda: loops.closed_form(*quote)),
            ),
        )
    ]
    if compiled:
        works.append(
            Work(
                "closed form, one quote of 1e4 markets, compiled",
                "1.0 x numba",
                fraction_of("numba", 1.0),
                present(
                    (True, OURS, lambda: compiled.closed_forms(markets, inventory)),
                    (loops, "numba", lambda: loops.closed_forms(markets, inventory)),
                ),
                units=n,
            )
        )
    return works


def kappa_works() -> list[Work]:
    from hypermm._core.kappa import censored_rate

    depths = RANDOM.exponential(1.0 / KAPPA, 1000)
    counts, edges = np.histogram(depths, bins=60)
    levels = edges[:-1]

    def curve(x, level, decay):
        return level * np.exp(-decay * x)

    def hummingbot():  # a bounded curve through the volume at each level, refitted as a whole
        volume = np.where(counts == 0, 1e-10, counts)
        return scipy_optimize.curve_fit(
            curve, levels, volume, p0=(50.0, 0.1), method="dogbox", bounds=([0, 0], [np.inf] * 2)
        )[0][1]

    return [
        Work(
            "kappa likelihood fit, 1,000 depths",
            "1 us",
            within(1e-6),
            present(
                (True, OURS, lambda: censored_rate(depths)[0]),
                (loops, "numba, n / sum", lambda: loops.mean_rate(depths)),
                (scipy_optimize, "hummingbot's way: scipy curve_fit, dogbox", hummingbot),
            ),
            rtol=0.2,  # a curve through counts is another estimator
        )
    ]


def order_works() -> list[Work]:
    from hypermm._core.ladder import Ladder
    from hypermm._core.reconcile import Reconciler
    from tests.reference import ladder as plain_ladder
    from tests.reference import reconcile as plain_reconcile

    law = {
        "fair_price": 1_000_000.0,
        "best_bid": 999_950,
        "best_ask": 1_000_050,
        "bid_depth_bps": 5.3,
        "ask_depth_bps": 6.1,
        "depth_ratio": 10.0,
        "num_levels": 10,
        "is_geometric": True,
        "side_lots": 2000,
        "bid_room_lots": 8000,
        "ask_room_lots": 8000,
        "kappa_per_bps": 0.25,
        "cost_bps": 1.5,
        "marginal_cost_bps": 0.4,
        "slope_bps_per_lot": 0.0015,
    }
    built = Ladder(price_decimals=1)

    # Ten against ten a side, every third order one step of 10 away from where it should be.
    target, table = Ladder(price_decimals=1), Reconciler()
    target.set_market(999_990, 1_000_010)
    live, times = {}, 1000
    for i in range(10):
        for side in (1, -1):
            price = 1_000_000 - side * (20 + 40 * i)
            target.append(side, price, 100)
            order = (side, price + 10 * (i % 3 == 0), 100)
            live[table.add(*order)] = (*order, len(live))
    prices = np.array([999_980 - 40 * i for i in range(10)])
    moved, sizes = prices + 10 * (np.arange(10) % 3 == 0), np.full(10, 100)
    actions = np.empty(64, np.int64)
    plain_bids, plain_asks = target.bids, target.asks

    def plainly_built():
        plain_ladder.build(price_decimals=1, min_step=1, **law)

    def plain():
        cancels, places = plain_reconcile.compare(
            live, plain_bids, plain_asks, 999_990, 1_000_010, 0.0
        )
        return len(cancels) + len(places)

    def numba():
        one = loops.reconcile(moved, sizes, prices, sizes, actions)
        return one + loops.reconcile(moved, sizes, prices, sizes, actions)

    works = [
        Work(
            "ladder 2 x 10 levels with rounding",
            "1 us",
            within(1e-6),
            present(
                (True, OURS, lambda: built.build(**law)),  # its answer is compared by the tests
                (
                    True,
                    "plain Python (the tests' twin)",
                    plainly_built,
                ),
            ),
        ),
        Work(
            "reconcile 2 x (10 against 10), called from Python",
            "0.2 us",
            within(0.2e-6),
            present(
                (True, OURS, lambda: table.compare(target, 0.0)),
                (loops, "numba, sorted arrays", numba),
                (True, "plain Python (the tests' twin)", plain),
            ),
        ),
    ]
    if compiled:
        works.append(
            Work(
                "reconcile 2 x (10 against 10), compiled",
                "0.2 us",
                within(0.2e-6),
                present(
                    (True, OURS, lambda: compiled.compare_often(table, target, 0.0, times)),
                    (
                        loops,
                        "numba, sorted arrays",
                        lambda: loops.reconcile_often(moved, sizes, prices, sizes, actions, times),
                    ),
                ),
                units=times,
            )
        )
    return works


def all_works() -> list[Work]:
    return [
        *volatility_works(),
        *hawkes_works(),
        *stationary_works(30),
        *stationary_works(100),
        *stationary_works(500),
        *finite_works(),
        *closed_works(),
        *kappa_works(),
        *order_works(),
    ]
