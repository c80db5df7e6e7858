"""The readers side by side, and whose card of which kind lies in each.

Looking costs no PIN, and nothing at all is sent to a card that its answer to reset already names
as a wrong one. A card that can be used stays open for the one who picks it, so that nothing is
read twice; the others are let go at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from card import recognition
from card.devices import Device, device_of
from card.errors import (
    CardError,
    CardIsMoica,
    CardIsNhi,
    CardKindRefused,
    CardModuleMissing,
    CardMute,
    CardUnknown,
    ModuleError,
    ReaderHeld,
)
from card.port import Card, CardCategory, Slot, SlotState, Via
from card.recognition import Kind

Open = Callable[[str], Card]  # by the reader's name; raises CardError


@dataclass(frozen=True)
class Place:
    """One slot and what was found in it.

    `holder` is the certificate's name, only of a card that can be used here. `error` says why the
    card cannot be used; `looked` is False while nobody has looked yet.
    """

    slot: Slot
    device: Device = Device.READER
    kind: Kind | None = None
    holder: str = ""
    error: CardError | None = None
    looked: bool = True

    @property
    def usable(self) -> bool:
        return self.looked and self.slot.state is SlotState.PRESENT and self.error is None


def at_first_sight(slot: Slot) -> Place:
    """What PC/SC says by itself, and the cards that their answer to reset surely names.

    Nothing is sent, and no connection is made: an NHI card's data is nobody's business here.
    """
    device = device_of(slot.reader)
    match slot.state:
        case SlotState.EMPTY:
            return Place(slot, device)
        case SlotState.HELD:
            return Place(slot, device, error=ReaderHeld(slot.reader))
        case SlotState.MUTE:
            return Place(slot, device, Kind.MUTE, error=CardMute(slot.reader))
    match recognition.by_atr(slot.atr):
        case Kind.NHI:
            return Place(slot, device, Kind.NHI, error=CardIsNhi())
        case Kind.MOICA:
            return Place(slot, device, Kind.MOICA, error=CardIsMoica())
    return Place(slot, device, looked=False)


def listed(places: Iterable[Place]) -> tuple[Place, ...]:
    """Those worth showing: no empty or foreign slots of things that are no card readers.

    A key or a virtual reader with a card that can be used is shown like any other; where nothing
    else is there, the first of them is, because an empty list would hide that PC/SC works.
    """
    everything = tuple(places)
    shown = tuple(
        place
        for place in everything
        if place.device is Device.READER
        or place.usable
        or (place.device is Device.VIRTUAL and place.slot.filled)
    )
    return shown or everything[:1]


def picked(places: Iterable[Place]) -> Place | None:
    """The one card that can be used, or may turn out to; None where there are several or none."""
    found = [place for place in places if place.usable or not place.looked]
    return found[0] if len(found) == 1 else None


class Desk:
    """The places as last seen, with the usable cards open. For one thread."""

    def __init__(self) -> None:
        self._places: tuple[Place, ...] = ()
        self._open: dict[str, Card] = {}

    def look(
        self, slots: Iterable[Slot], opened: Open, accepted: Collection[str] | None = None
    ) -> tuple[Place, ...]:
        """One place for each slot; only what changed since the last look is looked at.

        `accepted`: the categories that the service takes, None for any. Raises nothing but what is
        no CardError.
        """
        before = {place.slot: place for place in self._places}
        slots = tuple(slots)
        for place in self._places:
            if place.slot not in slots:
                self._let_go(place.slot.reader)
        self._places = tuple(
            before.get(slot) or self._look(slot, opened, accepted) for slot in slots
        )
        return self._places

    def take(self, reader: str) -> Card | None:
        """The open card of that reader, now the caller's to close; the others are let go.

        None where none is open there.
        """
        card = self._open.pop(reader, None)
        self._release()
        return card

    def close(self) -> None:
        """Let go of every card; what was seen is forgotten."""
        self._release()
        self._places = ()

    def _release(self) -> None:
        for reader in tuple(self._open):
            self._let_go(reader)

    def _let_go(self, reader: str) -> None:
        card = self._open.pop(reader, None)
        if card is not None:
            card.close()

    def _look(self, slot: Slot, opened: Open, accepted: Collection[str] | None) -> Place:
        place = at_first_sight(slot)
        if place.looked:
            return place
        try:
            card = opened(slot.reader)
        except CardError as error:
            return Place(slot, place.device, _kind_in(error), error=error)
        category = card.certificate.category
        kind = _kind_of(card)
        if accepted is not None and category not in accepted:
            card.close()
            return Place(slot, place.device, kind, error=CardKindRefused(category))
        self._open[slot.reader] = card
        return Place(slot, place.device, kind, holder=card.certificate.holder)


def _kind_of(card: Card) -> Kind:
    """By the certificate's subject type, else by what reaches the card."""
    category = card.certificate.category
    return Kind(category) if category is not CardCategory.OTHER else _APPLICATIONS[card.via]


_APPLICATIONS = {Via.PKCS15: Kind.PKCS15, Via.PIV: Kind.PIV, Via.PKCS11: Kind.OTHER}


def _kind_in(error: CardError) -> Kind | None:
    """What an error tells of the card that it was about."""
    match error:
        case CardModuleMissing() | ModuleError():
            return Kind.HPC  # by its ATR; other cards are never said to lack a module
        case CardUnknown():
            return Kind.UNKNOWN
        case CardMute():
            return Kind.MUTE
    return Kind(error.kind) if error.kind else None
