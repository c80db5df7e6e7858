"""The sandbox as a process of its own over real TLS, killed and started again."""

from __future__ import annotations

import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from invented_card import Authority, account_fields, rsa_key

from client.errors import ClientError
from client.https import HttpsService
from client.port import Receipt, Session, Verification, idempotency_key
from client.purpose import Purpose

PATIENCE = 60.0  # seconds
RUN = """
import sys
from pathlib import Path
from client.sandbox.server import run
run(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
"""
READY = re.compile(r"sandbox ready: url=(https://localhost:\d+) ca=(/.+)\n")


@dataclass
class Process:
    """A running sandbox; `url` and `ca_file` are as it announced them."""

    popen: subprocess.Popen[str]
    url: str
    ca_file: Path
    database: Path

    def kill(self) -> None:
        self.popen.send_signal(signal.SIGKILL)
        assert self.popen.wait(PATIENCE) == -signal.SIGKILL

    def client(self) -> HttpsService:
        return HttpsService(self.url, ca_file=self.ca_file, timeout=PATIENCE, deadline=PATIENCE)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Read the database beside the running service."""
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=PATIENCE)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@dataclass
class Place:
    """One data directory and one port, for a sandbox that is started again and again."""

    data: Path
    card_ca: Path
    port: int

    @contextmanager
    def sandbox(self) -> Iterator[Process]:
        popen = subprocess.Popen(
            [sys.executable, "-c", RUN, str(self.port), str(self.data), str(self.card_ca)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert popen.stdout is not None
        watchdog = threading.Timer(PATIENCE, popen.kill)
        watchdog.start()
        try:
            found = READY.fullmatch(popen.stdout.readline())
            watchdog.cancel()
            assert found is not None
            yield Process(popen, found[1], Path(found[2]), self.data / "sandbox.sqlite3")
        finally:
            watchdog.cancel()
            popen.kill()
            popen.wait(PATIENCE)
            popen.stdout.close()


@pytest.fixture
def place(tmp_path: Path, authority: Authority) -> Place:
    card_ca = tmp_path / "card-ca.pem"
    card_ca.write_bytes(authority.pem)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return Place(tmp_path / "data", card_ca, port)


def test_both_flows_and_what_they_leave(place: Place, authority: Authority) -> None:
    first, second = authority.issue(), authority.issue("測試員乙")
    with place.sandbox() as sandbox:
        service = sandbox.client()
        assert service.describe().origin == service.origin == sandbox.url

        verification = first.prove(service, Purpose.REGISTER)
        assert (verification.holder, verification.category) == ("測試員甲", "HPC")
        fields = account_fields("tester01")
        registered = service.register(verification, fields, idempotency_key())
        assert service.receipt(registered.id) == registered

        session = service.sign_in("tester01", password_of(fields))
        assert session.bound_card == registered.card
        verification = second.prove(service, Purpose.REBIND, "tester01")
        rebound = service.rebind(session, verification, idempotency_key())
        assert (rebound.account, rebound.holder) == ("tester01", "測試員乙")
        assert rebound.card != registered.card
        service.sign_out(session)
        service.sign_out(session)  # signing out twice is signed out
        assert service.sign_in("tester01", password_of(fields)).bound_card == rebound.card
        service.close()

        assert sandbox.rows("SELECT account, substr(card, -8) FROM bindings JOIN accounts") == [
            ("tester01", rebound.card.replace("-", "").lower())
        ]
        events = sandbox.rows("SELECT event, outcome FROM audit WHERE account_id IS NOT NULL")
        assert ("POST /v1/accounts", "ok") in events
        assert ("POST /v1/bindings", "ok") in events
        stored = b"".join(path.read_bytes() for path in place.data.rglob("*") if path.is_file())
        assert bytes(password_of(fields)) not in stored
        assert session.token.encode() not in stored


def test_the_audit_trail_cannot_be_rewritten(place: Place) -> None:
    with place.sandbox() as sandbox:
        service = sandbox.client()
        service.challenge(Purpose.SIGN_IN)
        service.close()
    connection = sqlite3.connect(place.data / "sandbox.sqlite3")
    for statement in ("DELETE FROM audit", "UPDATE audit SET outcome = 'other'"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
    connection.close()


def test_a_kill_after_the_answer_forgets_nothing(place: Place, authority: Authority) -> None:
    card, fields, key = authority.issue(), account_fields("tester02"), idempotency_key()
    with place.sandbox() as sandbox:
        service = sandbox.client()
        verification = card.prove(service, Purpose.REGISTER)
        receipt = service.register(verification, fields, key)
        sandbox.kill()
    with place.sandbox() as sandbox:
        again = sandbox.client()
        assert again.register(verification, fields, key) == receipt
        assert again.receipt(receipt.id) == receipt
        assert service.receipt(receipt.id) == receipt  # a client that was there before the kill
        assert_one_binding(sandbox, "tester02")
        service.close()
        again.close()


def test_a_kill_while_registering_ends_in_one_binding(place: Place, authority: Authority) -> None:
    """At many moments of the request; whichever it was, the same key leads to one binding."""
    key = rsa_key()  # one key pair for all: only the certificates must differ
    for turn in range(8):
        account = f"killed{turn}"
        fields, submission = account_fields(account), idempotency_key()
        card = authority.issue(key=key)
        answered: list[Receipt] = []
        with place.sandbox() as sandbox:
            service = sandbox.client()
            verification = card.prove(service, Purpose.REGISTER)
            sender = threading.Thread(
                target=_register_quietly,
                args=(service, verification, fields, submission, answered),
            )
            sender.start()
            time.sleep(0.03 * turn)  # the moment; nothing is asserted about it
            sandbox.kill()
            service.cancel()
            sender.join(PATIENCE)
            assert not sender.is_alive()
            service.close()
        with place.sandbox() as sandbox:
            service = sandbox.client()
            receipt = service.register(verification, fields, submission)
            assert not answered or answered == [receipt]
            assert_one_binding(sandbox, account)
            session = service.sign_in(account, password_of(fields))
            assert session.bound_card == receipt.card
            service.close()


def test_a_kill_once_the_binding_is_stored(place: Place, authority: Authority) -> None:
    """Between the commit and the answer, as near as one can come from outside."""
    first, second = authority.issue(), authority.issue("測試員乙")
    fields, key = account_fields("tester03"), idempotency_key()
    answered: list[Receipt] = []
    with place.sandbox() as sandbox:
        service = sandbox.client()
        service.register(first.prove(service, Purpose.REGISTER), fields, idempotency_key())
        session = service.sign_in("tester03", password_of(fields))
        verification = second.prove(service, Purpose.REBIND, "tester03")
        sender = threading.Thread(
            target=_rebind_quietly, args=(service, session, verification, key, answered)
        )
        sender.start()
        end = time.monotonic() + PATIENCE
        while len(sandbox.rows("SELECT 1 FROM receipts")) < 2:
            assert time.monotonic() < end
        sandbox.kill()
        service.cancel()
        sender.join(PATIENCE)
        assert not sender.is_alive()
        service.close()
    with place.sandbox() as sandbox:
        service = sandbox.client()
        receipt = service.rebind(session, verification, key)
        assert not answered or answered == [receipt]
        assert len(sandbox.rows("SELECT 1 FROM receipts")) == 2
        assert_one_binding(sandbox, "tester03")
        service.close()


def test_it_ends_on_sigterm_and_says_nothing_more(place: Place) -> None:
    with place.sandbox() as sandbox:
        service = sandbox.client()
        service.describe()
        sandbox.popen.send_signal(signal.SIGTERM)
        assert sandbox.popen.stdout is not None
        assert sandbox.popen.wait(PATIENCE) in {0, -signal.SIGTERM}
        assert sandbox.popen.stdout.read() == ""
        service.close()


def test_a_taken_port_and_a_foreign_directory_are_said_by_code(
    place: Place, tmp_path: Path
) -> None:
    from client.sandbox.server import Sandbox

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ClientError) as caught:
            Sandbox(tmp_path / "data", port).start()
    assert (caught.value.code, caught.value.facts()) == ("sandbox.port", {"port": port})

    for name, content in (("a file", None), ("other", b"not a database" * 100)):
        data = tmp_path / name
        if content is None:
            data.write_bytes(b"")
        else:
            data.mkdir()
            (data / "sandbox.sqlite3").write_bytes(content)
        with pytest.raises(ClientError) as caught:
            Sandbox(data).start()
        assert (caught.value.code, caught.value.facts()) == ("sandbox.data", {"path": str(data)})


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_a_card_ca_that_cannot_be_used(tmp_path: Path, content: bytes | None) -> None:
    from client.sandbox.server import run

    card_ca = tmp_path / "card-ca.pem"
    if content is not None:
        card_ca.write_bytes(content)
    with pytest.raises(ClientError) as caught:
        run(0, tmp_path / "data", card_ca)
    assert (caught.value.code, caught.value.facts()) == (
        "net.tls.ca-file",
        {"path": str(card_ca)},
    )


def assert_one_binding(sandbox: Process, account: str) -> None:
    query = (
        "SELECT (SELECT count(*) FROM accounts WHERE account = '{0}'), count(*)"
        " FROM bindings JOIN accounts ON accounts.id = account_id WHERE account = '{0}'"
    )
    assert sandbox.rows(query.format(account)) == [(1, 1)]


def password_of(fields: dict[str, str | bytearray]) -> bytearray:
    password = fields["password"]
    assert isinstance(password, bytearray)
    return password


def _register_quietly(
    service: HttpsService,
    verification: Verification,
    fields: dict[str, str | bytearray],
    key: str,
    answered: list[Receipt],
) -> None:
    try:
        answered.append(service.register(verification, fields, key))
    except ClientError:
        return  # the kill came first


def _rebind_quietly(
    service: HttpsService,
    session: Session,
    verification: Verification,
    key: str,
    answered: list[Receipt],
) -> None:
    try:
        answered.append(service.rebind(session, verification, key))
    except ClientError:
        return  # the kill came first
