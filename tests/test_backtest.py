"""Engine and exchange in virtual time: the same actions twice, and what they must never do."""

from pathlib import Path

import pytest

from hypermm.backtesting import backtest
from hypermm.config import Config, load
from hypermm.engine import Mode
from hypermm.errors import ConfigError
from hypermm.sim.latency import Latency
from hypermm.sim.market import open_market

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
RECORDING = "data/hyperliquid/2025-09-04"
FORBIDDEN = ("tick", "invalid", "minimum", "zero size", "Too many", "nonce")


def trade(config, spec, coin, **options):
    result = backtest(open_market(spec, seed=options.get("seed", 0)), config, coin=coin, **options)
    print(f"\n{coin} on {spec}\n{result}")
    return result


def assert_sound(result):
    """What holds of every run, whatever the market did."""
    assert result.buys > 0
    assert result.sells > 0
    assert result.taker_fills == 0
    assert result.position_max <= result.position_limit
    assert not [text for text in result.refusals if any(word in text for word in FORBIDDEN)]
    assert not result.denials
    assert result.mode is Mode.QUOTING
    assert result.two_sided_secs is not None
    assert result.two_sided_secs <= 90.0


@pytest.mark.parametrize("coin", ["BTC", "WLFI"])
def test_the_synthetic_market_is_traded_on_both_sides(coin):
    """A fresh clone has nothing else to show for itself."""
    result = trade(Config(), "synthetic", coin, duration_secs=600.0)

    assert_sound(result)


def test_the_recorded_half_hour_of_a_small_coin_is_traded_with_the_defaults(data_dir):
    """Spreads of several ticks, where the default depths are in the market."""
    result = trade(Config(), str(data_dir / RECORDING), "WLFI")

    assert_sound(result)


def test_the_recorded_half_hour_of_bitcoin_is_traded_with_the_close_example(data_dir):
    """A spread of one tick needs quotes that stand nearer than the defaults."""
    config = load(EXAMPLES / "btc_close.toml")

    result = trade(config, str(data_dir / RECORDING), "BTC")

    assert_sound(result)


def test_the_same_market_and_seed_give_the_same_actions():
    """The digest covers every input and output of the engine, in order."""
    first, second = (
        backtest(
            open_market("synthetic:WLFI", seed=3), Config(), coin="WLFI", seed=3, duration_secs=120
        )
        for _ in range(2)
    )

    assert first == second


def test_another_seed_is_another_market():
    """Or the test above would prove nothing."""
    digests = {
        backtest(
            open_market("synthetic:WLFI", seed=seed), Config(), coin="WLFI", duration_secs=30
        ).digest
        for seed in range(3)
    }

    assert len(digests) == 3


def test_a_recording_gives_the_same_digest_twice(data_dir):
    """Recorded sessions can be brought back to the bit."""
    digests = {
        backtest(data_dir / RECORDING, coin="WLFI", duration_secs=300).digest for _ in range(2)
    }

    assert len(digests) == 1


def test_latency_costs_what_it_costs():
    """Slower quotes are other quotes: the delays are really in the loop."""
    slow = Latency(order_ms=400.0, reply_ms=400.0, data_ms=400.0)

    results = [
        backtest(
            open_market("synthetic:WLFI", seed=1),
            coin="WLFI",
            duration_secs=120,
            latency=latency,
        )
        for latency in (None, slow)
    ]

    assert results[0].digest != results[1].digest


def test_an_unknown_market_is_named_with_those_there_are():
    with pytest.raises(ConfigError, match=r"no market 'DOGE' here: BTC, WLFI"):
        backtest("synthetic", coin="DOGE")
