"""The Prometheus endpoint: a table of metrics, each a name, a unit's meaning and a figure.

The runner hands in a snapshot now and then; a scrape reads the last one on the endpoint's own
thread and never touches the engine. Units are those that operators know: volatility as a fraction
per square root of a second, kappa per percent of price.
"""

import errno
import math
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    start_http_server,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from hypermm.engine import Mode, Snapshot
from hypermm.errors import ConfigError
from hypermm.instrument import Instrument

AS_HORIZON_SECS = 5.0  # of mm_adverse_selection_bps
# A scrape renders text on its own thread; the decision waits for the interpreter at most this long.
SWITCH_SECS = 1e-4
LATENCY_BOUNDS_MS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 50.0, 100.0, 500.0)
BPS = 1e-4
BPS_PER_PERCENT = 100.0

Figure = Callable[[Snapshot, Instrument], float]


def _quoted_spread_bps(s: Snapshot, _: Instrument) -> float:
    if not (s.bids and s.asks):
        return math.nan
    return (s.asks[0][0] - s.bids[0][0]) / s.estimates.fair_price / BPS


def _adverse_selection_bps(s: Snapshot, _: Instrument) -> float:
    return next((m.mean_bps for m in s.markouts if m.horizon_secs == AS_HORIZON_SECS), math.nan)


GAUGES: tuple[tuple[str, str, Figure], ...] = (
    ("mm_position", "position, base units", lambda s, i: i.size_base(s.position)),
    ("mm_max_position", "position limit, base units", lambda s, i: i.size_base(s.position_limit)),
    (
        "mm_inventory_utilization",
        "position over its limit, 0 to 1",
        lambda s, _: abs(s.position) / s.position_limit if s.position_limit else 0.0,
    ),
    ("mm_daily_pnl", "P&L of the UTC day, USD", lambda s, _: s.ledger.day_pnl_usd),
    ("mm_realized_pnl", "P&L of closed trades, USD", lambda s, _: s.ledger.realised_usd),
    ("mm_unrealized_pnl", "P&L of the open position, USD", lambda s, _: s.ledger.unrealised_usd),
    ("mm_peak_pnl", "highest P&L of the UTC day, USD", lambda s, _: s.ledger.day_peak_usd),
    ("mm_drawdown_pct", "fall from the peak, fraction", lambda s, _: s.ledger.drawdown_fraction),
    ("mm_mid_price", "middle of the book, USD", lambda s, i: s.estimates.mid * i.price_unit_usd),
    ("mm_fair_price", "fair price, USD", lambda s, i: s.estimates.fair_price * i.price_unit_usd),
    ("mm_spread_bps", "median spread of the market, bps", lambda s, _: s.estimates.spread_bps),
    ("mm_quoted_spread_bps", "our spread, bps", _quoted_spread_bps),
    (
        "mm_sigma",
        "volatility, fraction per square root of a second",
        lambda s, _: s.estimates.volatility * BPS,
    ),
    (
        "mm_kappa",
        "decay of fill intensity, per percent of price",
        lambda s, _: s.estimates.kappa_per_bps * BPS_PER_PERCENT,
    ),
    ("mm_jump_ratio", "realised over bipower variance", lambda s, _: s.estimates.jump_ratio),
    (
        "mm_microprice_deviation_bps",
        "fair price of book and flow over the middle, bps",
        lambda s, _: s.estimates.microprice_deviation_bps,
    ),
    ("mm_book_imbalance", "of the book, -1 to 1", lambda s, _: s.estimates.book_imbalance),
    ("mm_flow_imbalance", "of the trades, -1 to 1", lambda s, _: s.estimates.flow_imbalance),
    ("mm_beta_book", "learned book coefficient", lambda s, _: s.estimates.beta_book),
    ("mm_beta_flow", "learned flow coefficient", lambda s, _: s.estimates.beta_flow),
    (
        "mm_volatility_regime",
        "0 normal, 1 high, 2 extreme",
        lambda s, _: s.estimates.volatility_regime,
    ),
    ("mm_cascade_severity", "of forced flow, 0 to 1", lambda s, _: s.estimates.cascade_severity),
    (
        "mm_funding_rate_hourly",
        "predicted funding of the hour, fraction",
        lambda s, _: s.estimates.funding_rate_hourly,
    ),
    ("mm_open_interest", "of the market, base units", lambda s, _: s.estimates.open_interest),
    ("mm_adverse_selection_bps", "markout at 5 s, bps", _adverse_selection_bps),
    (
        "mm_tail_risk_multiplier",
        "what a cascade multiplies risk aversion by",
        lambda s, _: s.caution.tail,
    ),
    ("mm_kill_switch_triggered", "1 after a kill", lambda s, _: float(s.latch is not None)),
    ("mm_orders_live", "own orders that may fill", lambda s, _: len(s.orders)),
    (
        "mm_warmup_secs_to_go",
        "estimate of the warm-up's rest, s; 0 when warm",
        lambda s, _: s.warm_up.secs_to_go,
    ),
    ("mm_leverage", "of the market", lambda s, _: s.leverage),
    ("mm_data_staleness_secs", "age of market data, s", lambda s, _: s.estimates.age_secs),
)
COUNTERS: tuple[tuple[str, str, Figure], ...] = (
    ("mm_orders_placed", "orders placed", lambda s, _: s.counters.orders_placed),
    ("mm_orders_filled", "fills", lambda s, _: s.counters.buys + s.counters.sells),
    ("mm_orders_refused", "orders refused", lambda s, _: s.counters.orders_refused),
    ("mm_orders_canceled", "orders cancelled", lambda s, _: s.counters.orders_canceled),
    ("mm_orders_denied", "orders that gate or budget kept", lambda s, _: s.counters.orders_denied),
    ("mm_orders_unknown", "orders whose fate was in doubt", lambda s, _: s.counters.orders_unknown),
    ("mm_foreign_fills", "fills of others on the account", lambda s, _: s.counters.foreign_fills),
    ("mm_decisions", "steps of the engine", lambda s, _: s.counters.steps),
    ("mm_disconnects", "lost connections", lambda s, _: s.counters.disconnects),
)

Words = Iterable[tuple[str, float]]
# Name, text, second label, kind, and its words with their figures.
LABELLED: tuple[
    tuple[
        str, str, str, type[GaugeMetricFamily] | type[CounterMetricFamily],
        Callable[[Snapshot], Words],
    ], ...
] = (
    ("mm_mode", "1 for the present mode", "mode", GaugeMetricFamily,
     lambda s: ((mode.value, float(mode is s.mode)) for mode in Mode)),
    ("mm_gamma_factor", "what gamma is multiplied with", "factor", GaugeMetricFamily,
     lambda s: (("volatility", s.caution.volatility), ("toxicity", s.caution.toxicity),
                ("inventory", s.caution.inventory), ("tail", s.caution.tail))),
    ("mm_risk_fraction", "figure over its limit; 1 acts", "limit", GaugeMetricFamily,
     lambda s: ((f"{r.limit.value}: {r.ruling.value}", r.fraction) for r in s.risks)),
    ("mm_channel_age_secs", "age of the newest data of a channel, s", "channel", GaugeMetricFamily,
     lambda s: ((name, channel.age_secs) for name, channel in s.channels.items())),
    ("mm_markout_bps", "mean move against us after a fill", "horizon_secs", GaugeMetricFamily,
     lambda s: ((f"{m.horizon_secs:g}", m.mean_bps) for m in s.markouts)),
    ("mm_refusals", "refused orders by name of the reason", "reason", CounterMetricFamily,
     lambda s: s.refusals.items()),
    ("mm_bad_data", "market data left out of the estimates", "kind", CounterMetricFamily,
     lambda s: s.quality.items()),
    ("mm_audit_differences", "differences from the exchange found", "what", CounterMetricFamily,
     lambda s: ((what, one.differences) for what, one in s.audit.items())),
)  # fmt: skip


class Latencies:
    """How long something takes: counts by size, in ms. Cheap enough for the decision path."""

    __slots__ = ("counts", "last_ms", "sum_ms")

    def __init__(self) -> None:
        self.counts = [0] * (len(LATENCY_BOUNDS_MS) + 1)
        self.sum_ms = 0.0
        self.last_ms = math.nan

    def observe(self, ms: float) -> None:
        """Count one."""
        self.counts[bisect_left(LATENCY_BOUNDS_MS, ms)] += 1
        self.sum_ms += ms
        self.last_ms = ms

    def buckets(self) -> list[tuple[str, float]]:
        """Return cumulative counts by upper bound, as Prometheus has them."""
        total, found = 0, []
        for bound, count in zip((*LATENCY_BOUNDS_MS, math.inf), self.counts, strict=True):
            total += count
            found.append(("+Inf" if bound == math.inf else f"{bound:g}", float(total)))
        return found


class Metrics(Collector):
    """Serves the figures of the last snapshot that it was given.

    Parameters
    ----------
    instrument : Instrument
        The market; its name is the label `asset` of every figure.
    info : dict of str to str
        What runs: version, network, strategy and the like.

    Attributes
    ----------
    steps, cycles : Latencies
        From a wake-up to the end of its decision, and the same where orders were written.
    """

    def __init__(self, instrument: Instrument, info: dict[str, str] | None = None) -> None:
        self._instrument = instrument
        self._info = info or {}
        self._snapshot: Snapshot | None = None
        self._budget_remaining = math.nan
        self.steps = Latencies()
        self.cycles = Latencies()

    def show(self, snapshot: Snapshot, *, budget_remaining: float = math.nan) -> None:
        """Take the snapshot that scrapes show from here on, and the actions that are left."""
        self._snapshot = snapshot
        self._budget_remaining = budget_remaining

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; nothing before the first snapshot."""
        snapshot = self._snapshot
        if snapshot is None:
            return
        yield from self._families(GaugeMetricFamily, GAUGES, snapshot)
        yield from self._families(CounterMetricFamily, COUNTERS, snapshot)
        asset = self._instrument.coin
        for name, text, value in (
            (
                "mm_quote_cycle_latency_ms",
                "last wake-up that wrote orders, ms",
                self.cycles.last_ms,
            ),
            ("mm_action_budget_remaining", "actions left of the address", self._budget_remaining),
        ):
            family = GaugeMetricFamily(name, text, labels=["asset"])
            family.add_metric([asset], value)
            yield family
        for name, text, latencies in (
            ("mm_step_duration_ms", "from a wake-up to its decision, ms", self.steps),
            ("mm_quote_cycle_duration_ms", "the same where orders were written, ms", self.cycles),
        ):
            histogram = HistogramMetricFamily(name, text, labels=["asset"])
            histogram.add_metric([asset], latencies.buckets(), latencies.sum_ms)
            yield histogram
        yield from self._labelled(snapshot)
        info = InfoMetricFamily("mm_build", "what runs")
        info.add_metric([], self._info)
        yield info

    def _labelled(self, snapshot: Snapshot) -> Iterator[Metric]:
        """Yield what has a second label."""
        asset = self._instrument.coin
        for name, text, label, kind, figures in LABELLED:
            family = kind(name, text, labels=["asset", label])
            for word, value in figures(snapshot):
                family.add_metric([asset, word], value)
            yield family

    def _families(
        self,
        kind: type[GaugeMetricFamily] | type[CounterMetricFamily],
        table: Iterable[tuple[str, str, Figure]],
        snapshot: Snapshot,
    ) -> Iterator[Metric]:
        for name, text, figure in table:
            family = kind(name, text, labels=["asset"])
            family.add_metric([self._instrument.coin], figure(snapshot, self._instrument))
            yield family

    def serve(self, host: str, port: int) -> Callable[[], None]:
        """Listen for scrapes on a thread; returns what ends it.

        Raises
        ------
        ConfigError
            If the port cannot be opened.
        """
        registry = CollectorRegistry()
        for collector in (self, PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
            registry.register(collector)
        try:
            server, thread = start_http_server(port, host, registry)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            reason = "taken" if taken else str(error.strerror)
            raise ConfigError(
                f"metrics port {port} of {host} cannot be opened: {reason}",
                hint="choose another with --metrics-port, or 0 for none",
            ) from error
        usual = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_SECS)

        def stop() -> None:
            sys.setswitchinterval(usual)
            server.shutdown()
            server.server_close()
            thread.join()

        return stop
