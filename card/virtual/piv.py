"""The virtual card's PIV application (NIST SP 800-73-5 part 2), as much as a sign-in needs."""

from __future__ import annotations

import gzip

from card.virtual import der
from card.virtual.authority import Issued
from card.virtual.profile import Profile

AID = bytes.fromhex("A000000308000010000100")  # part 1 §2.2, version 1.0
SHORTEST = 9  # bytes of it that a SELECT may leave it at
APPLICATION_PIN, GLOBAL_PIN = 0x80, 0x00
KEY = 0x9A
RSA_2048, P256 = 0x07, 0x11
PIN_SIZE = 8
# Application property template (part 2 §3.1.1): PIX with version, and the coexistent tag.
PROPERTIES = der.tlv(
    0x61, der.tlv(0x4F, AID[5:]), der.tlv(0x79, der.tlv(0x4F, AID[:5])), der.utf8("PIV", tag=0x50)
)


def padded(pin: bytes) -> bytes:
    """The data of VERIFY (part 2 §2.4.3)."""
    return pin.ljust(PIN_SIZE, b"\xff")


def reference(profile: Profile) -> int:
    """The PIN's key reference, VERIFY's P2."""
    return GLOBAL_PIN if profile.pin.shared else APPLICATION_PIN


def objects(profile: Profile, issued: Issued) -> dict[bytes, bytes]:
    """The data objects by their tags: discovery, CHUID, certificate 9A (part 1 §3, appendix A)."""
    policy = b"\x60\x20" if profile.pin.shared else b"\x40\x10"
    discovery = der.tlv(0x7E, der.tlv(0x4F, AID), b"\x5f\x2f\x02" + policy)
    certificate = issued.certificate
    compressed = profile.certificate.compressed
    if compressed:
        certificate = gzip.compress(certificate)
    return {
        b"\x7e": discovery,
        b"\x5f\xc1\x02": der.tlv(0x53, _chuid(profile)),
        b"\x5f\xc1\x05": der.tlv(
            0x53,
            der.tlv(0x70, certificate),
            der.tlv(0x71, b"\x01" if compressed else b"\x00"),
            der.tlv(0xFE),
        ),
    }


def _chuid(profile: Profile) -> bytes:
    """Card Holder Unique Identifier: no FASC-N of any agency, a GUID made of the serial number."""
    identifier = profile.serial.encode()[-16:].rjust(16, b"\x00")
    return b"".join(
        (
            der.tlv(0x30, b"\xd4\xe7\x39" + bytes(22)),
            der.tlv(0x34, identifier),
            der.tlv(0x35, b"20991231"),
            der.tlv(0x3E),
            der.tlv(0xFE),
        )
    )


def asked_for(data: bytes) -> bytes:
    """The tag that GET DATA's tag list names; empty where there is none."""
    return data[2:] if data[:1] == b"\x5c" and data[1:2] == bytes((len(data) - 2,)) else b""


def challenge(data: bytes) -> bytes | None:
    """What a dynamic authentication template wants to be signed (part 2 table 7): 7C {82, 81}."""
    content = _value(data, 0x7C)
    if content is None or content[:2] != b"\x82\x00":
        return None
    return _value(content[2:], 0x81)


def response(signature: bytes) -> bytes:
    return der.tlv(0x7C, der.tlv(0x82, signature))


def sign(issued: Issued, algorithm: int, block: bytes) -> bytes | None:
    """The key over a block as it is: raw RSA, or ECDSA of a digest in DER; None where refused."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils

    key = issued.key
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.private_numbers()
        modulus = numbers.public_numbers.n
        number = int.from_bytes(block, "big")
        size = key.key_size // 8
        if algorithm != RSA_2048 or len(block) != size or number >= modulus:
            return None
        first = pow(number, numbers.dmp1, numbers.p)
        second = pow(number, numbers.dmq1, numbers.q)  # RFC 8017 §5.1.2, 2b: a third of the time
        height = (first - second) * numbers.iqmp % numbers.p
        return (second + numbers.q * height).to_bytes(size, "big")
    if algorithm != P256 or len(block) != hashes.SHA256.digest_size:
        return None
    return key.sign(block, ec.ECDSA(utils.Prehashed(hashes.SHA256())))


def _value(data: bytes, tag: int) -> bytes | None:
    """The value of the one data object that `data` is; None where it is not that."""
    if len(data) < 2 or data[0] != tag:
        return None
    count = data[1] & 0x7F if data[1] & 0x80 else 0
    size = int.from_bytes(data[2 : 2 + count], "big") if count else data[1]
    value = data[2 + count :]
    return value if len(value) == size else None
