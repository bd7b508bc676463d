"""A market maker for Hyperliquid perpetuals: Cython kernels and a thin Python shell.

Names for notebooks are found here and loaded when they are first used, so that importing the
package costs nothing and opens no door.
"""

from importlib import import_module
from typing import Any

# Where each public name lives.
_HOMES = {
    "notebook._arrays": ("Estimate",),
    "notebook.adverse_selection": (
        "DepthMarkout",
        "MarkoutSummary",
        "fit_markout_depth",
        "markout_bins",
        "measure_markouts",
        "newey_west_mean",
        "shrink_markout",
    ),
    "notebook.cascade": (
        "cascade_severity",
        "worst_severity",
    ),
    "notebook.control": (
        "RiskScale",
        "inventory_half_life_secs",
        "is_liquidation_better",
        "scale_risk_aversion",
    ),
    "notebook.evaluation": (
        "Overfitting",
        "SharpeRatio",
        "deflated_sharpe",
        "deflated_sharpe_threshold",
        "overfitting_probability",
        "probabilistic_sharpe",
        "sharpe_ratio",
    ),
    "notebook.fair_price": (
        "FairPricePath",
        "ForgettingFit",
        "book_imbalance",
        "flow_imbalance",
        "forgetting_regression",
        "imbalance_microprice",
        "predict_fair_price",
        "weighted_mid",
    ),
    "notebook.fill_intensity": (
        "IntensityFit",
        "KappaFit",
        "book_kappa",
        "ewma_kappa",
        "fit_intensity",
        "fit_intensity_line",
        "fit_kappa",
        "fit_truncated_kappa",
        "log_survival_kappa",
    ),
    "notebook.funding": (
        "FundingForecast",
        "predict_funding",
    ),
    "notebook.hawkes": (
        "HawkesFit",
        "KsTest",
        "distinct_times",
        "fit_hawkes",
        "hawkes_gradient",
        "hawkes_intensity",
        "hawkes_ks",
        "hawkes_log_likelihood",
        "hawkes_marks",
        "hawkes_residuals",
        "hawkes_stationary",
    ),
    "notebook.hawkes_terms": (
        "HawkesPairFit",
        "HawkesSumFit",
        "fit_hawkes_pair",
        "fit_hawkes_sum",
        "hawkes_pair_log_likelihood",
        "hawkes_pair_stationary",
        "hawkes_sum_log_likelihood",
    ),
    "notebook.ladders": (
        "LadderQuotes",
        "ladder",
        "ladder_depths",
        "ladder_sizes",
    ),
    "notebook.local_level": (
        "LevelPath",
        "LocalLevel",
        "filter_local_level",
        "fit_local_level",
        "local_level_moments",
        "steady_gain",
    ),
    "notebook.noise": (
        "noise_share",
        "noise_variance",
        "preaveraged_variance",
        "realised_kernel",
        "two_scale_variance",
    ),
    "notebook.profit": (
        "ProfitSplit",
        "split_profit",
    ),
    "notebook.queueing": (
        "fill_probability",
        "fill_probability_diffusion",
        "mean_fill_time",
        "queue_position",
        "queue_trace",
    ),
    "notebook.quotes": (
        "ClosedForm",
        "Market",
        "Quotes",
        "Surface",
        "Units",
        "avellaneda_stoikov",
        "best_quotes",
        "closed_form",
        "finite_horizon_depths",
        "general_glft",
        "glft",
    ),
    "notebook.realised": (
        "JumpTest",
        "RealisedMeasures",
        "bipower_variation",
        "jump_test",
        "realised_measures",
        "realised_variance",
    ),
    "notebook.stoikov": (
        "Microprice",
        "MicropriceTable",
        "fit_microprice",
        "stoikov_microprice",
    ),
    "notebook.volatility": (
        "VolumeBars",
        "ewma_volatility",
        "log_returns",
        "volatility",
        "volatility_per_root_second",
        "volatility_regimes",
        "volume_bars",
    ),
    "_core.bipower": (
        "BipowerStream",
        "VolumeClock",
    ),
    "_core.kappa": ("KappaStream",),
    "_core.kappa_joint": ("FillBins",),
    "_core.regime": ("Regime",),
    "_core.hawkes_stream": (
        "HawkesPairStream",
        "HawkesStream",
        "HawkesSumStream",
    ),
    "_core.cascade": ("CascadeTable",),
    "_core.glft": ("Solver",),
    "_core.glft_finite": ("FiniteHorizon",),
    "_core.intensity": (
        "Intensity",
        "PolicySolver",
    ),
    "_core.regression": ("FairPriceStream",),
    "_core.microprice": ("FlowImbalance",),
    "_core.grid": ("GridReplay",),
    "_core.kalman": ("LevelStream",),
    "_core.queue": ("QueuePosition",),
    "_core.funding": (
        "expected_funding_rate",
        "funding_payment",
        "funding_premium",
        "funding_rate",
        "hourly_funding_rate",
    ),
    "_core.markouts": ("MarkoutStream",),
    "backtesting": (
        "Audit",
        "Result",
        "audit",
        "backtest",
    ),
    "recordings": (
        "Recording",
        "open_recordings",
    ),
    "sim.latency": ("Latency",),
    "config": ("Config",),
    "instrument": ("Instrument",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Load a public name at its first use."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'hypermm' has no attribute {name!r}")
    value = getattr(import_module(f"hypermm.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
