"""Funding against the oracle, quadrature and the rule's own shape."""

import doctest
from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm._core import funding as module
from hypermm._core.funding import (
    FundingStream,
    expected_funding_rate,
    expected_mean_premium,
    funding_payment,
    funding_premium,
    funding_rate,
    hourly_funding_rate,
)
from tests.oracle import cases, check


@pytest.mark.parametrize("case", cases("funding"))
def test_funding_meets_the_oracle(case):
    """Premium of both kinds, rates, payment and both forecasts."""
    i = case["inputs"]
    prices = i["impact_bid"], i["impact_ask"]

    premium = funding_premium(*prices, oracle_price=i["oracle"])
    builder = funding_premium(*prices, oracle_price=i["oracle"], is_builder_dex=True)
    mean = expected_mean_premium(
        i["P_mean"], i["P_last"], seen=i["n_obs"], persistence=i["phi"], long_run=i["P_inf"]
    )

    check(case, "premium", premium)
    check(case, "premium_hip3", builder)
    check(case, "F8", funding_rate(premium))
    check(case, "F1", hourly_funding_rate(premium))
    payment = funding_payment(i["size"], oracle_price=i["oracle"], premium=premium)
    check(case, "payment", payment)
    check(case, "P_end", mean)
    check(case, "F8_pred", funding_rate(mean))
    check(case, "F8_expected", expected_funding_rate(mean, i["sd"]))


def test_most_premiums_pay_exactly_one_basis_point():
    """Between -4 and 6 bps the rate does not move, and beyond it follows 5 bps behind."""
    assert [funding_rate(p) for p in (-4e-4, -1e-4, 0.0, 6e-4)] == [1e-4] * 4
    assert funding_rate(7e-4) == pytest.approx(2e-4)
    assert funding_rate(-5e-4) == pytest.approx(0.0, abs=1e-18)
    assert hourly_funding_rate(1.0) == 0.04
    assert hourly_funding_rate(-1.0) == -0.04


@given(st.floats(-2e-3, 2e-3), st.floats(1e-6, 2e-3))
def test_the_expected_rate_is_the_integral(mean, deviation):
    """Of the rate over the normal law, by quadrature between and beyond its two corners."""
    result = expected_funding_rate(mean, deviation)

    z = np.linspace(-10.0, 10.0, 200_001)
    rates = (p := mean + deviation * z) + np.clip(1e-4 - p, -5e-4, 5e-4)
    density = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    assert result == pytest.approx(np.sum(rates * density) * 1e-4, abs=1e-11)


@given(st.floats(-1.0, 1.0))
def test_certainty_is_the_limit(mean):
    """A deviation of 0 and one of 1e-12 give the same, the rate of the mean."""
    assert expected_funding_rate(mean, 0.0) == funding_rate(mean)
    assert expected_funding_rate(mean, 1e-12) == pytest.approx(funding_rate(mean), abs=1e-12)


@given(
    st.floats(-1e-3, 1e-3),
    st.floats(-1e-3, 1e-3),
    st.integers(0, 720),
    st.one_of(st.floats(-1.0, 1.0), st.sampled_from([0.0, 1.0, 1.0 - 1e-15, 1.0 - 1e-9])),
)
def test_the_expected_mean_is_the_sum_of_the_samples(mean_seen, last, seen, persistence):
    """Sample by sample, with a persistence that nears one."""
    result = expected_mean_premium(
        mean_seen, last, seen=seen, persistence=persistence, long_run=2e-4
    )

    future = [2e-4 + (last - 2e-4) * persistence**j for j in range(1, 720 - seen + 1)]
    expected = (seen * mean_seen + sum(future)) / 720
    assert result == pytest.approx(expected, rel=1e-11, abs=1e-17)


def test_a_premium_follows_the_book_outside_the_oracle_only():
    """Inside, the ordinary rule sees nothing; a builder's dex takes the middle."""
    assert funding_premium(99.0, 101.0, oracle_price=100.0) == 0.0
    assert funding_premium(98.0, 99.0, oracle_price=100.0) == pytest.approx(-0.01)
    builder = funding_premium(99.0, 102.0, oracle_price=100.0, is_builder_dex=True)
    assert builder == pytest.approx(0.005)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: funding_premium(1.0, 1.0, oracle_price=0.0), "oracle_price must be > 0"),
        (lambda: funding_premium(1.0, 1.0, oracle_price=nan), "oracle_price must be > 0"),
        (lambda: funding_premium(-1.0, 1.0, oracle_price=1.0), "impact_bid must be >= 0"),
        (lambda: funding_premium(1.0, inf, oracle_price=1.0), "impact_ask must be >= 0"),
        (lambda: funding_rate(nan), "premium must be finite"),
        (lambda: hourly_funding_rate(inf), "premium must be finite"),
        (lambda: funding_payment(nan, oracle_price=1.0, premium=0.0), "position must be finite"),
        (lambda: expected_mean_premium(0.0, 0.0, seen=721, persistence=0.5), "seen must lie"),
        (lambda: expected_mean_premium(0.0, 0.0, seen=1, persistence=1.5), "persistence must"),
        (lambda: expected_mean_premium(nan, 0.0, seen=1, persistence=0.5), "mean_seen must"),
        (lambda: expected_mean_premium(0.0, 0.0, seen=0, persistence=0.5, samples=0.0),
         "samples must be > 0"),
        (lambda: expected_funding_rate(0.0, -1.0), "deviation must be >= 0"),
        (lambda: expected_funding_rate(nan, 1.0), "mean must be finite"),
    ],
)  # fmt: skip
def test_values_outside_their_domain_are_refused(call, match):
    """The door names argument and rule."""
    with pytest.raises(ValueError, match=match):
        call()


def test_the_examples_run():
    """Examples of docstrings are code."""
    assert doctest.testmod(module).failed == 0


# The running hour, as it is published


HOUR_NS = 3_600 * 10**9
SAMPLE_NS = 5 * 10**9


def hour_of(premiums, start_ns=HOUR_NS):
    """Feed one premium each five seconds."""
    stream = FundingStream()
    for i, premium in enumerate(premiums):
        stream.update(start_ns + i * SAMPLE_NS, premium)
    return stream


def test_at_the_end_of_the_hour_the_prediction_is_the_venues_rate():
    """All 720 samples seen: nothing is left to predict."""
    premiums = [1e-3 + 1e-4 * (i % 7) for i in range(720)]

    stream = hour_of(premiums)

    expected = hourly_funding_rate(sum(premiums) / 720)
    assert stream.rate == pytest.approx(expected, rel=1e-9)
    assert stream.rate_se == 0.0


def test_within_the_flat_part_the_rate_is_known_from_the_start():
    """Most hours cost one eighth of a basis point, and that is certain early."""
    stream = hour_of([1e-4, 1.1e-4, 0.9e-4, 1e-4])

    assert stream.rate == pytest.approx(1.25e-5, rel=1e-6)
    assert stream.rate_se == pytest.approx(0.0, abs=1e-9)


def test_joining_late_takes_what_was_seen_for_the_whole():
    """Half the hour unseen: the seen premium stands for it, and the rate says so."""
    stream = hour_of([2e-3] * 300, start_ns=HOUR_NS + HOUR_NS // 2)

    assert stream.rate == pytest.approx(hourly_funding_rate(2e-3), rel=1e-6)


def test_a_premium_counts_once_in_five_seconds_and_never_backwards():
    """The venue samples each five seconds; pushes come each second."""
    stream = FundingStream()
    assert isnan(stream.rate)
    for i in range(50):
        stream.update(HOUR_NS + i * 10**9, 1e-3)
    stream.update(HOUR_NS, 5e-2)

    assert stream.samples == 10


@pytest.mark.parametrize(("stamp", "premium"), [(0, 0.0), (1, float("nan")), (1, 2.0)])
def test_a_premium_outside_its_domain_is_refused(stamp, premium):
    """Nothing that is no premium reaches the sums."""
    with pytest.raises(ValueError, match="must"):
        FundingStream().update(stamp, premium)
