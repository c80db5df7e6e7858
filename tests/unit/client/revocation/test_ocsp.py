"""OCSP answers: the issuer's word on this certificate, of now, is believed; nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as library
from hypothesis import given
from hypothesis import strategies as st
from status_answers import (
    CLIENT_AUTH,
    HOUR,
    NONCE,
    NOW,
    OCSP_SIGNING,
    REVOKED,
    STRANGE,
    UNKNOWN,
    Ca,
    Reply,
    certify,
    ec_key,
    with_one_bit_changed,
)

from card.virtual.authority import key_usage
from client.errors import (
    CertificateOnHold,
    CertificateRevoked,
    CertificateUnknown,
    ResponderUnavailable,
    RevocationError,
    RevocationForged,
    RevocationMalformed,
    RevocationStale,
    RevocationUnsupported,
)
from client.revocation import ocsp

HOST = "ca.invalid"
Judged = Callable[[bytes], datetime]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def judged(ca: Ca, leaf: x509.Certificate) -> Judged:
    asked = ocsp.request(leaf, ca.certificate, NONCE)
    return lambda data: ocsp.judge(data, asked, ca.certificate, NOW, HOST)


@pytest.fixture
def reply(ca: Ca, leaf: x509.Certificate) -> Reply:
    return Reply(ca, leaf)


def test_what_is_asked(ca: Ca, leaf: x509.Certificate) -> None:
    """One CertID and a nonce: no name, no certificate, no signature."""
    asked = library.load_der_ocsp_request(ocsp.encoded(ocsp.request(leaf, ca.certificate, NONCE)))
    assert asked.serial_number == leaf.serial_number
    assert [type(each.value) for each in asked.extensions] == [x509.OCSPNonce]
    der = ocsp.encoded(asked)
    assert "測試員甲".encode() not in der
    assert len(der) < 150  # 2 SHA-1 hashes, a serial number of 20 bytes, the nonce and the frame


def test_the_places(ca: Ca, leaf: x509.Certificate) -> None:
    assert ocsp.places(leaf) == ("http://ca.invalid/ocsp",)
    assert ocsp.places(ca.certificate) == ()


# --- good ----------------------------------------------------------------------------------------


def test_good_by_the_issuer_itself(judged: Judged, reply: Reply) -> None:
    assert judged(reply.der()) == NOW + HOUR


@pytest.mark.parametrize("by", library.OCSPResponderEncoding)
def test_good_by_a_responder_that_the_issuer_appointed(
    judged: Judged, reply: Reply, by: library.OCSPResponderEncoding
) -> None:
    key = ec_key()
    for extensions in ((OCSP_SIGNING,), (OCSP_SIGNING, key_usage(digital_signature=True))):
        signer = (key, reply.ca.appoint(key, *extensions))
        assert judged(replace(reply, signer=signer, by=by).der()) == NOW + HOUR


def test_good_without_a_nonce_as_long_as_its_dates_say(judged: Judged, reply: Reply) -> None:
    """Many responders sign beforehand (RFC 6960 §4.4.1)."""
    assert judged(replace(reply, nonce=None).der()) == NOW + HOUR


def test_good_of_the_moment(judged: Judged, reply: Reply) -> None:
    """Without nextUpdate: with our nonce it is of now; without, it must be young."""
    assert judged(replace(reply, until=None).der()) == NOW
    young = replace(reply, until=None, nonce=None, since=NOW - 59 * MINUTE)
    assert judged(young.der()) == NOW + MINUTE
    with pytest.raises(RevocationStale):
        judged(replace(young, since=NOW - 66 * MINUTE).der())


# --- not good ------------------------------------------------------------------------------------


def test_revoked(judged: Judged, reply: Reply) -> None:
    with pytest.raises(CertificateRevoked) as caught:
        judged(replace(reply, status=REVOKED, reason=x509.ReasonFlags.key_compromise).der())
    assert caught.value.facts() == {"since": "2026-05-01", "reason": "keyCompromise"}
    with pytest.raises(CertificateRevoked) as caught:
        judged(replace(reply, status=REVOKED).der())
    assert caught.value.reason is None


def test_on_hold(judged: Judged, reply: Reply) -> None:
    with pytest.raises(CertificateOnHold) as caught:
        judged(replace(reply, status=REVOKED, reason=x509.ReasonFlags.certificate_hold).der())
    assert caught.value.facts() == {"since": "2026-05-01"}


def test_unknown(judged: Judged, reply: Reply) -> None:
    with pytest.raises(CertificateUnknown):
        judged(replace(reply, status=UNKNOWN).der())


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (library.OCSPResponseStatus.TRY_LATER, ResponderUnavailable),
        (library.OCSPResponseStatus.INTERNAL_ERROR, ResponderUnavailable),
        (library.OCSPResponseStatus.UNAUTHORIZED, CertificateUnknown),
        (library.OCSPResponseStatus.MALFORMED_REQUEST, RevocationUnsupported),
        (library.OCSPResponseStatus.SIG_REQUIRED, RevocationUnsupported),
    ],
)
def test_an_answer_that_is_none(
    judged: Judged, status: library.OCSPResponseStatus, error: type[RevocationError]
) -> None:
    data = library.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
    with pytest.raises(error):
        judged(data)


@pytest.mark.parametrize(
    ("since", "until", "good"),
    [
        (NOW - HOUR, NOW - 4 * MINUTE, True),  # within what clocks may differ by
        (NOW - HOUR, NOW - 6 * MINUTE, False),
        (NOW + 4 * MINUTE, NOW + HOUR, True),
        (NOW + 6 * MINUTE, NOW + HOUR, False),
    ],
)
def test_its_time(
    judged: Judged, reply: Reply, since: datetime, until: datetime, good: bool
) -> None:
    data = replace(reply, since=since, until=until).der()
    if good:
        judged(data)
    else:
        with pytest.raises(RevocationStale):
            judged(data)


def test_the_ends_of_the_calendar(judged: Judged, reply: Reply) -> None:
    """There are no five minutes before the first, nor after the last, which stands for "never"."""
    first, never = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert judged(replace(reply, since=first, until=never).der()) == never
    for since in (first, never):
        with pytest.raises(RevocationStale):
            judged(replace(reply, since=since, until=None, nonce=None).der())
    key = ec_key()
    signer = (key, reply.ca.appoint(key, end=never))
    assert judged(replace(reply, signer=signer).der()) == NOW + HOUR


@pytest.mark.parametrize("status", [REVOKED, UNKNOWN])
def test_an_old_answer_is_no_answer_whatever_it_says(
    judged: Judged, reply: Reply, status: library.OCSPCertStatus
) -> None:
    with pytest.raises(RevocationStale):
        judged(replace(reply, status=status, until=NOW - HOUR, since=NOW - 2 * HOUR).der())


# --- by whom -------------------------------------------------------------------------------------

Signer = Callable[[Ca], "tuple[object, x509.Certificate]"]


def appointed(*extensions: x509.ExtensionType, **dates: datetime) -> Signer:
    def make(ca: Ca) -> tuple[object, x509.Certificate]:
        key = ec_key()
        return key, ca.appoint(key, *extensions, **dates)

    return make


def by_another_ca(_: Ca) -> tuple[object, x509.Certificate]:
    """Of the same name as the issuer, with another key."""
    key = ec_key()
    return key, Ca().appoint(key)


def by_a_card(ca: Ca) -> tuple[object, x509.Certificate]:
    """Another card of the same issuer: trusted, but not for this."""
    key = ec_key()
    return key, certify("測試員乙", key, ca.name, ca.key)


def by_itself(_: Ca) -> tuple[object, x509.Certificate]:
    key = ec_key()
    return key, certify("TEST OCSP", key, "TEST OCSP", key, OCSP_SIGNING)


def by_yesterdays_hash(ca: Ca) -> tuple[object, x509.Certificate]:
    key, weak = ec_key(), hashes.SHA224()
    return key, certify("TEST OCSP", key, ca.name, ca.key, OCSP_SIGNING, algorithm=weak)


@pytest.mark.parametrize(
    "signer",
    [
        by_another_ca,
        by_a_card,
        by_itself,
        by_yesterdays_hash,
        appointed(CLIENT_AUTH),
        appointed(OCSP_SIGNING, key_usage(key_encipherment=True)),
        appointed(OCSP_SIGNING, STRANGE),
        appointed(OCSP_SIGNING, end=NOW - HOUR),
        appointed(OCSP_SIGNING, begin=NOW + HOUR),
    ],
    ids=[
        "another CA",
        "a card",
        "itself",
        "yesterday's hash",
        "for something else",
        "may not sign",
        "strange",
        "expired",
        "too early",
    ],
)
def test_signed_by_somebody_else(judged: Judged, reply: Reply, signer: Signer) -> None:
    with pytest.raises(RevocationForged):
        judged(replace(reply, signer=signer(reply.ca)).der())  # type: ignore[arg-type]


def test_the_signers_certificate_is_left_out(judged: Judged, reply: Reply) -> None:
    key = ec_key()
    with pytest.raises(RevocationForged):
        judged(replace(reply, signer=(key, reply.ca.appoint(key)), encloses=False).der())


def test_another_ca_of_the_same_name(judged: Judged, reply: Reply) -> None:
    """Its key is another: the CertID names another authority."""
    with pytest.raises(RevocationMalformed):
        judged(replace(reply, ca=Ca()).der())


# --- about what ----------------------------------------------------------------------------------


def test_about_another_certificate(judged: Judged, reply: Reply) -> None:
    with pytest.raises(RevocationMalformed):
        judged(replace(reply, leaf=reply.ca.issue()).der())


def test_named_by_another_hash_than_was_asked(judged: Judged, reply: Reply) -> None:
    with pytest.raises(RevocationMalformed):
        judged(replace(reply, names_by=hashes.SHA256()).der())


def test_an_answer_to_somebody_elses_question(judged: Judged, reply: Reply) -> None:
    with pytest.raises(RevocationMalformed):
        judged(replace(reply, nonce=b"o" * 32).der())


def test_a_critical_extension_that_nobody_knows(judged: Judged, reply: Reply) -> None:
    with pytest.raises(RevocationUnsupported):
        judged(replace(reply, extra=STRANGE).der())


def test_a_hash_of_yesterday(judged: Judged, reply: Reply) -> None:
    with pytest.raises(RevocationUnsupported):
        judged(replace(reply, hash=hashes.SHA224()).der())


# --- damage --------------------------------------------------------------------------------------


def test_no_signed_bit_can_be_changed(judged: Judged, reply: Reply) -> None:
    """Every bit of what is signed and of the signature: never good, always classified."""
    data = reply.der()
    response = library.load_der_ocsp_response(data)
    for changed in with_one_bit_changed(data, response.tbs_response_bytes, response.signature):
        with pytest.raises(RevocationError):
            judged(changed)


def test_cut_short(judged: Judged, reply: Reply) -> None:
    data = reply.der()
    for length in range(len(data)):
        with pytest.raises(RevocationError):
            judged(data[:length])


@given(st.binary(max_size=200))
def test_anything_at_all(data: bytes) -> None:
    ca = Ca()
    asked = ocsp.request(ca.issue(), ca.certificate, NONCE)
    with pytest.raises(RevocationError):
        ocsp.judge(data, asked, ca.certificate, NOW, HOST)
