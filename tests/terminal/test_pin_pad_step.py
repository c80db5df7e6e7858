"""The PIN step with a reader that has keys of its own: every way an entry can end.

In each of them the cards' own count of VERIFY commands is asserted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from person import Person, at_the_wizard

from card.port import PadUse
from card.virtual.pad import Key, VirtualPad
from screens.language import Language, Words
from screens.secret_field import SecretField
from screens.steps.pin import ON_THE_READER, ONLY_THE_READER
from screens.wizard import Step, Work, last_try_open, on_pad, pad_allowed, pin_allowed
from tui.demo import DemoBackends
from tui.scenarios import READER

pytestmark = pytest.mark.anyio

PIN, WRONG = b"123456", b"654321"
LAST_TRY = '[pin]\nvalue = "123456"\ndigits_only = true\npadded = true\ntries_left = 1\n'
_ = Words(Language.ZH)
READY = _("The PIN is typed on the reader's own keys, not here. Enter starts it.")
TYPING = _("Now type the PIN on the reader, then press its green key (OK).")
TRIES = "Tries left before the card locks: {tries}"
FOR_EVER = VirtualPad(Key.NONE, after=None)  # until something else ends it


def has(person: Person, pad: VirtualPad) -> None:
    """The reader is one with these keys, and this happens on them."""
    person.backends.embedded.plug(READER, pad)


@asynccontextmanager
async def at_the_pin(
    authority: Path, pad: VirtualPad | None = None, card: str | None = None
) -> AsyncIterator[Person]:
    async with at_the_wizard(authority, "pin-pad") as person:
        if pad is not None:
            has(person, pad)
        if card is not None:
            person.backends.embedded.insert(READER, person.new_card(card))
        await person.go(Step.PIN)
        yield person


def field(person: Person) -> SecretField:
    return person.app.screen.query_one("#pin", SecretField)


async def test_the_right_pin(authority_folder: Path) -> None:
    async with at_the_pin(authority_folder) as person:
        await person.sees(READY)
        await person.sees(_(TRIES, tries=3))
        assert not field(person).display
        assert not person.shows(person.backends.pin)
        await person.again()
        await person.go()
        assert person.bound_once()
        assert person.pins_sent == 1


async def test_one_entry_for_one_press(authority_folder: Path) -> None:
    """Enter again and again while the reader waits starts nothing more."""
    async with at_the_pin(authority_folder, VirtualPad(WRONG, after=0.5)) as person:
        await person.press("enter", "enter", "enter")
        await person.sees(TYPING)
        await person.press("enter")
        await person.fails("card.pin.wrong")
        assert person.pins_sent == 1
        await person.sees(_(TRIES, tries=2))
        await person.sees(READY)
        has(person, VirtualPad(PIN))
        await person.go_on()
        assert person.bound_once()
        assert person.pins_sent == 2


ENDINGS = (
    (VirtualPad(Key.CANCEL), "card.pad.cancelled"),
    (VirtualPad(Key.NONE), "card.pad.timeout"),
    (VirtualPad(b"12345"), "card.pad.length"),
    (VirtualPad(PIN, code=0x6B80), "card.pad.refused"),
)


async def test_entries_that_cost_no_try(authority_folder: Path) -> None:
    """One after the other, each told by its own code, and the right PIN at last."""
    async with at_the_pin(authority_folder) as person:
        for pad, code in ENDINGS:
            has(person, pad)
            await person.press("enter")
            await person.fails(code)
            await person.until(lambda: pad_allowed(person.wizard), "the next entry")
            await person.sees(_(TRIES, tries=3))
            assert person.wizard.step is Step.PIN
            assert person.pins_sent == 0
        has(person, VirtualPad(PIN))
        await person.go_on()
        assert person.bound_once()
        assert person.pins_sent == 1


async def test_only_the_reader_ends_an_entry(authority_folder: Path) -> None:
    async with at_the_pin(authority_folder, FOR_EVER) as person:
        await person.press("enter")
        await person.sees(TYPING)
        assert person.shows(_("How to stop"))
        await person.press("escape")
        await person.sees(_(ONLY_THE_READER))
        await person.press("1")
        await person.sees(_(ON_THE_READER))
        await person.press("f4", "escape")
        assert person.wizard.busy is Work.ENTERING
        assert on_pad(person.wizard)
        person.backends.embedded.unplug(READER)
        await person.fails("card.reader.gone")
        assert person.pins_sent == 0
        await person.until(lambda: not person.shows(TYPING), "the end of the entry")


async def test_the_card_is_pulled_while_the_reader_waits(authority_folder: Path) -> None:
    async with at_the_pin(authority_folder, FOR_EVER) as person:
        card = person.card
        await person.press("enter")
        await person.sees(TYPING)
        person.backends.embedded.remove(READER)
        await person.fails("card.removed")
        has(person, VirtualPad(PIN))
        person.backends.embedded.insert(READER, card)
        await person.until(lambda: pad_allowed(person.wizard), "the card read again")
        assert person.pins_sent == 0
        await person.go()
        assert person.bound_once()
        assert person.pins_sent == 1


async def test_the_last_try_is_confirmed_before_the_reader_is_asked(
    authority_folder: Path,
) -> None:
    async with at_the_pin(authority_folder, card=LAST_TRY) as person:
        assert last_try_open(person.wizard)
        await person.press("enter")
        person.app.engine.enter_on_pad()  # nor does the engine, whatever a screen asks of it
        assert person.wizard.busy is None
        assert not person.shows(READY)
        assert person.pins_sent == 0
        await person.type("yes")
        await person.sees(READY)
        await person.go()
        assert person.bound_once()
        assert person.pins_sent == 1


async def test_the_keyboard_instead(authority_folder: Path) -> None:
    async with at_the_pin(authority_folder, FOR_EVER) as person:
        await person.press("f4")
        await person.until(lambda: pin_allowed(person.wizard), "the field")
        assert field(person).has_focus
        await person.type("12")
        await person.press("f4")
        await person.sees(READY)
        assert not field(person).filled
        await person.press("f4")
        await person.go()
        assert person.bound_once()
        assert person.pins_sent == 1


async def test_where_only_the_readers_keys_are_allowed(
    authority_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DemoBackends, "pads", lambda _self: PadUse.ONLY)
    async with at_the_pin(authority_folder) as person:
        await person.sees(READY)
        assert not person.shows(_("Keyboard"))
        await person.press("f4")
        assert pad_allowed(person.wizard)
        await person.go()
        assert person.bound_once()
        assert person.pins_sent == 1


async def test_a_lying_reader(authority_folder: Path) -> None:
    async with at_the_pin(authority_folder, VirtualPad(PIN, usb=(0x03F0, 0x1024))) as person:
        assert pin_allowed(person.wizard)
        assert field(person).has_focus
        await person.go()
        assert person.bound_once()
        assert person.pins_sent == 1


async def test_a_lying_reader_where_only_its_keys_are_allowed(
    authority_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DemoBackends, "pads", lambda _self: PadUse.ONLY)
    async with at_the_wizard(authority_folder, "pin-pad") as person:
        has(person, VirtualPad(PIN, usb=(0x046A, 0x0010)))
        await person.go(Step.PIN)
        assert person.code == "card.pad.lies"
        assert person.wizard.step is Step.CARD
        assert person.pins_sent == 0
