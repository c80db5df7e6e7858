"""A TLS server before the real sandbox: it passes requests on, and breaks the one it is told."""

from __future__ import annotations

import http.client
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

PATIENCE = 30.0  # seconds; a bound for sockets that nobody closes
SLOWLY = 0.02  # seconds between the bytes of a slow answer


class Stage(Enum):
    """Where on its way a request meets its fault."""

    REFUSED = "refused"  # nobody listens, until it is mended
    ACCEPTED = "accepted"  # before the TLS handshake
    SECURED = "secured"  # after it, before the request is read
    READ = "read"  # the request never reaches the service
    DONE = "done"  # the service did what it was asked for


class Then(Enum):
    """How the connection ends after `Trouble.answer` was sent."""

    CLOSE = "close"
    RESET = "reset"
    HANG = "hang"
    DRIP = "drip"  # the answer comes byte by byte, and never quite ends


@dataclass(frozen=True)
class Answer:
    """The service's own."""

    status: int
    kind: str
    body: bytes

    def encoded(self, *headers: str, length: int | None = None) -> bytes:
        size = len(self.body) if length is None else length
        lines = (f"HTTP/1.1 {self.status} X", f"Content-Type: {self.kind}", *headers)
        head = "\r\n".join((*lines, f"Content-Length: {size}", "Connection: close"))
        return head.encode() + b"\r\n\r\n" + self.body


@dataclass(frozen=True)
class Trouble:
    """`answer` is what is sent in place of the service's answer, None nothing.

    `context` replaces the server's TLS. `slow`: it is a matter of the client's patience.
    """

    name: str
    stage: Stage
    answer: Callable[[Answer], bytes] | None = None
    then: Then = Then.CLOSE
    context: ssl.SSLContext | None = None
    slow: bool = False


@dataclass
class Relay:
    """`at` counts connections from 0; each carries one request. `lasting`: all later ones too."""

    context: ssl.SSLContext
    onwards: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    target: int = 0
    port: int = 0
    trouble: Trouble | None = None
    at: int = -1
    lasting: bool = False
    seen: int = 0
    requests: list[str] = field(default_factory=list)

    def __enter__(self) -> Relay:
        self._ended = threading.Event()
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._refuse()

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _refuse(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def break_at(self, at: int, trouble: Trouble | None, lasting: bool = False) -> None:
        """From a clean count on; what hangs is let go of."""
        self._ended.set()
        self._ended = threading.Event()
        self.at, self.trouble, self.lasting, self.seen = at, trouble, lasting, 0
        self.requests.clear()
        if self._refuses_from(0):
            self._refuse()
        elif self._listener.fileno() < 0:
            self._listen()

    def _refuses_from(self, number: int) -> bool:
        refusing = self.trouble is not None and self.trouble.stage is Stage.REFUSED
        return refusing and number == self.at

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            number, self.seen = self.seen, self.seen + 1
            if self._refuses_from(number + 1):
                listener.close()
            hit = number == self.at or (self.lasting and number > self.at >= 0)
            arguments = (connection, self.trouble if hit else None, self._ended)
            threading.Thread(target=self._serve, args=arguments, daemon=True).start()

    def _serve(self, plain: socket.socket, trouble: Trouble | None, ended: threading.Event) -> None:
        plain.settimeout(PATIENCE)
        with suppress(OSError, http.client.HTTPException), plain:
            if trouble is not None and trouble.stage is Stage.ACCEPTED:
                _end(plain, trouble, b"", ended)
                return
            context = (trouble.context if trouble else None) or self.context
            with context.wrap_socket(plain, server_side=True) as secured:
                if trouble is not None and trouble.stage is Stage.SECURED:
                    _end(secured, trouble, b"", ended)
                    return
                self._exchange(secured, trouble, ended)

    def _exchange(
        self, secured: ssl.SSLSocket, trouble: Trouble | None, ended: threading.Event
    ) -> None:
        method, path, headers, body = _request(secured)
        self.requests.append(f"{method} {path}")
        if trouble is not None and trouble.stage is Stage.READ:
            _end(secured, trouble, _made(trouble, Answer(200, "application/json", b"{}")), ended)
            return
        onwards = http.client.HTTPSConnection(
            "localhost", self.target, timeout=PATIENCE, context=self.onwards
        )
        onwards.request(method, path, body or None, headers)
        came = onwards.getresponse()
        answer = Answer(came.status, came.headers.get("Content-Type", ""), came.read())
        onwards.close()
        if trouble is None or trouble.stage is not Stage.DONE:
            secured.sendall(answer.encoded())
        else:
            _end(secured, trouble, _made(trouble, answer), ended)


def _made(trouble: Trouble, answer: Answer) -> bytes:
    return b"" if trouble.answer is None else trouble.answer(answer)


def _end(connection: socket.socket, trouble: Trouble, data: bytes, ended: threading.Event) -> None:
    if trouble.then is Then.DRIP:
        for byte in data:
            connection.sendall(bytes((byte,)))
            if ended.wait(SLOWLY):
                return
    else:
        connection.sendall(data)
    if trouble.then in {Then.HANG, Then.DRIP}:
        ended.wait(PATIENCE)
    elif trouble.then is Then.RESET:  # RFC 9293 §3.10.4: a close that discards is a reset
        if data:
            time.sleep(SLOWLY)  # so that the client has read it
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if isinstance(connection, ssl.SSLSocket):
            socket.socket(fileno=connection.detach()).close()


def _request(connection: ssl.SSLSocket) -> tuple[str, str, dict[str, str], bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            raise OSError("the client went away")
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    length = int({name.lower(): value for name, value in headers.items()}.get("content-length", 0))
    while len(body) < length:
        part = connection.recv(65536)
        if not part:
            raise OSError("the client went away")
        body += part
    kept = {name: value for name, value in headers.items() if name.lower() not in {"connection"}}
    return method, path, kept, body
