"""Readers and cards through the real pcscd: insertions, restarts, other programs, a signature."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pcscd import DEADLINE, Pcscd, wait_until

from card.errors import (
    CardAbsent,
    CardCancelled,
    CardError,
    CardRemoved,
    CardReset,
    PcscError,
    PcscLibraryMissing,
    PcscServiceMissing,
    PcscServiceStopped,
    PinWrong,
    ReaderHeld,
    ReaderUnknown,
)
from card.opening import open_card
from card.pcsc import PcscReaders
from card.pin import Pin
from card.port import Exchange, Slot, SlotState
from card.seen import Seen
from card.virtual import vpcd
from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile

EC = '[key]\ntype = "EC"\n'
MESSAGE = b"m" * 64
VERIFY = 0x20


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture
def readers(pcscd: Pcscd) -> Iterator[PcscReaders]:
    found = PcscReaders()
    wait_until(lambda: all(s.state is SlotState.EMPTY for s in found.slots()), "empty readers")
    yield found
    found.close()


@contextmanager
def inserted(pcscd: Pcscd, card: VirtualCard, slot: int = 0) -> Iterator[str]:
    """The card lies in the reader for the time of the block; gives the reader's name."""
    name = pcscd.readers[slot]
    watch = PcscReaders()
    # pcscd looks at a slot every 0.4 s; the card before may still be there for it.
    wait_until(lambda: state(watch.slots(), name) is SlotState.EMPTY, "the empty reader")
    stop = threading.Event()
    thread = threading.Thread(
        target=vpcd.serve, args=(card, "127.0.0.1", pcscd.ports[slot], stop), daemon=True
    )
    thread.start()
    try:
        wait_until(lambda: state(watch.slots(), name) is not SlotState.EMPTY, "the card")
        yield name
    finally:
        watch.close()
        stop.set()
        thread.join(DEADLINE)
        assert not thread.is_alive()


def state(slots: tuple[Slot, ...], reader: str) -> SlotState:
    return next(slot.state for slot in slots if slot.reader == reader)


def pin_of(characters: bytes) -> Pin:
    pin = Pin()
    for byte in characters:
        assert pin.append(byte)
    return pin


class Waiting:
    """`wait` in a thread of its own, and how it ended."""

    def __init__(self, readers: PcscReaders, known: tuple[Slot, ...]) -> None:
        self.outcome: tuple[Slot, ...] | CardError | None = None
        self._thread = threading.Thread(target=self._run, args=(readers, known), daemon=True)
        self._thread.start()

    def _run(self, readers: PcscReaders, known: tuple[Slot, ...]) -> None:
        try:
            self.outcome = readers.wait(known)
        except CardError as error:
            self.outcome = error

    def end(self) -> tuple[Slot, ...] | CardError | None:
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "wait did not end"
        return self.outcome


OTHER_PROGRAM = """
import sys
from smartcard import scard
reader, share, what = sys.argv[1], getattr(scard, sys.argv[2]), getattr(scard, sys.argv[3])
_, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
status, card, _ = scard.SCardConnect(context, reader, share, 3)
if "transaction" in sys.argv:
    status = scard.SCardBeginTransaction(card)
print(status, flush=True)
sys.stdin.readline()
scard.SCardDisconnect(card, what)
print("left", flush=True)
"""


class OtherProgram:
    """Another process that has connected to the card; it leaves when it is told to."""

    def __init__(self, pcscd: Pcscd, reader: str, *how: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OTHER_PROGRAM, reader, *how],
            env=pcscd.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "0\n"

    def leave(self) -> None:
        output, _ = self.process.communicate("\n", timeout=DEADLINE)
        assert output == "left\n"


@contextmanager
def other_program(pcscd: Pcscd, reader: str, *how: str) -> Iterator[OtherProgram]:
    program = OtherProgram(pcscd, reader, *how)
    try:
        yield program
    finally:
        program.process.kill()
        program.process.wait(DEADLINE)


def test_a_signature_through_the_daemon(
    pcscd: Pcscd, readers: PcscReaders, authority: Authority
) -> None:
    card = VirtualCard(Profile(), authority)
    trace: list[Exchange] = []
    with inserted(pcscd, card) as reader:
        opened = open_card(readers, reader, accepted={"HPC"}, tracer=trace.append)
        assert opened.reader == reader == "Virtual PCD 00 00"
        signature = opened.sign(pin_of(b"Test-123"), MESSAGE, opened.tries_left())
        opened.close()
        opened.close()
    assert (signature.algorithm, len(signature.value)) == ("RS256", 256)
    assert card.verify_count == 1
    assert len(trace) <= 16


@pytest.mark.parametrize("extended", ["true", "false"])
def test_a_wrong_pin_costs_one_try(
    pcscd: Pcscd, readers: PcscReaders, authority: Authority, extended: str
) -> None:
    card = VirtualCard(Profile.parse(f"extended_length = {extended}\n{EC}"), authority)
    with inserted(pcscd, card) as reader:
        opened = open_card(readers, reader)
        with pytest.raises(PinWrong) as caught:
            opened.sign(pin_of(b"wrong-99"), MESSAGE, opened.tries_left())
        assert caught.value.tries_left == opened.tries_left() == 2
        opened.close()
    assert card.verify_count == 1


def test_waiting_sees_insertion_and_removal(
    pcscd: Pcscd, readers: PcscReaders, authority: Authority
) -> None:
    card = VirtualCard(Profile.parse(EC), authority)
    empty = readers.slots()
    assert [slot.reader for slot in empty] == list(pcscd.readers)
    waiting = Waiting(readers, empty)
    with inserted(pcscd, card, slot=1) as reader:
        present = waiting.end()
        assert isinstance(present, tuple)
        assert state(present, reader) is SlotState.PRESENT
        assert present[1].atr == card.atr
        assert present[0] == empty[0]
        waiting = Waiting(readers, present)
    absent = waiting.end()
    assert isinstance(absent, tuple)
    assert state(absent, reader) is SlotState.EMPTY
    assert empty[1].changes < present[1].changes < absent[1].changes


def test_a_swapped_card_counts_as_a_change(
    pcscd: Pcscd, readers: PcscReaders, authority: Authority
) -> None:
    card = VirtualCard(Profile.parse(EC), authority)
    with inserted(pcscd, card):
        first = readers.slots()
    with inserted(pcscd, card):
        second = readers.slots()
    assert first[0].atr == second[0].atr
    assert first[0].changes != second[0].changes


def test_a_card_is_known_where_it_lies_and_only_there(
    pcscd: Pcscd, readers: PcscReaders, authority: Authority
) -> None:
    card, seen = VirtualCard(Profile.parse(EC), authority), Seen()

    def commands() -> int:
        before = card.transmitted
        open_card(readers, pcscd.readers[0], seen=seen).close()
        return card.transmitted - before

    counts = []
    for _ in range(2):  # a new daemon counts from the beginning
        pcscd.restart()
        with inserted(pcscd, card):
            counts.append(readers.slots()[0].changes)
            assert commands() > 0
            assert commands() == 0
    assert counts[0] == counts[1]
    with inserted(pcscd, card):
        assert commands() > 0


def test_cancelling_a_wait(readers: PcscReaders) -> None:
    for _ in range(20):  # the moment before it blocks is met too
        waiting = Waiting(readers, readers.slots())
        readers.cancel()
        assert isinstance(waiting.end(), CardCancelled)


def test_a_cancel_between_two_waits_ends_the_next_and_only_that(
    pcscd: Pcscd, readers: PcscReaders, authority: Authority
) -> None:
    readers.cancel()
    with pytest.raises(CardCancelled):
        readers.wait(readers.slots())
    waiting = Waiting(readers, readers.slots())
    with inserted(pcscd, VirtualCard(Profile.parse(EC), authority)):
        assert isinstance(waiting.end(), tuple)


def test_working_while_another_thread_waits(
    pcscd: Pcscd, readers: PcscReaders, authority: Authority
) -> None:
    with inserted(pcscd, VirtualCard(Profile.parse(EC), authority)) as reader:
        waiting = Waiting(readers, readers.slots())
        opened = open_card(readers, reader)
        assert opened.sign(pin_of(b"Test-123"), MESSAGE, 3).algorithm == "ES256"
        opened.close()
        assert waiting.outcome is None
        readers.cancel()
        assert isinstance(waiting.end(), CardCancelled)


def test_the_daemon_ends_and_is_started_again(
    pcscd: Pcscd, readers: PcscReaders, authority: Authority
) -> None:
    card = VirtualCard(Profile.parse(EC), authority)
    with inserted(pcscd, card) as reader:
        opened = open_card(readers, reader)
        assert opened.tries_left() == 3  # as the card told when it was opened
        waiting = Waiting(readers, readers.slots())
        pcscd.stop()
        assert isinstance(waiting.end(), PcscServiceMissing | PcscServiceStopped)
        with pytest.raises(PcscError) as caught:
            opened.tries_left()
        assert isinstance(caught.value, PcscServiceMissing | PcscServiceStopped)
        with pytest.raises(PcscServiceMissing):
            readers.slots()
        with pytest.raises(PcscServiceMissing):
            readers.wait(())
        with pytest.raises(PcscServiceMissing):
            readers.connect(reader)
        opened.close()
    pcscd.start()
    assert len(readers.slots()) == 2
    with inserted(pcscd, card) as reader:
        again = open_card(readers, reader)
        assert again.sign(pin_of(b"Test-123"), MESSAGE, again.tries_left()).algorithm == "ES256"
        again.close()
    assert card.verify_count == 1


def test_a_daemon_that_was_away_is_noticed_without_asking_for_it(
    pcscd: Pcscd, readers: PcscReaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    pcscd.stop()
    with pytest.raises(PcscServiceMissing):
        readers.slots()
    asked: list[int] = []
    monkeypatch.setattr(readers.scard, "SCardEstablishContext", asked.append)
    waiting = threading.Thread(target=readers.wait_for_service, daemon=True)
    waiting.start()
    waiting.join(1.0)
    assert waiting.is_alive(), "nothing has come back"
    pcscd.start()
    waiting.join(DEADLINE)
    assert not waiting.is_alive()
    assert asked == []
    monkeypatch.undo()
    assert len(readers.slots()) == 2


def test_cancelling_the_wait_for_a_daemon(pcscd: Pcscd, readers: PcscReaders) -> None:
    pcscd.stop()
    try:
        for _ in range(5):
            ended: list[CardError] = []

            def wait(ended: list[CardError] = ended) -> None:
                try:
                    readers.wait_for_service()
                except CardCancelled as error:
                    ended.append(error)

            thread = threading.Thread(target=wait, daemon=True)
            thread.start()
            readers.cancel()
            thread.join(DEADLINE)
            assert ended
    finally:
        pcscd.start()


def test_a_daemon_restarted_between_two_calls_is_not_noticed(
    pcscd: Pcscd, readers: PcscReaders
) -> None:
    before = readers.slots()
    pcscd.restart()
    assert [slot.reader for slot in readers.slots()] == [slot.reader for slot in before]


def test_a_daemon_without_readers(pcscd: Pcscd) -> None:
    pcscd.stop()
    pcscd.start(readers=False)
    try:
        readers = PcscReaders()
        assert readers.slots() == ()
        waiting = Waiting(readers, ())
        readers.cancel()
        assert isinstance(waiting.end(), CardCancelled)
        with pytest.raises(ReaderUnknown) as caught:
            readers.connect("Virtual PCD 00 00")
        assert caught.value.reader == "Virtual PCD 00 00"
        readers.close()
    finally:
        pcscd.stop()


def test_an_empty_and_an_unknown_reader(readers: PcscReaders) -> None:
    with pytest.raises(CardAbsent):
        readers.connect("Virtual PCD 00 00")
    with pytest.raises(ReaderUnknown):
        readers.connect("No Such Reader 00 00")


def test_a_card_held_by_another_program(
    pcscd: Pcscd, readers: PcscReaders, authority: Authority
) -> None:
    with (
        inserted(pcscd, VirtualCard(Profile.parse(EC), authority)) as reader,
        other_program(pcscd, reader, "SCARD_SHARE_EXCLUSIVE", "SCARD_LEAVE_CARD") as holder,
    ):
        held = readers.slots()
        assert state(held, reader) is SlotState.HELD
        with pytest.raises(ReaderHeld) as caught:
            open_card(readers, reader)
        assert caught.value.facts() == {"reader": reader}
        waiting = Waiting(readers, held)
        holder.leave()
        freed = waiting.end()
        assert isinstance(freed, tuple)
        assert state(freed, reader) is SlotState.PRESENT
        open_card(readers, reader).close()


SHARED_TRANSACTION = ("SCARD_SHARE_SHARED", "SCARD_LEAVE_CARD", "transaction")


def test_another_programs_long_transaction_is_not_waited_for_for_ever(
    pcscd: Pcscd, authority: Authority
) -> None:
    readers = PcscReaders(patience=0.2)
    card = VirtualCard(Profile.parse(EC), authority)
    with inserted(pcscd, card) as reader:
        opened = open_card(readers, reader)
        with other_program(pcscd, reader, *SHARED_TRANSACTION) as other:
            pin = pin_of(b"Test-123")
            with pytest.raises(ReaderHeld):
                opened.sign(pin, MESSAGE, 3)
            assert len(pin) == 0
            with pytest.raises(ReaderHeld):
                opened.tries_left()
            with pytest.raises(ReaderHeld):
                open_card(readers, reader)
            opened.close()
            assert len(readers.slots()) == 2
            other.leave()
        again = open_card(readers, reader)
        assert again.sign(pin_of(b"Test-123"), MESSAGE, 3).algorithm == "ES256"
        again.close()
    readers.close()
    assert card.verify_count == 1


def test_closing_beside_another_programs_transaction(
    pcscd: Pcscd, readers: PcscReaders, authority: Authority
) -> None:
    with inserted(pcscd, VirtualCard(Profile.parse(EC), authority)) as reader:
        opened = open_card(readers, reader)
        with other_program(pcscd, reader, *SHARED_TRANSACTION) as other:
            opened.close()
            assert len(readers.slots()) == 2
            other.leave()
        open_card(readers, reader).close()


def test_a_shared_card_is_left_to_the_other_program_as_it_was(
    pcscd: Pcscd, readers: PcscReaders, authority: Authority
) -> None:
    from smartcard import scard

    with (
        inserted(pcscd, VirtualCard(Profile.parse(EC), authority)) as reader,
    ):
        _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
        _, other, protocol = scard.SCardConnect(context, reader, scard.SCARD_SHARE_SHARED, 3)
        pci = scard.SCARD_PCI_T1 if protocol == scard.SCARD_PROTOCOL_T1 else scard.SCARD_PCI_T0
        opened = open_card(readers, reader)
        assert opened.sign(pin_of(b"Test-123"), MESSAGE, 3).algorithm == "ES256"
        opened.close()
        status, answer = scard.SCardTransmit(other, pci, [0x00, VERIFY, 0x00, 0x81])
        assert (status, answer) == (0, [0x63, 0xC3])  # no reset, and no verified PIN either
        scard.SCardDisconnect(other, scard.SCARD_LEAVE_CARD)
        scard.SCardReleaseContext(context)


def test_a_reset_by_another_program_is_told_and_the_pin_is_not_sent(
    pcscd: Pcscd, readers: PcscReaders, authority: Authority
) -> None:
    card = VirtualCard(Profile.parse(EC), authority)
    with inserted(pcscd, card) as reader:
        opened = open_card(readers, reader)
        with other_program(pcscd, reader, "SCARD_SHARE_SHARED", "SCARD_RESET_CARD") as other:
            other.leave()
        with pytest.raises(CardReset):
            opened.sign(pin_of(b"Test-123"), MESSAGE, 3)
        opened.close()
        again = open_card(readers, reader)
        assert again.sign(pin_of(b"Test-123"), MESSAGE, 3).algorithm == "ES256"
        again.close()
    assert card.verify_count == 1


TRIES_AGAIN = "#11"  # nine commands open this card, and SELECT begins the signature


@pytest.mark.parametrize(
    ("at", "verifies"), [(TRIES_AGAIN, 0), ("VERIFY", 1), ("MSE", 1), ("PSO", 1)]
)
def test_a_card_pulled_out_while_signing(
    pcscd: Pcscd, readers: PcscReaders, authority: Authority, at: str, verifies: int
) -> None:
    fault = f'[[fault]]\nat = "{at}"\nanswer = "remove"\n'
    card = VirtualCard(Profile.parse(EC + fault), authority)
    with inserted(pcscd, card) as reader:
        opened = open_card(readers, reader)
        with pytest.raises(CardRemoved) as caught:
            opened.sign(pin_of(b"Test-123"), MESSAGE, None)
        assert caught.value.reader == reader
        opened.close()
    assert card.verify_count == verifies


def test_a_card_pulled_out_is_a_removed_card_before_the_next_command(
    pcscd: Pcscd, readers: PcscReaders, authority: Authority
) -> None:
    with inserted(pcscd, VirtualCard(Profile.parse(EC), authority)) as reader:
        opened = open_card(readers, reader)
        assert opened.tries_left() == 3  # as the card told when it was opened
        present = readers.slots()
    assert state(readers.wait(present), reader) is SlotState.EMPTY
    with pytest.raises(CardRemoved):
        opened.tries_left()
    opened.close()


@pytest.mark.skipif(sys.platform != "linux", reason="hides a library in a mount namespace")
def test_a_machine_without_the_library(pcscd: Pcscd) -> None:
    """pyscard would write over the screen and blame the service."""
    if not pcscd.private:
        pytest.skip("no mount namespace can be made here")
    program = (
        "from card.errors import PcscLibraryMissing\n"
        "from card.pcsc import PcscReaders\n"
        "try: PcscReaders()\n"
        "except PcscLibraryMissing as error: print(error.code)\n"
    )
    hide = (
        "for file in $(ldconfig -p | sed -n 's/.*libpcsclite.so.1.*=> //p'); do"
        ' mount --bind /dev/null "$(readlink -f "$file")"; done; exec "$@"'
    )
    result = subprocess.run(
        ["unshare", "-m", "sh", "-c", hide, "sh", sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    assert result.stdout == f"{PcscLibraryMissing.code}\n"
    assert result.stderr == ""
