"""The sockets to the exchange: one WebSocket, and HTTP posts. It reads, writes and decides nothing.

The host is pinned: no redirect is followed, no proxy of the environment is used, certificates are
always checked. Compression is off both ways, because it costs latency, and so that the size cap of
an answer is the cap of what lies in memory.
"""

import asyncio
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from hypermm.errors import ConfigError, UnreachableError

NETWORKS: Final = {
    "mainnet": "https://api.hyperliquid.xyz",
    "testnet": "https://api.hyperliquid-testnet.xyz",
    "localhost": "http://localhost:3001",
}

OPEN_TIMEOUT_SECS: Final = 5.0
POST_TIMEOUT_SECS: Final = 5.0
CLOSE_TIMEOUT_SECS: Final = 0.25  # a dead peer must not hold up what is written after it
KEEPALIVE_SECS: Final = 60.0
MAX_BODY_BYTES: Final = 4 * 1024 * 1024  # of an answer and of a frame
MAX_CONNECTIONS: Final = 20
NO_ANSWER: Final = (0, b"")

_HEADERS: Final = {"Content-Type": "application/json", "Accept-Encoding": "identity"}


class RedirectError(aiohttp.ClientError):
    """The host sent us elsewhere; signed bytes do not go there."""


def base_url(network: str) -> str:
    """Return the address of a named network, or check and return an address given in full.

    Raises
    ------
    ConfigError
        If it is neither a known name nor `http(s)://host[:port]`.
    """
    if network in NETWORKS:
        return NETWORKS[network]
    try:
        parts = urlsplit(network)
        _ = parts.port  # raises for a port that is none
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_usable = False
    if not is_usable or parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise ConfigError(
            f"network {network[:100]!r} is neither one of {', '.join(NETWORKS)} nor http(s)://host[:port]",
            hint="for an exchange of your own give its address, such as http://127.0.0.1:3001",
        )
    return network.rstrip("/")


def is_mainnet(url: str) -> bool:
    """Whether actions for this address are signed for mainnet, as the official SDK decides it."""
    return url == NETWORKS["mainnet"]


class Client:
    """The connection to one exchange.

    Parameters
    ----------
    url : str
        `http(s)://host[:port]`, from `base_url`.
    post_timeout_secs : float
        How long an HTTP post waits for its whole answer.
    """

    def __init__(self, url: str, *, post_timeout_secs: float = POST_TIMEOUT_SECS) -> None:
        self.url = base_url(url)
        self.close_reason = "not opened"
        self._socket_url = f"ws{self.url.removeprefix('http')}/ws"
        self._post_timeout = aiohttp.ClientTimeout(total=post_timeout_secs)
        self._http: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse[Any] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the WebSocket can be written to."""
        return self._socket is not None and not self._socket.closed

    async def open(self) -> None:
        """Open the WebSocket anew; HTTP connections are kept.

        Raises
        ------
        UnreachableError
            If nothing listens there, name or certificate is wrong, or it speaks no WebSocket.
        """
        await self.close_socket()
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_SECS):
                self._socket = await self._session().ws_connect(
                    self._socket_url,
                    timeout=aiohttp.ClientWSTimeout(ws_receive=None, ws_close=CLOSE_TIMEOUT_SECS),
                    compress=0,
                    max_msg_size=MAX_BODY_BYTES,
                    decode_text=False,
                )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self.close_reason = _text(error)
            raise UnreachableError(
                f"no WebSocket at {self._socket_url}: {self.close_reason}",
                hint="check the network's name or address, and that the exchange runs",
            ) from error
        self.close_reason = ""

    async def receive(self) -> bytes | None:
        """Wait for the next frame; None when the connection is gone, `close_reason` says why.

        Frames that have already arrived are returned without a turn of the event loop.
        """
        socket = self._socket
        if socket is None:
            return None
        message = await socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT or message.type is aiohttp.WSMsgType.BINARY:
            data: bytes = message.data
            return data
        self.close_reason = (
            _text(message.data)
            if message.type is aiohttp.WSMsgType.ERROR
            else f"closed with code {socket.close_code}"
        )
        return None

    async def send(self, frame: bytes) -> bool:
        """Write one text frame; False when the connection is gone and nothing was written."""
        socket = self._socket
        if socket is None:
            return False
        try:
            await socket.send_frame(frame, aiohttp.WSMsgType.TEXT)
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            self.close_reason = _text(error)
            return False
        return True

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Post a JSON body and return status and answer; status 0 when no usable answer came.

        More than 4 MiB, a redirect, a timeout and a broken connection are all no answer: whether
        the exchange acted on the request is then open.
        """
        try:
            async with self._session().post(
                self.url + path, data=body, timeout=self._post_timeout, allow_redirects=False
            ) as response:
                if 300 <= response.status < 400:
                    return NO_ANSWER
                answer = bytearray()
                async for chunk in response.content.iter_any():
                    answer += chunk
                    if len(answer) > MAX_BODY_BYTES:
                        return NO_ANSWER
                return response.status, bytes(answer)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return NO_ANSWER

    async def close_socket(self) -> None:
        """Close the WebSocket; a `receive` that waits returns None."""
        socket, self._socket = self._socket, None
        if socket is not None:
            self.close_reason = self.close_reason or "closed by us"
            await socket.close()

    async def close(self) -> None:
        """Close everything."""
        await self.close_socket()
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    def _session(self) -> aiohttp.ClientSession:
        """Return the HTTP side, made on first use inside the running loop."""
        if self._http is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_redirect.append(_refuse_redirect)
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=MAX_CONNECTIONS, keepalive_timeout=KEEPALIVE_SECS
                ),
                headers=_HEADERS,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                trace_configs=[trace],
            )
        return self._http


async def _refuse_redirect(
    session: aiohttp.ClientSession,  # noqa: ARG001
    context: SimpleNamespace,  # noqa: ARG001
    params: aiohttp.TraceRequestRedirectParams,
) -> None:
    """Stop a handshake that is sent elsewhere: orders would go over that socket."""
    raise RedirectError(f"the host redirects with status {params.response.status}")


def _text(error: object) -> str:
    """Describe a connection error on one short line of printable characters."""
    text = str(error) or type(error).__name__
    return "".join(c if c.isprintable() else "?" for c in text[:200])
