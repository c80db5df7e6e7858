"""Every way to a card behind one face, so that the same tests can be run over each of them."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest
import softhsm
from pad_reader import PadReader
from parts import card_in_reader, opensc_configuration, wait_for_slot
from pcscd import Pcscd
from softhsm import SoftToken
from test_pcsc import other_program
from test_pkcs11 import OPENSC, SOURCE, compile_module

from card.errors import PcscServiceStopped
from card.opening import open_card, through_module
from card.pcsc import PcscReaders
from card.pin import Pin
from card.pkcs11.modules import named
from card.port import Card, Signature, SlotState
from card.trust import Judge
from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.pad import Key, VirtualPad
from card.virtual.profile import Profile
from card.virtual.readers import EmbeddedReaders

READER = "Embedded 00 00"
SECONDS = 60
MESSAGE = b"m" * 64
ACCEPTED = frozenset({"HPC"})
PIV = 'kind = "piv"\n'
HPC_ATR = 'kind = "foreign"\natr = "3BF91800008131FE4550565F4A3244303831B6"\n'
DEVICE_REMOVED = "0x32"  # CKR_DEVICE_REMOVED
FINAL_TRY, LOCKED = "20000", "40000"  # CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED


class Backend(Protocol):
    """One way to cards, with the card of one test in its reader.

    `counts`: it tells the tries before a PIN was wrong. `commands`: each APDU is our own. `right`
    and `wrong`: PINs of its cards. `signs`: where the virtual card computes the signature. `pace`:
    from command to command where the card is pulled out at each; some take long.
    """

    counts: bool
    commands: bool
    right: bytes
    wrong: bytes
    signs: str
    pace: int

    def insert(self, profile: str) -> None:
        """Put a card of this profile (TOML) in."""
        ...

    def insert_leaving(self, profile: str, number: int) -> None:
        """The same, pulled out again at the card's (its module's) command of this number from 1."""
        ...

    def open(self) -> Card:
        """As the wizard does, for a service that takes an HPC only."""
        ...

    def sign(self, card: Card, characters: bytes, tries_shown: int | None) -> Signature:
        """The card's `sign`, with a PIN entered as it is here."""
        ...

    @property
    def verifies(self) -> int:
        """How often a PIN reached the card, counted by the card or its module."""
        ...

    def hold(self) -> None:
        """Another program takes the card for itself."""
        ...

    def restart(self) -> None:
        """The PC/SC service ends and comes back, and the card lies in its reader again."""
        ...


def pin_of(characters: bytes) -> Pin:
    pin = Pin()
    for byte in characters:
        assert pin.append(byte)
    return pin


def typed(card: Card, characters: bytes, tries_shown: int | None) -> Signature:
    """`sign` with a PIN typed on the keyboard."""
    return card.sign(pin_of(characters), MESSAGE, tries_shown)


def of_digits(toml: str) -> Profile:
    """The profile with a PIN that a reader's keys can have."""
    profile = Profile.parse(toml)
    pin = replace(profile.pin, value=b"123456", digits_only=True, padded=True)
    return replace(profile, pin=pin)


def _how(kind: str) -> tuple[bytes, bytes, str]:
    """The right PIN, a wrong one, and where the card signs."""
    if kind == PIV:
        return b"123456", b"123457", "GENERAL AUTHENTICATE"
    return b"Test-123", b"Test-124", "PSO"


def _leaving(number: int) -> str:
    return f'[[fault]]\nat = "#{number}"\nanswer = "remove"\n'


class Embedded:
    """The virtual card in this process."""

    counts = commands = True
    pace = 1

    def __init__(self, authority: Authority, kind: str = "") -> None:
        self._authority = authority
        self._kind = kind
        self.right, self.wrong, self.signs = _how(kind)
        self._readers = EmbeddedReaders()
        self._readers.plug(READER)
        self._card: VirtualCard | None = None

    def insert(self, profile: str) -> None:
        self._card = VirtualCard(Profile.parse(self._kind + profile), self._authority)
        self._readers.insert(READER, self._card)

    def insert_leaving(self, profile: str, number: int) -> None:
        self.insert(profile + _leaving(number))

    def open(self) -> Card:
        return open_card(self._readers, READER, accepted=ACCEPTED)

    def sign(self, card: Card, characters: bytes, tries_shown: int | None) -> Signature:
        return typed(card, characters, tries_shown)

    @property
    def verifies(self) -> int:
        assert self._card is not None
        return self._card.verify_count

    def hold(self) -> None:
        self._readers.hold(READER, True)

    def restart(self) -> None:
        assert self._card is not None
        self._readers.fail(PcscServiceStopped())
        self._readers.remove(READER)
        self._readers.fail(None)
        self._readers.insert(READER, self._card)


class EmbeddedPad(Embedded):
    """The same in a reader with keys of its own, by the virtual pad."""

    def __init__(self, authority: Authority) -> None:
        super().__init__(authority)
        self.right, self.wrong = b"123456", b"123457"

    def insert(self, profile: str) -> None:
        self._card = VirtualCard(of_digits(profile), self._authority)
        self._readers.plug(READER, VirtualPad(Key.CANCEL))
        self._readers.insert(READER, self._card)

    def sign(self, card: Card, characters: bytes, tries_shown: int | None) -> Signature:
        assert card.pin_pad is not None
        self._readers.plug(READER, VirtualPad(characters))
        return card.sign(None, MESSAGE, tries_shown)


class ThroughPcsc:
    """The virtual card in vpcd's reader, by our own APDUs through the real pcscd."""

    counts = commands = True
    pace = 1

    def __init__(
        self, authority: Authority, stack: ExitStack, pcscd: Pcscd, kind: str = ""
    ) -> None:
        self._authority = authority
        self._pcscd = pcscd
        self._kind = kind
        self.right, self.wrong, self.signs = _how(kind)
        self._lying = stack.enter_context(ExitStack())
        self._readers = PcscReaders()
        stack.callback(self._readers.close)
        self._card: VirtualCard | None = None

    def insert(self, profile: str) -> None:
        self._card = VirtualCard(Profile.parse(self._kind + profile), self._authority)
        self._lie()

    def insert_leaving(self, profile: str, number: int) -> None:
        self.insert(profile + _leaving(number))

    def _lie(self) -> None:
        assert self._card is not None
        self._lying.close()
        self._lying.enter_context(card_in_reader(self._pcscd, self._card))

    def open(self) -> Card:
        return open_card(self._readers, self._pcscd.readers[0], accepted=ACCEPTED)

    def sign(self, card: Card, characters: bytes, tries_shown: int | None) -> Signature:
        return typed(card, characters, tries_shown)

    @property
    def verifies(self) -> int:
        assert self._card is not None
        return self._card.verify_count

    def hold(self) -> None:
        how = ("SCARD_SHARE_EXCLUSIVE", "SCARD_LEAVE_CARD")
        # pcscd has to notice that program's end before the card is pulled: both at once leave the
        # reader as if it were still held.
        self._lying.callback(wait_for_slot, SlotState.PRESENT)
        self._lying.enter_context(other_program(self._pcscd, self._pcscd.readers[0], *how))

    def restart(self) -> None:
        self._pcscd.stop()
        self._lying.close()
        self._pcscd.start()
        self._lie()


class ThroughPad(ThroughPcsc):
    """The same in a reader with keys of its own, by a real driver under pcscd."""

    def __init__(self, authority: Authority, stack: ExitStack, pad: PadReader) -> None:
        super().__init__(authority, stack, pad.pcscd)
        self._pad = pad
        self.right, self.wrong = b"123456", b"123457"

    def insert(self, profile: str) -> None:
        self._card = VirtualCard(of_digits(profile), self._authority)
        self._lie()

    def sign(self, card: Card, characters: bytes, tries_shown: int | None) -> Signature:
        assert card.pin_pad is not None
        self._pad.is_new()
        self._pad.type(characters.decode())
        return card.sign(None, MESSAGE, tries_shown)


class ThroughOpenSC(ThroughPcsc):
    """The same card through OpenSC's PKCS#11 module."""

    counts = commands = False
    pace = 4

    def insert(self, profile: str) -> None:
        super().insert(profile)
        assert self._card is not None
        Path(os.environ["OPENSC_CONF"]).write_text(opensc_configuration(self._card))

    def open(self) -> Card:
        reader = self._pcscd.readers[0]
        return through_module(self._readers, reader, [OPENSC], Judge(ACCEPTED, ()), SECONDS)


class ThroughSoftHsm:
    """A SoftHSM token for the vendor's card; its module counts C_Login into a file."""

    counts = commands = False
    pace = 2
    right, wrong, signs = softhsm.PIN.encode(), softhsm.WRONG_PIN.encode(), ""

    def __init__(self, authority: Authority, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._authority = authority
        self._folder = folder
        self._environment = monkeypatch
        self._tokens: dict[str, SoftToken] = {}  # by their profiles
        self._logins = folder / "logins"
        self._logins.touch()
        self._module = compile_module(
            folder / "counting.so", SOURCE.read_text("ascii"), f'-DSOFTHSM="{softhsm.MODULE}"'
        )
        self._readers = EmbeddedReaders({READER: VirtualCard(Profile.parse(HPC_ATR))})

    def insert(self, profile: str) -> None:
        """Its flags show what the profile's PIN says of tries; it counts none itself."""
        tries = Profile.parse(profile).pin.tries_left
        if profile not in self._tokens:
            folder = self._folder / str(len(self._tokens))
            folder.mkdir()
            self._tokens[profile] = SoftToken.create(folder, self._authority, profile)
        token = self._tokens[profile]
        self._environment.setenv("SOFTHSM2_CONF", str(token.configuration))
        self._environment.setenv("LOGINS", str(self._logins))
        self._environment.setenv("FLAGS", {0: LOCKED, 1: FINAL_TRY}.get(tries, "0"))
        self._environment.delenv("UNRULY", raising=False)
        self._logins.write_bytes(b"")

    def insert_leaving(self, profile: str, number: int) -> None:
        """A token in a file cannot be pulled out: its module says so of it from then on."""
        self.insert(profile)
        self._environment.setenv("UNRULY", f"{number} {DEVICE_REMOVED}")

    def open(self) -> Card:
        modules = (named(self._module),)
        return open_card(
            self._readers, READER, accepted=ACCEPTED, modules=lambda: modules, seconds=SECONDS
        )

    def sign(self, card: Card, characters: bytes, tries_shown: int | None) -> Signature:
        return typed(card, characters, tries_shown)

    @property
    def verifies(self) -> int:
        return self._logins.stat().st_size

    def hold(self) -> None:
        self._readers.hold(READER, True)

    def restart(self) -> None:
        """Nothing of it hangs on PC/SC but finding the reader."""
        self._readers.fail(PcscServiceStopped())
        self._readers.fail(None)
