"""A PIN in memory: bytes in a fixed, locked, wiped buffer that can be spent once."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

from card.errors import PinSpent

CAPACITY = 256  # bytes; no PIN or password comes near, so the buffer never grows or moves


def _lock(buffer: bytearray) -> None:
    """Ask the kernel not to swap the buffer out (mlock(2)); where it will not, carry on."""
    try:
        address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
        ctypes.CDLL(None, use_errno=True).mlock(ctypes.c_void_p(address), len(buffer))
    except (AttributeError, OSError, TypeError):
        return


class Pin:
    """What a person typed, as bytes. It has no text form, no length in its repr, and one use."""

    __slots__ = ("_buffer", "_length", "_spent")

    def __init__(self) -> None:
        self._buffer = bytearray(CAPACITY)
        _lock(self._buffer)
        self._length = 0
        self._spent = False

    def __del__(self) -> None:
        """One that nobody took is wiped too: freed memory keeps what was in it."""
        self.wipe()

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return "Pin(…)"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Pin is never copied or pickled")

    @property
    def room(self) -> int:
        """How many bytes may still be added."""
        return CAPACITY - self._length

    def append(self, byte: int) -> bool:
        """Add one byte; False, and nothing added, when the buffer is full."""
        if self._length == CAPACITY:
            return False
        self._buffer[self._length] = byte
        self._length += 1
        return True

    def backspace(self) -> None:
        """Remove and wipe the last character (UTF-8: its continuation bytes too)."""
        while self._length:
            self._length -= 1
            byte, self._buffer[self._length] = self._buffer[self._length], 0
            if byte & 0xC0 != 0x80:
                return

    def wipe(self) -> None:
        """Overwrite every byte with zero."""
        for index in range(CAPACITY):
            self._buffer[index] = 0
        self._length = 0

    @contextmanager
    def spend(self) -> Iterator[memoryview]:
        """The bytes, for one use; wiped on the way out, however that goes.

        Raises PinSpent on every later call: one entry can never be sent twice (design, rule 1).
        """
        if self._spent:
            raise PinSpent
        self._spent = True
        view = memoryview(self._buffer)[: self._length]
        try:
            yield view
        finally:
            view.release()
            self.wipe()

    @contextmanager
    def wiped_on_error(self) -> Iterator[None]:
        """Wipe when the block raises, an interrupt by the keyboard included."""
        try:
            yield
        except BaseException:
            self.wipe()
            raise

    def copy_into(self, target: bytearray) -> None:
        """Append the bytes to `target`, whose owner wipes it; for passwords, never for a PIN."""
        target += memoryview(self._buffer)[: self._length]

    def matches(self, allowed: bytes) -> bool:
        """True when every byte is one of `allowed`; the bytes themselves never leave."""
        return all(self._buffer[index] in allowed for index in range(self._length))
