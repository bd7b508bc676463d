from hypermm._core.bipower import (
    BipowerStream as BipowerStream,
)
from hypermm._core.bipower import (
    VolumeClock as VolumeClock,
)
from hypermm._core.cascade import (
    CascadeTable as CascadeTable,
)
from hypermm._core.funding import (
    expected_funding_rate as expected_funding_rate,
)
from hypermm._core.funding import (
    funding_payment as funding_payment,
)
from hypermm._core.funding import (
    funding_premium as funding_premium,
)
from hypermm._core.funding import (
    funding_rate as funding_rate,
)
from hypermm._core.funding import (
    hourly_funding_rate as hourly_funding_rate,
)
from hypermm._core.glft import (
    Solver as Solver,
)
from hypermm._core.glft_finite import (
    FiniteHorizon as FiniteHorizon,
)
from hypermm._core.grid import (
    GridReplay as GridReplay,
)
from hypermm._core.hawkes_stream import (
    HawkesPairStream as HawkesPairStream,
)
from hypermm._core.hawkes_stream import (
    HawkesStream as HawkesStream,
)
from hypermm._core.hawkes_stream import (
    HawkesSumStream as HawkesSumStream,
)
from hypermm._core.intensity import (
    Intensity as Intensity,
)
from hypermm._core.intensity import (
    PolicySolver as PolicySolver,
)
from hypermm._core.kalman import (
    LevelStream as LevelStream,
)
from hypermm._core.kappa import (
    KappaStream as KappaStream,
)
from hypermm._core.kappa_joint import (
    FillBins as FillBins,
)
from hypermm._core.markouts import (
    MarkoutStream as MarkoutStream,
)
from hypermm._core.microprice import (
    FlowImbalance as FlowImbalance,
)
from hypermm._core.queue import (
    QueuePosition as QueuePosition,
)
from hypermm._core.regime import (
    Regime as Regime,
)
from hypermm._core.regression import (
    FairPriceStream as FairPriceStream,
)
from hypermm.backtesting import (
    Audit as Audit,
)
from hypermm.backtesting import (
    Result as Result,
)
from hypermm.backtesting import (
    audit as audit,
)
from hypermm.backtesting import (
    backtest as backtest,
)
from hypermm.config import (
    Config as Config,
)
from hypermm.instrument import (
    Instrument as Instrument,
)
from hypermm.notebook._arrays import (
    Estimate as Estimate,
)
from hypermm.notebook.adverse_selection import (
    DepthMarkout as DepthMarkout,
)
from hypermm.notebook.adverse_selection import (
    MarkoutSummary as MarkoutSummary,
)
from hypermm.notebook.adverse_selection import (
    fit_markout_depth as fit_markout_depth,
)
from hypermm.notebook.adverse_selection import (
    markout_bins as markout_bins,
)
from hypermm.notebook.adverse_selection import (
    measure_markouts as measure_markouts,
)
from hypermm.notebook.adverse_selection import (
    newey_west_mean as newey_west_mean,
)
from hypermm.notebook.adverse_selection import (
    shrink_markout as shrink_markout,
)
from hypermm.notebook.cascade import (
    cascade_severity as cascade_severity,
)
from hypermm.notebook.cascade import (
    worst_severity as worst_severity,
)
from hypermm.notebook.control import (
    RiskScale as RiskScale,
)
from hypermm.notebook.control import (
    inventory_half_life_secs as inventory_half_life_secs,
)
from hypermm.notebook.control import (
    is_liquidation_better as is_liquidation_better,
)
from hypermm.notebook.control import (
    scale_risk_aversion as scale_risk_aversion,
)
from hypermm.notebook.evaluation import (
    Overfitting as Overfitting,
)
from hypermm.notebook.evaluation import (
    SharpeRatio as SharpeRatio,
)
from hypermm.notebook.evaluation import (
    deflated_sharpe as deflated_sharpe,
)
from hypermm.notebook.evaluation import (
    deflated_sharpe_threshold as deflated_sharpe_threshold,
)
from hypermm.notebook.evaluation import (
    overfitting_probability as overfitting_probability,
)
from hypermm.notebook.evaluation import (
    probabilistic_sharpe as probabilistic_sharpe,
)
from hypermm.notebook.evaluation import (
    sharpe_ratio as sharpe_ratio,
)
from hypermm.notebook.fair_price import (
    FairPricePath as FairPricePath,
)
from hypermm.notebook.fair_price import (
    ForgettingFit as ForgettingFit,
)
from hypermm.notebook.fair_price import (
    book_imbalance as book_imbalance,
)
from hypermm.notebook.fair_price import (
    flow_imbalance as flow_imbalance,
)
from hypermm.notebook.fair_price import (
    forgetting_regression as forgetting_regression,
)
from hypermm.notebook.fair_price import (
    imbalance_microprice as imbalance_microprice,
)
from hypermm.notebook.fair_price import (
    predict_fair_price as predict_fair_price,
)
from hypermm.notebook.fair_price import (
    weighted_mid as weighted_mid,
)
from hypermm.notebook.fill_intensity import (
    IntensityFit as IntensityFit,
)
from hypermm.notebook.fill_intensity import (
    KappaFit as KappaFit,
)
from hypermm.notebook.fill_intensity import (
    book_kappa as book_kappa,
)
from hypermm.notebook.fill_intensity import (
    ewma_kappa as ewma_kappa,
)
from hypermm.notebook.fill_intensity import (
    fit_intensity as fit_intensity,
)
from hypermm.notebook.fill_intensity import (
    fit_intensity_line as fit_intensity_line,
)
from hypermm.notebook.fill_intensity import (
    fit_kappa as fit_kappa,
)
from hypermm.notebook.fill_intensity import (
    fit_truncated_kappa as fit_truncated_kappa,
)
from hypermm.notebook.fill_intensity import (
    log_survival_kappa as log_survival_kappa,
)
from hypermm.notebook.funding import (
    FundingForecast as FundingForecast,
)
from hypermm.notebook.funding import (
    predict_funding as predict_funding,
)
from hypermm.notebook.hawkes import (
    HawkesFit as HawkesFit,
)
from hypermm.notebook.hawkes import (
    KsTest as KsTest,
)
from hypermm.notebook.hawkes import (
    distinct_times as distinct_times,
)
from hypermm.notebook.hawkes import (
    fit_hawkes as fit_hawkes,
)
from hypermm.notebook.hawkes import (
    hawkes_gradient as hawkes_gradient,
)
from hypermm.notebook.hawkes import (
    hawkes_intensity as hawkes_intensity,
)
from hypermm.notebook.hawkes import (
    hawkes_ks as hawkes_ks,
)
from hypermm.notebook.hawkes import (
    hawkes_log_likelihood as hawkes_log_likelihood,
)
from hypermm.notebook.hawkes import (
    hawkes_marks as hawkes_marks,
)
from hypermm.notebook.hawkes import (
    hawkes_residuals as hawkes_residuals,
)
from hypermm.notebook.hawkes import (
    hawkes_stationary as hawkes_stationary,
)
from hypermm.notebook.hawkes_terms import (
    HawkesPairFit as HawkesPairFit,
)
from hypermm.notebook.hawkes_terms import (
    HawkesSumFit as HawkesSumFit,
)
from hypermm.notebook.hawkes_terms import (
    fit_hawkes_pair as fit_hawkes_pair,
)
from hypermm.notebook.hawkes_terms import (
    fit_hawkes_sum as fit_hawkes_sum,
)
from hypermm.notebook.hawkes_terms import (
    hawkes_pair_log_likelihood as hawkes_pair_log_likelihood,
)
from hypermm.notebook.hawkes_terms import (
    hawkes_pair_stationary as hawkes_pair_stationary,
)
from hypermm.notebook.hawkes_terms import (
    hawkes_sum_log_likelihood as hawkes_sum_log_likelihood,
)
from hypermm.notebook.ladders import (
    LadderQuotes as LadderQuotes,
)
from hypermm.notebook.ladders import (
    ladder as ladder,
)
from hypermm.notebook.ladders import (
    ladder_depths as ladder_depths,
)
from hypermm.notebook.ladders import (
    ladder_sizes as ladder_sizes,
)
from hypermm.notebook.local_level import (
    LevelPath as LevelPath,
)
from hypermm.notebook.local_level import (
    LocalLevel as LocalLevel,
)
from hypermm.notebook.local_level import (
    filter_local_level as filter_local_level,
)
from hypermm.notebook.local_level import (
    fit_local_level as fit_local_level,
)
from hypermm.notebook.local_level import (
    local_level_moments as local_level_moments,
)
from hypermm.notebook.local_level import (
    steady_gain as steady_gain,
)
from hypermm.notebook.noise import (
    noise_share as noise_share,
)
from hypermm.notebook.noise import (
    noise_variance as noise_variance,
)
from hypermm.notebook.noise import (
    preaveraged_variance as preaveraged_variance,
)
from hypermm.notebook.noise import (
    realised_kernel as realised_kernel,
)
from hypermm.notebook.noise import (
    two_scale_variance as two_scale_variance,
)
from hypermm.notebook.profit import (
    ProfitSplit as ProfitSplit,
)
from hypermm.notebook.profit import (
    split_profit as split_profit,
)
from hypermm.notebook.queueing import (
    fill_probability as fill_probability,
)
from hypermm.notebook.queueing import (
    fill_probability_diffusion as fill_probability_diffusion,
)
from hypermm.notebook.queueing import (
    mean_fill_time as mean_fill_time,
)
from hypermm.notebook.queueing import (
    queue_position as queue_position,
)
from hypermm.notebook.queueing import (
    queue_trace as queue_trace,
)
from hypermm.notebook.quotes import (
    ClosedForm as ClosedForm,
)
from hypermm.notebook.quotes import (
    Market as Market,
)
from hypermm.notebook.quotes import (
    Quotes as Quotes,
)
from hypermm.notebook.quotes import (
    Surface as Surface,
)
from hypermm.notebook.quotes import (
    Units as Units,
)
from hypermm.notebook.quotes import (
    avellaneda_stoikov as avellaneda_stoikov,
)
from hypermm.notebook.quotes import (
    best_quotes as best_quotes,
)
from hypermm.notebook.quotes import (
    closed_form as closed_form,
)
from hypermm.notebook.quotes import (
    finite_horizon_depths as finite_horizon_depths,
)
from hypermm.notebook.quotes import (
    general_glft as general_glft,
)
from hypermm.notebook.quotes import (
    glft as glft,
)
from hypermm.notebook.realised import (
    JumpTest as JumpTest,
)
from hypermm.notebook.realised import (
    RealisedMeasures as RealisedMeasures,
)
from hypermm.notebook.realised import (
    bipower_variation as bipower_variation,
)
from hypermm.notebook.realised import (
    jump_test as jump_test,
)
from hypermm.notebook.realised import (
    realised_measures as realised_measures,
)
from hypermm.notebook.realised import (
    realised_variance as realised_variance,
)
from hypermm.notebook.stoikov import (
    Microprice as Microprice,
)
from hypermm.notebook.stoikov import (
    MicropriceTable as MicropriceTable,
)
from hypermm.notebook.stoikov import (
    fit_microprice as fit_microprice,
)
from hypermm.notebook.stoikov import (
    stoikov_microprice as stoikov_microprice,
)
from hypermm.notebook.volatility import (
    VolumeBars as VolumeBars,
)
from hypermm.notebook.volatility import (
    ewma_volatility as ewma_volatility,
)
from hypermm.notebook.volatility import (
    log_returns as log_returns,
)
from hypermm.notebook.volatility import (
    volatility as volatility,
)
from hypermm.notebook.volatility import (
    volatility_per_root_second as volatility_per_root_second,
)
from hypermm.notebook.volatility import (
    volatility_regimes as volatility_regimes,
)
from hypermm.notebook.volatility import (
    volume_bars as volume_bars,
)
from hypermm.recordings import (
    Recording as Recording,
)
from hypermm.recordings import (
    open_recordings as open_recordings,
)
from hypermm.sim.latency import (
    Latency as Latency,
)
