"""Waiting where PC/SC counts readers in the state of its pseudo reader: one block for each change.

pcsc-lite counts their comings and goings from 2.4 on, Windows the readers themselves; the pcsc-lite
that the system tests run counts nothing, so both are played here below pyscard's functions.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from card import pcsc, pcsc_context
from card.pcsc import PNP, PcscReaders
from card.port import SlotState

EMPTY, CHANGED = 0x0010, 0x0002
TIMEOUT = 0x8010000A
MOST = 20  # calls; a loop that never blocks makes more

States = list[tuple[str, int]]


class Daemon:
    """Two readers come and go before the watch begins, and a third one comes after some calls."""

    def __init__(self, counts: Callable[[Daemon], int]) -> None:
        self.names = ["A 00 00", "B 00 00"]
        self.events = 6
        self.calls = 0
        self.blocked = 0
        self._counts = counts

    def list_readers(self, _context: int, _groups: list[str]) -> tuple[int, list[str]]:
        return 0, list(self.names)

    def status(
        self, _context: int, timeout: int, wanted: States
    ) -> tuple[int, list[tuple[str, int, list[int]]]]:
        self.calls += 1
        assert self.calls < MOST, "it asks again and again instead of waiting"
        given = dict(wanted)
        if timeout and self._is_as_given(given):
            self.blocked += 1
            if self.blocked == 2:  # it blocked in vain once, as if the time had run out
                self.names.append("C 00 00")
                self.events += 1
        answers = []
        for name, before in wanted:
            state = self._counts(self) << 16 if name == PNP else 1 << 16 | EMPTY
            changed = state != before and (name != PNP or bool(before))
            answers.append((name, state | (CHANGED if changed else 0), []))
        return (0 if any(state & CHANGED for _, state, _ in answers) else TIMEOUT), answers

    def _is_as_given(self, given: dict[str, int]) -> bool:
        return given[PNP] >> 16 in (0, self._counts(self))


@pytest.mark.parametrize(
    "counts",
    [lambda daemon: daemon.events, lambda daemon: len(daemon.names), lambda _daemon: 0],
    ids=["comings and goings", "readers", "nothing"],
)
def test_each_change_ends_one_wait(
    monkeypatch: pytest.MonkeyPatch, counts: Callable[[Daemon], int]
) -> None:
    daemon = Daemon(counts)
    scard = SimpleNamespace(
        SCARD_SCOPE_SYSTEM=2,
        SCardEstablishContext=lambda _scope: (0, 1),
        SCardReleaseContext=lambda _context: 0,
        SCardListReaders=daemon.list_readers,
        SCardGetStatusChange=daemon.status,
        SCardCancel=lambda _context: 0,
    )
    monkeypatch.setattr(pcsc, "load", lambda: scard)
    monkeypatch.setattr(pcsc_context, "refuse_foreign", lambda: None)
    readers = PcscReaders()
    known = readers.slots()
    now = readers.wait(known)
    assert [slot.reader for slot in now] == ["A 00 00", "B 00 00", "C 00 00"]
    assert {slot.state for slot in now} == {SlotState.EMPTY}
    assert daemon.blocked == 2
    readers.close()
