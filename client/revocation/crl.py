"""Certificate revocation lists (RFC 5280 §5): whether one can be relied upon, and what it says."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from client.errors import RevocationForged, RevocationMalformed, RevocationUnsupported
from client.revocation.judgement import (
    UNREADABLE,
    extension,
    refuse_stale,
    refuse_strange,
    refuse_weak,
    revoked,
)


def places(leaf: x509.Certificate) -> tuple[str, ...]:
    """Where the issuer's own list for all reasons lies (RFC 5280 §4.2.1.13)."""
    try:
        points = extension(leaf.extensions, x509.CRLDistributionPoints) or ()
    except UNREADABLE:
        return ()
    return tuple(
        name.value
        for point in points
        if point.reasons is None and point.crl_issuer is None
        for name in point.full_name or ()
        if isinstance(name, x509.UniformResourceIdentifier)
    )


def judge(
    data: bytes, leaf: x509.Certificate, issuer: x509.Certificate, now: datetime, host: str
) -> datetime:
    """Until when the list in `data` covers `leaf`, which it does not have; times in UTC.

    Source: RFC 5280 §6.3.3, for complete lists by the certificate's own issuer. Raises
    RevocationError.
    """
    try:
        listed = x509.load_der_x509_crl(data)
        refuse_strange(listed.extensions, host)
        _check_signature(listed, issuer, host)
        _check_scope(listed.extensions, places(leaf), host)
        until = listed.next_update_utc
        if until is None:  # RFC 5280 §5.1.2.5: every list has one
            raise RevocationMalformed(host)
        refuse_stale(listed.last_update_utc, until, now, host)
        entry = listed.get_revoked_certificate_by_serial_number(leaf.serial_number)
        if entry is not None:
            reason = extension(entry.extensions, x509.CRLReason)
            raise revoked(entry.revocation_date_utc, None if reason is None else reason.reason)
    except UnsupportedAlgorithm:
        raise RevocationUnsupported(host) from None
    except UNREADABLE:
        raise RevocationMalformed(host) from None
    return until


def _check_signature(
    listed: x509.CertificateRevocationList, issuer: x509.Certificate, host: str
) -> None:
    """Under the issuer's key, in its name, and allowed to it by its own certificate."""
    refuse_weak(listed.signature_algorithm_oid, host)
    usage = extension(issuer.extensions, x509.KeyUsage)
    named = extension(listed.extensions, x509.AuthorityKeyIdentifier)
    own = extension(issuer.extensions, x509.SubjectKeyIdentifier)
    other_key = (
        named is not None
        and own is not None
        and named.key_identifier not in (None, own.key_identifier)
    )
    if (
        listed.issuer != issuer.subject
        or (usage is not None and not usage.crl_sign)
        or other_key
        # A key that cannot sign at all, as X25519's, is the TypeError that `judge` expects.
        or not listed.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
    ):
        raise RevocationForged(host)


def _check_scope(extensions: x509.Extensions, named: Collection[str], host: str) -> None:
    """Refuse a list that may leave this certificate out: changes only, indirect, or a part.

    A part is complete for those certificates that name it as theirs (RFC 5280 §6.3.3 (b) (2)).
    """
    if extension(extensions, x509.DeltaCRLIndicator) is not None:
        raise RevocationUnsupported(host)
    scope = extension(extensions, x509.IssuingDistributionPoint)
    if scope is None:
        return
    names = {
        name.value
        for name in scope.full_name or ()
        if isinstance(name, x509.UniformResourceIdentifier)
    }
    if (
        (scope.full_name is not None and names.isdisjoint(named))
        or scope.relative_name is not None
        or scope.only_some_reasons is not None
        or scope.indirect_crl
        or scope.only_contains_ca_certs
        or scope.only_contains_attribute_certs
    ):
        raise RevocationUnsupported(host)
