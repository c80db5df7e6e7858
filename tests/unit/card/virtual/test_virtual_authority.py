"""The test CA: what it issues, and that processes agree on one."""

from __future__ import annotations

import multiprocessing
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    NameOID,
)

from card.errors import ProfileInvalid
from card.virtual.authority import FILE, Authority
from card.virtual.profile import Profile, Status


def issue(authority: Authority, toml: str = "") -> x509.Certificate:
    issued = authority.issue(Profile.parse(toml))
    return x509.load_der_x509_certificate(issued.certificate)


def named(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    (attribute,) = name.get_attributes_for_oid(oid)
    return str(attribute.value)


def test_the_chain(authority: Authority) -> None:
    certificate = issue(authority)
    certificate.verify_directly_issued_by(authority.issuing)
    authority.issuing.verify_directly_issued_by(authority.root)
    authority.root.verify_directly_issued_by(authority.root)
    assert x509.load_pem_x509_certificates(authority.chain_pem) == [
        authority.issuing,
        authority.root,
    ]
    assert x509.load_pem_x509_certificate(authority.root_pem) == authority.root
    for ca, length in ((authority.root, 1), (authority.issuing, 0)):
        constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints).value
        assert (constraints.ca, constraints.path_length) == (True, length)


def test_every_name_says_test(authority: Authority) -> None:
    for certificate in (authority.root, authority.issuing, issue(authority)):
        assert "TEST" in certificate.subject.rfc4514_string()
        assert "測試" in named(certificate.subject, NameOID.COMMON_NAME)


def test_an_hpc(authority: Authority) -> None:
    certificate = issue(authority)
    assert named(certificate.issuer, NameOID.ORGANIZATIONAL_UNIT_NAME) == "醫事憑證管理中心"
    assert named(certificate.subject, NameOID.COMMON_NAME) == "測試員甲"
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 2048
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_encipherment
    subject_type = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier("2.5.29.9"))
    assert isinstance(subject_type.value, x509.UnrecognizedExtension)
    # SEQUENCE { SEQUENCE { 2.16.886.1.100.2.1, SET { 2.16.886.1.100.3.1.7 } } }
    assert subject_type.value.value == bytes.fromhex(
        "3017301506076086760164020 1310A06086086760164030107".replace(" ", "")
    )
    with pytest.raises(x509.ExtensionNotFound):
        certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)


def test_what_a_profile_changes(authority: Authority) -> None:
    certificate = issue(
        authority,
        "[certificate]\nholder = '測試員乙'\ncategory = 'none'\nclient_auth = true\n"
        "digital_signature = false\nnot_before = 2020-01-01\nnot_after = 2021-01-01",
    )
    assert named(certificate.subject, NameOID.COMMON_NAME) == "測試員乙"
    assert certificate.not_valid_after_utc.isoformat() == "2021-01-01T00:00:00+00:00"
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert not usage.digital_signature
    extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    with pytest.raises(x509.ExtensionNotFound):
        certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier("2.5.29.9"))


def test_a_malformed_certificate_is_ber_and_not_der(authority: Authority) -> None:
    issued = authority.issue(Profile.named("malformed-certificate"))
    with pytest.raises(ValueError, match="parsing"):
        x509.load_der_x509_certificate(issued.certificate)
    size = len(issued.certificate) - 5
    strict = b"\x30\x82" + size.to_bytes(2, "big") + issued.certificate[5:]
    assert x509.load_der_x509_certificate(strict).issuer == authority.issuing.subject


def _root(directory: str) -> bytes:
    return Authority.load_or_create(Path(directory)).root_pem


def test_processes_that_start_together_share_one_ca(tmp_path: Path) -> None:
    directory = tmp_path / "authority"
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        roots = pool.map_async(_root, [str(directory)] * 6, chunksize=1).get(timeout=60)
    assert len(set(roots)) == 1
    assert [file.name for file in directory.iterdir()] == [FILE]
    assert stat.S_IMODE((directory / FILE).stat().st_mode) == 0o600
    kept = Authority.load_or_create(directory)
    issue(kept).verify_directly_issued_by(kept.issuing)


@pytest.mark.parametrize("content", ["", "no PEM", "-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_damaged_ca(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(ProfileInvalid) as caught:
        Authority.load_or_create(tmp_path)
    assert caught.value.field == "authority"


def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProfileInvalid):
        Authority.load_or_create(tmp_path / "file" / "below")


def test_where_to_ask_whether_it_was_revoked(authority: Authority) -> None:
    named = issue(replace(authority, responder="http://ca.invalid"))
    access = named.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    (way,) = access
    assert way.access_method == AuthorityInformationAccessOID.OCSP
    assert way.access_location.value == "http://ca.invalid/ocsp"
    (point,) = named.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert point.full_name is not None
    assert [name.value for name in point.full_name] == ["http://ca.invalid/crl"]
    for kind in (x509.AuthorityInformationAccess, x509.CRLDistributionPoints):
        with pytest.raises(x509.ExtensionNotFound):
            issue(authority).extensions.get_extension_for_class(kind)


def test_the_register(tmp_path: Path) -> None:
    """What was issued, with its status, and nobody's name."""
    kept = Authority.load_or_create(tmp_path)
    certificates = [
        issue(kept, f'[key]\ntype = "EC"\n[certificate]\nstatus = "{status}"\n')
        for status in Status
    ]
    file = tmp_path / "index.txt"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    rows = [line.split("\t") for line in file.read_text("ascii").splitlines()]
    assert [int(row[3], 16) for row in rows] == [each.serial_number for each in certificates]
    assert [row[0] for row in rows] == ["V", "R", "R"]
    assert [row[2].partition(",")[2] for row in rows] == ["", "superseded", "certificateHold"]
