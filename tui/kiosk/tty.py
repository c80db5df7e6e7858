"""The kiosk's terminal between two people: silent, empty, and without a memory."""

from __future__ import annotations

import os
import select
import termios

ANSWERS = (1000, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 2004, 2048)  # mouse, focus, paste, size
# CAN ends a sequence that was cut; both screens and what scrolled off them are emptied (ED 3),
# and RIS sets the rest right. Entering screen 1049 clears it, where a killed process left text.
WIPE = (
    "\x18"
    + "".join(f"\x1b[?{mode}l" for mode in ANSWERS)
    + "\x1b[?1049h\x1b[2J\x1b[3J\x1b[?1049l\x1bc\x1b[2J\x1b[3J\x1b[H\x1b[?25l"
).encode()
LOCAL, INPUT = 3, 0  # places in what tcgetattr(3) gives


class Tty:
    """The terminal on `descriptor`; the modes that it has now are given back at the end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._before = termios.tcgetattr(descriptor)

    def wipe(self) -> None:
        """No echo, no signals from keys; drop what was typed ahead, and empty both screens."""
        modes = termios.tcgetattr(self._descriptor)
        modes[LOCAL] &= ~(termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN)
        modes[INPUT] &= ~(termios.IXON | termios.IXOFF | termios.BRKINT)
        termios.tcsetattr(self._descriptor, termios.TCSANOW, modes)
        termios.tcflush(self._descriptor, termios.TCIOFLUSH)
        self._write(WIPE)

    def give_back(self) -> None:
        """As it was, and empty."""
        self.wipe()
        self._write(b"\x1b[?25h")
        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)

    @property
    def gone(self) -> bool:
        """True when nobody is at the other end any more."""
        poll = select.poll()
        poll.register(self._descriptor, 0)
        return bool(poll.poll(0))  # POLLHUP, POLLERR and POLLNVAL are told unasked

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._descriptor, data) :]
