"""The wizard's engine on real parts without a screen, and a person who does what it asks for.

The card is the embedded one over real APDUs, the service the sandbox over real TLS and SQLite; a
cell of a matrix breaks one of the two, mends it, and the person goes on.
"""

from __future__ import annotations

import queue
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509

from card.errors import CardError
from card.pin import Pin
from card.port import Connection, Readers, Slot
from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.pad import VirtualPad
from card.virtual.profile import Profile
from card.virtual.readers import EmbeddedConnection, EmbeddedReaders
from client.https import HttpsService
from client.port import Service
from client.purpose import Purpose
from screens.troubleshooting.catalogue import entry
from screens.wizard import (
    Step,
    Wizard,
    keyboard_instead,
    last_try_open,
    on_pad,
    pad_allowed,
    pin_allowed,
)
from tui.demo import DemoBackends
from tui.engine import Engine
from tui.scenarios import READER, SCENARIOS

PATIENCE = 20.0  # seconds for one piece of work; a hang would reach it
PIN = b"Test-123"
ACCOUNT, PASSWORD = "proof-nurse", b"Sandbox-password-1"
NEW_ACCOUNT, NEW_PASSWORD = "wang.test", b"Invented-password-1"
MOST_ACTS = 30  # keys of a person until the receipt, with a trouble on the way
Change = Callable[[bytes], "bytes | CardError"]


class Stuck(Exception):
    """The wizard did not come to an end of its work, or not to the receipt."""


@dataclass
class Breaker:
    """card.port.Readers over the embedded ones: from command `at` on, what `change` makes of it.

    With `keys` a control code of the reader is a command, too; what a reader without any says to
    one is no answer that could break. `open`: connections that were not let go of.
    """

    embedded: EmbeddedReaders
    keys: bool = False
    at: int = -1
    change: Change | None = None
    lost: bool = False
    lasting: bool = False
    sent: int = 0
    open: int = 0

    def slots(self) -> tuple[Slot, ...]:
        return self.embedded.slots()

    def wait(self, known: tuple[Slot, ...]) -> tuple[Slot, ...]:
        return self.embedded.wait(known)

    def wait_for_service(self) -> None:
        self.embedded.wait_for_service()

    def cancel(self) -> None:
        self.embedded.cancel()

    def connect(self, reader: str) -> Connection:
        connection = BrokenConnection(self, self.embedded.connect(reader))
        self.open += 1
        return connection

    def close(self) -> None:
        self.embedded.close()


@dataclass
class BrokenConnection:
    """One connection of a Breaker's."""

    owner: Breaker
    inner: EmbeddedConnection
    closed: bool = False

    @property
    def reader(self) -> str:
        return self.inner.reader

    @property
    def atr(self) -> bytes:
        return self.inner.atr

    @property
    def stay(self) -> object | None:
        return self.inner.stay

    def transmit(self, command: bytes | bytearray) -> bytes:
        return self._through(lambda: self.inner.transmit(command))

    def control(self, code: int, data: bytes) -> bytes:
        if not self.owner.keys:
            return self.inner.control(code, data)
        return self._through(lambda: self.inner.control(code, data))

    def _through(self, ask: Callable[[], bytes]) -> bytes:
        owner = self.owner
        number, owner.sent = owner.sent, owner.sent + 1
        hit = number == owner.at or (owner.lasting and number > owner.at >= 0)
        if owner.change is None or not hit:
            return ask()
        changed = owner.change(b"\x6f\x00" if owner.lost else ask())
        if isinstance(changed, CardError):
            raise changed
        return changed

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self.inner.transaction():
            yield

    def close(self) -> None:
        self.owner.open -= not self.closed
        self.closed = True
        self.inner.close()


class Parts(DemoBackends):
    """The demo's backends, with the readers and the service's address of a proof."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(SCENARIOS["ok"])
        self._desk = desk
        self._client: HttpsService | None = None

    def readers(self) -> Readers:
        return self._desk.breaker

    def anchors(self) -> tuple[x509.Certificate, ...]:
        """None: the desk's cards are of a CA that the demo does not know."""
        return ()

    def service(self) -> Service:
        desk = self._desk
        self._client = HttpsService(
            desk.url,
            ca_file=desk.ca,
            timeout=desk.timeout,
            deadline=4 * desk.timeout,
            pauses=(0.0, 0.0),
        )
        return self._client

    def patient(self) -> None:
        """From now on the client waits as long as people's own does."""
        if self._client is not None:
            self._client._timeout, self._client._deadline = 10.0, 30.0


@dataclass
class Desk:
    """One card in one reader, one service; used for cell after cell.

    `keys`: the reader has keys of its own, and somebody who enters the card's PIN there.
    """

    database: Path
    url: str
    ca: Path
    card: VirtualCard
    timeout: float = 10.0
    keys: bool = False
    breaker: Breaker = field(init=False)

    def __post_init__(self) -> None:
        self.lay_out()

    def lay_out(self) -> None:
        """The card in its reader, with all its tries."""
        self.card.reset()
        self.card.tries_left = self.card.profile.pin.tries_left
        readers = EmbeddedReaders({READER: self.card})
        if self.keys:
            readers.plug(READER, VirtualPad(self.card.profile.pin.value))
        self.breaker = Breaker(readers, self.keys)

    def fresh(self) -> None:
        """A new day: the card, and the service's bindings, as they were in the beginning."""
        self.lay_out()
        with closing(sqlite3.connect(self.database, timeout=30)) as db:
            for table in (
                "answers",
                "receipts",
                "bindings",
                "verifications",
                "challenges",
                "sessions",
            ):
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - names from the line above
            db.execute("DELETE FROM accounts WHERE account != ?", (ACCOUNT,))
            db.commit()

    def rows(self, query: str, *values: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as db:
            return db.execute(query, values).fetchall()

    def bound(self) -> list[tuple[object, ...]]:
        """(receipt, account) of every binding that is whole."""
        return self.rows(
            "SELECT receipts.id, account FROM bindings JOIN receipts USING (account_id, card)"
            " JOIN accounts ON accounts.id = account_id"
        )

    def half(self) -> list[tuple[object, ...]]:
        """What a binding that was made by half, or twice, would leave."""
        return self.rows(
            "SELECT 'no receipt' FROM bindings LEFT JOIN receipts USING (account_id, card)"
            " WHERE receipts.id IS NULL"
            " UNION ALL SELECT 'no binding' FROM receipts LEFT JOIN bindings"
            " USING (account_id, card) WHERE bindings.card IS NULL"
            " UNION ALL SELECT 'no binding of a new account' FROM accounts LEFT JOIN bindings"
            " ON account_id = accounts.id WHERE card IS NULL AND account != ?"
            " UNION ALL SELECT 'two bindings' WHERE (SELECT count(*) FROM bindings) > 1",
            ACCOUNT,
        )


class Person:
    """Drives one engine; `pins` counts how often Enter was pressed on a PIN.

    `entries`: of these, how often for an entry on the reader's keys.
    """

    def __init__(self, desk: Desk, purpose: Purpose) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._desk = desk
        self._purpose = purpose
        self.pins = self.entries = 0
        self.codes: list[str] = []
        self.moved: Callable[[Wizard], None] = lambda _: None
        self._parts = Parts(desk)
        self.engine = Engine(self._parts, self._calls.put, self._changed)

    @property
    def wizard(self) -> Wizard:
        return self.engine.wizard

    def _changed(self, old: Wizard, new: Wizard) -> None:
        if new.failure is not None and new.failure is not old.failure:
            explained = entry(new.failure.code)  # KeyError: a failure that nobody could explain
            assert explained.steps, f"no steps for {new.failure.code}"
            self.codes.append(new.failure.code)
        self.moved(new)

    def settle(self) -> None:
        """Until nothing runs; what the threads said is dealt with."""
        end = time.monotonic() + PATIENCE
        while self.wizard.busy is not None or not self._calls.empty():
            try:
                self._calls.get(timeout=max(0.0, end - time.monotonic()))()
            except queue.Empty:
                raise Stuck(f"{self.wizard.step}, {self.wizard.busy}") from None

    def until_slots(self) -> None:
        """The watch of the readers has told what is in them."""
        end = time.monotonic() + PATIENCE
        while not self.wizard.cards and self.wizard.failure is None:
            try:
                self._calls.get(timeout=max(0.0, end - time.monotonic()))()
            except queue.Empty:
                raise Stuck("no readers") from None

    def act(self) -> None:
        """One key, or one line, as the step at hand asks for it; then the end of what it starts."""
        now, engine = self.wizard, self.engine
        match now.step:
            case Step.WELCOME:
                engine.start(self._purpose)
            case Step.READER:
                self.until_slots()
                self.settle()
                engine.choose_reader(READER)
            case Step.CARD if now.card is not None and not now.card_gone and now.failure is None:
                engine.confirm_card(ACCOUNT if self._purpose is Purpose.REBIND else "")
            case Step.PIN if on_pad(now) and keyboard_instead(now) and _keys_refused(now):
                engine.change_keys()  # F4, as the remedy says
            case Step.PIN if last_try_open(now):
                engine.confirm_last_try()
            case Step.PIN if pin_allowed(now):
                pin = Pin()
                for byte in self._desk.card.profile.pin.value:
                    pin.append(byte)
                self.pins += 1
                engine.secret(pin)
                self.settle()
                assert len(pin) == 0
            case Step.PIN if pad_allowed(now):
                self.pins += 1
                self.entries += 1
                engine.enter_on_pad()
            case Step.FORM if not now.undecided:
                engine.submit(
                    {
                        "account": NEW_ACCOUNT,
                        "password": bytearray(NEW_PASSWORD),
                        "name": "王測試",
                        "institution": "0000000000",
                        "title": "nurse",
                        "email": "wang@example.invalid",
                        "phone": "02-0000-0000",
                        "consent": "true",
                    }
                )
            case Step.SIGN_IN if now.session is None:
                password = Pin()
                for byte in PASSWORD:
                    password.append(byte)
                engine.secret(password)
            case _:
                engine.go_on()
        self.settle()

    def go(self, to: Step = Step.RECEIPT) -> None:
        """Until `to` waits for the person, or something failed."""
        for _ in range(MOST_ACTS):
            if self.wizard.failure is not None or self.wizard.step is to:
                return
            self.act()
        raise Stuck(f"{self.wizard.step} after {MOST_ACTS} keys")

    def finish(self) -> None:
        """From any trouble to the receipt, in a bounded number of keys."""
        for _ in range(MOST_ACTS):
            if self.wizard.step is Step.RECEIPT:
                return
            self.act()
        failure = self.wizard.failure
        raise Stuck(f"{self.wizard.step}, {failure.code if failure else None}; {self.codes}")

    def patient(self) -> None:
        """Nothing that was slow is slow any more, but for a busy computer."""
        self._parts.patient()

    def leave(self) -> None:
        self.engine.end()
        self.engine.let_go(PATIENCE)
        self._parts.close()


def _keys_refused(wizard: Wizard) -> bool:
    return wizard.failure is not None and wizard.failure.code == "card.pad.refused"


def new_card(authority: Authority, toml: str = "") -> VirtualCard:
    return VirtualCard(Profile.parse(toml), authority)
