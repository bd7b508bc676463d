"""What kind of hours a synthetic market has: calm, trending, volatile, cascades, thin."""

from collections.abc import Sequence
from typing import Any, Final

from attrs import evolve, frozen

from hypermm.sim.preset import Preset
from hypermm.sim.presets import PRESETS

THIN_COIN: Final = "GOLD"


@frozen(kw_only=True)
class Regime:
    """How a market differs from the hours that its preset was fitted to. The defaults: not at all.

    Parameters
    ----------
    news_rate, news_size, impact, quote_rate, flow_rate, sizes, spreads, occupancy : float
        Factors on the preset's numbers of that kind.
    drift_per_sec : float
        Fraction of the price by which the efficient price moves in a trend.
    drift_secs : float
        Mean length of a trend; the next one may go either way.
    bursts_per_hour : float
        Cascades of liquidations: forced sweeps of one side, with open interest that falls.
    burst_secs, burst_sweeps_per_sec : float
        Length of a cascade, and sweeps in it.
    burst_reach : float
        Mean fraction of the price that one forced sweep takes.
    burst_reversal : float
        Fraction of the cascade's move that the efficient price makes good when it is over.
    """

    news_rate: float = 1.0
    news_size: float = 1.0
    impact: float = 1.0
    quote_rate: float = 1.0
    flow_rate: float = 1.0
    sizes: float = 1.0
    spreads: float = 1.0
    occupancy: float = 1.0
    drift_per_sec: float = 0.0
    drift_secs: float = 900.0
    bursts_per_hour: float = 0.0
    burst_secs: float = 12.0
    burst_sweeps_per_sec: float = 2.5
    burst_reach: float = 1.5e-4
    burst_reversal: float = 0.4

    def applied(self, preset: Preset) -> Preset:
        """Return a preset with the factors on it."""

        def times(table: Sequence[float], factor: float) -> list[float]:
            return [value * factor for value in table]

        changed: dict[str, Any] = {
            "news_per_sec": preset.news_per_sec * self.news_rate,
            "news_ticks": preset.news_ticks * self.news_size,
            "deep_impact_ticks": preset.deep_impact_ticks * self.impact,
            "quotes_per_sec": preset.quotes_per_sec * self.quote_rate,
            "hawkes_base_per_sec": preset.hawkes_base_per_sec * self.flow_rate,
            "volume_lots_per_sec": preset.volume_lots_per_sec * self.flow_rate * self.sizes,
            "level_occupancy": times(preset.level_occupancy, self.occupancy),
            "level_sizes_lots": [times(t, self.sizes) for t in preset.level_sizes_lots],
        }
        for name in ("touch_sizes_lots", "sweep_sizes_lots", "quote_sizes_lots"):
            changed[name] = times(getattr(preset, name), self.sizes)
        for name in ("calm_spreads_ticks", "moving_spreads_ticks"):
            changed[name] = times(getattr(preset, name), self.spreads)
        return evolve(preset, **changed)


AS_FITTED: Final = Regime()
REGIMES: Final[dict[str, Regime]] = {
    "calm": Regime(news_rate=0.3, news_size=0.5, impact=0.5),
    "trending": Regime(impact=0.5, drift_per_sec=2e-5),
    "volatile": Regime(news_rate=4.0, news_size=10.0, impact=1.5, flow_rate=1.5, spreads=3.0),
    "cascade": Regime(impact=0.5, bursts_per_hour=20.0),
    "thin": Regime(
        news_rate=0.3, news_size=3.0, quote_rate=0.25, flow_rate=0.08, sizes=0.1, spreads=5.0,
        occupancy=0.35,
    ),
}  # fmt: skip


def thin_preset(dex: str) -> Preset:
    """Return the preset of a builder's market, to be made thin by its regime."""
    base = PRESETS["WLFI"]
    return evolve(base, coin=f"{dex}:{THIN_COIN}", dex=dex, is_isolated_only=True, max_leverage=5)
