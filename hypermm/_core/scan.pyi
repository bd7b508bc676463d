from typing import Final

from hypermm._core.rows import Rows

NOT_MINE: Final[int]
MALFORMED: Final[int]

class Scanner:
    def __init__(self, coin: str, price_decimals: int, size_decimals: int) -> None: ...
    @property
    def channel(self) -> str: ...
    @property
    def is_top(self) -> bool: ...
    def scan(self, frame: bytes, rows: Rows, is_snapshot: bool = False) -> int: ...
