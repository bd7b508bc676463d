"""Whether the account's streams still speak: what we do must be echoed there.

An account's stream has no heartbeat, so that its silence shows only after an action of ours. Its
updates come with the block that the action lands in, before or after the reply.
"""

from hypermm.messages import Action, ActionReply, CancelOids, CancelOrders, PlaceOrders, Refused

SECOND_NS = 10**9
READ_AFTER_NS = 3 * SECOND_NS  # without an echo the exchange is asked
DEAF_AFTER_NS = 5 * SECOND_NS  # without an echo nothing is placed
# With nothing of ours left that a cancel could echo, only an order tells whether they are back:
# one ladder after a second, later every four, so that quotes return soon after the streams do.
RETRY_PAUSE_NS = SECOND_NS
RETRY_PAUSE_NS_MAX = 4 * SECOND_NS


class Hearing:
    """The oldest action that no event of the account's streams has followed."""

    def __init__(self) -> None:
        self._since_ns = -1
        self._has_read = False
        self._retries = 0

    def heard(self) -> None:
        """Note an event of a stream, or that nothing is owed any more."""
        self._retries = 0
        self._wait_anew()

    def retry(self) -> None:
        """Let one more action tell."""
        self._retries += 1
        self._wait_anew()

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
        """Whether to let a new order tell, once nothing of ours is left."""
        pause_ns = min(RETRY_PAUSE_NS << min(self._retries, 8), RETRY_PAUSE_NS_MAX)
        return self.is_deaf(now_ns) and now_ns - self._since_ns >= DEAF_AFTER_NS + pause_ns

    def _wait_anew(self) -> None:
        self._since_ns = -1
        self._has_read = False
