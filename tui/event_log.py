"""What happened in this run, for the report: steps, work and codes, and nothing else.

An event is made of enumerations and counts, never of text that came from a person, a card or a
service, so there is nothing in it to redact.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from screens.wizard import Step, Wizard, Work

LIMIT = 400  # events kept; the oldest go first


@dataclass(frozen=True)
class Event:
    """The wizard's state in short; `seconds` since the log began."""

    seconds: float
    step: Step
    work: Work | None
    code: str | None
    readers: int
    cards: int
    tries_left: int | None

    def __str__(self) -> str:
        words = [f"{self.seconds:8.1f}  {self.step:10} {self.work or '-':12}"]
        words.append(f"readers={self.readers} cards={self.cards}")
        if self.tries_left is not None:
            words.append(f"tries={self.tries_left}")
        if self.code is not None:
            words.append(self.code)
        return " ".join(words)


class EventLog:
    """The newest events; one state that only differs in what is not kept is no event."""

    def __init__(self, limit: int = LIMIT, clock: Callable[[], float] = time.monotonic) -> None:
        self._events: deque[Event] = deque(maxlen=limit)
        self._clock = clock
        self._start = clock()

    def note(self, wizard: Wizard) -> None:
        """Keep what may be kept of a new state."""
        new = Event(
            self._clock() - self._start,
            wizard.step,
            wizard.busy,
            wizard.failure.code if wizard.failure else None,
            len(wizard.slots),
            len(wizard.cards),
            wizard.card.tries_left if wizard.card else None,
        )
        last = self._events[-1] if self._events else None
        if last is None or _without_time(last) != _without_time(new):
            self._events.append(new)

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(self._events)

    def forget(self) -> None:
        """Nothing of this turn is kept for the next person."""
        self._events.clear()


def _without_time(event: Event) -> tuple[object, ...]:
    return (
        event.step,
        event.work,
        event.code,
        event.readers,
        event.cards,
        event.tries_left,
    )
