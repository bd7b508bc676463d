"""Whether the account's streams still speak: what we do must be echoed there.

An account's stream has no heartbeat, so that its silence shows only after an action of ours. Its
updates come with the block that the action lands in, before or after the reply.
"""

from hypermm.messages import Action, ActionReply, CancelOids, CancelOrders, PlaceOrders, Refused

SECOND_NS = 10**9
READ_AFTER_NS = 3 * SECOND_NS  # without an echo the exchange is asked
DEAF_AFTER_NS = 5 * SECOND_NS  # without an echo nothing is placed
RETRY_AFTER_NS = 30 * SECOND_NS  # nothing of ours is left to be echoed: try again


class Hearing:
    """The oldest action that no event of the account's streams has followed."""

    def __init__(self) -> None:
        self._since_ns = -1
        self._has_read = False

    def heard(self) -> None:
        """Note an event of a stream, or that the question is open again."""
        self._since_ns = -1
        self._has_read = False

    def acted(self, actions: tuple[Action, ...], now_ns: int) -> None:
        """Note what is sent: orders and cancels are echoed if they succeed."""
        if self._since_ns >= 0 or not actions:
            return
        if any(isinstance(action, PlaceOrders | CancelOrders | CancelOids) for action in actions):
            self._since_ns = now_ns

    def answered(self, reply: ActionReply) -> None:
        """Note a reply: what is refused changes nothing, so that nothing has to be echoed."""
        if all(isinstance(outcome, Refused) for outcome in reply.outcomes):
            self.heard()

    def is_read_due(self, now_ns: int) -> bool:
        """Whether to ask the exchange; once for each silence."""
        if self._has_read or self._since_ns < 0 or now_ns - self._since_ns < READ_AFTER_NS:
            return False
        self._has_read = True
        return True

    def is_deaf(self, now_ns: int) -> bool:
        """Whether nothing may be placed."""
        return self._since_ns >= 0 and now_ns - self._since_ns >= DEAF_AFTER_NS

    def is_retry_due(self, now_ns: int) -> bool:
        """Whether the silence is so long that only a new order can tell."""
        return self._since_ns >= 0 and now_ns - self._since_ns >= RETRY_AFTER_NS
