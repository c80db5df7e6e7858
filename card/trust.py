"""Whom this computer believes about a card: the configured CAs, and what they vouch for."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from card.certificate import check, load, read, strictly
from card.errors import (
    CardKindRefused,
    CertificateError,
    CertificateMalformed,
    CertificateUntrusted,
)
from card.port import CardCategory, HolderCertificate
from card.recognition import Kind

if TYPE_CHECKING:
    from cryptography import x509

ISSUER = "醫事憑證管理中心"  # the OU, in every generation seen
HCA = frozenset({CardCategory.HPC, CardCategory.HOP})
DEPTH = 3  # CAs below the anchor; Taiwan's government has one or two
LEAST = 2  # certificates of a path: the card's, and an anchor that is not the same


@dataclass(frozen=True)
class Judge:
    """What a certificate must be: of the categories `accepted`, None for any, and trusted here."""

    accepted: Collection[str] | None
    anchors: Collection[x509.Certificate]

    def stands_alone(self, der: bytes) -> bool:
        """No CA's certificate is wanted beside it."""
        return stands_alone(der, self.anchors)

    def holder(self, der: bytes, between: Collection[bytes]) -> HolderCertificate:
        """The certificate, usable for its holder today; `between`: what lies beside it, in DER.

        Raises CardKindRefused, CertificateError.
        """
        holder = read(der)
        # The wrong kind first: renewing an expired card of the wrong kind would help nobody.
        if self.accepted is not None and holder.category not in self.accepted:
            raise CardKindRefused(holder.category)
        now = datetime.now(UTC)
        try:
            check(holder, now)
            vouched = chain(holder, self.anchors, now, between)
        except CertificateError as error:
            if holder.category in HCA:
                error.kind = Kind(holder.category)
            raise
        return replace(holder, chain=vouched)


def chain(
    certificate: HolderCertificate,
    anchors: Collection[x509.Certificate],
    now: datetime,
    between: Collection[bytes] = (),
) -> tuple[bytes, ...]:
    """Whether a card that says it is HCA's names HCA as its issuer, and an anchor vouches for it.

    `anchors`: certificates of CAs; without any, the service alone judges the chain. `between`: of
    others in DER, believed only as far as their signatures lead to an anchor. Returns those that
    are needed for that, the issuer's first (RFC 5280 §6.1). Raises CertificateUntrusted,
    CertificateMalformed.
    """
    if certificate.category in HCA and ISSUER not in certificate.issuer:
        raise CertificateUntrusted(certificate.issuer)
    if not anchors:
        return ()
    found = _path(load(certificate.der), anchors, now, between)
    if len(found) < LEAST:
        raise CertificateUntrusted(certificate.issuer)
    return found[1:-1]


def stands_alone(der: bytes, anchors: Collection[x509.Certificate]) -> bool:
    """Whether `chain` can do without other certificates: an anchor bears the issuer's name."""
    if not anchors:
        return True
    try:
        with strictly():
            issuer = load(der).issuer
    except CertificateMalformed:
        return True
    return any(anchor.subject == issuer for anchor in anchors)


def _path(
    leaf: x509.Certificate,
    anchors: Collection[x509.Certificate],
    now: datetime,
    between: Collection[bytes],
) -> tuple[bytes, ...]:
    """From the certificate to an anchor, in DER; empty where there is no way.

    Of extensions only what makes a CA of a certificate is asked for: what the profile of the web
    wants besides, government CAs have no reason to keep.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import verification

    def may_issue(_policy: object, _issuer: object, found: x509.BasicConstraints) -> None:
        if not found.ca:
            raise ValueError

    def may_sign(_policy: object, _issuer: object, found: x509.KeyUsage | None) -> None:
        if found is not None and not found.key_cert_sign:
            raise ValueError

    either = verification.Criticality.AGNOSTIC
    anything = verification.ExtensionPolicy.permit_all()
    authority = anything.require_present(x509.BasicConstraints, either, may_issue)
    authority = authority.may_be_present(x509.KeyUsage, either, may_sign)
    others = []
    for each in between:
        with suppress(CertificateMalformed):
            others.append(load(each))
    try:
        verifier = (
            verification.PolicyBuilder()
            .store(verification.Store(list(anchors)))
            .time(now)
            .max_chain_depth(DEPTH)
            .extension_policies(ca_policy=authority, ee_policy=anything)
            .build_client_verifier()
        )
        with strictly():
            verified = verifier.verify(leaf, others)
    except (verification.VerificationError, CertificateMalformed):
        return ()
    return tuple(each.public_bytes(Encoding.DER) for each in verified.chain)


def authorities(
    certificate: HolderCertificate, anchors: Collection[x509.Certificate]
) -> tuple[x509.Certificate, ...]:
    """The anchors and the chain below one of them; the certificate's issuer is among them."""
    return *(load(each) for each in certificate.chain), *anchors


def anchors_in(pem: bytes) -> tuple[x509.Certificate, ...]:
    """The CA certificates of a PEM file. Raises CertificateMalformed."""
    from cryptography import x509

    with strictly():
        return tuple(x509.load_pem_x509_certificates(pem))
