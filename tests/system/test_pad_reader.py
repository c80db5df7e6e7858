"""A PIN typed on the reader's own keys: a real IFD handler under the real pcscd (pad_reader.c).

In every one of them the card's own count of VERIFY commands is asserted: never more than one for
an entry.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from typing import Any

import pytest
from pad_reader import CHERRY_SMARTBOARD, PadReader, pad_driver, pad_reader
from parts import card_in_reader, opensc_configuration
from pcscd import DEADLINE, wait_until
from test_pkcs11 import OPENSC

from card.apdu import Ins
from card.errors import (
    CardError,
    CardRemoved,
    PadCancelled,
    PadEnded,
    PadLength,
    PadLies,
    PadRefused,
    PadSilent,
    PadTimedOut,
    PadUnfit,
    PinBlocked,
    PinTriesChanged,
    PinWrong,
    ReaderGone,
    ReaderHeld,
)
from card.opening import open_card, through_module
from card.pcsc import PcscReaders
from card.pin import Pin
from card.pin_pad import SECONDS
from card.port import Card, Exchange, PadUse, PinPad, Signature, Tracer
from card.signing import signing_key
from card.trust import Judge
from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile

__all__ = ["pad_driver", "pad_reader"]

MESSAGE = b"m" * 64
PIN, WRONG = "123456", "654321"
IS_VERIFIED = bytes.fromhex("00200081")
EC = '[key]\ntype = "EC"\n'
PADDED = f'{EC}[pin]\nvalue = "{PIN}"\ndigits_only = true\npadded = true\n'
VARIABLE = f'{EC}[pin]\nvalue = "{PIN}"\ndigits_only = true\n'
PIV = f'kind = "piv"\n{EC}'
CARDS = pytest.mark.parametrize("profile", [PADDED, VARIABLE, PIV], ids=["padded", "as-is", "piv"])


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture
def readers(pad_reader: PadReader) -> Iterator[PcscReaders]:
    assert pad_reader.pcscd.running
    found = PcscReaders()
    yield found
    found.close()


Inserted = Callable[[str], VirtualCard]


@pytest.fixture
def inserted(pad_reader: PadReader, authority: Authority) -> Iterator[Inserted]:
    """Puts a card of a profile into the reader."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def insert(profile: str) -> VirtualCard:
            card = VirtualCard(Profile.parse(profile), authority)
            return stack.enter_context(card_in_reader(pad_reader.pcscd, card))

        yield insert


def opened(
    readers: PcscReaders,
    pad: PadReader,
    use: PadUse = PadUse.PREFER,
    tracer: Tracer | None = None,
) -> Card:
    return open_card(readers, pad.name, accepted={"HPC"}, tracer=tracer, pads=use)


def signs(card: Card, entered: Callable[[], None] | None = None) -> None:
    """What is entered on the reader gives a signature under the card's own certificate."""
    entered = entered or (lambda: None)
    signature = card.sign(None, MESSAGE, card.tries_left(), entered)
    signing_key(card.certificate.der).signature(signature.value, MESSAGE)


def pin_of(characters: str) -> Pin:
    pin = Pin()
    for byte in characters.encode():
        assert pin.append(byte)
    return pin


class Signing:
    """`sign` in a thread of its own, and how it ended."""

    def __init__(self, card: Card) -> None:
        self._outcome: Signature | CardError | None = None
        self._thread = threading.Thread(target=self._run, args=(card,), daemon=True)
        self._thread.start()

    def _run(self, card: Card) -> None:
        try:
            self._outcome = card.sign(None, MESSAGE, card.tries_left())
        except CardError as error:
            self._outcome = error

    def end(self) -> Signature | CardError | None:
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "the entry did not end"
        return self._outcome


@CARDS
def test_the_right_pin(
    pad_reader: PadReader, readers: PcscReaders, inserted: Inserted, profile: str
) -> None:
    card = inserted(profile)
    trace: list[Exchange] = []
    took: list[int] = []
    with closing(opened(readers, pad_reader, tracer=trace.append)) as found:
        assert found.pin_pad == PinPad(SECONDS, keyboard=True)
        assert not pad_reader.entries, "asked before anybody wanted it"
        pad_reader.type(PIN)
        signs(found, lambda: took.append(len(pad_reader.verified)))
    assert (card.verify_count, pad_reader.verified, took) == (1, [0x9000], [1])
    sent = [
        each for each in trace if each.ins == Ins.VERIFY and each.lc is None and each.sw == 0x9000
    ]
    assert len(sent) == 1, "the one VERIFY, of which not even the length is told"
    assert not any(isinstance(value, bytes) for each in trace for value in asdict(each).values())


@CARDS
def test_a_wrong_pin_and_then_the_right_one(
    pad_reader: PadReader, readers: PcscReaders, inserted: Inserted, profile: str
) -> None:
    card = inserted(profile)
    with closing(opened(readers, pad_reader)) as found:
        pad_reader.type(WRONG)
        with pytest.raises(PinWrong) as caught:
            signs(found)
        assert caught.value.tries_left == found.tries_left() == 2
        assert (card.verify_count, len(pad_reader.entries)) == (1, 1)
        pad_reader.type(PIN)
        signs(found)
    assert (card.verify_count, pad_reader.verified) == (2, [0x63C2, 0x9000])


@CARDS
def test_what_the_reader_is_told(
    pad_reader: PadReader, readers: PcscReaders, inserted: Inserted, profile: str
) -> None:
    inserted(profile)
    with closing(opened(readers, pad_reader)) as found:
        pad_reader.ends(0x6401)
        with pytest.raises(PadCancelled):
            signs(found)
    (told,) = pad_reader.entries
    frame = {PADDED: "08", VARIABLE: "00", PIV: "08"}[profile]
    reference = {PADDED: "81", VARIABLE: "81", PIV: "80"}[profile]
    data = "" if profile == VARIABLE else "FF" * 8
    command = f"002000{reference}{frame}{data}"
    # Time-outs, ASCII from the left, frame, no length, 6 to 8 digits, the key, texts (§2.5.2).
    head = f"1E1E82{frame}000806" + "02FF0904" + "00" + "000000"
    assert told.hex().upper() == f"{head}{len(command) // 2:02X}000000{command}"


def test_others_go_on_while_the_reader_waits(
    pad_reader: PadReader, readers: PcscReaders, inserted: Inserted
) -> None:
    """Nothing of Python is held up by it: with its lock held, this thread could press nothing."""
    card = inserted(PADDED)
    with closing(opened(readers, pad_reader)) as found:
        signing = Signing(found)
        pad_reader.waits()
        assert card.verify_count == 0
        pad_reader.type(PIN)
        assert isinstance(signing.end(), Signature)
    assert card.verify_count == 1


@pytest.mark.parametrize(
    ("word", "error"),
    [
        (0x6400, PadTimedOut),
        (0x6401, PadCancelled),
        (0x6403, PadLength),
        (0x6402, PadRefused),
        (0x6B80, PadRefused),
    ],
)
def test_an_entry_without_a_pin_costs_no_try(
    pad_reader: PadReader,
    readers: PcscReaders,
    inserted: Inserted,
    word: int,
    error: type[CardError],
) -> None:
    card = inserted(PADDED)
    with closing(opened(readers, pad_reader)) as found:
        pad_reader.ends(word)
        with pytest.raises(error):
            signs(found)
        assert (card.verify_count, len(pad_reader.entries), found.tries_left()) == (0, 1, 3)
        pad_reader.type(PIN)
        signs(found)
    assert card.verify_count == 1


@pytest.mark.parametrize("digits", ["12345", "123456789"])
def test_too_few_and_too_many_digits_never_reach_the_card(
    pad_reader: PadReader, readers: PcscReaders, inserted: Inserted, digits: str
) -> None:
    card = inserted(PADDED)
    with closing(opened(readers, pad_reader)) as found:
        pad_reader.type(digits)
        with pytest.raises(PadLength) as caught:
            signs(found)
        assert caught.value.facts() == {"minimum": 6, "maximum": 8}
    assert card.verify_count == 0


def test_the_reader_is_pulled_during_the_entry(
    pad_reader: PadReader, readers: PcscReaders, inserted: Inserted
) -> None:
    card = inserted(PADDED)
    with closing(opened(readers, pad_reader)) as found:
        signing = Signing(found)
        pad_reader.waits()
        pad_reader.is_pulled()
        assert isinstance(signing.end(), ReaderGone)
    assert (card.verify_count, len(pad_reader.entries)) == (0, 1)


def test_the_card_is_pulled_during_the_entry(
    pad_reader: PadReader, readers: PcscReaders, authority: Authority
) -> None:
    card = VirtualCard(Profile.parse(PADDED), authority)
    with card_in_reader(pad_reader.pcscd, card):
        found = opened(readers, pad_reader)
        signing = Signing(found)
        pad_reader.waits()
        pad_reader.loses_the_card()
    assert isinstance(signing.end(), CardRemoved)
    found.close()
    assert (card.verify_count, len(pad_reader.entries)) == (0, 1)


def test_the_answer_is_lost_after_the_card_took_the_pin(
    pad_reader: PadReader, readers: PcscReaders, inserted: Inserted
) -> None:
    card = inserted(f'{PADDED}[[fault]]\nat = "VERIFY"\nanswer = "remove"\n')
    with closing(opened(readers, pad_reader)) as found:
        pad_reader.type(PIN)
        with pytest.raises(CardRemoved):
            signs(found)
    assert (card.verify_count, len(pad_reader.entries)) == (1, 1)


def test_a_reader_that_never_comes_back(
    pad_reader: PadReader, inserted: Inserted, authority: Authority
) -> None:
    """It is left to itself; what it enters too late leaves no card with its PIN verified."""
    card = inserted(PADDED)
    impatient = PcscReaders(pad_patience=0.5)
    readers = PcscReaders()
    other = readers.connect(pad_reader.name)  # pcscd resets a card that nobody uses any more
    with closing(opened(impatient, pad_reader)) as found:
        with pytest.raises(PadSilent):
            signs(found)
        with pytest.raises(ReaderHeld):
            found.tries_left()
    assert (card.verify_count, len(pad_reader.entries)) == (0, 1)
    pad_reader.type(PIN)
    wait_until(lambda: pad_reader.verified == [0x9000], "the late VERIFY")
    # Asked past PC/SC: opening the card anew would end that state by itself.
    wait_until(lambda: card.transmit(IS_VERIFIED) != b"\x90\x00", "a card that forgot the PIN")
    impatient.close()
    other.close()
    with closing(readers), closing(opened(readers, pad_reader)) as again:
        pad_reader.type(PIN)
        signs(again)
    assert card.verify_count == 2, "one for each of the two entries"


def test_the_tries_are_read_again_before_the_reader_is_asked(
    pad_reader: PadReader, readers: PcscReaders, inserted: Inserted
) -> None:
    card = inserted(PADDED + "tries_left = 1\n")
    with closing(opened(readers, pad_reader)) as found:
        with pytest.raises(PinTriesChanged):
            found.sign(None, MESSAGE, 3)
        assert not pad_reader.entries
        pad_reader.type(PIN)
        signs(found)
    assert card.verify_count == 1


def test_a_blocked_card_has_nobody_type_anything(
    pad_reader: PadReader, readers: PcscReaders, inserted: Inserted
) -> None:
    card = inserted(PADDED + "tries_left = 0\n")
    with closing(opened(readers, pad_reader)) as found, pytest.raises(PinBlocked):
        signs(found)
    assert (card.verify_count, pad_reader.entries) == (0, [])


# --- which readers are asked at all ---------------------------------------------------------------


def test_a_reader_that_is_known_to_lie_is_never_asked(
    pad_reader: PadReader, readers: PcscReaders, inserted: Inserted
) -> None:
    pad_reader.is_new(CHERRY_SMARTBOARD)
    card = inserted(PADDED)
    with closing(opened(readers, pad_reader)) as found:
        assert found.pin_pad is None
        with pytest.raises(PadRefused):
            found.sign(None, MESSAGE, 3)
        found.sign(pin_of(PIN), MESSAGE, 3)
    with pytest.raises(PadLies) as caught:
        opened(readers, pad_reader, PadUse.ONLY)
    assert caught.value.facts() == {"reader": pad_reader.name, "usb": "046A:0010"}
    assert (card.verify_count, pad_reader.entries) == (1, [])


def test_switched_off(pad_reader: PadReader, readers: PcscReaders, inserted: Inserted) -> None:
    card = inserted(PADDED)
    with closing(opened(readers, pad_reader, PadUse.OFF)) as found:
        assert found.pin_pad is None
        with pytest.raises(PadRefused):
            found.sign(None, MESSAGE, 3)
        found.sign(pin_of(PIN), MESSAGE, 3)
    assert (card.verify_count, pad_reader.entries) == (1, [])


def test_only_the_readers_keys(
    pad_reader: PadReader, readers: PcscReaders, inserted: Inserted
) -> None:
    inserted(PADDED)
    with closing(opened(readers, pad_reader, PadUse.ONLY)) as found:
        assert found.pin_pad == PinPad(SECONDS, keyboard=False)


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        (PADDED, {"longest": 7}),
        (VARIABLE, {"usb": (0x1234, 0x5678)}),
        (PADDED, {"usb": None}),
    ],
    ids=["takes fewer digits", "another reader", "a reader without a name"],
)
def test_a_reader_that_cannot_be_told_exactly_what_the_card_wants(
    pad_reader: PadReader,
    readers: PcscReaders,
    inserted: Inserted,
    profile: str,
    told: dict[str, Any],
) -> None:
    pad_reader.is_new(**told)
    card = inserted(profile)
    with closing(opened(readers, pad_reader)) as found:
        assert found.pin_pad is None
    with pytest.raises(PadUnfit):
        opened(readers, pad_reader, PadUse.ONLY)
    assert (card.verify_count, pad_reader.entries) == (0, [])


def test_a_reader_without_keys(
    pad_reader: PadReader, readers: PcscReaders, inserted: Inserted
) -> None:
    pad_reader.is_new(pad=False)
    inserted(PADDED)
    with closing(opened(readers, pad_reader, PadUse.ONLY)) as found:
        assert found.pin_pad is None


# --- through a PKCS#11 module ---------------------------------------------------------------------


@pytest.fixture
def opensc(
    pad_reader: PadReader,
    inserted: Inserted,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[PcscReaders, PadUse], tuple[VirtualCard, Card]]:
    """The card through OpenSC's module, which asks the reader by itself."""
    card = inserted(PADDED.replace(EC, ""))
    configuration = tmp_path_factory.mktemp("opensc") / "opensc.conf"
    configuration.write_text(opensc_configuration(card))
    monkeypatch.setenv("OPENSC_CONF", str(configuration))

    def open_it(readers: PcscReaders, use: PadUse) -> tuple[VirtualCard, Card]:
        return card, through_module(
            readers, pad_reader.name, [OPENSC], Judge({"HPC"}, ()), 60, pads=use
        )

    return open_it


def test_through_a_module(
    pad_reader: PadReader,
    readers: PcscReaders,
    opensc: Callable[[PcscReaders, PadUse], tuple[VirtualCard, Card]],
) -> None:
    card, found = opensc(readers, PadUse.PREFER)
    with closing(found):
        assert found.pin_pad == PinPad(None, keyboard=True)
        pad_reader.ends(0x6401)
        with pytest.raises(PadEnded):
            signs(found)
        assert (card.verify_count, len(pad_reader.entries)) == (0, 1)
        pad_reader.type(WRONG)
        with pytest.raises(PinWrong):
            signs(found)
        assert (card.verify_count, len(pad_reader.entries)) == (1, 2)
        pad_reader.type(PIN)
        took: list[int] = []
        signs(found, lambda: took.append(len(pad_reader.verified)))
        assert took == [2]
    assert (card.verify_count, len(pad_reader.entries)) == (2, 3)


def test_a_module_does_not_ask_a_reader_that_lies(
    pad_reader: PadReader,
    readers: PcscReaders,
    opensc: Callable[[PcscReaders, PadUse], tuple[VirtualCard, Card]],
) -> None:
    pad_reader.is_new(CHERRY_SMARTBOARD)
    card, found = opensc(readers, PadUse.PREFER)
    with closing(found):
        assert found.pin_pad is None
        found.sign(pin_of(PIN), MESSAGE, found.tries_left())
    with pytest.raises(PadLies):
        opensc(readers, PadUse.ONLY)
    assert (card.verify_count, pad_reader.entries) == (1, [])
