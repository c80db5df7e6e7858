"""Readers and their events through PC/SC: pcsc-lite, macOS or Windows.

Two contexts, one that waits and one that works, because a context that blocks in
SCardGetStatusChange serves nobody else. Nothing polls: while nothing changes, one call blocks.
The calls are few, since each is a network round trip when the daemon sits on a thin client.
pyscard's CardMonitor is left alone: its thread polls, and dies with the daemon.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from card.attachment import failure
from card.errors import CardCancelled, ReaderHeld
from card.pcsc_codes import STALE, Code, State, count
from card.pcsc_connection import PcscConnection
from card.pcsc_context import Context, answered, load, within
from card.pcsc_daemon import socket_path
from card.pcsc_return import ServiceReturn
from card.port import Connection, Control, Slot, SlotState

PNP = "\\\\?PnP?\\Notification"  # the pseudo reader that changes when a reader comes or goes
LOOK_AGAIN = 60_000  # ms
# ms; pcsc-lite before 2.4 counts no readers for us, so it misses one that comes between listing and
# waiting: the second slot of a reader, or what else hangs on the same hub. Hence, after readers
# came or went, one more look when that has settled.
SETTLED = 200
# ms; where the system knows no such pseudo reader (macOS), and while another program holds a card:
# pcsc-lite can wake its clients before it has written down that the card is free.
LOOK_OFTEN = 1_000
# Seconds between two SCardCancel, until the waiting thread has noticed: long enough for a busy
# machine to let it run, because a second one that comes after the wait disturbs the context.
CANCEL_EVERY = 0.2
CANCELS = 50
PAD_PATIENCE = 100.0  # seconds; libccid itself gives a reader up to 90 for a PIN entry

_Status = tuple[str, int, list[int]]  # reader, event state with its counter on top, ATR


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
        self._work = Context(self.scard)
        self._watch = Context(self.scard)
        self._noticed = threading.Condition()
        self._waiting = False
        self._cancelled = False
        self._return = ServiceReturn(socket_path())
        self._pnp = True
        self._pnp_state = 0
        self._settled: list[str] | None = None  # the readers that were there for a while

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
                names = [slot.reader for slot in slots]
                if names != self._settled:
                    self._settled = None  # the same list again later is a new one
                if slots != known:
                    return slots
                status = self._block(seen, SETTLED if self._settled is None else LOOK_AGAIN)
                if status == Code.TIMEOUT:
                    self._settled = names
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
            connection.look()
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
                lambda handle: answered(scard.SCardConnect(handle, reader, share, protocols))
            )

        def let_go(answer: tuple[int, list[Any]]) -> None:
            if answer[0] == Code.OK:
                scard.SCardDisconnect(answer[1][0], scard.SCARD_LEAVE_CARD)
            context.release()

        answer = within(self.patience, connect, late=let_go)
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

    def abandon(self, context: Context) -> None:
        """Work on with a new context: a call still blocks on this one."""
        if self._work is context:
            self._work = Context(self.scard)

    def _look(self, context: Context) -> list[_Status]:
        """Every reader's state now: one call for the list, one for all states."""
        self._stop_if_cancelled(context)
        status, results = context.call(
            lambda handle: answered(self.scard.SCardListReaders(handle, []))
        )
        if status == Code.NO_READERS:
            return []
        if status != Code.OK:
            raise failure(status)
        names = [(str(name), 0) for name in results[0]]
        status, results = context.call(
            lambda handle: answered(self.scard.SCardGetStatusChange(handle, 0, names))
        )
        if status not in (Code.OK, Code.TIMEOUT, Code.UNKNOWN_READER):
            raise failure(status)
        return [
            (reader, state, atr)
            for reader, state, atr in results[0]
            if not state & (State.UNKNOWN | State.UNAVAILABLE)
        ]

    def _block(self, seen: list[_Status], longest: int) -> int:
        """Block until something differs from `seen`, `longest` in ms; the return code."""
        states = [(reader, int(state & ~State.CHANGED)) for reader, state, _ in seen]
        if self._pnp:
            states.append((PNP, self._pnp_state))
        elif not states:
            with self._noticed:
                self._noticed.wait_for(lambda: self._cancelled, LOOK_OFTEN / 1000)
            return Code.TIMEOUT
        handle = self._watch.establish()
        held = any(state & State.EXCLUSIVE for _, state in states)
        if not self._pnp or held:
            longest = min(longest, LOOK_OFTEN)
        elif self._pnp_state >> 16:
            longest = LOOK_AGAIN  # whoever counts misses nothing
        status, results = answered(self.scard.SCardGetStatusChange(handle, longest, states))
        self._stop_if_cancelled(self._watch)
        if self._pnp and status in (Code.OK, Code.TIMEOUT):
            # Its upper half counts the readers (Windows) or their comings and goings (pcsc-lite
            # from 2.4 on): given back, it tells of what happened before the next call.
            name, state, _ = results[0][-1]
            self._pnp_state = int(state & ~State.CHANGED)
            self._pnp = not (name == PNP and state & State.UNKNOWN)
        return status

    def is_present(self, reader: str) -> bool:
        """Whether a card stays in the reader; pcscd sees a removal up to 0.4 s after it."""
        handle = self._work.handle
        if handle is None:
            return False
        state = [(reader, State.PRESENT)]
        status, results = answered(self.scard.SCardGetStatusChange(handle, LOOK_OFTEN, state))
        return status == Code.TIMEOUT or (
            status == Code.OK and bool(results[0][0][1] & State.PRESENT)
        )

    def _stop_if_cancelled(self, context: Context) -> None:
        with self._noticed:
            if context is self._watch and self._cancelled:
                self._cancelled = False
                self._return.resume()
                raise CardCancelled


def _slots(seen: list[_Status]) -> tuple[Slot, ...]:
    return tuple(
        Slot(reader, _slot_state(state), bytes(atr), changes=count(state))
        for reader, state, atr in seen
    )


def _slot_state(state: int) -> SlotState:
    if not state & State.PRESENT:
        return SlotState.EMPTY
    if state & State.EXCLUSIVE:
        return SlotState.HELD
    return SlotState.MUTE if state & State.MUTE else SlotState.PRESENT
