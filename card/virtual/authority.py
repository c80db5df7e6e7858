"""The test CA: it issues certificates shaped like an HCA's, and says TEST in every name."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from card.errors import ProfileInvalid
from card.port import CardCategory
from card.virtual import der, register
from card.virtual.profile import CertificateProfile, KeyProfile, KeyType, Profile

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

SUBJECT_DIRECTORY_ATTRIBUTES = "2.5.29.9"
SUBJECT_TYPE = "2.16.886.1.100.2.1"  # the attribute in subjectDirectoryAttributes
SUBJECT_TYPES = {
    CardCategory.HPC: "2.16.886.1.100.3.1.7",
    CardCategory.HOP: "2.16.886.1.100.3.2.21",
    CardCategory.NATURAL_PERSON: "2.16.886.1.100.3.1.1",
    CardCategory.OTHER: "2.16.886.1.100.3.1.99",  # no type that HCA issues
}
CA_DAYS = 40 * 365
FILE = "test-authority.pem"  # the issuing CA's key, its certificate, the root's certificate


@dataclass(frozen=True)
class Issued:
    """A card's key and its certificate; `certificate` is what the card holds, malformed or not."""

    key: RSAPrivateKey | EllipticCurvePrivateKey
    certificate: bytes

    def sign(self, data: bytes) -> bytes | None:
        """PSO:CDS: RSA pads `data` by PKCS#1 v1.5 as it is, ECDSA takes a 32-byte digest.

        None where the key cannot sign data of this length.
        """
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

        if isinstance(self.key, rsa.RSAPrivateKey):
            if not 0 < len(data) <= self.key.key_size // 8 - 11:  # RFC 8017 §9.2
                return None
            return self.key.sign(data, padding.PKCS1v15(), utils.NoDigestInfo())
        if len(data) != hashes.SHA256.digest_size:
            return None
        signature = self.key.sign(data, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        r, s = utils.decode_dss_signature(signature)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@dataclass(frozen=True, eq=False)
class Authority:
    """A root, and the issuing CA below it; the root's key is thrown away at once.

    `directory`: where it keeps a register of what it issues. `responder`: the http:// address
    that its certificates name, with /ocsp and /crl, for those who ask whether they were revoked.
    """

    key: RSAPrivateKey
    issuing: x509.Certificate
    root: x509.Certificate
    directory: Path | None = None
    responder: str | None = None

    @staticmethod
    def create() -> Authority:
        """A new test CA, in memory only. Takes two RSA key generations."""
        root_key, key = _rsa_key(), _rsa_key()
        root_name = _name(organisation="行政院 (TEST 測試)", common_name="TEST Root 測試根憑證")
        issuing_name = _name(
            organisation="行政院 (TEST 測試)",
            unit="醫事憑證管理中心",
            common_name="TEST HCA 測試用憑證，不具效力",
        )
        return Authority(
            key,
            issuing=_ca_certificate(issuing_name, key, root_name, root_key, path_length=0),
            root=_ca_certificate(root_name, root_key, root_name, root_key, path_length=1),
        )

    @staticmethod
    def load_or_create(directory: Path, responder: str | None = None) -> Authority:
        """The test CA kept in `directory`, made there by the first of any number of processes.

        The file holds a private key and is for its owner alone (mode 0600).
        Raises ProfileInvalid("authority") where it cannot be read or written.
        """
        file = directory / FILE
        try:
            if not file.exists():
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                _publish(file, Authority.create()._pem())
            loaded = Authority._parse(file.read_bytes())
        except (OSError, ValueError) as error:
            raise ProfileInvalid("authority") from error
        return replace(loaded, directory=directory, responder=responder)

    @staticmethod
    def _parse(pem: bytes) -> Authority:
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        key = load_pem_private_key(pem, password=None)
        issuing, root = x509.load_pem_x509_certificates(pem)
        if not isinstance(key, RSAPrivateKey):
            raise ValueError("not an RSA key")
        return Authority(key, issuing, root)

    def _pem(self) -> bytes:
        from cryptography.hazmat.primitives import serialization

        key = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return key + self.chain_pem

    @property
    def root_pem(self) -> bytes:
        """The root's certificate: the trust anchor."""
        from cryptography.hazmat.primitives.serialization import Encoding

        return self.root.public_bytes(Encoding.PEM)

    @property
    def issuing_pem(self) -> bytes:
        """The issuing CA's certificate, which a Web eID token leaves out."""
        from cryptography.hazmat.primitives.serialization import Encoding

        return self.issuing.public_bytes(Encoding.PEM)

    @property
    def chain_pem(self) -> bytes:
        """The issuing CA's certificate, then the root's."""
        return self.issuing_pem + self.root_pem

    @property
    def issuing_der(self) -> bytes:
        from cryptography.hazmat.primitives.serialization import Encoding

        return self.issuing.public_bytes(Encoding.DER)

    def issue(self, profile: Profile) -> Issued:
        """A new key and its certificate, as `profile` wants them. Raises ProfileInvalid."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.serialization import Encoding
        from cryptography.x509.oid import ExtendedKeyUsageOID

        wanted = profile.certificate
        key = _card_key(profile.key)
        not_before, not_after = wanted.validity()
        builder = (
            x509.CertificateBuilder()
            .subject_name(
                _name(organisation="TEST 測試", common_name=wanted.holder, serial=profile.serial)
            )
            .issuer_name(self.issuing.subject)
            .public_key(key.public_key())
            .serial_number(secrets.randbits(127) | 1)
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_leaf_usage(wanted), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False
            )
        )
        if wanted.category is not None:
            builder = builder.add_extension(_subject_type(wanted.category), critical=False)
        if wanted.client_auth:
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
            builder = builder.add_extension(usage, critical=False)
        for extension in _places(self.responder):
            builder = builder.add_extension(extension, critical=False)
        signed = builder.sign(self.key, hashes.SHA256())
        if self.directory is not None:
            try:
                register.enter(self.directory, signed, wanted.status)
            except OSError as error:
                raise ProfileInvalid("authority") from error
        certificate = signed.public_bytes(Encoding.DER)
        return Issued(key, _loosen(certificate) if wanted.malformed else certificate)


def _rsa_key(size: int = 2048) -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=size)


def _card_key(profile: KeyProfile) -> RSAPrivateKey | EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    if profile.type is KeyType.EC:
        return ec.generate_private_key(ec.SECP256R1())
    return _rsa_key(profile.size)


def _publish(file: Path, content: bytes) -> None:
    """Put the file in place whole, unless another process was faster; its content stands then."""
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink()


def _name(
    organisation: str, common_name: str, unit: str | None = None, serial: str | None = None
) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    parts = (
        (NameOID.COUNTRY_NAME, "TW"),
        (NameOID.ORGANIZATION_NAME, organisation),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
        (NameOID.COMMON_NAME, common_name),
        (NameOID.SERIAL_NUMBER, serial),
    )
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in parts if text is not None])


def _ca_certificate(
    subject: x509.Name,
    key: RSAPrivateKey,
    issuer: x509.Name,
    issuer_key: RSAPrivateKey,
    path_length: int,
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(secrets.randbits(127) | 1)
        .not_valid_before(today - timedelta(days=CA_DAYS))  # older than any card it issues
        .not_valid_after(today + timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )


def _leaf_usage(wanted: CertificateProfile) -> x509.KeyUsage:
    if wanted.digital_signature:
        return key_usage(digital_signature=True)
    return key_usage(key_encipherment=True)


def key_usage(**bits: bool) -> x509.KeyUsage:
    """With these bits alone (RFC 5280 §4.2.1.3), named as `x509.KeyUsage` names them."""
    from cryptography import x509

    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: bits.get(name, False) for name in names})


def _places(
    responder: str | None,
) -> tuple[x509.AuthorityInformationAccess, x509.CRLDistributionPoints] | tuple[()]:
    """Where to ask whether a certificate was revoked (RFC 5280 §4.2.1.13, §4.2.2.1)."""
    from cryptography import x509
    from cryptography.x509.oid import AuthorityInformationAccessOID

    if responder is None:
        return ()
    ocsp, crl = (x509.UniformResourceIdentifier(f"{responder}/{way}") for way in ("ocsp", "crl"))
    access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, ocsp)
    point = x509.DistributionPoint([crl], relative_name=None, reasons=None, crl_issuer=None)
    return x509.AuthorityInformationAccess([access]), x509.CRLDistributionPoints([point])


def _subject_type(category: CardCategory) -> x509.UnrecognizedExtension:
    """subjectDirectoryAttributes (RFC 5280 §4.2.1.8) with the card's category."""
    from cryptography import x509

    value = der.set_of(der.oid(SUBJECT_TYPES[category]))
    attributes = der.sequence(der.sequence(der.oid(SUBJECT_TYPE), value))
    return x509.UnrecognizedExtension(
        x509.ObjectIdentifier(SUBJECT_DIRECTORY_ATTRIBUTES), attributes
    )


def _loosen(certificate: bytes) -> bytes:
    """The same certificate with one length octet too many: BER (X.690 §8.1.3), not DER."""
    size = len(certificate) - 4  # 30 82 xx xx: every certificate is longer than 255 bytes
    return b"\x30\x83" + size.to_bytes(3, "big") + certificate[4:]
