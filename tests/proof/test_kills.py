"""Killed at any moment: one binding or none, none of it half, nothing personal left on the disk."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pytest
from figures import Figures
from headless import NEW_ACCOUNT, NEW_PASSWORD, PASSWORD, PIN, Desk
from invented_card import Authority as InventedAuthority
from invented_card import InventedCard, account_fields
from relay import Answer, Relay, Stage, Trouble

from card.virtual.authority import FILE, Authority
from client.errors import ClientError
from client.https import HttpsService
from client.port import Receipt, Service, Verification, idempotency_key, signed_message
from client.purpose import Purpose

HERE = Path(__file__).parent
FLOWS = (Purpose.REGISTER, Purpose.REBIND)
PART = 5  # of so many cells one, in everyday runs
# What a second attempt is told when the first one's binding was made and nobody saw its receipt.
ALREADY = {"service.card.bound", "service.account.exists"}
PERSONAL = [
    *("測試員甲", "王測試", NEW_ACCOUNT, "wang@example.invalid", "02-0000-0000", "proof-nurse"),
    *(PIN.decode(), NEW_PASSWORD.decode(), PASSWORD.decode()),
]
T = TypeVar("T")


# --- the program ---------------------------------------------------------------------------------


class Program:
    """`program.py`: one line in, one out; `folder` is all of the disk that it is told of."""

    def __init__(self, desk: Desk, authority: Path, folder: Path) -> None:
        folder.mkdir()
        places = ("HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
        self.folder = folder
        self._process = subprocess.Popen(
            [sys.executable, HERE / "program.py", desk.url, str(desk.ca), str(authority)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**os.environ, **dict.fromkeys(places, str(folder)), "PYTHONPATH": _path()},
        )

    def start(self, purpose: Purpose, kind: str = "never", number: int = 0) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{purpose.value} {kind} {number}\n")
        self._process.stdin.flush()

    def end(self) -> dict[str, object]:
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        assert isinstance(told, dict)
        return told

    def run(self, purpose: Purpose, kind: str = "never", number: int = 0) -> dict[str, object]:
        self.start(purpose, kind, number)
        return self.end()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(30) == 0

    def kill_youngest(self) -> None:
        """SIGKILL for the program that runs now."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        for child in children.read_text().split():
            os.kill(int(child), signal.SIGKILL)


def _path() -> str:
    return os.pathsep.join([str(HERE), *filter(None, sys.path)])


@pytest.fixture
def program(relayed: tuple[Desk, Relay], authority: Authority, tmp_path: Path) -> Iterator[Program]:
    keys = tmp_path / "authority"
    keys.mkdir()
    (keys / FILE).write_bytes(authority._pem())
    running = Program(relayed[0], keys, tmp_path / "disk")
    yield running
    running.close()


def left_on_disk(folder: Path) -> list[str]:
    """Where a person's data is in any file, or its name, of `folder`."""
    forms = [text.encode(code) for text in PERSONAL for code in ("utf-8", "utf-16-le")]
    found = []
    for path in folder.rglob("*"):
        data = str(path).encode() + (path.read_bytes() if path.is_file() else b"")
        found += [f"{form!r} in {path}" for form in forms if form in data]
    return found


def second_attempt(desk: Desk, program: Program, purpose: Purpose) -> str | None:
    """A new program after the kill: to the receipt, or told that the binding is there.

    It is another submission: binding one's present card once more gives another receipt of the
    same one binding.
    """
    was_bound = desk.bound()
    if desk.half() or len(was_bound) > 1:
        return f"after the kill: {desk.half()}, {was_bound}"
    told = program.run(purpose)
    codes = told["codes"]
    assert isinstance(codes, list)
    if told["status"] != 0:
        return f"the second attempt ended with {told['status']}"
    if desk.half() or desk.rows("SELECT count(*) FROM bindings") != [(1,)]:
        return f"after the second attempt: {desk.half()}, {desk.bound()}"
    if told["receipt"] is None and not (was_bound and ALREADY & set(codes)):
        return f"no receipt: {codes}"
    return None


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("purpose", FLOWS)
def test_the_program_is_killed(
    figures: Figures, relayed: tuple[Desk, Relay], program: Program, purpose: Purpose
) -> None:
    """At every transition, before and after every command, before and after every request."""
    desk, relay = relayed
    desk.fresh()
    relay.break_at(-1, None)
    clean = program.run(purpose)
    assert clean["receipt"] is not None
    transitions, commands = clean["transitions"], clean["commands"]
    assert isinstance(transitions, int)
    assert isinstance(commands, int)
    requests = len(relay.requests)
    moments = [("transition", number + 1) for number in range(transitions)]
    for kind in ("command-before", "command-after"):
        moments += [(kind, number + 1) for number in range(commands)]
    for stage in (Stage.READ, Stage.DONE):
        moments += [(stage.value, number) for number in range(requests)]
    cells = kills = 0
    misses: list[str] = []
    for index, (kind, number) in enumerate(moments):
        if not figures.whole and index % PART:
            continue
        cells += 1
        desk.fresh()
        relay.break_at(-1, None)
        if kind in {stage.value for stage in Stage}:

            def killing(_: Answer) -> bytes:
                program.kill_youngest()
                return b""

            relay.break_at(number, Trouble("killed", Stage(kind), killing))
            told = program.run(purpose)
            relay.break_at(-1, None)
        else:
            told = program.run(purpose, kind, number)
        kills += told["status"] == -signal.SIGKILL
        wrong = second_attempt(desk, program, purpose)
        if wrong is not None:
            misses.append(f"{kind} {number}: {wrong}")
    personal = left_on_disk(program.folder)
    figures.count(
        "program killed",
        cells=cells,
        kills=kills,
        personal_left=len(personal),
        misses=len(misses),
    )
    assert misses == []
    assert personal == []
    assert kills == cells


# --- the service ---------------------------------------------------------------------------------


class KilledService:
    """`service.py`, started again after each kill; one call at a time until it is answered."""

    def __init__(self, folder: Path, authority: InventedAuthority) -> None:
        self.data = folder / "data"
        self._ca = folder / "card-ca.pem"
        self._ca.write_bytes(authority.pem)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._process: subprocess.Popen[str] | None = None
        self.kills = 0

    @contextmanager
    def running(self, number: int) -> Iterator[None]:
        self._start(number)
        try:
            yield
        finally:
            self._stop()

    def until_answered(self, call: Callable[[Service], T]) -> T:
        """The very same call again after each kill, by a client that knows of nothing."""
        assert self._process is not None
        url = f"https://localhost:{self._port}"
        for _ in range(3):
            with closing(HttpsService(url, ca_file=self.data / "ca.pem", pauses=())) as service:
                with suppress(ClientError):
                    return call(service)
                assert self._process.wait(30) == -signal.SIGKILL
                self.kills += 1
                self._start(0)
        pytest.fail("no answer")

    def statements(self) -> int:
        return int((self.data / "statements").read_text())

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.data / "sandbox.sqlite3")) as db:
            return db.execute(query).fetchall()

    def _start(self, number: int) -> None:
        self._stop()
        self._process = subprocess.Popen(
            [
                sys.executable,
                HERE / "service.py",
                str(self._port),
                self.data,
                self._ca,
                str(number),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline().startswith("https://")

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


def _proof(
    killed: KilledService, card: InventedCard, purpose: Purpose, account: str | None = None
) -> Verification:
    challenge = killed.until_answered(lambda service: service.challenge(purpose, account))
    key = idempotency_key()

    def verify(service: Service) -> Verification:
        value = card.sign(signed_message(service.origin, challenge.nonce))
        return service.verify(challenge, card.der, "RS256", value, key)

    return killed.until_answered(verify)


def both_flows(killed: KilledService, old: InventedCard, new: InventedCard) -> list[Receipt]:
    """A new account with the old card, then the new card for it; the same keys at every repeat."""
    fields = account_fields(NEW_ACCOUNT)
    password = fields["password"]
    assert isinstance(password, bytearray)
    verification = _proof(killed, old, Purpose.REGISTER)
    first, second = idempotency_key(), idempotency_key()

    def register(service: Service) -> Receipt:
        return service.register(verification, fields, first)

    registered = killed.until_answered(register)
    proof = _proof(killed, new, Purpose.REBIND, NEW_ACCOUNT)
    session = killed.until_answered(lambda service: service.sign_in(NEW_ACCOUNT, password))

    def rebind(service: Service) -> Receipt:
        return service.rebind(session, proof, second)

    rebound = killed.until_answered(rebind)
    assert killed.until_answered(register) == registered, "the same key, another receipt"
    assert killed.until_answered(rebind) == rebound, "the same key, another receipt"
    return [registered, rebound]


@pytest.mark.timeout(3600)
def test_the_service_is_killed_at_every_statement(figures: Figures, tmp_path: Path) -> None:
    authority = InventedAuthority()
    old, new = authority.issue(), authority.issue("測試員乙")
    clean = KilledService(tmp_path, authority)
    with clean.running(0):
        both_flows(clean, old, new)
        statements = clean.statements()
    cells = kills = 0
    misses: list[str] = []
    for number in range(1, statements + 1, 1 if figures.whole else 16):
        folder = tmp_path / str(number)
        folder.mkdir()
        killed = KilledService(folder, authority)
        cells += 1
        with killed.running(number):
            receipts = both_flows(killed, old, new)
        kills += killed.kills
        stored = killed.rows("SELECT id FROM receipts ORDER BY bound, rowid")
        bound = killed.rows("SELECT account FROM bindings JOIN accounts ON id = account_id")
        if sorted(stored) != sorted((receipt.id,) for receipt in receipts) or bound != [
            (NEW_ACCOUNT,)
        ]:
            misses.append(f"statement {number}: {stored}, {bound}")
    figures.count("service killed", cells=cells, kills=kills, misses=len(misses))
    assert misses == []
    assert kills == cells
