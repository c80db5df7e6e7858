"""`hca-bind readers`: the list that the wizard's reader step shows, as lines or as data."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from card import pin_pad
from card.desk import Desk, listed
from card.errors import NoReader
from card.pin_pad import State
from card.port import CardCategory
from screens.jobs import look
from screens.language import N_
from screens.places import line, rows
from tui.exit_status import DONE

if TYPE_CHECKING:
    from screens.jobs import Backends
    from tui.reporter import Reporter

PADS = {
    State.USED: N_("keys of its own: the PIN is typed there"),
    State.LYING: N_("its keys are known not to keep a PIN safe, and are not used"),
    State.UNNAMED: N_("its keys are not used: it does not say which model it is"),
    State.OFF: N_("its own keys are switched off in the settings"),
}
ACCEPTED = frozenset({CardCategory.HPC, CardCategory.HOP})  # no service is asked here


def list_readers(backends: Backends, reporter: Reporter) -> int:
    """One line for each reader; DONE. Raises NoReader, PcscError."""
    readers = backends.readers()
    with closing(Desk()) as desk:
        places = listed(look(backends, desk, readers.slots(), ACCEPTED))
    if not places:
        raise NoReader
    for place, row in zip(places, rows(places), strict=True):
        mark = ">" if row["picked"] else " "
        sentence = f"{mark} {line(place, reporter.words)}"
        pad = pin_pad.look_at(readers, place.slot)
        state = None if pad is None else pin_pad.state(pad, backends.pads())
        if state is not None:
            sentence += f"; {reporter.words(PADS[state])}"
        reporter.event("reader", sentence, **row, pad=state)
    return DONE
