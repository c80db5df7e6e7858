"""A card connected through PC/SC: shared, one exchange at a time, and left as it was."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from card.attachment import failure
from card.errors import CardError, CardMute, CardRemoved, PadRefused, PadSilent, ReaderHeld
from card.pcsc_codes import UNCONTROLLED, Code, State, count
from card.pcsc_context import Context, answered, unsigned, within
from card.pcsc_transmit import transmit

if TYPE_CHECKING:
    from card.pcsc import PcscReaders

CLOSING = 1.0  # seconds that closing waits; it goes on in the background then


class PcscConnection:
    """card.port.Connection: connected shared, left as it was."""

    def __init__(
        self,
        readers: PcscReaders,
        context: Context,
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
        self._stay: object | None = None
        self._closed = False

    @property
    def reader(self) -> str:
        return self._reader

    @property
    def atr(self) -> bytes:
        return self._atr

    @property
    def stay(self) -> object | None:
        return self._stay

    def look(self) -> None:
        """Ask once what lies in the reader now: its ATR and the count. Raises as `transmit`."""
        handle, unaware = self._context.handle or 0, [(self._reader, 0)]
        status, results = answered(self._scard.SCardGetStatusChange(handle, 0, unaware))
        if status not in (Code.OK, Code.TIMEOUT):
            raise self._failure(status)
        _, state, atr = results[0][0]
        if not state & State.PRESENT:
            raise CardRemoved(self._reader)
        self._atr = bytes(atr)
        if sys.platform != "darwin":  # of whose count nothing is known
            self._stay = self._context.daemon, self._reader, count(state)

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
            return answered(self._scard.SCardControl(self._handle, code, list(data)))

        try:
            answer = within(self._readers.pad_patience, control, late=lambda _: self._reset())
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
        status = within(self._readers.patience, lambda: begin(self._handle), late=self._let_go)
        if status is None:
            self._give_up()
            raise ReaderHeld(self._reader)
        status = unsigned(status)
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
            ended = within(CLOSING, self._disconnect, late=lambda _: self._context.release())
            if ended is None:
                self._readers.abandon(self._context)

    def _disconnect(self) -> int:
        status: int = self._scard.SCardDisconnect(self._handle, self._scard.SCARD_LEAVE_CARD)
        return status

    def _let_go(self, status: int) -> None:
        """A transaction that came too late: end it at once, and leave the card as it is.

        Releasing the context alone would not do, pcscd resets a card that is in a transaction.
        """
        if unsigned(status) == Code.OK:
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
