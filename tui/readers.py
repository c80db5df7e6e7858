"""`hca-bind readers`: the list that the wizard's reader step shows, as lines or as data."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from card.desk import Desk, listed
from card.errors import NoReader
from card.port import CardCategory
from screens.jobs import look
from screens.places import line, rows
from tui.line import DONE

if TYPE_CHECKING:
    from screens.jobs import Backends
    from tui.line import Reporter

ACCEPTED = frozenset({CardCategory.HPC, CardCategory.HOP})  # no service is asked here


def list_readers(backends: Backends, reporter: Reporter) -> int:
    """One line for each reader; DONE. Raises NoReader, PcscError."""
    with closing(Desk()) as desk:
        places = listed(look(backends, desk, backends.readers().slots(), ACCEPTED))
    if not places:
        raise NoReader
    for place, row in zip(places, rows(places), strict=True):
        mark = ">" if row["picked"] else " "
        sentence = f"{mark} {line(place, reporter.words)}"
        reporter.event("reader", sentence, **row)
    return DONE
