"""OpenSSL as the referee: our questions to its responder, our responder's answers to its client."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from parts import end_process, first_line
from pcscd import DEADLINE
from raw_server import RawServer, Reply, http

from card.virtual import register
from card.virtual.authority import FILE, Authority
from card.virtual.profile import Profile
from client.errors import CertificateOnHold, CertificateRevoked, CertificateUnknown
from client.port import Revocation
from client.revocation.check import RevocationCheck
from client.sandbox.responder import Desk, Responder

STATUSES = ("good", "revoked", "on-hold")
REFUSED = {"revoked": CertificateRevoked, "on-hold": CertificateOnHold}


class Ca:
    """A test CA's files as OpenSSL wants them, and what it says of its cards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority.load_or_create(folder)
        self.write("issuing.pem", self.authority.issuing_pem)
        self.write("chain.pem", self.authority.chain_pem)
        self.write(
            "issuing.key",
            self.authority.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        )

    def write(self, name: str, content: bytes) -> Path:
        file = self.folder / name
        file.write_bytes(content)
        return file

    def card(self, status: str, responder: str) -> bytes:
        """The DER of a new card's certificate, which is in the folder as STATUS.pem, too."""
        authority = Authority.load_or_create(self.folder, responder)
        toml = f'[key]\ntype = "EC"\n[certificate]\nstatus = "{status}"\n'
        der = authority.issue(Profile.parse(toml)).certificate
        self.write(f"{status}.pem", x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
        return der

    def openssl(self, *arguments: str) -> str:
        """Standard output and error of one command that succeeds."""
        done = subprocess.run(
            ["openssl", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def look_up(self, card: bytes, way: Revocation) -> None:
        RevocationCheck().run(card, (self.authority.issuing,), way)


@pytest.fixture
def ca(tmp_path: Path, authority_folder: Path) -> Ca:
    (tmp_path / FILE).write_bytes((authority_folder / FILE).read_bytes())
    return Ca(tmp_path)


@contextmanager
def openssl_responder(ca: Ca, port: int) -> Iterator[None]:
    """`openssl ocsp` over the CA's register as it is now, signing as the CA."""
    command = ["openssl", "ocsp", "-index", register.FILE, "-port", str(port), "-nmin", "60"]
    command += ["-CA", "issuing.pem", "-rsigner", "issuing.pem", "-rkey", "issuing.key"]
    process = subprocess.Popen(
        command, cwd=ca.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert first_line(process).startswith("ACCEPT ")
        yield
    finally:
        end_process(process)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def judged(ca: Ca, card: bytes, way: Revocation, status: str) -> None:
    if status == "good":
        ca.look_up(card, way)
    else:
        with pytest.raises(REFUSED[status]):
            ca.look_up(card, way)


def test_our_questions_and_its_answers(ca: Ca) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    cards = {status: ca.card(status, url) for status in STATUSES}
    elsewhere = replace(ca.authority, directory=None, responder=url)
    unknown = elsewhere.issue(Profile.parse('[key]\ntype = "EC"\n')).certificate
    with openssl_responder(ca, port):
        for status, card in cards.items():
            judged(ca, card, Revocation.OCSP, status)
        with pytest.raises(CertificateUnknown):
            ca.look_up(unknown, Revocation.OCSP)


def test_its_questions_and_our_answers(ca: Ca) -> None:
    """OpenSSL finds our answers signed by a responder that the CA appointed, with its nonce."""
    with Responder(Desk.open(ca.folder / FILE, set())) as responder:
        for status in STATUSES:
            ca.card(status, responder.url)
            said = ca.openssl(
                *("ocsp", "-sha256", "-issuer", "issuing.pem", "-cert", f"{status}.pem"),
                *("-url", f"{responder.url}/ocsp", "-CAfile", "chain.pem"),
            )
            assert "Response verify OK" in said
            assert "WARNING" not in said  # "no nonce in response"
            assert f"{status}.pem: {'good' if status == 'good' else 'revoked'}" in said
            if status == "on-hold":
                assert "Reason: certificateHold" in said


def test_our_list_before_it(ca: Ca) -> None:
    with Responder(Desk.open(ca.folder / FILE, set())) as responder:
        for status in STATUSES:
            ca.card(status, responder.url)
        ca.write("list.der", Desk.open(ca.folder / FILE, set()).list())
        assert "verify OK" in ca.openssl(
            *("crl", "-inform", "DER", "-in", "list.der", "-CAfile", "chain.pem", "-noout")
        )
        said = ca.openssl("crl", "-inform", "DER", "-in", "list.der", "-noout", "-text")
    assert said.count("Serial Number:") == 2
    assert "Certificate Hold" in said


CONFIG = """
[ca]
default_ca = test
[test]
database = index.txt
default_md = sha256
default_crl_days = 1
certificate = issuing.pem
private_key = issuing.key
crl_extensions = list
[list]
authorityKeyIdentifier = keyid
"""


def test_its_list_before_us(ca: Ca) -> None:
    lists: list[bytes] = []
    reply: Callable[[int, bytes], Reply] = lambda *_: Reply(  # noqa: E731 - the list comes later
        http("200 OK", "application/pkix-crl", lists[0])
    )
    with RawServer(reply, context=None) as server:
        url = f"http://127.0.0.1:{server.port}"
        cards = {status: ca.card(status, url) for status in STATUSES}
        ca.write("ca.conf", CONFIG.encode())
        ca.openssl("ca", "-gencrl", "-config", "ca.conf", "-out", "list.pem")
        ca.openssl("crl", "-in", "list.pem", "-outform", "DER", "-out", "list.der")
        lists.append((ca.folder / "list.der").read_bytes())
        for status, card in cards.items():
            judged(ca, card, Revocation.CRL, status)
