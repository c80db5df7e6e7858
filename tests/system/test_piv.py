"""OpenSC's PIV driver judges the virtual PIV card: its own tools, unconfigured, through pcscd."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding
from parts import card_in_reader
from pcscd import Pcscd

from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile

PIN, WRONG_PIN = "123456", "123457"
SECONDS = 60
MESSAGE = b"m" * 64
EC = '[key]\ntype = "EC"\n'
SHORT = "extended_length = false\n"
GZIP = "[certificate]\ncompressed = true\n"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture
def card(
    request: pytest.FixtureRequest, pcscd: Pcscd, authority: Authority
) -> Iterator[VirtualCard]:
    """A PIV card, of the profile that the test names by indirect parameter, in the first reader."""
    profile = Profile.parse('kind = "piv"\n' + getattr(request, "param", ""))
    with card_in_reader(pcscd, VirtualCard(profile, authority)) as inserted:
        yield inserted


def run(pcscd: Pcscd, home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={**pcscd.environment, "HOME": str(home)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )


def certificate_of(card: VirtualCard) -> x509.Certificate:
    assert card.issued is not None
    return x509.load_der_x509_certificate(card.issued.certificate)


@pytest.mark.parametrize("card", ["", SHORT + GZIP, EC + GZIP], indirect=True)
def test_dump_and_certificate(pcscd: Pcscd, card: VirtualCard, tmp_path: Path) -> None:
    name = run(pcscd, tmp_path, "piv-tool", "--name")
    assert (name.returncode, "Personal Identity Verification" in name.stdout) == (0, True), name
    dump = run(pcscd, tmp_path, "pkcs15-tool", "--dump")
    assert dump.returncode == 0, dump.stderr
    assert "PIV AUTH key" in dump.stdout
    assert "Certificate for PIV Authentication" in dump.stdout
    read = run(pcscd, tmp_path, "pkcs15-tool", "--read-certificate", "01")
    assert read.returncode == 0, read.stderr
    expected = certificate_of(card).public_bytes(Encoding.PEM).decode()
    assert "".join(expected.split()) in "".join(read.stdout.split())
    assert card.verify_count == 0


@pytest.mark.parametrize("card", ["", SHORT], indirect=True)
def test_sign_with_rsa(pcscd: Pcscd, card: VirtualCard, tmp_path: Path) -> None:
    signature = signed(pcscd, tmp_path, "SHA256-RSA-PKCS", MESSAGE)
    key = certificate_of(card).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(signature, MESSAGE, padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize("card", [EC, SHORT + EC], indirect=True)
def test_sign_with_p256(pcscd: Pcscd, card: VirtualCard, tmp_path: Path) -> None:
    hasher = hashes.Hash(hashes.SHA256())
    hasher.update(MESSAGE)
    digest = hasher.finalize()
    signature = signed(pcscd, tmp_path, "ECDSA", digest)
    key = certificate_of(card).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    halves = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    der = utils.encode_dss_signature(*halves)
    key.verify(der, digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))


def signed(pcscd: Pcscd, folder: Path, mechanism: str, data: bytes) -> bytes:
    """pkcs11-tool --login --sign with key 9A; its exit status must be 0."""
    (folder / "data").write_bytes(data)
    done = run(
        pcscd,
        folder,
        *("pkcs11-tool", "--login", "--pin", PIN, "--sign", "--id", "01", "--mechanism", mechanism),
        *("--input-file", str(folder / "data"), "--output-file", str(folder / "signature")),
    )
    assert done.returncode == 0, done.stderr
    return (folder / "signature").read_bytes()


def test_a_wrong_pin_is_counted_as_opensc_counts(
    pcscd: Pcscd, card: VirtualCard, tmp_path: Path
) -> None:
    verify = ("pkcs15-tool", "--verify-pin", "--auth-id", "01", "--pin")
    assert run(pcscd, tmp_path, *verify, WRONG_PIN).returncode != 0
    assert card.tries_left == 2
    assert run(pcscd, tmp_path, *verify, PIN).returncode == 0
    assert card.tries_left == 3
