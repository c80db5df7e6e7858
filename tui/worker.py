"""A thread for what blocks: one job at a time, in order, and never in the way of the exit."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

Job = Callable[[], None]


class Worker:
    """Runs jobs on a daemon thread that ends with the last of them.

    A job that never returns cannot hang the program's end, and a session that waits keeps no
    thread, with its stack and its own part of the heap, that has nothing to do.
    """

    def __init__(self, name: str, defect: Callable[[Exception], None]) -> None:
        """`defect` is told, on the worker's thread, of what a job let through."""
        self._name = name
        self._defect = defect
        self._lock = threading.Lock()
        self._jobs: deque[Job] = deque()
        self._running = False

    def submit(self, job: Job) -> None:
        """Queue a job."""
        with self._lock:
            self._jobs.append(job)
            if self._running:
                return
            self._running = True
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _next(self) -> Job | None:
        with self._lock:
            self._running = bool(self._jobs)
            return self._jobs.popleft() if self._jobs else None

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except Exception as error:  # noqa: BLE001 - a traceback would tear the screen
                self._defect(error)
