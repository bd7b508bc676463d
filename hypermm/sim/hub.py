"""Sockets of the server: what each has subscribed, its queue, its limits.

A connection has its own bounded queue and writer, so that one who reads slowly delays nobody; when
the queue is full the connection is cut.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from hypermm.errors import WireError
from hypermm.sim.exchange import Block, Exchange
from hypermm.sim.feeds import Feeds, frame
from hypermm.sim.json_text import RepeatedFieldError, dumps, loads
from hypermm.sim.limits import Limits, Meter
from hypermm.sim.subscriptions import Subscription, read_subscription

GOODBYE_SECS = 1.0
PONG = '{"channel":"pong"}'
Post = Callable[[str, str, Any], Coroutine[Any, Any, dict[str, Any]]]


class Connection:
    """One socket."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport | None,
        ip: str,
        limits: Limits,
    ) -> None:
        self.socket = socket
        self._limits = limits
        self._transport = transport
        self.ip = ip
        self.subscriptions: set[Subscription] = set()
        self.posts: set[asyncio.Task[None]] = set()
        self.is_cut = False
        self._frames: deque[str] = deque()
        self._wake = asyncio.Event()

    def send(self, text: str) -> None:
        """Queue a frame; a reader that is too far behind is cut."""
        if self.is_cut:
            return
        if len(self._frames) >= self._limits.frames_queued:
            self.cut()
            return
        self._frames.append(text)
        self._wake.set()

    def cut(self) -> None:
        """Drop the connection without a word, with all that is still to be written."""
        if self._transport is not None:
            self._transport.abort()
        self.end()

    def end(self) -> None:
        """Forget what is queued and stop writing."""
        self.is_cut = True
        self._frames.clear()
        self._wake.set()

    async def write(self) -> None:
        """Write what is queued; end when the connection is cut or idle for too long."""
        while not self.is_cut:
            try:
                async with asyncio.timeout(self._limits.idle_secs):
                    await self._wake.wait()
            except TimeoutError:
                await self.socket.close(code=WSCloseCode.GOING_AWAY, message=b"Inactive")
                return
            self._wake.clear()
            while self._frames:
                await self.socket.send_str(self._frames.popleft())


class Hub:
    """All sockets, and who reads what.

    Parameters
    ----------
    exchange : Exchange
        Whose feeds are served.
    limits : Limits
        Of each IP address.
    post : coroutine function of (ip, type, payload)
        Answers a post; raises WireError if it cannot be read.
    """

    def __init__(self, exchange: Exchange, limits: Limits, post: Post) -> None:
        self._feeds = Feeds(exchange)
        self._greeting = exchange.rules.greeting
        self._limits = limits
        self._post = post
        self._connections: set[Connection] = set()
        self._readers: dict[Subscription, set[Connection]] = {}
        self._topics: dict[tuple[str, str], list[Subscription]] = {}
        self._messages: dict[str, Meter] = {}

    # Out

    def publish(self, block: Block) -> None:
        """Send the frames of a block to their readers."""
        for subscription, text in self._feeds.block_frames(block, self._topics):
            self._send(subscription, text)

    def push_slow(self) -> None:
        """Send the channels that are pushed whole when they are due."""
        for subscription, text in self._feeds.slow_frames():
            self._send(subscription, text)

    def _send(self, subscription: Subscription, text: str) -> None:
        for connection in self._readers[subscription]:
            connection.send(text)

    @property
    def is_empty(self) -> bool:
        """Whether no socket is open."""
        return not self._connections

    async def close(self) -> None:
        """Say goodbye to everybody."""
        await asyncio.gather(*(_say_goodbye(connection) for connection in self._connections))

    # In

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Hold one socket from its opening to its end."""
        ip = request.remote or ""
        mine = [connection for connection in self._connections if connection.ip == ip]
        if len(mine) >= self._limits.connections:
            return web.Response(status=429, text="null", content_type="application/json")
        socket = web.WebSocketResponse(compress=False, autoping=True)
        await socket.prepare(request)
        connection = Connection(socket, request.transport, ip, self._limits)
        self._connections.add(connection)
        if self._greeting:
            connection.send(self._greeting)
        writer = asyncio.create_task(self._write(connection))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._receive(connection, message.data)
                elif message.type is WSMsgType.BINARY:
                    self._receive(connection, message.data.decode("utf-8", "replace"))
        finally:
            self._connections.discard(connection)
            for subscription in list(connection.subscriptions):
                self._drop(connection, subscription)
            connection.end()
            writer.cancel()
            for post in connection.posts:
                post.cancel()
        return socket

    @staticmethod
    async def _write(connection: Connection) -> None:
        with contextlib.suppress(ConnectionError):  # the reader's side ends the connection
            await connection.write()

    def _receive(self, connection: Connection, text: str) -> None:
        now_secs = asyncio.get_running_loop().time()
        meter = self._messages.setdefault(connection.ip, Meter())
        meter.add(now_secs, 1)
        if meter.read(now_secs) > self._limits.messages_per_minute:
            connection.cut()
            return
        try:
            message = loads(text)
            if not isinstance(message, dict):
                raise WireError("not an object")
            match message.get("method"):
                case "ping":
                    connection.send(PONG)
                case "subscribe":
                    self._subscribe(connection, read_subscription(message.get("subscription")))
                case "unsubscribe":
                    self._unsubscribe(connection, read_subscription(message.get("subscription")))
                case "post":
                    self._start_post(connection, message, text)
                case _:
                    raise WireError("unknown method")
        except (ValueError, RepeatedFieldError, WireError):
            connection.send(_unreadable(text))

    def _subscribe(self, connection: Connection, subscription: Subscription) -> None:
        text = subscription.text
        if subscription in connection.subscriptions:
            connection.send(frame("error", f"Already subscribed: {text}"))
            return
        mine = [other for other in self._connections if other.ip == connection.ip]
        users = {s.user for other in mine for s in other.subscriptions} | {subscription.user}
        count = sum(len(other.subscriptions) for other in mine)
        if len(users - {None}) > self._limits.users:
            most = self._limits.users
            connection.send(frame("error", f"Cannot track more than {most} total users."))
            return
        if count >= self._limits.subscriptions or not self._feeds.is_valid(subscription):
            connection.send(frame("error", f"Invalid subscription {text}"))
            return
        connection.subscriptions.add(subscription)
        readers = self._readers.setdefault(subscription, set())
        if not readers:
            self._topics.setdefault(subscription.topic, []).append(subscription)
            self._feeds.watch(subscription)
        readers.add(connection)
        connection.send(_acknowledgement("subscribe", subscription))
        first = self._feeds.first_frame(subscription)
        if first is not None:
            connection.send(first)

    def _unsubscribe(self, connection: Connection, subscription: Subscription) -> None:
        if subscription not in connection.subscriptions:
            connection.send(frame("error", f"Already unsubscribed: {subscription.text}"))
            return
        self._drop(connection, subscription)
        connection.send(_acknowledgement("unsubscribe", subscription))

    def _drop(self, connection: Connection, subscription: Subscription) -> None:
        connection.subscriptions.discard(subscription)
        readers = self._readers[subscription]
        readers.discard(connection)
        if not readers:
            del self._readers[subscription]
            self._feeds.forget(subscription)
            same_topic = self._topics[subscription.topic]
            same_topic.remove(subscription)
            if not same_topic:
                del self._topics[subscription.topic]

    # Posts

    def _start_post(self, connection: Connection, message: dict[str, Any], text: str) -> None:
        number, request = message.get("id"), message.get("request")
        if not isinstance(number, int) or isinstance(number, bool) or not isinstance(request, dict):
            raise WireError("not a post")
        kind = request.get("type")
        if not isinstance(kind, str) or kind not in {"info", "action"}:
            raise WireError("unknown post type")
        pending = sum(len(c.posts) for c in self._connections if c.ip == connection.ip)
        if pending >= self._limits.posts:
            connection.send(frame("error", f"too many pending post requests id={number}"))
            return
        answering = self._answer_post(connection, number, kind, request.get("payload"), text)
        task = asyncio.create_task(answering)
        connection.posts.add(task)
        task.add_done_callback(connection.posts.discard)

    async def _answer_post(
        self, connection: Connection, number: int, kind: str, payload: Any, text: str
    ) -> None:
        try:
            response = await self._post(connection.ip, kind, payload)
        except WireError:
            connection.send(_unreadable(text))
        else:
            connection.send(frame("post", {"id": number, "response": response}))


async def _say_goodbye(connection: Connection) -> None:
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(GOODBYE_SECS):
            await connection.socket.close(code=WSCloseCode.GOING_AWAY)
    connection.end()


def _acknowledgement(method: str, subscription: Subscription) -> str:
    data = f'{{"method":{dumps(method)},"subscription":{subscription.text}}}'
    return f'{{"channel":"subscriptionResponse","data":{data}}}'


def _unreadable(text: str) -> str:
    return frame("error", f"Error parsing JSON into valid websocket request: {text}")
