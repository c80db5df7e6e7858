"""What a screen may ask of the program around it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from screens.language import Words
from screens.wizard import Failure, Wizard

if TYPE_CHECKING:
    from screens.findings import Finding
    from screens.troubleshooting.catalogue import Condition
    from screens.troubleshooting.remedy import RemedyWords
    from screens.troubleshooting.situation import Situation


class Action(StrEnum):
    """What the first screen offers; an administrator may leave some out on a kiosk."""

    REGISTER = "register"
    REBIND = "rebind"
    TROUBLESHOOTING = "troubleshooting"


class Shell(Protocol):
    """The application, as the screens see it."""

    words: Words

    @property
    def wizard(self) -> Wizard: ...
    @property
    def rule(self) -> str:
        """The character that lines are drawn with: ─, or - where that is not safe."""
        ...

    @property
    def kiosk(self) -> bool:
        """True where the next person must see nothing of this one, and nothing is kept."""
        ...

    @property
    def actions(self) -> frozenset[Action]:
        """What this run offers."""
        ...

    @property
    def bilingual(self) -> bool:
        """False on a console without Chinese characters: the other language is not offered."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Message ids of what the first screen says below its menu; empty ones say nothing."""
        ...

    @property
    def hint(self) -> str:
        """A line for the PIN screen of a demo or training run; empty in earnest."""
        ...

    @property
    def situation(self) -> Situation:
        """What is known at present, and how the readers are attached."""
        ...

    def remedy_of(self, failure: Failure) -> RemedyWords: ...
    def support_code(self, failure: Failure) -> str:
        """What a person reads out to support, for a failure in the present state."""
        ...

    def conditions(self) -> frozenset[Condition]:
        """What the present state says about the causes of a message."""
        ...

    def examine(self, found: Callable[[tuple[Finding, ...]], None]) -> None:
        """Let the doctor look; `found` is told of all findings so far, after each new one."""
        ...

    def report(self, findings: tuple[Finding, ...]) -> str:
        """The report's text."""
        ...

    def save_report(self, text: str) -> str:
        """Keep it in a new file for its owner alone; the file's path. Raises an error with code."""
        ...

    def show_report(self) -> None: ...
    def show_doctor(self) -> None: ...
    def show_help(self) -> None: ...
    def show_remedy(self) -> None: ...
    def leave(self) -> None:
        """End the program."""
        ...
