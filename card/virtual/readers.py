"""Readers that exist in this process only: the card port over virtual cards."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from card.errors import (
    CardAbsent,
    CardCancelled,
    CardError,
    CardMute,
    CardRemoved,
    CardReset,
    PadRefused,
    ReaderGone,
    ReaderHeld,
    ReaderUnknown,
)
from card.port import Connection, Control, Slot, SlotState
from card.virtual.card import Presence, VirtualCard
from card.virtual.pad import VirtualPad


@dataclass
class _Socket:
    """One reader's slot; `changes` and `resets` tell a connection that its card is not the same."""

    card: VirtualCard | None = None
    pad: VirtualPad | None = None
    held: bool = False
    changes: int = 0
    resets: int = 0
    left: threading.Event = field(default_factory=threading.Event)  # the card, or the reader

    def slot(self, reader: str) -> Slot:
        if self.card is None:
            return Slot(reader, SlotState.EMPTY, changes=self.changes)
        if self.held:
            return Slot(reader, SlotState.HELD, self.card.atr, self.changes)
        state = SlotState.PRESENT if self.card.atr else SlotState.MUTE
        return Slot(reader, state, self.card.atr, self.changes)


class EmbeddedReaders:
    """card.port.Readers in this process; whoever holds it plugs, inserts and pulls.

    `delay` is the time that each APDU takes, in seconds. Every method may be called from any
    thread.
    """

    def __init__(
        self, readers: Mapping[str, VirtualCard | None] | None = None, *, delay: float = 0.0
    ) -> None:
        self.delay = delay
        self._changed = threading.Condition()
        self._count = itertools.count()  # never repeats, so a reader plugged in again is new
        self._sockets: dict[str, _Socket] = {}
        self._failure: CardError | None = None
        self._cancelled = False
        self._closed = False
        for reader, card in (readers or {}).items():
            self.plug(reader)
            if card is not None:
                self.insert(reader, card)

    # --- the port ---

    def slots(self) -> tuple[Slot, ...]:
        with self._changed:
            self._fail_if_told()
            return tuple(socket.slot(reader) for reader, socket in self._sockets.items())

    def wait(self, known: tuple[Slot, ...]) -> tuple[Slot, ...]:
        """As the port says; a `cancel` that came just before counts for the next `wait`."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._cancelled or self._closed or self._failure or self.slots() != known
            )
            if self._cancelled or self._closed:
                self._cancelled = False
                raise CardCancelled
            return self.slots()

    def wait_for_service(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._cancelled or self._closed or self._failure is None)
            if self._cancelled or self._closed:
                self._cancelled = False
                raise CardCancelled

    def cancel(self) -> None:
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def connect(self, reader: str) -> Connection:
        with self._changed:
            self._fail_if_told()
            socket = self._sockets.get(reader)
            if socket is None:
                raise ReaderUnknown(reader)
            if socket.card is None:
                raise CardAbsent(reader)
            if socket.held:
                raise ReaderHeld(reader)
            if not socket.card.atr:
                raise CardMute(reader)
            card = socket.card
            return EmbeddedConnection(self, reader, card, card.atr, socket.changes, socket.resets)

    @contextmanager
    def direct(self, slot: Slot) -> Iterator[Control]:
        with self._changed:
            self._fail_if_told()
            yield _Driver(self._socket(slot.reader))

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    # --- the hand ---

    def plug(self, reader: str, pad: VirtualPad | None = None) -> None:
        """Plug the reader in, empty; one that is there stays as it is but for its pad."""
        with self._changing():
            self._sockets.setdefault(reader, _Socket(changes=next(self._count))).pad = pad

    def unplug(self, reader: str) -> None:
        """Pull the reader out, with the card in it; one that is not there stays away."""
        with self._changing():
            socket = self._sockets.pop(reader, None)
            if socket is not None:
                socket.left.set()

    def insert(self, reader: str, card: VirtualCard) -> None:
        """Put a card in and power it. Raises ReaderUnknown."""
        with self._changing():
            socket = self._socket(reader)
            card.reset()
            socket.card = card
            socket.left = threading.Event()
            socket.changes = next(self._count)

    def remove(self, reader: str) -> None:
        """Take the card out, if there is one. Raises ReaderUnknown."""
        with self._changing():
            socket = self._socket(reader)
            if socket.card is not None:
                socket.card = None
                socket.left.set()
                socket.changes = next(self._count)

    def hold(self, reader: str, held: bool) -> None:
        """Another program takes the card for itself, or gives it back. Raises ReaderUnknown."""
        with self._changing():
            self._socket(reader).held = held

    def reset(self, reader: str) -> None:
        """Another program resets the card: connections get CardReset. Raises ReaderUnknown."""
        with self._changing():
            socket = self._socket(reader)
            if socket.card is not None:
                socket.card.reset()
                socket.resets += 1

    def fail(self, error: CardError | None) -> None:
        """From now on every call raises `error` (a PcscServiceMissing, say); None ends that."""
        with self._changing():
            self._failure = error

    def _socket(self, reader: str) -> _Socket:
        if reader not in self._sockets:
            raise ReaderUnknown(reader)
        return self._sockets[reader]

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._changed:
            yield
            self._changed.notify_all()

    def _fail_if_told(self) -> None:
        if self._failure is not None:
            raise self._failure

    def exchange(self, connection: EmbeddedConnection, command: bytes | None) -> bytes:
        """One command over a connection, after a check that its card is still the same one.

        None only checks. Raises as card.port.Connection.transmit.
        """
        reader, card = connection.reader, connection.card
        with self._changed:
            self._fail_if_told()
            socket = self._sockets.get(reader)
            if socket is None:
                raise ReaderGone(reader)
            if socket.card is not card or socket.changes != connection.changes:
                raise CardRemoved(reader)
            if socket.resets != connection.resets:
                raise CardReset(reader)
            response = b"" if command is None else card.transmit(command)
            if card.presence is Presence.REMOVED:
                self.remove(reader)
                raise CardRemoved(reader)
            if card.presence is Presence.MUTE:
                self._changed.notify_all()
                raise CardMute(reader)
            return response

    def control(self, connection: EmbeddedConnection, code: int, data: bytes) -> bytes:
        """One control code over a connection; others go on while a PIN is entered."""
        self.exchange(connection, None)
        answer = _Driver(self._socket(connection.reader)).control(code, data)
        if not answer:
            self.exchange(connection, None)
            raise CardRemoved(connection.reader)
        return answer


@dataclass(frozen=True)
class _Driver:
    """What answers the control codes of one reader."""

    socket: _Socket

    def control(self, code: int, data: bytes) -> bytes:
        pad, card = self.socket.pad, self.socket.card
        if pad is None:
            raise PadRefused(0)
        return pad.control(card, code, data, self.socket.left)


@dataclass(frozen=True)
class EmbeddedConnection:
    """card.port.Connection to a virtual card, as it lay in its reader at `changes`, `resets`."""

    readers: EmbeddedReaders
    reader: str
    card: VirtualCard
    atr: bytes
    changes: int
    resets: int

    @property
    def stay(self) -> object:
        return self.readers, self.changes

    def transmit(self, command: bytes | bytearray) -> bytes:
        time.sleep(self.readers.delay)
        return self.readers.exchange(self, bytes(command))

    def control(self, code: int, data: bytes) -> bytes:
        return self.readers.control(self, code, data)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """No other program reaches an embedded reader: only the card has to be there still."""
        self.readers.exchange(self, None)
        yield

    def close(self) -> None:
        """Nothing to release."""
