"""Certificates of cards: names, kinds, dates and usage."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from card import certificate
from card.certificate import SUBJECT_TYPE
from card.errors import (
    CardError,
    CertificateExpired,
    CertificateMalformed,
    CertificateNotYetValid,
    CertificateUsage,
)
from card.port import CardCategory
from card.recognition import MARKS, Kind
from card.virtual import der
from card.virtual.authority import Authority
from card.virtual.profile import CertificateProfile, Profile

EC = '[key]\ntype = "EC"\n'


def issue(authority: Authority, toml: str = "") -> bytes:
    return authority.issue(Profile.parse(toml + EC)).certificate


SUBJECT_TYPES = {mark.kind: mark.subject_type for mark in MARKS if mark.subject_type}


@pytest.mark.parametrize(
    ("dotted", "contents"),
    [
        ("2.16.886.1.100.2.1", SUBJECT_TYPE),
        ("2.16.886.1.100.3.1.7", SUBJECT_TYPES[Kind.HPC]),
        ("2.16.886.1.100.3.2.21", SUBJECT_TYPES[Kind.HOP]),
        ("2.16.886.1.100.3.1.1", SUBJECT_TYPES[Kind.MOICA]),
    ],
)
def test_the_object_identifiers_are_the_ones_they_are_named_after(
    dotted: str, contents: bytes
) -> None:
    assert der.oid(dotted) == der.tlv(0x06, contents)


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        ("HPC", CardCategory.HPC),
        ("HOP", CardCategory.HOP),
        ("MOICA", CardCategory.NATURAL_PERSON),
        ("OTHER", CardCategory.OTHER),
    ],
)
def test_the_category(authority: Authority, category: str, expected: CardCategory) -> None:
    found = certificate.read(issue(authority, f'[certificate]\ncategory = "{category}"\n'))
    assert found.category is expected


def test_names_are_cleaned_for_a_terminal(authority: Authority) -> None:
    hostile = CertificateProfile(holder="\x1b[31m王測試\u202e\u200b[b]")
    profile = replace(Profile.parse(EC), certificate=hostile)
    assert certificate.read(authority.issue(profile).certificate).holder == "[31m王測試[b]"


@pytest.mark.parametrize("where", ["issuer", "subject"])
def test_a_name_with_an_attribute_of_the_wrong_kind_is_malformed(
    authority: Authority, where: str
) -> None:
    """A BIT STRING as a name's text: cryptography finds it late, and calls it a TypeError."""
    good = issue(authority, '[certificate]\nholder = "TESTER"\n')
    names = {"issuer": "行政院 (TEST 測試)", "subject": "TESTER"}
    text = der.tlv(0x0C, names[where].encode())
    assert good.count(text) >= 1
    bad = good.replace(text, b"\x03" + text[1:2] + b"\x00" + text[3:])
    x509.load_der_x509_certificate(bad)
    with pytest.raises(CertificateMalformed):
        certificate.read(bad)


def test_the_dates_are_exact(authority: Authority) -> None:
    found = certificate.read(issue(authority))
    certificate.check(found, found.not_before)
    certificate.check(found, found.not_after)
    with pytest.raises(CertificateExpired) as expired:
        certificate.check(found, found.not_after + timedelta(seconds=1))
    assert expired.value.not_after == found.not_after.date().isoformat()
    with pytest.raises(CertificateNotYetValid) as future:
        certificate.check(found, found.not_before - timedelta(seconds=1))
    assert future.value.not_before == found.not_before.date().isoformat()


def test_a_key_for_something_else_is_refused(authority: Authority) -> None:
    found = certificate.read(issue(authority, "[certificate]\ndigital_signature = false\n"))
    with pytest.raises(CertificateUsage):
        certificate.check(found, datetime.now(UTC))


def test_no_key_usage_allows_every_use(authority: Authority) -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "TEST 測試診所")])
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    bare = (
        x509.CertificateBuilder(name, name, authority.key.public_key(), 1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .sign(authority.key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )
    found = certificate.read(bare)
    certificate.check(found, datetime.now(UTC))
    assert (found.holder, found.issuer) == ("TEST 測試診所", "")
    assert found.category is CardCategory.OTHER


def test_ber_that_is_not_der_is_an_outcome_of_its_own(authority: Authority) -> None:
    with pytest.raises(CertificateMalformed):
        certificate.read(issue(authority, "[certificate]\nmalformed = true\n"))


def test_an_extension_that_does_not_parse_is_the_same_outcome(authority: Authority) -> None:
    """Each is good DER with a good signature; only looking at the extensions shows it."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "測試員甲")])
    edi_party = der.sequence(der.tlv(0xA5, der.tlv(0x81, b"x")))  # a name nobody here can read
    for number, value in (("2.5.29.17", edi_party), ("2.5.29.15", b"\x03\x00")):
        odd = (
            x509.CertificateBuilder(authority.issuing.subject, name, authority.key.public_key(), 1)
            .not_valid_before(datetime.now(UTC) - timedelta(days=1))
            .not_valid_after(datetime.now(UTC) + timedelta(days=1))
            .add_extension(
                x509.UnrecognizedExtension(x509.ObjectIdentifier(number), value), critical=False
            )
            .sign(authority.key, hashes.SHA256())
            .public_bytes(Encoding.DER)
        )
        with pytest.raises(CertificateMalformed):
            certificate.read(odd)


@pytest.fixture(scope="session")
def whole(authority: Authority) -> bytes:
    return issue(authority)


@given(data=st.data())
def test_damage_is_malformed_or_still_a_certificate(whole: bytes, data: st.DataObject) -> None:
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        certificate.check(certificate.read(bytes(damaged)), datetime.now(UTC))
    except CardError as error:
        assert error.code.startswith("card.certificate.")  # noqa: PT017 - any of four
