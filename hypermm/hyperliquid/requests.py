"""What we asked the exchange and what came of it: every request gets exactly one answer.

A signed action ends as `ActionReply`, `ActionLost` or `ActionDenied`, a read as its answer or
`ReadFailed`, at the latest after `ANSWER_TIMEOUT_NS`. An answer that comes later is counted and
dropped, because by then the engine reads the truth from the exchange. No answer, a 429, a 5xx or a
page of HTML is not a refusal: what is not proved is lost.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from attrs import define, evolve, frozen

from hypermm.errors import WireError
from hypermm.hyperliquid import wire
from hypermm.hyperliquid.budget import (
    ITEMS_PER_WEIGHT,
    NS_PER_SEC,
    READ_WEIGHT,
    Budget,
    Need,
    need_of,
)
from hypermm.hyperliquid.payloads import encode_json, parse_json
from hypermm.hyperliquid.replies import decode_reply
from hypermm.hyperliquid.signing import Nonces, Signer
from hypermm.instrument import Instrument
from hypermm.messages import (
    Action,
    ActionDenied,
    ActionLost,
    ActionReply,
    BudgetLevel,
    CancelOids,
    CancelOrders,
    Fill,
    Fills,
    PlaceOrders,
    PrivateEvent,
    ReadAccount,
    ReadAction,
    ReadFailed,
    ReadFills,
    ReadOpenOrders,
    ReadOrder,
    Refused,
    SignedAction,
    UpdateLeverage,
)

ANSWER_TIMEOUT_NS: Final = 5 * NS_PER_SEC  # of signed actions and of reads
FILLS_PER_PAGE: Final = 2_000  # the exchange's longest list of fills
FILL_PAGES_MAX: Final = 5  # it keeps no more than 10,000
TEXT_MAX: Final = 200

INFO: Final = "/info"
EXCHANGE: Final = "/exchange"
HTTP_OK: Final = 200
HTTP_TOO_MANY: Final = 429
_ACTION_POST: Final = b'{"method":"post","id":%d,"request":{"type":"action","payload":%b}}'


@frozen
class Frame:
    """Write this text frame to the WebSocket."""

    text: bytes


@frozen
class Post:
    """Post this body by HTTP and hand the answer to `Session.reply`."""

    id: int
    path: str
    body: bytes


@define
class RequestCounters:
    """What became of our requests so far, for telemetry."""

    sent: int = 0  # signed actions
    denied: int = 0
    lost: int = 0
    reads: int = 0
    reads_failed: int = 0
    late: int = 0  # answers after their time, or to nothing we asked


@frozen
class _Pending:
    """Something that was sent and not answered yet; without an action it is our own reading."""

    action: Action | None
    deadline_ns: int
    by_socket: bool = False
    fills: tuple[Fill, ...] = ()  # of earlier pages
    pages: int = 0
    actions_spent: int = 0  # when the limits were asked


class Requests:
    """The requests in flight, their signatures and their cost.

    Parameters
    ----------
    instrument, account, signer, nonces, budget, vault
        As in `Session`.
    tell : callable
        Takes each event for the engine.
    queue : callable
        Takes each frame or post that is to be written.
    """

    def __init__(
        self,
        instrument: Instrument,
        account: str,
        signer: Signer | None,
        nonces: Nonces,
        budget: Budget,
        *,
        vault: str | None,
        tell: Callable[[PrivateEvent], None],
        queue: Callable[[Frame | Post], None],
    ) -> None:
        self.counters = RequestCounters()
        self._instrument = instrument
        self._account = account
        self._signer = signer
        self._nonces = nonces
        self._budget = budget
        self._vault = vault
        self._tell = tell
        self._queue = queue
        self._pending: dict[int, _Pending] = {}  # by id; all wait equally long, so oldest first
        self._last_id = 0

    @property
    def deadline_ns(self) -> int | None:
        """When the oldest request is given up; None if nothing is in flight."""
        oldest = next(iter(self._pending.values()), None)
        return None if oldest is None else oldest.deadline_ns

    def send(
        self, actions: Iterable[Action], now_ns: int, wall_ms: int, *, by_socket: bool
    ) -> None:
        """Send actions in order, signed with the next nonces; reads always go by HTTP."""
        for action in actions:
            match action:
                case PlaceOrders() | CancelOrders() | CancelOids() | UpdateLeverage():
                    self._send_signed(action, now_ns, wall_ms, by_socket=by_socket)
                case ReadOpenOrders() | ReadAccount() | ReadFills() | ReadOrder():
                    self._send_read(action, now_ns)

    def ask_limits(self, now_ns: int) -> None:
        """Read the address's own count, if the host may still ask."""
        if self._budget.check_request(READ_WEIGHT, now_ns) is None:
            self._budget.spend_request(READ_WEIGHT, now_ns)
            body = encode_json({"type": "userRateLimit", "user": self._account})
            spent = self._budget.actions_spent
            self._queue(Post(self._expect(None, now_ns, actions_spent=spent), INFO, body))

    def reply(self, post_id: int, status: int, body: bytes, now_ns: int) -> None:
        """Take the answer to an HTTP post; status 0 means that none came."""
        pending = self._pending.get(post_id)
        if pending is None or pending.by_socket:
            self.counters.late += 1
            return
        if status == HTTP_TOO_MANY:
            self._budget.learn_throttled(now_ns)
        if status != HTTP_OK:
            self._lose(post_id, f"HTTP status {status}" if status else "no answer")
            return
        try:
            payload = parse_json(body)
        except WireError as error:
            self._lose(post_id, printable(str(error)))
            return
        self._answer(post_id, pending, payload, now_ns)

    def receive(self, post_id: int, kind: str, payload: Any, now_ns: int) -> None:
        """Take the answer to a post over the socket: its kind is action, info or error."""
        pending = self._pending.get(post_id)
        if pending is None or not pending.by_socket:
            self.counters.late += 1
        elif kind == "action":
            self._answer(post_id, pending, payload, now_ns)
        else:
            text = printable(str(payload))
            if text.startswith(str(HTTP_TOO_MANY)):
                self._budget.learn_throttled(now_ns)
            self._lose(post_id, f"post answered by {kind}: {text}")

    def tell_budget(self) -> None:
        """Tell the engine how much the address has left, if that passed a mark."""
        level = self._budget.take_level()
        if level is not None:
            self._tell(BudgetLevel(level))

    def expire(self, now_ns: int) -> None:
        """Give up what has waited too long."""
        for post_id, pending in tuple(self._pending.items()):
            if pending.deadline_ns > now_ns:
                return
            self._lose(post_id, f"no answer in {ANSWER_TIMEOUT_NS // NS_PER_SEC} s")

    def lose_all(self, reason: str) -> None:
        """Give up everything in flight."""
        for post_id in tuple(self._pending):
            self._lose(post_id, reason)

    def _send_signed(
        self, action: SignedAction, now_ns: int, wall_ms: int, *, by_socket: bool
    ) -> None:
        """Sign an action and queue it, over the socket if there is one with room."""
        reason = self._budget.check(action, now_ns, by_socket=by_socket)
        if reason is not None and by_socket and need_of(action) is Need.CANCEL:
            by_socket = False  # HTTP has no limit on messages or on posts in flight
            reason = self._budget.check(action, now_ns)
        if self._signer is None:
            reason = "this session only reads: it has no key"
        if reason is not None or self._signer is None:
            self.counters.denied += 1
            self._tell(ActionDenied(action.id, reason or ""))
            return
        body = self._signer.sign(
            wire.encode_action(action, self._instrument),
            self._nonces.next(wall_ms),
            vault=self._vault,
        )
        self._budget.spend(action, now_ns, by_socket=by_socket)
        self.tell_budget()
        self.counters.sent += 1
        post_id = self._expect(action, now_ns, by_socket=by_socket)
        self._queue(
            Frame(_ACTION_POST % (post_id, body)) if by_socket else Post(post_id, EXCHANGE, body)
        )

    def _send_read(self, action: ReadAction, now_ns: int, **details: Any) -> None:
        """Queue a read if the host may still ask."""
        reason = self._budget.check(action, now_ns)
        if reason is not None:
            self._fail(action, reason)
            return
        self._budget.spend(action, now_ns)
        self.counters.reads += 1
        body = encode_json(wire.encode_read(action, self._account, self._instrument.dex))
        self._queue(Post(self._expect(action, now_ns, **details), INFO, body))

    def _expect(self, action: Action | None, now_ns: int, **details: Any) -> int:
        """Note that an answer is due and return the id that it will carry."""
        self._last_id += 1
        self._pending[self._last_id] = _Pending(action, now_ns + ANSWER_TIMEOUT_NS, **details)
        return self._last_id

    def _answer(self, post_id: int, pending: _Pending, payload: Any, now_ns: int) -> None:
        """Turn a parsed answer into its event."""
        try:
            match pending.action:
                case None:
                    since = self._budget.actions_spent - pending.actions_spent
                    self._budget.learn(payload, spent_since=since)
                    self.tell_budget()
                    self._finish(post_id)
                case PlaceOrders() | CancelOrders() | CancelOids() | UpdateLeverage() as action:
                    reply = decode_reply(action, payload, self._instrument)
                    self._finish(post_id)
                    self._learn_refusal(action, reply)
                    self._tell(reply)
                case ReadFills() as action:
                    page = wire.decode_read(action, payload, self._instrument)
                    self._finish(post_id)
                    self._answer_fills(pending, action, payload, page, now_ns)
                case ReadOpenOrders() | ReadAccount() | ReadOrder() as action:
                    answer = wire.decode_read(action, payload, self._instrument)
                    self._finish(post_id)
                    self._tell(answer)
        except WireError as error:
            self._lose(post_id, printable(str(error)))

    def _answer_fills(
        self, pending: _Pending, action: ReadFills, payload: Any, page: PrivateEvent, now_ns: int
    ) -> None:
        """Take a page of fills; a full one means that there are more from its last time on."""
        assert isinstance(page, Fills), f"an answer to ReadFills is {type(page).__name__}"
        self._budget.spend_request(len(payload) // ITEMS_PER_WEIGHT, now_ns)
        fills, pages = pending.fills + page.fills, pending.pages + 1
        is_full = len(payload) >= FILLS_PER_PAGE and pages < FILL_PAGES_MAX
        last_ms = max(payload[0]["time"], payload[-1]["time"]) if is_full else action.since_ms
        if last_ms <= action.since_ms:
            self._tell(Fills(action.id, fills))
            return
        self._send_read(evolve(action, since_ms=last_ms), now_ns, fills=fills, pages=pages)

    def _learn_refusal(self, action: SignedAction, reply: ActionReply) -> None:
        """Let the budget read a refusal for too many requests."""
        for outcome in reply.outcomes:
            if isinstance(outcome, Refused):
                self._budget.learn_refusal(outcome.text, need_of(action))
                self.tell_budget()
                return

    def _finish(self, post_id: int) -> _Pending:
        """Wait no longer for an answer."""
        pending = self._pending.pop(post_id)
        if pending.by_socket:
            self._budget.release()
        return pending

    def _lose(self, post_id: int, reason: str) -> None:
        """Give up on an answer: nothing is proved."""
        match self._finish(post_id).action:
            case None:
                self.counters.reads_failed += 1  # the limits are read again in a minute
            case PlaceOrders() | CancelOrders() | CancelOids() | UpdateLeverage() as action:
                self.counters.lost += 1
                self._tell(ActionLost(action.id, reason))
            case ReadOpenOrders() | ReadAccount() | ReadFills() | ReadOrder() as action:
                self._fail(action, reason)

    def _fail(self, action: ReadAction, reason: str) -> None:
        """Say that a read brought nothing."""
        self.counters.reads_failed += 1
        self._tell(ReadFailed(action.id, reason))


def printable(text: str) -> str:
    """Return text from outside on one short line, without control characters."""
    return "".join(c if c.isprintable() else "?" for c in text[:TEXT_MAX])
