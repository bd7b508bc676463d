"""Sockets of the server: what each has subscribed, who reads what, the limits of an address."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import WSMsgType, web

from hypermm.errors import WireError
from hypermm.sim.exchange import Block, Exchange
from hypermm.sim.feeds import Feeds, frame
from hypermm.sim.holding import Holding
from hypermm.sim.json_text import RepeatedFieldError, dumps, loads
from hypermm.sim.limits import Limits, Usage
from hypermm.sim.on_demand import Faults
from hypermm.sim.sockets import Connection, framed
from hypermm.sim.subscriptions import Subscription, read_subscription

PONG = '{"channel":"pong"}'
MESSAGE_BYTES_MAX = 1 << 20
ECHO_MAX = 4_096  # characters of an unreadable message that the error repeats
Post = Callable[[str, str, Any], Coroutine[Any, Any, dict[str, Any] | None]]


class Hub:
    """All sockets, and who reads what.

    Parameters
    ----------
    exchange : Exchange
        Whose feeds are served.
    limits : Limits
        Of each IP address.
    usage : function of an IP address
        Returns what it uses.
    post : coroutine function of (ip, type, payload)
        Answers a post, with None for no answer at all; raises WireError if it cannot be read.
    faults : Faults
        Those that strike frames and sockets.
    """

    def __init__(
        self,
        exchange: Exchange,
        limits: Limits,
        usage: Callable[[str], Usage],
        post: Post,
        faults: Faults,
    ) -> None:
        self._exchange = exchange
        self._feeds = Feeds(exchange)
        self._greeting = exchange.rules.greeting
        self._limits = limits
        self._usage = usage
        self._post = post
        self._faults = faults
        self._holding = Holding(faults)
        self.connections: set[Connection] = set()
        self._readers: dict[Subscription, set[Connection]] = {}
        self._topics: dict[tuple[str, str], list[Subscription]] = {}

    # Out

    def publish(self, block: Block) -> None:
        """Send the frames of a block to their readers."""
        for subscription, text in self._feeds.block_frames(block, self._topics):
            self._send(subscription, text)

    def push_slow(self) -> None:
        """Send the channels that are pushed whole when they are due, and what was held back."""
        for subscription, text in self._feeds.slow_frames():
            self._send(subscription, text)
        for subscription, held in self._holding.release(self._exchange.right_ms):
            self._write(subscription, held)

    def _send(self, subscription: Subscription, text: str) -> None:
        once = framed(text)
        if not self._faults.on:
            self._write(subscription, once)
            return
        for reached, passed in self._holding.pass_on(subscription, once, self._exchange.right_ms):
            self._write(reached, passed)

    def _write(self, subscription: Subscription, once: bytes) -> None:
        for connection in self._readers.get(subscription, ()):
            connection.write(once)

    @property
    def is_empty(self) -> bool:
        """Whether no socket is open."""
        return not self.connections

    def cut_all(self) -> int:
        """Reset every socket; return how many."""
        connections = list(self.connections)
        for connection in connections:
            connection.cut()
        return len(connections)

    def go_half_open(self) -> int:
        """Let every socket be open on its reader's side only; return how many."""
        for connection in self.connections:
            connection.go_half_open()
        return len(self.connections)

    def cut_half_open(self) -> None:
        """Reset those that are half open."""
        for connection in list(self.connections):
            if connection.is_half_open:
                connection.cut()

    async def close(self) -> None:
        """Say goodbye to everybody."""
        await asyncio.gather(*(each.say_goodbye() for each in self.connections))

    # In

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Hold one socket from its opening to its end."""
        ip = request.remote or ""
        if any(fault.kind == "disconnect" for fault in self._faults.on):
            return web.Response(status=502)
        usage, now_secs = self._usage(ip), self._now_secs
        if (
            usage.connections >= self._limits.connections
            or usage.connects.read(now_secs) >= self._limits.connects_per_minute
        ):
            return web.Response(status=429, text="null", content_type="application/json")
        usage.connects.add(now_secs, 1)
        usage.connections += 1
        connection = None
        try:
            # No compression: a frame is written as it is to everybody.
            socket = web.WebSocketResponse(compress=False, max_msg_size=MESSAGE_BYTES_MAX)
            await socket.prepare(request)
            transport = request.transport
            if transport is None:  # gone already
                return socket
            connection = Connection(socket, transport, ip, usage, self._limits)
            self.connections.add(connection)
            if self._greeting:
                connection.send(self._greeting)
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._receive(connection, message.data)
                elif message.type is WSMsgType.BINARY:
                    self._receive(connection, message.data.decode("utf-8", "replace"))
            return socket
        finally:
            usage.connections -= 1
            if connection is not None:
                self._forget(connection)

    @property
    def _now_secs(self) -> float:
        return self._exchange.now_ms / 1_000.0

    def _forget(self, connection: Connection) -> None:
        self.connections.discard(connection)
        for subscription in list(connection.subscriptions):
            self._drop(connection, subscription)
        connection.end()
        for post in connection.posts:
            post.cancel()

    def _receive(self, connection: Connection, text: str) -> None:
        if connection.is_half_open or connection.is_cut:
            return
        now_secs, messages = self._now_secs, connection.usage.messages
        messages.add(now_secs, 1)
        if messages.read(now_secs) > self._limits.messages_per_minute:
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
        usage, user, most = connection.usage, subscription.user, self._limits.users
        if user is not None and user not in usage.users and len(usage.users) >= most:
            connection.send(frame("error", f"Cannot track more than {most} total users."))
            return
        if usage.subscriptions >= self._limits.subscriptions or not self._feeds.is_valid(
            subscription
        ):
            connection.send(frame("error", f"Invalid subscription {text}"))
            return
        connection.subscriptions.add(subscription)
        usage.subscriptions += 1
        if user is not None:
            usage.users[user] += 1
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
        usage = connection.usage
        usage.subscriptions -= 1
        if subscription.user is not None:
            usage.users[subscription.user] -= 1
            usage.users += Counter()  # drops those of whom nothing is left
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
        if connection.usage.posts >= self._limits.posts:
            connection.send(frame("error", f"too many pending post requests id={number}"))
            return
        connection.usage.posts += 1
        answering = self._answer_post(connection, number, kind, request.get("payload"), text)
        task = asyncio.create_task(answering)
        connection.posts.add(task)
        task.add_done_callback(connection.end_post)

    async def _answer_post(
        self, connection: Connection, number: int, kind: str, payload: Any, text: str
    ) -> None:
        try:
            response = await self._post(connection.ip, kind, payload)
        except WireError:
            connection.send(_unreadable(text))
        else:
            if response is not None:
                connection.send(frame("post", {"id": number, "response": response}))


def _acknowledgement(method: str, subscription: Subscription) -> str:
    data = f'{{"method":{dumps(method)},"subscription":{subscription.text}}}'
    return f'{{"channel":"subscriptionResponse","data":{data}}}'


def _unreadable(text: str) -> str:
    shown = text[:ECHO_MAX]
    return frame("error", f"Error parsing JSON into valid websocket request: {shown}")
