from typing import Final

import numpy as np
from numpy.typing import NDArray

KIND_NAMES: Final[dict[int, str]]
TRADE: Final[int]
LEVEL: Final[int]
QUOTE: Final[int]
CONTEXT: Final[int]
FIRST: Final[int]
LAST: Final[int]
SNAPSHOT: Final[int]
TOP: Final[int]
FORCED: Final[int]
MARK: Final[int]
ORACLE: Final[int]
FUNDING: Final[int]
OPEN_INTEREST: Final[int]
DAY_VOLUME: Final[int]
PREMIUM: Final[int]
ROW_DTYPE: Final[np.dtype[np.void]]
EMPTY: Final[Rows]

class Rows:
    capacity: int
    def __init__(self, array: NDArray[np.void]) -> None: ...
    @staticmethod
    def allocate(capacity: int) -> Rows: ...
    def __len__(self) -> int: ...
    @property
    def array(self) -> NDArray[np.void]: ...
    def window(self, start: int, stop: int) -> Rows: ...
    def clear(self) -> None: ...
    def append(
        self,
        *,
        kind: int,
        side: int = 0,
        exch_ns: int = 0,
        price: int = 0,
        size: int = 0,
        id: int = 0,
        count: int = 0,
        index: int = 0,
        flags: int = 0,
    ) -> None: ...
