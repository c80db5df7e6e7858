"""Readers that are plugged in and pulled out under the real pcscd, and who notices (usb_port.py).

In each of them the wait is a blocking one: it ends within the deadline, which is well below the
minute after which a wait that nothing woke would look again by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from parts import HCA_BIND, Service, card_in_reader, pins_sent, trace
from pcscd import DEADLINE, wait_until
from terminal import Terminal
from test_pcsc import Waiting
from usb_port import UsbPort, usb_port
from wizard_walk import HOLDER

from card.errors import ReaderGone
from card.opening import open_card
from card.pcsc import LOOK_AGAIN, PcscReaders
from card.pcsc_context import Context
from card.port import Slot
from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile
from screens.language import Language, Words
from screens.troubleshooting.remedy import words_for

__all__ = ["usb_port"]

PIN = "70391846"
DIGITS = f'[pin]\nvalue = "{PIN}"\ndigits_only = true\npadded = true\n'


@pytest.fixture
def readers(usb_port: UsbPort) -> Iterator[PcscReaders]:
    found = PcscReaders()
    yield found
    found.close()


def until(readers: PcscReaders, known: tuple[Slot, ...], wanted: list[str]) -> tuple[Slot, ...]:
    """The slots when PC/SC lists these readers: pcscd adds and takes away a reader's one by one."""
    while [slot.reader for slot in known] != wanted:
        known = told(Waiting(readers, known))
    return known


def told(waiting: Waiting) -> tuple[Slot, ...]:
    outcome = waiting.end()
    assert isinstance(outcome, tuple), outcome
    return outcome


def test_waiting_sees_a_reader_come_and_go(usb_port: UsbPort, readers: PcscReaders) -> None:
    assert DEADLINE < LOOK_AGAIN / 1000
    known = readers.slots()
    assert known == ()
    for _ in range(3):
        waiting = Waiting(readers, known)
        usb_port.plug()
        known = until(readers, told(waiting), list(usb_port.readers))
        waiting = Waiting(readers, known)
        usb_port.unplug()
        known = until(readers, told(waiting), [])


def plug_after_the_next_look(
    usb_port: UsbPort, readers: PcscReaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between listing and waiting: pcscd tells nobody of a reader that is there already."""
    look = readers._look

    def look_and_then_plug(context: Context) -> list[tuple[str, int, list[int]]]:
        seen = look(context)
        monkeypatch.undo()
        usb_port.plug()
        return seen

    monkeypatch.setattr(readers, "_look", look_and_then_plug)


def test_a_reader_that_comes_between_listing_and_waiting(
    usb_port: UsbPort, readers: PcscReaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug_after_the_next_look(usb_port, readers, monkeypatch)
    assert told(Waiting(readers, ()))[0].reader == usb_port.readers[0]


def test_a_reader_that_comes_again_between_listing_and_waiting(
    usb_port: UsbPort, readers: PcscReaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that was looked at twice before something came and went is a new one after that."""
    waiting = Waiting(readers, ())
    wait_until(lambda: readers._settled == [], "the second look")
    usb_port.plug()
    told(waiting)
    wait_until(lambda: len(readers.slots()) == len(usb_port.readers), "both slots")
    usb_port.unplug()
    wait_until(lambda: readers.slots() == (), "no slot")
    plug_after_the_next_look(usb_port, readers, monkeypatch)
    assert told(Waiting(readers, ()))[0].reader == usb_port.readers[0]


def test_a_card_goes_with_its_reader(
    usb_port: UsbPort, readers: PcscReaders, authority_folder: Path
) -> None:
    """What is pulled with the reader is told as such, and costs no PIN."""
    usb_port.plug()
    until(readers, readers.slots(), list(usb_port.readers))
    card = VirtualCard(Profile.parse(DIGITS), Authority.load_or_create(authority_folder))
    with card_in_reader(usb_port.pcscd, card):
        opened = open_card(readers, usb_port.readers[0])
        assert opened.tries_left() == 3
        usb_port.unplug()
        with pytest.raises(ReaderGone):
            opened.tries_left()
        opened.close()
    assert card.verify_count == 0


@pytest.mark.parametrize("language", Language)
def test_the_wizard(
    usb_port: UsbPort, sandbox: Service, authority_folder: Path, tmp_path: Path, language: Language
) -> None:
    """The reader comes, goes with the card in it at every step up to the PIN, and comes back."""
    _ = Words(language)
    pcscd, file = usb_port.pcscd, tmp_path / "trace"
    card = VirtualCard(Profile.parse(DIGITS), Authority.load_or_create(authority_folder))
    lang = "zh" if language is Language.ZH else "en"
    command = [HCA_BIND, "--lang", lang, *sandbox.options, "--trace", str(file)]
    no_reader = words_for("card.reader.none", {}, _).title
    gone = words_for("card.reader.gone", {"reader": usb_port.readers[0]}, _).title
    pin = _("Your card's PIN, then Enter:")

    with Terminal(command, pcscd.environment, size=(60, 20)) as screen:

        @contextmanager
        def plugged() -> Iterator[None]:
            """The reader with the card in it, pulled out together."""
            usb_port.plug()
            with card_in_reader(pcscd, card):
                yield
                usb_port.unplug()

        screen.until(_("What would you like to do?"))
        screen.type("1")
        screen.until(_("Everything is there. Press Enter to go on."))
        screen.press("enter")
        screen.until(no_reader)
        with plugged():
            screen.until(_("Your card is there."))
        screen.until(no_reader)
        with plugged():
            screen.until(_("Your card is there."))
            screen.press("enter")
            screen.until(_("Which category of card is it?"))
        screen.until(gone)
        with plugged():
            screen.until(_("Which category of card is it?"))
            screen.type("1")
            screen.until(pin)
            screen.type(PIN[:4])
            screen.until("****")
        screen.until(gone)
        assert "*" not in screen.text
        with plugged():
            screen.until(pin)
            assert card.verify_count == 0
            screen.type(PIN)
            screen.press("enter")
            screen.until(_("You may take the card out now."))
            assert screen.shows(HOLDER)
    assert (card.verify_count, pins_sent(trace(file))) == (1, 1)
