"""What happens to the wizard from outside: readers, cards, the service, and work that fails.

Each takes a state and returns the next; nothing here knows Textual, threads or the clock.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from screens.moves import check, choose_reader, prepare_pin
from screens.wizard import (
    _CARD_LOST,
    _PROOF_LOST,
    CARD_STEPS,
    PIN_UNDER_WAY,
    Failure,
    Step,
    Wizard,
    Work,
    _slot,
    decides,
    placed,
    waits_for_readers,
)

if TYPE_CHECKING:  # the first frame needs none of these
    from card.desk import Place
    from card.port import Slot
    from client.port import ServiceDescription


def slots_changed(wizard: Wizard, slots: tuple[Slot, ...]) -> Wizard:
    """Readers or cards came or went.

    On the steps that need the card its loss is a failure that keeps everything else; its return
    reads it anew (`returned`). Elsewhere only the list changes.
    """
    before = _slot(wizard.slots, wizard.reader)
    after = _slot(slots, wizard.reader)
    wizard = replace(
        wizard,
        slots=slots,
        places=placed(wizard, slots),
        slots_failure=_nothing_to_choose(slots),
    )
    if wizard.step is Step.READER:
        return replace(wizard, failure=wizard.slots_failure)
    if wizard.step not in CARD_STEPS or wizard.reader is None:
        return wizard
    if after is None:
        return _card_lost(wizard, "card.reader.gone")
    if not after.filled or (before is not None and after.changes > before.changes):
        return _card_lost(wizard, "card.removed")
    return wizard


def readers_lost(wizard: Wizard, failure: Failure) -> Wizard:
    """The PC/SC service itself went away; the steps that need it wait for its return."""
    wizard = replace(wizard, slots=(), places=(), slots_failure=failure)
    if wizard.step is Step.READER:
        return replace(wizard, failure=failure)
    if wizard.step in CARD_STEPS and wizard.busy not in PIN_UNDER_WAY:
        return replace(wizard, failure=failure, card_gone=True, challenge=None, busy=None)
    return wizard


def looked(wizard: Wizard, places: tuple[Place, ...]) -> Wizard:
    """The cards were looked at; what changed in the meantime stays to be looked at."""
    return replace(wizard, places=placed(replace(wizard, places=places), wizard.slots))


def readers_back(wizard: Wizard) -> bool:
    """True when that check may be run again: PC/SC answers."""
    away = wizard.slots_failure is not None and wizard.slots_failure.code.startswith("pcsc.")
    return waits_for_readers(wizard) and not away


def service_back(wizard: Wizard, service: ServiceDescription) -> Wizard:
    """The service answers again: what could not be reached is no longer a failure."""
    if wizard.step is Step.COMPONENTS:
        return check(wizard)
    wizard = replace(wizard, service=service, failure=None)
    if wizard.step is Step.PIN and wizard.busy is None and wizard.challenge is None:
        return prepare_pin(wizard)
    return wizard


def cancelled(wizard: Wizard) -> Wizard:
    """The person cancelled what ran; the step stays, and so does an undecided submission."""
    if wizard.step is Step.CARD and (wizard.card is None or wizard.busy is Work.LOOKING_UP):
        return choose_reader(wizard)
    if wizard.step is Step.PIN:
        return replace(wizard, step=Step.CARD, busy=None, challenge=None, failure=None)
    return replace(wizard, busy=None, transfer=None)


def failed(wizard: Wizard, failure: Failure) -> Wizard:
    """The running work failed: where the wizard stands then, and what it still knows."""
    work = wizard.busy
    if failure.cancelled and work is not Work.ENTERING:  # the reader's cancel key is told like it
        return cancelled(wizard)
    code = failure.code
    module = wizard.needs_module or code in {"card.module.missing", "card.module.kept"}
    wizard = replace(wizard, busy=None, failure=failure, transfer=None, needs_module=module)
    if work is Work.INSTALLING:
        return replace(wizard, plan=None)
    if work in {Work.REGISTERING, Work.BINDING}:
        return _submission_failed(wizard, failure)
    if wizard.step in CARD_STEPS and code.startswith(_CARD_LOST):
        return replace(wizard, card_gone=True, challenge=None)
    return _tries_known(wizard, failure) if work in PIN_UNDER_WAY else wizard


def prepare_again(wizard: Wizard) -> Wizard:
    """A fresh challenge for another try; what went wrong stays on the screen."""
    return replace(wizard, busy=Work.PREPARING, challenge=None)


def _tries_known(wizard: Wizard, failure: Failure) -> Wizard:
    """A wrong PIN told how many tries are left; a blocked one that there is none."""
    if wizard.card is None:
        return wizard
    tries = wizard.card.tries_left
    if failure.code == "card.pin.blocked":
        tries = 0
    elif failure.code in {"card.pin.wrong", "card.pin.tries-changed"}:
        left = failure.facts.get("tries_left")
        tries = left if isinstance(left, int) else None
    return replace(wizard, card=replace(wizard.card, tries_left=tries))


def _submission_failed(wizard: Wizard, failure: Failure) -> Wizard:
    if failure.code == "service.session.expired":
        return replace(wizard, session=None)  # sign in again, then send the same one
    if not decides(failure.code):
        return wizard
    wizard = replace(wizard, submission=None)
    if failure.code.startswith(_PROOF_LOST):
        return replace(wizard, step=Step.CARD, verification=None, session=None, card_gone=True)
    if failure.code == "service.form.invalid":
        named = str(failure.facts.get("fields") or "")
        return replace(wizard, refused_fields=frozenset(filter(None, named.split(","))))
    return wizard


def _card_lost(wizard: Wizard, code: str) -> Wizard:
    if wizard.busy in PIN_UNDER_WAY:
        return wizard  # the proof itself ends in the exact error, and it may already be done
    return replace(
        wizard,
        card_gone=True,
        challenge=None,
        busy=None,
        failure=Failure(code, MappingProxyType({"reader": wizard.reader})),
    )


def _nothing_to_choose(slots: tuple[Slot, ...]) -> Failure | None:
    """No reader, or no card in any: as the line mode says it, so that the remedy is at hand."""
    if not slots:
        return Failure("card.reader.none")
    if not any(slot.filled for slot in slots):
        return Failure("card.absent", MappingProxyType({"reader": slots[0].reader}))
    return None
