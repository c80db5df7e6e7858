"""What a screen may ask of the program around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from screens.language import Words
from screens.wizard import Failure, Wizard

if TYPE_CHECKING:
    from screens.troubleshooting.remedy import RemedyWords


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
    def may_quit(self) -> bool:
        """False on a kiosk."""
        ...

    @property
    def hint(self) -> str:
        """A line for the PIN screen of a demo or training run; empty in earnest."""
        ...

    def remedy_of(self, failure: Failure) -> RemedyWords: ...
    def show_help(self) -> None: ...
    def show_remedy(self) -> None: ...
    def leave(self) -> None:
        """End the program."""
        ...
