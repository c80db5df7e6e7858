"""Whom and what a card's certificate names, as the sandbox reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from client.text import clean

if TYPE_CHECKING:
    from cryptography import x509

SUBJECT_DIRECTORY_ATTRIBUTES = "2.5.29.9"  # RFC 5280 §4.2.1.8
SUBJECT_TYPE = bytes.fromhex("0607 6086 7601 6402 01")  # 2.16.886.1.100.2.1, as DER
KINDS = {
    bytes.fromhex("0608 6086 7601 6403 0107"): "HPC",  # 2.16.886.1.100.3.1.7
    bytes.fromhex("0608 6086 7601 6403 0215"): "HOP",  # 2.16.886.1.100.3.2.21
    bytes.fromhex("0608 6086 7601 6403 0101"): "MOICA",  # 2.16.886.1.100.3.1.1
}


@dataclass(frozen=True)
class Holder:
    """`card` is the SHA-256 of the certificate in hex: what a binding is tied to."""

    name: str
    category: str
    card: str

    @property
    def short_card(self) -> str:
        return short(self.card)


def short(card: str) -> str:
    """The short card number: the fingerprint's last eight hex digits, as XXXX-XXXX."""
    tail = card[-8:].upper()
    return f"{tail[:4]}-{tail[4:]}"


def read_holder(certificate: x509.Certificate) -> Holder:
    """Holder, category (OTHER where the certificate does not say) and card."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import NameOID

    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = clean(str(names[0].value), 100) if names else ""
    return Holder(name, _category(certificate), certificate.fingerprint(SHA256()).hex())


def _category(certificate: x509.Certificate) -> str:
    from cryptography import x509

    for extension in certificate.extensions:
        if extension.oid.dotted_string == SUBJECT_DIRECTORY_ATTRIBUTES and isinstance(
            extension.value, x509.UnrecognizedExtension
        ):
            for attribute in _members(next(_members(extension.value.value), b"")):
                if attribute.startswith(SUBJECT_TYPE):
                    values = next(_members(attribute[len(SUBJECT_TYPE) :]), b"")
                    return KINDS.get(values, "OTHER")
    return "OTHER"


def _members(der: bytes) -> Iterator[bytes]:
    """The contents of each DER element in `der`, one after the other; stops at malformed data."""
    at = 0
    while at + 2 <= len(der):
        length, start = der[at + 1], at + 2
        if length >= 0x80:
            size = length & 0x7F
            length, start = int.from_bytes(der[start : start + size]), start + size
        if start + length > len(der):
            return
        yield der[start : start + length]
        at = start + length
