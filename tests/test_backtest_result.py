"""What a backtest tells: a split that sums, time accounted for, and always the same digest."""

import io
import json
import math
from pathlib import Path

import numpy as np
import pytest

from hypermm import backtest
from hypermm.backtesting.progress import Progress
from hypermm.config import Config, load
from hypermm.engine import Mode, Unquoted
from hypermm.errors import ConfigError
from hypermm.messages import Side
from hypermm.recordings import open_recordings
from hypermm.sim.latency import Latency, delays
from tests.test_recordings import book_line, quote_lines, trade_line, write_set

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def run(coin="WLFI", seed=1, secs=180.0, **options):
    return backtest(f"synthetic:{coin}", seed=seed, duration_secs=secs, **options)


@pytest.fixture(scope="module")
def result():
    return run(secs=600.0)


@pytest.mark.parametrize(("coin", "seed"), [("WLFI", 2), ("WLFI", 3), ("BTC", 4), ("BTC", 5)])
def test_the_parts_of_the_profit_sum_to_what_the_exchange_books(coin, seed):
    """Two ways to the same number: fills on the mid's path, and the account's cash and position."""
    found = run(coin, seed, 400.0)

    assert len(found.fills)
    for split in found.splits.values():
        parts = split.spread + split.adverse + split.inventory + split.fees + split.funding
        assert math.isclose(parts, split.total, abs_tol=1e-9 * max(found.volume_usd, 1.0))
        assert abs(found.pnl_usd - split.total) < 1e-9 * found.volume_usd
    assert abs(found.residual_usd) < 1e-9 * found.volume_usd


def test_the_path_of_the_profit_ends_at_the_split(result):
    """The report's curves and its table tell one story."""
    path = result.profit_path(np.array([0.0, result.virtual_secs]))

    for name, values in path.items():
        assert values[0] == 0.0
        assert math.isclose(values[-1], getattr(result.split, name), abs_tol=1e-9)


def test_the_fills_are_an_array_that_adds_up(result):
    """Whoever wants another measure starts from them."""
    fills = result.fills
    signed = fills["side"] * fills["size"]

    np.testing.assert_allclose(np.cumsum(signed), fills["position"])
    assert (np.diff(fills["secs"]) >= 0).all()
    assert result.volume_usd == pytest.approx(float((fills["price"] * fills["size"]).sum()))
    assert result.buys + result.sells == len(fills)


def test_every_second_of_a_side_is_quoted_or_has_a_reason(result):
    """Unexplained silence is how a market maker loses its place unnoticed."""
    for quoted in result.quoted.values():
        assert quoted.secs + sum(quoted.reasons.values()) == pytest.approx(result.virtual_secs)
        assert 0.0 < quoted.fraction < 1.0
        assert Unquoted.WARMING.value in quoted.reasons


def test_what_the_profit_rests_on_is_said_before_it(result):
    """A profit without its queue model is an advertisement."""
    text = str(result)

    assert 0 < text.index("queue model") < text.index("P&L")
    assert "risk_averse" in text


def test_the_result_is_whole_in_json(result):
    """Tools read it, fills and splits with it; NaN is not JSON."""
    found = json.loads(json.dumps(result.to_dict(), allow_nan=False))

    assert found["digest"] == result.digest
    assert len(found["fills"]) == len(result.fills)
    assert set(found["splits"]) == {"0.5", "1", "5", "30", "60"}
    assert found["quoted"]["buy"]["reasons"]
    assert "private_key" not in json.dumps(found)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_watching_a_run_changes_nothing(result, monkeypatch):
    """The digest is of the engine's inputs and outputs alone."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("hypermm.backtesting.progress.EVERY_SECS", 0.0)

    watched = run(secs=600.0, shows_progress=True)

    assert watched == result
    assert terminal.getvalue().count("\r") > 10


def test_a_bar_is_for_terminals_only():
    """In a pipe or a log it would be rubbish."""
    pipe = io.StringIO()

    Progress(10.0, "BTC", pipe).show(5.0, 1, 0.5)

    assert pipe.getvalue() == ""


def test_no_color_means_none(monkeypatch):
    """The variable is a request of the person who reads."""
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()

    Progress(10.0, "BTC", terminal).show(5.0, 1, 0.5)

    assert " 50% [############............]" in terminal.getvalue()
    assert "\x1b[3" not in terminal.getvalue()


# Latency


def test_drawn_delays_have_the_stated_median_and_come_back_with_their_seed():
    """Or two runs could not be compared."""
    latency = Latency(model="lognormal", spread=0.5)

    first, again, other = (delays(latency, seed) for seed in (1, 1, 2))

    drawn = [first(50.0, 0) for _ in range(9999)]
    assert drawn == [again(50.0, 0) for _ in range(9999)]
    assert drawn != [other(50.0, 0) for _ in range(9999)]
    assert np.median(drawn) == pytest.approx(50e6, rel=0.02)
    assert np.std(np.log(drawn)) == pytest.approx(0.5, rel=0.03)


def test_recorded_delays_follow_the_recorders_lag_whatever_its_clock_showed():
    """Two clocks differ by a constant that nobody knows: the fastest message sets it."""
    lags = np.array([[0, -1_200_000_000], [10, -1_100_000_000], [20, -1_150_000_000]])
    delay = delays(Latency(model="recorded", lags_ns=lags), 0)

    assert [delay(50.0, now) for now in (0, 9, 10, 25)] == [
        50_000_000, 50_000_000, 150_000_000, 100_000_000,
    ]  # fmt: skip


@pytest.mark.parametrize("latency", [Latency(model="lognormal"), Latency(order_ms=200.0)])
def test_each_latency_is_another_run_and_the_same_one_twice(latency):
    """The option turns something, and the digest holds."""
    runs = [run(secs=60.0, latency=latency) for _ in range(2)]

    assert runs[0] == runs[1]
    assert runs[0].digest != run(secs=60.0).digest
    assert latency.model in runs[0].assumptions.latency


def test_a_market_without_lags_cannot_lend_them():
    """Silently constant delays would look like a model."""
    with pytest.raises(ConfigError, match="no lags of its own"):
        run(latency=Latency(model="recorded"))


# Queues and fees


def test_queue_models_and_their_exponent_decide_over_fills_near_the_touch(data_dir):
    """Cancels ahead of us bring fills that cancels behind us do not: the report names the model."""
    close = load(EXAMPLES / "btc_close.toml")
    path = data_dir / "data" / "hyperliquid" / "2025-09-04"

    runs = [
        backtest(
            path,
            close,
            coin="BTC",
            duration_secs=900.0,
            queue_model=model,
            queue_exponent=exponent,
            fees_bps=(0.0, 4.5),
        )
        for model, exponent in (("risk_averse", 3.0), ("power", 3.0), ("power", 0.5))
    ]

    assert runs[2].digest not in (runs[0].digest, runs[1].digest)
    assert len(runs[0].fills) < len(runs[2].fills)
    assert "power (n = 0.5)" in runs[2].assumptions.queue


def test_fees_are_what_was_asked_for():
    """Bps of the volume, cut to a millionth of a dollar a fill."""
    free, dear = (run(secs=300.0, fees_bps=(maker, 9.0)) for maker in (0.0, 3.0))

    assert free.split.fees == 0.0
    assert -dear.split.fees / dear.volume_usd == pytest.approx(3e-4, rel=1e-4)
    assert "maker 3, taker 9 bps" in dear.assumptions.fees


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"queue_model": "lucky"}, "'lucky' is none of power"),
        ({"queue_exponent": math.nan}, "queue exponent nan"),
        ({"fees_bps": (-1.0, 4.5)}, "outside 0 to 100"),
    ],
)
def test_models_that_do_not_exist_are_refused(options, words):
    """A typing error must not run something else."""
    with pytest.raises(ConfigError, match=words):
        run(**options)


# Recordings


def silent_set(path):
    """Trades and books for 40 s, with nine seconds of nothing in between."""
    stamps = [ms for ms in range(0, 40_000, 500) if not 20_000 < ms < 29_000]
    write_set(
        path,
        books=[book_line(ms) for ms in stamps],
        prices=[line for ms in stamps for line in quote_lines(ms)],
        trades=[trade_line(ms, number=ms) for ms in stamps],
    )
    return path


def test_a_silence_is_a_still_market_or_a_dead_feed(tmp_path):
    """The venue goes on pushing its book; with `keep_gaps` nothing comes, which kills."""
    path = silent_set(tmp_path)

    played, kept = (backtest(path, keep_gaps=keeps) for keeps in (False, True))

    assert played.outages == kept.outages == ((20.0, 29.0),)
    assert played.mode is not Mode.HALTED
    assert played.end_reason == ""
    assert kept.mode in (Mode.HALTED, Mode.DONE)
    assert kept.end_reason
    assert "dead feed" in kept.assumptions.gaps


def test_the_only_market_needs_no_name(tmp_path):
    """The default asset is BTC; a recording of one other coin says what is meant."""
    path = silent_set(tmp_path)

    assert backtest(path).coin == "ABC"
    assert backtest(open_recordings(path)).coin == "ABC"
    with pytest.raises(ConfigError, match="no market 'BTC' here: ABC"):
        backtest(path, coin="BTC")


@pytest.mark.parametrize(
    ("place", "coin", "secs"),
    [
        ("aster/2025-09-24", "ETH", 120.0),
        ("binance/ethbtc_2020-11-01", "ETHBTC", 600.0),
        ("standx/2026-01-06/orderbook_BTC-USD_2026-01-06_12.parquet", "BTC", 120.0),
        ("hyperliquid/2025-01-11_btc", "BTC", 300.0),
    ],
)
def test_recordings_of_other_forms_are_traded(data_dir, place, coin, secs):
    """The engine quotes both sides of each, and the books of the exchange close."""
    found = backtest(data_dir / "data" / place, coin=coin, duration_secs=secs)

    assert found.two_sided_secs is not None
    assert abs(found.residual_usd) < 1e-9 * max(found.volume_usd, 1.0)
    assert found.mode is Mode.QUOTING


def test_the_recorders_lag_is_a_latency(data_dir):
    """0.2 s and more between exchange and recorder, and another digest."""
    path = data_dir / "data" / "hyperliquid" / "2025-09-04"

    runs = [
        backtest(path, coin="WLFI", duration_secs=120.0, latency=Latency(model=model))
        for model in ("constant", "recorded", "recorded")
    ]

    assert runs[1] == runs[2] != runs[0]
    assert runs[1].quoted[Side.BUY].secs > 0.0


def test_settings_of_the_run_are_in_its_result():
    """A report that does not say what it ran with is worth nothing."""
    assert run(secs=20.0, config=Config()).settings["trading"]["risk_aversion"] == 0.3


def test_the_share_of_quotes_that_the_floor_holds_is_said():
    """All of them behind a floor that no solution reaches, none without one."""
    shares = [
        run(
            config=load(
                None,
                {
                    "strategy.ladder_config.min_depth_bps": floor,
                    "strategy.ladder_config.max_depth_bps": 10.0 * floor,
                },
            ),
            secs=200.0,
        ).floor_fraction
        for floor in (0.1, 60.0)
    ]

    assert shares == [0.0, 1.0]
