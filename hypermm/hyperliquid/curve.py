"""Keccak and secp256k1, by native libraries or, where there are none, by slower ones.

Both give the same results. A `Curve` holds a private key: it prints nothing and is not pickled.
"""

from typing import Any, NoReturn

_V_OFFSET = 27  # what Ethereum adds to the recovery id

try:
    from sha3 import keccak_256 as _keccak_256

    def keccak(data: bytes) -> bytes:
        """Return the Keccak-256 hash."""
        digest: bytes = _keccak_256(data).digest()
        return digest

except ImportError:  # 10 us instead of 1
    from eth_utils.crypto import keccak as _eth_keccak

    def keccak(data: bytes) -> bytes:
        """Return the Keccak-256 hash."""
        return bytes(_eth_keccak(data))


class _Curve:
    """What the two implementations share."""

    __slots__ = ("_key", "address")

    def __init__(self, key: Any, public_key: bytes) -> None:
        self._key = key
        self.address = _address(public_key)

    def __repr__(self) -> str:
        return "Curve()"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Curve holds a private key and is not copied or pickled")


def _address(public_key: bytes) -> str:
    """Return the address of an uncompressed public key of 64 bytes."""
    return "0x" + keccak(public_key)[-20:].hex()


try:
    from coincurve import PrivateKey as _PrivateKey
    from coincurve import PublicKey as _PublicKey

    class Curve(_Curve):
        """Signs digests with one key. Deterministic (RFC 6979), with the lower s."""

        __slots__ = ()

        def __init__(self, key: bytes) -> None:
            private = _PrivateKey(key)
            super().__init__(private, private.public_key.format(compressed=False)[1:])

        def sign(self, digest: bytes) -> tuple[bytes, bytes, int]:
            """Return r and s as 32 bytes each, and v (27 or 28)."""
            signature: bytes = self._key.sign_recoverable(digest, None)
            return signature[:32], signature[32:64], _V_OFFSET + signature[64]

    def recover_address(digest: bytes, r: bytes, s: bytes, v: int) -> str | None:
        """Return the address that signed a digest, or None if none can have."""
        if v not in (_V_OFFSET, _V_OFFSET + 1):
            return None
        try:
            public = _PublicKey.from_signature_and_message(
                r + s + bytes([v - _V_OFFSET]), digest, None
            )
        except ValueError:
            return None
        return _address(public.format(compressed=False)[1:])

except ImportError:  # 5 ms a signature instead of 40 us
    from eth_keys.datatypes import PrivateKey as _PrivateKey  # type: ignore[assignment]
    from eth_keys.datatypes import Signature as _Signature
    from eth_keys.exceptions import BadSignature
    from eth_utils.exceptions import ValidationError

    class Curve(_Curve):  # type: ignore[no-redef]
        """Signs digests with one key. Deterministic (RFC 6979), with the lower s."""

        __slots__ = ()

        def __init__(self, key: bytes) -> None:
            private: Any = _PrivateKey(key)
            super().__init__(private, private.public_key.to_bytes())

        def sign(self, digest: bytes) -> tuple[bytes, bytes, int]:
            """Return r and s as 32 bytes each, and v (27 or 28)."""
            signature = self._key.sign_msg_hash(digest)
            return (
                signature.r.to_bytes(32, "big"),
                signature.s.to_bytes(32, "big"),
                _V_OFFSET + signature.v,
            )

    def recover_address(digest: bytes, r: bytes, s: bytes, v: int) -> str | None:
        """Return the address that signed a digest, or None if none can have."""
        if v not in (_V_OFFSET, _V_OFFSET + 1):
            return None
        numbers = (v - _V_OFFSET, int.from_bytes(r, "big"), int.from_bytes(s, "big"))
        try:
            public: Any = _Signature(vrs=numbers).recover_public_key_from_msg_hash(digest)
        except (BadSignature, ValidationError):
            return None
        return _address(public.to_bytes())
