"""One question to the exchange, outside the loop of a run."""

from typing import Any

from hypermm.errors import UnreachableError
from hypermm.hyperliquid.client import Client
from hypermm.hyperliquid.payloads import encode_json, parse_json

THROTTLED = 429


async def ask(client: Client, request: dict[str, Any]) -> Any:
    """Post to `/info` and return the parsed answer.

    Raises
    ------
    UnreachableError
        If no usable answer comes.
    WireError
        If the answer is not JSON.
    """
    status, body = await client.post("/info", encode_json(request))
    if status == THROTTLED:
        raise UnreachableError(
            f"the exchange at {client.url} takes no more requests from this host: status 429",
            hint="wait a minute: it allows 1,200 a minute by weight",
        )
    if status != 200:
        shown = f"status {status}" if status else "no answer"
        raise UnreachableError(
            f"Failed to connect to exchange at {client.url}: {shown}",
            hint="check --network, and that the exchange is up",
        )
    return parse_json(body)


async def master_of(client: Client, address: str) -> str:
    """Return the account that a key acts for: an API wallet's master, or the address itself."""
    role = await ask(client, {"type": "userRole", "user": address})
    if isinstance(role, dict) and role.get("role") == "agent":
        return str(role["data"]["user"]).lower()
    return address
