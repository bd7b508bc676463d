"""Control requests: what a test or a person tells the exchange while it runs, by `POST /control`.

A request is an object with `do`, the name of one of `REQUESTS`, and that request's fields. Only
the loopback may ask.
"""

import ipaddress
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from hypermm.errors import ConfigError, WireError
from hypermm.hyperliquid.actions import canonical_address
from hypermm.sim.on_demand import read_fault
from hypermm.sim.pace import SPEED_MAX

if TYPE_CHECKING:
    from hypermm.sim.server import Server

ADVANCE_MS_MAX: Final = 7 * 86_400_000
ACTIONS_MAX: Final = 100_000
USDC_MAX: Final = 1e12
Json = dict[str, Any]


def is_loopback(ip: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(ip).is_loopback
    except ValueError:
        return False


async def answer(server: "Server", body: Any) -> Json:
    """Do what a control request says; return what to answer.

    Raises
    ------
    ConfigError
        If the request is not known, or a field is missing, unknown or out of range.
    """
    name = body.get("do") if isinstance(body, dict) else None
    found = REQUESTS.get(name) if isinstance(name, str) else None
    if found is None:
        raise ConfigError(
            "a control request is an object with a known 'do'",
            hint=f"one of {', '.join(REQUESTS)}",
        )
    fields, handler = found
    given = {key: value for key, value in body.items() if key != "do"}
    for key in given:
        if key not in fields:
            known = ", ".join(fields) or "none"
            raise ConfigError(f"{name} takes no field {key[:40]!r}", hint=f"its fields: {known}")
    done = await handler(server, given)
    return {"time": server.exchange.now_ms, **done}


def _number(given: Json, key: str, low: float, high: float, default: float | None = None) -> float:
    value = given.get(key, default)
    if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
        return float(value)
    raise ConfigError(f"{key} must be a number from {low:g} to {high:g}")  # NaN is not one


def _text(given: Json, key: str) -> str:
    value = given.get(key)
    if not isinstance(value, str):
        raise ConfigError(f"{key} must be a string")
    return value


async def _advance(server: "Server", given: Json) -> Json:
    ms = int(_number(given, "ms", 0, ADVANCE_MS_MAX))
    actions = int(_number(given, "actions", 0, ACTIONS_MAX, 0))
    if server.pace.speed:
        raise ConfigError(
            "time passes by itself here", hint="start with --speed 0, or send speed 0 first"
        )
    return {"blocks": await server.advance(ms, actions)}


async def _speed(server: "Server", given: Json) -> Json:
    server.set_speed(_number(given, "speed", 0.0, SPEED_MAX))
    return {"speed": server.pace.speed}


async def _fault(server: "Server", given: Json) -> Json:
    fault = read_fault(_text(given, "fault"), server.exchange.right_ms)
    server.effects.order(fault)
    return {"fault": fault.text}


async def _heal(server: "Server", _given: Json) -> Json:
    server.faults.heal(server.exchange.right_ms)
    return {}


async def _fund(server: "Server", given: Json) -> Json:
    try:
        address = canonical_address(_text(given, "address"))
    except WireError as error:
        raise ConfigError(str(error)) from None
    dex = _text(given, "dex") if "dex" in given else ""
    if dex not in server.exchange.dexs:
        known = ", ".join(filter(None, server.exchange.dexs)) or "none"
        raise ConfigError(f"no dex {dex[:40]!r} here", hint=f"listed: {known}")
    server.exchange.fund(address, _number(given, "usdc", 1e-6, USDC_MAX), dex)
    return {"address": address}


# Name -> fields, and what does it.
REQUESTS: Final[dict[str, tuple[tuple[str, ...], Callable[..., Awaitable[Json]]]]] = {
    "advance": (("ms", "actions"), _advance),
    "speed": (("speed",), _speed),
    "fault": (("fault",), _fault),
    "heal": ((), _heal),
    "fund": (("address", "usdc", "dex"), _fund),
}
