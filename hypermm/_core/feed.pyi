from typing import final

from hypermm._core.bipower import BipowerStream, VolumeClock
from hypermm._core.book import Book
from hypermm._core.kappa import KappaStream
from hypermm._core.rows import Rows

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
    newest_ns: int
    trades: int
    snapshot_trades: int
    repeated_trades: int
    malformed_trades: int
    events: int
    blind_events: int
    gaps: int
    funding: int
    open_interest_lots: int
    day_volume_lots: int
    def __init__(self, *, window_secs: float, price_decimals: int) -> None: ...
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
