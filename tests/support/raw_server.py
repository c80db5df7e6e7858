"""A tiny TLS server that answers what it is told, byte for byte, and counts what it was asked."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path

from client.sandbox.tls import make_identity, server_context

PATIENCE = 30.0  # seconds; a bound for sockets that nobody closes


class Then(Enum):
    """What happens after the bytes of a reply are sent."""

    CLOSE = "close"
    HANG = "hang"  # until the server stops
    DRIP = "drip"  # one more byte now and then, until the server stops


@dataclass(frozen=True)
class Reply:
    data: bytes = b""
    then: Then = Then.CLOSE


def http(status: str, content_type: str, body: bytes, *headers: str) -> bytes:
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def json_reply(body: bytes, status: str = "200 OK") -> Reply:
    return Reply(http(status, "application/json", body))


def problem_reply(status: str, body: bytes, *headers: str) -> Reply:
    return Reply(http(status, "application/problem+json", body, *headers))


@dataclass
class RawServer:
    """`reply` gets the number of the request, from 0, and the whole request.

    `context` None speaks plain TCP. Every connection carries one request.
    """

    reply: Callable[[int, bytes], Reply]
    context: ssl.SSLContext | None
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> RawServer:
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(PATIENCE)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        with plain:
            try:
                if self.context is None:
                    self._converse(plain)
                    return
                with self.context.wrap_socket(plain, server_side=True) as connection:
                    self._converse(connection)
            except OSError:
                return

    def _converse(self, connection: socket.socket) -> None:
        request = _read_request(connection)
        if not request:
            return
        self.requests.append(request)
        reply = self.reply(len(self.requests) - 1, request)
        connection.sendall(reply.data)
        while reply.then is not Then.CLOSE and not self._stopping.wait(0.05):
            if reply.then is Then.DRIP:
                connection.sendall(b" ")


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data and not data.startswith(b"\x16"):  # a TLS record
        part = connection.recv(65536)
        if not part:
            return data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        part = connection.recv(65536)
        if not part:
            break
        body += part
    return head + b"\r\n\r\n" + body


@dataclass(frozen=True)
class Identity:
    """A server's TLS context and the file that makes clients trust it."""

    context: ssl.SSLContext
    ca_file: Path


def identity(
    directory: Path, names: tuple[str, ...] = ("localhost",), begin: datetime | None = None
) -> Identity:
    """A fresh authority and a server certificate for `names`, good for 397 days from `begin`."""
    chain, ca = make_identity(names, begin=begin)
    (directory / "server.pem").write_bytes(chain)
    (directory / "ca.pem").write_bytes(ca)
    return Identity(server_context(directory / "server.pem"), directory / "ca.pem")
