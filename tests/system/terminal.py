"""A program in a terminal of its own: a pty, a pair of hands, and pyte to read the screen from.

Keys go in one by one, as fingers press them: the next is sent when the program has drawn what the
one before did. A wide character fills two of pyte's cells, the second of them empty, so a line's
text is its cells put together.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import TracebackType

import pyte
import pytest

DEADLINE = 30.0  # seconds for anything below; a limit, never a wait
BETWEEN_KEYS = 0.04  # seconds; what comes faster is a pasted block to the program
KEYS = {
    "enter": b"\r",
    "esc": b"\x1b",
    "tab": b"\t",
    "space": b" ",
    "down": b"\x1b[B",
    "up": b"\x1b[A",
    "pgdn": b"\x1b[6~",
    "f1": b"\x1bOP",
    "f2": b"\x1bOQ",
    "f3": b"\x1bOR",
    "f4": b"\x1bOS",
    "f8": b"\x1b[19~",
    "f9": b"\x1b[20~",
    "f10": b"\x1b[21~",
    "ctrl+c": b"\x03",
    "ctrl+d": b"\x04",
    "ctrl+l": b"\x0c",
    "ctrl+s": b"\x13",
    "ctrl+z": b"\x1a",
    "ctrl+\\": b"\x1c",
    "ctrl+]": b"\x1d",
}


def squeezed(text: str) -> str:
    """`text` without white space: lines break where the terminal's width wants it."""
    return "".join(text.split())


class Terminal:
    """`command` on a new terminal of `size` (columns, lines), as its session's leader."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        size: tuple[int, int] = (80, 24),
        pass_fds: tuple[int, ...] = (),
        stdout: int | None = None,
    ) -> None:
        """`stdout` replaces the terminal as standard output; the keyboard stays the terminal."""
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._news = threading.Condition()
        self.written = bytearray()  # everything that the program sent to the terminal
        self.arrived = time.perf_counter()  # when the last of it came
        self._left = 0
        self._slave: int | None
        self._stop = os.pipe()
        self._master, self._slave = pty.openpty()
        self._set_size(size)
        self.process = subprocess.Popen(
            command,
            stdin=self._slave,
            stdout=self._slave if stdout is None else stdout,
            stderr=self._slave,
            env={"TERM": "xterm-256color", **environment},
            pass_fds=pass_fds,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(DEADLINE)
        self._hang_up()
        self._drop()

    # --- looking ---

    @property
    def lines(self) -> list[str]:
        """The screen's lines, without the blanks at their ends."""
        with self._news:
            return [
                "".join(row[x].data for x in range(self._screen.columns)).rstrip()
                for row in (self._screen.buffer[y] for y in range(self._screen.lines))
            ]

    @property
    def cells(self) -> list[list[tuple[object, ...]]]:
        """Every cell of every line: its character, colours and attributes."""
        with self._news:
            rows = [self._screen.buffer[y] for y in range(self._screen.lines)]
            return [[tuple(row[x]) for x in range(self._screen.columns)] for row in rows]

    @property
    def modes(self) -> tuple[object, ...]:
        """What a program can change of a terminal beside its cells."""
        with self._news:
            screen = self._screen
            return frozenset(screen.mode), screen.margins, screen.title, screen.charset

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def shows(self, text: str) -> bool:
        """Is `text` on the screen, wherever its lines break?"""
        return squeezed(text) in squeezed(self.text)

    def until(self, wanted: str | Callable[[], bool], seconds: float = DEADLINE) -> None:
        """Wait until the screen shows `wanted`; fail the test, with the screen, if it does not."""
        shown = wanted if callable(wanted) else lambda: self.shows(wanted)
        end = time.monotonic() + seconds
        while not shown():
            with self._news:
                self._news.wait(0.1)
            ended = self.process.poll() is not None
            if ended:
                self._hang_up()  # what it wrote last is read first
            if (ended or time.monotonic() > end) and not shown():
                what = "the condition" if callable(wanted) else wanted
                pytest.fail(f"not on the screen in {seconds:.0f} s: {what}\n{self.text}")

    @property
    def unread(self) -> int:
        """Bytes that were typed and that the program has not read yet."""
        assert self._slave is not None
        return int(struct.unpack("i", fcntl.ioctl(self._slave, termios.FIONREAD, bytes(4)))[0])

    @property
    def raw(self) -> bool:
        """Has the program taken line editing and echo away from the terminal?"""
        return not self._modes() & (termios.ICANON | termios.ECHO)

    # --- typing ---

    def press(self, *keys: str) -> None:
        """Send keys by name (see KEYS), or characters, without waiting for what they do."""
        for key in keys:
            self.send(KEYS.get(key) or key.encode())

    def type(self, text: str, pause: float = BETWEEN_KEYS) -> None:
        """Type `text` as fingers do: each character once the program has drawn the last one."""
        for character in text:
            drawn = partial(self._wrote_more_than, len(self.written))
            self.send(character.encode())
            self.until(drawn)
            time.sleep(pause)

    def _wrote_more_than(self, count: int) -> bool:
        return len(self.written) > count

    def send(self, data: bytes) -> None:
        os.write(self._master, data)

    def resize(self, columns: int, lines: int) -> None:
        """As a terminal's window is dragged: the kernel tells the program by SIGWINCH.

        A size of nothing is told like any other.
        """
        with self._news:
            self._screen.resize(max(1, lines), max(1, columns))
            self._screen.reset()
        self._set_size((columns, lines))

    # --- the end ---

    def ends(self, seconds: float = DEADLINE) -> int:
        """Wait for the program to end; its exit status, -n after signal n."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still running after {seconds:.0f} s\n{self.text}")
        self._hang_up()
        return status

    def vanish(self) -> None:
        """The window is closed, or the line is cut."""
        self._modes()
        self._drop()
        assert self._slave is not None
        os.close(self._slave)
        self._slave = None

    def _drop(self) -> None:
        """Close the terminal's own end; a read under way would keep it open."""
        if self._master >= 0:
            os.write(self._stop[1], b".")
            self._reader.join(DEADLINE)
            for descriptor in (self._master, *self._stop):
                os.close(descriptor)
            self._master = -1

    def _modes(self) -> int:
        """The terminal's local modes (termios(3)), now or as the program left them."""
        if self._slave is not None:
            self._left = int(termios.tcgetattr(self._slave)[3])
        return self._left

    def _hang_up(self) -> None:
        """Let go of the program's end; the reader stops when it has read all that is left."""
        if self._slave is not None:
            self._modes()
            os.close(self._slave)
            self._slave = None
            self._reader.join(DEADLINE)

    def _set_size(self, size: tuple[int, int]) -> None:
        columns, lines = size
        assert self._slave is not None
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def _read(self) -> None:
        while True:
            data = b""
            if self._stop[0] in select.select([self._master, self._stop[0]], [], [])[0]:
                return
            with contextlib.suppress(OSError):  # EIO: nobody holds the other end any more
                data = os.read(self._master, 65536)
            arrived = time.perf_counter()
            with self._news:
                self.written += data
                self.arrived = arrived
                self._stream.feed(data)
                self._news.notify_all()
            if not data:
                return
