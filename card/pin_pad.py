"""PIN entry on the reader's own keys: PC/SC part 10, FEATURE_VERIFY_PIN_DIRECT (v2.02.09 §2).

The reader is told how this card wants its PIN, collects the digits, and sends the one VERIFY
itself: the PIN never comes to this computer. What cannot be told to a reader exactly is not told
at all, for a PIN in the wrong form costs the holder a try.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from card import verify
from card.apdu import SW, Command, Ins
from card.channel import Channel
from card.errors import (
    CardError,
    CardMute,
    PadCancelled,
    PadLength,
    PadLies,
    PadRefused,
    PadTimedOut,
    PadUnfit,
)
from card.pad_readers import LYING, VARIABLE, WITHOUT_LC, UsbId, listed
from card.port import Control, DirectReaders, PadUse, PinPad, Readers, Slot, SlotState

SECONDS = 30  # bTimeOut: from the prompt to the last key; what OpenSC uses too
LARGEST_FRAME = 15  # bytes: bits 3-0 of bmPINBlockString
LONGEST = 0xFF  # digits: one byte of wPINMaxExtraDigit
ASCII_FROM_THE_LEFT = 0x82  # bmFormatString: at an offset of 0 bytes behind Lc
FULL, CONFIRMED = 0x01, 0x02  # bEntryValidationCondition: as many as there can be; the key for it
OWN_TEXT = 0xFF  # bNumberMessage: what the reader itself says for it
ENGLISH = 0x0409  # wLangId: readers have their texts in few languages, Chinese is not among them


def control_code(number: int) -> int:
    """SCARD_CTL_CODE: pcsc-lite's and macOS's, or Windows's (winsmcrd.h)."""
    return 0x0031 << 16 | number << 2 if sys.platform == "win32" else 0x42000000 + number


GET_FEATURE_REQUEST = control_code(3400)  # CM_IOCTL_GET_FEATURE_REQUEST, §2.2


class Feature(IntEnum):
    """Tags of the answer to CM_IOCTL_GET_FEATURE_REQUEST (§2.3)."""

    VERIFY_PIN_DIRECT = 0x06
    GET_TLV_PROPERTIES = 0x12


class Property(IntEnum):
    """Tags of the answer to FEATURE_GET_TLV_PROPERTIES (§2.6.14)."""

    LCD_LAYOUT = 0x01
    SHORTEST_PIN = 0x06
    LONGEST_PIN = 0x07
    USB_VENDOR = 0x0B
    USB_PRODUCT = 0x0C


@dataclass(frozen=True)
class Pad:
    """A reader's pad as its driver describes it; lengths in digits, 0 where it says nothing."""

    verify: int  # the control code of FEATURE_VERIFY_PIN_DIRECT
    usb: UsbId | None = None
    display: bool = False
    shortest: int = 0
    longest: int = 0

    @property
    def lies(self) -> bool:
        return listed(LYING, self.usb)

    @property
    def usb_text(self) -> str:
        return "" if self.usb is None else "{:04X}:{:04X}".format(*self.usb)


class State(StrEnum):
    """What becomes of a reader's pad here."""

    USED = "used"
    LYING = "lying"
    UNNAMED = "unnamed"  # no USB id, so it may be one that lies
    OFF = "off"


@dataclass(frozen=True)
class PinForm:
    """How a card wants its PIN in VERIFY: ASCII from the left, filled up to `size` bytes.

    `size` 0: as long as it is. `minimum` and `maximum` in characters.
    """

    reference: int
    minimum: int
    maximum: int
    size: int = 0
    fill: int = 0

    def frame(self) -> int:
        """Bytes of VERIFY's data; 0 where they are as many as the PIN has."""
        return self.size or (self.maximum if self.minimum == self.maximum else 0)


# --- what the reader says of itself ---------------------------------------------------------------


def look(connection: object) -> Pad | None:
    """The pad of the reader at the other end; None where it offers none.

    Inside a transaction: a reader that another program keeps busy must not seem to have no pad.
    Raises what Control.control raises, but for a driver that does not know the code.
    """
    if not isinstance(connection, Control):
        return None
    try:
        found = features(connection.control(GET_FEATURE_REQUEST, b""))
        verify_code = found.get(Feature.VERIFY_PIN_DIRECT)
        if verify_code is None:
            return None
        told = found.get(Feature.GET_TLV_PROPERTIES)
        return described(verify_code, b"" if told is None else connection.control(told, b""))
    except (PadRefused, CardMute):  # mute: some drivers know no better word for it
        return None


def look_at(readers: Readers, slot: Slot) -> Pad | None:
    """The same of a reader in the list, with a card in it or without. Raises nothing."""
    if not isinstance(readers, DirectReaders) or slot.state is SlotState.HELD:
        return None
    try:
        with readers.direct(slot) as control:
            return look(control)
    except CardError:
        return None  # what is wrong with the reader, its own line tells


def features(answer: bytes) -> dict[int, int]:
    """Control codes by feature tag: tag, length 4, value in big-endian order (§2.2).

    Empty for an answer that is not so.
    """
    if len(answer) % 6 or any(answer[at + 1] != 4 for at in range(0, len(answer), 6)):
        return {}
    return {
        answer[at]: int.from_bytes(answer[at + 2 : at + 6], "big")
        for at in range(0, len(answer), 6)
    }


def described(verify_code: int, properties: bytes) -> Pad:
    """The pad with its TLV properties: tag, length, value in little-endian order (§2.6.14)."""
    told: dict[int, int] = {}
    rest = properties
    while len(rest) >= 2 and len(rest) >= 2 + rest[1]:
        told[rest[0]] = int.from_bytes(rest[2 : 2 + rest[1]], "little")
        rest = rest[2 + rest[1] :]
    usb = None
    if Property.USB_VENDOR in told and Property.USB_PRODUCT in told:
        usb = told[Property.USB_VENDOR], told[Property.USB_PRODUCT]
    return Pad(
        verify_code,
        usb,
        display=told.get(Property.LCD_LAYOUT, 0) > 0,
        shortest=told.get(Property.SHORTEST_PIN, 0),
        longest=told.get(Property.LONGEST_PIN, 0),
    )


def state(pad: Pad, use: PadUse) -> State:
    """Whether the pad is used at all, whatever the card."""
    if pad.lies:
        return State.LYING
    if pad.usb is None:
        return State.UNNAMED
    return State.OFF if use is PadUse.OFF else State.USED


# --- this card's PIN on that pad ------------------------------------------------------------------


def usable(pad: Pad | None, form: PinForm, use: PadUse, reader: str) -> Pad | None:
    """The pad, where this card's PIN can be entered on it; None: on the keyboard.

    Raises PadLies and PadUnfit where the keyboard is not to be used in its place.
    """
    if pad is None or use is PadUse.OFF:
        return None
    if not pad.lies and fits(pad, form):
        return pad
    if use is PadUse.ONLY:
        raise PadLies(reader, pad.usb_text) if pad.lies else PadUnfit(reader)
    return None


def offer(pad: Pad | None, use: PadUse) -> PinPad | None:
    """The same as the wizard sees it."""
    return None if pad is None else PinPad(SECONDS, keyboard=use is not PadUse.ONLY)


def fits(pad: Pad, form: PinForm) -> bool:
    """Whether the reader can be told exactly what the card wants.

    A reader that takes fewer digits than the PIN may have would send a part of it; one without a
    USB id may be one that lies.
    """
    if (
        pad.usb is None
        or form.maximum > min(pad.longest or LONGEST, LONGEST)
        or form.minimum < pad.shortest
    ):
        return False
    frame = form.frame()
    if not frame:
        return listed(VARIABLE, pad.usb)
    return form.maximum <= frame <= LARGEST_FRAME


def structure(pad: Pad, form: PinForm) -> bytes:
    """PIN_VERIFY (§2.5.2): 19 bytes in little-endian order, and the command to be completed."""
    frame = form.frame()
    command = bytes((0x00, Ins.VERIFY, 0x00, form.reference))
    if frame:
        command += bytes((frame,)) + bytes((form.fill,)) * frame
    elif not listed(WITHOUT_LC, pad.usb):
        command += b"\x00"
    ends = CONFIRMED | FULL if form.minimum == form.maximum else CONFIRMED
    head = struct.pack(
        "<BBBBBHBBHB3xI",
        SECONDS,  # bTimeOut
        SECONDS,  # bTimeOut2, after the first key
        ASCII_FROM_THE_LEFT,  # bmFormatString
        frame,  # bmPINBlockString: the PIN's length is not put into the data
        0x00,  # bmPINLengthFormat: likewise
        form.minimum << 8 | form.maximum,  # wPINMaxExtraDigit
        ends,  # bEntryValidationCondition
        OWN_TEXT if pad.display else 0x00,  # bNumberMessage
        ENGLISH,
        0x00,  # bMsgIndex
        len(command),
    )
    return head + command


def enter(channel: Channel, pad: Pad | None, form: PinForm) -> None:
    """Have the PIN entered and verified: at most one VERIFY, sent by the reader.

    Raises PadError where the card saw no VERIFY, what `verify.judge` raises for the card's answer,
    and what Control.control raises.
    """
    if pad is None:
        raise PadRefused(0)
    sent = Command(Ins.VERIFY, 0x00, form.reference, b"?")  # what the trace may know of it
    sw = channel.control(pad.verify, structure(pad, form), sent).sw
    match sw:
        case SW.PIN_PAD_TIMED_OUT:
            raise PadTimedOut(SECONDS)
        case SW.PIN_PAD_CANCELLED:
            raise PadCancelled
        case SW.PIN_PAD_LENGTH:
            raise PadLength(form.minimum, form.maximum)
        case SW.PIN_PAD_DIFFERENT | SW.PIN_PAD_PARAMETERS:
            raise PadRefused(sw)
    verify.judge(sw)
