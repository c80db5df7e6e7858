"""What the component step can do about something that is missing: get it, then install it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from client.components.manifest import Component


@dataclass(frozen=True)
class Offer:
    """One component to be had."""

    component: Component

    @property
    def size(self) -> int:
        """In bytes; 0 where the system fetches it by itself."""
        return self.component.file.size if self.component.file else 0


@dataclass(frozen=True)
class Transfer:
    """How far a download is: bytes, bytes a second, seconds (None: unknown)."""

    done: int
    total: int
    speed: float
    left: float | None


@dataclass(frozen=True)
class Plan:
    """What will be run to install an offer, as it would be typed.

    `runs` is False where an administrator has to do it. `asks` is the command that asks for the
    password on the terminal first, empty where none is needed there.
    """

    offer: Offer
    commands: tuple[str, ...]
    runs: bool
    asks: tuple[str, ...] = ()
