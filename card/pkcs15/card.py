"""card.port.Card over a PKCS#15 application: tries left, VERIFY, and the signature."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256

from card import apdu, pin_pad, verify
from card.apdu import SW, Command, Ins
from card.channel import Channel
from card.errors import CardError, PinBlocked, PinWrong, SignRefused
from card.pin import CAPACITY, Pin
from card.pin_pad import Pad, PinForm
from card.pkcs15 import application, files
from card.pkcs15.application import Contents
from card.pkcs15.objects import Path, PinFlag, PinType
from card.port import (
    Connection,
    HolderCertificate,
    PadUse,
    PinPad,
    PinRules,
    Signature,
    Via,
    no_one,
)
from card.signing import SigningKey
from card.text import clean

SMALL_LETTERS = b"abcdefghijklmnopqrstuvwxyz"
LABEL_COLUMNS = 32


class Pkcs15Card:
    """A recognised PKCS#15 card that was read; `certificate` was checked before."""

    def __init__(
        self,
        connection: Connection,
        channel: Channel,
        contents: Contents,
        certificate: HolderCertificate,
        key: SigningKey,
        *,
        pad: Pad | None = None,
        pads: PadUse = PadUse.OFF,
    ) -> None:
        self._connection = connection
        self._channel = channel
        self._contents = contents
        self._certificate = certificate
        self._key = key
        self._pads = pads
        self._pad = pin_pad.usable(pad, self._form, pads, connection.reader)
        self._told: tuple[int | None, ...] = ()  # tries that the card told and nobody was shown yet

    @property
    def reader(self) -> str:
        return self._connection.reader

    @property
    def via(self) -> Via:
        return Via.PKCS15

    @property
    def label(self) -> str:
        return clean(self._contents.token.label, LABEL_COLUMNS)

    @property
    def certificate(self) -> HolderCertificate:
        return self._certificate

    @property
    def pin_rules(self) -> PinRules:
        """PKCS#15 §6.9.2: characters from minLength to maxLength, and never beyond storedLength."""
        pin = self._contents.pin
        limits = [length for length in (pin.maximum, pin.stored, CAPACITY) if length]
        return PinRules(
            minimum=max(1, pin.minimum),
            maximum=min(limits),
            digits_only=pin.type == PinType.ASCII_NUMERIC,
        )

    @property
    def pin_pad(self) -> PinPad | None:
        return pin_pad.offer(self._pad, self._pads)

    def tries_left(self) -> int | None:
        """As the port says; what the card told when opened or after a wrong PIN is not asked again.

        It serves once, and only to be shown: `sign` asks before every VERIFY.
        """
        told, self._told = self._told, ()
        if told:
            return told[0]
        with self._connection.transaction():
            self._enter()
            return verify.ask_tries(self._channel, self._contents.pin.reference)

    def learn_tries(self, selected: bool) -> None:
        """Ask for the tries inside the opening's transaction; `selected`: the application still is.

        Zero is asked again when it is to be shown: the card may have been unblocked meanwhile.
        """
        self._enter(selected)
        tries = verify.ask_tries(self._channel, self._contents.pin.reference)
        self._told = () if tries == 0 else (tries,)

    def sign(
        self,
        pin: Pin | None,
        message: bytes,
        tries_shown: int | None,
        entered: Callable[[], None] = no_one,
    ) -> Signature:
        self._told = ()
        if pin is None:
            return self._sign(self._verify_on_pad, message, tries_shown, entered)
        with pin.spend() as characters:
            self._check(pin)
            return self._sign(lambda: self._send(characters), message, tries_shown, entered)

    def _sign(
        self,
        verified: Callable[[], None],
        message: bytes,
        tries_shown: int | None,
        entered: Callable[[], None],
    ) -> Signature:
        with self._connection.transaction():
            self._enter()
            verify.ask_tries_again(self._channel, self._contents.pin.reference, tries_shown)
            try:
                self._verify(verified)
                entered()
                answer = self._compute(message)
            finally:
                self._forget()
        return self._key.signature(answer, message)

    def close(self) -> None:
        self._connection.close()

    def _enter(self, selected: bool = False) -> None:
        """Be in the DF of the PIN, whatever another program selected since.

        A reference that VERIFY names means another PIN in another application: without this a
        stranger's SELECT between two of our transactions would cost a try of the wrong PIN.
        """
        if not selected:
            application.reselect(self._channel, self._contents.application)
        pin = self._contents.pin
        folder = _elsewhere(pin.path)
        if PinFlag.LOCAL in pin.flags and folder is not None:
            application.reselect(self._channel, files.select(folder))

    def _check(self, pin: Pin) -> None:
        """Refuse what cannot be this card's PIN before the card counts it."""
        rules = self.pin_rules
        allowed = verify.DIGITS if rules.digits_only else verify.PRINTABLE
        if PinFlag.CASE_SENSITIVE not in self._contents.pin.flags:
            # The standard wants capitals sent then, much software sends what was typed: either
            # guess could cost a try, so small letters are refused and the person decides.
            allowed = allowed.translate(None, SMALL_LETTERS)
        verify.check(pin, rules, allowed)

    @property
    def _form(self) -> PinForm:
        pin, rules = self._contents.pin, self.pin_rules
        padded = PinFlag.NEEDS_PADDING in pin.flags and pin.pad is not None
        size = pin.stored if padded else 0
        return PinForm(pin.reference, rules.minimum, rules.maximum, size, pin.pad or 0)

    def _send(self, characters: memoryview) -> None:
        form = self._form
        verify.send(self._channel, form.reference, characters, form.fill, form.size)

    def _verify_on_pad(self) -> None:
        pin_pad.enter(self._channel, self._pad, self._form)

    def _verify(self, once: Callable[[], None]) -> None:
        """VERIFY, once; what a wrong PIN left is remembered to be shown. Raises PinError."""
        try:
            once()
        except PinWrong as wrong:
            self._told = () if wrong.tries_left is None else (wrong.tries_left,)
            raise
        except PinBlocked:
            self._told = (0,)
            raise

    def _compute(self, message: bytes) -> bytes:
        """MSE SET and PSO COMPUTE DIGITAL SIGNATURE (ISO 7816-4 §7.5.11, ISO 7816-8 §11.7)."""
        key = self._contents.key
        place = _elsewhere(key.path)
        if place is not None and place.folder != files.APPLICATION:
            self._step(files.select(place))
        template = b"\x84\x01" + bytes((key.reference or 0,))
        algorithm = self._algorithm()
        if algorithm is not None:
            template = b"\x80\x01" + bytes((algorithm,)) + template
        self._step(Command(Ins.MANAGE_SECURITY_ENVIRONMENT, 0x41, 0xB6, template))
        prepared = self._key.prepare(sha256(message).digest())
        size = self._key.size if self._channel.extended else 0
        expected = max(size, apdu.SHORT_LE)
        return self._step(
            Command(Ins.PERFORM_SECURITY_OPERATION, 0x9E, 0x9A, prepared, le=expected)
        )

    def _step(self, command: Command) -> bytes:
        response = self._channel.send(command)
        if response.sw != SW.OK:
            raise SignRefused(command.ins, response.sw)
        return response.data

    def _algorithm(self) -> int | None:
        """The card's own number for this mechanism, from TokenInfo; None where it names none."""
        allowed = self._contents.key.algorithms
        for offered in self._contents.token.algorithms:
            fits = offered.signs and offered.mechanism == self._key.mechanism
            if fits and (not allowed or offered.reference in allowed):
                return offered.card_reference
        return None

    def _forget(self) -> None:
        """Select the application again, which ends the PIN's verified state.

        The verified state belongs to the current DF (ISO 7816-4 §5.4.2): without this the next
        program on the shared card could sign with the holder's PIN until the card is reset, and
        a reset by us would fail that program's own work.
        """
        with suppress(CardError):
            self._channel.send(self._contents.application)


def _elsewhere(path: Path | None) -> Path | None:
    """`path` where it lies outside the PKCS#15 application's own DF, else None."""
    return None if path is None or path.value in (b"", files.APPLICATION) else path
