"""The terminal's input: asleep until a key comes, whatever bytes it brings, and awake to a hang-up.

Textual's own input thread wakes up ten times a second, which is all that a waiting session costs;
on a host with hundreds of them that is a good part of a core. It also ends the program at the
first byte that is not UTF-8 (Big5, 8-bit Meta), spins for ever where the terminal is gone, and
keeps the wrong one of two sizes that follow each other quickly.
"""

from __future__ import annotations

import codecs
import os
import select
import signal
from collections.abc import Iterable
from functools import partial

from textual._xterm_parser import XTermParser
from textual.app import App
from textual.constants import ESCAPE_DELAY
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Resize
from textual.geometry import Size
from textual.message import Message

TICK = 0.1  # seconds; the parser decides then what an Escape without more after it was
TICKS = int(ESCAPE_DELAY / TICK) + 2  # after the last byte
MOST = 4096


class SleepingDriver(LinuxDriver):
    """Textual's driver with an input thread that waits without a clock."""

    def __init__(
        self,
        app: App[object],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._woken, self._wake = os.pipe()

    def start_application_mode(self) -> None:
        """Textual's, with another handler for SIGWINCH.

        Its own can be interrupted by itself, and of two sizes the older one comes last then.
        """
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._loop.add_signal_handler(signal.SIGWINCH, self._resized)

    def _resized(self) -> None:
        if not self._in_band_window_resize:
            size = Size(*self._get_terminal_size())
            self.send_message(Resize(size, size))

    def disable_input(self) -> None:
        if self._key_thread is not None and self._key_thread.is_alive():
            os.write(self._wake, b"!")
        super().disable_input()

    def run_input_thread(self) -> None:
        """Read keys until the driver stops or the terminal is gone."""
        parser = XTermParser(self._debug)
        decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        poll = select.poll()
        poll.register(self.fileno, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        ticks = 0
        while True:
            ready = dict(poll.poll(TICK * 1000 if ticks else None))
            if self._woken in ready:
                os.read(self._woken, 1)
                break
            data = self._read(ready)
            if data is None:
                self._loop.call_soon_threadsafe(
                    partial(self._app.exit, return_code=128 + signal.SIGHUP)
                )
                break
            ticks = TICKS if data else ticks - 1
            if data:
                self._send(parser.feed(decode(data)))
            self._send(parser.tick())

    def _read(self, ready: dict[int, int]) -> bytes | None:
        """What was typed, b"" where nothing was, None where there is no terminal any more."""
        if not ready:
            return b""
        try:
            data = os.read(self.fileno, MOST)
        except OSError:  # EIO: nobody holds the other end
            return None
        return data or None

    def _send(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self.process_message(message)
