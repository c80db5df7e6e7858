"""OCSP answers and lists of any kind, right and wrong, by an invented authority."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from card.virtual.authority import key_usage

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
NONCE = b"n" * 32
CRL_PLACE = "http://ca.invalid/crl"
GOOD, REVOKED, UNKNOWN = ocsp.OCSPCertStatus


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certify(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: CertificateIssuerPrivateKeyTypes,
    *extensions: x509.ExtensionType,
    begin: datetime = NOW - 24 * HOUR,
    end: datetime = NOW + 24 * HOUR,
    serial: int | None = None,
    algorithm: hashes.HashAlgorithm | None = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    for extension in extensions:
        critical = isinstance(extension, x509.KeyUsage | x509.UnrecognizedExtension)
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, algorithm or hashes.SHA256())


def with_one_bit_changed(data: bytes, *parts: bytes) -> Iterator[bytes]:
    """`data` once for each byte of the `parts` that it holds, with one bit of that byte changed."""
    for part in parts:
        start = data.index(part)
        for place in range(start, start + len(part)):
            changed = bytearray(data)
            changed[place] ^= 1 << place % 8
            yield bytes(changed)


OCSP_SIGNING = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])
CLIENT_AUTH = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
STRANGE = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")


@dataclass
class Ca:
    """`name` with an EC key; `places` are what its certificates name: a responder, a list."""

    name: str = "TEST CA"
    key: ec.EllipticCurvePrivateKey = field(default_factory=ec_key)
    ocsp: Sequence[str] = ("http://ca.invalid/ocsp",)
    crl: Sequence[str] = (CRL_PLACE,)
    may_list: bool = True

    @cached_property
    def certificate(self) -> x509.Certificate:
        return certify(
            self.name,
            self.key,
            self.name,
            self.key,
            x509.BasicConstraints(ca=True, path_length=0),
            key_usage(key_cert_sign=True, crl_sign=self.may_list),
            x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()),
        )

    def issue(self, serial: int | None = None) -> x509.Certificate:
        """A card's certificate."""
        extensions: list[x509.ExtensionType] = []
        if self.ocsp:
            extensions.append(
                x509.AuthorityInformationAccess(
                    x509.AccessDescription(
                        AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url)
                    )
                    for url in self.ocsp
                )
            )
        if self.crl:
            extensions.append(
                x509.CRLDistributionPoints(
                    x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
                    for url in self.crl
                )
            )
        return certify("測試員甲", ec_key(), self.name, self.key, *extensions, serial=serial)

    def appoint(
        self, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType, **dates: datetime
    ) -> x509.Certificate:
        """A responder's certificate; with OCSP_SIGNING where nothing else is said."""
        return certify(
            "TEST OCSP", key, self.name, self.key, *(extensions or (OCSP_SIGNING,)), **dates
        )


@dataclass
class Reply:
    """One OCSP response; every default makes a good one. `signer` None: the CA itself."""

    ca: Ca
    leaf: x509.Certificate
    status: ocsp.OCSPCertStatus = GOOD
    since: datetime = NOW - HOUR
    until: datetime | None = NOW + HOUR
    nonce: bytes | None = NONCE
    reason: x509.ReasonFlags | None = None
    revoked: datetime = NOW - 72 * HOUR
    signer: tuple[ec.EllipticCurvePrivateKey, x509.Certificate] | None = None
    encloses: bool = True
    by: ocsp.OCSPResponderEncoding = ocsp.OCSPResponderEncoding.NAME
    hash: hashes.HashAlgorithm = field(default_factory=hashes.SHA256)
    names_by: hashes.HashAlgorithm = field(default_factory=hashes.SHA1)
    extra: x509.ExtensionType | None = None

    def der(self) -> bytes:
        key, certificate = self.signer or (self.ca.key, self.ca.certificate)
        is_revoked = self.status is REVOKED
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response(
                self.leaf,
                self.ca.certificate,
                self.names_by,
                self.status,
                self.since,
                self.until,
                self.revoked if is_revoked else None,
                self.reason if is_revoked else None,
            )
            .responder_id(self.by, certificate)
        )
        if self.signer and self.encloses:
            builder = builder.certificates([certificate])
        if self.nonce is not None:
            builder = builder.add_extension(x509.OCSPNonce(self.nonce), critical=False)
        if self.extra is not None:
            builder = builder.add_extension(self.extra, critical=True)
        return builder.sign(key, self.hash).public_bytes(Encoding.DER)


@dataclass
class Listing:
    """One CRL; every default makes a good and empty one."""

    ca: Ca
    revoked: Sequence[tuple[int, x509.ReasonFlags | None]] = ()
    since: datetime = NOW - HOUR
    until: datetime = NOW + HOUR
    issuer: str | None = None
    key: ec.EllipticCurvePrivateKey | None = None
    hash: hashes.HashAlgorithm = field(default_factory=hashes.SHA256)
    extensions: Sequence[x509.ExtensionType] = ()

    def der(self) -> bytes:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(name(self.issuer or self.ca.name))
            .last_update(self.since)
            .next_update(self.until)
            .add_extension(x509.CRLNumber(7), critical=False)
        )
        for extension in self.extensions:
            builder = builder.add_extension(
                extension, critical=not isinstance(extension, x509.AuthorityKeyIdentifier)
            )
        for serial, reason in self.revoked:
            entry = (
                x509.RevokedCertificateBuilder()
                .serial_number(serial)
                .revocation_date(NOW - 72 * HOUR)
            )
            if reason is not None:
                entry = entry.add_extension(x509.CRLReason(reason), critical=False)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key or self.ca.key, self.hash).public_bytes(Encoding.DER)
