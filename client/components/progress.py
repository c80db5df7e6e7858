"""How far a download is, how fast it goes and how long it may still take."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

WINDOW = 5.0  # seconds that the speed is taken over
EVERY = 0.5  # seconds between two reports: a screen on a slow line is not for animation


@dataclass(frozen=True)
class Progress:
    """Bytes, bytes a second, seconds; `left` is None where the speed says nothing."""

    done: int
    total: int
    speed: float = 0.0
    left: float | None = None


class Meter:
    """Passes on at most one report in EVERY seconds, the first at once."""

    def __init__(
        self,
        total: int,
        report: Callable[[Progress], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._report = report
        self._clock = clock
        self._marks: deque[tuple[float, int]] = deque()
        self._next = clock()

    def __call__(self, done: int) -> None:
        """`done` bytes are there; fewer than before where a download began anew."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + EVERY
        if self._marks and done < self._marks[-1][1]:
            self._marks.clear()
        self._marks.append((now, done))
        while now - self._marks[0][0] > WINDOW:
            self._marks.popleft()
        began, before = self._marks[0]
        speed = (done - before) / (now - began) if now > began else 0.0
        left = (self._total - done) / speed if speed > 0 else None
        self._report(Progress(done, self._total, speed, left))
