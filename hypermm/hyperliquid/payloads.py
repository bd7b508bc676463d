"""What the exchange sends, as typed values with the exchange's own field names.

Extra keys are ignored; a missing or ill-typed one is refused. Numbers stay text here, because only
the market's rules can read them exactly. Only what a market maker reads is here; books, quotes
and trades are the scanner's.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from hypermm.errors import WireError

Uint = Annotated[int, Meta(ge=0, le=2**63 - 1)]
# Milliseconds whose nanoseconds still fit 64 bits.
Millis = Annotated[int, Meta(ge=0, le=(2**63 - 1) // 1_000_000)]
SideText = Literal["A", "B"]

GREETING = b"Websocket connection established."  # an old server's first frame is not JSON


class Payload(Struct, frozen=True):
    """A value from outside."""


class AssetContext(Payload, frozen=True):
    """Mark, oracle, funding and volume of a market. What is null is unknown."""

    markPx: str  # noqa: N815 - the exchange's name, as are all fields here
    oraclePx: str  # noqa: N815
    funding: str
    openInterest: str  # noqa: N815
    dayBaseVlm: str | None = None  # noqa: N815
    midPx: str | None = None  # noqa: N815
    premium: str | None = None
    impactPxs: tuple[str, str] | None = None  # noqa: N815
    dayNtlVlm: str | None = None  # noqa: N815
    prevDayPx: str | None = None  # noqa: N815


class ActiveAssetContext(Payload, frozen=True):
    """A market's context; the frame has no time."""

    coin: str
    ctx: AssetContext


class OrderPayload(Payload, frozen=True):
    """An order as feeds and lists tell it."""

    coin: str
    side: SideText
    limitPx: str  # noqa: N815
    sz: str
    oid: Uint
    timestamp: Millis
    origSz: str | None = None  # noqa: N815 - recordings of 2023 lack it
    cloid: str | None = None
    reduceOnly: bool = False  # noqa: N815
    isTrigger: bool = False  # noqa: N815


class OrderStatus(Payload, frozen=True):
    """An order, its state in the exchange's own word, and since when."""

    order: OrderPayload
    status: str
    statusTimestamp: Millis  # noqa: N815


class OrderStatusReply(Payload, frozen=True):
    """Answer to `orderStatus`; no order if the id is not known."""

    status: Literal["order", "unknownOid"]
    order: OrderStatus | None = None


class FillPayload(Payload, frozen=True):
    """One fill of the account."""

    coin: str
    px: str
    sz: str
    side: SideText
    time: Millis
    startPosition: str  # noqa: N815
    closedPnl: str  # noqa: N815
    oid: Uint
    crossed: bool
    fee: str
    tid: Uint
    feeToken: str  # noqa: N815
    hash: str
    dir: str
    cloid: str | None = None
    builderFee: str | None = None  # noqa: N815


class UserFills(Payload, frozen=True):
    """A frame of fills; the first one after a subscribe is a snapshot."""

    user: str
    fills: list[FillPayload]
    isSnapshot: bool = False  # noqa: N815


class FundingPayload(Payload, frozen=True):
    """An hour's funding of one market; negative is paid."""

    time: Millis
    coin: str
    usdc: str


class UserFundings(Payload, frozen=True):
    """A frame of funding; the first one after a subscribe is a snapshot."""

    user: str
    fundings: list[FundingPayload]
    isSnapshot: bool = False  # noqa: N815


class Subscribed(Payload, frozen=True):
    """An acknowledgement, with the subscription in its normal form."""

    method: Literal["subscribe", "unsubscribe"]
    subscription: dict[str, Any]


class PostResponse(Payload, frozen=True):
    """Kind and content of the answer to a post."""

    type: Literal["info", "action", "error"]
    payload: Any


class Post(Payload, frozen=True):
    """Answer to a post of ours."""

    id: Uint
    response: PostResponse


class Leverage(Payload, frozen=True):
    """Leverage and margin mode of a position."""

    type: Literal["cross", "isolated"]
    value: Uint
    rawUsd: str | None = None  # noqa: N815


class Position(Payload, frozen=True):
    """A position in one market."""

    coin: str
    szi: str
    leverage: Leverage
    entryPx: str | None  # noqa: N815
    positionValue: str  # noqa: N815
    unrealizedPnl: str  # noqa: N815
    marginUsed: str  # noqa: N815
    maxLeverage: Uint  # noqa: N815
    liquidationPx: str | None = None  # noqa: N815


class AssetPosition(Payload, frozen=True):
    """A position and its kind."""

    position: Position


class MarginSummary(Payload, frozen=True):
    """Value and margin of an account."""

    accountValue: str  # noqa: N815
    totalNtlPos: str  # noqa: N815
    totalRawUsd: str  # noqa: N815
    totalMarginUsed: str  # noqa: N815


class ClearinghouseState(Payload, frozen=True):
    """Positions and margin of an account on one dex."""

    marginSummary: MarginSummary  # noqa: N815
    withdrawable: str
    assetPositions: list[AssetPosition]  # noqa: N815
    time: Millis


class AssetMeta(Payload, frozen=True):
    """Rules of one market."""

    name: str
    szDecimals: Uint  # noqa: N815
    maxLeverage: Uint  # noqa: N815
    marginTableId: Uint | None = None  # noqa: N815
    onlyIsolated: bool | None = None  # noqa: N815
    isDelisted: bool | None = None  # noqa: N815
    marginMode: str | None = None  # noqa: N815


class UniverseMeta(Payload, frozen=True):
    """Rules of all markets of one dex; the position in the list is part of the asset id."""

    universe: list[AssetMeta]
    collateralToken: Uint = 0  # noqa: N815


class PerpDex(Payload, frozen=True):
    """A builder's dex."""

    name: str
    fullName: str  # noqa: N815
    deployer: str = ""
    deployerFeeScale: str | None = None  # noqa: N815


class Other(Payload, frozen=True):
    """A well-formed frame or reply that a market maker does not read."""

    channel: str


class Frame(Payload, frozen=True):
    """A frame of the socket: its channel and what it carries."""

    channel: str
    data: Any


class _Envelope(Struct, frozen=True):
    channel: str
    data: Raw = Raw(b"null")


_FRAMES: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    channel: msgspec.json.Decoder(kind)
    for channel, kind in {
        "activeAssetCtx": ActiveAssetContext,
        "orderUpdates": list[OrderStatus],
        "userFills": UserFills,
        "userFundings": UserFundings,
        "subscriptionResponse": Subscribed,
        "post": Post,
        "pong": None,
        "error": str,
    }.items()
}

_ANY = msgspec.json.Decoder(Any)
_ENVELOPE = msgspec.json.Decoder(_Envelope)


def parse_json(body: bytes | str) -> Any:
    """Read JSON into plain Python values. Raises WireError if it is none."""
    try:
        return _ANY.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"not JSON: {error}") from None


def encode_json(value: Any) -> bytes:
    """Print plain values, structs and lists as JSON."""
    return msgspec.json.encode(value)


def decode_frame(frame: bytes) -> Frame:
    """Read a frame of the socket; a channel that we do not read gives `Other`.

    Raises
    ------
    WireError
        If it is not JSON, or a known channel breaks its schema.
    """
    if frame == GREETING:
        return Frame("greeting", Other("greeting"))
    try:
        envelope = _ENVELOPE.decode(frame)
        decoder = _FRAMES.get(envelope.channel)
        if decoder is None:
            return Frame(envelope.channel, Other(envelope.channel))
        return Frame(envelope.channel, decoder.decode(envelope.data))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"a frame breaks the exchange's form: {error}") from None


def convert(payload: Any, kind: Any) -> Any:
    """Check plain values against a type. Raises WireError if they do not fit."""
    try:
        return msgspec.convert(payload, kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise WireError(f"a reply breaks the exchange's form: {error}") from None
