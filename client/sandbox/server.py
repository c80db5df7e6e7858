"""The sandbox as a server: uvicorn over TLS, in a thread for the demo or in the foreground."""

from __future__ import annotations

import hashlib
import socket
import sqlite3
import sys
import threading
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from client.errors import SandboxDataUnusable, SandboxPortTaken
from client.port import Revocation
from client.sandbox.faults import Fault

if TYPE_CHECKING:
    import uvicorn
    from cryptography import x509

    from client.sandbox.components import Shelf
    from client.sandbox.store import Store

STOP_SECONDS = 10.0
KEEP_ALIVE = 75  # seconds; longer than the client's, so that the client is the one who hangs up


class Sandbox:
    """A reporting service on https://localhost:PORT whose memory is the directory `data`.

    `trusted_card_roots` are PEM texts of the authorities whose cards it accepts; `faults` may be
    changed while it runs. Port 0 takes a free one. `revocation`: what it asks of its clients. A
    restart on the same `data` remembers all.
    """

    def __init__(
        self,
        data: Path,
        port: int = 0,
        trusted_card_roots: Iterable[bytes] = (),
        faults: Iterable[Fault] = (),
        revocation: Revocation = Revocation.NONE,
    ) -> None:
        self._data = data
        self._revocation = revocation
        self._port = port
        self._roots = tuple(trusted_card_roots)
        self._thread: threading.Thread | None = None
        self._server: uvicorn.Server | None = None
        self._socket: socket.socket | None = None
        self._store: Store | None = None
        self._shelf: Shelf | None = None
        self.faults: set[Fault] = set(faults)

    @property
    def url(self) -> str:
        """Known once the sandbox is open; also the origin that tokens for it sign."""
        return f"https://localhost:{self._port}"

    @property
    def ca_file(self) -> Path:
        from client.sandbox.tls import CA_FILE

        return self._data / CA_FILE

    @property
    def database(self) -> Path:
        return self._data / "sandbox.sqlite3"

    @property
    def shelf(self) -> Shelf:
        """The components it offers; once it is open."""
        if self._shelf is None:
            raise RuntimeError("not open")
        return self._shelf

    def open(self) -> None:
        """Take the port and open the store: from here on connections wait to be served.

        Raises SandboxPortTaken, SandboxDataUnusable, and ValueError for roots that are not PEM.
        """
        from client.trust import card_roots

        roots = card_roots(self._roots)
        try:
            self._listen()
        except OSError as error:
            raise SandboxPortTaken(self._port) from error
        try:
            self._assemble(roots)
        except (OSError, ValueError, sqlite3.Error) as error:
            self.close()
            raise SandboxDataUnusable(str(self._data)) from error

    def serve(self) -> None:
        """Serve until SIGINT, SIGTERM or `stop`; after `open`."""
        if self._server is None or self._socket is None:
            raise RuntimeError("not open")
        self._server.run(sockets=[self._socket])

    def close(self) -> None:
        """Let go of port and store; never raises."""
        if self._socket is not None:
            self._socket.close()
        if self._store is not None:
            self._store.close()
        self._socket = self._store = self._server = None

    def start(self) -> None:
        """Open, and serve in a thread. Raises as `open` does."""
        self.open()
        self._thread = threading.Thread(target=self.serve, name="sandbox", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the requests under way, then close; a stopped sandbox can be started again."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(STOP_SECONDS)
        self._thread = None
        self.close()

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def seed_account(self, account: str, password: bytes | bytearray) -> None:
        """An account without a card, for demos and tests; sets the password of a present one."""
        from client.sandbox.password import hash_password

        with self._opened().transaction() as db:
            db.execute(
                "INSERT INTO accounts (account, password, fields, created)"
                " VALUES (?, ?, '{}', unixepoch())"
                " ON CONFLICT (account) DO UPDATE SET password = excluded.password",
                (account, hash_password(bytes(password))),
            )

    def revoke(self, certificate: bytes) -> None:
        """Refuse the card with this certificate (DER) from now on."""
        with self._opened().transaction() as db:
            card = hashlib.sha256(certificate).hexdigest()
            db.execute("INSERT OR IGNORE INTO revoked (card) VALUES (?)", (card,))

    def _opened(self) -> Store:
        if self._store is None:
            raise RuntimeError("not open")
        return self._store

    def _listen(self) -> None:
        # asyncio turns Nagle's delay off only where the protocol is named
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", self._port))
            listener.listen()
        except BaseException:
            listener.close()
            raise
        self._port = listener.getsockname()[1]
        self._socket = listener

    def _assemble(self, roots: tuple[x509.Certificate, ...]) -> None:
        import uvicorn

        from client.sandbox.app import create_app
        from client.sandbox.components import Shelf
        from client.sandbox.rules import Rules
        from client.sandbox.store import Store
        from client.sandbox.tls import server_context, server_identity

        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        identity, _ = server_identity(self._data)
        context = server_context(identity)
        self._store = Store(self.database)
        rules = Rules(self.url, roots, self.faults, revocation=self._revocation)
        self._shelf = Shelf(self._data, self.url, self.faults)
        self._server = uvicorn.Server(
            uvicorn.Config(
                create_app(self._store, rules, self._shelf),
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",  # nothing of uvicorn's on a screen; see app._endpoint
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=1,
                ssl_context_factory=lambda _config, _default: context,
            )
        )


def run(
    port: int,
    data: Path,
    card_ca: Path | None = None,
    faults: Iterable[Fault] = (),
    account: tuple[str, bytes] | None = None,
    *,
    revocation: Revocation = Revocation.NONE,
    responder_port: int | None = None,
) -> None:
    """`hca-bind sandbox`: serve in the foreground until SIGINT or SIGTERM.

    `account`: name and password of an account to sign in to, made where it is missing.
    `responder_port`: answer there for the authority whose key is in `card_ca`, too. One line on
    standard output says that it is ready, with its URL and CA file. Raises as `Sandbox.open` and
    `Responder` do, and CaFileUnusable for `card_ca`.
    """
    from client.errors import CaFileUnusable

    roots: tuple[bytes, ...] = ()
    if card_ca is not None:
        try:
            roots = (card_ca.read_bytes(),)
        except OSError as error:
            raise CaFileUnusable(str(card_ca)) from error
    sandbox = Sandbox(data, port, roots, faults, revocation)
    try:
        sandbox.open()
    except ValueError as error:
        raise CaFileUnusable(str(card_ca)) from error
    try:
        with ExitStack() as stack:
            ready = f"sandbox ready: url={sandbox.url} ca={sandbox.ca_file}"
            if responder_port is not None:
                from client.sandbox.responder import Desk, Responder

                desk = Desk.open(card_ca or Path(), sandbox.faults)
                responder = stack.enter_context(Responder(desk, responder_port))
                ready += f" responder={responder.url}"
            if account is not None:
                sandbox.seed_account(*account)
            sys.stdout.write(ready + "\n")
            sys.stdout.flush()
            sandbox.serve()
    finally:
        sandbox.close()
