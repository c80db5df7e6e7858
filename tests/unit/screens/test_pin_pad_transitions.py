"""The wizard with a reader that has keys of its own: what may be pressed, and what stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_wizard import AGAIN, AT_PIN, CARD, EMPTY, OTHER, READER

from card.port import PinPad
from screens import events, moves, wizard
from screens.wizard import Failure, Step, Work

CHOICE, ONLY = PinPad(30), PinPad(30, keyboard=False)
AT_PAD = replace(AT_PIN, card=replace(CARD, pad=CHOICE))
AT_ONLY = replace(AT_PIN, card=replace(CARD, pad=ONLY))
ENTERING = moves.enter(AT_PAD)


def test_either_the_readers_keys_or_the_keyboard() -> None:
    assert wizard.pin_allowed(AT_PIN)
    assert not wizard.pad_allowed(AT_PIN)
    assert wizard.pad_allowed(AT_PAD)
    assert not wizard.pin_allowed(AT_PAD)
    here = moves.change_keys(AT_PAD)
    assert wizard.pin_allowed(here)
    assert not wizard.pad_allowed(here)
    assert moves.change_keys(here) == AT_PAD


def test_no_keyboard_where_only_the_readers_keys_are_allowed() -> None:
    assert moves.change_keys(AT_ONLY) == AT_ONLY
    forced = replace(AT_ONLY, typed_here=True)
    assert wizard.pad_allowed(forced)
    assert not wizard.pin_allowed(forced)


def test_nothing_to_change_without_keys_or_while_work_runs() -> None:
    assert moves.change_keys(AT_PIN) == AT_PIN
    assert moves.change_keys(ENTERING) == ENTERING


@pytest.mark.parametrize(
    "changes",
    [
        {"busy": Work.PREPARING},
        {"challenge": None},
        {"card_gone": True},
        {"card": replace(AT_PAD.card, tries_left=0)},  # type: ignore[type-var]
        {"card": replace(AT_PAD.card, tries_left=1)},  # type: ignore[type-var]
        {"step": Step.CARD},
    ],
)
def test_the_reader_is_not_asked(changes: dict[str, object]) -> None:
    assert not wizard.pad_allowed(replace(AT_PAD, **changes))  # type: ignore[arg-type]


def test_an_entry_uses_up_the_challenge_and_the_confirmation() -> None:
    last = replace(
        AT_PAD,
        card=replace(CARD, pad=CHOICE, tries_left=1),
        last_try_confirmed=True,
    )
    assert wizard.pad_allowed(last)
    now = moves.enter(last)
    assert (now.busy, now.challenge, now.last_try_confirmed) == (Work.ENTERING, None, False)
    assert not wizard.pad_allowed(now)


def test_only_the_reader_ends_an_entry() -> None:
    assert not wizard.can_cancel(ENTERING)
    assert not wizard.can_go_back(ENTERING)
    assert events.slots_changed(ENTERING, EMPTY).busy is Work.ENTERING
    assert events.slots_changed(ENTERING, ()).busy is Work.ENTERING
    assert events.readers_lost(ENTERING, Failure("pcsc.service.stopped")).busy is Work.ENTERING


def test_what_the_card_took_is_verified_like_any_pin() -> None:
    assert moves.entered(ENTERING).busy is Work.PROVING


@pytest.mark.parametrize("code", ["card.pad.cancelled", "card.pad.timeout", "card.pad.length"])
def test_an_entry_without_a_pin_keeps_the_step_and_the_tries(code: str) -> None:
    now = events.failed(ENTERING, Failure(code))
    assert (now.step, now.busy, now.failure) == (Step.PIN, None, Failure(code))
    assert now.card is not None
    assert now.card.tries_left == 3
    assert wizard.after_failed_proof(now)


def test_a_wrong_pin_on_the_reader_tells_the_tries() -> None:
    now = events.failed(ENTERING, Failure("card.pin.wrong", {"tries_left": 2}))
    assert now.card is not None
    assert now.card.tries_left == 2


def test_a_reader_that_never_came_back_has_its_card_read_anew() -> None:
    now = events.failed(ENTERING, Failure("card.pad.silent", {"reader": READER}))
    assert now.card_gone
    assert not wizard.after_failed_proof(now)
    again = events.slots_changed(events.slots_changed(now, EMPTY), AGAIN)
    assert wizard.returned(again)


def test_another_card_is_asked_for_as_its_reader_wants() -> None:
    here = moves.change_keys(AT_PAD)
    assert not moves.read_card(here, READER).typed_here
    back = replace(here, card_gone=True, busy=Work.READING)
    assert moves.card_read(back, OTHER).step is Step.CARD
