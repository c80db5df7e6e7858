"""An invented authority and its cards, for tests of the network side: no reader, no PIN."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from client.port import Service, Verification, idempotency_key, signed_message
from client.purpose import Purpose

SUBJECT_TYPE = bytes.fromhex("060760867601640201")  # 2.16.886.1.100.2.1
HPC = bytes.fromhex("06086086760164030107")
HOP = bytes.fromhex("06086086760164030215")
MOICA = bytes.fromhex("06086086760164030101")
DAY = timedelta(days=1)

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def key_usage(*, digital_signature: bool) -> x509.KeyUsage:
    return x509.KeyUsage(digital_signature, not digital_signature, *[False] * 7)


def subject_type(kind: bytes) -> x509.UnrecognizedExtension:
    """subjectDirectoryAttributes with one attribute, as in the certificates of HCA cards."""
    attribute = _tlv(0x30, SUBJECT_TYPE + _tlv(0x31, kind))
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.9"), _tlv(0x30, attribute))


def _tlv(tag: int, content: bytes) -> bytes:
    assert len(content) < 0x80
    return bytes((tag, len(content))) + content


@dataclass
class InventedCard:
    key: PrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def sign(self, message: bytes) -> bytes:
        """RS256, as the cards of today."""
        assert isinstance(self.key, rsa.RSAPrivateKey)
        return self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())

    def prove(self, service: Service, purpose: Purpose, account: str | None = None) -> Verification:
        """Fetch a challenge, sign it and have it verified."""
        challenge = service.challenge(purpose, account)
        signature = self.sign(signed_message(service.origin, challenge.nonce))
        return service.verify(challenge, self.der, "RS256", signature, idempotency_key())


@dataclass
class Authority:
    """A card authority that says TEST; certificates last from yesterday for a hundred days."""

    key: PrivateKey = field(default_factory=rsa_key)
    begin: datetime = field(default_factory=lambda: datetime.now(UTC) - DAY)
    end: datetime = field(default_factory=lambda: datetime.now(UTC) + 100 * DAY)

    def __post_init__(self) -> None:
        self.name = x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "TW"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "TEST"),
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "醫事憑證管理中心 TEST"),
            ]
        )
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(self.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.begin)
            .not_valid_after(self.end)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(
        self,
        holder: str = "測試員甲",
        *,
        key: PrivateKey | None = None,
        kind: bytes | None = HPC,
        usage: x509.KeyUsage | None = key_usage(digital_signature=True),  # noqa: B008 - frozen
        extended: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.CLIENT_AUTH,
        policy: str | None = None,
        begin: datetime | None = None,
        end: datetime | None = None,
    ) -> InventedCard:
        key = key or rsa_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, holder)]))
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin or self.begin)
            .not_valid_after(end or self.end)
        )
        if kind is not None:
            builder = builder.add_extension(subject_type(kind), critical=False)
        if usage is not None:
            builder = builder.add_extension(usage, critical=True)
        if extended is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([extended]), critical=False)
        if policy is not None:
            information = x509.PolicyInformation(x509.ObjectIdentifier(policy), None)
            builder = builder.add_extension(x509.CertificatePolicies([information]), critical=False)
        return InventedCard(key, builder.sign(self.key, hashes.SHA256()))


def account_fields(account: str) -> dict[str, str | bytearray]:
    """The sandbox's form, filled in for an obviously invented person."""
    return {
        "account": account,
        "password": bytearray(b'correct"horse\\battery'),
        "name": "王測試",
        "institution": "0000000000",
        "title": "nurse",
        "email": "wang.test@example.org",
        "phone": "02-0000-0000#12",
        "consent": "true",
    }
