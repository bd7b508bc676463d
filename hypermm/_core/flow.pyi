from typing import Final, final

from hypermm._core.cascade import CascadeTable
from hypermm._core.hawkes_stream import HawkesStream
from hypermm._core.microprice import FlowImbalance

FLOW_SECS: Final[float]

@final
class Arrivals:
    stream: HawkesStream | None
    table: CascadeTable | None
    events: int
    fits: int
    refusals: int
    branching: float
    branching_se: float
    decay_se_per_sec: float
    correction: float
    is_calibrated: bool
    watched_ns: int
    def __init__(self) -> None: ...
    def update(self) -> None: ...
    def advance(self, secs: float) -> None: ...
    @property
    def intensity_per_sec(self) -> float: ...

@final
class Flow:
    buys: Arrivals
    sells: Arrivals
    volume: FlowImbalance
    forced: FlowImbalance
    closed_lots: float
    def __init__(self) -> None: ...
    def trade(self, side: int, lots: float, *, is_forced: bool = False) -> None: ...
    def arrive(self, side: int) -> None: ...
    def advance(self, secs: float) -> None: ...
    def set_open_interest(self, lots: int) -> None: ...
    @property
    def severity(self) -> tuple[float, int]: ...
