"""The published simulations and tables, run small."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ORACLE = ROOT / "tests" / "data" / "oracle" / "as2008_simulation.json"

# 600 s before the horizon, stationary, closed form: bids, then asks; inventory -20, 0 and 10.
FIGURES_OF_2013 = {
    "asymptotics, left": {
        -20: (1.525942, 1.525942, 1.514471, 5.119731, 5.119731, 5.133982),
        0: (3.324458, 3.324458, 3.324226, 3.324458, 3.324458, 3.324226),
    },
    "asymptotics, right": {
        -20: (-4.414947, -4.414947, -6.078754, 11.245444, 11.245444, 13.116602),
        10: (8.022747, 8.022747, 8.317763, -1.072185, -1.072185, -1.279915),
    },
    "dependence on gamma, 1": {
        0: (3.313045, 3.313045, 3.312915, 3.313045, 3.313045, 3.312915),
        10: (3.992933, 3.992933, 3.991574, 2.632802, 2.632802, 2.634257),
    },
    "dependence on gamma, 2": {
        -20: (-0.330180, -0.330180, -0.414785, 2.604226, 2.604226, 2.702689),
        10: (1.915624, 1.915624, 1.923321, 0.368630, 0.368630, 0.364583),
    },
}


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_article_of_2008_is_reproduced(monkeypatch, capsys):
    """Every printed mean and deviation within three of its own standard errors."""
    example = load("avellaneda_stoikov_2008")
    monkeypatch.setattr("sys.argv", ["example", "--paths", "2000"])

    status = example.main()

    assert status == 0, capsys.readouterr().out
    assert capsys.readouterr().out.count("gamma") == 6


SIMULATED = json.loads(ORACLE.read_text())["cases"]


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(
            case, id="-".join(str(case[k]) for k in ("gamma", "strategy", "spread", "fill"))
        )
        for case in SIMULATED
    ],
)
def test_simulated_moments_are_those_of_200_000_paths(wanted):
    """Four combined standard errors, as the long simulation asks for."""
    example = load("avellaneda_stoikov_2008")
    paths = 3000

    row = example.simulate(
        wanted["gamma"],
        wanted["strategy"],
        paths=paths,
        seed=11,
        is_spread_constant=wanted["spread"] == "const",
        is_fill_exact=wanted["fill"] == "exact",
    )

    scale = (wanted["paths"] / paths) ** 0.5
    assert row.spread == pytest.approx(wanted["avg_spread"], rel=1e-9)
    for value, key, part in (
        (row.profit, "profit", "mean"),
        (row.profit_sd, "profit", "std"),
        (row.inventory, "final_q", "mean"),
        (row.inventory_sd, "final_q", "std"),
    ):
        error = wanted[key][f"se_{part}"] * (1.0 + scale**2) ** 0.5
        assert abs(value - wanted[key][part]) < 4.0 * error, (key, part)


@pytest.mark.parametrize("name", FIGURES_OF_2013)
def test_the_figures_of_2013_are_reproduced(name):
    """As computed from the article's equations by other means, to the last printed digit."""
    module = load("glft_2013")
    example = module.solve(*module.FIGURES[name])

    for lot, wanted in FIGURES_OF_2013[name].items():
        i = lot + module.BOUND
        found = [
            side
            for bids_or_asks in ("bid_depth_bps", "ask_depth_bps")
            for side in (
                getattr(example.horizon, bids_or_asks)[1, i],
                getattr(example.stationary, bids_or_asks)[i],
                getattr(example.closed, bids_or_asks)[i],
            )
        ]
        assert found == pytest.approx(wanted, abs=1e-6)


def test_the_figures_print(capsys):
    """Four tables of eleven inventories."""
    assert load("glft_2013").main() == 0

    assert len(capsys.readouterr().out.splitlines()) == 4 * 14
