"""Embedded readers through the card port: what the wizard sees of readers that come and go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from card.errors import (
    CardAbsent,
    CardCancelled,
    CardError,
    CardMute,
    CardRemoved,
    CardReset,
    PcscServiceMissing,
    ReaderGone,
    ReaderHeld,
    ReaderUnknown,
)
from card.port import Connection, Readers, Slot, SlotState
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile
from card.virtual.readers import EmbeddedReaders

LEFT, RIGHT = "TEST Reader 00 00", "TEST Reader 00 01"
TRIES = bytes.fromhex("00200081")
SECONDS = 20


@pytest.fixture
def card() -> VirtualCard:
    return VirtualCard(Profile.parse('kind = "foreign"'))


@pytest.fixture
def readers(card: VirtualCard) -> EmbeddedReaders:
    return EmbeddedReaders({LEFT: card, RIGHT: None})


def states(readers: Readers) -> dict[str, SlotState]:
    return {slot.reader: slot.state for slot in readers.slots()}


def test_the_port_is_kept(readers: EmbeddedReaders) -> None:
    port: Readers = readers
    connection: Connection = port.connect(LEFT)
    assert connection.reader == LEFT


def test_slots(readers: EmbeddedReaders, card: VirtualCard) -> None:
    assert states(readers) == {LEFT: SlotState.PRESENT, RIGHT: SlotState.EMPTY}
    assert readers.slots()[0].atr == card.atr
    readers.hold(LEFT, True)
    readers.insert(RIGHT, VirtualCard(Profile.named("mute")))
    assert states(readers) == {LEFT: SlotState.HELD, RIGHT: SlotState.MUTE}
    readers.unplug(LEFT)
    assert states(readers) == {RIGHT: SlotState.MUTE}
    assert EmbeddedReaders().slots() == ()


def test_connect(readers: EmbeddedReaders) -> None:
    connection = readers.connect(LEFT)
    with connection.transaction():
        assert connection.transmit(bytearray(TRIES)) == b"\x6a\x88"
    connection.close()
    for reader, error in ((RIGHT, CardAbsent), ("none", ReaderUnknown)):
        with pytest.raises(error):
            readers.connect(reader)
    readers.hold(LEFT, True)
    with pytest.raises(ReaderHeld):
        readers.connect(LEFT)
    readers.hold(LEFT, False)
    readers.connect(LEFT)
    readers.insert(RIGHT, VirtualCard(Profile.named("mute")))
    with pytest.raises(CardMute):
        readers.connect(RIGHT)


def pulled(readers: EmbeddedReaders) -> None:
    readers.remove(LEFT)


def swapped(readers: EmbeddedReaders) -> None:
    readers.insert(LEFT, VirtualCard(Profile.parse('kind = "foreign"')))


def unplugged(readers: EmbeddedReaders) -> None:
    readers.unplug(LEFT)


def plugged_again(readers: EmbeddedReaders) -> None:
    readers.unplug(LEFT)
    readers.plug(LEFT)


def reset(readers: EmbeddedReaders) -> None:
    readers.reset(LEFT)


def daemon_gone(readers: EmbeddedReaders) -> None:
    readers.fail(PcscServiceMissing())


@pytest.mark.parametrize(
    ("happens", "error"),
    [
        (pulled, CardRemoved),
        (swapped, CardRemoved),
        (unplugged, ReaderGone),
        (plugged_again, CardRemoved),
        (reset, CardReset),
        (daemon_gone, PcscServiceMissing),
    ],
)
def test_in_the_middle_of_work(
    readers: EmbeddedReaders, happens: Callable[[EmbeddedReaders], None], error: type[CardError]
) -> None:
    connection = readers.connect(LEFT)
    connection.transmit(TRIES)
    happens(readers)
    for _ in range(2):
        with pytest.raises(error):
            connection.transmit(TRIES)
        with pytest.raises(error), connection.transaction():
            pass
    connection.close()


def test_the_same_card_put_back_is_another_insertion(
    readers: EmbeddedReaders, card: VirtualCard
) -> None:
    before = readers.slots()
    connection = readers.connect(LEFT)
    readers.remove(LEFT)
    readers.insert(LEFT, card)
    with pytest.raises(CardRemoved):
        connection.transmit(TRIES)
    assert readers.slots() != before
    assert readers.connect(LEFT).transmit(TRIES) == b"\x6a\x88"


@pytest.mark.parametrize(
    ("answer", "error", "state"),
    [("mute", CardMute, SlotState.MUTE), ("remove", CardRemoved, SlotState.EMPTY)],
)
def test_a_fault_reaches_the_reader(answer: str, error: type[CardError], state: SlotState) -> None:
    toml = f'kind = "foreign"\n[[fault]]\nat = "#1"\nanswer = "{answer}"'
    readers = EmbeddedReaders({LEFT: VirtualCard(Profile.parse(toml))})
    with pytest.raises(error):
        readers.connect(LEFT).transmit(TRIES)
    assert states(readers) == {LEFT: state}


def test_a_failing_service_fails_everywhere(readers: EmbeddedReaders) -> None:
    known = readers.slots()
    readers.fail(PcscServiceMissing())
    calls: tuple[Callable[[], object], ...] = (
        readers.slots,
        lambda: readers.wait(known),
        lambda: readers.connect(LEFT),
    )
    for call in calls:
        with pytest.raises(PcscServiceMissing):
            call()
    readers.fail(None)
    assert readers.slots() == known


@pytest.mark.parametrize("method", ["insert", "remove", "hold", "reset"])
def test_the_hand_needs_a_reader(readers: EmbeddedReaders, card: VirtualCard, method: str) -> None:
    arguments = {"insert": (card,), "hold": (True,)}.get(method, ())
    with pytest.raises(ReaderUnknown):
        getattr(readers, method)("none", *arguments)


# --- waiting -------------------------------------------------------------------------------------


@pytest.fixture
def waiting(
    readers: EmbeddedReaders, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Future[tuple[Slot, ...]]]]:
    """Start a `wait` in a thread, and return once it blocks or has ended."""
    with ThreadPoolExecutor(1) as executor:

        def start() -> Future[tuple[Slot, ...]]:
            blocked = threading.Event()
            inner = readers._changed.wait_for

            def wait_for(predicate: Callable[[], object]) -> object:
                blocked.set()  # the lock is held from here until the wait itself lets go of it
                return inner(predicate)

            monkeypatch.setattr(readers._changed, "wait_for", wait_for)
            future = executor.submit(readers.wait, readers.slots())
            assert blocked.wait(SECONDS)
            return future

        yield start
        readers.close()


Waiting = Callable[[], "Future[tuple[Slot, ...]]"]


def test_wait_sees_a_change(readers: EmbeddedReaders, waiting: Waiting, card: VirtualCard) -> None:
    future = waiting()
    readers.remove(LEFT)
    assert future.result(SECONDS)[0].state is SlotState.EMPTY
    future = waiting()
    readers.plug("TEST Reader 01 00")
    assert len(future.result(SECONDS)) == 3
    future = waiting()
    readers.insert(LEFT, card)
    assert future.result(SECONDS)[0].state is SlotState.PRESENT


def test_wait_returns_at_once_where_things_have_changed(readers: EmbeddedReaders) -> None:
    known = readers.slots()
    readers.remove(LEFT)
    assert readers.wait(known) == readers.slots()


def test_wait_is_cancelled(readers: EmbeddedReaders, waiting: Waiting) -> None:
    future = waiting()
    readers.cancel()
    with pytest.raises(CardCancelled):
        future.result(SECONDS)
    future = waiting()  # once is once
    readers.remove(LEFT)
    assert future.result(SECONDS)[0].state is SlotState.EMPTY


def test_a_cancel_just_before_wait_counts(readers: EmbeddedReaders) -> None:
    readers.cancel()
    with pytest.raises(CardCancelled):
        readers.wait(readers.slots())


def test_wait_ends_when_the_service_does(readers: EmbeddedReaders, waiting: Waiting) -> None:
    future = waiting()
    readers.fail(PcscServiceMissing())
    with pytest.raises(PcscServiceMissing):
        future.result(SECONDS)


def test_wait_ends_with_close(readers: EmbeddedReaders, waiting: Waiting) -> None:
    future = waiting()
    readers.close()
    with pytest.raises(CardCancelled):
        future.result(SECONDS)
