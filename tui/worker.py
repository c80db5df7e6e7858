"""A thread for what blocks: one job at a time, in order, and never in the way of the exit."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

Job = Callable[[], None]


class Worker:
    """Runs jobs on one daemon thread; a job that never returns cannot hang the program's end."""

    def __init__(self, name: str, defect: Callable[[Exception], None]) -> None:
        """`defect` is told, on the worker's thread, of what a job let through."""
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._name = name
        self._defect = defect
        self._thread: threading.Thread | None = None

    def submit(self, job: Job) -> None:
        """Queue a job."""
        self._jobs.put(job)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                job()
            except Exception as error:  # noqa: BLE001 - a traceback would tear the screen
                self._defect(error)
