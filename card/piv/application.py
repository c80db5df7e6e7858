"""The PIV application: selecting it, and reading what a signature needs (NIST SP 800-73-5)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from card import tlv
from card.apdu import SW, Command, Ins
from card.channel import Channel
from card.errors import CardDataMalformed, CardDataMissing, CardRefused
from card.recognition import Kind, applications

(AID,) = applications(Kind.PIV)  # without the version
SELECT = Command(Ins.SELECT, 0x04, 0x00, AID, le=256)
DISCOVERY = b"\x7e"  # part 1 §3.3.2
CERTIFICATE_9A = b"\x5f\xc1\x05"  # X.509 Certificate for PIV Authentication, part 1 §3.1.3
APPLICATION_PIN, GLOBAL_PIN = 0x80, 0x00  # key references, part 1 table 4
LONGEST = 16 * 1024  # bytes of a certificate, unpacked; no certificate comes near


@dataclass(frozen=True)
class Contents:
    """What a signature with key 9A needs; all of it public."""

    pin: int  # the key reference that VERIFY names
    certificate: bytes = field(repr=False)  # DER
    between: tuple[bytes, ...] = ()  # CAs' certificates: PIV has no place for them


def find(channel: Channel) -> bool:
    """Select the PIV application; False where there is none. Raises what Channel.send raises."""
    return channel.send(SELECT).sw == SW.OK


def reselect(channel: Channel) -> None:
    """Select it again; what was verified stays so (part 2 §3.1.1). Raises CardRefused."""
    response = channel.send(SELECT)
    if response.sw != SW.OK:
        raise CardRefused(Ins.SELECT, response.sw)


def read(channel: Channel) -> Contents:
    """Read the selected application.

    Raises CardDataMissing, CardDataMalformed, CardRefused, and what Channel.send raises.
    """
    discovery = _data(channel, DISCOVERY)
    certificate = _data(channel, CERTIFICATE_9A)
    if certificate is None:
        raise CardDataMissing("certificate 9A")
    return Contents(
        pin=APPLICATION_PIN if discovery is None else primary_pin(discovery),
        certificate=certificate_in(certificate),
    )


def primary_pin(discovery: bytes) -> int:
    """Which PIN the holder uses, from the PIN usage policy of the Discovery Object.

    First byte: bit 6 the Global PIN satisfies too; second byte: 20 the Global PIN is the primary
    one (part 1 §3.3.2). Raises CardDataMalformed.
    """
    file = "Discovery Object"
    for template in tlv.parse(discovery, file):
        for entry in tlv.parse(template.value, file):
            if entry.tag == 0x5F2F:
                if len(entry.value) != 2:
                    raise CardDataMalformed(file)
                accepted, primary = entry.value
                return GLOBAL_PIN if accepted & 0x20 and primary == 0x20 else APPLICATION_PIN
    return APPLICATION_PIN


def certificate_in(container: bytes) -> bytes:
    """The DER certificate in a certificate data object, unpacked where it is compressed.

    Raises CardDataMissing, CardDataMalformed.
    """
    file = "certificate 9A"
    content = tlv.first(container, file)
    if content.tag != 0x53:
        raise CardDataMalformed(file)
    fields = {entry.tag: entry.value for entry in tlv.parse(content.value, file)}
    packed = fields.get(0x70, b"")
    if not packed:
        raise CardDataMissing(file)  # an empty container: no certificate was ever written
    compressed = (fields.get(0x71, b"\x00") or b"\x00")[0] & 0x01  # CertInfo, part 1 §3.1.3
    return _unpacked(packed, file) if compressed else packed


def _unpacked(packed: bytes, file: str) -> bytes:
    """gzip (RFC 1952), or zlib as some cards have it; never more than LONGEST bytes."""
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        certificate = unpacker.decompress(packed, LONGEST)
    except zlib.error:
        raise CardDataMalformed(file) from None
    if not unpacker.eof:
        raise CardDataMalformed(file)
    return certificate


def _data(channel: Channel, tag: bytes) -> bytes | None:
    """GET DATA (part 2 §3.1.2); None where the card has no such object."""
    wanted = b"\x5c" + bytes((len(tag),)) + tag
    response = channel.send(Command(Ins.GET_DATA_TLV, 0x3F, 0xFF, wanted, le=256))
    if response.sw in (SW.FILE_NOT_FOUND, SW.REFERENCE_DATA_NOT_FOUND):
        return None
    if response.sw != SW.OK:
        raise CardRefused(Ins.GET_DATA_TLV, response.sw)
    return response.data
