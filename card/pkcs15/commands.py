"""A PKCS#15 application's PIN and its signing key, in commands."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

from card import apdu, verify
from card.apdu import SW, Command, Ins
from card.channel import Channel
from card.errors import CardError, SignRefused
from card.pin import CAPACITY
from card.pin_pad import PinForm
from card.pkcs15 import application, files
from card.pkcs15.application import Contents
from card.pkcs15.objects import Path, PinFlag, PinType
from card.port import PinRules, Via
from card.signing import SigningKey
from card.text import clean

SMALL_LETTERS = b"abcdefghijklmnopqrstuvwxyz"
LABEL_COLUMNS = 32


@dataclass(frozen=True)
class Pkcs15Commands:
    """card.apdu_card.Commands over a PKCS#15 application."""

    channel: Channel
    contents: Contents
    key: SigningKey

    @property
    def via(self) -> Via:
        return Via.PKCS15

    @property
    def label(self) -> str:
        return clean(self.contents.token.label, LABEL_COLUMNS)

    @property
    def rules(self) -> PinRules:
        """PKCS#15 §6.9.2: characters from minLength to maxLength, and never beyond storedLength."""
        pin = self.contents.pin
        limits = [length for length in (pin.maximum, pin.stored, CAPACITY) if length]
        return PinRules(
            minimum=max(1, pin.minimum),
            maximum=min(limits),
            digits_only=pin.type == PinType.ASCII_NUMERIC,
        )

    @property
    def characters(self) -> bytes:
        """Without small letters where the card has no use for them.

        The standard wants capitals sent then, much software sends what was typed: either guess
        could cost a try, so they are refused and the person decides.
        """
        allowed = verify.DIGITS if self.rules.digits_only else verify.PRINTABLE
        sensitive = PinFlag.CASE_SENSITIVE in self.contents.pin.flags
        return allowed if sensitive else allowed.translate(None, SMALL_LETTERS)

    @property
    def form(self) -> PinForm:
        pin, rules = self.contents.pin, self.rules
        padded = PinFlag.NEEDS_PADDING in pin.flags and pin.pad is not None
        size = pin.stored if padded else 0
        return PinForm(pin.reference, rules.minimum, rules.maximum, size, pin.pad or 0)

    def enter(self, selected: bool = False) -> None:
        if not selected:
            application.reselect(self.channel, self.contents.application)
        pin = self.contents.pin
        folder = _elsewhere(pin.path)
        if PinFlag.LOCAL in pin.flags and folder is not None:
            application.reselect(self.channel, files.select(folder))

    def compute(self, message: bytes) -> bytes:
        """MSE SET and PSO COMPUTE DIGITAL SIGNATURE (ISO 7816-4 §7.5.11, ISO 7816-8 §11.7)."""
        key = self.contents.key
        place = _elsewhere(key.path)
        if place is not None and place.folder != files.APPLICATION:
            self._step(files.select(place))
        template = b"\x84\x01" + bytes((key.reference or 0,))
        algorithm = self._algorithm()
        if algorithm is not None:
            template = b"\x80\x01" + bytes((algorithm,)) + template
        self._step(Command(Ins.MANAGE_SECURITY_ENVIRONMENT, 0x41, 0xB6, template))
        prepared = self.key.prepare(sha256(message).digest())
        size = self.key.size if self.channel.extended else 0
        expected = max(size, apdu.SHORT_LE)
        return self._step(
            Command(Ins.PERFORM_SECURITY_OPERATION, 0x9E, 0x9A, prepared, le=expected)
        )

    def _step(self, command: Command) -> bytes:
        response = self.channel.send(command)
        if response.sw != SW.OK:
            raise SignRefused(command.ins, response.sw)
        return response.data

    def _algorithm(self) -> int | None:
        """The card's own number for this mechanism, from TokenInfo; None where it names none."""
        allowed = self.contents.key.algorithms
        for offered in self.contents.token.algorithms:
            fits = offered.signs and offered.mechanism == self.key.mechanism
            if fits and (not allowed or offered.reference in allowed):
                return offered.card_reference
        return None

    def forget(self) -> None:
        """Select the application again: what was verified belongs to the DF (ISO 7816-4 §5.4.2)."""
        with suppress(CardError):
            self.channel.send(self.contents.application)


def _elsewhere(path: Path | None) -> Path | None:
    """`path` where it lies outside the PKCS#15 application's own DF, else None."""
    return None if path is None or path.value in (b"", files.APPLICATION) else path
