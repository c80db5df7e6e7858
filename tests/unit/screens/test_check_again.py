"""From a remedy back to the step where it was carried out: where that is safe, and only there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from client.purpose import Purpose
from screens.guide.states import READER, failing, state
from screens.troubleshooting.catalogue import entry
from screens.wizard import Step, Submission, Wizard, Work, step_to_check


@pytest.mark.parametrize(
    ("at", "code", "step"),
    [
        (Step.COMPONENTS, "net.refused", Step.COMPONENTS),
        (Step.CARD, "pcsc.service.missing", Step.COMPONENTS),
        (Step.CARD, "card.reader.held", Step.READER),
        (Step.PIN, "card.certificate.expired", Step.CARD),
        (Step.PIN, "net.refused", Step.COMPONENTS),
    ],
)
def test_the_remedys_own_step_is_looked_at_again(at: Step, code: str, step: Step) -> None:
    assert entry(code).link is step
    assert step_to_check(failing(at, code), entry(code).link) is step


@pytest.mark.parametrize("at", [Step.RESULT, Step.FORM, Step.SIGN_IN, Step.RECEIPT, Step.WELCOME])
@pytest.mark.parametrize("step", Step)
def test_a_proof_is_never_thrown_away(at: Step, step: Step) -> None:
    assert step_to_check(state(at), step) is None


def test_not_forwards_not_while_work_runs_and_not_without_a_step() -> None:
    assert step_to_check(state(Step.READER), Step.CARD) is None
    assert step_to_check(replace(state(Step.CARD), busy=Work.READING), Step.READER) is None
    assert step_to_check(state(Step.CARD), None) is None
    assert step_to_check(state(Step.PIN), Step.PIN) is None
    assert step_to_check(state(Step.CARD), Step.CARD) is None, "Enter reads it again anyway"


def test_an_undecided_binding_is_never_left() -> None:
    sent = replace(state(Step.SIGN_IN), submission=Submission("key"))
    assert step_to_check(sent, Step.COMPONENTS) is None


def test_the_card_can_only_be_looked_at_in_a_chosen_reader() -> None:
    at: Wizard = state(Step.PIN, Purpose.REBIND)
    assert at.reader == READER
    assert step_to_check(replace(at, reader=None), Step.CARD) is None
