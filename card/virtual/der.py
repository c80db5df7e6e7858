"""DER encoding, as much of it as a PKCS#15 application needs (X.690 §8, §10)."""

from __future__ import annotations

NULL = b"\x05\x00"
TRUE = b"\x01\x01\xff"


def length(size: int) -> bytes:
    """A definite length in its shortest form (X.690 §10.1)."""
    if size < 0x80:
        return bytes((size,))
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets


def tlv(tag: int, *parts: bytes) -> bytes:
    """One data object: a one-byte tag, its length, and the parts as its value."""
    value = b"".join(parts)
    return bytes((tag,)) + length(len(value)) + value


def sequence(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def set_of(*parts: bytes) -> bytes:
    return tlv(0x31, *sorted(parts))


def context(number: int, *parts: bytes) -> bytes:
    """A constructed context-specific tag [number], number below 31."""
    return tlv(0xA0 | number, *parts)


def integer(value: int, tag: int = 0x02) -> bytes:
    """A non-negative INTEGER; `tag` for an implicit tag or ENUMERATED."""
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def enumerated(value: int) -> bytes:
    return integer(value, tag=0x0A)


def octets(value: bytes) -> bytes:
    return tlv(0x04, value)


def utf8(text: str, tag: int = 0x0C) -> bytes:
    return tlv(tag, text.encode())


def named_bits(*numbers: int) -> bytes:
    """A BIT STRING of named bits: trailing zero bits are cut off (X.690 §11.2.2)."""
    if not numbers:
        return tlv(0x03, b"\x00")
    size = max(numbers) + 1
    unused = -size % 8
    value = sum(1 << (size + unused - 1 - number) for number in set(numbers))
    return tlv(0x03, bytes((unused,)), value.to_bytes((size + unused) // 8, "big"))


def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER (X.690 §8.19)."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    value = bytearray()
    for arc in (first * 40 + second, *rest):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(0x80 | arc & 0x7F)
        value += bytes(reversed(septets))
    return tlv(0x06, bytes(value))
