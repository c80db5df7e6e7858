"""Every scenario of `hca-bind demo --scenario`: its code, its words, and the way out of it.

The trouble has to show by itself on the way through the wizard. Where a demo's trouble can be
lifted, it is, and the same wizard goes on to a binding without being started again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from person import Person, at_the_wizard

from card.port import SlotState
from card.virtual.pad import VirtualPad
from screens.language import Language, Words
from screens.prose import Prose
from screens.steps.step_screen import StepScreen
from screens.troubleshooting.remedy import words_for
from screens.troubleshooting.remedy_screen import RemedyScreen
from screens.wizard import Step, last_try_open, pin_allowed
from tui.scenarios import READER, SCENARIOS

pytestmark = pytest.mark.anyio

REGISTER, REBIND = "1", "2"  # lines of the welcome screen
Way = Callable[[Person], Awaitable[None]]


# --- ways out of a trouble -----------------------------------------------------------------------


async def fault_gone(person: Person) -> None:
    """The service is well again; the screen asks for the secret that goes there next."""
    person.backends.sandbox.faults.clear()


async def lift_fault(person: Person) -> None:
    """The service is well again, and the person tries again."""
    await fault_gone(person)
    await person.again()


async def fresh_challenge(person: Person) -> None:
    """The next challenge was fetched in the trouble as well: one step back gets another."""
    person.backends.sandbox.faults.clear()
    await person.again("escape")
    assert person.wizard.step is Step.CARD


async def restart_pcsc(person: Person) -> None:
    person.backends.embedded.fail(None)
    await person.until(lambda: person.wizard.slots_failure is None, "the readers seen again")
    if person.code is not None:
        await person.again()


async def another_card(person: Person) -> None:
    """The card is pulled and a good one put in; nothing has to be pressed."""
    person.backends.embedded.remove(READER)
    await person.fails("card.removed")
    person.backends.embedded.insert(READER, person.new_card())
    await person.until(lambda: person.code is None, "the new card read")


async def card_into_reader(person: Person) -> None:
    person.backends.embedded.insert(READER, person.new_card())
    await person.until(lambda: person.code is None, "the card seen")


async def plug_reader(person: Person) -> None:
    person.backends.embedded.plug(READER)
    await person.fails("card.absent")
    await card_into_reader(person)


async def release_card(person: Person) -> None:
    person.backends.embedded.hold(READER, held=False)
    await person.until(
        lambda: all(slot.state is SlotState.PRESENT for slot in person.wizard.slots), "seen free"
    )
    await person.again()


async def right_pin_on_the_reader(person: Person) -> None:
    """The next entry ends with the PIN; Enter asks the reader for it."""
    person.backends.embedded.plug(READER, VirtualPad(person.backends.pin.encode()))


async def verify_again(person: Person) -> None:
    """The proof is lost with its verification: the card is read and its PIN asked for again."""
    person.backends.sandbox.faults.clear()
    await person.again()
    assert person.wizard.card is not None


# --- what must happen ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Expected:
    """`code` shows at `step` after `pins` PINs were sent; `out` leads on to a receipt."""

    code: str
    step: Step
    pins: int = 0
    out: Way | None = lift_fault
    choice: str = REBIND


SERVICE_AT_THE_CHECK = {
    "service-down": "service.unavailable",
    "service-slow": "net.timeout",
    "service-busy": "service.busy",
    "service-failed": "service.failed",
    "service-nonsense": "service.nonsense",
    "service-redirect": "service.nonsense",
    "service-version": "service.version",
    "service-origin": "service.origin",
    "clock": "service.clock",
}
TROUBLES = {
    "blocked": Expected("card.pin.blocked", Step.PIN, out=another_card),
    "expired": Expected("card.certificate.expired", Step.CARD, out=another_card),
    "not-yet-valid": Expected("card.certificate.future", Step.CARD, out=another_card),
    "malformed-certificate": Expected("card.certificate.malformed", Step.CARD, out=another_card),
    "nhi-card": Expected("card.kind.nhi", Step.CARD, out=another_card),
    "moica-card": Expected("card.kind.moica", Step.CARD, out=another_card),
    "foreign-card": Expected("card.kind.unknown", Step.CARD, out=another_card),
    "mute-card": Expected("card.mute", Step.CARD, out=another_card),
    "no-card": Expected("card.absent", Step.READER, out=card_into_reader),
    "no-reader": Expected("card.reader.none", Step.READER, out=plug_reader),
    "held": Expected("card.reader.held", Step.CARD, out=release_card),
    "no-daemon": Expected("pcsc.service.missing", Step.COMPONENTS, out=restart_pcsc),
    "denied": Expected("pcsc.service.denied", Step.COMPONENTS, out=restart_pcsc),
    "no-library": Expected("pcsc.library.missing", Step.COMPONENTS, out=None),
    "challenge-expired": Expected(
        "service.challenge.expired", Step.PIN, pins=1, out=fresh_challenge
    ),
    "challenge-used": Expected("service.challenge.used", Step.PIN, pins=1, out=fresh_challenge),
    "card-revoked": Expected("service.card.revoked", Step.PIN, pins=1, out=fault_gone),
    "pin-pad-cancelled": Expected("card.pad.cancelled", Step.PIN, out=right_pin_on_the_reader),
    "pin-pad-late": Expected("card.pad.timeout", Step.PIN, out=right_pin_on_the_reader),
    "revoked": Expected("revocation.revoked", Step.CARD, out=another_card),
    "on-hold": Expected("revocation.on-hold", Step.CARD, out=another_card),
    "status-down": Expected("revocation.unavailable", Step.CARD),
    "status-slow": Expected("revocation.unavailable", Step.CARD),
    "status-forged": Expected("revocation.signature", Step.CARD),
    "status-stale": Expected("revocation.stale", Step.CARD),
    "verification-expired": Expected(
        "service.verification.expired", Step.CARD, pins=1, out=verify_again, choice=REGISTER
    ),
    "session-expired": Expected("service.session.expired", Step.SIGN_IN, pins=1, out=fault_gone),
    **{name: Expected(code, Step.COMPONENTS) for name, code in SERVICE_AT_THE_CHECK.items()},
}
# The one card that can be used is picked.
UNTROUBLED = {"ok", "looked-up", "pin-pad", "two-readers", "two-cards"}
COMPONENT_SCENARIOS = {
    name for name, scenario in SCENARIOS.items() if scenario.missing
}  # test_component_step.py
TRIES = {"wrong-pin-history": 2, "last-try": 1}


def test_every_scenario_is_expected() -> None:
    assert {*TROUBLES, *UNTROUBLED, *TRIES, *COMPONENT_SCENARIOS} == SCENARIOS.keys()


@pytest.mark.parametrize("name", TROUBLES)
async def test_a_trouble_and_the_way_out(authority_folder: Path, name: str) -> None:
    expected = TROUBLES[name]
    late = expected.code == "net.timeout"
    async with at_the_wizard(authority_folder, name, impatient=late) as person:
        await person.go(choice=expected.choice)
        await person.fails(expected.code)
        assert person.wizard.step is expected.step
        await explained(person)
        assert person.pins_sent == expected.pins
        if expected.step is not Step.COMPONENTS or name in SERVICE_AT_THE_CHECK:
            assert person.nothing_bound()
        if expected.out is None:
            await person.again("escape")
            assert person.wizard.step is Step.WELCOME
            return
        await expected.out(person)
        await person.go_on(choice=expected.choice)
        assert person.bound_once(), person.screen


async def explained(person: Person) -> None:
    """Title and first step on the screen in both languages, and all of it behind F2."""
    failure = person.wizard.failure
    assert failure is not None
    for language in (Language.ZH, Language.EN):
        _ = Words(language)
        remedy = words_for(failure.code, failure.facts, _)
        await person.sees(remedy.title)
        await person.sees(remedy.steps[0])
        await person.press("f2")
        await person.sees(_("Who can fix it: {fixer}", fixer=remedy.fixer))
        await person.sees(f"1. {remedy.steps[0]}")
        assert person.shows(remedy.title)
        assert isinstance(person.app.screen, RemedyScreen)
        text = person.app.screen.query_one("#text", Prose).text
        for words in (*remedy.steps, *remedy.causes, remedy.tell_support, failure.code):
            assert words in text
        await person.press("escape")
        await person.until(lambda: isinstance(person.app.screen, StepScreen), "the step again")
        await person.press("f3")
    assert person.wizard.failure == failure


@pytest.mark.parametrize("name", sorted(UNTROUBLED))
async def test_no_trouble(authority_folder: Path, name: str) -> None:
    async with at_the_wizard(authority_folder, name) as person:
        await person.go(Step.READER, choice=REGISTER)
        await person.again()  # the one card that can be used is marked already
        await person.go(choice=REGISTER)
        assert person.code is None
        assert person.bound_once()
        assert person.pins_sent == 1


@pytest.mark.parametrize("name", TRIES)
async def test_few_tries_left(authority_folder: Path, name: str) -> None:
    """Said before the first digit; the very last one needs a word typed first."""
    _ = Words(Language.ZH)
    async with at_the_wizard(authority_folder, name) as person:
        await person.go(Step.PIN, choice=REBIND)
        sentence = _("Tries left before the card locks: {tries}", tries=TRIES[name])
        await person.sees(f"!! {sentence}")
        if TRIES[name] == 1:
            assert last_try_open(person.wizard)
            assert not person.app.screen.query_one("#pin").display
            await person.type(person.backends.pin)
            await person.press("enter")
            assert last_try_open(person.wizard)
            assert person.pins_sent == 0
            assert person.card.tries_left == 1
        else:
            assert pin_allowed(person.wizard)
        await person.go(choice=REBIND)
        assert person.bound_once()
        assert person.pins_sent == 1
