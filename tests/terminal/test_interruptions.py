"""Cards pulled, readers unplugged, services gone, answers lost: said at once, and gone on from."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from person import Person, at_the_wizard

from card.errors import PcscServiceStopped
from client.sandbox.faults import Fault
from screens.language import Language, Words
from screens.secret_field import SecretField
from screens.troubleshooting.remedy import words_for
from screens.wizard import Step, Work, pin_allowed
from tui.scenarios import READER

pytestmark = pytest.mark.anyio

REGISTER, REBIND = "1", "2"
_ = Words(Language.ZH)
SLOW_CARD = 0.1  # seconds for an APDU: time to pull the card while it works
STRANGER = '[certificate]\nholder = "測試員乙"\n'
CARD_STEPS = (Step.CARD, Step.PIN)


async def said(person: Person, code: str) -> None:
    """The failure shows, in the catalogue's words."""
    await person.fails(code)
    assert person.wizard.failure is not None
    await person.sees(words_for(code, person.wizard.failure.facts, _).title)


async def well_again(person: Person, step: Step) -> None:
    """Back at `step` by itself, as it was before the trouble."""
    await person.until(
        lambda: person.code is None and person.wizard.busy is None, "the trouble's end"
    )
    assert person.wizard.step is step
    assert not person.wizard.card_gone
    if step is Step.PIN:
        await person.until(lambda: pin_allowed(person.wizard), "the PIN field")
        field = person.app.screen.query_one("#pin", SecretField)
        await person.until(lambda: field.display, "the PIN field shown")
        assert not field.filled


async def to_the_end(person: Person, choice: str = REBIND) -> None:
    await person.go_on(choice=choice)
    assert person.bound_once(), person.screen


APDUS_AGAIN = 10  # from the card put back to the proof (tests/bench/README.md)


async def half_a_pin(person: Person) -> None:
    if person.wizard.step is Step.PIN:
        await person.type(person.backends.pin[:4])


# --- cards and readers ---------------------------------------------------------------------------


@pytest.mark.parametrize("step", CARD_STEPS)
async def test_the_card_is_pulled_and_put_back(authority_folder: Path, step: Step) -> None:
    async with at_the_wizard(authority_folder) as person:
        await person.go(step, choice=REBIND)
        await half_a_pin(person)
        person.backends.embedded.remove(READER)
        await said(person, "card.removed")
        assert person.wizard.step is step
        before = person.card.transmitted
        person.backends.embedded.insert(READER, person.card)
        await well_again(person, step)
        assert person.pins_sent == 0
        await to_the_end(person)
        assert person.pins_sent == 1
        # It is known again by the end of its certificate, and its files are not read anew.
        assert person.card.transmitted - before == APDUS_AGAIN


@pytest.mark.parametrize("step", CARD_STEPS)
async def test_another_card_is_put_in(authority_folder: Path, step: Step) -> None:
    """It is shown with its holder before anyone is asked for its PIN."""
    async with at_the_wizard(authority_folder) as person:
        await person.go(step, choice=REBIND)
        await half_a_pin(person)
        stranger = person.new_card(STRANGER)
        person.backends.embedded.remove(READER)
        person.backends.embedded.insert(READER, stranger)
        await person.until(lambda: person.shows("測試員乙"), "the other holder")
        await well_again(person, Step.CARD)
        assert person.wizard.challenge is None
        await to_the_end(person)
        assert (stranger.verify_count, person.pins_sent) == (1, 1)


@pytest.mark.parametrize("step", CARD_STEPS)
async def test_a_card_of_the_wrong_kind_is_put_in(authority_folder: Path, step: Step) -> None:
    async with at_the_wizard(authority_folder) as person:
        await person.go(step, choice=REBIND)
        right, wrong = person.card, person.new_card('kind = "foreign"\n')
        person.backends.embedded.remove(READER)
        person.backends.embedded.insert(READER, wrong)
        await said(person, "card.kind.unknown")
        assert not pin_allowed(person.wizard)
        person.backends.embedded.remove(READER)
        person.backends.embedded.insert(READER, right)
        await person.until(lambda: person.code is None, "the right card")
        await to_the_end(person)
        assert (wrong.verify_count, right.verify_count) == (0, 1)


@pytest.mark.parametrize("step", [Step.READER, *CARD_STEPS])
async def test_the_reader_is_unplugged_and_plugged_in(authority_folder: Path, step: Step) -> None:
    async with at_the_wizard(authority_folder) as person:
        await person.go(step, choice=REBIND)
        await half_a_pin(person)
        person.backends.embedded.unplug(READER)
        await said(person, "card.reader.none" if step is Step.READER else "card.reader.gone")
        person.backends.embedded.plug(READER)
        person.backends.embedded.insert(READER, person.card)
        await well_again(person, step)
        await to_the_end(person)
        assert person.pins_sent == 1


@pytest.mark.parametrize("step", [Step.READER, *CARD_STEPS])
async def test_the_pcsc_service_ends_and_comes_back(authority_folder: Path, step: Step) -> None:
    async with at_the_wizard(authority_folder) as person:
        await person.go(step, choice=REBIND)
        await half_a_pin(person)
        person.backends.embedded.fail(PcscServiceStopped())
        await said(person, "pcsc.service.stopped")
        person.backends.embedded.fail(None)
        await well_again(person, step)
        await to_the_end(person)
        assert person.pins_sent == 1


async def test_back_from_a_lost_pcsc_service_still_says_so(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder) as person:
        await person.go(Step.CARD, choice=REBIND)
        person.backends.embedded.fail(PcscServiceStopped())
        await said(person, "pcsc.service.stopped")
        await person.again("escape")
        assert person.wizard.step is Step.READER
        await said(person, "pcsc.service.stopped")
        person.backends.embedded.fail(None)
        await well_again(person, Step.READER)
        await to_the_end(person)


async def prove_slowly(person: Person) -> None:
    """Enter on the PIN, with a card that takes its time."""
    await person.go(Step.PIN, choice=REBIND)
    person.backends.embedded.delay = SLOW_CARD
    await person.type(person.backends.pin)
    await person.press("enter")
    await person.until(lambda: person.wizard.busy is Work.PROVING, "the proof under way")


async def test_the_card_is_pulled_during_the_proof(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder) as person:
        await prove_slowly(person)
        person.backends.embedded.remove(READER)
        await said(person, "card.removed")
        assert person.wizard.step is Step.PIN
        sent = person.pins_sent
        person.backends.embedded.delay = 0
        person.backends.embedded.insert(READER, person.card)
        await well_again(person, Step.PIN)
        assert person.pins_sent == sent <= 1
        await to_the_end(person)
        assert person.pins_sent == sent + 1


async def test_the_pcsc_service_ends_during_the_proof(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder) as person:
        await prove_slowly(person)
        person.backends.embedded.fail(PcscServiceStopped())
        await said(person, "pcsc.service.stopped")
        sent = person.pins_sent
        person.backends.embedded.delay = 0
        person.backends.embedded.fail(None)
        await well_again(person, Step.PIN)
        assert person.pins_sent == sent <= 1
        await to_the_end(person)
        assert person.pins_sent == sent + 1


# --- the reporting service -----------------------------------------------------------------------


async def stop_service(person: Person) -> None:
    await asyncio.to_thread(person.backends.sandbox.stop)


async def start_service(person: Person) -> None:
    """On the same port, with the same memory."""
    await asyncio.to_thread(person.backends.sandbox.start)


async def test_no_service_at_the_component_check(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder) as person:
        await stop_service(person)
        await person.go(Step.COMPONENTS, choice=REBIND)
        await said(person, "net.refused")
        await start_service(person)
        await well_again(person, Step.COMPONENTS)
        await to_the_end(person)


async def test_no_service_at_the_pin_preparation(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder) as person:
        await person.go(Step.CARD, choice=REBIND)
        await stop_service(person)
        await person.go(Step.PIN, choice=REBIND)
        await said(person, "net.refused")
        assert not pin_allowed(person.wizard)
        await start_service(person)
        await well_again(person, Step.PIN)
        await to_the_end(person)
        assert person.pins_sent == 1


async def test_no_service_after_the_pin(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder) as person:
        await person.go(Step.PIN, choice=REBIND)
        await stop_service(person)
        await person.go_on(Step.RESULT, choice=REBIND)
        await said(person, "net.refused")
        assert person.pins_sent == 1
        assert not pin_allowed(person.wizard), "no PIN may be spent while nobody would look at it"
        await start_service(person)
        await well_again(person, Step.PIN)
        await to_the_end(person)
        assert person.pins_sent == 2


async def test_no_service_at_the_form(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder) as person:
        await person.go(Step.FORM, choice=REGISTER)
        await stop_service(person)
        await person.go_on(choice=REGISTER)
        await said(person, "net.refused")
        submission = person.wizard.submission
        assert submission is not None
        await start_service(person)
        await well_again(person, Step.FORM)
        assert person.wizard.submission is submission
        assert person.nothing_bound()
        await to_the_end(person, REGISTER)
        assert person.accounts == 1


async def test_no_service_at_the_sign_in(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder) as person:
        await person.go(Step.SIGN_IN, choice=REBIND)
        await stop_service(person)
        await person.go_on(choice=REBIND)
        await said(person, "net.refused")
        await start_service(person)
        await well_again(person, Step.SIGN_IN)
        await to_the_end(person)
        assert person.pins_sent == 1


async def signed_in(person: Person) -> None:
    await person.go(Step.SIGN_IN, choice=REBIND)
    await person.act(REBIND, 1)
    await person.until(lambda: person.wizard.session is not None, "the session")


async def test_no_service_at_the_binding(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder) as person:
        await signed_in(person)
        await stop_service(person)
        await person.again()
        await said(person, "net.refused")
        await start_service(person)
        await well_again(person, Step.SIGN_IN)
        assert person.nothing_bound()
        await to_the_end(person)


async def test_a_busy_service_is_asked_once(authority_folder: Path) -> None:
    """A preparation that fails waits for the person instead of asking again and again."""
    async with at_the_wizard(authority_folder) as person:
        await person.go(Step.CARD, choice=REBIND)
        person.backends.sandbox.faults.add(Fault.BUSY)
        await person.go(Step.PIN, choice=REBIND)
        await said(person, "service.busy")
        stood = person.wizard
        await person.press("f1", "escape")  # time for another attempt to show
        assert person.wizard is stood
        person.backends.sandbox.faults.clear()
        await person.again()
        await to_the_end(person)


# --- lost answers --------------------------------------------------------------------------------


@contextmanager
def database_held(person: Person) -> Iterator[None]:
    """Another program holds the service's database: requests arrive and are not decided."""
    path = person.backends.sandbox.database
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def lost_and_sent_again(person: Person, *keys: str) -> None:
    """The answer comes when nobody waits for it any more; the same request is sent once more."""
    with database_held(person):
        await person.press(*keys)
        await person.fails("net.timeout")
        submission = person.wizard.submission
        assert submission is not None
        assert person.nothing_bound()
    await person.until(lambda: len(person.bound) == 1, "the binding that nobody heard of")
    assert person.wizard.receipt is None
    assert person.wizard.submission is submission
    await person.until(lambda: person.wizard.busy is None, "the service asked after")
    await person.again()
    assert person.bound_once(), person.screen


async def test_the_answer_to_the_form_is_lost(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder, impatient=True) as person:
        await person.go(Step.FORM, choice=REGISTER)
        await person.fill_form()
        await lost_and_sent_again(person, "ctrl+s")
        assert person.accounts == 1


async def test_the_answer_to_the_binding_is_lost(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder, impatient=True) as person:
        await signed_in(person)
        await lost_and_sent_again(person, "enter")


# --- Esc -----------------------------------------------------------------------------------------


async def cancel(person: Person, work: Work) -> None:
    await person.until(lambda: person.wizard.busy is work, work)
    await person.press("escape")
    await person.until(lambda: person.wizard.busy is None, "the work cancelled")
    assert person.code is None


async def test_escape_cancels_the_component_check(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder) as person:
        person.backends.sandbox.faults.add(Fault.SLOW)
        await person.press(REBIND)
        await cancel(person, Work.CHECKING)
        assert person.wizard.step is Step.COMPONENTS
        person.backends.sandbox.faults.clear()
        await person.again()
        await to_the_end(person)


async def test_escape_cancels_reading_the_card(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder) as person:
        await person.go(Step.COMPONENTS, choice=REBIND)
        person.backends.embedded.delay = SLOW_CARD  # the list looks at the card already
        await person.go(Step.READER, choice=REBIND)
        await person.press("enter")
        await cancel(person, Work.READING)
        assert person.wizard.step is Step.READER
        person.backends.embedded.delay = 0
        await to_the_end(person)


async def test_escape_cancels_the_pin_preparation(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder) as person:
        await person.go(Step.CARD, choice=REBIND)
        person.backends.sandbox.faults.add(Fault.SLOW)
        await person.act(REBIND, 1)
        await cancel(person, Work.PREPARING)
        assert person.wizard.step is Step.CARD
        person.backends.sandbox.faults.clear()
        await to_the_end(person)
        assert person.pins_sent == 1


async def test_escape_cancels_sending_the_form(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder) as person:
        await person.go(Step.FORM, choice=REGISTER)
        person.backends.sandbox.faults.add(Fault.SLOW)
        await person.fill_form()
        await person.press("ctrl+s")
        await cancel(person, Work.REGISTERING)
        assert person.wizard.undecided
        await person.sees(_("Send again"))
        person.backends.sandbox.faults.clear()
        await to_the_end(person, REGISTER)
        assert person.accounts == 1


async def test_escape_cancels_the_sign_in(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder) as person:
        await person.go(Step.SIGN_IN, choice=REBIND)
        person.backends.sandbox.faults.add(Fault.SLOW)
        await person.act(REBIND, 1)
        await cancel(person, Work.SIGNING_IN)
        assert person.wizard.step is Step.SIGN_IN
        person.backends.sandbox.faults.clear()
        await to_the_end(person)
