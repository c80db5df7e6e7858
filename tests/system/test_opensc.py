"""OpenSC judges the virtual card: its own tools, unmodified, through a real pcscd.

The only configuration names a driver for the test card's ATR.
"""

from __future__ import annotations

import hashlib
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from parts import opensc_configuration
from pcscd import Pcscd, wait_until

from card.virtual import vpcd
from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile

PIN, WRONG_PIN = "Test-123", "Test-124"
SECONDS = 60
SHA256_DIGEST_INFO = bytes.fromhex("3031300D060960864801650304020105000420")


@dataclass(frozen=True)
class OpenSC:
    """OpenSC's tools, a card in the first reader, and the CA that issued its certificate."""

    card: VirtualCard
    authority: Authority
    environment: dict[str, str]

    def run(self, tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [tool, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )

    def certificate(self) -> x509.Certificate:
        assert self.card.issued is not None
        return x509.load_der_x509_certificate(self.card.issued.certificate)

    def public_key(self) -> rsa.RSAPublicKey:
        key = self.certificate().public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        return key


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture
def opensc(
    request: pytest.FixtureRequest, pcscd: Pcscd, authority: Authority, tmp_path: Path
) -> Iterator[OpenSC]:
    """The default card, or the profile that the test names in TOML by indirect parameter."""
    card = VirtualCard(Profile.parse(getattr(request, "param", "")), authority)
    configuration = tmp_path / "opensc.conf"
    configuration.write_text(opensc_configuration(card))
    environment = {**pcscd.environment, "OPENSC_CONF": str(configuration), "LC_ALL": "C.UTF-8"}
    tools = OpenSC(card, authority, environment)

    def present() -> bool:
        return any(
            line.split()[1:2] == ["Yes"]
            for line in tools.run("opensc-tool", "--list-readers").stdout.splitlines()
        )

    wait_until(lambda: not present(), "the readers empty")
    stop = threading.Event()
    thread = threading.Thread(
        target=vpcd.serve, args=(card, "127.0.0.1", pcscd.ports[0], stop), daemon=True
    )
    thread.start()
    try:
        wait_until(present, "the card seen by pcscd")
        yield tools
    finally:
        stop.set()
        thread.join(SECONDS)
        assert not thread.is_alive()


def test_dump(opensc: OpenSC) -> None:
    dump = opensc.run("pkcs15-tool", "--dump")
    assert dump.returncode == 0, dump.stderr
    for line in (
        "PKCS#15 Card [TEST HPC 測試卡]:",
        f"Serial number  : {b'TEST0000000001'.hex()}",
        "PIN [PIN]",
        "min_len:6, max_len:8, stored_len:8",
        "Private RSA Key [Signing key]",
        "Usage          : [0x04], sign",
        "ModLength      : 2048",
        "X.509 Certificate [Signing certificate]",
        "X.509 Certificate [TEST CA certificate]",
    ):
        assert line in dump.stdout
    assert opensc.card.verify_count == 0


def test_read_certificate(opensc: OpenSC) -> None:
    for identifier, expected in (
        ("01", opensc.certificate()),
        ("10", opensc.authority.issuing),
    ):
        read = opensc.run("pkcs15-tool", "--read-certificate", identifier)
        assert read.returncode == 0, read.stderr
        assert x509.load_pem_x509_certificate(read.stdout.encode()) == expected


def test_verify_pin(opensc: OpenSC) -> None:
    assert opensc.card.tries_left == 3
    wrong = opensc.run("pkcs15-tool", "--verify-pin", "--pin", WRONG_PIN)
    assert wrong.returncode != 0
    assert "PIN code or key incorrect" in wrong.stderr
    assert (opensc.card.tries_left, opensc.card.verify_count) == (2, 1)
    right = opensc.run("pkcs15-tool", "--verify-pin", "--pin", PIN)
    assert right.returncode == 0, right.stderr
    assert (opensc.card.tries_left, opensc.card.verify_count) == (3, 2)


@pytest.mark.parametrize("opensc", ["[pin]\ntries_left = 0"], indirect=True)
def test_a_blocked_pin(opensc: OpenSC) -> None:
    blocked = opensc.run("pkcs15-tool", "--verify-pin", "--pin", PIN)
    assert blocked.returncode != 0
    assert "Authentication method blocked" in blocked.stderr
    assert opensc.card.tries_left == 0


def sign(opensc: OpenSC, mechanism: str, data: bytes, folder: Path) -> bytes:
    module = next(Path("/usr/lib").glob("**/opensc-pkcs11.so"))
    (folder / "data").write_bytes(data)
    signed = opensc.run(
        "pkcs11-tool",
        *("--module", str(module), "--login", "--pin", PIN, "--sign", "--mechanism", mechanism),
        *("--input-file", str(folder / "data"), "--output-file", str(folder / "signature")),
    )
    assert signed.returncode == 0, signed.stderr
    return (folder / "signature").read_bytes()


MESSAGE = "測試訊息".encode()


@pytest.mark.parametrize(
    "opensc",
    ["", "extended_length = false", "response_limit = 128", "[key]\nsize = 3072"],
    indirect=True,
)
def test_sign_with_the_hash_made_by_the_module(opensc: OpenSC, tmp_path: Path) -> None:
    signature = sign(opensc, "SHA256-RSA-PKCS", MESSAGE, tmp_path)
    opensc.public_key().verify(signature, MESSAGE, padding.PKCS1v15(), hashes.SHA256())
    assert opensc.card.verify_count == 1


def test_sign_a_given_digest_info(opensc: OpenSC, tmp_path: Path) -> None:
    data = SHA256_DIGEST_INFO + hashlib.sha256(MESSAGE).digest()
    signature = sign(opensc, "RSA-PKCS", data, tmp_path)
    opensc.public_key().verify(signature, MESSAGE, padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize(
    "opensc", ['[pin]\nvalue = "123456"\ndigits_only = true\npadded = true'], indirect=True
)
def test_a_padded_pin(opensc: OpenSC) -> None:
    right = opensc.run("pkcs15-tool", "--verify-pin", "--pin", "123456")
    assert right.returncode == 0, right.stderr
    assert opensc.card.verify_count == 1
