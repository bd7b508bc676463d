"""Leverage and margin mode, set once at the start and confirmed before the first order."""

from collections.abc import Iterator
from enum import Enum

from hypermm.messages import (
    AccountState,
    ActionReply,
    Done,
    Level,
    Notice,
    Refused,
    UpdateLeverage,
)

RETRY_NS = 10**9
TRIES = 3


class Stage(Enum):
    """How far the setting is."""

    WANTED = "wanted"
    SENT = "sent"
    SETTLED = "settled"


class LeverageSetting:
    """Brings the account to the wanted leverage, or settles for what it has.

    Parameters
    ----------
    wanted : int
        Leverage that is wanted.
    is_cross : bool
        Whether the margin is shared between markets.
    ids : iterator of int
        Source of action ids.
    """

    def __init__(self, wanted: int, *, is_cross: bool, ids: Iterator[int]) -> None:
        self._wanted = wanted
        self._is_cross = is_cross
        self._ids = ids
        self._stage = Stage.WANTED
        self._id = 0
        self._tries = 0
        self._due_ns = 0
        self._confirmed = 0

    @property
    def is_settled(self) -> bool:
        """Whether nothing more is tried."""
        return self._stage is Stage.SETTLED

    def value(self, account: AccountState | None) -> int:
        """Return the leverage that counts: confirmed, else the account's own; 0 if unknown."""
        return self._confirmed or (account.leverage if account is not None else 0)

    def is_changed(self, account: AccountState) -> bool:
        """Whether the exchange shows another leverage or margin mode than it confirmed."""
        if not self._confirmed or not account.leverage:
            return False
        return account.leverage != self._confirmed or account.is_cross is not self._is_cross

    def reopen(self) -> None:
        """Set it anew, because somebody else has changed it."""
        self._stage, self._tries, self._confirmed = Stage.WANTED, 0, 0

    def action(self, account: AccountState | None, now_ns: int) -> tuple[UpdateLeverage, ...]:
        """Return what has to be sent, if anything has."""
        if self._stage is not Stage.WANTED or account is None or now_ns < self._due_ns:
            return ()
        if account.leverage == self._wanted and account.is_cross is self._is_cross:
            self._stage = Stage.SETTLED
            return ()
        self._stage = Stage.SENT
        self._tries += 1
        self._id = next(self._ids)
        return (UpdateLeverage(self._id, self._wanted, self._is_cross),)

    def answered(self, reply: ActionReply, now_ns: int) -> Notice | None:
        """Apply an answer; returns what is to be said."""
        if reply.id != self._id or self._stage is not Stage.SENT:
            return None
        match reply.outcomes:
            case (Done(),):
                self._stage = Stage.SETTLED
                self._confirmed = self._wanted
                return Notice(Level.INFO, "Leverage set", {"leverage": self._wanted})
            case (Refused(text), *_):
                self._stage = Stage.SETTLED
                return Notice(Level.WARN, "Leverage refused", {"text": text[:300]})
            case _:
                return self.failed(reply.id, "no clear answer", now_ns)

    def failed(self, action_id: int, reason: str, now_ns: int) -> Notice | None:
        """Try again later: setting it twice does no harm. Returns what is to be said."""
        if action_id != self._id or self._stage is not Stage.SENT:
            return None
        if self._tries < TRIES:
            self._stage = Stage.WANTED
            self._due_ns = now_ns + RETRY_NS
            return None
        self._stage = Stage.SETTLED
        return Notice(Level.WARN, "Leverage not confirmed", {"reason": reason})
