"""The exchange's actions as typed values, their fields in hashing order, their tag `type` first.

An action that we make and one that a server reads are the same class. Optional fields are left out
when unset, as the hash demands. `decode_request` brings a request into the exchange's canonical
form: it hashes what it parsed (trimmed decimals, lower-case addresses and cloids), not what was
sent.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct, structs

from hypermm.errors import WireError
from hypermm.hyperliquid.cloids import cloid_text, parse_cloid

Uint = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Int = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]

_WIRE_DECIMAL = re.compile(r"([0-9]{1,40})(?:\.([0-9]{1,40}))?", re.ASCII)
_ADDRESS = re.compile(r"(?:0x)?([0-9a-fA-F]{40})", re.ASCII)
_WIRE_DECIMALS_MAX = 8


class _Part(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """A part of an action."""


class _Action(_Part, frozen=True, tag_field="type", gc=False):
    """An action of the L1, signed over its hash."""


class Limit(_Part, frozen=True):
    """How long a limit order lives."""

    tif: Literal["Alo", "Ioc", "Gtc", "FrontendMarket"]


class Trigger(_Part, frozen=True):
    """Condition of a stop or take-profit order."""

    isMarket: bool  # noqa: N815 - the exchange's name, as are all fields here
    triggerPx: str  # noqa: N815
    tpsl: Literal["tp", "sl"]


class OrderType(_Part, frozen=True):
    """Either a limit or a trigger."""

    limit: Limit | None = None
    trigger: Trigger | None = None

    def __post_init__(self) -> None:
        if (self.limit is None) == (self.trigger is None):
            raise ValueError("an order type is either a limit or a trigger")


ALO: Final = OrderType(limit=Limit("Alo"))
IOC: Final = OrderType(limit=Limit("Ioc"))
GTC: Final = OrderType(limit=Limit("Gtc"))


class OrderWire(_Part, frozen=True):
    """One order: asset, is buy, price, size, reduce-only, type, cloid."""

    a: Uint
    b: bool
    p: str
    s: str
    r: bool
    t: OrderType
    c: str | None = None


class Builder(_Part, frozen=True):
    """Address and fee (tenths of a basis point) of the front end that gets a share."""

    b: str
    f: Uint


class Priority(_Part, frozen=True):
    """Priority fee in units of 1e-8 of the notional."""

    p: Uint


Grouping = Literal["na", "normalTpsl", "positionTpsl"] | Priority


class OrderAction(_Action, frozen=True, tag="order"):
    """Place orders."""

    orders: list[OrderWire]
    # A factory, because a plain default would be left out and the hash needs the key.
    grouping: Grouping = msgspec.field(default_factory=lambda: "na")
    builder: Builder | None = None


class CancelWire(_Part, frozen=True):
    """Asset and order id."""

    a: Uint
    o: Uint


class CancelAction(_Action, frozen=True, tag="cancel"):
    """Cancel orders by the exchange's id."""

    cancels: list[CancelWire]
    f: bool = False


class CloidWire(_Part, frozen=True):
    """Asset and client order id."""

    asset: Uint
    cloid: str


class CancelByCloidAction(_Action, frozen=True, tag="cancelByCloid"):
    """Cancel orders by client order id."""

    cancels: list[CloidWire]
    f: bool = False


class ModifyAction(_Action, frozen=True, tag="modify"):
    """Cancel one order and place another in its stead."""

    oid: Uint | str
    order: OrderWire
    a: bool = False


class ModifyWire(_Part, frozen=True):
    """Order to replace, by id or cloid, and its replacement."""

    oid: Uint | str
    order: OrderWire


class BatchModifyAction(_Action, frozen=True, tag="batchModify"):
    """Several modifies in one action."""

    modifies: list[ModifyWire]
    a: bool = False


class TwapWire(_Part, frozen=True):
    """Asset, is buy, size, reduce-only, minutes, whether slice sizes are drawn."""

    a: Uint
    b: bool
    s: str
    r: bool
    m: Uint
    t: bool


class TwapTriggerWire(_Part, frozen=True):
    """Price at which a TWAP starts, and whether it starts at and above it."""

    p: str
    a: bool


class TwapDetailsWire(_Part, frozen=True):
    """When a TWAP starts and stops; what is not asked for is null, and hashed so."""

    t: TwapTriggerWire | None
    s: str | None


class TwapOrderAction(_Action, frozen=True, tag="twapOrder"):
    """Trade a size in slices over some minutes."""

    twap: TwapWire
    details: TwapDetailsWire | None = None


class TwapCancelAction(_Action, frozen=True, tag="twapCancel"):
    """End a TWAP: asset and TWAP id."""

    a: Uint
    t: Uint


class ScheduleCancelAction(_Action, frozen=True, tag="scheduleCancel"):
    """Cancel everything at a time (ms); without one, remove the deadline."""

    time: Uint | None = None


class UpdateLeverageAction(_Action, frozen=True, tag="updateLeverage"):
    """Set leverage and margin mode of a market."""

    asset: Uint
    isCross: bool  # noqa: N815
    leverage: Uint


class UpdateIsolatedMarginAction(_Action, frozen=True, tag="updateIsolatedMargin"):
    """Add (or with a negative amount remove) isolated margin, in 1e-6 USD."""

    asset: Uint
    isBuy: bool  # noqa: N815
    ntli: Int


class TopUpIsolatedOnlyMarginAction(_Action, frozen=True, tag="topUpIsolatedOnlyMargin"):
    """Add margin to a strictly isolated position until it has this leverage."""

    asset: Uint
    leverage: str


class NoopAction(_Action, frozen=True, tag="noop"):
    """Do nothing but spend the nonce."""


class ReserveRequestWeightAction(_Action, frozen=True, tag="reserveRequestWeight"):
    """Buy requests for the address budget."""

    weight: Uint
    destination: str | None = None


class AgentSendAssetAction(_Action, frozen=True, tag="agentSendAsset"):
    """Move funds between the user's own accounts."""

    destination: str
    sourceDex: str  # noqa: N815
    destinationDex: str  # noqa: N815
    token: str
    amount: str
    fromSubAccount: str  # noqa: N815
    nonce: Uint


class CreateSubAccountAction(_Action, frozen=True, tag="createSubAccount"):
    """Open a sub-account."""

    name: str


class SubAccountTransferAction(_Action, frozen=True, tag="subAccountTransfer"):
    """Move USDC to or from a sub-account, in 1e-6 USD."""

    subAccountUser: str  # noqa: N815
    isDeposit: bool  # noqa: N815
    usd: Uint


class VaultTransferAction(_Action, frozen=True, tag="vaultTransfer"):
    """Move USDC to or from a vault, in 1e-6 USD."""

    vaultAddress: str  # noqa: N815
    isDeposit: bool  # noqa: N815
    usd: Uint


class SetReferrerAction(_Action, frozen=True, tag="setReferrer"):
    """Name a referrer."""

    code: str


class AgentSetAbstractionAction(_Action, frozen=True, tag="agentSetAbstraction"):
    """Choose how the account pools its margin: `i` not at all, `u` unified, `p` portfolio."""

    abstraction: Literal["i", "u", "p"]


class AgentEnableDexAbstractionAction(_Action, frozen=True, tag="agentEnableDexAbstraction"):
    """Pool margin over dexs; the older form of `agentSetAbstraction`."""


class _UserAction(_Part, frozen=True, tag_field="type", gc=False, kw_only=True):
    """An action that the master key signs as typed data."""

    signatureChainId: Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{1,16}$")]  # noqa: N815
    hyperliquidChain: Literal["Mainnet", "Testnet"]  # noqa: N815


class UsdSendAction(_UserAction, frozen=True, tag="usdSend", kw_only=True):
    """Send USDC to another address."""

    destination: str
    amount: str
    time: Uint


class SpotSendAction(_UserAction, frozen=True, tag="spotSend", kw_only=True):
    """Send a spot token to another address."""

    destination: str
    token: str
    amount: str
    time: Uint


class WithdrawAction(_UserAction, frozen=True, tag="withdraw3", kw_only=True):
    """Withdraw USDC through the bridge."""

    destination: str
    amount: str
    time: Uint


class UsdClassTransferAction(_UserAction, frozen=True, tag="usdClassTransfer", kw_only=True):
    """Move USDC between the spot and the perpetual balance."""

    amount: str
    toPerp: bool  # noqa: N815
    nonce: Uint


class SendAssetAction(_UserAction, frozen=True, tag="sendAsset", kw_only=True):
    """Move a token between dexs or to another address."""

    destination: str
    sourceDex: str  # noqa: N815
    destinationDex: str  # noqa: N815
    token: str
    amount: str
    fromSubAccount: str  # noqa: N815
    nonce: Uint


class ApproveAgentAction(_UserAction, frozen=True, tag="approveAgent", kw_only=True):
    """Let another key sign for this account. A missing name is hashed as the empty string."""

    agentAddress: str  # noqa: N815
    nonce: Uint
    agentName: str | None = None  # noqa: N815


class ApproveBuilderFeeAction(_UserAction, frozen=True, tag="approveBuilderFee", kw_only=True):
    """Let a builder take a fee."""

    maxFeeRate: str  # noqa: N815
    builder: str
    nonce: Uint


class UserSetAbstractionAction(_UserAction, frozen=True, tag="userSetAbstraction", kw_only=True):
    """Choose how the account pools its margin."""

    user: str
    abstraction: str
    nonce: Uint


class UserDexAbstractionAction(_UserAction, frozen=True, tag="userDexAbstraction", kw_only=True):
    """Switch the pooling of margin over dexs on or off."""

    user: str
    enabled: bool
    nonce: Uint


L1Action = (
    OrderAction
    | CancelAction
    | CancelByCloidAction
    | ModifyAction
    | BatchModifyAction
    | TwapOrderAction
    | TwapCancelAction
    | ScheduleCancelAction
    | UpdateLeverageAction
    | UpdateIsolatedMarginAction
    | TopUpIsolatedOnlyMarginAction
    | NoopAction
    | ReserveRequestWeightAction
    | AgentSendAssetAction
    | CreateSubAccountAction
    | SubAccountTransferAction
    | VaultTransferAction
    | SetReferrerAction
    | AgentSetAbstractionAction
    | AgentEnableDexAbstractionAction
)
UserAction = (
    UsdSendAction
    | SpotSendAction
    | WithdrawAction
    | UsdClassTransferAction
    | SendAssetAction
    | ApproveAgentAction
    | ApproveBuilderFeeAction
    | UserSetAbstractionAction
    | UserDexAbstractionAction
)
ExchangeAction = L1Action | UserAction


class Signature(Struct, frozen=True, forbid_unknown_fields=True):
    """A signature: `r` and `s` are hex integers whose leading zeros may be missing. No `repr`."""

    r: Annotated[str, Meta(pattern=r"^(0x)?[0-9a-fA-F]{1,64}$")]
    s: Annotated[str, Meta(pattern=r"^(0x)?[0-9a-fA-F]{1,64}$")]
    v: Uint

    def __repr__(self) -> str:
        return "Signature()"


class Request(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `/exchange`, and the payload of an action post on the socket."""

    action: ExchangeAction
    nonce: Uint
    signature: Signature
    vaultAddress: str | None = None  # noqa: N815
    expiresAfter: Uint | None = None  # noqa: N815


def decode_request(raw: bytes | str | Mapping[str, Any]) -> Request:
    """Read a signed request; its action is in canonical form, its vault in lower case.

    Raises
    ------
    WireError
        If a field is missing, unknown or ill-typed.
    """
    try:
        if isinstance(raw, bytes | str):
            request = msgspec.json.decode(raw, type=Request)
        else:
            request = msgspec.convert(raw, Request)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise WireError(f"not a request of the exchange: {error}") from None
    vault = request.vaultAddress
    return structs.replace(
        request,
        action=canonical(request.action),
        vaultAddress=None if vault is None else canonical_address(vault),
    )


def plain(action: ExchangeAction) -> dict[str, Any]:
    """Return an action as JSON shows it."""
    shown: dict[str, Any] = msgspec.to_builtins(action)
    return shown


def canonical_decimal(text: str) -> str:
    """Trim a decimal as the exchange does before it hashes: no padding zeros, no bare point.

    Raises
    ------
    WireError
        If the text is not a plain non-negative decimal with at most 8 significant decimals.
    """
    match = _WIRE_DECIMAL.fullmatch(text)
    if match is None:
        raise WireError(f"not a decimal number of the exchange's form: {text[:60]!r}")
    whole = match[1].lstrip("0") or "0"
    fraction = (match[2] or "").rstrip("0")
    if len(fraction) > _WIRE_DECIMALS_MAX:
        raise WireError(f"more than {_WIRE_DECIMALS_MAX} decimals: {text[:60]!r}")
    return f"{whole}.{fraction}" if fraction else whole


def canonical_cloid(text: str) -> str:
    """Return a client order id in lower case. Raises WireError if it is not one."""
    return cloid_text(parse_cloid(text))


def canonical_address(text: str) -> str:
    """Return an address in lower case with `0x`. Raises WireError if it is not one."""
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise WireError(f"not an address, 0x and 40 hex digits: {text[:60]!r}")
    return "0x" + match[1].lower()


def canonical(action: ExchangeAction) -> ExchangeAction:
    """Return the action as the exchange re-serialises it.

    Strings of user-signed actions are hashed as written, so those stay as they are.

    Raises
    ------
    WireError
        If a decimal, an address or a cloid is not of the exchange's form.
    """
    match action:
        case OrderAction(orders, grouping, builder):
            if builder is not None:
                builder = Builder(canonical_address(builder.b), builder.f)
            return OrderAction([_canonical_order(order) for order in orders], grouping, builder)
        case CancelByCloidAction(cancels, f):
            return CancelByCloidAction(
                [CloidWire(cancel.asset, canonical_cloid(cancel.cloid)) for cancel in cancels], f
            )
        case ModifyAction(oid, order, a):
            return ModifyAction(_canonical_oid(oid), _canonical_order(order), a)
        case BatchModifyAction(modifies, a):
            return BatchModifyAction(
                [ModifyWire(_canonical_oid(m.oid), _canonical_order(m.order)) for m in modifies], a
            )
        case TwapOrderAction(twap, details):
            return TwapOrderAction(
                structs.replace(twap, s=canonical_decimal(twap.s)), _canonical_details(details)
            )
        case VaultTransferAction():
            return structs.replace(action, vaultAddress=canonical_address(action.vaultAddress))
        case SubAccountTransferAction():
            user = canonical_address(action.subAccountUser)
            return structs.replace(action, subAccountUser=user)
        case TopUpIsolatedOnlyMarginAction():
            return structs.replace(action, leverage=canonical_decimal(action.leverage))
        case ReserveRequestWeightAction(destination=str(destination)):
            return structs.replace(action, destination=canonical_address(destination))
        case AgentSendAssetAction():
            return structs.replace(
                action,
                destination=canonical_address(action.destination),
                amount=canonical_decimal(action.amount),
            )
        case _:  # the others have nothing that is written in two ways
            return action


def _canonical_details(details: TwapDetailsWire | None) -> TwapDetailsWire | None:
    if details is None:
        return None
    start, stop = details.t, details.s
    if start is not None:
        start = TwapTriggerWire(canonical_decimal(start.p), start.a)
    return TwapDetailsWire(start, None if stop is None else canonical_decimal(stop))


def _canonical_oid(oid: int | str) -> int | str:
    return canonical_cloid(oid) if isinstance(oid, str) else oid


def _canonical_order(order: OrderWire) -> OrderWire:
    kind = order.t
    if kind.trigger is not None:
        price = canonical_decimal(kind.trigger.triggerPx)
        kind = OrderType(trigger=structs.replace(kind.trigger, triggerPx=price))
    return OrderWire(
        order.a,
        order.b,
        canonical_decimal(order.p),
        canonical_decimal(order.s),
        order.r,
        kind,
        None if order.c is None else canonical_cloid(order.c),
    )
