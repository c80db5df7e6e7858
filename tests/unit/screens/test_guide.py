"""The guide knows every failure that a user can meet, and a question for every step."""

from __future__ import annotations

import pytest

from screens.guide.contents import QUESTIONS, is_own, met_at
from screens.guide.states import failing, state
from screens.troubleshooting.catalogue import entries
from screens.wizard import Step, components_ready, pin_allowed


def test_every_failure_of_this_program_can_be_met_at_some_step() -> None:
    met = {entry.id for step in Step for entry in met_at(step)}
    assert {entry.id for entry in entries() if is_own(entry.id)} - met == set()


@pytest.mark.parametrize("step", Step)
def test_a_step_has_its_state_its_failures_and_questions(step: Step) -> None:
    assert state(step).step is step
    assert state(step).failure is None
    assert QUESTIONS[step]
    codes = [entry.id for entry in met_at(step)]
    assert codes
    assert len(set(codes)) == len(codes)
    for code in codes:
        failed = failing(step, code)
        assert failed.failure is not None
        assert (failed.step, failed.failure.code) == (step, code)


def test_the_invented_states_are_those_that_users_wait_in() -> None:
    assert components_ready(state(Step.COMPONENTS))
    assert not components_ready(failing(Step.COMPONENTS, "net.refused"))
    assert state(Step.READER).cards
    assert pin_allowed(state(Step.PIN))
    assert not pin_allowed(failing(Step.PIN, "card.pin.blocked"))
