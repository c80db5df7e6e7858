"""What one person's run has read of cards: one that stays or comes back is not read anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from card.pin_pad import Pad
    from card.piv.application import Contents as PivContents
    from card.pkcs15.application import Contents as Pkcs15Contents
    from card.port import Connection

    Contents: TypeAlias = Pkcs15Contents | PivContents


@dataclass
class Stay:
    """One card from its insertion to its removal, and the reader's keys beside it.

    `told`: the tries that it told and nobody was shown yet; empty where they are to be asked for.
    """

    contents: Contents
    pad: Pad | None = None
    told: tuple[int | None, ...] = ()


class Seen:
    """The cards of one person's run."""

    def __init__(self) -> None:
        self._stays: dict[int, tuple[object, Stay]] = {}  # by the identity of the contents

    @property
    def contents(self) -> tuple[Contents, ...]:
        """Of every card, once, however often it was put in."""
        return tuple(stay.contents for _, stay in self._stays.values())

    def in_place(self, connection: Connection) -> Stay | None:
        """The card at the other end, where its reader's own count says that it was not moved."""
        for mark, stay in self._stays.values():
            if mark is not None and mark == connection.stay:
                if stay.told == (0,):
                    stay.told = ()  # it may have been unblocked while nobody was connected
                return stay
        return None

    def keep(self, connection: Connection, stay: Stay) -> None:
        """The card at the other end was read and checked."""
        self._stays[id(stay.contents)] = connection.stay, stay
