"""A connection to a virtual card that answers as a test wants: faults that no real part can show.

Everything not scripted is answered by the virtual card itself, so a test that scripts nothing
runs the whole protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from card.errors import CardError
from card.pin import Pin
from card.port import Connection, Slot
from card.virtual.card import VirtualCard

READER = "Scripted 00 00"
VERIFY = 0x20

Answer = bytes | CardError | None  # None: what the virtual card says
Script = Callable[[int, bytes], Answer]  # the command's number from 0, and the command
MakeScripted = Callable[..., "ScriptedReaders"]


def pin_of(characters: bytes) -> Pin:
    pin = Pin()
    for byte in characters:
        assert pin.append(byte)
    return pin


def carries_pin(command: bytes) -> bool:
    return command[1] == VERIFY and len(command) > 4


class ScriptedReaders:
    """card.port.Readers with one reader and one card; it is its own only connection."""

    reader = READER
    stay: object | None = None

    def __init__(self, card: VirtualCard) -> None:
        self.card = card
        self.atr = card.atr
        self.script: Script = lambda _number, _command: None
        self.commands: list[bytes] = []
        self.buffers: list[bytearray] = []  # the very buffers that were handed over
        self.in_transaction: list[bool] = []
        self.transactions = 0
        self.closed = 0
        self._inside = False

    @property
    def verifies(self) -> int:
        """How many VERIFY commands with data left this program."""
        return sum(map(carries_pin, self.commands))

    def slots(self) -> tuple[Slot, ...]:
        raise NotImplementedError

    def wait(self, known: tuple[Slot, ...]) -> tuple[Slot, ...]:
        raise NotImplementedError

    def wait_for_service(self) -> None:
        raise NotImplementedError

    def cancel(self) -> None:
        raise NotImplementedError

    def connect(self, reader: str) -> Connection:
        assert reader == READER
        return self

    def transmit(self, command: bytes | bytearray) -> bytes:
        number = len(self.commands)
        self.commands.append(bytes(command))
        self.in_transaction.append(self._inside)
        if isinstance(command, bytearray):
            self.buffers.append(command)
        answer = self.script(number, bytes(command))
        if isinstance(answer, CardError):
            raise answer
        return self.card.transmit(command) if answer is None else answer

    @contextmanager
    def transaction(self) -> Iterator[None]:
        assert not self._inside
        self._inside = True
        self.transactions += 1
        try:
            yield
        finally:
            self._inside = False

    def close(self) -> None:
        self.closed += 1
