"""What the answer to a signed action proves, order by order.

An answer is matched by index, and only a refusal that the exchange states counts as one: a shorter
or longer list, an unknown word or a wrong echo leaves the outcome of every order of the action open
(`Unclear`). Errors that follow from the payload alone stand once for a whole batch of which nothing
was executed; those few texts are copied to every order.
"""

from typing import Any, Final

from hypermm.errors import WireError
from hypermm.hyperliquid.cloids import cloid_text
from hypermm.instrument import Instrument
from hypermm.messages import (
    ActionReply,
    CancelOids,
    CancelOrders,
    Done,
    Filled,
    Order,
    Outcome,
    PlaceOrders,
    Refused,
    Resting,
    SignedAction,
    Unclear,
    UpdateLeverage,
)

_TEXT_MAX = 500

# Found before anything is executed: one error for the whole batch.
PRE_CHECK_REFUSALS: Final = (
    "Price must be divisible by tick size",
    "Order price cannot be more than",
    "Order value too large",
    "Order has invalid size",
    "Order has zero size",
    "Order has invalid price",
    "Orders are empty",
    "Unexpected number of trigger orders",
    "Only post-only orders allowed immediately after network upgrade",
    "Trading is halted",
    "Builder fee has not been approved",
    "Unknown asset",
    "Invalid TP/SL price",
)

# The exchange's refusals of a whole action. A duplicate nonce is not among them: it proves that
# some action with this nonce was processed, and that may have been this one.
WHOLE_ACTION_REFUSALS: Final = (
    *PRE_CHECK_REFUSALS,
    "User or API Wallet ",
    "L1 error: User or API Wallet ",
    "Must deposit before performing actions",
    "Unable to recover signer",
    "Mainnet and testnet require different signature",
    "Invalid nonce: nonce too low",
    "Invalid nonce: nonce too high",
    "Nonce mismatch",
    "Action already expired",
    "Vault not registered",
    "Too many cumulative requests sent",
    "Order must have minimum value of",
    "Insufficient margin to place order",
    "Invalid leverage value",
    "Cannot switch leverage type with open position",
    "Cross margin is not allowed for this asset",
    "Cross position does not have sufficient margin",
    "Isolated position does not have sufficient margin",
)


def decode_reply(action: SignedAction, payload: Any, instrument: Instrument) -> ActionReply:
    """Read the answer to a signed action.

    Parameters
    ----------
    action : SignedAction
        What was sent.
    payload : dict
        The parsed body of `/exchange`, or the payload of an action post.
    instrument : Instrument
        The market's rules.

    Returns
    -------
    ActionReply
        One outcome for each order or cancel, in order.
    """
    count = _count(action)
    outcomes = _outcomes(action, payload, instrument, count)
    if outcomes is None:
        outcomes = (Unclear(f"an answer of an unknown form: {payload!r}"[:_TEXT_MAX]),) * count
    return ActionReply(action.id, outcomes)


def _count(action: SignedAction) -> int:
    match action:
        case PlaceOrders(orders=orders):
            return len(orders)
        case CancelOrders(cloids=cloids):
            return len(cloids)
        case CancelOids(oids=oids):
            return len(oids)
        case UpdateLeverage():
            return 1


def _outcomes(
    action: SignedAction, payload: Any, instrument: Instrument, count: int
) -> tuple[Outcome, ...] | None:
    """Return one outcome for each order, or None if the answer proves nothing."""
    if not isinstance(payload, dict):
        return None
    response = payload.get("response")
    if payload.get("status") == "err" and isinstance(response, str):
        text = response[:_TEXT_MAX]
        if text.startswith(WHOLE_ACTION_REFUSALS):
            return (Refused(text),) * count
        return (Unclear(text),) * count
    if payload.get("status") != "ok" or not isinstance(response, dict):
        return None
    kind, data = response.get("type"), response.get("data")
    if isinstance(action, UpdateLeverage):
        return (Done(),) if kind == "default" else None
    if kind != ("order" if isinstance(action, PlaceOrders) else "cancel"):
        return None
    statuses = data.get("statuses") if isinstance(data, dict) else None
    if not isinstance(statuses, list):
        return None
    if len(statuses) == 1 and count > 1:
        lone = _error(statuses[0])
        if lone is None:
            return None
        if lone.startswith(PRE_CHECK_REFUSALS):
            return (Refused(lone),) * count
        return (Unclear(lone),) * count
    if len(statuses) != count:
        return None
    outcomes = tuple(
        _placed(status, action.orders[i], instrument)
        if isinstance(action, PlaceOrders)
        else _cancelled(status)
        for i, status in enumerate(statuses)
    )
    known = tuple(outcome for outcome in outcomes if outcome is not None)
    return known if len(known) == count else None


def _error(status: Any) -> str | None:
    """Return the text of an error status, None if it is not exactly that."""
    if isinstance(status, dict) and status.keys() == {"error"}:
        text = status["error"]
        return text[:_TEXT_MAX] if isinstance(text, str) else None
    return None


def _cancelled(status: Any) -> Outcome | None:
    """Return the outcome of one cancel, None if its status is not known."""
    if status == "success":
        return Done()
    text = _error(status)
    return None if text is None else Refused(text)


def _placed(status: Any, order: Order, instrument: Instrument) -> Outcome | None:
    """Return the outcome of one order, None if its status is not known or is another order's."""
    text = _error(status)
    if text is not None:
        return Refused(text)
    if not isinstance(status, dict) or len(status) != 1:
        return None
    [(word, fields)] = status.items()
    if not isinstance(fields, dict):
        return None
    oid, echo = fields.get("oid"), fields.get("cloid")
    if type(oid) is not int or oid < 0 or (echo is not None and echo != cloid_text(order.cloid)):
        return None
    if word == "resting":
        return Resting(oid)
    size_text = fields.get("totalSz")
    if word != "filled" or not isinstance(size_text, str):
        return None
    try:
        size = instrument.parse_size(size_text)
    except WireError:
        return None
    return Filled(oid, size) if 0 < size <= order.size else None
