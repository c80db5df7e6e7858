"""Cards that lie in the readers from before a turn: somebody's, but not this person's.

They must come out before the turn begins, so that nobody sees or uses what another forgot. A card
counts as taken out when its reader's counter of changes says so; another may lie there by then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from card.port import Readers, Slot
    from screens.wizard import Wizard

LOOK_SECONDS = 1.0  # that the first screen waits for a PC/SC service which does not answer

Lying = frozenset[tuple[str, int]]  # readers with a card, and their counters


def look(readers: Callable[[], Readers]) -> tuple[Slot, ...] | None:
    """The readers as a turn begins; None where PC/SC does not tell within LOOK_SECONDS."""
    found: list[tuple[Slot, ...]] = []

    def ask() -> None:
        from card.errors import CardError

        try:
            found.append(readers().slots())
        except CardError:
            return

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(LOOK_SECONDS)
    return found[0] if found else None


class LeftCards:
    """Told of every state; while it is true a card has to come out first."""

    def __init__(self, slots: tuple[Slot, ...] | None) -> None:
        """`slots`: the readers before the turn; where None, those that are told of first count."""
        self._left: Lying | None = None if slots is None else _lying(slots)

    def __bool__(self) -> bool:
        return bool(self._left)

    def see(self, wizard: Wizard) -> None:
        if unknown(wizard):
            if self._left:
                self._left = None  # a daemon that comes back counts its changes anew
        elif wizard.slots or wizard.slots_failure is not None:
            lying = _lying(wizard.slots)
            self._left = lying if self._left is None else self._left & lying


def unknown(wizard: Wizard) -> bool:
    """The PC/SC service is away: nobody can say which cards are there."""
    return wizard.slots_failure is not None and wizard.slots_failure.code.startswith("pcsc.")


def _lying(slots: tuple[Slot, ...]) -> Lying:
    return frozenset((slot.reader, slot.changes) for slot in slots if slot.filled)
