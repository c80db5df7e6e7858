"""The PIV application's PIN and its key 9A, in commands (NIST SP 800-73-5)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

from card import tlv, verify
from card.apdu import SHORT_LE, SW, Command, Ins
from card.channel import Channel
from card.errors import CardDataMalformed, CardError, KeyUnsupported, SignRefused
from card.pin_pad import PinForm
from card.piv import application
from card.piv.application import APPLICATION_PIN, Contents
from card.port import PinRules, Via
from card.signing import Rsa, SigningKey

KEY = 0x9A  # PIV Authentication, part 1 table 4
PIN_SIZE, FILL = 8, 0xFF  # part 2 §2.4.3
RSA_ALGORITHMS = {2048: 0x07, 3072: 0x05}  # SP 800-78-5 table 9
P256_ALGORITHM = 0x11
CARD_MANAGER = bytes.fromhex("A000000151000000")  # GlobalPlatform card specification, annex H


@dataclass(frozen=True)
class PivCommands:
    """card.apdu_card.Commands over a PIV application."""

    channel: Channel
    contents: Contents
    key: SigningKey

    def __post_init__(self) -> None:
        """Raises KeyUnsupported for a size of key that PIV does not have."""
        if isinstance(self.key, Rsa) and self.key.public.key_size not in RSA_ALGORITHMS:
            raise KeyUnsupported

    @property
    def via(self) -> Via:
        return Via.PIV

    @property
    def label(self) -> str:
        return "PIV"

    @property
    def rules(self) -> PinRules:
        """6 to 8 characters, digits in the application's own PIN (part 2 §2.4.3)."""
        return PinRules(6, PIN_SIZE, digits_only=self.contents.pin == APPLICATION_PIN)

    @property
    def characters(self) -> bytes:
        return verify.DIGITS if self.rules.digits_only else verify.PRINTABLE

    @property
    def form(self) -> PinForm:
        return PinForm(self.contents.pin, self.rules.minimum, self.rules.maximum, PIN_SIZE, FILL)

    def enter(self, selected: bool = False) -> None:
        if not selected:
            application.reselect(self.channel)

    def compute(self, message: bytes) -> bytes:
        """GENERAL AUTHENTICATE with key 9A (part 2 §3.2.4, §A.3): the block signed as it is."""
        block = self.key.prepare(sha256(message).digest())
        algorithm = P256_ALGORITHM
        if isinstance(self.key, Rsa):  # EMSA-PKCS1-v1_5 (RFC 8017 §9.2): the card does not pad
            algorithm = RSA_ALGORITHMS[self.key.public.key_size]
            fill = b"\xff" * (self.key.size - len(block) - 3)
            block = b"\x00\x01" + fill + b"\x00" + block
        template = _object(0x7C, b"\x82\x00" + _object(0x81, block))
        command = Command(Ins.GENERAL_AUTHENTICATE, algorithm, KEY, template, le=SHORT_LE)
        response = self.channel.send(command)
        if response.sw != SW.OK:
            raise SignRefused(Ins.GENERAL_AUTHENTICATE, response.sw)
        try:
            for entry in tlv.parse(tlv.first(response.data, "").value, ""):
                if entry.tag == 0x82:
                    return entry.value
        except CardDataMalformed:
            pass
        return b""  # no signature, which the check under the certificate will say

    def forget(self) -> None:
        """End the PIN's verified state: VERIFY with P1 FF and no data (part 2 §3.2.1).

        SELECT alone would leave it as it is. A card of before SP 800-73-4 does not know this form;
        there another application is selected, which ends it too.
        """
        with suppress(CardError):
            if self.channel.send(Command(Ins.VERIFY, 0xFF, self.contents.pin)).sw != SW.OK:
                self.channel.send(Command(Ins.SELECT, 0x04, 0x00, CARD_MANAGER, le=256))


def _object(tag: int, value: bytes) -> bytes:
    """One data object with a length of one to three bytes (X.690 §8.1.3)."""
    size = len(value)
    if size < 0x80:
        return bytes((tag, size)) + value
    if size < 0x100:
        return bytes((tag, 0x81, size)) + value
    return bytes((tag, 0x82)) + size.to_bytes(2, "big") + value
