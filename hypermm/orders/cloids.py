"""Client order ids: which orders are ours, from which session, in 128 bits."""

from binascii import crc_hqx
from hashlib import blake2s

from attrs import frozen

from hypermm.messages import Side


@frozen
class CloidParts:
    """What a client order id of ours says."""

    session_secs: int
    sequence: int
    side: Side
    level: int


class Cloids:
    """Client order ids: tag 32 bits, session start 32, sequence 40, kind 8, check 16.

    Parameters
    ----------
    account : str
        Address of the account; with `instance` it makes the tag that marks our orders.
    instance : str
        Name of this market maker on the account.
    session_secs : int
        Start of this session, seconds since 1970.
    """

    def __init__(self, account: str, instance: str, session_secs: int) -> None:
        name = f"{account.lower()}/{instance}".encode()
        self._tag = int.from_bytes(blake2s(name, digest_size=4).digest(), "big")
        self._session = session_secs & 0xFFFFFFFF
        self._prefix = (self._tag << 32 | self._session) << 40
        self._sequence = 0

    def next(self, side: Side, level: int) -> int:
        """Make an id that was never used."""
        self._sequence += 1
        assert self._sequence < 1 << 40, "the sequence of client order ids is used up"
        kind = (0x80 if side is Side.SELL else 0) | min(level, 0x7F)
        upper = (self._prefix | self._sequence) << 8 | kind
        return upper << 16 | self._check(upper)

    def parse(self, cloid: int | None) -> CloidParts | None:
        """Read an id; None if it is not one of this account and instance."""
        if cloid is None or not 0 <= cloid < 1 << 128 or cloid >> 96 != self._tag:
            return None
        if cloid & 0xFFFF != self._check(cloid >> 16):
            return None
        kind = cloid >> 16 & 0xFF
        return CloidParts(
            session_secs=cloid >> 64 & 0xFFFFFFFF,
            sequence=cloid >> 24 & 0xFFFFFFFFFF,
            side=Side.SELL if kind & 0x80 else Side.BUY,
            level=kind & 0x7F,
        )

    def is_ours(self, cloid: int | None) -> bool:
        """Whether tag and check are ours, from whatever session."""
        return self.parse(cloid) is not None

    @staticmethod
    def _check(upper: int) -> int:
        return crc_hqx(upper.to_bytes(14, "big"), 0)
