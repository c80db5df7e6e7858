"""Whether the certificate was revoked: asked before the PIN, once, and only where it is wanted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from person import Person, at_the_wizard
from textual.widgets import Input

from card.virtual.card import VirtualCard
from card.virtual.profile import Profile
from client.sandbox.faults import Fault
from screens.language import Language, Words
from screens.secret_field import SecretField
from screens.steps.step_screen import WORK_NAMES
from screens.wizard import Step, Work, pin_allowed
from tui.scenarios import READER

pytestmark = pytest.mark.anyio

REBIND = "2"
_ = Words(Language.ZH)


def asked(person: Person) -> int:
    return len(person.backends.responder.asked)


async def held_up(person: Person) -> None:
    """At the card, while the responder says nothing."""
    await person.go(Step.READER, choice=REBIND)
    person.backends.sandbox.faults.add(Fault.STATUS_SLOW)
    await person.press("enter")
    await person.until(lambda: person.wizard.busy is Work.LOOKING_UP, "the look-up")
    await person.until(lambda: asked(person) == 1, "the responder asked")


async def test_asked_once_for_as_long_as_the_answer_holds(authority_folder: Path) -> None:
    """Back and forth, a wrong PIN, the card out and in again: the same answer serves."""
    async with at_the_wizard(authority_folder, "looked-up") as person:
        await person.go(Step.PIN, choice=REBIND)
        await person.again("escape")
        await person.again("escape")
        assert person.wizard.step is Step.READER
        await person.go(Step.PIN, choice=REBIND)
        person.backends.embedded.remove(READER)
        await person.fails("card.removed")
        person.backends.embedded.insert(READER, person.card)
        await person.until(lambda: pin_allowed(person.wizard), "the PIN asked for again")
        await person.type("Test-124")
        await person.press("enter")
        await person.fails("card.pin.wrong")
        await person.go_on(choice=REBIND)
        assert person.bound_once()
        assert (asked(person), person.pins_sent) == (1, 2)


async def test_another_card_is_another_question(authority_folder: Path) -> None:
    """Put in while the first one's PIN is asked for: the new one is looked up first."""
    async with at_the_wizard(authority_folder, "looked-up") as person:
        await person.go(Step.PIN, choice=REBIND)
        revoked = person.new_card('[certificate]\nstatus = "revoked"\n')
        person.backends.embedded.remove(READER)
        person.backends.embedded.insert(READER, revoked)
        await person.fails("revocation.revoked")
        assert person.wizard.step is Step.CARD
        assert not pin_allowed(person.wizard)
        assert (asked(person), person.pins_sent) == (2, 0)


async def test_the_screen_says_what_is_waited_for(authority_folder: Path) -> None:
    """The card is shown, its questions are not, and Esc ends the waiting."""
    async with at_the_wizard(authority_folder, "looked-up") as person:
        await held_up(person)
        await person.sees(_(WORK_NAMES[Work.LOOKING_UP]))
        await person.sees("測試員甲")
        assert not person.app.screen.query_one("#category").display
        assert not person.app.screen.query_one("#account", Input).display
        await person.press("1")
        await person.press("enter")
        assert person.wizard.step is Step.CARD
        await person.again("escape")
        assert person.wizard.step is Step.READER
        person.backends.sandbox.faults.clear()
        await person.go(choice=REBIND)
        assert person.bound_once()
        assert asked(person) == 2


async def test_the_card_is_pulled_while_the_responder_is_asked(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder, "looked-up") as person:
        await held_up(person)
        person.backends.embedded.remove(READER)
        await person.fails("card.removed")
        person.backends.sandbox.faults.clear()
        person.backends.embedded.insert(READER, person.card)
        await person.until(lambda: person.code is None and person.wizard.busy is None, "the card")
        await person.go(choice=REBIND)
        assert person.bound_once()
        assert asked(person) == 2


async def test_a_service_that_wants_it_only_now(
    authority_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the wizard got to the PIN step, there is no field before the answer."""
    async with at_the_wizard(authority_folder, "revoked") as person:
        monkeypatch.setattr("screens.moves.to_look_up", lambda _: False)
        await person.go(Step.CARD, choice=REBIND)
        assert person.code is None
        await person.act(REBIND, 1)
        await person.fails("revocation.revoked")
        assert person.wizard.step is Step.PIN
        assert not pin_allowed(person.wizard)
        assert not person.app.screen.query_one("#pin", SecretField).display
        unsaid = _("Tries left: the card does not say. A wrong PIN may lock it.")
        assert not person.shows(unsaid), "nobody asked it"
        await person.press("enter")
        await person.until(lambda: asked(person) == 2, "asked again")
        await person.fails("revocation.revoked")
        assert person.pins_sent == 0


async def test_nobody_is_asked_where_the_service_wants_none(authority_folder: Path) -> None:
    """By default nothing about a card leaves this computer, whatever its certificate names."""
    async with at_the_wizard(authority_folder) as person:
        authority = replace(person.backends.authority, responder=person.backends.responder.url)
        card = VirtualCard(Profile.parse('[certificate]\nstatus = "revoked"\n'), authority)
        person.backends.embedded.remove(READER)
        person.backends.embedded.insert(READER, card)
        await person.go(choice=REBIND)
        assert person.bound_once()
        assert asked(person) == 0
