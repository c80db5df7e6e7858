"""The reader's side of a PIN pad: what a driver answers to PC/SC part 10's control codes.

It completes the command that the structure holds and sends it to the virtual card, as a reader's
firmware does; the person at its keys is invented too.
"""

from __future__ import annotations

import struct
import threading
from dataclasses import dataclass
from enum import Enum

from card.apdu import SW
from card.errors import PadRefused
from card.pin_pad import GET_FEATURE_REQUEST, Feature, Property, control_code
from card.virtual.card import VirtualCard

VERIFY_CODE = control_code(0x330006)
PROPERTIES_CODE = control_code(0x330012)
HEAD = struct.Struct("<BBBBBHBBHBBBBI")  # PIN_VERIFY (§2.5.2) up to abData
VARIABLE_USB = (0x046A, 0x003E)  # of a reader that sends a PIN as long as it is
ASCII_LEFT = 0x82  # bmFormatString: bytes, no offset, from the left, ASCII


class Key(Enum):
    """How an entry can end without a PIN."""

    CANCEL = "cancel"
    NONE = "none"  # the time runs out


@dataclass(frozen=True)
class VirtualPad:
    """A pad, and what is pressed on it: a PIN and the confirming key, or a Key.

    `after`: seconds until then; None with Key.NONE: as many as the structure allows. `code`: the
    entry ends with this status word of the reader in any case.
    """

    pressed: bytes | Key
    after: float | None = 0.0
    usb: tuple[int, int] | None = VARIABLE_USB
    display: bool = True
    longest: int = 0
    code: int | None = None

    def control(
        self, card: VirtualCard | None, code: int, data: bytes, gone: threading.Event
    ) -> bytes:
        """What the driver answers; `gone` is set when card or reader leave during the entry.

        Empty where they did. Raises PadRefused for a code that it does not know.
        """
        if code == GET_FEATURE_REQUEST:
            return _feature(Feature.VERIFY_PIN_DIRECT, VERIFY_CODE) + _feature(
                Feature.GET_TLV_PROPERTIES, PROPERTIES_CODE
            )
        if code == PROPERTIES_CODE:
            return self._properties()
        if code == VERIFY_CODE and card is not None:
            return self._verify(card, data, gone)
        raise PadRefused(0)

    def _properties(self) -> bytes:
        told = _property(Property.LCD_LAYOUT, 0x0210 if self.display else 0, 2)
        told += _property(Property.LONGEST_PIN, self.longest, 1)
        if self.usb is not None:
            told += _property(Property.USB_VENDOR, self.usb[0], 2)
            told += _property(Property.USB_PRODUCT, self.usb[1], 2)
        return told

    def _verify(self, card: VirtualCard, data: bytes, gone: threading.Event) -> bytes:
        if len(data) < HEAD.size:
            return _word(SW.PIN_PAD_PARAMETERS)
        seconds, _, form, frame, position, limits, *_, length = HEAD.unpack_from(data)
        command = data[HEAD.size :]
        if length != len(command) or form != ASCII_LEFT or position or frame >> 4:
            return _word(SW.PIN_PAD_PARAMETERS)
        if gone.wait(seconds if self.after is None else self.after):
            return b""
        if self.code is not None:
            return _word(self.code)
        if isinstance(self.pressed, Key):
            cancelled = self.pressed is Key.CANCEL
            return _word(SW.PIN_PAD_CANCELLED if cancelled else SW.PIN_PAD_TIMED_OUT)
        if not limits >> 8 <= len(self.pressed) <= limits & 0xFF:
            return _word(SW.PIN_PAD_LENGTH)
        return card.transmit(_completed(command, self.pressed, frame))


def _completed(command: bytes, pin: bytes, frame: int) -> bytes:
    """The digits over the first bytes of the frame, and Lc as long as the data (§2.5.2)."""
    data = pin + command[5 : 5 + frame][len(pin) :]
    return command[:4] + bytes((len(data),)) + data


def _feature(tag: int, code: int) -> bytes:
    return bytes((tag, 4)) + code.to_bytes(4, "big")


def _property(tag: int, value: int, size: int) -> bytes:
    return bytes((tag, size)) + value.to_bytes(size, "little")


def _word(status: int) -> bytes:
    return status.to_bytes(2, "big")
