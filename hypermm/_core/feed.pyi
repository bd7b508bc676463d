from collections.abc import Iterable
from typing import Final, final

from hypermm._core.bipower import BipowerStream, VolumeClock
from hypermm._core.book import Book
from hypermm._core.fair import FairPrice
from hypermm._core.flow import Flow
from hypermm._core.funding import FundingStream
from hypermm._core.kappa import KappaStream
from hypermm._core.own import OwnQuotes
from hypermm._core.regime import Regime
from hypermm._core.rows import Rows

CHANNEL_NAMES: Final[tuple[str, ...]]

@final
class RollingMedian:
    count: int
    def __init__(self) -> None: ...
    def update(self, value: int) -> None: ...
    @property
    def value(self) -> int: ...

@final
class SeenTrades:
    def __init__(self) -> None: ...
    def update(self, exch_ns: int, trade_id: int) -> bool: ...

@final
class Feed:
    book: Book
    clock: VolumeClock
    variation: BipowerStream
    buys: KappaStream
    sells: KappaStream
    slow: KappaStream
    slow_variation: BipowerStream
    fair: FairPrice
    flow: Flow
    funding_stream: FundingStream
    own: OwnQuotes
    volatility_regime: Regime
    spread_regime: Regime
    newest_ns: int
    trades: int
    snapshot_trades: int
    repeated_trades: int
    malformed_trades: int
    events: int
    blind_events: int
    gaps: int
    late_trades: int
    absurd_trades: int
    absurd_books: int
    is_held: bool
    funding: int
    open_interest_lots: int
    day_volume_lots: int
    def __init__(self, *, window_secs: float, price_decimals: int, min_step: int = 1) -> None: ...
    def apply(self, rows: Rows) -> None: ...
    def disconnect(self) -> None: ...
    @property
    def half_spread_bps(self) -> float: ...
    @property
    def volatility_bps(self) -> float: ...
    @property
    def mark_price(self) -> float: ...
    @property
    def oracle_price(self) -> float: ...
    @property
    def kappa_per_bps(self) -> float: ...
    @property
    def kappa_reference_per_bps(self) -> float: ...
    @property
    def intensity_per_sec(self) -> float: ...
    def set_own(self, side: int, prices: Iterable[int], sizes: Iterable[int]) -> None: ...
    def own_fill(self, side: int, price: int, lots: int, mid: float) -> None: ...
    def fill_probability(self, side: int, price: int, ahead: float, secs: float) -> float: ...
    @property
    def spread_samples(self) -> int: ...
    @property
    def funding_hourly(self) -> float: ...
    def channel(self, kind: int) -> tuple[int, int, int]: ...
    def side_kappa_per_bps(self, side: int) -> float: ...
    def side_intensity_per_sec(self, side: int) -> float: ...
    def read(
        self,
    ) -> tuple[
        float,
        int,
        int,
        bool,
        bool,
        float,
        float,
        float,
        float,
        float,
        float,
        int,
        int,
        float,
        float,
        float,
        float,
        float,
        float,
        float,
        float,
        float,
        float,
        float,
        float,
        float,
        float,
        int,
        int,
        int,
        float,
        float,
    ]: ...
