"""Readers and cards through PC/SC: pyscard's thin layer over pcsc-lite, macOS or Windows.

Two contexts, one that waits and one that works, because a context that blocks in
SCardGetStatusChange serves nobody else. Nothing polls: while nothing changes, one call blocks.
The calls are few, since each is a network round trip when the daemon sits on a thin client.
pyscard's CardMonitor is left alone: its thread polls, and dies with the daemon.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any, TypeVar

from card.attachment import failure, refuse_foreign
from card.errors import (
    CardCancelled,
    CardError,
    CardMute,
    CardRemoved,
    PadRefused,
    PadSilent,
    PcscLibraryMissing,
    ReaderHeld,
)
from card.pcsc_codes import STALE, UNCONTROLLED, Code
from card.pcsc_daemon import socket_path
from card.pcsc_return import ServiceReturn
from card.pcsc_transmit import transmit
from card.port import Connection, Control, Slot, SlotState

PNP = "\\\\?PnP?\\Notification"  # the pseudo reader that changes when a reader comes or goes
LOOK_AGAIN = 60_000  # ms; pcsc-lite can miss a reader that came between listing and waiting
# ms; where the system knows no such pseudo reader (macOS), and while another program holds a card:
# pcsc-lite can wake its clients before it has written down that the card is free.
LOOK_OFTEN = 1_000
# Seconds between two SCardCancel, until the waiting thread has noticed: long enough for a busy
# machine to let it run, because a second one that comes after the wait disturbs the context.
CANCEL_EVERY = 0.2
CANCELS = 50
DENIED_AGAIN = 0.5  # seconds
CLOSING = 1.0  # seconds that closing waits; it goes on in the background then
PAD_PATIENCE = 100.0  # seconds; libccid itself gives a reader up to 90 for a PIN entry


_STATE_CHANGED, _STATE_UNKNOWN, _STATE_UNAVAILABLE = 0x0002, 0x0004, 0x0008
_STATE_PRESENT, _STATE_EXCLUSIVE, _STATE_MUTE = 0x0020, 0x0080, 0x0200

_Result = TypeVar("_Result")
_Status = tuple[str, int, list[int]]  # reader, event state with its counter on top, ATR


def load() -> ModuleType:
    """pyscard's low-level module. Raises PcscLibraryMissing."""
    try:
        if sys.platform == "linux":
            # pyscard opens the library when it is first used; without it, it writes a message
            # over the screen and reports a missing service.
            ctypes.CDLL("libpcsclite.so.1")
        return _extension()
    except (ImportError, OSError) as error:
        raise PcscLibraryMissing from error


@cache
def _extension() -> ModuleType:
    """pyscard's extension module alone: a session that waits has no use for what lies above it.

    Imported as `smartcard.scard` it brings two dozen modules of readers, sessions and monitors.
    """
    package = find_spec("smartcard")
    folders = package.submodule_search_locations if package is not None else None
    found = PathFinder.find_spec("_scard", [f"{each}/scard" for each in folders or ()])
    if found is None or found.loader is None:
        raise ImportError("_scard")
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module


class _Context:
    """One PC/SC context, established when it is needed and again when its daemon is another."""

    def __init__(self, scard: ModuleType) -> None:
        self._scard = scard
        self.handle: int | None = None

    def call(self, operation: Callable[[int], tuple[int, list[Any]]]) -> tuple[int, list[Any]]:
        """Run `operation` on the context, once more on a fresh one where it proved stale.

        Raises PcscError where no context can be had.
        """
        if self.handle is not None:
            status, results = operation(self.handle)
            if status not in STALE:
                return status, results
            self.release()
        return operation(self.establish())

    def establish(self) -> int:
        """The handle. Raises PcscError."""
        if self.handle is None:
            refuse_foreign()
            scope = self._scard.SCARD_SCOPE_SYSTEM
            status, handle = self._scard.SCardEstablishContext(scope)
            if _unsigned(status) == Code.SECURITY_VIOLATION:
                # A daemon that is just ending says the same; one that stays says it again.
                time.sleep(DENIED_AGAIN)
                status, handle = self._scard.SCardEstablishContext(scope)
            if _unsigned(status) != Code.OK:
                raise failure(_unsigned(status))
            self.handle = handle
        return self.handle

    def release(self) -> None:
        handle, self.handle = self.handle, None
        if handle is not None:
            self._scard.SCardReleaseContext(handle)


def _within(
    seconds: float, call: Callable[[], _Result], late: Callable[[_Result], object]
) -> _Result | None:
    """What `call` returns, or None after `seconds`; `late` then gets it whenever it comes.

    While another program is in a transaction, connecting, beginning a transaction and
    disconnecting all wait for its end, which PC/SC can neither limit nor cancel.
    """
    future: Future[_Result] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except CardError as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        future.add_done_callback(
            lambda done: late(done.result()) if done.exception() is None else None
        )
        return None


class PcscReaders:
    """card.port.Readers over PC/SC. `wait` may run in a thread of its own beside the others.

    `patience`: seconds that another program's transaction is waited for; ReaderHeld then.
    `pad_patience`: seconds that a reader has for a PIN entry on its keys; PadSilent then.
    """

    def __init__(self, patience: float = 5.0, pad_patience: float = PAD_PATIENCE) -> None:
        """Raises PcscLibraryMissing; the service itself is first needed by a method."""
        self.patience = patience
        self.pad_patience = pad_patience
        self.scard = load()
        self._work = _Context(self.scard)
        self._watch = _Context(self.scard)
        self._noticed = threading.Condition()
        self._waiting = False
        self._cancelled = False
        self._return = ServiceReturn(socket_path())
        self._pnp = True
        self._pnp_state = 0

    def slots(self) -> tuple[Slot, ...]:
        return _slots(self._look(self._work))

    def wait(self, known: tuple[Slot, ...]) -> tuple[Slot, ...]:
        """As the port says; a `cancel` that came just before counts for the next `wait`."""
        with self._noticed:
            self._waiting = True
        try:
            stale = False
            while True:
                seen = self._look(self._watch)
                slots = _slots(seen)
                if slots != known:
                    return slots
                status = self._block(seen)
                if status not in (Code.OK, Code.TIMEOUT, Code.CANCELLED, Code.UNKNOWN_READER) and (
                    stale or status not in STALE
                ):
                    raise failure(status)
                stale = status in STALE  # the next look tells whether there is a daemon still
        finally:
            with self._noticed:
                self._waiting = False
                self._noticed.notify_all()

    def wait_for_service(self) -> None:
        self._stop_if_cancelled(self._watch)
        self._return.wait()
        self._stop_if_cancelled(self._watch)

    def cancel(self) -> None:
        with self._noticed:
            self._cancelled = True
            self._return.end()
            for _ in range(CANCELS):
                # SCardCancel does nothing in the moment before the other thread blocks.
                if not self._waiting or not self._cancelled:
                    return
                if self._watch.handle is not None:
                    self.scard.SCardCancel(self._watch.handle)
                self._noticed.wait(CANCEL_EVERY)

    def connect(self, reader: str) -> Connection:
        connection = self._connect(reader, self.scard.SCARD_SHARE_SHARED)
        try:
            connection.read_atr()
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def direct(self, slot: Slot) -> Iterator[Control]:
        """As the port says; direct only to an empty slot, for on Windows it keeps others off."""
        share = self.scard.SCARD_SHARE_SHARED if slot.filled else self.scard.SCARD_SHARE_DIRECT
        connection = self._connect(slot.reader, share)
        try:
            yield connection
        finally:
            connection.close()

    def _connect(self, reader: str, share: int) -> PcscConnection:
        scard = self.scard
        protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        if share == scard.SCARD_SHARE_DIRECT and sys.platform == "win32":
            protocols = 0
        context = self._work

        def connect() -> tuple[int, list[Any]]:
            return context.call(
                lambda handle: _split(scard.SCardConnect(handle, reader, share, protocols))
            )

        def let_go(answer: tuple[int, list[Any]]) -> None:
            if answer[0] == Code.OK:
                scard.SCardDisconnect(answer[1][0], scard.SCARD_LEAVE_CARD)
            context.release()

        answer = _within(self.patience, connect, late=let_go)
        if answer is None:
            self.abandon(context)
            raise ReaderHeld(reader)
        status, results = answer
        if status != Code.OK:
            raise failure(status, reader)
        return PcscConnection(self, context, reader, *results)

    def close(self) -> None:
        """Release the contexts, after a `wait` under way has ended with CardCancelled."""
        self.cancel()
        self._watch.release()
        self._work.release()

    def abandon(self, context: _Context) -> None:
        """Work on with a new context: a call still blocks on this one."""
        if self._work is context:
            self._work = _Context(self.scard)

    def _look(self, context: _Context) -> list[_Status]:
        """Every reader's state now: one call for the list, one for all states."""
        self._stop_if_cancelled(context)
        status, results = context.call(
            lambda handle: _split(self.scard.SCardListReaders(handle, []))
        )
        if status == Code.NO_READERS:
            return []
        if status != Code.OK:
            raise failure(status)
        names = [(str(name), 0) for name in results[0]]
        status, results = context.call(
            lambda handle: _split(self.scard.SCardGetStatusChange(handle, 0, names))
        )
        if status not in (Code.OK, Code.TIMEOUT, Code.UNKNOWN_READER):
            raise failure(status)
        return [
            (reader, state, atr)
            for reader, state, atr in results[0]
            if not state & (_STATE_UNKNOWN | _STATE_UNAVAILABLE)
        ]

    def _block(self, seen: list[_Status]) -> int:
        """Block until something differs from `seen`; the return code."""
        states = [(reader, state & ~_STATE_CHANGED) for reader, state, _ in seen]
        if self._pnp:
            states.append((PNP, self._pnp_state))
        elif not states:
            with self._noticed:
                self._noticed.wait_for(lambda: self._cancelled, LOOK_OFTEN / 1000)
            return Code.TIMEOUT
        handle = self._watch.establish()
        held = any(state & _STATE_EXCLUSIVE for _, state in states)
        patience = LOOK_AGAIN if self._pnp and not held else LOOK_OFTEN
        status, results = _split(self.scard.SCardGetStatusChange(handle, patience, states))
        self._stop_if_cancelled(self._watch)
        if self._pnp and status in (Code.OK, Code.TIMEOUT):
            # Its upper half counts the readers (Windows) or their comings and goings (pcsc-lite
            # from 2.4 on): given back, it tells of what happened before the next call.
            name, state, _ = results[0][-1]
            self._pnp_state = state & ~_STATE_CHANGED
            self._pnp = not (name == PNP and state & _STATE_UNKNOWN)
        return status

    def is_present(self, reader: str) -> bool:
        """Whether a card stays in the reader; pcscd sees a removal up to 0.4 s after it."""
        handle = self._work.handle
        if handle is None:
            return False
        state = [(reader, _STATE_PRESENT)]
        status, results = _split(self.scard.SCardGetStatusChange(handle, LOOK_OFTEN, state))
        return status == Code.TIMEOUT or (
            status == Code.OK and bool(results[0][0][1] & _STATE_PRESENT)
        )

    def _stop_if_cancelled(self, context: _Context) -> None:
        with self._noticed:
            if context is self._watch and self._cancelled:
                self._cancelled = False
                self._return.resume()
                raise CardCancelled


class PcscConnection:
    """card.port.Connection: connected shared, left as it was."""

    def __init__(
        self,
        readers: PcscReaders,
        context: _Context,
        reader: str,
        handle: int,
        protocol: int,
    ) -> None:
        self._scard = readers.scard
        self._readers = readers
        self._context = context
        self._reader = reader
        self._handle = handle
        self._protocol = protocol
        self._atr = b""
        self._closed = False

    @property
    def reader(self) -> str:
        return self._reader

    @property
    def atr(self) -> bytes:
        return self._atr

    def read_atr(self) -> None:
        """Ask for the ATR, once. Raises as `transmit`."""
        status, results = _split(self._scard.SCardStatus(self._handle))
        if status != Code.OK:
            raise self._failure(status)
        self._atr = bytes(results[3])

    def transmit(self, command: bytes | bytearray) -> bytes:
        if self._closed:
            raise ReaderHeld(self._reader)
        status, answer = transmit(self._scard, self._handle, self._protocol, command)
        if status == Code.OK and not answer:
            status = Code.NOT_TRANSACTED  # how some drivers report a card that is gone
        if status != Code.OK:
            raise self._failure(status)
        return answer

    def control(self, code: int, data: bytes) -> bytes:
        """As the port says; a reader that never comes back keeps this connection for itself."""
        if self._closed:
            raise ReaderHeld(self._reader)

        def control() -> tuple[int, list[Any]]:
            return _split(self._scard.SCardControl(self._handle, code, list(data)))

        try:
            answer = _within(self._readers.pad_patience, control, late=lambda _: self._reset())
        except KeyboardInterrupt:
            self._give_up()
            raise
        if answer is None:
            self._give_up()
            raise PadSilent(self._reader)
        status, results = answer
        if status in UNCONTROLLED:
            raise PadRefused(0)
        if status == Code.OK and data and not results[0]:
            status = Code.NOT_TRANSACTED  # as in `transmit`; without data it is a list of nothing
        if status != Code.OK:
            raise self._failure(status)
        return bytes(results[0])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._closed:
            raise ReaderHeld(self._reader)
        begin = self._scard.SCardBeginTransaction
        status = _within(self._readers.patience, lambda: begin(self._handle), late=self._let_go)
        if status is None:
            self._give_up()
            raise ReaderHeld(self._reader)
        status = _unsigned(status)
        if status != Code.OK:
            raise self._failure(status)
        try:
            yield
        finally:
            # Whatever this says, the block is over: a card that is gone has no transaction. Where
            # a call still blocks on the handle, this one would block too.
            if not self._closed:
                self._scard.SCardEndTransaction(self._handle, self._scard.SCARD_LEAVE_CARD)

    def _give_up(self) -> None:
        """Leave the connection to the call that still blocks on it."""
        self._closed = True
        self._readers.abandon(self._context)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            ended = _within(CLOSING, self._disconnect, late=lambda _: self._context.release())
            if ended is None:
                self._readers.abandon(self._context)

    def _disconnect(self) -> int:
        status: int = self._scard.SCardDisconnect(self._handle, self._scard.SCARD_LEAVE_CARD)
        return status

    def _let_go(self, status: int) -> None:
        """A transaction that came too late: end it at once, and leave the card as it is.

        Releasing the context alone would not do, pcscd resets a card that is in a transaction.
        """
        if _unsigned(status) == Code.OK:
            self._scard.SCardEndTransaction(self._handle, self._scard.SCARD_LEAVE_CARD)
        self._disconnect()
        self._context.release()

    def _reset(self) -> None:
        """A PIN entry that came too late: nobody shall find the card with its PIN verified."""
        self._scard.SCardEndTransaction(self._handle, self._scard.SCARD_RESET_CARD)
        self._disconnect()
        self._context.release()

    def _failure(self, status: int) -> CardError:
        """The typed error; after a broken exchange the reader is asked if the card is there."""
        if status == Code.NOT_TRANSACTED:
            return (
                CardMute(self._reader)
                if self._readers.is_present(self._reader)
                else CardRemoved(self._reader)
            )
        return failure(status, self._reader, in_use=True)


def _slots(seen: list[_Status]) -> tuple[Slot, ...]:
    return tuple(
        Slot(reader, _slot_state(state), bytes(atr), changes=state >> 16 & 0xFFFF)
        for reader, state, atr in seen
    )


def _slot_state(state: int) -> SlotState:
    if not state & _STATE_PRESENT:
        return SlotState.EMPTY
    if state & _STATE_EXCLUSIVE:
        return SlotState.HELD
    return SlotState.MUTE if state & _STATE_MUTE else SlotState.PRESENT


def _unsigned(status: int) -> int:
    """pyscard's return codes are signed on some systems."""
    return status & 0xFFFFFFFF


def _split(answer: list[Any]) -> tuple[int, list[Any]]:
    status, *results = answer
    return _unsigned(status), list(results)
