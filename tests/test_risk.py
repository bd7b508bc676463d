"""Limits against figures: what may be done, and what comes near."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm.config import RiskConfig
from hypermm.risk import ALL_CLEAR, Figures, Limit, Ruling, Verdict, assess

LIMITS = RiskConfig()
FINE = {
    "day_pnl_usd": 0.0,
    "drawdown_fraction": 0.0,
    "position_value_usd": 0.0,
    "is_at_position_limit": False,
    "is_book_valid": True,
    "age_secs": 0.1,
    "blind_secs": 0.1,
    "cascade_severity": 0.0,
    "rate_limit_errors": 0,
}


def judge(**figures: object) -> Verdict:
    return assess(LIMITS, Figures(**{**FINE, **figures}))  # type: ignore[arg-type]


def test_the_common_case_makes_no_object():
    """All is far from every limit."""
    assert judge() is ALL_CLEAR


@pytest.mark.parametrize(
    ("figure", "value", "ruling"),
    [
        ("day_pnl_usd", -499.0, Ruling.QUOTE),
        ("day_pnl_usd", -500.0, Ruling.KILL),
        ("drawdown_fraction", 0.0499, Ruling.QUOTE),
        ("drawdown_fraction", 0.05, Ruling.KILL),
        ("position_value_usd", 9_999.0, Ruling.QUOTE),
        ("position_value_usd", 10_000.0, Ruling.REDUCE),
        ("position_value_usd", 20_000.0, Ruling.KILL),
        ("is_at_position_limit", True, Ruling.REDUCE),
        ("is_book_valid", False, Ruling.PULL),
        ("age_secs", 2.99, Ruling.QUOTE),
        ("age_secs", 3.0, Ruling.PULL),
        ("age_secs", 1e9, Ruling.PULL),  # alone: the connection may be to blame
        ("blind_secs", 5.0, Ruling.KILL),
        ("rate_limit_errors", 9, Ruling.QUOTE),
        ("rate_limit_errors", 10, Ruling.KILL),
    ],
)
def test_each_limit_rules_at_its_threshold(figure, value, ruling):
    """SOP 8.1 with DECISIONS 7 and 27."""
    verdict = judge(**{figure: value})

    assert verdict.ruling is ruling
    assert bool(verdict.reason) is (ruling is not Ruling.QUOTE)


@pytest.mark.parametrize(
    ("figure", "ruling"),
    [
        ("day_pnl_usd", Ruling.KILL),
        ("drawdown_fraction", Ruling.KILL),
        ("position_value_usd", Ruling.KILL),
        ("blind_secs", Ruling.KILL),
        ("age_secs", Ruling.PULL),
    ],
)
def test_what_is_not_a_number_trips(figure, ruling):
    """Nothing may go on because a comparison with NaN is false."""
    assert judge(**{figure: math.nan}).ruling is ruling


@pytest.mark.parametrize(
    ("figure", "value", "limit"),
    [
        ("day_pnl_usd", -400.0, Limit.DAILY_LOSS),
        ("drawdown_fraction", 0.0401, Limit.DRAWDOWN),
        ("position_value_usd", 8_000.0, Limit.POSITION_VALUE),
        ("blind_secs", 4.0, Limit.STALE_DATA),
        ("rate_limit_errors", 8, Limit.RATE_LIMIT),
    ],
)
def test_at_80_percent_a_limit_is_named(figure, value, limit):
    """'Risk limit approaching' of SOP 7.3."""
    assert [near for near, _ in judge(**{figure: value}).approaching] == [limit]
    assert judge(**{figure: value * 0.98}).approaching == ()


@given(
    st.floats(-1e4, 1e4),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1e5),
    st.booleans(),
    st.booleans(),
    st.floats(0.0, 10.0),
    st.floats(0.0, 10.0),
    st.integers(0, 20),
)
def test_worse_figures_never_rule_milder(pnl, drawdown, value, at_limit, book, age, blind, errors):
    """The strictest limit that applies decides."""
    order = list(Ruling)
    figures = {
        "day_pnl_usd": pnl,
        "drawdown_fraction": drawdown,
        "position_value_usd": value,
        "is_at_position_limit": at_limit,
        "is_book_valid": book,
        "age_secs": age,
        "blind_secs": blind,
        "cascade_severity": 0.0,
        "rate_limit_errors": errors,
    }
    now = order.index(judge(**figures).ruling)

    worse = {**figures, "day_pnl_usd": pnl - 100.0, "age_secs": age + 1.0, "blind_secs": blind + 1}

    assert order.index(judge(**worse).ruling) >= now
