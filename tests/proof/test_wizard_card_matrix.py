"""The wizard's engine at a card that fails: classified, at most one VERIFY an entry, and usable."""

from __future__ import annotations

import pytest
from card_faults import Fault, column
from figures import Figures
from headless import Desk, Person, Stuck, new_card

from card.virtual.authority import Authority
from client.purpose import Purpose

FLOWS = (Purpose.REGISTER, Purpose.REBIND)
PIV = 'kind = "piv"\n'
CARDS = {
    "PKCS#15": "",
    "PIV": PIV,
    "PKCS#15, on the reader's keys": "[pin]\npadded = true\n",
    "PIV, on the reader's keys": PIV,
}
PART = 131  # of so many cells one, in everyday runs
# Of so many cells one in the proof: the card's own matrix has all of them. Where the PIN is entered
# on the reader's keys for a new account, they are all here too.
OFTEN = 8


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
    except AssertionError as broken:
        return f"an assertion: {broken}"
    if "app.unexpected" in person.codes:
        return f"a defect: {person.codes}"
    if desk.card.verify_count - counted > person.pins:
        return "a PIN was sent twice"
    receipt = person.wizard.receipt
    if receipt is None or desk.half() or desk.bound() != [(receipt.id, receipt.account)]:
        return f"{desk.half()}, {desk.bound()}, {receipt}"
    return None


def subject(desk: Desk) -> str:
    """As promises.py knows the figures by."""
    return "wizard at broken cards" + ", the reader's keys" * desk.keys


def cell(desk: Desk, purpose: Purpose, at: int, fault: Fault) -> tuple[Person, str | None]:
    """One binding with one broken command, and what is wrong with it."""
    desk.fresh()
    breaker = desk.breaker
    breaker.at, breaker.change = at, fault.answer
    breaker.lost, breaker.lasting = fault.lost, fault.lasting
    person = Person(desk, purpose)
    wrong = complaint(desk, person)
    person.leave()
    if wrong is None and breaker.open:
        wrong = f"{breaker.open} connections were not let go of"
    lasting = " lasting" * fault.lasting
    return person, wrong and f"command {at}, {fault.name}{lasting}: {wrong}"


def clean(desk: Desk, authority: Authority, purpose: Purpose, kind: str) -> int:
    """Lay that card out; the commands of a binding in which nothing breaks."""
    desk.card, desk.keys = new_card(authority, CARDS[kind]), "keys" in kind
    desk.fresh()
    person = Person(desk, purpose)
    person.finish()
    person.leave()
    assert (person.codes, desk.breaker.open) == ([], 0)
    assert (person.pins, person.entries, desk.card.verify_count) == (1, int(desk.keys), 1)
    return desk.breaker.sent


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", CARDS)
@pytest.mark.parametrize("purpose", FLOWS)
def test_the_wizard_outlives_every_card(
    figures: Figures, desk: Desk, authority: Authority, purpose: Purpose, kind: str
) -> None:
    commands = clean(desk, authority, purpose, kind)
    whole = 1 if desk.keys and purpose is Purpose.REGISTER else OFTEN
    cells, failures, misses = 0, 0, []
    for at in range(commands):
        for number, fault in enumerate(column()):
            if (at + number) % (whole if figures.whole else PART):
                continue
            cells += 1
            person, wrong = cell(desk, purpose, at, fault)
            failures += bool(person.codes)
            if wrong is not None:
                misses.append(wrong)
    figures.count(
        subject(desk),
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
    commands = clean(desk, authority, Purpose.REGISTER, kind)
    bits = {
        part: Fault(f"bit at {part}", lambda answer, part=part: _flipped(answer, part))
        for part in ((0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0) if figures.whole else (0.3, 0.9))
    }
    misses, cells = [], 0
    for at in range(commands):
        for fault in bits.values():
            cells += 1
            _, wrong = cell(desk, Purpose.REGISTER, at, fault)
            if wrong is not None:
                misses.append(wrong)
    figures.count(subject(desk), cells=cells, misses=len(misses))
    assert misses == []


def _flipped(answer: bytes, part: float) -> bytes:
    """With the lowest bit of one byte of the data turned."""
    at = int(part * (len(answer) - 3))
    return answer[:at] + bytes((answer[at] ^ 1,)) + answer[at + 1 :] if len(answer) > 2 else answer
