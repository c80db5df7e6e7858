"""OCSP (RFC 6960): what is asked, and whether the answer can be relied upon."""

from __future__ import annotations

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from client.errors import (
    CertificateUnknown,
    ResponderUnavailable,
    RevocationError,
    RevocationForged,
    RevocationMalformed,
    RevocationUnsupported,
)
from client.revocation.judgement import (
    SAFE,
    UNREADABLE,
    covers,
    extension,
    refuse_stale,
    refuse_strange,
    refuse_weak,
    revoked,
    signed,
    strange,
)

UNDATED = timedelta(hours=1)  # how old an answer without nextUpdate and without our nonce may be
# What a responder says instead of an answer, unsigned (RFC 6960 §4.2.1, RFC 5019 §2.2.3). None of
# it is ever good news, so a stranger who says it in its place can only delay the person.
INSTEAD: dict[ocsp.OCSPResponseStatus, type[RevocationError]] = {
    ocsp.OCSPResponseStatus.TRY_LATER: ResponderUnavailable,
    ocsp.OCSPResponseStatus.INTERNAL_ERROR: ResponderUnavailable,
    ocsp.OCSPResponseStatus.UNAUTHORIZED: CertificateUnknown,
    ocsp.OCSPResponseStatus.MALFORMED_REQUEST: RevocationUnsupported,
    ocsp.OCSPResponseStatus.SIG_REQUIRED: RevocationUnsupported,
}


def places(leaf: x509.Certificate) -> tuple[str, ...]:
    """The responders in authorityInfoAccess (RFC 5280 §4.2.2.1); none where it has no such."""
    try:
        access = extension(leaf.extensions, x509.AuthorityInformationAccess) or ()
    except UNREADABLE:
        return ()
    return tuple(
        way.access_location.value
        for way in access
        if way.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(way.access_location, x509.UniformResourceIdentifier)
    )


def request(leaf: x509.Certificate, issuer: x509.Certificate, nonce: bytes) -> ocsp.OCSPRequest:
    """A request for this one certificate, unsigned.

    SHA-1 names the issuer here and protects nothing; it is what every responder knows
    (RFC 5019 §2.1.1).
    """
    return (
        ocsp.OCSPRequestBuilder()
        .add_certificate(leaf, issuer, hashes.SHA1())  # noqa: S303
        .add_extension(x509.OCSPNonce(nonce), critical=False)
        .build()
    )


def encoded(asked: ocsp.OCSPRequest) -> bytes:
    """The request in DER."""
    return asked.public_bytes(Encoding.DER)


def judge(
    data: bytes, asked: ocsp.OCSPRequest, issuer: x509.Certificate, now: datetime, host: str
) -> datetime:
    """Until when the answer in `data` says "good"; `now` and the result in UTC.

    An answer without nextUpdate says so of the moment alone. Raises RevocationError, also for
    every answer that is not the issuer's word on what was asked (RFC 6960 §3.2).
    """
    try:
        response = ocsp.load_der_ocsp_response(data)
        if response.response_status in INSTEAD:
            raise INSTEAD[response.response_status](host)
        refuse_strange(response.extensions, host)
        answer = _matching(response, asked, host)
        _check_signature(response, issuer, now, host)
        fresh = _nonce_back(response, asked, host)
        since = answer.this_update_utc
        until = answer.next_update_utc or (now if fresh else min(since, now) + UNDATED)
        refuse_stale(since, until, now, host)
        if answer.revocation_time_utc is not None:
            raise revoked(answer.revocation_time_utc, answer.revocation_reason)
        if answer.certificate_status is not ocsp.OCSPCertStatus.GOOD:
            raise CertificateUnknown(host)
    except UnsupportedAlgorithm:
        raise RevocationUnsupported(host) from None
    except UNREADABLE:
        raise RevocationMalformed(host) from None
    return until


def _matching(
    response: ocsp.OCSPResponse, asked: ocsp.OCSPRequest, host: str
) -> ocsp.OCSPSingleResponse:
    """The answer about the certificate that was asked for, which there must be one of."""
    answers = list(response.responses)
    if len(answers) == 1:
        refuse_strange(response.single_extensions, host)
    wanted = _names(asked)
    found = [single for single in answers if _names(single) == wanted]
    if len(found) != 1:
        raise RevocationMalformed(host)
    return found[0]


def _names(of: ocsp.OCSPRequest | ocsp.OCSPSingleResponse) -> tuple[object, ...]:
    """The CertID (RFC 6960 §4.1.1)."""
    return of.hash_algorithm.name, of.issuer_name_hash, of.issuer_key_hash, of.serial_number


def _check_signature(
    response: ocsp.OCSPResponse, issuer: x509.Certificate, now: datetime, host: str
) -> None:
    """By the issuer, or by one whose certificate it gave for this (RFC 6960 §4.2.2.2)."""
    refuse_weak(response.signature_algorithm_oid, host)
    algorithm = response.signature_hash_algorithm
    appointed = (each for each in response.certificates if _appointed(each, issuer, now))
    for signer in (issuer, *appointed):
        if (
            algorithm is not None
            and _named(response, signer)
            and signed(
                signer.public_key(), response.signature, response.tbs_response_bytes, algorithm
            )
        ):
            return
    raise RevocationForged(host)


def _appointed(each: x509.Certificate, issuer: x509.Certificate, now: datetime) -> bool:
    """Issued by the issuer itself for OCSP, fit to sign, and valid today.

    Whether that certificate was revoked in its turn is not asked: id-pkix-ocsp-nocheck is what
    such certificates carry (RFC 6960 §4.2.2.2.1), and they are short-lived.
    """
    try:
        each.verify_directly_issued_by(issuer)
        purposes = extension(each.extensions, x509.ExtendedKeyUsage) or ()
        usage = extension(each.extensions, x509.KeyUsage)
        unknown = strange(each.extensions)
    except (InvalidSignature, UnsupportedAlgorithm, *UNREADABLE):
        return False
    return (
        ExtendedKeyUsageOID.OCSP_SIGNING in purposes
        and (usage is None or usage.digital_signature)
        and each.signature_algorithm_oid in SAFE
        and not unknown
        and covers(each.not_valid_before_utc, each.not_valid_after_utc, now)
    )


def _named(response: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    """The responderID is this signer's name, or the SHA-1 of its key."""
    if response.responder_name is not None:
        return response.responder_name == signer.subject
    key = x509.SubjectKeyIdentifier.from_public_key(signer.public_key())
    return response.responder_key_hash == key.digest


def _nonce_back(response: ocsp.OCSPResponse, asked: ocsp.OCSPRequest, host: str) -> bool:
    """True when our nonce came back, so that the answer is of now; another one is another's.

    Many responders sign their answers beforehand, without a nonce (RFC 6960 §4.4.1); those are
    as good as their dates.
    """
    sent = asked.extensions.get_extension_for_class(x509.OCSPNonce).value
    back = extension(response.extensions, x509.OCSPNonce)
    if back is None:
        return False
    if back.nonce != sent.nonce:
        raise RevocationMalformed(host)
    return True
