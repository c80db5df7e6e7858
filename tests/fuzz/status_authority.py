"""The authority whose OCSP answers and lists are fuzzed: it signs what the fuzzer makes up.

Otherwise nothing that was made up would come past the check of its signature.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

from card.virtual import der

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SINCE, UNTIL = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
NONCE = b"n" * 32
SERIAL = 0x1234567890
KEY, RESPONDER = (ec.derive_private_key(number, ec.SECP256R1()) for number in (7, 8))
CERTIFICATES = Path(__file__).with_name("revocation.pem")  # by make_corpus.py
SHA256 = ec.ECDSA(hashes.SHA256())
ECDSA_SHA256 = der.sequence(der.oid("1.2.840.10045.4.3.2"))
OCSP_BASIC = der.oid("1.3.6.1.5.5.7.48.1.1")


def certificates() -> list[x509.Certificate]:
    """The authority's own, a card's, and that of a responder which it appointed."""
    return x509.load_pem_x509_certificates(CERTIFICATES.read_bytes())


def signed(content: bytes) -> bytes:
    """A certificate or a list with this part to be signed (RFC 5280 §4.1, §5.1)."""
    return der.sequence(*_parts(content, KEY))


def answer(content: bytes) -> bytes:
    """A successful response with this tbsResponseData (RFC 6960 §4.2.1)."""
    return _response(*_parts(content, KEY))


def appointed(good: bytes, content: bytes) -> bytes:
    """The tbsResponseData `good`, by a responder whose certificate has this tbsCertificate."""
    enclosed = der.context(0, der.sequence(signed(content)))
    return _response(*_parts(good, RESPONDER), enclosed)


def good() -> bytes:
    """tbsResponseData: the card's certificate is good, says whoever has the key RESPONDER."""
    issuer, leaf, responder = certificates()
    builder = ocsp.OCSPResponseBuilder().responder_id(ocsp.OCSPResponderEncoding.HASH, responder)
    status, named_by = ocsp.OCSPCertStatus.GOOD, hashes.SHA1()  # noqa: S303 - no signature
    builder = builder.add_response(leaf, issuer, named_by, status, SINCE, UNTIL, None, None)
    return builder.sign(RESPONDER, hashes.SHA256()).tbs_response_bytes


def _parts(content: bytes, key: ec.EllipticCurvePrivateKey) -> tuple[bytes, ...]:
    return content, ECDSA_SHA256, der.tlv(0x03, b"\x00", key.sign(content, SHA256))


def _response(*parts: bytes) -> bytes:
    basic = der.sequence(OCSP_BASIC, der.octets(der.sequence(*parts)))
    return der.sequence(der.enumerated(0), der.context(0, basic))
