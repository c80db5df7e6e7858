"""What the person does to the wizard: one function for each step forward or back.

Each takes a state and returns the next; nothing here knows Textual, threads or the clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from client.purpose import Purpose
from screens.wizard import (
    CardOnTable,
    Check,
    Failure,
    Step,
    Submission,
    Wizard,
    Work,
    can_go_back,
    keyboard_instead,
    placed,
    to_look_up,
)

if TYPE_CHECKING:  # the first frame needs none of these
    from client.port import Challenge, Receipt, ServiceDescription, Session, Verification
    from screens.offers import Offer, Plan, Transfer


def start(wizard: Wizard, purpose: Purpose) -> Wizard:
    """From the welcome screen into the procedure; what an earlier turn knew is forgotten."""
    return check(replace(anew(wizard), purpose=purpose))


def anew(wizard: Wizard) -> Wizard:
    """The first screen; nothing of the turn before is kept, only what the readers are like."""
    return Wizard(slots=wizard.slots, slots_failure=wizard.slots_failure)


def check(wizard: Wizard) -> Wizard:
    """Run the component check (again)."""
    return replace(
        wizard,
        step=Step.COMPONENTS,
        busy=Work.CHECKING,
        checks=(),
        service=None,
        failure=None,
        offers=(),
        transfer=None,
        plan=None,
    )


def check_known(wizard: Wizard, row: Check) -> Wizard:
    """One more component is known, while the others are still looked at."""
    return replace(wizard, checks=(*wizard.checks, row))


def checked(
    wizard: Wizard,
    checks: tuple[Check, ...],
    service: ServiceDescription | None,
    offers: tuple[Offer, ...] = (),
) -> Wizard:
    """The component check ended; its first failure is what the screen explains."""
    failure = next((row.failure for row in checks if row.failure and not row.warning), None)
    return replace(
        wizard, busy=None, checks=checks, service=service, failure=failure, offers=offers
    )


def get(wizard: Wizard) -> Wizard:
    """Fetch the first offer; the others come after the next check."""
    return replace(wizard, busy=Work.DOWNLOADING, failure=None, transfer=None, plan=None)


def transferred(wizard: Wizard, transfer: Transfer) -> Wizard:
    """Some more of the download is there."""
    return replace(wizard, transfer=transfer)


def fetched(wizard: Wizard, plan: Plan) -> Wizard:
    """The right file is there; what will be run is shown, and nothing runs before a yes."""
    return replace(wizard, busy=None, transfer=None, plan=plan)


def install(wizard: Wizard) -> Wizard:
    """The person confirmed the plan; `check` follows by itself."""
    return replace(wizard, busy=Work.INSTALLING, failure=None)


def choose_reader(wizard: Wizard) -> Wizard:
    """To the reader list."""
    return replace(
        wizard,
        step=Step.READER,
        busy=None,
        places=placed(wizard, wizard.slots),
        failure=wizard.slots_failure,
        card=None,
        card_gone=False,
        challenge=None,
    )


def read_card(wizard: Wizard, reader: str) -> Wizard:
    """Open the card in `reader`; the account name typed before is kept."""
    return replace(
        wizard,
        step=Step.CARD,
        busy=Work.READING,
        reader=reader,
        card=None,
        card_gone=False,
        challenge=None,
        typed_here=False,
        failure=None,
    )


def read_again(wizard: Wizard) -> Wizard:
    """Read the card that came back; what was known of it is kept to compare."""
    return replace(wizard, busy=Work.READING, failure=None)


def card_read(wizard: Wizard, card: CardOnTable) -> Wizard:
    """The card said who it is. One that came back goes on where it was, another is shown first."""
    before, gone = wizard.card, wizard.card_gone
    same = before is not None and before.certificate.der == card.certificate.der
    wizard = replace(wizard, busy=None, card=card, card_gone=False, failure=None)
    if gone and wizard.step is Step.PIN:
        if same:
            return prepare_pin(wizard)
        wizard = replace(wizard, step=Step.CARD, challenge=None)
    return replace(wizard, busy=Work.LOOKING_UP) if to_look_up(wizard) else wizard


def looked_up(wizard: Wizard) -> Wizard:
    """The card's certificate was not revoked."""
    return replace(wizard, busy=None)


def prepare_pin(wizard: Wizard, account: str | None = None) -> Wizard:
    """To the PIN: first a challenge and the tries left, so that no try is spent in vain."""
    return replace(
        wizard,
        step=Step.PIN,
        busy=Work.PREPARING,
        account=wizard.account if account is None else account,
        challenge=None,
        failure=None,
    )


def pin_ready(wizard: Wizard, challenge: Challenge, tries_left: int | None) -> Wizard:
    """Challenge and tries are there; with no try left there is nothing to ask."""
    if wizard.card is None:
        return wizard
    return replace(
        wizard,
        busy=None,
        challenge=challenge,
        last_try_confirmed=False,
        card=replace(wizard.card, tries_left=tries_left),
        failure=Failure("card.pin.blocked") if tries_left == 0 else wizard.failure,
    )


def confirm_last_try(wizard: Wizard) -> Wizard:
    """The person typed that the last try may be used; it holds for one PIN."""
    return replace(wizard, last_try_confirmed=True)


def prove(wizard: Wizard) -> Wizard:
    """Enter was pressed on the PIN; the challenge is used up by it."""
    return replace(
        wizard, busy=Work.PROVING, failure=None, challenge=None, last_try_confirmed=False
    )


def change_keys(wizard: Wizard) -> Wizard:
    """From the reader's keys to the keyboard, or back, where that is free to choose."""
    if not keyboard_instead(wizard):
        return wizard
    return replace(wizard, typed_here=not wizard.typed_here)


def enter(wizard: Wizard) -> Wizard:
    """Enter was pressed, and the reader asks for the PIN; the challenge is used up by it."""
    return replace(prove(wizard), busy=Work.ENTERING)


def entered(wizard: Wizard) -> Wizard:
    """The card took what was entered on the reader; the rest is as with a PIN typed here."""
    return replace(wizard, busy=Work.PROVING)


def proved(wizard: Wizard, verification: Verification) -> Wizard:
    """驗證成功. From here on the card is not needed."""
    return replace(wizard, step=Step.RESULT, busy=None, verification=verification, card_gone=False)


def enter_account(wizard: Wizard) -> Wizard:
    """From the result to the account form, or to the sign-in."""
    return replace(
        wizard,
        step=Step.SIGN_IN if wizard.purpose is Purpose.REBIND else Step.FORM,
        failure=None,
    )


def keep_draft(wizard: Wizard, fields: Mapping[str, str]) -> Wizard:
    """What stands in the account form, without its secrets, for when the person comes back."""
    return replace(wizard, draft=fields)


def register(wizard: Wizard, submission: Submission) -> Wizard:
    """Send the new account; an undecided submission goes again as it was."""
    return replace(
        wizard,
        busy=Work.REGISTERING,
        failure=None,
        refused_fields=frozenset(),
        submission=wizard.submission or submission,
    )


def sign_in(wizard: Wizard) -> Wizard:
    """Send account and password."""
    return replace(wizard, busy=Work.SIGNING_IN, failure=None)


def signed_in(wizard: Wizard, session: Session) -> Wizard:
    """Signed in; 綁定新憑證 IC 卡 is one key away."""
    return replace(wizard, busy=None, session=session)


def bind(wizard: Wizard, submission: Submission) -> Wizard:
    """綁定新憑證 IC 卡; an undecided submission goes again as it was."""
    return replace(
        wizard, busy=Work.BINDING, failure=None, submission=wizard.submission or submission
    )


def bound(wizard: Wizard, receipt: Receipt) -> Wizard:
    """The service has the binding."""
    return replace(
        wizard,
        step=Step.RECEIPT,
        busy=None,
        receipt=receipt,
        draft=MappingProxyType({}),
        submission=None,
        session=None,
        failure=None,
    )


def back(wizard: Wizard) -> Wizard:
    """One step back where that is safe; the same state where it is not (see `can_go_back`)."""
    if not can_go_back(wizard):
        return wizard
    match wizard.step:
        case Step.COMPONENTS if wizard.plan is not None:
            return replace(wizard, plan=None, failure=None)
        case Step.COMPONENTS:
            return anew(wizard)
        case Step.READER:
            return replace(wizard, step=Step.COMPONENTS, failure=None)
        case Step.CARD:
            return choose_reader(wizard)
        case Step.PIN:
            return replace(wizard, step=Step.CARD, challenge=None, failure=None)
        case _:
            return replace(wizard, step=Step.RESULT, failure=None)
