"""Fair price for notebooks: functions over the kernels, and a microprice learned from quotes."""

import doctest

import numpy as np
import pytest

from hypermm.notebook import fair_price, funding, local_level, stoikov
from hypermm.notebook.fair_price import (
    FairPriceStream,
    book_imbalance,
    flow_imbalance,
    forgetting_regression,
    imbalance_microprice,
    predict_fair_price,
    weighted_mid,
)
from hypermm.notebook.funding import predict_funding
from hypermm.notebook.local_level import (
    filter_local_level,
    fit_local_level,
    local_level_moments,
    steady_gain,
)
from hypermm.notebook.stoikov import fit_microprice, stoikov_microprice
from tests.oracle import cases, check

SECOND = 1_000_000_000
ONE = [1.0]


@pytest.mark.parametrize("module", [fair_price, funding, local_level, stoikov])
def test_the_examples_run(module):
    """Examples of docstrings are code."""
    result = doctest.testmod(module)

    assert result.failed == 0
    assert result.attempted > 0


@pytest.mark.parametrize("case", cases("microprice_simple"))
def test_lists_serve_as_well_as_arrays(case):
    """The oracle's own lists."""
    i = case["inputs"]

    book = book_imbalance([i["bid_sz"]], [i["ask_sz"]], decay=i["decay"])
    flow = flow_imbalance([i["buy_vol"]], [i["sell_vol"]])
    sop = imbalance_microprice(
        [0.5 * (i["bid"] + i["ask"])],
        book,
        flow,
        beta_book=i["beta_book"],
        beta_flow=i["beta_flow"],
    )

    check(case, "I_book", book.tolist()[0])
    check(case, "I_flow", flow.tolist()[0])
    check(case, "sop", sop.tolist()[0])
    wmid = weighted_mid([i["bid"]], [i["ask"]], i["bid_sz"][:1], i["ask_sz"][:1])
    check(case, "wmid", wmid.tolist()[0])


@pytest.mark.parametrize("case", cases("microprice_stoikov"))
def test_stoikovs_microprice_meets_the_oracle(case):
    """The total move of each state."""
    i = case["inputs"]

    result = stoikov_microprice(i["Q"], i["T"], i["R"], i["K"])

    check(case, "Gstar", result.adjustment.tolist())
    check(case, "G1", result.first_move.tolist())


@pytest.mark.parametrize("case", cases("rls"))
def test_the_regression_meets_the_oracle(case):
    """The last coefficients and their covariance."""
    i = case["inputs"]

    fit = forgetting_regression(i["x"], i["y"], forgetting=i["lam"], prior_variance=i["P0"])

    last = {**case, "expected": {"theta": case["expected"]["theta"][-1]}}
    check(last, "theta", fit.betas[-1].tolist())
    for row, expected in zip(fit.covariance.tolist(), case["expected"]["P"], strict=True):
        check({**case, "expected": {"P": expected}}, "P", row)


def walk(n, seed):
    """Best quotes whose next move is up with the share of bids: the truth is known."""
    rng = np.random.default_rng(seed)
    imbalance = rng.choice([-0.75, -0.25, 0.25, 0.75], n)
    moves = np.where(rng.random(n) < 0.2, np.sign(rng.random(n) - 0.5 + 0.5 * imbalance), 0.0)
    bid = 1000.0 + np.concatenate([[0.0], np.cumsum(moves[:-1])])
    return bid, bid + 1.0, 1.0 + imbalance, 1.0 - imbalance


def test_a_microprice_is_learned_from_quotes():
    """The next state says nothing more, so it is the mean next move: 0.2 x imbalance."""
    table = fit_microprice(*walk(200_000, 1), tick=1.0, buckets=4, spreads=1)

    np.testing.assert_allclose(
        table.adjustments[0], 0.2 * np.array([-0.75, -0.25, 0.25, 0.75]), atol=0.005
    )
    assert table.visits.sum() == 2 * 199_999
    assert table.microprice([10.0], [11.0], [1.75], [0.25])[0] == pytest.approx(10.65, abs=0.005)


def test_states_that_were_never_seen_leave_the_mid():
    """No observation, no adjustment."""
    table = fit_microprice(*walk(5_000, 2), tick=1.0, buckets=4, spreads=3)

    assert np.isnan(table.adjustments[1:]).all()
    assert table.microprice([10.0], [12.0], [1.0], [1.0]).tolist() == [11.0]


def test_the_price_unit_does_not_matter():
    """Prices and tick times a thousand."""
    bid, ask, *sizes = walk(5_000, 3)

    one = fit_microprice(bid, ask, *sizes, tick=1.0, buckets=4, spreads=1)
    other = fit_microprice(bid * 1e3, ask * 1e3, *sizes, tick=1e3, buckets=4, spreads=1)

    np.testing.assert_allclose(other.adjustments, one.adjustments * 1e3, rtol=1e-12)


def rows(n):
    rng = np.random.default_rng(4)
    book, flow = rng.uniform(-1, 1, n), rng.uniform(-1, 1, n)
    moves = 1e-4 * book[:-1] + rng.normal(scale=1e-4, size=n - 1)
    mids = 100.0 * np.cumprod(np.concatenate([[1.0], 1.0 + moves]))
    return np.arange(n) * SECOND, mids, book, flow


def test_a_series_gives_what_the_stream_gives_live():
    """Row by row, bit for bit, and coefficients that lie in their intervals."""
    stamps, mids, book, flow = rows(3_000)

    path = predict_fair_price(stamps, mids, book, flow, horizon_secs=1.0)

    stream = FairPriceStream(horizon_secs=1.0, decay_secs=2700.0)
    for i in range(3_000):
        stream.observe(int(stamps[i]), mids[i], book[i], flow[i])
        assert stream.predict(book[i], flow[i]) == path.predictions[i]
    low, high = path.beta_book.interval(3.0)
    assert low < 1e-4 < high
    low, high = path.beta_flow.interval(3.0)
    assert low < 0.0 < high
    assert path.pairs == 2_999
    assert 0.15 < path.r2_out_of_sample < 0.35
    assert path.fair_prices.tolist() == (mids * (1.0 + path.predictions)).tolist()


def test_an_empty_series_predicts_nothing():
    """No rows, no labels."""
    path = predict_fair_price([], [], [], [], horizon_secs=1.0)

    assert (len(path.predictions), path.pairs) == (0, 0)


@pytest.mark.parametrize("case", cases("kalman_local_level"))
def test_the_filter_meets_the_oracle(case):
    """Levels and likelihood."""
    i = case["inputs"]

    path = filter_local_level(i["y"], i["dt"], variance_per_sec=i["q"], noise_variance=i["R"])

    check(case, "m", path.levels[1:].tolist())
    check(case, "loglik", path.log_likelihood)


@pytest.mark.parametrize("case", cases("funding"))
def test_the_forecast_meets_the_oracle(case):
    """Mean premium, rate at it, and mean rate."""
    i = case["inputs"]

    result = predict_funding(
        i["P_mean"],
        i["P_last"],
        seen=i["n_obs"],
        persistence=i["phi"],
        long_run=i["P_inf"],
        deviation=i["sd"],
    )

    check(case, "P_end", result.mean_premium)
    check(case, "F8_pred", result.rate)
    check(case, "F8_expected", result.expected_rate)


def test_results_go_into_the_callers_array():
    """`out` is returned and filled."""
    out = np.empty(1)

    assert weighted_mid([1.0], [2.0], ONE, ONE, out) is out
    assert out[0] == 1.5
    assert steady_gain([0.5], out) is out
    assert book_imbalance(ONE, [3.0], out=out) is out
    assert out[0] == -0.5


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: book_imbalance([["a"]], [[1]]), "bid_sizes must hold numbers"),
        (lambda: book_imbalance(np.ones((1, 1, 1)), [[1]]), "bid_sizes must have two dimensions"),
        (lambda: book_imbalance([[1]], [[-1]]), r"ask_sizes\[0, 0\]"),
        (lambda: flow_imbalance([np.nan], [1]), r"buys\[0\] must be finite"),
        (lambda: flow_imbalance([1], [1], np.ones(2)), "out must be a writable"),
        (lambda: weighted_mid([2], [1], ONE, ONE), r"asks\[0\] must be >= bids"),
        (lambda: imbalance_microprice(ONE, [2], ONE, beta_book=0, beta_flow=0), "book_imbalance"),
        (lambda: forgetting_regression([1.0], [1.0], forgetting=1.0), "x must have 2 columns"),
        (lambda: predict_fair_price([2, 1], [1, 1], [0, 0], [0, 0], horizon_secs=1.0),
         r"exch_ns\[1\]"),
        (lambda: predict_fair_price([0.5], ONE, [0], [0], horizon_secs=1.0),
         r"stamps_ns\[0\] must be a whole number"),
        (lambda: predict_fair_price(["x"], ONE, [0], [0], horizon_secs=1.0), "must hold integers"),
        (lambda: predict_fair_price([[1]], ONE, [0], [0], horizon_secs=1.0), "one dimension"),
        (lambda: predict_fair_price(np.array([2**63], np.uint64), ONE, [0], [0],
                                    horizon_secs=1.0), r"below 2\*\*63"),
        (lambda: stoikov_microprice([1.0], [1.0], [1.0], [1.0]), "stay must have two dimensions"),
        (lambda: fit_microprice([1, 1], [2, 2], [1, 1], [1, 1], tick=1.0), "must move"),
        (lambda: fit_microprice([], [], [], [], tick=1.0), "must move"),
        (lambda: fit_microprice([2], [1], ONE, ONE, tick=1.0), r"asks\[0\] must be > bids"),
        (lambda: fit_microprice(ONE, [2], ONE, [1, 1], tick=1.0), "ask_sizes must have length 1"),
        (lambda: fit_microprice(ONE, [2], ONE, ONE, tick=0.0), "tick must be"),
        (lambda: fit_microprice(ONE, [2], ONE, ONE, tick=1.0, buckets=500), "at most 400"),
        (lambda: filter_local_level(ONE, ONE, variance_per_sec=1, noise_variance=1),
         "secs must have length 0"),
        (lambda: filter_local_level(ONE, [], variance_per_sec=-1, noise_variance=1),
         "variance_per_sec must be"),
        (lambda: fit_local_level([1, 2], ONE), "prices must have at least 3"),
        (lambda: local_level_moments([1, 2, np.inf]), r"prices\[2\]"),
        (lambda: steady_gain([-1.0]), r"ratios\[0\]"),
        (lambda: predict_funding(0, 0, seen=800, persistence=0.5, deviation=0), "seen must lie"),
    ],
)  # fmt: skip
def test_values_outside_their_domain_are_refused(call, match):
    """Each text names argument, index and rule."""
    with pytest.raises(ValueError, match=match):
        call()
