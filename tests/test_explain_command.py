"""The command `explain`: tables and JSON of a recording's moment and of a running market maker."""

import json

import pytest

from hypermm.backtesting import backtest
from hypermm.cli.explain import picture
from hypermm.cli.main import main
from hypermm.config import Config
from hypermm.engine import Engine, Explanation
from hypermm.messages import Side
from hypermm.sim.market import open_market
from hypermm.view import view
from tests.scenario import BTC, Scenario

AT = ["explain", "synthetic", "--at", "3m"]


def test_a_moment_of_a_market_is_shown_term_by_term(capsys):
    """Both sides, from the half-spread to rounding, down to the price that is in the book."""
    status = main(AT)

    shown = capsys.readouterr().out
    assert status == 0
    for words in ("Bids", "Asks", "half-spread 1/kappa", "maker fee", "rounding", "in the book at"):
        assert words in shown
    assert "not quoted" not in shown


def test_json_sums_to_the_prices(capsys):
    """The terms are numbers: with the mid they are the price to a thousandth of a step."""
    main([*AT, "--json"])

    shown = json.loads(capsys.readouterr().out)
    for side in shown["sides"]:
        for level in side["levels"]:
            total = shown["mid"] + shown["fair_price"] * 1e-4 * sum(level["terms_bps"].values())
            assert abs(total - float(level["price"])) < 1e-3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["explain", "synthetic"], "needs a time"),
        (["explain", "synthetic", "--at", "2025-09-04T12:00:00Z"], "has no date"),
        (["explain", "no-such-folder", "--at", "1m"], "no-such-folder"),
    ],
)
def test_a_mistake_is_said_with_status_2(capsys, arguments, words):
    """No traceback."""
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


def test_the_state_of_a_running_one_gives_the_same_tables():
    """The view that it writes each second holds the explanation."""
    world = Scenario().quote()
    explanation = world.engine.explain()

    state = json.loads(
        json.dumps(
            view(world.engine.snapshot(), explanation, BTC, pid=1, session_secs=0, wall_ms=0)
        )
    )

    assert state["explanation"] == explanation.as_dict(BTC)
    assert picture({"coin": "BTC", **state["explanation"]})


def test_every_moment_of_each_side_is_quoted_or_has_one_reason():
    """By the exchange's truth, block by block; and asked each second, the engine agrees."""
    seen: list[tuple[bool, bool]] = []
    market = open_market("synthetic", 3)

    def ask(engine: Engine) -> None:
        explanation = engine.explain()
        for one in explanation.sides:
            rests = any(level.live_price for level in one.levels)
            seen.append((one.reason is None, rests))
            assert (one.reason is None) is (engine.unquoted(one.side) is None)
            for level in one.levels:
                assert (level.reason is None) is (level.live_price > 0)

    result = backtest(market, Config(), duration_secs=300.0, at_end=ask)

    for side in Side:
        quoted = result.quoted[side]
        assert quoted.secs + sum(quoted.reasons.values()) == pytest.approx(quoted.total_secs)
        assert quoted.total_secs == pytest.approx(300.0, abs=0.1)
    assert seen == [(True, True), (True, True)]


def test_each_level_is_shown_with_the_order_that_the_comparison_keeps_for_it(data_dir):
    """On a market that has moved, orders nearer than their levels stay: none is called missing."""
    explained: list[Explanation] = []

    backtest(
        data_dir / "data" / "hyperliquid" / "2025-09-04",
        coin="BTC",
        duration_secs=1_384.0,
        at_end=lambda engine: explained.append(engine.explain()),
    )

    for side in explained[0].sides:
        assert [level.reason for level in side.levels] == [None] * 5
        prices = [level.live_price for level in side.levels]
        assert prices == sorted(set(prices), key=lambda price: -side.side * price)
