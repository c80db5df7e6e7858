"""The component step without a screen: offers, a download, a plan, a yes."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from client.components import manifest
from client.components.manifest import How, Platform
from client.port import Label, ServiceDescription
from screens import events, moves, wizard
from screens.offers import Offer, Plan, Transfer
from screens.wizard import Check, Component, Failure, Step, Wizard, Work

OFFER = Offer(
    manifest.Component(
        id="x",
        part="module",
        name=Label("測試元件", "test"),
        version="1.0",
        minimum="",
        licence="MIT",
        platform=Platform("linux", "any"),
        how=How.APT,
    )
)
PLAN = Plan(OFFER, ("install it",), runs=True)
MISSING = Check(Component.MODULE, failure=Failure("card.module.missing"))
SERVICE = cast("ServiceDescription", object())


@pytest.fixture
def lacking() -> Wizard:
    return moves.checked(moves.check(Wizard()), (MISSING,), SERVICE, (OFFER,))


def test_what_lacks_is_the_failure_and_an_offer(lacking: Wizard) -> None:
    assert lacking.failure == MISSING.failure
    assert lacking.offers == (OFFER,)
    assert not wizard.components_ready(lacking)


def test_a_note_is_no_reason_to_stop() -> None:
    note = replace(MISSING, warning=True)
    now = moves.checked(moves.check(Wizard()), (note,), SERVICE, (OFFER,))
    assert wizard.components_ready(now)
    assert now.offers == (OFFER,)


def test_nothing_is_ready_before_it_is_installed_and_looked_at_again(lacking: Wizard) -> None:
    """The failure leaves the screen with the first key; what lacks still lacks."""
    downloading = moves.get(lacking)
    assert downloading.busy is Work.DOWNLOADING
    planned = moves.fetched(moves.transferred(downloading, Transfer(5, 9, 1.0, 4.0)), PLAN)
    installing = moves.install(planned)
    for now in (downloading, planned, installing, moves.back(planned)):
        assert not wizard.components_ready(now)
    assert (planned.plan, planned.transfer, planned.busy) == (PLAN, None, None)
    again = moves.check(installing)
    assert (again.busy, again.plan, again.offers) == (Work.CHECKING, None, ())


def test_declining_a_plan_stays_at_the_step(lacking: Wizard) -> None:
    declined = moves.back(moves.fetched(moves.get(lacking), PLAN))
    assert (declined.step, declined.plan) == (Step.COMPONENTS, None)
    assert moves.back(declined).step is Step.WELCOME


def test_a_download_can_be_cancelled_and_an_installation_cannot(lacking: Wizard) -> None:
    downloading = moves.transferred(moves.get(lacking), Transfer(5, 9, 1.0, 4.0))
    assert wizard.can_cancel(downloading)
    cancelled = events.cancelled(downloading)
    assert (cancelled.busy, cancelled.transfer, cancelled.offers) == (None, None, (OFFER,))
    assert not wizard.can_cancel(moves.install(moves.fetched(downloading, PLAN)))
    assert not wizard.can_cancel(lacking)


def test_a_failed_download_is_explained_and_can_be_tried_again(lacking: Wizard) -> None:
    failed = events.failed(moves.get(lacking), Failure("net.lost"))
    assert (failed.busy, failed.offers) == (None, (OFFER,))
    assert failed.failure is not None
    assert not wizard.waits_for_service(failed)  # its sentence stays until the person goes on


def test_a_failed_installation_forgets_its_plan(lacking: Wizard) -> None:
    installing = moves.install(moves.fetched(moves.get(lacking), PLAN))
    failed = events.failed(installing, Failure("component.install.failed"))
    assert (failed.plan, failed.busy) == (None, None)


@pytest.mark.parametrize("code", ["card.module.missing", "card.module.kept"])
def test_a_card_that_needs_its_module_makes_the_next_check_ask_for_it(code: str) -> None:
    reading = replace(Wizard(), step=Step.CARD, busy=Work.READING, reader="r")
    failed = events.failed(reading, Failure(code))
    assert failed.needs_module
    assert moves.check(failed).needs_module
    assert not moves.anew(failed).needs_module
