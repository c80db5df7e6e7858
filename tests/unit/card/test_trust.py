"""Whom this computer believes about a card: anchors, and the CAs that a card brings along."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from scripted import READER, MakeScripted, pin_of

from card import certificate, tlv, trust
from card.errors import CertificateMalformed, CertificateUntrusted
from card.opening import open_card
from card.port import CardCategory
from card.seen import Seen
from card.virtual import der as asn1
from card.virtual.authority import Authority
from card.virtual.filesystem import DedicatedFile, ElementaryFile
from card.virtual.profile import Profile

EC = '[key]\ntype = "EC"\n'
NOW = datetime.now(UTC)
KEYS = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("root", "ca", "below", "card")}


def signed(
    subject: str, issuer: str, *, ca: bool = True, signs: bool = True, below: int | None = None
) -> x509.Certificate:
    """A certificate of one of the invented names, signed with the key of another."""
    names = {
        each: x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"TEST {each}")])
        for each in (subject, issuer)
    }
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs and ca,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder(names[issuer], names[subject], KEYS[subject].public_key(), 7)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca, below), critical=True)
        .add_extension(usage, critical=True)
        .sign(KEYS[issuer], hashes.SHA256())
    )


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def chain(
    leaf: x509.Certificate,
    anchor: x509.Certificate,
    *between: x509.Certificate,
    now: datetime = NOW,
) -> tuple[bytes, ...]:
    holder = certificate.read(der(leaf))
    return trust.chain(holder, (anchor,), now, [b"no certificate", *map(der, between)])


ROOT = signed("root", "root")
CARD = signed("card", "ca", ca=False)


def test_a_ca_between_leads_to_the_anchor() -> None:
    issuing = signed("ca", "root")
    assert chain(CARD, ROOT, CARD, ROOT, issuing) == (der(issuing),)
    assert chain(CARD, issuing) == ()
    below = signed("card", "below", ca=False)
    second = signed("below", "ca")
    assert chain(below, ROOT, issuing, second) == (der(second), der(issuing))


@pytest.mark.parametrize(
    "between",
    [
        (),
        (signed("ca", "root", ca=False),),
        (signed("ca", "root", signs=False),),
        (signed("ca", "below"),),
        (signed("below", "root"),),
    ],
    ids=["nobody", "no CA", "a CA that may not sign", "another issuer", "another name"],
)
def test_whoever_may_not_issue_leads_nowhere(between: tuple[x509.Certificate, ...]) -> None:
    with pytest.raises(CertificateUntrusted):
        chain(CARD, ROOT, *between)


def test_a_ca_that_may_have_none_below_it_vouches_for_none() -> None:
    last = signed("ca", "root", below=0)
    assert chain(CARD, ROOT, last) == (der(last),)
    with pytest.raises(CertificateUntrusted):
        chain(signed("card", "below", ca=False), ROOT, last, signed("below", "ca"))


def test_nobody_vouches_for_himself_or_after_his_time() -> None:
    with pytest.raises(CertificateUntrusted):
        chain(CARD, CARD)
    with pytest.raises(CertificateUntrusted):
        chain(CARD, ROOT, signed("ca", "root"), now=NOW + timedelta(days=2))


# --- on a card ------------------------------------------------------------------------------------


def test_the_card_brings_its_ca_to_a_root_that_is_trusted(
    authority: Authority, make_scripted: MakeScripted
) -> None:
    readers, seen, anchors = make_scripted(), Seen(), (authority.root,)
    counts = []
    for stay in (1, 1, 2):
        readers.stay = stay
        before = len(readers.commands)
        card = open_card(readers, READER, anchors=anchors, seen=seen)
        assert card.certificate.chain == (authority.issuing_der,)
        assert trust.authorities(card.certificate, anchors) == (authority.issuing, authority.root)
        counts.append(len(readers.commands) - before)
    assert counts == [11, 0, 4]  # SELECT and READ BINARY more, once; as without it afterwards
    assert card.sign(pin_of(b"Test-123"), b"m", card.tries_left()).algorithm == "ES256"
    before = len(readers.commands)
    open_card(readers, READER, anchors=(authority.issuing,))
    assert len(readers.commands) - before == 9  # not read where the issuer itself is trusted


def test_a_ca_in_the_list_of_trusted_certificates(
    authority: Authority, make_scripted: MakeScripted
) -> None:
    """EF.ODF may list it apart from the holder's own (PKCS#15 §6.2: trusted [5], useful [6])."""
    for number in (5, 6):
        readers = make_scripted()
        master: DedicatedFile = readers.card._files
        (directory, application) = master.files
        assert isinstance(application, DedicatedFile)
        files = {file.identifier: file for file in application.files}
        holder, ca = tlv.parse(content_of(files[0x4403]), "CDF")
        place = asn1.context(number, asn1.sequence(asn1.octets(b"\x44\x04")))
        listed = content_of(files[0x5031]).rstrip(b"\0") + place
        files[0x5031] = ElementaryFile(0x5031, listed + bytes(8))
        files[0x4403] = ElementaryFile(0x4403, holder.encoded + bytes(8))
        files[0x4404] = ElementaryFile(0x4404, ca.encoded + bytes(8))
        changed = replace(application, files=tuple(files.values()))
        readers.card._files = replace(master, files=(directory, changed))
        readers.card.reset()
        card = open_card(readers, READER, anchors=(authority.root,))
        assert card.certificate.chain == (authority.issuing_der,)


def content_of(file: DedicatedFile | ElementaryFile) -> bytes:
    assert isinstance(file, ElementaryFile)
    return file.content


def test_a_card_that_brings_a_stranger_is_refused_before_any_pin(
    make_scripted: MakeScripted,
) -> None:
    stranger = Authority.create()  # of the same names, with other keys
    readers = make_scripted()
    with pytest.raises(CertificateUntrusted):
        open_card(readers, READER, anchors=(stranger.root,))
    assert not [command for command in readers.commands if command[1] == 0x20]


def test_a_ca_that_cannot_be_read_is_passed_over(
    authority: Authority, make_scripted: MakeScripted
) -> None:
    readers = make_scripted()
    readers.script = lambda _n, c: b"\x6a\x82" if b"\x43\x32" in c else None
    with pytest.raises(CertificateUntrusted):
        open_card(readers, READER, anchors=(authority.root,))
    assert open_card(readers, READER).certificate.chain == ()


def test_piv_has_no_place_for_a_ca(authority: Authority, make_scripted: MakeScripted) -> None:
    readers = make_scripted(f'kind = "piv"\n{EC}')
    with pytest.raises(CertificateUntrusted):
        open_card(readers, READER, anchors=(authority.root,))
    assert open_card(readers, READER, anchors=(authority.issuing,)).certificate.chain == ()


# --- by name and by anchor alone -----------------------------------------------------------------


def test_a_card_that_says_it_is_hcas_names_hca_as_its_issuer(authority: Authority) -> None:
    now = datetime.now(UTC)
    holder = certificate.read(authority.issue(Profile.parse(EC)).certificate)
    trust.chain(holder, (), now)
    with pytest.raises(CertificateUntrusted) as caught:
        trust.chain(replace(holder, issuer="某測試中心"), (), now)
    assert caught.value.facts() == {"issuer": "某測試中心"}
    trust.chain(replace(holder, issuer="某測試中心", category=CardCategory.OTHER), (), now)


def test_an_anchor_must_have_issued_it(authority: Authority) -> None:
    now = datetime.now(UTC)
    holder = certificate.read(authority.issue(Profile.parse(EC)).certificate)
    stranger = Authority.create()  # of the same name, with another key
    trust.chain(holder, (stranger.issuing, authority.issuing), now)
    for wrong in (stranger.issuing, authority.root):
        with pytest.raises(CertificateUntrusted):
            trust.chain(holder, (wrong,), now)
    with pytest.raises(CertificateUntrusted):
        trust.chain(holder, (authority.issuing,), now + timedelta(days=50 * 365))


def test_the_anchors_of_a_file(authority: Authority) -> None:
    assert trust.anchors_in(authority.chain_pem) == (authority.issuing, authority.root)
    for broken in (b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(CertificateMalformed):
            trust.anchors_in(broken)
