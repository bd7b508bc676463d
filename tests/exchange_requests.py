"""Actions as a server reads them from a signed request."""

import json

from hypermm.hyperliquid.actions import decode_request

SIGNATURE = {"r": "0x1", "s": "0x1", "v": 27}


def decode_action(raw):
    """Read an action, as JSON or parsed, into its canonical form."""
    action = json.loads(raw) if isinstance(raw, bytes | str) else raw
    return decode_request({"action": action, "nonce": 1, "signature": SIGNATURE}).action
