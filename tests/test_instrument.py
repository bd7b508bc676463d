"""The exchange's tick and lot rule, said a second time with decimals, over every decimals class."""

import json
import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm._core.ladder import round_lots, round_price
from hypermm.errors import ConfigError, WireError
from hypermm.instrument import Instrument, parse_decimal, print_decimal
from tests import oracle

SIZE_DECIMALS = st.integers(0, 6)
# Prices from one unit to ten million of the quote currency, dense at every order of magnitude.
PRICE = st.one_of(
    st.integers(1, 200_000),
    st.integers(1, 10**13),
    st.builds(lambda e, d: max(10**e + d, 1), st.integers(0, 13), st.integers(-5, 5)),
)


def instrument_of(size_decimals, **changes):
    return Instrument(coin="TEST", asset_id=0, size_decimals=size_decimals, **changes)


def is_allowed(price, size_decimals, cap=None):
    """The rule as the exchange's page words it."""
    decimals = 6 - size_decimals
    number = Decimal(price).scaleb(-decimals).normalize()
    _, digits, exponent = number.as_tuple()
    if cap is not None and -exponent > cap:
        return False
    if number == number.to_integral_value():
        return True
    return len(digits) <= 5 and -exponent <= decimals


def round_decimal(price, size_decimals, rounding):
    """Round to the decimals that five figures leave, within what is allowed."""
    decimals = 6 - size_decimals
    number = Decimal(price).scaleb(-decimals)
    places = min(max(4 - number.adjusted(), 0), decimals)
    return int(number.quantize(Decimal(1).scaleb(-places), rounding=rounding).scaleb(decimals))


@given(PRICE, SIZE_DECIMALS, st.data())
def test_allowed_prices_are_those_of_the_rule(price, size_decimals, data):
    """Five significant figures, limited decimals, integers always; an operator's cap on top."""
    cap = data.draw(st.one_of(st.none(), st.integers(0, 6 - size_decimals)))
    rule = instrument_of(size_decimals, decimals_cap=cap)

    assert rule.is_allowed_price(price) == is_allowed(price, size_decimals, cap)


@given(PRICE, SIZE_DECIMALS)
def test_rounding_is_the_nearest_allowed_price_of_its_direction(price, size_decimals):
    """Bids down, asks up, and nothing allowed lies between."""
    rule = instrument_of(size_decimals)

    bid, ask = rule.floor_price(price), rule.ceil_price(price)

    assert bid == round_decimal(price, size_decimals, ROUND_FLOOR)
    assert ask == round_decimal(price, size_decimals, ROUND_CEILING)
    assert bid <= price <= ask
    assert rule.is_allowed_price(ask)
    assert bid == 0 or rule.is_allowed_price(bid)
    assert (bid == ask) == rule.is_allowed_price(price)


@given(PRICE, SIZE_DECIMALS, st.data())
def test_neighbours_of_a_price_are_one_step_away(price, size_decimals, data):
    """Up and down again is where we were, with a cap and across powers of ten too."""
    cap = data.draw(st.one_of(st.none(), st.integers(0, 6 - size_decimals)))
    rule = instrument_of(size_decimals, decimals_cap=cap)
    price = rule.ceil_price(price)

    above, below = rule.price_above(price), rule.price_below(price)

    assert below < price < above
    assert rule.price_below(above) == price
    assert below == 0 or rule.price_above(below) == price


@given(PRICE, SIZE_DECIMALS, st.integers(0, 6))
def test_the_ladder_kernel_rounds_by_the_same_rule(price, size_decimals, coarse):
    """The only two places that round must agree on every integer."""
    rule = instrument_of(size_decimals, decimals_cap=max(6 - size_decimals - coarse, 0))
    arguments = {"price_decimals": rule.price_decimals, "min_step": rule.min_step}

    assert round_price(float(price), side=1, **arguments) == rule.floor_price(price)
    assert round_price(float(price), side=-1, **arguments) == rule.ceil_price(price)


@given(st.integers(0, 10**15), st.integers(0, 8))
def test_printed_numbers_read_back_and_have_no_trailing_zeros(value, decimals):
    """The exchange hashes the text: there is one for each number."""
    text = print_decimal(value, decimals)

    assert parse_decimal(text, decimals) == value
    assert Decimal(text) == Decimal(value).scaleb(-decimals)
    assert not text.endswith(".")
    assert "." not in text or not text.endswith("0")
    assert print_decimal(-value, decimals) == (f"-{text}" if value else text)


@pytest.mark.parametrize(
    "text",
    ["", "-1", "+1", "1e3", "nan", "inf", " 1", "1 ", "1.", ".5", "1.2.3", "1,5", "0x1", "1_0",
     "\u0661", "1\n", "9" * 41],
)  # fmt: skip
def test_other_spellings_of_a_number_are_refused(text):
    """What is not of the exchange's form is dropped, not guessed."""
    with pytest.raises(WireError):
        parse_decimal(text, 6)


def test_a_digit_beyond_the_market_is_refused():
    """It would be lost; zeros there are harmless."""
    rule = instrument_of(5)

    assert rule.parse_price("100000.50") == 1_000_005
    assert rule.parse_size("0.000010") == 1
    assert rule.parse_signed_size("-0.00001") == -1
    for text in ("100000.55", "0.01"):
        with pytest.raises(WireError, match="decimals"):
            rule.parse_price(text)


@pytest.mark.parametrize("case", oracle.cases("ladder_rounding", "round_size"))
def test_sizes_of_settings_become_whole_lots(case):
    """A decimal's last digit counts; fractions of a lot are dropped."""
    size, decimals = case["inputs"]["size"], case["inputs"]["szDecimals"]
    rule = instrument_of(decimals)

    exact = int(Decimal(repr(size)).scaleb(decimals))

    assert rule.lots(size) == exact
    assert abs(rule.lots(size) - round_lots(size * 10.0**decimals)) <= 1


@given(st.integers(1, 10**12), SIZE_DECIMALS, st.integers(1, 10**12))
def test_the_minimum_is_compared_exactly(price, size_decimals, size):
    """10 USD, on integers: 9.999999 is refused and 10 is not."""
    rule = instrument_of(size_decimals)
    worth = Decimal(price).scaleb(size_decimals - 6) * Decimal(size).scaleb(-size_decimals)

    assert rule.is_above_minimum(price, size) == (worth >= 10)
    assert rule.is_above_minimum(price, -size) == (worth >= 10)
    assert rule.notional_usd(price, size) == pytest.approx(float(worth), rel=1e-15)


@pytest.mark.parametrize(("size_decimals", "cap"), [(0, 7), (3, 4), (5, -1), (6, 1)])
def test_a_cap_above_the_rule_is_the_operators_error(size_decimals, cap):
    """The option narrows what the exchange allows; it cannot widen it."""
    with pytest.raises(ConfigError, match="decimals"):
        instrument_of(size_decimals, decimals_cap=cap)


@pytest.mark.parametrize("size_decimals", [-1, 7, 2.0, None])
def test_a_decimals_class_that_does_not_exist_is_refused(size_decimals):
    """The exchange has 0 to 6."""
    with pytest.raises((ValueError, TypeError, ConfigError)):
        instrument_of(size_decimals)


def universes(folder):
    """Every market of the recorded universes."""
    for path in sorted(folder.glob("info-meta--*.json")):
        for sample in json.loads(path.read_text())["samples"]:
            for name, content in sample["response"].items():
                if name.startswith("universe"):
                    yield from ((path.stem, market) for market in content)


def test_recorded_universes_are_of_known_classes(data_dir):
    """Every market that the exchange listed has a rule, and each class is met in the wild."""
    seen = set()
    for source, market in universes(data_dir / "hyperliquid" / "fixtures"):
        rule = instrument_of(market["szDecimals"])
        seen.add(rule.size_decimals)
        one_lot_above_minimum = math.ceil(10 * 10**6 / (100 * 10**rule.price_decimals))
        assert rule.is_above_minimum(100 * 10**rule.price_decimals, one_lot_above_minimum), (
            source,
            market["name"],
        )

    assert seen >= {0, 1, 2, 3, 4, 5}


def test_recorded_prices_are_allowed(data_dir):
    """Prices on the exchange's own books obey the rule, market by market."""
    fixtures = data_dir / "hyperliquid" / "fixtures"
    decimals = {market["name"]: market["szDecimals"] for _, market in universes(fixtures)}
    checked = 0
    for path in sorted(fixtures.glob("*l2[Bb]ook*.json")):
        for coin, price, size in levels_of(json.loads(path.read_text())):
            if coin in decimals:
                rule = instrument_of(decimals[coin])
                assert rule.is_allowed_price(rule.parse_price(price)), (path.stem, coin, price)
                assert Decimal(rule.print_price(rule.parse_price(price))) == Decimal(price)
                assert rule.parse_size(size) > 0
                checked += 1

    assert checked > 0


def levels_of(node):
    """Find every (coin, price, size) of a book anywhere in a fixture."""
    if isinstance(node, dict):
        if "levels" in node and "coin" in node:
            for level in (level for side in node["levels"] for level in side):
                yield node["coin"], level["px"], level["sz"]
        for child in node.values():
            yield from levels_of(child)
    elif isinstance(node, list):
        for child in node:
            yield from levels_of(child)
