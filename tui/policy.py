"""What a run of the wizard lets people do: at their own computer, or at a kiosk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from screens.shell import Action

if TYPE_CHECKING:
    from tui.kiosk.turn import Turn


@dataclass(frozen=True)
class Policy:
    """`turn` watches a kiosk's person; without one everything is allowed."""

    actions: frozenset[Action] = frozenset(Action)
    turn: Turn | None = None

    @property
    def kiosk(self) -> bool:
        """The next person must see nothing of this one."""
        return self.turn is not None


STANDARD = Policy()
