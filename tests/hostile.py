"""Hostile requests: every field of every action and info request, with a value of every wrong kind.

Used by a table test and by a seeded fuzz (`python -m benchmarks.venue_fuzz`).
"""

from typing import Any

USER = "0x" + 40 * "a"
CLOID = "0x" + 32 * "1"
ORDER = {"a": 0, "b": True, "p": "1999", "s": "0.5", "r": False, "t": {"limit": {"tif": "Alo"}}}
STOP = {
    **ORDER,
    "r": True,
    "t": {"trigger": {"isMarket": True, "triggerPx": "1900", "tpsl": "sl"}},
    "c": CLOID,
}
CHAIN = {"signatureChainId": "0x66eee", "hyperliquidChain": "Testnet"}
SEND = {
    "destination": USER,
    "sourceDex": "",
    "destinationDex": "",
    "token": "USDC",
    "amount": "1",
    "fromSubAccount": "",
    "nonce": 1,
}

# One good form of every action that a trader sends.
ACTIONS: dict[str, dict[str, Any]] = {
    "order": {"orders": [ORDER, STOP], "grouping": "na", "builder": {"b": USER, "f": 1}},
    "cancel": {"cancels": [{"a": 0, "o": 1}], "f": True},
    "cancelByCloid": {"cancels": [{"asset": 0, "cloid": CLOID}], "f": True},
    "modify": {"oid": 1, "order": ORDER, "a": True},
    "batchModify": {"modifies": [{"oid": CLOID, "order": ORDER}], "a": True},
    "scheduleCancel": {"time": 1},
    "updateLeverage": {"asset": 0, "isCross": True, "leverage": 5},
    "updateIsolatedMargin": {"asset": 0, "isBuy": True, "ntli": 5},
    "topUpIsolatedOnlyMargin": {"asset": 0, "leverage": "5"},
    "noop": {},
    "reserveRequestWeight": {"weight": 1, "destination": USER},
    "agentSendAsset": SEND,
    "createSubAccount": {"name": "sub"},
    "subAccountTransfer": {"subAccountUser": USER, "isDeposit": True, "usd": 5},
    "vaultTransfer": {"vaultAddress": USER, "isDeposit": True, "usd": 5},
    "setReferrer": {"code": "CODE"},
    "twapOrder": {
        "twap": {"a": 0, "b": True, "s": "1", "r": False, "m": 30, "t": False},
    },
    "twapCancel": {"a": 0, "t": 1},
    "usdSend": {**CHAIN, "destination": USER, "amount": "1", "time": 1},
    "spotSend": {**CHAIN, "destination": USER, "token": "USDC", "amount": "1", "time": 1},
    "withdraw3": {**CHAIN, "destination": USER, "amount": "1", "time": 1},
    "usdClassTransfer": {**CHAIN, "amount": "1", "toPerp": True, "nonce": 1},
    "sendAsset": {**CHAIN, **SEND},
    "approveAgent": {**CHAIN, "agentAddress": USER, "agentName": "bot", "nonce": 1},
    "approveBuilderFee": {**CHAIN, "maxFeeRate": "0.001%", "builder": USER, "nonce": 1},
    "userSetAbstraction": {**CHAIN, "user": USER, "abstraction": "disabled", "nonce": 1},
    "userDexAbstraction": {**CHAIN, "user": USER, "enabled": True, "nonce": 1},
}
# Fields of info requests; a request takes those that it knows and ignores the others.
INFO: dict[str, Any] = {
    "user": USER,
    "coin": "ETH",
    "dex": "",
    "oid": 1,
    "nSigFigs": 5,
    "mantissa": 2,
    "startTime": 0,
    "endTime": 1_700_000_000_000,
    "aggregateByTime": True,
    "reversed": True,
    "builder": USER,
    "id": 1,
    "req": {"coin": "ETH", "interval": "1m", "startTime": 0, "endTime": 1_700_000_000_000},
}


def deep(depth: int) -> list[Any]:
    """Return lists within lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


WRONG: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 10**30, -(10**30), 2**63, "", "x", "-1", "1e5", "NaN", "\x00", "ä",
    "0x", "0X" + 40 * "a", "9" * 400, "0." + "0" * 400 + "1", "../../etc/passwd", "%s%n", [], {},
    [None], {"type": {}}, [[]], deep(50), "'; drop table", "</script>",
)  # fmt: skip


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the places of all fields and items, nested ones too."""
    found = [here] if here else []
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            found += paths(inner, (*here, key))
    return found


def changed(value: Any, path: tuple[Any, ...], wrong: Any) -> Any:
    """Return a copy in which one place holds another value."""
    if not path:
        return wrong
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(copy[path[0]], path[1:], wrong)
    return copy


def without(value: Any, path: tuple[Any, ...]) -> Any:
    """Return a copy in which one place is missing."""
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = without(copy[path[0]], path[1:])
    return copy
