"""Measures against independent figures, the fit, and how near the synthetic market comes."""

import attrs
import numpy as np
import pytest

from hypermm._core.rows import QUOTE
from hypermm.errors import ConfigError, RecordingError
from hypermm.recordings import open_recordings, pieces
from hypermm.sim.calibrate import (
    HELD,
    TOLERANCE,
    Calibration,
    Reach,
    Report,
    calibrate,
    preset_source,
    synthetic_reach,
)
from hypermm.sim.fit import bins, fit_preset, read_preset, rounded
from hypermm.sim.measure import fit_hawkes, measure
from hypermm.sim.presets import PRESETS
from hypermm.sim.synthetic import SyntheticMarket
from tests.test_recordings import write_set

NS = 1_000_000_000
# Found by running the market; everything else of a preset is read off the recording.
FITTED = {
    "quotes_per_sec", "hawkes_base_per_sec", "news_per_sec", "news_ticks", "lag_secs",
    "informed_reach", "deep_share", "deep_impact_ticks", "impact_ticks", "spread_redraw",
    "moving_spreads_ticks", "quote_sizes_lots",
}  # fmt: skip

# Measured on the same recordings by other code: data/FACTS.md. The last digit is rounded there.
FACTS = {
    "BTC": {
        "spread_bps": 0.1151, "spread_ticks": 1.27, "one_tick_share": 0.95, "quotes_per_sec": 6.71,
        "mid_changes_per_sec": 0.67, "volatility_1s_bps": 0.3999, "volatility_2s_bps": 0.4662,
        "volatility_5s_bps": 0.563, "volatility_10s_bps": 0.5683, "volatility_30s_bps": 0.5844,
        "bipower_ratio_1s": 0.553, "zero_share_1s": 0.747, "autocorrelation_1s": 0.333,
        "kurtosis_1s": 32.2, "fills_per_sec": 3.195, "events_per_sec": 1.1413,
        "fills_per_event": 2.799, "buy_share": 0.565, "sign_autocorrelation": 0.023,
        "event_size_mean": 0.2327, "event_size_median": 0.00455, "event_usd_mean": 25612.9,
        "depth_q50_ticks": 0.5, "depth_q90_ticks": 4.5, "depth_q99_ticks": 20.5,
        "kappa_mle_per_bps": 8.7425, "half_spread_paid_bps": 0.123,
        "half_spread_paid_by_usd_bps": 0.684, "impact_1s_bps": 0.161, "impact_5s_bps": 0.293,
        "impact_30s_bps": 0.197, "kept_1s_bps": -0.038, "kept_5s_bps": -0.173,
        "kept_30s_bps": -0.077, "kept_5s_by_usd_bps": -0.757, "hawkes_base_buy_per_sec": 0.4327,
        "hawkes_base_sell_per_sec": 0.2863, "hawkes_decay_per_sec": 0.1935,
        "hawkes_buy_by_buy": 0.3271, "hawkes_buy_by_sell": 0.0604, "hawkes_sell_by_buy": 0.029,
        "hawkes_sell_by_sell": 0.4207, "hawkes_spectral_radius": 0.4367, "frames_per_sec": 1.83,
    },
    "WLFI": {
        "spread_bps": 3.0391, "spread_ticks": 5.66, "one_tick_share": 0.24, "quotes_per_sec": 4.28,
        "mid_changes_per_sec": 2.79, "volatility_1s_bps": 3.9843, "volatility_2s_bps": 4.1665,
        "volatility_5s_bps": 4.5108, "volatility_10s_bps": 4.5748, "volatility_30s_bps": 4.4755,
        "bipower_ratio_1s": 0.805, "zero_share_1s": 0.21, "autocorrelation_1s": 0.125,
        "kurtosis_1s": 9.2, "fills_per_sec": 1.2089, "events_per_sec": 0.5207,
        "fills_per_event": 2.322, "buy_share": 0.594, "sign_autocorrelation": 0.149,
        "event_size_mean": 14371.74, "event_size_median": 3214, "event_usd_mean": 2678.7,
        "depth_q50_ticks": 3, "depth_q90_ticks": 11.5, "depth_q99_ticks": 32.34,
        "kappa_mle_per_bps": 0.4346, "half_spread_paid_bps": 2.075,
        "half_spread_paid_by_usd_bps": 8.387, "impact_1s_bps": 1.29, "impact_5s_bps": 1.568,
        "impact_30s_bps": 2.097, "kept_1s_bps": 0.784, "kept_5s_bps": 0.511,
        "kept_30s_bps": -0.096, "kept_5s_by_usd_bps": -1.552, "hawkes_base_buy_per_sec": 0.169,
        "hawkes_base_sell_per_sec": 0.0918, "hawkes_decay_per_sec": 0.3697,
        "hawkes_buy_by_buy": 0.4211, "hawkes_buy_by_sell": 0.0812, "hawkes_sell_by_buy": 0.0512,
        "hawkes_sell_by_sell": 0.4914, "hawkes_spectral_radius": 0.5297, "frames_per_sec": 1.83,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def recordings(data_dir):
    return open_recordings(data_dir / "data" / "hyperliquid" / "2025-09-04")


@pytest.fixture(scope="module")
def recorded_figures(recordings):
    return {
        coin: measure(one.rows.array, one.instrument, list(pieces(one)))
        for coin, one in recordings.items()
    }


@pytest.mark.parametrize("coin", sorted(FACTS))
def test_measures_agree_with_independent_figures(recorded_figures, coin):
    """The comparison is worth what its measures are worth: other code found the same numbers."""
    found = recorded_figures[coin]

    for name, expected in FACTS[coin].items():
        last_digit = 0.5 * 10.0 ** -len(str(expected).partition(".")[2])
        # A whole-second grid may begin a second apart in the two programs.
        assert found[name] == pytest.approx(expected, rel=6e-3, abs=1.1 * last_digit), name


@pytest.mark.parametrize("coin", sorted(PRESETS))
def test_the_synthetic_market_measures_like_the_recording(recorded_figures, coin):
    """Spread, volatility, arrivals, sizes and depth: what a market maker lives on."""
    market = SyntheticMarket(PRESETS[coin], 11)
    end = 7200 * NS

    found = measure(market.rows_until(end).array, market.instrument, [(0, end)], with_hawkes=False)

    wanted = recorded_figures[coin]
    for name in HELD:
        assert found[name] == pytest.approx(wanted[name], rel=TOLERANCE), name
    # Adverse selection has its sign and its size: a maker at the touch of BTC loses.
    assert found["impact_5s_bps"] == pytest.approx(wanted["impact_5s_bps"], rel=0.5)
    assert np.sign(found["kept_5s_bps"]) == np.sign(wanted["kept_5s_bps"])


@pytest.mark.parametrize("coin", sorted(PRESETS))
def test_presets_are_what_the_command_reads_off_the_recording(recordings, coin):
    """Nobody has tuned a table by hand."""
    read = attrs.asdict(rounded(read_preset(recordings[coin])))

    shipped = attrs.asdict(PRESETS[coin])

    for name in shipped.keys() - FITTED - {"coin", "dex", "is_isolated_only"}:
        if name == "level_sizes_lots":
            np.testing.assert_allclose(shipped[name], read[name], rtol=1e-3)
        else:
            assert shipped[name] == pytest.approx(read[name], rel=1e-3), name


def test_the_fit_is_reproducible(recordings):
    """The same recording gives the same preset."""
    first, second = (fit_preset(recordings["WLFI"], secs=300, rounds=2) for _ in range(2))

    assert first == second
    assert first != rounded(read_preset(recordings["WLFI"]))


def test_written_presets_read_back_as_they_were():
    """The module of presets is written by the command."""
    source = preset_source(list(PRESETS.values()), "somewhere")
    names = {}

    exec(compile(source, "presets", "exec"), names)

    assert names["PRESETS"] == PRESETS
    assert max(len(line) for line in source.splitlines()) <= 100


@pytest.mark.parametrize("coin", sorted(PRESETS))
def test_both_directions_are_within_reach_in_ten_minutes(coin):
    """A first run of ten minutes should see the price go both ways for nearly every seed."""
    found = synthetic_reach(PRESETS[coin], seeds=range(10))

    assert found.both_ways_share >= 0.8


def test_bins_keep_the_mean():
    """Heavy tails live in the mean: a table of quantiles would lose them."""
    values = np.random.default_rng(1).pareto(1.5, 5000)
    weights = np.random.default_rng(2).random(5000)

    assert np.mean(bins(values)) == pytest.approx(values.mean(), rel=1e-3)
    weighted = (values * weights).sum() / weights.sum()
    assert np.mean(bins(values, weights=weights)) == pytest.approx(weighted, rel=1e-3)


def test_the_hawkes_fit_finds_the_process_that_made_the_events():
    """The market's own flow, fitted: base rates, decay and children come back."""
    preset = attrs.evolve(
        PRESETS["WLFI"], hawkes_base_per_sec=0.3, hawkes_self=0.4, hawkes_cross=0.1,
        hawkes_decay_per_sec=0.5, deep_share=0.0, news_per_sec=1e-6, impact_ticks=0.0,
    )  # fmt: skip
    end = 14_400 * NS
    rows = SyntheticMarket(preset, 3).rows_until(end).array
    trades = rows[rows["id"] > 0]

    fit = fit_hawkes(
        np.unique(trades["exch_ns"][trades["side"] > 0]),
        np.unique(trades["exch_ns"][trades["side"] < 0]),
        0,
        end,
    )

    assert fit.base_per_sec == pytest.approx((0.3, 0.3), rel=0.15)
    assert fit.decay_per_sec == pytest.approx(0.5, rel=0.2)
    (buy_buy, buy_sell), (sell_buy, sell_sell) = fit.children
    assert (buy_buy, sell_sell) == pytest.approx((0.4, 0.4), abs=0.06)
    assert (buy_sell, sell_buy) == pytest.approx((0.1, 0.1), abs=0.06)


def test_a_recording_that_is_too_small_is_refused(tmp_path):
    """Two quotes make no market."""
    write_set(tmp_path)

    with pytest.raises(RecordingError, match="4 quote rows and 1 trades are too few"):
        calibrate(tmp_path)
    with pytest.raises(ConfigError, match="no coin 'XYZ'\n  -> there are: ABC"):
        calibrate(tmp_path, "XYZ")


def test_the_report_shows_both_and_names_what_is_off():
    """Text for the terminal, a table for the documentation, and the misses."""
    recorded = dict.fromkeys(HELD, 1.0)
    report = Report(
        coin="ABC", preset=PRESETS["BTC"], recorded=recorded,
        synthetic=recorded | {"spread_bps": 1.3}, recorded_reach=Reach(1.0, 0.5, 2.0),
        synthetic_reach=Reach(0.9, 0.4, 1.0),
    )  # fmt: skip

    assert report.misses == ["spread_bps"]
    assert "spread_bps                                  1          1.3    1.30" in report.text
    assert "| `spread_bps` | 1 | 1.3 | 1.30 |" in report.markdown
    text = str(Calibration("folder/day", [report]))
    assert "ABC: off by more than 25%: spread_bps" in text
    assert "# Fitted to the recording day." in text


def test_quotes_of_a_synthetic_market_come_in_pairs():
    """The measures read bids and asks by turns."""
    rows = SyntheticMarket(PRESETS["BTC"], 0).rows_until(60 * NS).array

    sides = rows["side"][rows["kind"] == QUOTE]

    assert (sides[0::2] == 1).all()
    assert (sides[1::2] == -1).all()
