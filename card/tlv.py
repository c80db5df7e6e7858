"""A strict, bounded reader of BER-TLV (ISO 7816-4 §5.2.2, X.690 §8.1).

Our own, because there is no library to lean on here: cryptography parses X.509 and nothing else,
asn1crypto has had no release since 2022, and a card's files are not pure DER anyway (padding
behind the last object). It reads one level at a time and never recurses, so no input can make it
go deep; lengths are definite and at most three bytes, tags at most three bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from card.errors import CardDataMalformed

PADDING = (0x00, 0xFF)  # neither can begin a data object (ISO 7816-4 §5.2.2.1)
LONGEST = 0xFFFF  # bytes in one value; no card's file is larger
MOST = 256  # data objects on one level

INTEGER, BIT_STRING, OCTET_STRING, OID = 0x02, 0x03, 0x04, 0x06
ENUMERATED, UTF8_STRING, SEQUENCE = 0x0A, 0x0C, 0x30


class _Truncated(Exception):
    """The bytes end inside a data object; `missing` more are needed at least."""

    def __init__(self, missing: int) -> None:
        self.missing = missing


@dataclass(frozen=True)
class Tlv:
    """One data object: tag with all its bytes (0x30, 0x5F20), value, and the whole encoding."""

    tag: int
    value: bytes
    encoded: bytes


def parse(data: bytes, file: str) -> tuple[Tlv, ...]:
    """All data objects on this level; padding behind the last one is ignored.

    Raises CardDataMalformed(file).
    """
    objects: list[Tlv] = []
    position = 0
    while position < len(data) and data[position] not in PADDING:
        try:
            found = _read(data, position, file)
        except _Truncated:
            raise CardDataMalformed(file) from None
        objects.append(found)
        position += len(found.encoded)
        if len(objects) > MOST:
            raise CardDataMalformed(file)
    if any(byte not in PADDING for byte in data[position:]):
        raise CardDataMalformed(file)
    return tuple(objects)


def first(data: bytes, file: str) -> Tlv:
    """The first data object, whatever follows it. Raises CardDataMalformed(file)."""
    try:
        return _read(data, 0, file)
    except _Truncated:
        raise CardDataMalformed(file) from None


def missing(data: bytes, file: str, single: bool = False) -> int | None:
    """How many bytes the file must have beyond `data` to be whole, read from its beginning.

    0: it is whole, because padding begins, or because `single` and the first object is complete.
    None: it may be whole, an object ends where `data` ends. Raises CardDataMalformed(file).
    """
    position = 0
    while position < len(data):
        if data[position] in PADDING:
            return 0
        try:
            position += len(_read(data, position, file).encoded)
        except _Truncated as truncated:
            return truncated.missing
        if single:
            return 0
    return None


def _read(data: bytes, start: int, file: str) -> Tlv:
    """The data object that begins at `start`."""
    position = start

    def take(count: int) -> bytes:
        nonlocal position
        if position + count > len(data):
            raise _Truncated(position + count - len(data))
        position += count
        return data[position - count : position]

    tag = take(1)
    if tag[0] & 0x1F == 0x1F:  # the number follows in base 128
        tag += take(1)
        if tag[1] & 0x80:
            tag += take(1)
        if tag[-1] & 0x80:
            raise CardDataMalformed(file)
    length = take(1)[0]
    if length > 0x80:
        size = length & 0x7F
        if size > 3:
            raise CardDataMalformed(file)
        length = int.from_bytes(take(size), "big")
    elif length == 0x80:  # indefinite
        raise CardDataMalformed(file)
    if length > LONGEST:
        raise CardDataMalformed(file)
    value = take(length)
    return Tlv(int.from_bytes(tag, "big"), value, data[start:position])


class Fields:
    """The components of one SEQUENCE, taken in order; what an extension added stays unread."""

    def __init__(self, value: bytes, file: str) -> None:
        self._objects = parse(value, file)
        self._position = 0
        self._file = file

    def optional(self, *tags: int) -> Tlv | None:
        """The next component if it has one of `tags`, else None and nothing taken."""
        if self._position < len(self._objects) and self._objects[self._position].tag in tags:
            self._position += 1
            return self._objects[self._position - 1]
        return None

    def take(self, *tags: int) -> Tlv:
        """The next component. Raises CardDataMalformed when its tag is not one of `tags`."""
        found = self.optional(*tags)
        if found is None:
            raise CardDataMalformed(self._file)
        return found

    def skip(self) -> None:
        """Pass over the next component, whatever it is."""
        self._position += 1


def integer(value: bytes, file: str) -> int:
    """An INTEGER or ENUMERATED of up to 4 bytes (X.690 §8.3)."""
    if not 1 <= len(value) <= 4:
        raise CardDataMalformed(file)
    return int.from_bytes(value, "big", signed=True)


def named_bits(value: bytes, file: str) -> frozenset[int]:
    """The numbers of the bits that are set in a BIT STRING, the first bit being 0 (X.690 §8.6)."""
    if not value or value[0] > 7 or len(value) > 9 or (value[0] and len(value) == 1):
        raise CardDataMalformed(file)
    count = (len(value) - 1) * 8 - value[0]
    return frozenset(bit for bit in range(count) if value[1 + bit // 8] & (0x80 >> bit % 8))
