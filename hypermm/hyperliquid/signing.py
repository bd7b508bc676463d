"""Signatures of the exchange's actions: made by `Signer`, read back by `recover`.

An action is hashed as MessagePack with its nonce, vault and expiry; the hash is signed as EIP-712
typed data whose constant parts are hashed once. Source: the official Python SDK,
`utils/signing.py`.
A signature is never logged: one that was not delivered can be replayed for two days.
"""

import re
from typing import Any, Final, NoReturn

import msgspec

from hypermm.errors import ConfigError, InvariantError, WireError
from hypermm.hyperliquid.actions import (
    AgentSendAssetAction,
    ApproveAgentAction,
    ApproveBuilderFeeAction,
    BatchModifyAction,
    CancelAction,
    CancelByCloidAction,
    ExchangeAction,
    ModifyAction,
    NoopAction,
    OrderAction,
    ScheduleCancelAction,
    SendAssetAction,
    Signature,
    SpotSendAction,
    UpdateIsolatedMarginAction,
    UpdateLeverageAction,
    UsdClassTransferAction,
    UsdSendAction,
    UserAction,
    UserDexAbstractionAction,
    UserSetAbstractionAction,
    WithdrawAction,
    canonical_address,
)
from hypermm.hyperliquid.curve import Curve, keccak, recover_address

ALLOWED: Final = (
    OrderAction,
    CancelAction,
    CancelByCloidAction,
    ModifyAction,
    BatchModifyAction,
    ScheduleCancelAction,
    NoopAction,
    UpdateLeverageAction,
    UpdateIsolatedMarginAction,
)

_KEY = re.compile(r"(?:0x)?([0-9a-fA-F]{64})", re.ASCII)
_GROUP_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

_pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode


def _domain(name: bytes, chain_id: int) -> bytes:
    """Hash the typed data's domain; the contract is always the zero address."""
    kind = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    return keccak(
        keccak(kind) + keccak(name) + keccak(b"1") + chain_id.to_bytes(32, "big") + bytes(32)
    )


_PREFIX = b"\x19\x01"
_AGENT_PREFIX = _PREFIX + _domain(b"Exchange", 1337)
_AGENT = keccak(b"Agent(string source,bytes32 connectionId)")
_MAINNET_AGENT = _AGENT + keccak(b"a")
_TESTNET_AGENT = _AGENT + keccak(b"b")

_CHAIN_FIELD = ("string", "hyperliquidChain")
# Name of the typed data and the fields that are signed after `hyperliquidChain`, in order.
_TYPED_DATA: Final[dict[type, tuple[str, tuple[tuple[str, str], ...]]]] = {
    UsdSendAction: (
        "UsdSend",
        (("string", "destination"), ("string", "amount"), ("uint64", "time")),
    ),
    SpotSendAction: (
        "SpotSend",
        (("string", "destination"), ("string", "token"), ("string", "amount"), ("uint64", "time")),
    ),
    WithdrawAction: (
        "Withdraw",
        (("string", "destination"), ("string", "amount"), ("uint64", "time")),
    ),
    UsdClassTransferAction: (
        "UsdClassTransfer",
        (("string", "amount"), ("bool", "toPerp"), ("uint64", "nonce")),
    ),
    SendAssetAction: (
        "SendAsset",
        (
            ("string", "destination"),
            ("string", "sourceDex"),
            ("string", "destinationDex"),
            ("string", "token"),
            ("string", "amount"),
            ("string", "fromSubAccount"),
            ("uint64", "nonce"),
        ),
    ),
    ApproveAgentAction: (
        "ApproveAgent",
        (("address", "agentAddress"), ("string", "agentName"), ("uint64", "nonce")),
    ),
    ApproveBuilderFeeAction: (
        "ApproveBuilderFee",
        (("string", "maxFeeRate"), ("address", "builder"), ("uint64", "nonce")),
    ),
    UserSetAbstractionAction: (
        "UserSetAbstraction",
        (("address", "user"), ("string", "abstraction"), ("uint64", "nonce")),
    ),
    UserDexAbstractionAction: (
        "UserDexAbstraction",
        (("address", "user"), ("bool", "enabled"), ("uint64", "nonce")),
    ),
}


def parse_key(text: str) -> bytes:
    """Read a private key: 64 hex digits, with or without `0x`. Nothing is stripped.

    Raises
    ------
    ConfigError
        If the text is not a key. The message never shows the value.
    """
    match = _KEY.fullmatch(text)
    if match is None:
        if any(character.isspace() for character in text):
            problem = "it holds a space or a line break"
        else:
            problem = f"it has {len(text)} characters"
        raise ConfigError(
            f"the private key is not usable: {problem}",
            hint="a key is 64 hex digits, with or without 0x in front, and nothing else",
        )
    key = bytes.fromhex(match[1])
    if not 0 < int.from_bytes(key, "big") < _GROUP_ORDER:
        raise ConfigError(
            "the private key is not usable: it is not a number of the secp256k1 group",
            hint="make a new API wallet and use its key",
        )
    return key


def address_of(key: bytes) -> str:
    """Return the address of a key, in lower case with `0x`."""
    return Curve(key).address


class Nonces:
    """The one source of nonces of a signer: the clock in ms, but never twice and never back.

    Parameters
    ----------
    high_water : int
        Highest nonce that an earlier run may have used.
    """

    def __init__(self, high_water: int = 0) -> None:
        self.high_water = high_water

    def next(self, wall_ms: int) -> int:
        """Return the nonce for an action that is signed at `wall_ms` (ms since 1970)."""
        self.high_water = max(wall_ms, self.high_water + 1)
        return self.high_water


class Signer:
    """Signs the short list of actions a market maker needs; refuses all others.

    Parameters
    ----------
    key : bytes
        The private key, 32 bytes; see `parse_key`.
    is_mainnet : bool
        Which network the signatures hold on.
    """

    __slots__ = ("_agent", "_curve", "address")

    def __init__(self, key: bytes, *, is_mainnet: bool) -> None:
        self._curve = Curve(key)
        self._agent = _MAINNET_AGENT if is_mainnet else _TESTNET_AGENT
        self.address = self._curve.address

    def __repr__(self) -> str:
        return "Signer()"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Signer holds a private key and is not copied or pickled")

    def sign(
        self,
        action: ExchangeAction,
        nonce: int,
        *,
        vault: str | None = None,
        expires_after_ms: int | None = None,
    ) -> bytes:
        """Sign an action: the whole JSON body, ready for `/exchange` or an action post.

        Parameters
        ----------
        action : ExchangeAction
            One of `ALLOWED`.
        nonce : int
            From `Nonces`, or that of the action that a no-op shall void.
        vault : str, optional
            Vault or sub-account to act for, in lower case with `0x`.
        expires_after_ms : int, optional
            Time (ms since 1970) after which the exchange refuses the action.

        Raises
        ------
        InvariantError
            If the action's type is not on the list.
        """
        if type(action) not in ALLOWED:
            raise InvariantError(f"{type(action).__name__} is not on the list of signed actions")
        digest = keccak(
            _AGENT_PREFIX
            + keccak(self._agent + connection_id(action, nonce, vault, expires_after_ms))
        )
        body = self._body(action, nonce, digest)
        if vault is not None:
            body += b',"vaultAddress":"%b"' % vault.encode()
        if expires_after_ms is not None:
            body += b',"expiresAfter":%d' % expires_after_ms
        return body + b"}"

    def sign_move(
        self, action: SendAssetAction | AgentSendAssetAction, nonce: int, account: str
    ) -> bytes:
        """Sign a move of collateral between the dexs of one account, and nothing else.

        Parameters
        ----------
        action : SendAssetAction or AgentSendAssetAction
            The first signed by the account's own key, the second by an API wallet's.
        nonce : int
            From `Nonces`; the action holds the same.
        account : str
            The account that it acts for: the only destination that is signed.

        Raises
        ------
        InvariantError
            If the money would leave the account.
        """
        if action.destination.lower() != account.lower() or action.fromSubAccount:
            raise InvariantError("collateral is moved between dexs of one account only")
        if isinstance(action, SendAssetAction):
            return self._body(action, nonce, _user_digest(action)) + b"}"
        inner = keccak(self._agent + connection_id(action, nonce))
        return self._body(action, nonce, keccak(_AGENT_PREFIX + inner)) + b"}"

    def _body(self, action: ExchangeAction, nonce: int, digest: bytes) -> bytes:
        r, s, v = self._curve.sign(digest)
        return b'{"action":%b,"nonce":%d,"signature":{"r":"0x%b","s":"0x%b","v":%d}' % (
            _json(action),
            nonce,
            r.hex().encode(),
            s.hex().encode(),
            v,
        )


def connection_id(
    action: Any, nonce: int, vault: str | None = None, expires_after_ms: int | None = None
) -> bytes:
    """Hash an action with its nonce, vault and expiry: what the phantom agent signs."""
    data = _pack(action) + nonce.to_bytes(8, "big")
    data += b"\0" if vault is None else b"\1" + bytes.fromhex(vault.removeprefix("0x"))
    if expires_after_ms is not None:
        data += b"\0" + expires_after_ms.to_bytes(8, "big")
    return keccak(data)


def recover(
    action: ExchangeAction,
    nonce: int,
    signature: Signature,
    *,
    is_mainnet: bool,
    vault: str | None = None,
    expires_after_ms: int | None = None,
) -> str:
    """Return the address that signed an action, as the exchange finds it.

    Parameters
    ----------
    action : ExchangeAction
        In canonical form, as `decode_request` returns it.
    nonce : int
        Nonce of the envelope; a user-signed action signs its own.
    signature : Signature
        As sent.
    is_mainnet : bool
        Which phantom source to assume; a user-signed action names its network itself.
    vault, expires_after_ms
        As in the envelope.

    Raises
    ------
    WireError
        If no address can have made the signature.
    """
    if isinstance(action, UserAction):
        digest = _user_digest(action)
    else:
        agent = _MAINNET_AGENT if is_mainnet else _TESTNET_AGENT
        hashed = connection_id(action, nonce, vault, expires_after_ms)
        digest = keccak(_AGENT_PREFIX + keccak(agent + hashed))
    r, s = (int(text, 16).to_bytes(32, "big") for text in (signature.r, signature.s))
    address = recover_address(digest, r, s, signature.v)
    if address is None:
        raise WireError("Unable to recover signer.")
    return address


def _user_digest(action: UserAction) -> bytes:
    """Hash a user-signed action as typed data."""
    name, fields = _TYPED_DATA[type(action)]
    members = ",".join(
        f"{kind} {field}" for kind, field in (("string", "hyperliquidChain"), *fields)
    )
    encoded = keccak(f"HyperliquidTransaction:{name}({members})".encode())
    encoded += keccak(action.hyperliquidChain.encode())
    for kind, field in fields:
        value = getattr(action, field)
        if kind == "string":
            encoded += keccak((value or "").encode())
        elif kind == "address":
            encoded += bytes(12) + bytes.fromhex(canonical_address(value)[2:])
        else:  # uint64 and bool
            encoded += int(value).to_bytes(32, "big")
    domain = _domain(b"HyperliquidSignTransaction", int(action.signatureChainId, 16))
    return keccak(_PREFIX + domain + keccak(encoded))
