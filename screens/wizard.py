"""The wizard without a screen: what is known so far, and one function for each transition.

Nothing here knows Textual, threads or the clock. A screen shows a `Wizard`; the shell runs the
`busy` work and feeds its outcome back in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from client.purpose import Purpose

if TYPE_CHECKING:  # the first frame needs none of these
    from card.desk import Place
    from card.port import HolderCertificate, PinRules, Slot
    from client.port import Challenge, Receipt, ServiceDescription, Session, Verification
    from screens.offers import Offer, Plan, Transfer

Fact = str | int | None
UNEXPECTED = "app.unexpected"  # an exception that no error tree foresees
LOW_TRIES = 2  # at or below this the wizard warns before the first digit


class Step(StrEnum):
    """The screens of the procedure, in the manual's order."""

    WELCOME = "welcome"
    COMPONENTS = "components"
    READER = "reader"
    CARD = "card"
    PIN = "pin"
    RESULT = "result"
    FORM = "form"
    SIGN_IN = "sign-in"
    RECEIPT = "receipt"


REGISTER_STEPS = (
    Step.COMPONENTS,
    Step.READER,
    Step.CARD,
    Step.PIN,
    Step.RESULT,
    Step.FORM,
    Step.RECEIPT,
)
REBIND_STEPS = (*REGISTER_STEPS[:5], Step.SIGN_IN, Step.RECEIPT)
CARD_STEPS = frozenset({Step.CARD, Step.PIN})
_LOOKED_AT = frozenset({Step.COMPONENTS, Step.READER, Step.CARD})


class Work(StrEnum):
    """What runs in the background while a screen waits."""

    CHECKING = "checking"  # the components
    DOWNLOADING = "downloading"  # a component
    INSTALLING = "installing"  # it
    READING = "reading"  # the card
    PREPARING = "preparing"  # challenge and tries, before the first digit
    PROVING = "proving"  # VERIFY, sign, verification
    REGISTERING = "registering"
    SIGNING_IN = "signing-in"
    BINDING = "binding"


class Component(StrEnum):
    """One row of the component check."""

    LIBRARY = "library"
    SERVICE = "pcsc"
    DRIVER = "driver"
    CRYPTO = "crypto"
    REPORTING = "reporting"
    LIST = "list"  # of components to be had; only where there is something to say
    MODULE = "module"  # a card's own; likewise


@dataclass(frozen=True)
class Failure:
    """One thing that went wrong, by its stable code; the catalogue has the words."""

    code: str
    facts: Mapping[str, Fact] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def cancelled(self) -> bool:
        """Not a failure at all: the person changed their mind."""
        return self.code.endswith(".cancelled")


def failure_of(error: Exception) -> Failure:
    """The code and facts of a typed error; any other is a defect, named by its type alone."""
    code, facts = getattr(error, "code", None), getattr(error, "facts", None)
    if isinstance(code, str) and callable(facts):
        return Failure(code, facts())
    return Failure(UNEXPECTED, {"kind": type(error).__name__})


@dataclass(frozen=True)
class Check:
    """The outcome of one component check; `evidence` is a version, a path or a host."""

    component: Component
    evidence: str = ""
    failure: Failure | None = None
    warning: bool = False  # worth knowing, but no reason to stop


@dataclass(frozen=True)
class CardOnTable:
    """What the opened card told, all of it before any PIN."""

    reader: str
    label: str
    certificate: HolderCertificate
    rules: PinRules
    tries_left: int | None  # unknown until the PIN step has asked for them


@dataclass(frozen=True)
class Submission:
    """A binding on its way: sent again unchanged, under the same key, until it is decided."""

    key: str
    fields: Mapping[str, str | bytearray] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )


@dataclass(frozen=True)
class Wizard:
    """Everything known so far. `failure` belongs to `step`; `busy` says what runs."""

    step: Step = Step.WELCOME
    purpose: Purpose = Purpose.REGISTER
    busy: Work | None = None
    failure: Failure | None = None
    checks: tuple[Check, ...] = ()
    service: ServiceDescription | None = None
    offers: tuple[Offer, ...] = ()  # for what is missing
    transfer: Transfer | None = None
    plan: Plan | None = None  # waits for its confirmation
    needs_module: bool = False  # a card was met that only its own module can reach
    slots: tuple[Slot, ...] = ()
    places: tuple[Place, ...] = ()  # the same slots, and what was found in them
    slots_failure: Failure | None = None  # why no card can be chosen: no service, reader or card
    reader: str | None = None
    card: CardOnTable | None = None
    card_gone: bool = False  # the chosen card is out; everything else is kept for its return
    account: str = ""  # rebinding: the account that the challenge is for
    challenge: Challenge | None = None
    last_try_confirmed: bool = False  # a typed confirmation, for this one try
    verification: Verification | None = None
    draft: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    refused_fields: frozenset[str] = frozenset()
    session: Session | None = None
    submission: Submission | None = None
    receipt: Receipt | None = None

    @property
    def steps(self) -> tuple[Step, ...]:
        return REBIND_STEPS if self.purpose is Purpose.REBIND else REGISTER_STEPS

    @property
    def cards(self) -> tuple[Slot, ...]:
        """The slots with a card in them, readable or not."""
        return tuple(slot for slot in self.slots if slot.filled)

    @property
    def undecided(self) -> bool:
        """A binding was sent and its outcome is not known; only the same one may be sent again."""
        return self.submission is not None


# --- moving between steps ----------------------------------------------------------------------


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


def can_cancel(wizard: Wizard) -> bool:
    """Not in the middle of an installation: half a package is worse than none."""
    return wizard.busy is not None and wizard.busy is not Work.INSTALLING


def components_ready(wizard: Wizard) -> bool:
    """True when nothing that a binding needs is missing."""
    lacking = any(row.failure and not row.warning for row in wizard.checks)
    return (
        bool(wizard.checks)
        and not lacking
        and wizard.service is not None
        and wizard.failure is None
    )


def choose_reader(wizard: Wizard) -> Wizard:
    """To the reader list."""
    return replace(
        wizard,
        step=Step.READER,
        busy=None,
        places=_places(wizard, wizard.slots),
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
        return prepare_pin(wizard) if same else replace(wizard, step=Step.CARD, challenge=None)
    return wizard


def category_matches(wizard: Wizard, category: str) -> bool:
    """True when the category that the person chose is the one in the card's certificate."""
    return wizard.card is not None and wizard.card.certificate.category == category


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


def pin_allowed(wizard: Wizard) -> bool:
    """True when a PIN may be typed now."""
    return (
        wizard.step is Step.PIN
        and wizard.busy is None
        and wizard.challenge is not None
        and wizard.card is not None
        and not wizard.card_gone
        and wizard.card.tries_left != 0
        and not last_try_open(wizard)
    )


def last_try_open(wizard: Wizard) -> bool:
    """One try is left and nobody has confirmed yet that it may be used."""
    one_left = wizard.card is not None and wizard.card.tries_left == 1
    return one_left and not wizard.last_try_confirmed


def confirm_last_try(wizard: Wizard) -> Wizard:
    """The person typed that the last try may be used; it holds for one PIN."""
    return replace(wizard, last_try_confirmed=True)


def tries_low(tries_left: int | None) -> bool:
    """Unknown counts as low: the next wrong PIN could be the last."""
    return tries_left is None or tries_left <= LOW_TRIES


def prove(wizard: Wizard) -> Wizard:
    """Enter was pressed on the PIN; the challenge is used up by it."""
    return replace(
        wizard, busy=Work.PROVING, failure=None, challenge=None, last_try_confirmed=False
    )


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


def can_go_back(wizard: Wizard) -> bool:
    """Not out of the welcome screen, not while work runs, not over a used or undecided proof."""
    return (
        wizard.busy is None
        and not wizard.undecided
        and wizard.step not in {Step.WELCOME, Step.RESULT, Step.RECEIPT}
    )


# --- what happens from outside -----------------------------------------------------------------


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
        places=_places(wizard, slots),
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
    if wizard.step in CARD_STEPS and wizard.busy is not Work.PROVING:
        return replace(wizard, failure=failure, card_gone=True, challenge=None, busy=None)
    return wizard


def to_look_at(wizard: Wizard) -> bool:
    """True when the reader list shows a card that nobody has looked at."""
    return wizard.step is Step.READER and any(not place.looked for place in wizard.places)


def looked(wizard: Wizard, places: tuple[Place, ...]) -> Wizard:
    """The cards were looked at; what changed in the meantime stays to be looked at."""
    return replace(wizard, places=_places(replace(wizard, places=places), wizard.slots))


def returned(wizard: Wizard) -> bool:
    """True when the lost card's slot holds a card again, so that it should be read anew."""
    slot = _slot(wizard.slots, wizard.reader)
    return wizard.card_gone and slot is not None and slot.filled


def waits_for_readers(wizard: Wizard) -> bool:
    """True while the component check stands still because PC/SC cannot be reached."""
    return (
        wizard.step is Step.COMPONENTS
        and wizard.busy is None
        and wizard.failure is not None
        and wizard.failure.code.startswith("pcsc.")
    )


def readers_back(wizard: Wizard) -> bool:
    """True when that check may be run again: PC/SC answers."""
    away = wizard.slots_failure is not None and wizard.slots_failure.code.startswith("pcsc.")
    return waits_for_readers(wizard) and not away


def waits_for_service(wizard: Wizard) -> bool:
    """True while a step stands still because the service cannot be reached."""
    return (
        wizard.busy is None
        and wizard.failure is not None
        and wizard.step is not Step.WELCOME
        and not (wizard.step is Step.COMPONENTS and wizard.service is not None)  # a download
        and wizard.failure.code.startswith(("net.", "service.unavailable", "service.failed"))
    )


def service_back(wizard: Wizard, service: ServiceDescription) -> Wizard:
    """The service answers again: what could not be reached is no longer a failure."""
    if wizard.step is Step.COMPONENTS:
        return check(wizard)
    wizard = replace(wizard, service=service, failure=None)
    if wizard.step is Step.PIN and wizard.busy is None and wizard.challenge is None:
        return prepare_pin(wizard)
    return wizard


def step_to_check(wizard: Wizard, step: Step | None) -> Step | None:
    """`step` where going back to it, to look again, is safe and of use; else None.

    Not while work runs, not once a proof was made, and not forwards.
    """
    steps = wizard.steps
    if wizard.busy is not None or step not in _LOOKED_AT or wizard.step not in steps[:4]:
        return None
    if step is Step.CARD and (wizard.reader is None or wizard.step is Step.CARD):
        return None
    return step if steps.index(step) <= steps.index(wizard.step) else None


def cancelled(wizard: Wizard) -> Wizard:
    """The person cancelled what ran; the step stays, and so does an undecided submission."""
    if wizard.step is Step.CARD and wizard.card is None:
        return choose_reader(wizard)
    if wizard.step is Step.PIN:
        return replace(wizard, step=Step.CARD, busy=None, challenge=None, failure=None)
    return replace(wizard, busy=None, transfer=None)


# Answers with which the service decided about a submission. Every other failure, a refused
# connection too (an earlier send may have arrived), leaves it undecided: the same one goes again
# under the same key, and nothing else may be sent in its place.
_DECIDED = (
    "service.form.",
    "service.account.",
    "service.card.",
    "service.verification.",
    "service.request.",
    "service.idempotency.",
)
_PROOF_LOST = ("service.verification.", "service.card.")
# What ends the connection to the card: it is read anew before anything else is asked of it.
_CARD_LOST = (
    "card.removed",
    "card.absent",
    "card.reader.gone",
    "card.reset",
    "card.mute",
    "pcsc.",
)


def failed(wizard: Wizard, failure: Failure) -> Wizard:
    """The running work failed: where the wizard stands then, and what it still knows."""
    if failure.cancelled:
        return cancelled(wizard)
    work = wizard.busy
    code = failure.code
    module = wizard.needs_module or code == "card.module.missing"
    wizard = replace(wizard, busy=None, failure=failure, transfer=None, needs_module=module)
    if work is Work.INSTALLING:
        return replace(wizard, plan=None)
    if work in {Work.REGISTERING, Work.BINDING}:
        return _submission_failed(wizard, failure)
    if wizard.step in CARD_STEPS and code.startswith(_CARD_LOST):
        return replace(wizard, card_gone=True, challenge=None)
    return _tries_known(wizard, failure) if work is Work.PROVING else wizard


def after_failed_proof(wizard: Wizard) -> bool:
    """True when another PIN may be asked for, so a fresh challenge should be fetched now."""
    return (
        wizard.step is Step.PIN
        and wizard.busy is None
        and wizard.challenge is None
        and not wizard.card_gone
        and wizard.card is not None
        and wizard.card.tries_left != 0
        and wizard.failure is not None
        and not wizard.failure.code.startswith(("net.", "service.unavailable", "card.sign."))
    )


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


def decides(code: str) -> bool:
    """True when a failure of this code means that what was submitted was surely not carried out."""
    return code.startswith(_DECIDED)


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
    if wizard.busy is Work.PROVING:
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


def _places(wizard: Wizard, slots: tuple[Slot, ...]) -> tuple[Place, ...]:
    """A place for each slot: as it was found, or still to be looked at."""
    from card.desk import at_first_sight

    known = {place.slot: place for place in wizard.places}
    return tuple(known.get(slot) or at_first_sight(slot) for slot in slots)


def _slot(slots: tuple[Slot, ...], reader: str | None) -> Slot | None:
    return next((slot for slot in slots if slot.reader == reader), None)
