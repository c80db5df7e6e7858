"""Asking a person on the controlling terminal, line by line."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from card.errors import PinCharacters
from card.pin import Pin
from tui.errors import Cancelled, FileUnusable, NoTerminal
from tui.output import inert

END_OF_LINE = b"\r\n"
END_OF_INPUT = 0x04
ERASE = frozenset({0x08, 0x7F})
KILL = 0x15


def read_secret(descriptor: int) -> Pin:
    """The bytes up to the end of a line or of the input, straight into a wiped buffer.

    Raises FileUnusable where the descriptor is not open, or holds more than any secret has.
    """
    secret = Pin()
    try:
        while (byte := os.read(descriptor, 1)) and byte not in END_OF_LINE:
            if not secret.append(byte[0]):
                raise FileUnusable(f"fd {descriptor}")
    except OSError as error:
        raise FileUnusable(f"fd {descriptor}") from error
    return secret


class Terminal:
    """The controlling terminal, whatever standard input and output are."""

    def __init__(self) -> None:
        try:
            self._descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        except OSError as error:
            raise NoTerminal from error

    def say(self, text: str) -> None:
        """Write a line to the terminal."""
        os.write(self._descriptor, f"{inert(text)}\n".encode())

    def ask(self, question: str) -> str:
        """One line. Raises Cancelled."""
        os.write(self._descriptor, f"{inert(question)} ".encode())
        line = b""
        while not line.endswith(b"\n"):
            part = os.read(self._descriptor, 1024)
            if not part:
                raise Cancelled
            line += part
        return line.decode(errors="replace").strip()

    def ask_secret(self, question: str, ascii_only: bool = True) -> Pin:
        """A PIN or password without echo, byte by byte. Raises Cancelled, PinCharacters."""
        secret = Pin()
        foreign = False
        with self._unechoed(), secret.wiped_on_error():
            os.write(
                self._descriptor, f"{inert(question)} ".encode()
            )  # seen once nothing is echoed
            while (byte := os.read(self._descriptor, 1)) not in END_OF_LINE:
                if not byte or byte[0] == END_OF_INPUT:
                    raise Cancelled
                if byte[0] in ERASE:
                    secret.backspace()
                elif byte[0] == KILL:
                    secret.wipe()
                else:
                    foreign = foreign or (ascii_only and not 0x20 <= byte[0] < 0x7F)
                    secret.append(byte[0])
        os.write(self._descriptor, b"\n")
        if foreign:
            secret.wipe()
            raise PinCharacters
        return secret

    @contextlib.contextmanager
    def _unechoed(self) -> Iterator[None]:
        """No echo, no line buffer in the kernel; Ctrl+C still interrupts."""
        if sys.platform == "win32":
            raise NoTerminal
        import termios

        before = termios.tcgetattr(self._descriptor)
        during = termios.tcgetattr(self._descriptor)
        during[3] &= ~(termios.ECHO | termios.ICANON)
        termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, during)
        try:
            yield
        finally:
            termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, before)
