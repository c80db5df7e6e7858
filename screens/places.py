"""The readers side by side, in words: one line each, the same in the wizard and line by line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from card.port import SlotState
from card.text import clean
from screens.language import N_, Words

if TYPE_CHECKING:
    from card.desk import Place

NAME_COLUMNS = 48  # most of a line, and no real reader's name is longer
STATES = {
    SlotState.EMPTY: N_("no card"),
    SlotState.PRESENT: N_("card inserted, being looked at"),
    SlotState.MUTE: N_("a card that does not answer: is it the right way round?"),
    SlotState.HELD: N_("card in use by another program"),
}


def described(place: Place, words: Words) -> str:
    """What lies in the place: whose card, or why it cannot be used."""
    if place.usable:
        return words(N_("{holder} ({kind})"), holder=place.holder, kind=place.kind)
    if place.error is None or place.slot.state is not SlotState.PRESENT:
        return words(STATES[place.slot.state])
    from screens.troubleshooting.remedy import words_for

    return words_for(place.error.code, place.error.facts(), words).title


def name(reader: str) -> str:
    """A reader's name to be looked at; a driver may call its reader anything."""
    return clean(reader, NAME_COLUMNS)


def line(place: Place, words: Words) -> str:
    reader, card = name(place.slot.reader), described(place, words)
    return words(N_("{reader}: {card}"), reader=reader, card=card)


def rows(places: Iterable[Place]) -> list[dict[str, object]]:
    """The same as data, for `--json`."""
    from card.desk import picked

    places = tuple(places)
    only = picked(places)
    return [
        {
            "reader": place.slot.reader,
            "device": place.device.value,
            "state": place.slot.state.value,
            "card": place.kind.value if place.kind else None,
            "holder": place.holder or None,
            "usable": place.usable,
            "picked": place is only,
            "code": place.error.code if place.error else None,
        }
        for place in places
    ]
