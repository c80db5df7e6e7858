"""The wizard without a screen: what is known so far, and what that allows.

Nothing here knows Textual, threads or the clock. A screen shows a `Wizard`; `screens.moves` and
`screens.events` make the next one of it, and the engine runs the `busy` work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from client.purpose import Purpose
from screens.language import N_

if TYPE_CHECKING:  # the first frame needs none of these
    from card.desk import Place
    from card.port import HolderCertificate, PinPad, PinRules, Slot, Via
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


STEP_NAMES = {
    Step.WELCOME: N_("Welcome"),
    Step.COMPONENTS: N_("Check"),
    Step.READER: N_("Reader"),
    Step.CARD: N_("Card"),
    Step.PIN: N_("PIN"),
    Step.RESULT: N_("Result"),
    Step.FORM: N_("Account"),
    Step.SIGN_IN: N_("Sign in"),
    Step.RECEIPT: N_("Done"),
}
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
    LOOKING_UP = "looking-up"  # whether its certificate was revoked
    PREPARING = "preparing"  # challenge and tries, before the first digit
    ENTERING = "entering"  # the PIN, on the reader's own keys
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
    via: Via
    tries_left: int | None  # unknown until the PIN step has asked for them
    pad: PinPad | None = None  # the reader's own keys, where the PIN can be entered on them


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
    typed_here: bool = False  # on the keyboard, although the reader has keys of its own
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


# Half a package is worse than none; and only the reader itself can end an entry on its keys.
_NOT_CANCELLED = frozenset({Work.INSTALLING, Work.ENTERING})
# The PIN is on its way to the card, or may be: how that ends, the work itself tells.
PIN_UNDER_WAY = frozenset({Work.ENTERING, Work.PROVING})


def can_cancel(wizard: Wizard) -> bool:
    """True when what runs can be stopped from here."""
    return wizard.busy is not None and wizard.busy not in _NOT_CANCELLED


def components_ready(wizard: Wizard) -> bool:
    """True when nothing that a binding needs is missing."""
    lacking = any(row.failure and not row.warning for row in wizard.checks)
    return (
        bool(wizard.checks)
        and not lacking
        and wizard.service is not None
        and wizard.failure is None
    )


def category_matches(wizard: Wizard, category: str) -> bool:
    """True when the category that the person chose is the one in the card's certificate."""
    return wizard.card is not None and wizard.card.certificate.category == category


def on_pad(wizard: Wizard) -> bool:
    """True where the PIN is entered on the reader's keys."""
    pad = wizard.card.pad if wizard.card is not None else None
    return pad is not None and not (wizard.typed_here and pad.keyboard)


def keyboard_instead(wizard: Wizard) -> bool:
    """True where the person may choose between the reader's keys and the keyboard now."""
    pad = wizard.card.pad if wizard.card is not None else None
    return wizard.step is Step.PIN and wizard.busy is None and pad is not None and pad.keyboard


def to_look_up(wizard: Wizard) -> bool:
    """True when the service wants the card's certificate looked up before anything else."""
    return wizard.card is not None and wizard.service is not None and wizard.service.wants_look_up


def pin_allowed(wizard: Wizard) -> bool:
    """True when a PIN may be typed here now."""
    return _entry_allowed(wizard) and not on_pad(wizard)


def pad_allowed(wizard: Wizard) -> bool:
    """True when the reader may ask for the PIN now."""
    return _entry_allowed(wizard) and on_pad(wizard)


def _entry_allowed(wizard: Wizard) -> bool:
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


def tries_low(tries_left: int | None) -> bool:
    """Unknown counts as low: the next wrong PIN could be the last."""
    return tries_left is None or tries_left <= LOW_TRIES


def can_go_back(wizard: Wizard) -> bool:
    """Not out of the welcome screen, not while work runs, not over a used or undecided proof."""
    return (
        wizard.busy is None
        and not wizard.undecided
        and wizard.step not in {Step.WELCOME, Step.RESULT, Step.RECEIPT}
    )


def to_look_at(wizard: Wizard) -> bool:
    """True when the reader list shows a card that nobody has looked at."""
    return wizard.step is Step.READER and any(not place.looked for place in wizard.places)


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


def waits_for_service(wizard: Wizard) -> bool:
    """True while a step stands still because the service cannot be reached."""
    return (
        wizard.busy is None
        and wizard.failure is not None
        and wizard.step is not Step.WELCOME
        and not (wizard.step is Step.COMPONENTS and wizard.service is not None)  # a download
        and wizard.failure.code.startswith(("net.", "service.unavailable", "service.failed"))
    )


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
# What ends the connection to the card, or says that it is not the one that was read: it is read
# anew before anything else is asked of it.
_CARD_LOST = (
    "card.removed",
    "card.absent",
    "card.reader.gone",
    "card.reset",
    "card.mute",
    "card.pad.silent",
    "card.answer.malformed",
    "card.sign.mismatch",
    "pcsc.",
    "service.card.",
)


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


def decides(code: str) -> bool:
    """True when a failure of this code means that what was submitted was surely not carried out."""
    return code.startswith(_DECIDED)


def _slot(slots: tuple[Slot, ...], reader: str | None) -> Slot | None:
    return next((slot for slot in slots if slot.reader == reader), None)


def placed(wizard: Wizard, slots: tuple[Slot, ...]) -> tuple[Place, ...]:
    """A place for each slot: as it was found, or still to be looked at."""
    from card.desk import at_first_sight

    known = {place.slot: place for place in wizard.places}
    return tuple(known.get(slot) or at_first_sight(slot) for slot in slots)
