"""What OCSP answers and lists have in common: signatures, times, and the word on a certificate."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import SignatureAlgorithmOID

from client.errors import (
    CertificateOnHold,
    CertificateRevoked,
    RevocationError,
    RevocationStale,
    RevocationUnsupported,
)

SKEW = timedelta(minutes=5)  # that this computer's clock may be wrong by
UNREADABLE = (
    ValueError,
    TypeError,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
SAFE = frozenset(
    {
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
        SignatureAlgorithmOID.RSA_WITH_SHA512,
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
    }
)
Kind = TypeVar("Kind", bound=x509.ExtensionType)


def refuse_weak(algorithm: x509.ObjectIdentifier, host: str) -> None:
    """Raises RevocationUnsupported for a signature algorithm that is not of today."""
    if algorithm not in SAFE:
        raise RevocationUnsupported(host)


def signed(
    key: PublicKeyTypes, signature: bytes, data: bytes, algorithm: hashes.HashAlgorithm
) -> bool:
    """RSASSA-PKCS1-v1_5 or ECDSA; False for a key of another kind."""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(algorithm))
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def extension(extensions: x509.Extensions, kind: type[Kind]) -> Kind | None:
    """The value of the extension of this kind; None where there is none."""
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def strange(extensions: x509.Extensions) -> bool:
    """There is a critical extension that nobody here knows (RFC 5280 §4.2, §5.2)."""
    return any(e.critical and isinstance(e.value, x509.UnrecognizedExtension) for e in extensions)


def refuse_strange(extensions: x509.Extensions, host: str) -> None:
    """Raises RevocationUnsupported for a critical extension that nobody here knows."""
    if strange(extensions):
        raise RevocationUnsupported(host)


def covers(since: datetime, until: datetime, now: datetime) -> bool:
    """`now` lies between the two, by a clock that may be wrong by SKEW.

    Only `now` is moved: 99991231235959Z, which stands for "never" (RFC 5280 §4.1.2.5), has no
    five minutes after it.
    """
    return since <= now + SKEW and now - SKEW <= until


def refuse_stale(since: datetime, until: datetime, now: datetime, host: str) -> None:
    """Raises RevocationStale outside thisUpdate to nextUpdate (RFC 6960 §4.2.2.1), all UTC."""
    if not covers(since, until, now):
        raise RevocationStale(host)


def revoked(since: datetime, reason: x509.ReasonFlags | None) -> RevocationError:
    """What to raise for a certificate that was revoked."""
    day = since.date().isoformat()
    if reason is x509.ReasonFlags.certificate_hold:
        return CertificateOnHold(day)
    return CertificateRevoked(day, None if reason is None else reason.value)
