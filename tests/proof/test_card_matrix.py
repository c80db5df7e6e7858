"""Every command of a binding × everything that can go wrong with it.

Each cell must end in an error that the catalogue explains, or in the right signature; the card
counts at most one VERIFY; nothing of the PIN is left; and the same card, good again, still signs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

import pytest
from card_faults import ETERNAL, READER, Fault, column
from figures import Figures

from card.errors import CardError, PinTriesChanged
from card.opening import open_card
from card.pin import Pin
from card.port import Connection, Slot
from card.seen import Seen
from card.signing import signing_key
from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.pad import VERIFY_CODE, VirtualPad
from card.virtual.profile import Profile
from screens.language import Language, Words
from screens.troubleshooting.catalogue import entry
from screens.troubleshooting.remedy import words_for

MESSAGE = b"m" * 64
SECONDS = 20.0  # for one cell; a limit that a hang would reach
SHORT = "extended_length = false\nresponse_limit = 256\n"
CARDS = {
    "PKCS#15, extended length": "",
    "PKCS#15, short, in chains": SHORT,
    "PKCS#15, EC, padded PIN": '[key]\ntype = "EC"\n[pin]\npadded = true\n',
    "PIV": 'kind = "piv"\n[key]\ntype = "EC"\n',
    "PKCS#15, on the reader's keys": '[key]\ntype = "EC"\n[pin]\npadded = true\n',
    "PIV, on the reader's keys": 'kind = "piv"\n[key]\ntype = "EC"\n',
    "PIV, short, in chains": f'kind = "piv"\n{SHORT}[certificate]\ncompressed = true\n',
    "PKCS#15, left in since the last binding": "",
    "PIV, left in since the last binding": 'kind = "piv"\n[key]\ntype = "EC"\n',
}
OTHER_PIN = '[pin]\nvalue = "90817263"\n'
PART = 12  # of so many cells one, in everyday runs
ENGLISH, CHINESE = Words(Language.EN), Words(Language.ZH)


@dataclass
class Wire:
    """card.port.Readers with one reader; it is its own connection, and breaks one command."""

    card: VirtualCard
    fault: Fault | None = None
    at: int = 0
    stranger: VirtualCard | None = None  # answers from the command `at` on
    sent: int = 0
    pins: int = 0
    buffers: list[bytearray] = field(default_factory=list)
    reader: str = READER
    stay: object | None = None
    seen: Seen | None = None

    @property
    def atr(self) -> bytes:
        return self.card.atr

    def slots(self) -> tuple[Slot, ...]:
        raise NotImplementedError

    wait = cancel = slots

    def connect(self, reader: str) -> Connection:
        assert reader == READER
        self.card.reset()
        return self

    def transmit(self, command: bytes | bytearray) -> bytes:
        if isinstance(command, bytearray):
            self.buffers.append(command)
        self.pins += command[1] == 0x20 and len(command) > 5
        return self.through(lambda card: card.transmit(command))

    def through(self, ask: Callable[[VirtualCard], bytes]) -> bytes:
        """What `ask` has of the card that answers now, or what the fault makes of it."""
        number, self.sent = self.sent, self.sent + 1
        assert self.sent < ETERNAL, "a card could keep the program busy for ever"
        if self.stranger is not None and number >= self.at:
            return ask(self.stranger)
        hit = self.fault is not None and (
            number == self.at or (self.fault.lasting and number > self.at)
        )
        if not hit or self.fault is None:
            return ask(self.card)
        answer = b"\x6f\x00" if self.fault.lost else ask(self.card)
        changed = self.fault.answer(answer)
        if isinstance(changed, CardError):
            raise changed
        return changed

    @contextmanager
    def transaction(self) -> Iterator[None]:
        yield

    def close(self) -> None:
        """Nothing to release."""


class PadWire(Wire):
    """The same with a reader that has keys of its own (PC/SC part 10): there the PIN is entered."""

    entries: int = 0

    def control(self, code: int, data: bytes) -> bytes:
        pad = VirtualPad(self.card.profile.pin.value)
        self.entries += code == VERIFY_CODE
        self.pins += code == VERIFY_CODE
        return self.through(lambda card: pad.control(card, code, data, threading.Event()))


def at_hand(good: VirtualCard, kind: str) -> Wire:
    """The card, in a reader of its kind; where it was left in, it has signed once."""
    wire = PadWire(good) if "keys" in kind else Wire(good)
    if "left in" in kind:
        wire.stay, wire.seen = "since the last binding", Seen()
        bind(wire)
        wire.sent = wire.pins = 0
    return wire


def typed(characters: bytes) -> Pin:
    pin = Pin()
    for byte in characters:
        pin.append(byte)
    return pin


def bind(wire: Wire) -> None:
    """What the wizard does with a card, from its first command to the signature."""
    card = open_card(wire, READER, accepted={"HPC"}, seen=wire.seen)
    shown = card.certificate.der
    tries = card.tries_left()
    if tries == 0:
        return  # no PIN is asked for
    pin = None if card.pin_pad else typed(wire.card.profile.pin.value)
    try:
        signature = card.sign(pin, MESSAGE, tries)
    finally:
        assert not pin
        assert not any(map(any, wire.buffers)), "a command's bytes were not wiped"
    # Raises where it is not the signature of the certificate that the person was shown.
    answer = signature.value
    signing_key(shown).signature(answer, MESSAGE)


def complaint(wire: Wire, good: VirtualCard) -> str | None:
    """What is wrong with a cell; None where all is as it must be."""
    good.tries_left = good.profile.pin.tries_left
    before = good.verify_count + (wire.stranger.verify_count if wire.stranger else 0)
    started = time.monotonic()
    try:
        bind(wire)
    except CardError as error:
        try:
            entry(error.code)
            for words in (ENGLISH, CHINESE):
                if not words_for(error.code, error.facts(), words).steps:
                    return f"no remedy for {error.code}"
        except KeyError:
            return f"no entry for {error.code}"
    except AssertionError as error:
        return str(error) or "an assertion"
    except Exception as error:  # noqa: BLE001 - what the matrix looks for
        return f"unclassified: {error!r}"
    if time.monotonic() - started > SECONDS:
        return "a hang"
    spent = good.verify_count + (wire.stranger.verify_count if wire.stranger else 0) - before
    if wire.pins > 1 or spent > 1:
        return f"{wire.pins} VERIFY sent, {spent} counted"
    good.tries_left = good.profile.pin.tries_left
    again = replace(wire, fault=None, stranger=None, buffers=[])
    try:
        try:
            bind(again)
        except PinTriesChanged:  # the fault told more; nothing was sent, and it is asked for again
            bind(again)
    except Exception as error:  # noqa: BLE001 - likewise
        return f"not usable afterwards: {error!r}"
    return None


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", CARDS)
def test_every_command_meets_every_fault(figures: Figures, authority: Authority, kind: str) -> None:
    good = VirtualCard(Profile.parse(CARDS[kind]), authority)
    clean = at_hand(good, kind)
    bind(clean)
    commands, faults = clean.sent, column()
    assert clean.pins == 1
    assert not isinstance(clean, PadWire) or clean.entries == 1
    cells = errors = 0
    misses: list[str] = []
    for at in range(commands):
        for number, fault in enumerate(faults):
            if not figures.whole and (at + number) % PART:
                continue
            cells += 1
            wire = at_hand(good, kind)
            wire.fault, wire.at = fault, at
            wrong = complaint(wire, good)
            errors += wire.sent < commands
            if wrong is not None:
                misses.append(f"command {at}, {fault.name}{' lasting' * fault.lasting}: {wrong}")
    figures.count("card faults", commands=commands, cells=cells, misses=len(misses))
    assert misses == []
    assert cells >= commands * len(faults) // (1 if figures.whole else PART) - commands
    assert errors


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["", 'kind = "piv"\n'], ids=["PKCS#15", "PIV"])
def test_another_card_answers_from_any_command_on(
    figures: Figures, authority: Authority, kind: str
) -> None:
    """Swapped without the reader noticing: the certificate that was shown did not sign."""
    good = VirtualCard(Profile.parse(kind), authority)
    clean = Wire(good)
    bind(clean)
    misses: list[str] = []
    others = {
        "of another person": VirtualCard(
            Profile.parse(kind + '[certificate]\nholder = "測試員乙"\n'), authority
        ),
        "with another PIN": VirtualCard(Profile.parse(kind + OTHER_PIN), authority),
        "locked": VirtualCard(Profile.parse(kind + "[pin]\ntries_left = 0\n"), authority),
        "of the other kind": VirtualCard(
            Profile.parse("" if kind else 'kind = "piv"\n'), authority
        ),
        "foreign": VirtualCard(Profile.parse('kind = "foreign"\n'), authority),
    }
    for name, stranger in others.items():
        for at in range(clean.sent):
            stranger.reset()
            stranger.tries_left = stranger.profile.pin.tries_left
            wire = Wire(good, at=at, stranger=stranger)
            with suppress(CardError):
                bind(Wire(stranger))  # it is where a card is that was just used
            stranger.tries_left = stranger.profile.pin.tries_left
            wrong = complaint(wire, good)
            if wrong is not None:
                misses.append(f"command {at}, a card {name}: {wrong}")
    figures.count("card swapped", cells=len(others) * clean.sent, misses=len(misses))
    assert misses == []
