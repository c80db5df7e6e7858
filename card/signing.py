"""Signing keys by their certificate: what the card is asked to sign, and whether it did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from card.certificate import strictly
from card.errors import KeyUnsupported, SignatureMismatch
from card.port import Signature

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

# DER of DigestInfo up to the 32 bytes of a SHA-256 digest (RFC 8017 §9.2, note 1).
SHA256_INFO = bytes.fromhex("3031300D060960864801650304020105000420")
RSA_BITS = (2048, 4096)  # smaller keys are not safe, larger ones no card computes


class SigningKey(Protocol):
    """One algorithm with the public half of the card's key."""

    @property
    def mechanism(self) -> int:
        """The PKCS#11 CKM_ number that TokenInfo lists it under."""
        ...

    @property
    def size(self) -> int:
        """The longest answer to PSO, in bytes."""
        ...

    def prepare(self, digest: bytes) -> bytes:
        """The data of PSO COMPUTE DIGITAL SIGNATURE for a SHA-256 digest."""
        ...

    def signature(self, answer: bytes, message: bytes) -> Signature:
        """The card's answer as a signature over `message`. Raises SignatureMismatch."""
        ...


@dataclass(frozen=True)
class Rsa:
    """RS256: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3)."""

    public: RSAPublicKey = field(repr=False)
    mechanism: int = 0x0001  # CKM_RSA_PKCS

    @property
    def size(self) -> int:
        return (self.public.key_size + 7) // 8

    def prepare(self, digest: bytes) -> bytes:
        return SHA256_INFO + digest

    def signature(self, answer: bytes, message: bytes) -> Signature:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            self.public.verify(answer, message, PKCS1v15(), SHA256())
        except InvalidSignature:
            raise SignatureMismatch from None
        return Signature("RS256", answer)


@dataclass(frozen=True)
class P256:
    """ES256: ECDSA on P-256 with SHA-256; the value is R ‖ S, 64 bytes (RFC 7518 §3.4)."""

    public: EllipticCurvePublicKey = field(repr=False)
    mechanism: int = 0x1041  # CKM_ECDSA
    size: int = 72  # a card may answer in DER

    def prepare(self, digest: bytes) -> bytes:
        return digest

    def signature(self, answer: bytes, message: bytes) -> Signature:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import ec, utils
        from cryptography.hazmat.primitives.hashes import SHA256

        raw = len(answer) == 64
        try:
            if raw:
                halves = int.from_bytes(answer[:32], "big"), int.from_bytes(answer[32:], "big")
            else:
                halves = utils.decode_dss_signature(answer)
            der = utils.encode_dss_signature(*halves)
            self.public.verify(der, message, ec.ECDSA(SHA256()))
        except (InvalidSignature, ValueError):
            raise SignatureMismatch from None
        return Signature("ES256", b"".join(half.to_bytes(32, "big") for half in halves))


def signing_key(der: bytes) -> SigningKey:
    """The key of a certificate in DER. Raises KeyUnsupported, CertificateMalformed."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    try:
        with strictly():
            public = x509.load_der_x509_certificate(der).public_key()
    except UnsupportedAlgorithm:
        raise KeyUnsupported from None
    if isinstance(public, rsa.RSAPublicKey) and RSA_BITS[0] <= public.key_size <= RSA_BITS[1]:
        return Rsa(public)
    if isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1):
        return P256(public)
    raise KeyUnsupported
