"""The real parts of a binding: the sandbox and the virtual card as processes, as people start them.

`hca-bind` runs from the environment that runs the tests, so these are the installed commands.
"""

from __future__ import annotations

import json
import os
import queue
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pcscd import DEADLINE, Pcscd, wait_until

from card.pcsc import PcscReaders
from card.port import SlotState
from card.virtual import vpcd
from card.virtual.authority import FILE
from card.virtual.card import VirtualCard

HCA_BIND = str(Path(sys.executable).with_name("hca-bind"))
PIN, WRONG_PIN = "Test-123", "Test-124"
ACCOUNT, PASSWORD = "test-nurse", "Sandbox-password-1"


@dataclass(frozen=True)
class Service:
    """A running `hca-bind sandbox`."""

    process: subprocess.Popen[str]
    url: str
    ca: Path
    database: Path
    responder: str = ""  # of its --responder

    @property
    def options(self) -> list[str]:
        """How the program is told to use it."""
        return ["--service", self.url, "--ca", str(self.ca)]

    def rows(self, query: str, *values: str) -> list[tuple[object, ...]]:
        """What its SQLite file says, read as any other program would read it."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as database:
            return database.execute(query, values).fetchall()

    def bindings(self, account: str) -> list[tuple[object, ...]]:
        """(receipt, purpose, holder) of every receipt whose card is bound to `account` now."""
        return self.rows(
            "SELECT receipts.id, purpose, holder FROM bindings"
            " JOIN accounts ON accounts.id = bindings.account_id"
            " JOIN receipts USING (account_id, card) WHERE account = ?",
            account,
        )


@contextmanager
def service(
    data: Path,
    authority: Path,
    *,
    port: int = 0,
    faults: Sequence[str] = (),
    revocation: str | None = None,
) -> Iterator[Service]:
    """`hca-bind sandbox` over TLS, trusting the cards of the CA kept in `authority`.

    `revocation`: how it wants certificates looked up; it answers for the CA itself, then.
    """
    password, end = os.pipe()
    os.write(end, PASSWORD.encode())
    os.close(end)
    command = [HCA_BIND, "sandbox", "--port", str(port), "--data", str(data)]
    command += ["--card-ca", str(authority / FILE)]
    command += ["--account", ACCOUNT, "--password-fd", str(password)]
    command += [part for fault in faults for part in ("--fault", fault)]
    if revocation is not None:
        command += ["--revocation", revocation, "--responder", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, encoding="utf-8", pass_fds=(password,)
    )
    os.close(password)
    try:
        ready = first_line(process)
        assert ready.startswith("sandbox ready: url="), ready
        url, _, rest = ready.removeprefix("sandbox ready: url=").partition(" ca=")
        ca, _, responder = rest.partition(" responder=")
        yield Service(process, url, Path(ca), data / "sandbox.sqlite3", responder)
    finally:
        end_process(process)


@contextmanager
def card_process(pcscd: Pcscd, authority: Path, profile: str = "ok") -> Iterator[None]:
    """`hca-bind virtual-card` in the first reader, seen there by PC/SC."""
    command = [HCA_BIND, "virtual-card", "--vpcd", f"127.0.0.1:{pcscd.ports[0]}"]
    command += ["--authority", str(authority), "--profile", profile]
    wait_for_slot(SlotState.EMPTY)
    process = subprocess.Popen(command)
    try:
        wait_for_slot(SlotState.PRESENT)
        yield
    finally:
        end_process(process)
        if pcscd.running:
            wait_for_slot(SlotState.EMPTY)


@contextmanager
def card_in_reader(pcscd: Pcscd, card: VirtualCard, reader: int = 0) -> Iterator[VirtualCard]:
    """The card in a reader by a thread of this process, so that its own counters can be read."""
    wait_for_slot(SlotState.EMPTY, reader)
    stop = threading.Event()
    thread = threading.Thread(
        target=vpcd.serve, args=(card, "127.0.0.1", pcscd.ports[reader], stop), daemon=True
    )
    thread.start()
    try:
        wait_for_slot(SlotState.PRESENT, reader)
        yield card
    finally:
        stop.set()
        thread.join(DEADLINE)
        if pcscd.running:
            wait_for_slot(SlotState.EMPTY, reader)


def wait_for_slot(state: SlotState, reader: int = 0) -> None:
    """Until PC/SC says so of the reader with this number; one that was pulled out is empty."""
    readers = PcscReaders()

    def is_so() -> bool:
        slots = readers.slots()
        found = slots[reader].state if reader < len(slots) else SlotState.EMPTY
        return found is state

    try:
        wait_until(is_so, f"reader {reader} {state.value}")
    finally:
        readers.close()


def trace(file: Path) -> list[dict[str, object]]:
    """The rows of a `--trace FILE`."""
    return [json.loads(line) for line in file.read_text("ascii").splitlines()]


def pins_sent(rows: list[dict[str, object]]) -> int:
    """VERIFY commands with a PIN: without one, VERIFY has Lc 0 and asks for the tries left."""
    return sum(row["ins"] == "20" and row["lc"] is None for row in rows)


def end_process(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """SIGTERM, as an administrator ends a service."""
    process.terminate()
    try:
        process.wait(DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(DEADLINE)
    if process.stdout is not None:
        process.stdout.close()


def first_line(process: subprocess.Popen[str]) -> str:
    """What the process says first: that it is ready."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    output = process.stdout
    assert output is not None
    threading.Thread(target=lambda: lines.put(output.readline()), daemon=True).start()
    try:
        return lines.get(timeout=DEADLINE).strip()
    except queue.Empty:
        pytest.fail("not ready in time")


def opensc_configuration(card: VirtualCard) -> str:
    """opensc.conf with a driver for this card's ATR, and without a cache of its files.

    MaskTech is OpenSC's driver for a plain ISO 7816-4 card: SELECT, VERIFY, MSE SET and PSO:CDS by
    the book, nothing of its own but a serial number command that a card may refuse.
    """
    driver = f'card_atr {card.atr.hex(":")} {{ driver = "MaskTech"; }}'
    return f"app default {{ {driver} framework pkcs15 {{ use_file_caching = no; }} }}\n"
