"""The Prometheus endpoint: a table of metrics, each a name, a unit's meaning and a figure.

The runner hands in a snapshot now and then; a scrape reads the last one on the endpoint's own
thread and never touches the engine. Units are those that operators know: volatility as a fraction
per square root of a second, kappa per percent of price.
"""

import errno
import math
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hypermm.engine import Snapshot
from hypermm.errors import ConfigError
from hypermm.instrument import Instrument

AS_HORIZON_SECS = 5.0  # of mm_adverse_selection_bps
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
    ("mm_mid_price", "fair price, USD", lambda s, i: s.estimates.fair_price * i.price_unit_usd),
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
    ("mm_adverse_selection_bps", "markout at 5 s, bps", _adverse_selection_bps),
    ("mm_kill_switch_triggered", "1 after a kill", lambda s, _: float(s.latch is not None)),
    ("mm_data_staleness_secs", "age of market data, s", lambda s, _: s.estimates.age_secs),
)
COUNTERS: tuple[tuple[str, str, Figure], ...] = (
    ("mm_orders_placed", "orders placed", lambda s, _: s.counters.orders_placed),
    ("mm_orders_filled", "fills", lambda s, _: s.counters.buys + s.counters.sells),
    ("mm_orders_refused", "orders refused", lambda s, _: s.counters.orders_refused),
    ("mm_disconnects", "lost connections", lambda s, _: s.counters.disconnects),
)


class Metrics(Collector):
    """Serves the figures of the last snapshot that it was given."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._snapshot: Snapshot | None = None

    def show(self, snapshot: Snapshot) -> None:
        """Take the snapshot that scrapes show from here on."""
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; nothing before the first snapshot."""
        snapshot = self._snapshot
        if snapshot is None:
            return
        yield from self._families(GaugeMetricFamily, GAUGES, snapshot)
        yield from self._families(CounterMetricFamily, COUNTERS, snapshot)

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
        registry.register(self)
        try:
            server, thread = start_http_server(port, host, registry)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            reason = "taken" if taken else str(error.strerror)
            raise ConfigError(
                f"metrics port {port} of {host} cannot be opened: {reason}",
                hint="choose another with --metrics-port, or 0 for none",
            ) from error

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return stop
