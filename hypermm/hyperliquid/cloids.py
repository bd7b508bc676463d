"""Client order ids as the exchange prints them: 128 bits as `0x` and 32 lower-case hex digits."""

import re

from hypermm.errors import WireError

CLOID_BITS = 128

_CLOID = re.compile(r"0x[0-9a-fA-F]{32}", re.ASCII)


def cloid_text(cloid: int) -> str:
    """Print a client order id."""
    return "0x" + cloid.to_bytes(CLOID_BITS // 8, "big").hex()


def parse_cloid(text: str) -> int:
    """Read a client order id. Raises WireError if it is not one."""
    if not _CLOID.fullmatch(text):
        raise WireError(f"not a cloid, 0x and 32 hex digits: {text[:60]!r}")
    return int(text, 16)
