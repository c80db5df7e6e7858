"""The answer to reset: its historical bytes and what they say the card can do (ISO 7816-3 §8.2)."""

from __future__ import annotations

from dataclasses import dataclass


def historical_bytes(atr: bytes) -> bytes:
    """The historical bytes; empty when there are none or the ATR is cut short."""
    if len(atr) < 2:
        return b""
    count = atr[1] & 0xF
    indicators = atr[1] >> 4
    position = 2
    while True:
        position += (indicators & 0b0111).bit_count()  # TA, TB, TC
        if not indicators & 0b1000:
            break
        if position >= len(atr):
            return b""
        indicators = atr[position] >> 4  # TD names the next group
        position += 1
    found = atr[position : position + count]
    return found if len(found) == count else b""


@dataclass(frozen=True)
class Capabilities:
    """The card capabilities, as far as they are used here; nothing declared is nothing assumed."""

    short_file_ids: bool = False
    extended_length: bool = False


def capabilities(atr: bytes) -> Capabilities:
    """Read from the historical bytes' COMPACT-TLV object '7Y' (ISO 7816-4 §8.1.1.2.7)."""
    historical = historical_bytes(atr)
    if not historical or historical[0] not in (0x00, 0x80):
        return Capabilities()
    # Category 00 ends in three status bytes that are not COMPACT-TLV.
    objects = historical[1:-3] if historical[0] == 0x00 else historical[1:]
    while objects:
        tag, length = objects[0] >> 4, objects[0] & 0xF
        value, objects = objects[1 : 1 + length], objects[1 + length :]
        if tag == 7 and len(value) == length:
            third = value[2] if length == 3 else 0
            return Capabilities(
                short_file_ids=bool(value and value[0] & 0x04),
                extended_length=bool(third & 0x40),
            )
    return Capabilities()
