"""The example on a recorded market gives what other code measured on the same half hour."""

import importlib.util
from pathlib import Path

import pytest

import hypermm

EXAMPLE = Path(__file__).parent.parent / "examples" / "recorded_market.py"


@pytest.fixture(scope="module")
def example():
    """The example as a module."""
    spec = importlib.util.spec_from_file_location("recorded_market", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("coin", "kappa", "branching", "decay", "volatility"),
    [("BTC", 8.74, 0.4988, 0.11208, 0.57), ("WLFI", 0.33, 0.5231, 0.34474, 4.57)],
)
def test_the_published_figures_lie_inside_the_intervals(
    data_dir, example, coin, kappa, branching, decay, volatility
):
    """Figures of independent code: kappa by likelihood, Hawkes fit, volatility at 10 s."""
    recordings = hypermm.open_recordings(data_dir / "data" / "hyperliquid" / "2025-09-04")

    found = example.measure(recordings[coin])

    # Their depths begin at half a tick, not at half the spread, so this one is near, not inside.
    assert found.kappa.value == pytest.approx(kappa, rel=0.15)
    for estimate, published in (
        (found.arrivals.branching, branching),
        (found.arrivals.decay, decay),
        (found.volatilities[60], volatility),
    ):
        low, high = estimate.interval()
        assert low <= published <= high


def test_without_a_path_the_example_says_how_to_call_it(example, monkeypatch, capsys):
    """No traceback for a missing argument."""
    monkeypatch.setattr("sys.argv", ["recorded_market.py"])

    assert example.main() == 2
    assert "usage" in capsys.readouterr().err
