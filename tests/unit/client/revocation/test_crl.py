"""Revocation lists: the issuer's own complete one, of now, is believed; nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from status_answers import CRL_PLACE, HOUR, NOW, STRANGE, Ca, Listing, ec_key, with_one_bit_changed

from client.errors import (
    CertificateOnHold,
    CertificateRevoked,
    RevocationError,
    RevocationForged,
    RevocationMalformed,
    RevocationStale,
    RevocationUnsupported,
)
from client.revocation import crl

HOST = "ca.invalid"
MINUTE = timedelta(minutes=1)
Judged = Callable[[bytes], datetime]


@pytest.fixture
def judged(ca: Ca, leaf: x509.Certificate) -> Judged:
    return lambda data: crl.judge(data, leaf, ca.certificate, NOW, HOST)


@pytest.fixture
def listing(ca: Ca) -> Listing:
    return Listing(ca, revoked=[(12345, None)])


def scope(**parts: object) -> x509.IssuingDistributionPoint:
    whole: dict[str, object] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**{**whole, **parts})  # type: ignore[arg-type]


def at(place: str) -> list[x509.UniformResourceIdentifier]:
    return [x509.UniformResourceIdentifier(place)]


def test_the_places(ca: Ca, leaf: x509.Certificate) -> None:
    assert crl.places(leaf) == (CRL_PLACE,)
    assert crl.places(ca.certificate) == ()


@pytest.mark.parametrize(
    "extensions",
    [
        (),
        (scope(only_contains_user_certs=True),),
        (scope(full_name=at(CRL_PLACE)),),
    ],
    ids=["whole", "people's", "the part that the certificate names"],
)
def test_not_in_the_list(
    judged: Judged, listing: Listing, extensions: tuple[x509.ExtensionType, ...]
) -> None:
    assert judged(replace(listing, extensions=extensions).der()) == NOW + HOUR


def test_the_issuers_key_is_named(judged: Judged, listing: Listing) -> None:
    own = x509.AuthorityKeyIdentifier.from_issuer_public_key(listing.ca.key.public_key())
    judged(replace(listing, extensions=[own]).der())
    other = x509.AuthorityKeyIdentifier.from_issuer_public_key(ec_key().public_key())
    with pytest.raises(RevocationForged):
        judged(replace(listing, extensions=[other]).der())


def test_in_the_list(judged: Judged, listing: Listing, leaf: x509.Certificate) -> None:
    for reason, told in ((None, None), (x509.ReasonFlags.superseded, "superseded")):
        with pytest.raises(CertificateRevoked) as caught:
            judged(replace(listing, revoked=[(1, None), (leaf.serial_number, reason)]).der())
        assert caught.value.facts() == {"since": "2026-05-01", "reason": told}
    hold = x509.ReasonFlags.certificate_hold
    with pytest.raises(CertificateOnHold):
        judged(replace(listing, revoked=[(leaf.serial_number, hold)]).der())


@pytest.mark.parametrize(
    ("since", "until", "good"),
    [
        (NOW - HOUR, NOW - 4 * MINUTE, True),
        (NOW - HOUR, NOW - 6 * MINUTE, False),
        (NOW + 4 * MINUTE, NOW + HOUR, True),
        (NOW + 6 * MINUTE, NOW + HOUR, False),
    ],
)
def test_its_time(
    judged: Judged, listing: Listing, since: datetime, until: datetime, good: bool
) -> None:
    data = replace(listing, since=since, until=until).der()
    if good:
        judged(data)
    else:
        with pytest.raises(RevocationStale):
            judged(data)


@pytest.mark.parametrize(
    "extension",
    [
        x509.DeltaCRLIndicator(3),
        scope(full_name=at("http://ca.invalid/another")),
        scope(only_contains_ca_certs=True),
        scope(only_contains_attribute_certs=True),
        scope(indirect_crl=True),
        scope(only_some_reasons=frozenset({x509.ReasonFlags.key_compromise})),
        scope(
            relative_name=x509.RelativeDistinguishedName(
                [x509.NameAttribute(x509.NameOID.COMMON_NAME, "part")]
            )
        ),
        STRANGE,
    ],
    ids=["changes", "another part", "CAs", "attributes", "indirect", "reasons", "named", "strange"],
)
def test_a_list_that_may_leave_it_out(
    judged: Judged, listing: Listing, extension: x509.ExtensionType
) -> None:
    with pytest.raises(RevocationUnsupported):
        judged(replace(listing, extensions=[extension]).der())


def test_signed_by_somebody_else(judged: Judged, listing: Listing) -> None:
    for wrong in (replace(listing, key=ec_key()), replace(listing, issuer="TEST Another CA")):
        with pytest.raises(RevocationForged):
            judged(wrong.der())


def test_an_issuer_that_may_not_sign_lists() -> None:
    ca = Ca(may_list=False)
    with pytest.raises(RevocationForged):
        crl.judge(Listing(ca).der(), ca.issue(), ca.certificate, NOW, HOST)


def test_a_hash_of_yesterday(judged: Judged, listing: Listing) -> None:
    with pytest.raises(RevocationUnsupported):
        judged(replace(listing, hash=hashes.SHA224()).der())


def test_a_list_of_no_known_version(judged: Judged, listing: Listing) -> None:
    """Anyone on the way can send one: it is read before its signature is checked."""
    data = listing.der()
    start = data.index(b"\x02\x01\x01")  # 1 stands for the second, the only one (§5.1.2.1)
    for version in (0, 2, 7):
        with pytest.raises(RevocationMalformed):
            judged(data[: start + 2] + bytes((version,)) + data[start + 3 :])


def test_its_time_never_ends(judged: Judged, listing: Listing) -> None:
    never = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert judged(replace(listing, until=never).der()) == never


def test_no_bit_can_be_changed(judged: Judged, listing: Listing) -> None:
    """Every bit of what is signed and of the signature: never good, always classified."""
    data = listing.der()
    listed = x509.load_der_x509_crl(data)
    for changed in with_one_bit_changed(data, listed.tbs_certlist_bytes, listed.signature):
        with pytest.raises(RevocationError):
            judged(changed)


def test_cut_short(judged: Judged, listing: Listing) -> None:
    data = listing.der()
    for length in range(len(data)):
        with pytest.raises(RevocationMalformed):
            judged(data[:length])
