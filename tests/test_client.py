"""The sockets, against a small server on loopback that can misbehave."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from hypermm.errors import ConfigError, UnreachableError
from hypermm.hyperliquid.client import (
    MAX_BODY_BYTES,
    NETWORKS,
    NO_ANSWER,
    Client,
    base_url,
    is_mainnet,
)

Handler = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]


@contextlib.asynccontextmanager
async def serving(**handlers: Handler) -> AsyncIterator[str]:
    """Serve each handler at the path of its name; the value is the server's address."""
    app = web.Application()
    for name, handler in handlers.items():
        app.router.add_route("*", f"/{name}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def client_of(url: str, **options: float) -> AsyncIterator[Client]:
    client = Client(url, **options)
    try:
        yield client
    finally:
        await client.close()


def speak(*frames: bytes, code: int | None = None) -> Handler:
    """Serve a WebSocket that sends frames, closes with a code or echoes until it is closed."""

    async def handler(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(max_msg_size=0)
        await ws.prepare(request)
        for frame in frames:
            await ws.send_frame(frame, aiohttp.WSMsgType.TEXT)
        if code is not None:
            await ws.close(code=code)
            return ws
        async for message in ws:
            await ws.send_str(f"echo {message.type.name} {message.data}")
        return ws

    return handler


def answer(body: bytes, status: int = 200) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=body, status=status)

    return handler


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        *NETWORKS.items(),
        ("http://127.0.0.1:3001", "http://127.0.0.1:3001"),
        ("http://127.0.0.1:3001/", "http://127.0.0.1:3001"),
        ("https://[::1]:8443", "https://[::1]:8443"),
    ],
)
def test_a_network_is_a_name_or_an_address(given, expected):
    """One connection code for mainnet, testnet, localhost and an exchange of one's own."""
    assert base_url(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        "",
        "mainet",
        "ws://host",
        "http://",
        "http://host:99999",
        "http://host/path",
        "http://a@b",
        "http://host?x=1",
        "ftp://host",
        "http://[::1",
    ],
)
def test_anything_else_is_a_configuration_error(given):
    """A misspelt network must not end as a strange connection error."""
    with pytest.raises(ConfigError, match="network"):
        base_url(given)


def test_only_the_exact_mainnet_address_signs_for_mainnet():
    """As the official SDK decides it: a local exchange gets test signatures."""
    assert is_mainnet(NETWORKS["mainnet"])
    assert not any(is_mainnet(NETWORKS[name]) for name in ("testnet", "localhost"))
    assert not is_mainnet("https://api.hyperliquid.xyz:443")


def test_frames_go_both_ways_as_text():
    """The exchange speaks text frames; inside they are bytes."""

    async def scenario() -> list[bytes | None]:
        async with serving(ws=speak(b"one", b"two")) as url, client_of(url) as client:
            await client.open()
            assert await client.send(b'{"method":"ping"}')
            return [await client.receive() for _ in range(3)]

    assert asyncio.run(scenario()) == [b"one", b"two", b'echo TEXT {"method":"ping"}']


def test_md04_a_close_ends_reading_and_says_why():
    """MD-04: the owner gets the reason for its log, and writing says that nothing was written."""

    async def scenario() -> tuple[bytes | None, str, bool]:
        async with serving(ws=speak(code=1012)) as url, client_of(url) as client:
            await client.open()
            frame = await client.receive()
            return frame, client.close_reason, await client.send(b"{}")

    assert asyncio.run(scenario()) == (None, "closed with code 1012", False)


def test_md04_a_reset_ends_reading():
    """MD-04: a connection that is cut without a close."""

    async def cut(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        assert request.transport is not None
        request.transport.abort()
        return ws

    async def scenario() -> tuple[bytes | None, bool]:
        async with serving(ws=cut) as url, client_of(url) as client:
            await client.open()
            return await client.receive(), client.is_open

    assert asyncio.run(scenario()) == (None, False)


def test_md04_the_same_client_opens_again():
    """MD-04: after a cut the owner opens anew; the old socket is closed."""

    async def scenario() -> list[bytes | None]:
        async with serving(ws=speak(b"hello", code=1000)) as url, client_of(url) as client:
            frames = []
            for _ in range(3):
                await client.open()
                frames += [await client.receive(), await client.receive()]
            return frames

    assert asyncio.run(scenario()) == [b"hello", None] * 3


def test_closing_wakes_a_reader_that_waits():
    """The owner reopens a silent connection while its reader hangs on it."""

    async def scenario() -> tuple[list[bytes | None], str]:
        async with serving(ws=speak()) as url, client_of(url) as client:
            await client.open()
            reader = asyncio.ensure_future(client.receive())
            await asyncio.sleep(0)
            await client.close_socket()
            frames = [await asyncio.wait_for(reader, 5.0), await client.receive()]
            return frames, client.close_reason

    frames, reason = asyncio.run(scenario())
    assert frames == [None, None]
    assert reason


def test_hi01_a_frame_beyond_the_cap_ends_the_connection():
    """HI-01: 4 MiB is far above any honest frame; memory stays bounded."""

    async def scenario() -> tuple[bytes | None, str]:
        frame = b"x" * (MAX_BODY_BYTES + 1)
        async with serving(ws=speak(frame)) as url, client_of(url) as client:
            await client.open()
            return await client.receive(), client.close_reason

    frame, reason = asyncio.run(scenario())
    assert frame is None
    assert reason


@pytest.mark.parametrize("status", [200, 400, 422, 429, 500, 502])
def test_a_post_returns_what_the_server_said(status):
    """What a status means is the session's business."""

    async def scenario() -> tuple[int, bytes]:
        async with serving(info=answer(b"null", status)) as url, client_of(url) as client:
            return await client.post("/info", b"{}")

    assert asyncio.run(scenario()) == (status, b"null")


def test_a_post_is_json_and_asks_for_plain_bytes():
    """A compressed answer could unpack beyond the cap, and costs time."""

    async def echo(request: web.Request) -> web.Response:
        kinds = (request.content_type, request.headers["Accept-Encoding"])
        return web.Response(text=f"{kinds} {await request.text()}")

    async def scenario() -> tuple[int, bytes]:
        async with serving(exchange=echo) as url, client_of(url) as client:
            return await client.post("/exchange", b'{"a":1}')

    assert asyncio.run(scenario()) == (200, b"""('application/json', 'identity') {"a":1}""")


def test_hi01_an_answer_beyond_the_cap_is_none():
    """HI-01: the cap holds for bodies too, whatever their headers say."""

    async def scenario() -> tuple[int, bytes]:
        body = b"x" * (MAX_BODY_BYTES + 1)
        async with serving(info=answer(body)) as url, client_of(url) as client:
            return await client.post("/info", b"{}")

    assert asyncio.run(scenario()) == NO_ANSWER


def test_hi08_a_signed_body_follows_no_redirect():
    """HI-08: a signature that another host holds can be used there."""
    hits = []

    async def elsewhere(request: web.Request) -> web.Response:
        hits.append(request.path)
        return web.Response(body=b"{}")

    async def redirect(request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("/elsewhere")

    async def scenario() -> tuple[int, bytes]:
        async with (
            serving(exchange=redirect, ws=redirect, elsewhere=elsewhere) as url,
            client_of(url) as client,
        ):
            with pytest.raises(UnreachableError, match="redirects"):
                await client.open()
            return await client.post("/exchange", b"{}")

    assert asyncio.run(scenario()) == NO_ANSWER
    assert hits == []


def test_hi08_a_proxy_of_the_environment_is_not_used(monkeypatch):
    """HI-08: orders do not go through whatever HTTP_PROXY names."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")

    async def scenario() -> tuple[int, bytes]:
        async with serving(ws=speak(), info=answer(b"1")) as url, client_of(url) as client:
            await client.open()
            return await client.post("/info", b"{}")

    assert asyncio.run(scenario()) == (200, b"1")


def test_op01_a_server_that_never_answers_gives_no_answer():
    """OP-01: the caller hears after the timeout, and not before its name is cleared."""

    async def scenario() -> tuple[int, bytes]:
        held = asyncio.Event()

        async def hang(request: web.Request) -> web.Response:
            await held.wait()
            return web.Response()

        async with (
            serving(exchange=hang) as url,
            client_of(url, post_timeout_secs=0.05) as client,
        ):
            outcome = await client.post("/exchange", b"{}")
            held.set()
            return outcome

    assert asyncio.run(scenario()) == NO_ANSWER


def test_op01_a_connection_cut_before_the_answer_gives_no_answer():
    """OP-01: whether the action took effect is open."""

    async def cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def scenario() -> tuple[int, bytes]:
        async with serving(exchange=cut) as url, client_of(url) as client:
            return await client.post("/exchange", b"{}")

    assert asyncio.run(scenario()) == NO_ANSWER


def test_when_nothing_listens_the_error_names_the_address():
    """The operator must see at once which address was tried."""
    url = f"http://127.0.0.1:{unused_port()}"

    async def scenario() -> tuple[int, bytes]:
        async with client_of(url) as client:
            with pytest.raises(UnreachableError, match=url.removeprefix("http://")):
                await client.open()
            assert await client.receive() is None
            return await client.post("/info", b"{}")

    assert asyncio.run(scenario()) == NO_ANSWER


@pytest.mark.parametrize("status", [200, 404, 502])
def test_a_server_that_is_no_exchange_is_unreachable(status):
    """Some other program on the port: the handshake says so."""

    async def scenario() -> None:
        async with serving(ws=answer(b"hello", status)) as url, client_of(url) as client:
            with pytest.raises(UnreachableError, match=str(status)):
                await client.open()

    asyncio.run(scenario())
