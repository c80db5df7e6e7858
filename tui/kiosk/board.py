"""A few numbers that outlive a turn: a sign of life, and wrong secrets of the administrator.

The memory is shared by the parent and its children. Nothing personal is ever put here.
"""

from __future__ import annotations

import mmap
import struct
import time

LAYOUT = struct.Struct("=ddI")  # last sign of life and end of the pause (CLOCK_MONOTONIC); failures
FREE_TRIES = 2  # wrong secrets without a pause
LONGEST_PAUSE = 600.0  # seconds


class Board:
    """Made by the parent before it has children."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, LAYOUT.size)
        self.beat()

    def beat(self) -> None:
        """The turn's process is alive."""
        _, pause, failures = self._read()
        self._write(time.monotonic(), pause, failures)

    @property
    def silence(self) -> float:
        """Seconds since the last sign of life."""
        return time.monotonic() - self._read()[0]

    @property
    def pause(self) -> float:
        """Seconds until another secret is looked at; 0 or less: now."""
        return self._read()[1] - time.monotonic()

    def failed(self) -> None:
        """A wrong secret: each one from the third on doubles the pause, whoever's turn it is."""
        beat, _, failures = self._read()
        over = failures + 1 - FREE_TRIES
        seconds = min(LONGEST_PAUSE, 2.0 ** min(over, 16)) if over > 0 else 0.0
        self._write(beat, time.monotonic() + seconds, failures + 1)

    def _read(self) -> tuple[float, float, int]:
        beat, pause, failures = LAYOUT.unpack(self._memory[: LAYOUT.size])
        return beat, pause, failures

    def _write(self, beat: float, pause: float, failures: int) -> None:
        self._memory[: LAYOUT.size] = LAYOUT.pack(beat, pause, failures)
