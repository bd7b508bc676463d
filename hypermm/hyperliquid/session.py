"""The conversation with the exchange as a state machine: bytes in, bytes out, time an argument.

The owner of the sockets tells it what happened, asks for the next batch, and carries out what
`take_outbox` returns. Nothing here waits, reads a clock or touches a socket.
"""

from collections.abc import Iterable
from typing import Any, Final

from attrs import define, frozen

from hypermm._core.scan import MALFORMED, NOT_MINE, Scanner
from hypermm.errors import WireError
from hypermm.hyperliquid import wire
from hypermm.hyperliquid.budget import NS_PER_SEC, Budget, Window
from hypermm.hyperliquid.channels import ASKS_MAX, Channel, subscriptions
from hypermm.hyperliquid.inbox import INBOX_PRIVATE, Inbox
from hypermm.hyperliquid.payloads import Subscribed, UserFills, decode_frame
from hypermm.hyperliquid.requests import Frame, Post, Requests, printable
from hypermm.hyperliquid.signing import Nonces, Signer
from hypermm.instrument import Instrument
from hypermm.messages import (
    Action,
    Batch,
    Connected,
    Disconnected,
    Fills,
    Level,
    Notice,
    PrivateEvent,
)

__all__ = ["Counters", "Frame", "Outgoing", "Post", "Reopen", "Session"]

PING_INTERVAL_NS: Final = 20 * NS_PER_SEC
LIMITS_INTERVAL_NS: Final = 60 * NS_PER_SEC  # between readings of the address's own count
MARKET_SILENCE_NS: Final = 5 * NS_PER_SEC  # without book, quote or trade: subscribe anew
SILENCE_NS: Final = 10 * NS_PER_SEC  # without any frame: the connection is dead
BAD_FRAMES_MAX: Final = 20  # in a minute
FRAME_BYTES_MAX: Final = 4 * 1024 * 1024
MARKET_FRAME_BYTES_MAX: Final = 256 * 1024  # more could hold more rows than the inbox does
NOTICES_MAX: Final = 64

PING: Final = b'{"method":"ping"}'
USER_STREAMS: Final = (b'{"channel":"userFills"', b'{"channel":"orderUpdates"')


@frozen
class Reopen:
    """Close the WebSocket, say `disconnected`, wait, and open it anew."""

    reason: str


Outgoing = Frame | Post | Reopen


@define
class Counters:
    """What happened on the connections so far, for telemetry."""

    frames: int = 0
    bad_frames: int = 0
    unknown_frames: int = 0
    error_frames: int = 0
    late_frames: int = 0  # on a connection that is given up
    connections: int = 0
    reopens: int = 0
    resubscriptions: int = 0


class Session:
    """One market and one account on one exchange.

    Parameters
    ----------
    instrument : Instrument
        The market.
    account : str
        Address of the account (not of the API wallet), `0x` and 40 hex digits.
    signer : Signer or None
        Signs the actions; None for a session that only reads.
    nonces : Nonces
        The one source of nonces of this signer.
    budget : Budget
        The exchange's limits.
    prefers_socket : bool
        Whether signed actions go over the WebSocket while it is open.
    vault : str or None
        Vault or sub-account that the signer acts for.
    """

    def __init__(
        self,
        instrument: Instrument,
        account: str,
        signer: Signer | None,
        nonces: Nonces,
        budget: Budget,
        *,
        prefers_socket: bool = True,
        vault: str | None = None,
    ) -> None:
        self.counters = Counters()
        self._instrument = instrument
        self._account = account.lower()
        self._budget = budget
        self._prefers_socket = prefers_socket
        self._inbox = Inbox()
        self._outbox: list[Outgoing] = []
        self._notices: list[Notice] = []
        self._scanner = Scanner(
            instrument.coin, instrument.price_decimals, instrument.size_decimals
        )
        self._channels = {
            wanted.name: Channel(wanted) for wanted in subscriptions(instrument.coin, self._account)
        }
        self._requests = Requests(
            instrument,
            self._account,
            signer,
            nonces,
            budget,
            vault=vault,
            tell=self._tell,
            queue=self._queue,
        )
        self._bad = Window(BAD_FRAMES_MAX)
        self._is_open = False
        self._is_listening = False  # open, and worth keeping
        self._is_ready = False
        self._is_settled = False  # no channel waits for anything
        self._is_trades_due = False  # the next trades are those re-sent on subscribing
        self._last_frame_ns = 0
        self._last_market_ns = 0
        self._ping_ns = 0
        self._limits_ns = 0

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._is_open

    @property
    def is_ready(self) -> bool:
        """Whether everything was acknowledged and seen on this connection."""
        return self._is_ready

    @property
    def requests(self) -> Requests:
        """The requests in flight and their counters."""
        return self._requests

    @property
    def conflated_rows(self) -> int:
        """Rows of older books that were dropped because nobody took them in time."""
        return self._inbox.conflated_rows

    @property
    def has_batch(self) -> bool:
        """Whether `take_batch` would return anything."""
        return not self._inbox.is_empty

    @property
    def deadline_ns(self) -> int | None:
        """When `tick` is due if nothing happens; None if there is nothing to wait for."""
        due = self._requests.deadline_ns
        if not self._is_listening:
            return due
        own = min(self._ping_ns, self._limits_ns, self._last_frame_ns + SILENCE_NS)
        if self._is_settled:
            own = min(own, self._last_market_ns + MARKET_SILENCE_NS)
        else:
            missing = (c.deadline_ns for c in self._channels.values() if not c.is_settled)
            own = min(own, *missing)
        return own if due is None else min(own, due)

    def take_batch(self) -> Batch:
        """Return what has arrived since the last call; the rows are valid until the next one."""
        return self._inbox.take()

    def take_outbox(self) -> list[Outgoing]:
        """Return what is to be written, in order."""
        outbox, self._outbox = self._outbox, []
        return outbox

    def take_notices(self) -> list[Notice]:
        """Return facts worth a log line."""
        notices, self._notices = self._notices, []
        return notices

    def connected(self, now_ns: int) -> None:
        """Take a new connection: subscribe everything and read the address's own count."""
        assert not self._is_open, "connected twice without a disconnect"
        self._is_open = self._is_listening = self._is_trades_due = True
        self._last_frame_ns = self._last_market_ns = now_ns
        self._ping_ns = now_ns + PING_INTERVAL_NS
        self._bad = Window(BAD_FRAMES_MAX)
        self.counters.connections += 1
        for channel in self._channels.values():
            self._ask(channel, now_ns)
        self._ask_limits(now_ns)

    def disconnected(self, reason: str, now_ns: int) -> None:  # noqa: ARG002 - as its siblings
        """Give up the connection: whatever was in flight is in doubt.

        A failed attempt to connect is no disconnect: without a connection nothing happens here.
        """
        if not self._is_open:
            return
        self._is_open = self._is_listening = self._is_ready = self._is_settled = False
        self._outbox = [item for item in self._outbox if isinstance(item, Post)]
        self._requests.lose_all("disconnected")
        for channel in self._channels.values():
            channel.drop()
        self._tell(Disconnected(printable(reason)))

    def receive(self, frame: bytes, now_ns: int) -> None:
        """Take one frame of the WebSocket."""
        if not self._is_listening:
            self.counters.late_frames += 1
            return
        self.counters.frames += 1
        self._last_frame_ns = now_ns
        size, inbox = len(frame), self._inbox
        if size > FRAME_BYTES_MAX:
            self._reject(f"a frame of {size} bytes", now_ns)
            return
        is_scanned = size <= MARKET_FRAME_BYTES_MAX
        if not inbox.has_room(size if is_scanned else MARKET_FRAME_BYTES_MAX):
            self._reopen(f"{len(inbox.rows)} rows of market data wait to be read")
            return
        count = NOT_MINE
        if is_scanned:
            count = self._scanner.scan(frame, inbox.rows, self._is_trades_due)
        if count >= 0:
            self._last_market_ns = now_ns
            if not self._is_settled or self._is_trades_due:
                self._see_market()
        elif count == MALFORMED:
            self._reject("a market frame breaks the exchange's form", now_ns)
        else:
            self._receive_other(frame, now_ns)

    def reply(self, post_id: int, status: int, body: bytes, now_ns: int) -> None:
        """Take the answer to an HTTP post; status 0 means that none came."""
        self._requests.reply(post_id, status, body, now_ns)

    def send(self, actions: Iterable[Action], now_ns: int, wall_ms: int) -> None:
        """Send actions, signed with the next nonces.

        What the budget does not allow comes back as `ActionDenied` or `ReadFailed` with the next
        batch, so look at `has_batch` afterwards.
        """
        by_socket = self._prefers_socket and self._is_listening
        self._requests.send(actions, now_ns, wall_ms, by_socket=by_socket)

    def tick(self, now_ns: int) -> None:
        """Do what is due: give up waiting, ask again, ping. Early and late calls do no harm."""
        self._requests.expire(now_ns)
        if not self._is_listening:
            return
        if now_ns >= self._last_frame_ns + SILENCE_NS:
            self._reopen(f"no frame in {SILENCE_NS // NS_PER_SEC} s")
            return
        due = [channel for channel in self._channels.values() if channel.is_overdue(now_ns)]
        if self._is_settled and now_ns >= self._last_market_ns + MARKET_SILENCE_NS:
            self._is_settled = False
            self._is_trades_due = True
            due = [c for c in self._channels.values() if c.subscription.is_market]
        for channel in due:
            if channel.asks >= ASKS_MAX:
                name, state = channel.subscription.name, channel.state.value
                self._reopen(f"subscription {name} was {state} and no more, {ASKS_MAX} times")
                return
            self.counters.resubscriptions += 1
            self._ask(channel, now_ns)
        if now_ns >= self._ping_ns:
            self._ping_ns = now_ns + PING_INTERVAL_NS
            self._write(PING, now_ns)
        if now_ns >= self._limits_ns:
            self._ask_limits(now_ns)

    def _write(self, text: bytes, now_ns: int) -> None:
        """Queue a frame that is no action."""
        self._budget.spend_message(now_ns)
        self._queue(Frame(text))

    def _ask(self, channel: Channel, now_ns: int) -> None:
        """Queue a subscription."""
        for text in channel.ask(now_ns):
            self._write(text, now_ns)

    def _ask_limits(self, now_ns: int) -> None:
        """Queue a reading of the address's own count."""
        self._limits_ns = now_ns + LIMITS_INTERVAL_NS
        self._requests.ask_limits(now_ns)

    def _reopen(self, reason: str) -> None:
        """Ask the owner, once, for another connection; this one is not listened to any more."""
        if self._is_listening:
            self._is_listening = False
            self.counters.reopens += 1
            self._queue(Reopen(printable(reason)))

    def _receive_other(self, frame: bytes, now_ns: int) -> None:
        """Take a frame that the scanner leaves to the general decoder."""
        try:
            decoded = decode_frame(frame)
            self._dispatch(decoded.channel, decoded.data, now_ns)
        except WireError as error:
            self._reject(str(error), now_ns)
            if frame.startswith(USER_STREAMS):
                # What it said is lost, and only a new connection repeats it.
                self._reopen("an event of the account could not be read")

    def _dispatch(self, channel: str, data: Any, now_ns: int) -> None:
        """Hand over what a frame carries."""
        match channel:
            case "post":
                self._requests.receive(data.id, data.response.type, data.response.payload, now_ns)
            case "orderUpdates":
                for update in wire.order_updates(data, self._instrument):
                    self._tell(update)
                self._see(channel)
            case "userFills":
                self._receive_fills(data)
            case "userFundings":
                if data.user.lower() == self._account:
                    for funding in wire.user_fundings(data, self._instrument):
                        self._tell(funding)
                    self._see(channel)
            case "activeAssetCtx":
                if wire.context_rows(data, self._instrument, self._inbox.rows):
                    self._see(channel)
            case "subscriptionResponse":
                self._receive_acknowledgement(data, now_ns)
            case "error":
                self.counters.error_frames += 1
                self._note("Exchange error frame", text=printable(data))
            case "pong" | "greeting":
                pass
            case _:
                self.counters.unknown_frames += 1

    def _receive_fills(self, data: UserFills) -> None:
        """Take fills; those of the snapshot come as one event, which a ledger can compare."""
        if data.user.lower() != self._account:
            self.counters.unknown_frames += 1
            return
        fills = wire.user_fills(data, self._instrument)
        if data.isSnapshot:
            self._tell(Fills(0, fills))
            self._see("userFills")
            return
        for fill in fills:
            self._budget.add_volume(self._instrument.notional_usd(fill.price, fill.size))
            self._tell(fill)
        self._requests.tell_budget()

    def _receive_acknowledgement(self, data: Subscribed, now_ns: int) -> None:
        """Take the answer to a subscription."""
        if data.method == "subscribe":
            for channel in self._channels.values():
                if channel.subscription.is_acknowledged_by(data.subscription):
                    channel.acknowledge(now_ns)
            self._settle()

    def _see_market(self) -> None:
        """Note the channel of the market frame that was scanned last."""
        name = self._scanner.channel
        if name == "trades":
            self._is_trades_due = False
        self._see("l2Book.fast" if self._scanner.is_top else name)

    def _see(self, name: str) -> None:
        """Note data of a channel."""
        if not self._is_settled:
            self._channels[name].see()
            self._settle()

    def _settle(self) -> None:
        """Say once per connection that everything is there."""
        self._is_settled = all(channel.is_settled for channel in self._channels.values())
        if self._is_settled:
            for channel in self._channels.values():
                channel.settle()
        if self._is_settled and not self._is_ready:
            self._is_ready = True
            self._tell(Connected())

    def _reject(self, reason: str, now_ns: int) -> None:
        """Count a frame that breaks the contract; too many end the connection."""
        self.counters.bad_frames += 1
        self._note("Bad frame dropped", reason=printable(reason))
        self._bad.spend(1, now_ns)
        if self._bad.spent(now_ns) >= BAD_FRAMES_MAX:
            self._reopen(f"{BAD_FRAMES_MAX} bad frames in a minute")

    def _queue(self, item: Outgoing) -> None:
        """Let the owner write something."""
        self._outbox.append(item)

    def _tell(self, event: PrivateEvent) -> None:
        """Hand an event to the engine; a pile that nobody takes ends the connection."""
        self._inbox.private.append(event)
        if len(self._inbox.private) > INBOX_PRIVATE:
            self._reopen(f"{len(self._inbox.private)} private events wait to be read")

    def _note(self, event: str, **fields: Any) -> None:
        """Keep a fact for the log; in a flood the counters tell the rest."""
        if len(self._notices) < NOTICES_MAX:
            self._notices.append(Notice(Level.WARN, event, fields))
