"""The wizard's engine at a card that fails: classified, at most one VERIFY an entry, and usable."""

from __future__ import annotations

import pytest
from card_faults import Fault, column
from figures import Figures
from headless import Breaker, Desk, Person, Stuck, new_card

from card.virtual.authority import Authority
from client.purpose import Purpose

FLOWS = (Purpose.REGISTER, Purpose.REBIND)
CARDS = {"PKCS#15": "", "PIV": 'kind = "piv"\n'}
PART = 131  # of so many cells one, in everyday runs
OFTEN = 8  # of so many cells one in the proof: the card's own matrix has all of them


def complaint(desk: Desk, person: Person) -> str | None:
    """What is wrong with a cell; None where all is as it must be."""
    counted = desk.card.verify_count
    try:
        person.go()
        if desk.card.verify_count - counted > person.pins:
            return "a PIN was sent twice"
        desk.breaker.change = None
        desk.card.tries_left = desk.card.profile.pin.tries_left
        person.finish()
    except Stuck as stuck:
        return f"stuck: {stuck}"
    except KeyError as missing:
        return f"no entry for {missing}"
    if "app.unexpected" in person.codes:
        return f"a defect: {person.codes}"
    if desk.card.verify_count - counted > person.pins:
        return "a PIN was sent twice"
    receipt = person.wizard.receipt
    if receipt is None or desk.half() or desk.bound() != [(receipt.id, receipt.account)]:
        return f"{desk.half()}, {desk.bound()}, {receipt}"
    return None


def broken(breaker: Breaker, at: int, fault: Fault) -> None:
    breaker.at, breaker.change = at, fault.answer
    breaker.lost, breaker.lasting = fault.lost, fault.lasting


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", CARDS)
@pytest.mark.parametrize("purpose", FLOWS)
def test_the_wizard_outlives_every_card(
    figures: Figures, desk: Desk, authority: Authority, purpose: Purpose, kind: str
) -> None:
    desk.card = new_card(authority, CARDS[kind])
    desk.fresh()
    clean = Person(desk, purpose)
    clean.finish()
    commands = desk.breaker.sent
    clean.leave()
    cells, failures, misses = 0, 0, []
    for at in range(commands):
        for number, fault in enumerate(column()):
            if (at + number) % (OFTEN if figures.whole else PART):
                continue
            cells += 1
            desk.fresh()
            broken(desk.breaker, at, fault)
            person = Person(desk, purpose)
            wrong = complaint(desk, person)
            person.leave()
            failures += bool(person.codes)
            if wrong is not None:
                misses.append(f"command {at}, {fault.name}{' lasting' * fault.lasting}: {wrong}")
    figures.count(
        "wizard at broken cards",
        commands=commands,
        cells=cells,
        failures=failures,
        misses=len(misses),
    )
    assert failures > cells // 3
    assert misses == []


@pytest.mark.parametrize("kind", CARDS)
def test_what_was_misread_once_is_read_again(
    figures: Figures, desk: Desk, authority: Authority, kind: str
) -> None:
    """One bit of one answer: the next try finds the card as it is."""
    desk.card = new_card(authority, CARDS[kind])
    desk.fresh()
    clean = Person(desk, Purpose.REGISTER)
    clean.finish()
    commands = desk.breaker.sent
    clean.leave()
    bits = {
        part: Fault(f"bit at {part}", lambda answer, part=part: _flipped(answer, part))
        for part in ((0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0) if figures.whole else (0.3, 0.9))
    }
    misses, cells = [], 0
    for at in range(commands):
        for fault in bits.values():
            cells += 1
            desk.fresh()
            broken(desk.breaker, at, fault)
            person = Person(desk, Purpose.REGISTER)
            wrong = complaint(desk, person)
            person.leave()
            if wrong is not None:
                misses.append(f"command {at}, {fault.name}: {wrong}")
    figures.count("wizard at broken cards", cells=cells, misses=len(misses))
    assert misses == []


def _flipped(answer: bytes, part: float) -> bytes:
    """With the lowest bit of one byte of the data turned."""
    at = int(part * (len(answer) - 3))
    return answer[:at] + bytes((answer[at] ^ 1,)) + answer[at + 1 :] if len(answer) > 2 else answer
