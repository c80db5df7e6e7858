"""One call under way: until when, whether it was cancelled, and its exchanges bounded by both."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from client.errors import ClientCancelled, TimedOut

if TYPE_CHECKING:
    from client.line import Answer, Line, Request


@dataclass(eq=False)
class Call:
    """`until` by time.monotonic; `cancel` is safe from any thread."""

    until: float
    cancelled: bool = False
    news: threading.Event = field(default_factory=threading.Event)

    @property
    def left(self) -> float:
        return max(0.0, self.until - time.monotonic())

    def cancel(self) -> None:
        self.cancelled = True
        self.news.set()

    def exchange(self, line: Line, request: Request, timeout: float, limit: int) -> Answer:
        """One exchange in a thread of its own, so that nothing can outlast the person's patience.

        A name lookup cannot be interrupted and a slow answer may come byte by byte; both are left
        behind when the call is cancelled or its time is up. The line is closed then, and whenever
        this raises. `timeout` (seconds) bounds each step, `limit` (bytes) the answer's body.
        Raises ClientError.
        """
        if self.cancelled:
            line.close()
            raise ClientCancelled
        outcome: list[Answer | BaseException] = []

        def work() -> None:
            try:
                outcome.append(line.send(request, min(timeout, self.left) or 0.001, limit))
            except BaseException as error:  # noqa: BLE001 - raised in the calling thread
                outcome.append(error)
            self.news.set()
            if line.abandoned:
                line.close()

        threading.Thread(target=work, name="hca-bind-https", daemon=True).start()
        self.news.wait(self.left)
        if self.cancelled or not outcome:
            line.abandon()
            if outcome:
                line.close()
            raise ClientCancelled if self.cancelled else TimedOut(line.host)
        self.news.clear()
        answer = outcome[0]
        if isinstance(answer, BaseException):
            line.close()
            raise answer
        return answer
