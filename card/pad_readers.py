"""Readers whose PIN pad is not what they say, and those that send a PIN as long as it is.

By USB id, as FEATURE_GET_TLV_PROPERTIES tells it. Each line has its source; nothing here is
guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

UsbId = tuple[int, int]  # vendor, product


@dataclass(frozen=True)
class Line:
    """One reader, or all of a vendor's where `product` is None."""

    vendor: int
    product: int | None
    name: str
    source: str

    def covers(self, usb: UsbId) -> bool:
        return self.vendor == usb[0] and self.product in (None, usb[1])


_CCID = "libccid, src/ccid.c, ccid_open_hack_post: bPINSupport = 0"
_NONE = f"{_CCID}: advertises a pad and has none"
_LEAKS = f"{_CCID}: the PIN also goes to the computer as key strokes"

# Never asked for a PIN, whatever they offer.
LYING = (
    Line(0x076B, 0x3031, "OMNIKEY 1021, 3021, 3121", f"{_NONE}; OpenSC, reader-pcsc.c"),
    Line(0x076B, 0x6632, "OMNIKEY 6121", f"{_NONE}; OpenSC, reader-pcsc.c"),
    Line(0x076B, 0x3A21, "OMNIKEY Generic (Aviator)", _NONE),
    Line(0x046A, 0x00A7, "CHERRY Smart Terminal xx44", _NONE),
    Line(0x0BF8, 0x1024, "Fujitsu Smartcard Reader D323", _NONE),
    Line(0x0783, 0x0006, "C3PO LTC31 v2", f"{_CCID}; OpenSC issue 201: has no pad"),
    Line(0x03F0, 0x1024, "HP USB Smart Card Keyboard", _LEAKS),
    Line(0x03F0, 0x0036, "HP USB CCID Smartcard Keyboard", _LEAKS),
    Line(0x0BF8, 0x1017, "Fujitsu Siemens SmartCard Keyboard", _LEAKS),
    Line(
        0x046A,
        0x0010,
        "CHERRY SmartBoard XX44",
        "GnuPG, scd/ccid-driver.c: types an asterisk for each digit, and wants a command of its own"
        " in place of the standard's",
    ),
)

_VARIABLE = "GnuPG, scd/apdu.c, pcsc_vendor_specific_init: pinpad_varlen_supported"

# Where the card wants no padding and the PIN may be of several lengths, the reader has to set the
# length (Lc) itself. Only of these is it known that they do.
VARIABLE = (
    Line(0x04E6, 0xE003, "SCM SPR 332, SPR 532", _VARIABLE),
    Line(0x046A, 0x003E, "CHERRY SmartTerminal ST-2xxx", _VARIABLE),
    Line(0x0C4B, None, "REINER SCT cyberJack", _VARIABLE),
    Line(0x1A44, None, "VASCO DIGIPASS", _VARIABLE),
    Line(0x234B, None, "FSIJ Gnuk", _VARIABLE),
    Line(0x0D46, None, "KOBIL KAAN", _VARIABLE),
)
# Of these, the one that appends Lc to a command without it instead of replacing a zero
# (libccid, src/commands.c, SecurePINVerify; GnuPG, scd/apdu.c: no_lc).
WITHOUT_LC = (Line(0x04E6, 0xE003, "SCM SPR 332, SPR 532", "libccid, src/commands.c"),)


def listed(lines: tuple[Line, ...], usb: UsbId | None) -> bool:
    """True where the reader is on the list; False where its USB id is not known."""
    return usb is not None and any(line.covers(usb) for line in lines)
