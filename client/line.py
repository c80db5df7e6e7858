"""One reusable connection to the service: a request out, a whole bounded answer back."""

from __future__ import annotations

import http.cookiejar
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from client.errors import ConnectionLost, ServiceNonsense, TimedOut
from client.failures import from_exception

if TYPE_CHECKING:
    import httpx

    from client.address import Address

BATCH = 256 * 1024  # bytes of a large file that are handed on together,
OFTEN = 0.1  # or what came in so many seconds
ANSWER_LIMIT = 1024 * 1024  # bytes
IDLE = 60.0  # seconds that an unused connection is kept: a handshake costs more than a socket


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytearray | None = None


@dataclass(frozen=True)
class Answer:
    """`media_type` is lower-case and without parameters."""

    status: int
    media_type: str
    body: bytes
    retry_after: int | None


class Line:
    """At most one connection, kept alive between requests; used by one thread at a time.

    No redirects, no cookies, no compression, so that what is counted is what was sent.
    """

    def __init__(self, address: Address, context: ssl.SSLContext) -> None:
        import httpx

        self._origin = address.origin
        self._host = address.host
        self._abandoned = False
        self._proxied = False
        self._socket: socket.socket | None = None
        self._client = httpx.Client(
            verify=context,
            trust_env=not address.local,  # a proxy never leads to this same computer
            follow_redirects=False,
            cookies=http.cookiejar.CookieJar(
                http.cookiejar.DefaultCookiePolicy(allowed_domains=())
            ),
            limits=httpx.Limits(max_connections=1, keepalive_expiry=IDLE),
        )

    @property
    def host(self) -> str:
        return self._host

    def send(self, request: Request, timeout: float, limit: int = ANSWER_LIMIT) -> Answer:
        """One exchange; no step of it waits longer than `timeout` seconds.

        Raises ClientError: ServiceNonsense for a body of more than `limit` bytes.
        """
        with self.stream(request, timeout) as response:
            return self._read(response, limit)

    @contextmanager
    def stream(self, request: Request, timeout: float) -> Iterator[httpx.Response]:
        """The same with the body still to be read (`body_parts`). Raises ClientError.

        An OSError of the block itself would count as one of the connection.
        """
        import httpx

        try:
            with self._client.stream(
                request.method,
                self._origin + request.path,
                headers={**_framing(request.body), **request.headers},
                content=None if request.body is None else self._content(request.body),
                timeout=httpx.Timeout(timeout),
                extensions={"trace": self._trace},
            ) as response:
                yield response
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise from_exception(error, self._host, proxied=self._proxied) from error

    def abandon(self) -> None:
        """Break the exchange under way, from another thread, and let the line be closed.

        The socket is shut down, never closed, here: the thread that uses it must not wake up on
        a descriptor that meanwhile belongs to someone else.
        """
        self._abandoned = True
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    @property
    def abandoned(self) -> bool:
        return self._abandoned

    def close(self) -> None:
        """Release the connection; never raises. Only while no other thread sends."""
        self._client.close()
        self._forget_socket()

    def body_parts(self, response: httpx.Response) -> Iterator[bytes]:
        """The body as it comes. Raises ServiceNonsense, ConnectionLost, httpx.HTTPError."""
        import httpx

        if response.headers.get("content-encoding", "identity") != "identity":
            raise ServiceNonsense
        try:
            yield from response.iter_raw()
        except httpx.RemoteProtocolError as error:  # it ended before it was complete
            raise ConnectionLost(self._host) from error

    def long_body_parts(
        self, response: httpx.Response, timeout: float
    ) -> Iterator[bytes | memoryview]:
        """The same for a large file, at half the cost: the bytes do not pass through h11.

        Only for a body whose length is announced, and whose content the caller checks. The first
        part has all that came along with the header; the connection is not used again.
        """
        import httpcore

        parts = self.body_parts(response)
        length = response.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()) or "transfer-encoding" in response.headers:
            yield from parts
            return
        left = int(length)
        part: bytes | memoryview = next(parts, b"")
        stream = response.extensions["network_stream"]
        receive = _receiver(stream, timeout)
        try:
            while part:
                yield part
                left -= len(part)
                part = _batch(receive, left)
        except (TimeoutError, httpcore.TimeoutException) as error:
            raise TimedOut(self._host) from error
        except (OSError, httpcore.NetworkError) as error:
            raise ConnectionLost(self._host) from error
        if left:
            raise ConnectionLost(self._host)

    def _read(self, response: httpx.Response, limit: int) -> Answer:
        body = bytearray()
        for part in self.body_parts(response):
            body += part
            if len(body) > limit:
                raise ServiceNonsense
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        seconds = response.headers.get("retry-after", "")
        return Answer(
            status=response.status_code,
            media_type=media_type,
            body=bytes(body),
            retry_after=int(seconds) if seconds.isascii() and seconds.isdigit() else None,
        )

    def _content(self, body: bytearray) -> Iterator[bytes]:
        if self._abandoned:
            raise ConnectionLost(self._host)
        yield memoryview(body)  # type: ignore[misc]  # h11 joins any buffer; a copy could not be wiped

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Keep a handle on the socket of each new connection, for `abandon`."""
        if self._abandoned and not event.endswith(".failed"):  # what failed says why itself
            raise ConnectionLost(self._host)
        if event == "connection.connect_tcp.started":
            self._proxied = info["host"] != self._host
        elif event == "connection.connect_tcp.complete":
            self._forget_socket()
            self._socket = info["return_value"].get_extra_info("socket").dup()

    def _forget_socket(self) -> None:
        handle, self._socket = self._socket, None
        if handle is not None:
            handle.close()


def _framing(body: bytearray | None) -> dict[str, str]:
    if body is None:
        return {}
    return {"Content-Type": "application/json", "Content-Length": str(len(body))}


def _receiver(stream: Any, timeout: float) -> Callable[[memoryview], int]:
    """What fills a buffer from the network stream of an httpx answer and returns how far."""
    raw, tls = stream.get_extra_info("socket"), stream.get_extra_info("ssl_object")
    if isinstance(raw, ssl.SSLSocket) and not isinstance(tls, ssl.SSLObject):
        raw.settimeout(timeout)
        return raw.recv_into

    def receive(buffer: memoryview) -> int:  # TLS inside the TLS of a proxy
        part = stream.read(len(buffer), timeout)
        buffer[: len(part)] = part
        return len(part)

    return receive


def _batch(receive: Callable[[memoryview], int], most: int) -> memoryview:
    """At most `most` bytes, as many as come in a moment; none where there are no more."""
    import httpcore

    buffer = memoryview(bytearray(min(BATCH, most)))
    until = time.monotonic() + OFTEN
    filled = 0
    while filled < len(buffer) and (filled == 0 or time.monotonic() < until):
        try:
            count = receive(buffer[filled:])
        except (OSError, httpcore.NetworkError, httpcore.TimeoutException):
            if filled:  # what came before the break counts; the next call meets the break again
                break
            raise
        if count == 0:
            break
        filled += count
    return buffer[:filled]
