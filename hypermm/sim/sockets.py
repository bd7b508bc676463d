"""One socket of the server: a frame is encoded once and written as it is to all its readers.

Writing never waits. What a reader has not taken stands in his own transport; one who is too far
behind is cut, so that he delays nobody and holds no memory.
"""

import asyncio
import contextlib
from typing import TYPE_CHECKING

from aiohttp import WSCloseCode, web

from hypermm.sim.limits import Limits
from hypermm.sim.subscriptions import Subscription

if TYPE_CHECKING:
    from hypermm.sim.limits import Usage

GOODBYE_SECS = 1.0
TEXT_FRAME = 0x81  # the last fragment of a text


def framed(text: str) -> bytes:
    """Return a text as the server's unmasked WebSocket frame (RFC 6455, 5.2)."""
    data = text.encode()
    size = len(data)
    if size < 126:
        return bytes((TEXT_FRAME, size)) + data
    if size < 1 << 16:
        return bytes((TEXT_FRAME, 126)) + size.to_bytes(2, "big") + data
    return bytes((TEXT_FRAME, 127)) + size.to_bytes(8, "big") + data


class Connection:
    """One socket.

    Parameters
    ----------
    socket : aiohttp.web.WebSocketResponse
        Prepared.
    transport : asyncio.Transport
        Beneath it.
    ip : str
        Whose it is.
    usage : Usage
        What that address uses.
    limits : Limits
        `idle_secs` and `bytes_queued` hold here.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport,
        ip: str,
        usage: "Usage",
        limits: Limits,
    ) -> None:
        self.socket = socket
        self.ip = ip
        self.usage = usage
        self.subscriptions: set[Subscription] = set()
        self.posts: set[asyncio.Task[None]] = set()
        self.frames = 0  # sent
        self.is_cut = False
        self.is_half_open = False
        self._limits = limits
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._sent_secs = self._loop.time()
        self._closing: asyncio.Task[None] | None = None
        self._idle = self._loop.call_later(limits.idle_secs, self._check_idle)

    @property
    def queued_bytes(self) -> int:
        """What the reader is behind."""
        return self._transport.get_write_buffer_size()

    def send(self, text: str) -> None:
        """Write a text."""
        self.write(framed(text))

    def write(self, frame: bytes) -> None:
        """Write a frame; a reader that is too far behind is cut."""
        if self.is_cut or self.is_half_open or self.socket.closed or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() + len(frame) > self._limits.bytes_queued:
            self.cut()
            return
        self._transport.write(frame)
        self._sent_secs = self._loop.time()
        self.frames += 1

    def cut(self) -> None:
        """Drop the connection without a word, with all that is still to be written."""
        self.end()
        self._transport.abort()

    def go_half_open(self) -> None:
        """Neither read nor write any more, as if the other machine had lost its power."""
        if not (self.is_cut or self.is_half_open or self._transport.is_closing()):
            self.is_half_open = True
            self._transport.pause_reading()

    def end_post(self, post: asyncio.Task[None]) -> None:
        """Forget a post that was answered or given up."""
        self.posts.discard(post)
        self.usage.posts -= 1

    def end(self) -> None:
        """Stop writing."""
        self.is_cut = True
        self._idle.cancel()

    async def say_goodbye(self, message: bytes = b"") -> None:
        """Close in order; one who does not answer is cut."""
        if not self.is_half_open:
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(GOODBYE_SECS):
                    await self.socket.close(code=WSCloseCode.GOING_AWAY, message=message)
        self.cut()

    def _check_idle(self) -> None:
        left_secs = self._sent_secs + self._limits.idle_secs - self._loop.time()
        if left_secs > 0.0:
            self._idle = self._loop.call_later(left_secs, self._check_idle)
        elif not self.is_half_open:
            self._closing = self._loop.create_task(self.say_goodbye(b"Inactive"))
