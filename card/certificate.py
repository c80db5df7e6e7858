"""The signing certificate: who holds the card, what kind of card it is, whether it is usable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from card import tlv
from card.errors import (
    CardDataMalformed,
    CertificateExpired,
    CertificateMalformed,
    CertificateNotYetValid,
    CertificateUsage,
)
from card.port import CardCategory, HolderCertificate
from card.recognition import by_subject_type
from card.text import clean

if TYPE_CHECKING:
    from cryptography import x509

NAME_COLUMNS = 40
# The contents of the OID 2.16.886.1.100.2.1, as they stand in the certificate (GRCA profile).
SUBJECT_TYPE = bytes.fromhex("60867601640201")
SUBJECT_DIRECTORY_ATTRIBUTES = "2.5.29.9"  # RFC 5280 §4.2.1.8


@contextmanager
def strictly() -> Iterator[None]:
    """What cryptography cannot read becomes CertificateMalformed.

    It is strict about DER; some real government certificates are not, and this error is how they
    show. It reads names and extensions when they are asked for, and then finds some of what is
    wrong with them in Python, as a TypeError: a name's attribute of a kind that it must not have.
    """
    from cryptography import x509

    try:
        yield
    except (
        ValueError,
        TypeError,
        x509.DuplicateExtension,
        x509.InvalidVersion,
        x509.UnsupportedGeneralNameType,
    ):
        raise CertificateMalformed from None


def read(der: bytes) -> HolderCertificate:
    """What the wizard shows of a certificate. Raises CertificateMalformed."""
    from cryptography.x509.oid import NameOID

    certificate = load(der)
    with strictly():
        subject, issuer = certificate.subject, certificate.issuer
        holder = _name(subject, NameOID.COMMON_NAME) or _name(subject, NameOID.ORGANIZATION_NAME)
        return HolderCertificate(
            der=der,
            holder=holder,
            issuer=_name(issuer, NameOID.ORGANIZATIONAL_UNIT_NAME)
            or _name(issuer, NameOID.COMMON_NAME),
            category=_category(certificate),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
        )


def check(certificate: HolderCertificate, now: datetime) -> None:
    """Whether the certificate may sign for its holder today; `now` in UTC.

    Raises CertificateExpired, CertificateNotYetValid, CertificateUsage, CertificateMalformed.
    """
    from cryptography import x509

    if now > certificate.not_after:
        raise CertificateExpired(certificate.not_after.date().isoformat())
    if now < certificate.not_before:
        raise CertificateNotYetValid(certificate.not_before.date().isoformat())
    try:
        with strictly():
            usage = load(certificate.der).extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return  # RFC 5280 §4.2.1.3: without the extension every use is allowed
    if not usage.digital_signature:
        raise CertificateUsage


def load(der: bytes) -> x509.Certificate:
    """Raises CertificateMalformed."""
    from cryptography import x509

    with strictly():
        return x509.load_der_x509_certificate(der)


def _name(name: x509.Name, kind: x509.ObjectIdentifier) -> str:
    """The last, most particular, attribute of this kind; empty when there is none."""
    found = name.get_attributes_for_oid(kind)
    value = found[-1].value if found else ""
    return clean(value if isinstance(value, str) else "", NAME_COLUMNS)


def _category(certificate: x509.Certificate) -> CardCategory:
    """From subjectDirectoryAttributes; OTHER where there is no subject type that HCA uses."""
    from cryptography import x509

    try:
        extension = certificate.extensions.get_extension_for_oid(
            x509.ObjectIdentifier(SUBJECT_DIRECTORY_ATTRIBUTES)
        )
    except x509.ExtensionNotFound:
        return CardCategory.OTHER
    if not isinstance(extension.value, x509.UnrecognizedExtension):
        raise CertificateMalformed
    try:
        return _subject_type(extension.value.value)
    except CardDataMalformed:
        raise CertificateMalformed from None


def _subject_type(encoded: bytes) -> CardCategory:
    """From the attributes' DER. Raises CardDataMalformed, ValueError."""
    file = "certificate"
    for attributes in tlv.parse(encoded, file):
        for attribute in tlv.parse(attributes.value, file):
            kind, values = tlv.parse(attribute.value, file)[:2]
            if kind.value == SUBJECT_TYPE:
                types = [value.value for value in tlv.parse(values.value, file)]
                named = by_subject_type(types[0]) if types else None
                return CardCategory(named) if named else CardCategory.OTHER
    return CardCategory.OTHER
