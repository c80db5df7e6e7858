"""The doctor and the report inside the running program: on a thread, and back on the event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from tui.worker import Worker

if TYPE_CHECKING:
    from card.port import Slot
    from screens.findings import Finding, ServiceChoice
    from screens.jobs import Backends
    from screens.language import Words
    from screens.troubleshooting.support_code import Attachment
    from tui.engine import Post
    from tui.event_log import EventLog

Found = Callable[[tuple["Finding", ...]], None]


class Examination:
    """One at a time; a second one waits for the first."""

    def __init__(self, backends: Backends, post: Post, log: EventLog) -> None:
        self._backends = backends
        self._post = post
        self._log = log
        self._choice: ServiceChoice | None = None
        self._attached = False
        self._worker = Worker("doctor", lambda _: None)

    def look_around(self) -> None:
        """Find out, in the background, how the readers are attached."""
        self._worker.submit(self._attach)

    def _attach(self) -> None:
        self._backends.attachment(())
        self._attached = True

    def attachment(self, slots: Iterable[Slot]) -> Attachment:
        """How the readers are attached; unknown until that was looked for. Never blocks."""
        from screens.troubleshooting.support_code import Attachment

        if not self._attached:
            return Attachment.UNKNOWN
        return self._backends.attachment([slot.reader for slot in slots])

    def start(self, found: Found) -> None:
        """Look at everything; `found` is told, on the event loop, after each finding."""
        self._worker.submit(partial(self._run, found))

    def _run(self, found: Found) -> None:
        from tui.doctor import Doctor, choice_of

        seen: tuple[Finding, ...] = ()
        self._choice = choice_of(self._backends)
        for finding in Doctor(self._backends).examine():
            seen = (*seen, finding)
            self._post(partial(found, seen))

    def report(self, findings: tuple[Finding, ...], support_code: str | None, words: Words) -> str:
        """The text, with what happened in this run so far."""
        from tui.report import report_text

        now = datetime.now().astimezone()
        return report_text(findings, self._log.events, self._choice, support_code, words, now=now)

    def save(self, text: str) -> str:
        """The path of the new file in the home directory. Raises FileUnusable."""
        from tui.report import default_path, save

        return str(save(text, default_path(datetime.now().astimezone())))
