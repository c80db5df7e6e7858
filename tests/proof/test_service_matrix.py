"""Every request of both flows × everything that can happen to it, before a real sandbox.

Each cell must end in a failure that the catalogue explains, or go through; afterwards the same
wizard reaches the receipt; the service has exactly one binding, none half; every PIN was entered.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from figures import Figures
from headless import PATIENCE, Desk, Person, Stuck
from relay import Relay
from service_troubles import column

from client.purpose import Purpose

SHORT, LONG = 0.4, 10.0  # seconds of the client's patience
FLOWS = (Purpose.REGISTER, Purpose.REBIND)
PART = 23  # of so many cells one, in everyday runs


def complaint(desk: Desk, relay: Relay, person: Person, slow: bool) -> str | None:
    """What is wrong with a cell; None where all is as it must be."""
    counted = desk.card.verify_count
    desk.timeout = SHORT if slow else LONG
    started = time.monotonic()
    try:
        person.go()
        if half := desk.half():
            return f"half: {half}"
        if len(desk.bound()) > 1:
            return "two bindings"
        relay.break_at(-1, None)
        person.patient()
        person.finish()
        receipt = person.wizard.receipt
        if desk.half() or receipt is None or desk.bound() != [(receipt.id, receipt.account)]:
            return f"{desk.half()}, {desk.bound()}, {receipt}"
        if desk.card.verify_count - counted != person.pins:
            return f"{desk.card.verify_count - counted} VERIFY for {person.pins} PINs"
        if "app.unexpected" in person.codes:
            return f"a defect: {person.codes}"
    except Stuck as stuck:
        return f"stuck: {stuck}"
    except KeyError as missing:
        return f"no entry for {missing}"
    finally:
        relay.break_at(-1, None)
        person.leave()
    return "a hang" if time.monotonic() - started > PATIENCE else None


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("purpose", FLOWS)
def test_every_request_meets_every_trouble(
    figures: Figures, relayed: tuple[Desk, Relay], tmp_path: Path, purpose: Purpose
) -> None:
    desk, relay = relayed
    desk.fresh()
    relay.break_at(-1, None)
    clean = Person(desk, purpose)
    clean.finish()
    requests = list(relay.requests)
    clean.leave()
    cells, failures, misses = 0, 0, []
    codes: set[str] = set()
    troubles = column(tmp_path)
    for at, request in enumerate(requests):
        for number, trouble in enumerate(troubles):
            for lasting in (False, True):
                if not figures.whole and (2 * (at * len(troubles) + number) + lasting) % PART:
                    continue
                cells += 1
                desk.fresh()
                relay.break_at(at, trouble, lasting)
                person = Person(desk, purpose)
                wrong = complaint(desk, relay, person, trouble.slow)
                failures += bool(person.codes)
                codes.update(person.codes)
                if wrong is not None:
                    misses.append(f"{request}, {trouble.name}{' lasting' * lasting}: {wrong}")
    figures.count(
        "service troubles",
        requests=len(requests),
        cells=cells,
        failures=failures,
        codes=len(codes),
        misses=len(misses),
    )
    assert failures > cells // 2
    assert requests[0] == "GET /v1/service"
    assert misses == []
