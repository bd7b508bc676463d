"""Where an order stands, what can happen to it, and what the exchange's words mean: as tables."""

from enum import Enum


class OrderState(Enum):
    """Where an order stands. The last five absorb every event."""

    __hash__ = object.__hash__  # members are single objects; `Enum` hashes their names

    PLANNED = "planned"
    SENT = "sent"
    OPEN = "open"
    PARTIAL = "partial"
    CANCEL_SENT = "cancel sent"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    NEVER_LANDED = "never landed"
    DENIED = "denied"


class OrderEvent(Enum):
    """What can happen to an order."""

    __hash__ = object.__hash__

    SEND = "send"  # it leaves us
    DENY = "deny"  # gate or budget kept it: it never left us
    REST = "rest"  # proof that it rests, nothing filled so far
    REST_PART = "rest part"  # proof that it rests, a part filled
    FILL = "fill"  # a fill that leaves a rest
    FILL_LAST = "fill last"  # the fill that leaves none
    REFUSE = "refuse"  # the exchange refused it
    CANCEL = "cancel"  # we ask for its end
    LOSE = "lose"  # nothing proves what became of it
    END = "end"  # proof that it is off the book
    NEVER = "never"  # two agreeing reads: the exchange does not know it


_S, _E = OrderState, OrderEvent
TERMINAL = frozenset({_S.FILLED, _S.CANCELED, _S.REJECTED, _S.NEVER_LANDED, _S.DENIED})

# A pair that is missing cannot happen by what we guarantee; `_advance` asserts it.
ORDER_TRANSITIONS: dict[OrderState, dict[OrderEvent, OrderState]] = {
    _S.PLANNED: {_E.SEND: _S.SENT, _E.DENY: _S.DENIED},
    _S.SENT: {
        _E.DENY: _S.DENIED,
        _E.REST: _S.OPEN,
        _E.REST_PART: _S.PARTIAL,
        _E.FILL: _S.PARTIAL,
        _E.FILL_LAST: _S.FILLED,
        _E.REFUSE: _S.REJECTED,
        _E.CANCEL: _S.CANCEL_SENT,
        _E.LOSE: _S.UNKNOWN,
        _E.END: _S.CANCELED,
    },
    _S.OPEN: {
        _E.REST: _S.OPEN,
        _E.REST_PART: _S.PARTIAL,
        _E.FILL: _S.PARTIAL,
        _E.FILL_LAST: _S.FILLED,
        _E.REFUSE: _S.UNKNOWN,  # two answers that exclude each other
        _E.CANCEL: _S.CANCEL_SENT,
        _E.LOSE: _S.UNKNOWN,
        _E.END: _S.CANCELED,
    },
    _S.PARTIAL: {
        _E.REST: _S.PARTIAL,
        _E.REST_PART: _S.PARTIAL,
        _E.FILL: _S.PARTIAL,
        _E.FILL_LAST: _S.FILLED,
        _E.REFUSE: _S.UNKNOWN,
        _E.CANCEL: _S.CANCEL_SENT,
        _E.LOSE: _S.UNKNOWN,
        _E.END: _S.CANCELED,
    },
    _S.CANCEL_SENT: {
        _E.DENY: _S.DENIED,
        _E.REST: _S.CANCEL_SENT,
        _E.REST_PART: _S.CANCEL_SENT,
        _E.FILL: _S.CANCEL_SENT,
        _E.FILL_LAST: _S.FILLED,
        _E.REFUSE: _S.REJECTED,
        _E.CANCEL: _S.CANCEL_SENT,
        _E.LOSE: _S.CANCEL_SENT,
        _E.END: _S.CANCELED,
        _E.NEVER: _S.NEVER_LANDED,
    },
    _S.UNKNOWN: {
        _E.DENY: _S.DENIED,
        _E.REST: _S.OPEN,
        _E.REST_PART: _S.PARTIAL,
        _E.FILL: _S.UNKNOWN,  # it landed, but whether the rest still stands is open
        _E.FILL_LAST: _S.FILLED,
        _E.REFUSE: _S.REJECTED,
        _E.CANCEL: _S.UNKNOWN,
        _E.LOSE: _S.UNKNOWN,
        _E.END: _S.CANCELED,
        _E.NEVER: _S.NEVER_LANDED,
    },
} | {state: {event: state for event in _E if event is not _E.SEND} for state in TERMINAL}


class EndPolicy(Enum):
    """What the end of an order by the exchange's own hand means for us."""

    RESUME = "resume"
    COUNT = "count"  # as a refusal: the breaker pauses the side if it goes on
    STOP = "stop"  # nothing can be quoted here any more


END_POLICIES = {
    "canceled": EndPolicy.RESUME,
    "filled": EndPolicy.RESUME,
    "selfTradeCanceled": EndPolicy.RESUME,
    "scheduledCancel": EndPolicy.RESUME,
    "internalCancel": EndPolicy.COUNT,
    "marginCanceled": EndPolicy.COUNT,
    "reduceOnlyCanceled": EndPolicy.RESUME,  # the position has shrunk: what it was for is done
    "openInterestCapCanceled": EndPolicy.COUNT,
    "vaultWithdrawalCanceled": EndPolicy.COUNT,
    "siblingFilledCanceled": EndPolicy.COUNT,
    "liquidatedCanceled": EndPolicy.STOP,
    "delistedCanceled": EndPolicy.STOP,
    "outcomeSettledCanceled": EndPolicy.STOP,
}


def classify(status: str) -> OrderEvent | None:
    """Read the exchange's word for an order's state; None for a word of no known form."""
    if status in ("open", "triggered"):
        return OrderEvent.REST
    lower = status.lower()
    if lower == "filled" or lower.endswith(("canceled", "cancelled", "cancel")):
        return OrderEvent.END
    if lower.endswith("rejected"):
        return OrderEvent.REFUSE
    return None
