from typing import final

from hypermm._core.rows import Rows

@final
class Reference:
    mark: float
    oracle: float
    mid: float
    def __init__(self, price_decimals: int) -> None: ...
    def observe(self, rows: Rows) -> None: ...
