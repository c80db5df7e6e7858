"""card.port.Card over a PIV application: tries left, VERIFY, and a signature with key 9A."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256

from card import pin_pad, tlv, verify
from card.apdu import SHORT_LE, SW, Command, Ins
from card.channel import Channel
from card.errors import CardDataMalformed, CardError, KeyUnsupported, SignRefused
from card.pin import Pin
from card.pin_pad import Pad, PinForm
from card.piv import application
from card.piv.application import APPLICATION_PIN, Contents
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
from card.signing import Rsa, SigningKey

KEY = 0x9A  # PIV Authentication, SP 800-73-5 part 1 table 4
PIN_SIZE, FILL = 8, 0xFF  # part 2 §2.4.3
RSA_ALGORITHMS = {2048: 0x07, 3072: 0x05}  # SP 800-78-5 table 9
P256_ALGORITHM = 0x11


class PivCard:
    """A recognised PIV card that was read; `certificate` was checked before."""

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
        """Raises KeyUnsupported for a size of key that PIV does not have."""
        self._connection = connection
        self._channel = channel
        self._contents = contents
        self._certificate = certificate
        self._key = key
        self._told: tuple[int | None, ...] = ()  # tries that the card told and nobody was shown yet
        self._algorithm = P256_ALGORITHM
        if isinstance(key, Rsa):
            if key.public.key_size not in RSA_ALGORITHMS:
                raise KeyUnsupported
            self._algorithm = RSA_ALGORITHMS[key.public.key_size]
        self._pads = pads
        self._pad = pin_pad.usable(pad, self._form, pads, connection.reader)

    @property
    def reader(self) -> str:
        return self._connection.reader

    @property
    def via(self) -> Via:
        return Via.PIV

    @property
    def label(self) -> str:
        return "PIV"

    @property
    def certificate(self) -> HolderCertificate:
        return self._certificate

    @property
    def pin_rules(self) -> PinRules:
        """6 to 8 characters, digits in the application's own PIN (part 2 §2.4.3)."""
        return PinRules(6, PIN_SIZE, digits_only=self._contents.pin == APPLICATION_PIN)

    @property
    def pin_pad(self) -> PinPad | None:
        return pin_pad.offer(self._pad, self._pads)

    @property
    def _form(self) -> PinForm:
        rules = self.pin_rules
        return PinForm(self._contents.pin, rules.minimum, rules.maximum, PIN_SIZE, FILL)

    def learn_tries(self) -> None:
        """Ask for the tries within the transaction of opening, for `tries_left` to tell once.

        Zero is asked again when it is to be shown: the card may have been unblocked meanwhile.
        """
        tries = verify.ask_tries(self._channel, self._contents.pin)
        self._told = () if tries == 0 else (tries,)

    def tries_left(self) -> int | None:
        told, self._told = self._told, ()
        if told:
            return told[0]
        with self._connection.transaction():
            application.reselect(self._channel)
            return verify.ask_tries(self._channel, self._contents.pin)

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
        rules = self.pin_rules
        with pin.spend() as characters:
            verify.check(pin, rules, verify.DIGITS if rules.digits_only else verify.PRINTABLE)
            return self._sign(lambda: self._send(characters), message, tries_shown, entered)

    def _sign(
        self,
        verified: Callable[[], None],
        message: bytes,
        tries_shown: int | None,
        entered: Callable[[], None],
    ) -> Signature:
        with self._connection.transaction():
            application.reselect(self._channel)
            verify.ask_tries_again(self._channel, self._contents.pin, tries_shown)
            try:
                verified()
                entered()
                answer = self._authenticate(sha256(message).digest())
            finally:
                self._forget()
        return self._key.signature(answer, message)

    def _send(self, characters: memoryview) -> None:
        verify.send(self._channel, self._contents.pin, characters, FILL, PIN_SIZE)

    def _verify_on_pad(self) -> None:
        pin_pad.enter(self._channel, self._pad, self._form)

    def close(self) -> None:
        self._connection.close()

    def _authenticate(self, digest: bytes) -> bytes:
        """GENERAL AUTHENTICATE with key 9A (part 2 §3.2.4, §A.3): the block signed as it is."""
        block = self._key.prepare(digest)
        if isinstance(self._key, Rsa):  # EMSA-PKCS1-v1_5 (RFC 8017 §9.2): the card does not pad
            fill = b"\xff" * (self._key.size - len(block) - 3)
            block = b"\x00\x01" + fill + b"\x00" + block
        template = _object(0x7C, b"\x82\x00" + _object(0x81, block))
        command = Command(Ins.GENERAL_AUTHENTICATE, self._algorithm, KEY, template, le=SHORT_LE)
        response = self._channel.send(command)
        if response.sw != SW.OK:
            raise SignRefused(Ins.GENERAL_AUTHENTICATE, response.sw)
        try:
            for entry in tlv.parse(tlv.first(response.data, "").value, ""):
                if entry.tag == 0x82:
                    return entry.value
        except CardDataMalformed:
            pass
        return b""  # no signature, which the check under the certificate will say

    def _forget(self) -> None:
        """End the PIN's verified state: VERIFY with P1 FF and no data (part 2 §3.2.1).

        SELECT alone would leave it as it is. A card of before SP 800-73-4 does not know this form;
        there another application is selected, which ends it too.
        """
        with suppress(CardError):
            if self._channel.send(Command(Ins.VERIFY, 0xFF, self._contents.pin)).sw != SW.OK:
                self._channel.send(Command(Ins.SELECT, 0x04, 0x00, CARD_MANAGER, le=256))


CARD_MANAGER = bytes.fromhex("A000000151000000")  # GlobalPlatform card specification, annex H


def _object(tag: int, value: bytes) -> bytes:
    """One data object with a length of one to three bytes (X.690 §8.1.3)."""
    size = len(value)
    if size < 0x80:
        return bytes((tag, size)) + value
    if size < 0x100:
        return bytes((tag, 0x81, size)) + value
    return bytes((tag, 0x82)) + size.to_bytes(2, "big") + value
