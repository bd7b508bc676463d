"""Subscriptions of the socket in normalised form: what makes two of them the same."""

from typing import Any

from attrs import field, frozen

from hypermm.errors import WireError
from hypermm.hyperliquid.actions import canonical_address
from hypermm.sim.json_text import dumps

Json = dict[str, Any]

# Fields of each subscription beside its type, in the order of the acknowledgement, with their
# defaults; `...` has none.
FIELDS: dict[str, dict[str, Any]] = {
    "activeAssetCtx": {"coin": ...},
    "activeAssetData": {"user": ..., "coin": ...},
    "allDexsAssetCtxs": {},
    "allDexsClearinghouseState": {"user": ...},
    "allMids": {"dex": None},
    "assetCtxs": {"dex": ""},
    "bbo": {"coin": ...},
    "candle": {"interval": ..., "coin": ...},
    "clearinghouseState": {"user": ..., "dex": ""},
    "fastAssetCtxs": {},
    "l2Book": {"coin": ..., "nSigFigs": None, "mantissa": None, "fast": False},
    "notification": {"user": ...},
    "openOrders": {"user": ..., "dex": ""},
    "orderUpdates": {"user": ...},
    "spotAssetCtxs": {},
    "spotState": {"user": ..., "ignorePortfolioMargin": False},
    "trades": {"coin": ...},
    "twapStates": {"user": ..., "dex": ""},
    "userEvents": {"user": ...},
    "userFills": {"user": ..., "aggregateByTime": False},
    "userFundings": {"user": ...},
    "userHistoricalOrders": {"user": ...},
    "userNonFundingLedgerUpdates": {"user": ...},
    "userTwapHistory": {"user": ...},
    "userTwapSliceFills": {"user": ...},
    "webData3": {"user": ...},
}


@frozen
class Subscription:
    """A subscription in normalised form; equal ones share their frames."""

    text: str  # the normalised form, encoded
    fields: Json = field(eq=False)

    @property
    def topic(self) -> tuple[str, str]:
        """Type, and the coin or user whose news may change it."""
        fields = self.fields
        return fields["type"], fields.get("coin") or fields.get("user") or ""

    @property
    def user(self) -> str | None:
        """The user that it is about."""
        return self.fields.get("user")


def read_subscription(asked: Any) -> Subscription:
    """Bring a subscription into normalised form.

    Raises
    ------
    WireError
        If its type is unknown, or a field missing or ill-typed.
    """
    kind = asked.get("type") if isinstance(asked, dict) else None
    known = FIELDS.get(kind) if isinstance(kind, str) else None
    if known is None:
        raise WireError("unknown subscription")
    fields: Json = {"type": kind}
    for name, default in known.items():
        value = asked.get(name)
        value = default if value is None else value
        if value is ...:
            raise WireError(f"{name} is missing")
        if name in {"nSigFigs", "mantissa"}:
            is_good = value is None or (isinstance(value, int) and not isinstance(value, bool))
        elif isinstance(default, bool):
            is_good = isinstance(value, bool)
        else:
            is_good = value is None or isinstance(value, str)
        if not is_good:
            raise WireError(f"{name} has the wrong type")
        fields[name] = canonical_address(value) if name == "user" else value
    if kind == "allMids" and fields["dex"] is None:
        del fields["dex"]
    return Subscription(dumps(fields), fields)
