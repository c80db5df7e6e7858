"""The wizard's transitions: where it stands after each thing that can happen, and what it keeps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.port import CardCategory, HolderCertificate, PinRules, Slot, SlotState, Via
from client.port import (
    CategoryOffer,
    Challenge,
    Label,
    Receipt,
    Revocation,
    ServiceDescription,
    Session,
    Verification,
)
from client.purpose import Purpose
from screens import events, moves, wizard
from screens.wizard import CardOnTable, Check, Component, Failure, Step, Submission, Wizard, Work

NOW = datetime(2026, 1, 1, tzinfo=UTC)
READER = "Invented Reader 00 00"
CERTIFICATE = HolderCertificate(
    der=b"one",
    holder="測試員甲",
    issuer="TEST",
    category=CardCategory.HPC,
    not_before=NOW,
    not_after=NOW + timedelta(days=1),
)
CARD = CardOnTable(READER, "TEST", CERTIFICATE, PinRules(6, 8, digits_only=False), Via.PKCS15, 3)
OTHER = replace(CARD, certificate=replace(CERTIFICATE, der=b"two"))
CHALLENGE = Challenge("c", "n" * 44, Purpose.REGISTER, None, NOW)
VERIFICATION = Verification("v", "測試員甲", "HPC", NOW)
SESSION = Session("nurse", "secret-token", NOW, None)
RECEIPT = Receipt("R-1", Purpose.REGISTER, "nurse", "測試員甲", "HPC", "1234", NOW)
SERVICE = ServiceDescription(
    name=Label("測試", "test"),
    version="1.0.0",
    origin="https://localhost",
    time=NOW,
    categories=(CategoryOffer("HPC", Label("醫事人員卡", "HPC")),),
    algorithms=("RS256",),
    account_form=(),
)
ASKING = replace(SERVICE, revocation=Revocation.OCSP)
FULL = (Slot(READER, SlotState.PRESENT, b"\x3b", changes=1),)
EMPTY = (Slot(READER, SlotState.EMPTY, changes=2),)
AGAIN = (Slot(READER, SlotState.PRESENT, b"\x3b", changes=3),)
AT_PIN = Wizard(
    step=Step.PIN, service=SERVICE, slots=FULL, reader=READER, card=CARD, challenge=CHALLENGE
)
AT_FORM = Wizard(step=Step.FORM, service=SERVICE, verification=VERIFICATION)


def test_each_procedure_has_its_own_steps() -> None:
    register, rebind = Wizard(), Wizard(purpose=Purpose.REBIND)
    assert Step.FORM in register.steps
    assert Step.SIGN_IN not in register.steps
    assert Step.SIGN_IN in rebind.steps
    assert Step.FORM not in rebind.steps
    assert len(register.steps) == len(rebind.steps) == 7


def test_starting_forgets_the_person_before() -> None:
    used = replace(AT_PIN, account="nurse", session=SESSION, receipt=RECEIPT)
    fresh = moves.start(used, Purpose.REBIND)
    assert fresh == Wizard(
        step=Step.COMPONENTS, purpose=Purpose.REBIND, busy=Work.CHECKING, slots=FULL
    )


def test_a_failed_component_stops_and_a_warning_does_not() -> None:
    failure = Failure("pcsc.service.missing")
    broken = (Check(Component.SERVICE, failure=failure),)
    warned = (Check(Component.DRIVER, failure=failure, warning=True),)
    start = moves.check(Wizard())
    assert moves.checked(start, broken, SERVICE).failure == failure
    assert not wizard.components_ready(moves.checked(start, broken, SERVICE))
    assert wizard.components_ready(moves.checked(start, warned, SERVICE))
    assert not wizard.components_ready(moves.checked(start, warned, None))


@pytest.mark.parametrize("tries", [None, 0, 1, 2, 3, 15])
def test_which_tries_are_low_and_which_allow_a_pin(tries: int | None) -> None:
    ready = moves.pin_ready(replace(AT_PIN, busy=Work.PREPARING), CHALLENGE, tries)
    assert wizard.tries_low(tries) is (tries is None or tries <= 2)
    assert wizard.pin_allowed(ready) is (tries not in {0, 1})
    assert wizard.last_try_open(ready) is (tries == 1)
    if tries == 0:
        assert ready.failure == Failure("card.pin.blocked")


def test_a_last_try_is_confirmed_for_one_pin_only() -> None:
    ready = moves.pin_ready(AT_PIN, CHALLENGE, 1)
    confirmed = moves.confirm_last_try(ready)
    assert wizard.pin_allowed(confirmed)
    sent = moves.prove(confirmed)
    assert not sent.last_try_confirmed
    assert not wizard.pin_allowed(moves.pin_ready(sent, CHALLENGE, 1))


def test_no_pin_while_work_runs_or_without_challenge_or_card() -> None:
    assert wizard.pin_allowed(AT_PIN)
    for state in (
        replace(AT_PIN, busy=Work.PROVING),
        replace(AT_PIN, challenge=None),
        replace(AT_PIN, card_gone=True),
        replace(AT_PIN, card=None),
        replace(AT_PIN, step=Step.CARD),
    ):
        assert not wizard.pin_allowed(state)


def test_a_wrong_pin_keeps_the_step_and_shows_what_is_left() -> None:
    failed = events.failed(moves.prove(AT_PIN), Failure("card.pin.wrong", {"tries_left": 2}))
    assert failed.step is Step.PIN
    assert failed.card is not None
    assert failed.card.tries_left == 2
    assert wizard.after_failed_proof(failed)
    again = events.prepare_again(failed)
    assert again.failure is not None, "what went wrong stays on the screen"
    assert again.busy is Work.PREPARING


def test_a_wrong_pin_without_a_number_counts_as_unknown() -> None:
    failed = events.failed(moves.prove(AT_PIN), Failure("card.pin.wrong", {"tries_left": None}))
    assert failed.card is not None
    assert failed.card.tries_left is None
    assert wizard.tries_low(failed.card.tries_left)


def test_a_blocked_card_asks_for_nothing_more() -> None:
    failed = events.failed(moves.prove(AT_PIN), Failure("card.pin.blocked"))
    assert failed.card is not None
    assert failed.card.tries_left == 0
    assert not wizard.pin_allowed(failed)
    assert not wizard.after_failed_proof(failed)


def test_a_proof_that_the_network_lost_waits_for_the_service() -> None:
    failed = events.failed(moves.prove(AT_PIN), Failure("net.timeout", {"host": "h"}))
    assert not wizard.after_failed_proof(failed)
    assert wizard.waits_for_service(failed)
    back = events.service_back(failed, SERVICE)
    assert back.failure is None
    assert back.busy is Work.PREPARING


def test_a_card_taken_out_is_noticed_and_everything_else_kept() -> None:
    gone = events.slots_changed(AT_PIN, EMPTY)
    assert gone.failure == Failure("card.removed", {"reader": READER})
    assert gone.card_gone
    assert gone.card == CARD
    assert gone.challenge is None
    assert not wizard.returned(gone)
    back = events.slots_changed(gone, AGAIN)
    assert wizard.returned(back)
    same = moves.card_read(moves.read_again(back), CARD)
    assert same.step is Step.PIN
    assert same.busy is Work.PREPARING
    assert not same.card_gone


def test_another_card_is_shown_before_it_is_used() -> None:
    gone = events.slots_changed(AT_PIN, EMPTY)
    other = moves.card_read(moves.read_again(events.slots_changed(gone, AGAIN)), OTHER)
    assert other.step is Step.CARD
    assert other.card == OTHER


def test_a_card_swapped_between_two_looks_is_noticed() -> None:
    swapped = events.slots_changed(AT_PIN, AGAIN)
    assert swapped.card_gone
    assert wizard.returned(swapped)


def test_an_unplugged_reader_has_its_own_code() -> None:
    assert events.slots_changed(AT_PIN, ()).failure == Failure(
        "card.reader.gone", {"reader": READER}
    )


def test_the_proof_itself_says_how_it_ended() -> None:
    proving = moves.prove(AT_PIN)
    assert events.slots_changed(proving, EMPTY).busy is Work.PROVING
    failed = events.failed(proving, Failure("card.removed", {"reader": READER}))
    assert failed.card_gone
    assert failed.challenge is None


@pytest.mark.parametrize(
    "code", ["card.answer.malformed", "card.sign.mismatch", "service.card.untrusted"]
)
def test_a_card_that_is_not_what_was_read_is_read_anew_before_another_pin(code: str) -> None:
    """One bit that was read wrongly would refuse every right PIN from then on."""
    failed = events.failed(replace(AT_PIN, busy=Work.PROVING), Failure(code))
    assert failed.card_gone
    assert not wizard.pin_allowed(failed)
    assert not wizard.after_failed_proof(failed)


def test_after_the_result_the_card_may_go() -> None:
    result = moves.proved(moves.prove(AT_PIN), VERIFICATION)
    assert events.slots_changed(result, EMPTY).failure is None
    assert events.slots_changed(AT_FORM, ()).failure is None


def test_a_lost_pcsc_service_waits_for_its_return() -> None:
    lost = events.readers_lost(AT_PIN, Failure("pcsc.service.stopped"))
    assert lost.card_gone
    assert lost.slots == ()
    assert wizard.returned(events.slots_changed(lost, FULL))
    assert events.readers_lost(AT_FORM, Failure("pcsc.service.stopped")).failure is None


UNDECIDED = [
    "net.timeout",
    "net.lost",
    "net.refused",  # an earlier try of the same submission may have arrived
    "net.tls.untrusted",
    "service.failed",
    "service.unavailable",
    "service.nonsense",
    "service.busy",
    "app.unexpected",
]
DECIDED = ["service.form.invalid", "service.account.exists", "service.request.invalid"]


@pytest.mark.parametrize("code", UNDECIDED)
def test_an_unknown_outcome_allows_the_same_submission_only(code: str) -> None:
    first = Submission("key-1", {"account": "nurse"})
    failed = events.failed(moves.register(AT_FORM, first), Failure(code))
    assert failed.undecided
    assert not wizard.can_go_back(failed)
    assert moves.register(failed, Submission("key-2", {})).submission is first


@pytest.mark.parametrize("code", DECIDED)
def test_a_decided_submission_is_over(code: str) -> None:
    failed = events.failed(moves.register(AT_FORM, Submission("key-1")), Failure(code))
    assert not failed.undecided
    second = Submission("key-2")
    assert moves.register(failed, second).submission is second


def test_refused_fields_are_named() -> None:
    failure = Failure("service.form.invalid", {"fields": "email,phone"})
    failed = events.failed(moves.register(AT_FORM, Submission("k")), failure)
    assert failed.refused_fields == {"email", "phone"}
    assert moves.register(failed, Submission("l")).refused_fields == frozenset()


@pytest.mark.parametrize("code", ["service.verification.expired", "service.card.bound"])
def test_a_lost_proof_starts_again_at_the_card(code: str) -> None:
    failed = events.failed(moves.register(AT_FORM, Submission("k")), Failure(code))
    assert failed.step is Step.CARD
    assert failed.verification is None
    assert not failed.undecided


def test_an_expired_session_signs_in_again_and_sends_the_same() -> None:
    state = replace(
        AT_FORM, step=Step.SIGN_IN, purpose=Purpose.REBIND, session=SESSION, account="nurse"
    )
    first = Submission("key-1")
    failed = events.failed(moves.bind(state, first), Failure("service.session.expired"))
    assert failed.session is None
    assert failed.step is Step.SIGN_IN
    again = moves.bind(moves.signed_in(failed, SESSION), Submission("key-2"))
    assert again.submission is first


def test_cancelling_keeps_an_undecided_submission() -> None:
    sending = moves.register(AT_FORM, Submission("k"))
    assert events.cancelled(sending).undecided
    assert events.failed(sending, Failure("net.cancelled")).failure is None


def test_going_back_never_leads_over_a_used_proof() -> None:
    result = moves.proved(moves.prove(AT_PIN), VERIFICATION)
    assert moves.back(result) is result
    assert moves.back(AT_FORM).step is Step.RESULT
    assert moves.back(AT_PIN).step is Step.CARD
    assert moves.back(AT_PIN).challenge is None
    assert moves.back(moves.back(AT_PIN)).step is Step.READER


def test_the_receipt_ends_the_turn() -> None:
    done = moves.bound(moves.register(AT_FORM, Submission("k")), RECEIPT)
    assert done.step is Step.RECEIPT
    assert done.session is None
    assert not done.undecided
    assert not wizard.can_go_back(done)


def test_an_error_without_a_code_is_named_by_its_type_alone() -> None:
    failure = wizard.failure_of(ValueError("a PIN could stand here"))
    assert failure == Failure("app.unexpected", {"kind": "ValueError"})


SLOTS = st.lists(
    st.builds(
        Slot, st.sampled_from([READER, "Other"]), st.sampled_from(SlotState), changes=st.integers(0)
    ),
    max_size=3,
).map(tuple)
FAILURES = st.sampled_from([*UNDECIDED, *DECIDED, "card.removed", "card.pin.wrong", "card.reset"])
EVENTS = st.one_of(
    SLOTS.map(lambda slots: lambda now: events.slots_changed(now, slots)),
    FAILURES.map(lambda code: lambda now: events.failed(now, Failure(code))),
    st.sampled_from(
        [
            moves.back,
            events.cancelled,
            moves.prove,
            moves.confirm_last_try,
            moves.choose_reader,
            moves.prepare_pin,
            moves.read_again,
            moves.enter_account,
            lambda now: events.readers_lost(now, Failure("pcsc.service.stopped")),
            lambda now: events.service_back(now, SERVICE),
            lambda now: moves.pin_ready(now, CHALLENGE, 1),
            lambda now: moves.card_read(now, OTHER),
            lambda now: moves.register(now, Submission("k")),
        ]
    ),
)


@given(st.sampled_from([Wizard(), AT_PIN, AT_FORM]), st.lists(EVENTS, max_size=12))
def test_in_no_state_may_a_pin_be_typed_that_should_not(state: Wizard, events: list) -> None:
    for event in events:
        state = event(state)
        if wizard.pin_allowed(state):
            assert state.card is not None
            assert state.card.tries_left != 0
            assert state.card.tries_left != 1 or state.last_try_confirmed
            assert state.challenge is not None
            assert state.busy is None
            assert not state.card_gone


def test_what_stood_in_the_form_is_kept_until_it_is_bound() -> None:
    drafted = moves.keep_draft(AT_FORM, {"name": "王測試"})
    lost = events.failed(
        moves.register(drafted, Submission("k")), Failure("service.verification.expired")
    )
    assert lost.draft == {"name": "王測試"}
    assert "王測試" not in repr(lost)
    done = moves.bound(moves.register(drafted, Submission("k")), RECEIPT)
    assert done.draft == {}
    assert moves.start(lost, Purpose.REGISTER).draft == {}


def test_a_card_is_looked_up_before_it_asks_anything() -> None:
    reading = Wizard(step=Step.CARD, busy=Work.READING, service=ASKING, slots=FULL, reader=READER)
    asking = moves.card_read(reading, CARD)
    assert (asking.step, asking.busy, asking.card) == (Step.CARD, Work.LOOKING_UP, CARD)
    assert moves.looked_up(asking).busy is None
    assert events.cancelled(asking).step is Step.READER, (
        "not on, with a card that nobody vouches for"
    )
    revoked = events.failed(asking, Failure("revocation.revoked"))
    assert (revoked.step, revoked.busy) == (Step.CARD, None)
    assert events.slots_changed(asking, EMPTY).busy is None
    unasked = moves.card_read(replace(reading, service=SERVICE), CARD)
    assert unasked.busy is None


def test_another_card_on_the_pin_step_is_looked_up_first() -> None:
    gone = events.slots_changed(replace(AT_PIN, service=ASKING), EMPTY)
    again = moves.card_read(moves.read_again(events.slots_changed(gone, AGAIN)), OTHER)
    assert (again.step, again.busy) == (Step.CARD, Work.LOOKING_UP)
