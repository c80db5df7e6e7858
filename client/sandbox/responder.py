"""A certification authority's own word on its certificates, over plain HTTP: OCSP and a CRL.

A real responder (RFC 6960) with a certificate that the authority gave it for this, and a real
list (RFC 5280 §5). What it knows stands in a register as `openssl ca` keeps it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import logging
import threading
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import unquote

from client.errors import CaFileUnusable, SandboxPortTaken
from client.sandbox.faults import SLOW_SECONDS, Fault

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import (
        CertificateIssuerPrivateKeyTypes,
        CertificatePublicKeyTypes,
    )
    from cryptography.x509 import ocsp

log = logging.getLogger(__name__)

REGISTER = "index.txt"  # beside the authority's PEM file
POLL = 0.1  # seconds until it notices that it was stopped
REQUEST_LIMIT = 8 * 1024  # bytes
FRESH = timedelta(hours=12)  # from thisUpdate to nextUpdate
AGE = timedelta(days=7)  # of a stale answer
OCSP_TYPE, CRL_TYPE = "application/ocsp-response", "application/pkix-crl"


@dataclass(frozen=True)
class Entry:
    """One line of the register. `since` None: not revoked."""

    since: datetime | None = None
    reason: x509.ReasonFlags | None = None


def read_register(file: Path) -> dict[int, Entry]:
    """What was issued, by serial number; nothing where there is no register yet."""
    from cryptography import x509

    try:
        lines = file.read_text("ascii").splitlines()
    except FileNotFoundError:
        return {}
    known: dict[int, Entry] = {}
    for line in lines:
        state, _, revoked, serial, *_ = line.split("\t")
        day, _, reason = revoked.partition(",")
        if state == "R":
            form = "%y%m%d%H%M%SZ" if len(day) == 13 else "%Y%m%d%H%M%SZ"
            since = datetime.strptime(day, form).replace(tzinfo=UTC)
            known[int(serial, 16)] = Entry(since, x509.ReasonFlags(reason) if reason else None)
        else:
            known[int(serial, 16)] = Entry()
    return known


@dataclass(frozen=True, eq=False)
class Desk:
    """The authority: its key and certificate, its register, and whom it lets sign for OCSP."""

    key: CertificateIssuerPrivateKeyTypes
    issuer: x509.Certificate
    register: Path
    faults: AbstractSet[Fault]
    signer_key: CertificateIssuerPrivateKeyTypes
    signer: x509.Certificate

    @staticmethod
    def open(file: Path, faults: AbstractSet[Fault]) -> Desk:
        """Of the authority whose key and certificate are in `file` (PEM). Raises CaFileUnusable."""
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec, rsa
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            pem = file.read_bytes()
            key = load_pem_private_key(pem, password=None)
            if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
                raise TypeError(key)  # nobody would rely on what it signs (judgement.SAFE)
            issuer = x509.load_pem_x509_certificates(pem)[0]
        except (OSError, ValueError, TypeError) as error:
            raise CaFileUnusable(str(file)) from error
        signer_key = ec.generate_private_key(ec.SECP256R1())
        signer = appoint(issuer, key, signer_key.public_key())
        return Desk(key, issuer, file.with_name(REGISTER), faults, signer_key, signer)

    @property
    def now(self) -> datetime:
        moment = datetime.now(UTC).replace(microsecond=0)
        return moment - AGE if Fault.STATUS_STALE in self.faults else moment

    def answer(self, data: bytes) -> bytes:
        """The OCSP response to a request, both in DER."""
        from cryptography.hazmat.primitives.serialization import Encoding
        from cryptography.x509 import ocsp

        unsuccessful = ocsp.OCSPResponseBuilder.build_unsuccessful
        if Fault.STATUS_BUSY in self.faults:
            answer = unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
        else:
            try:
                asked = ocsp.load_der_ocsp_request(data)
                answer = self._answer(asked)
            except (ValueError, NotImplementedError):  # none, or about several certificates
                answer = unsuccessful(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        return answer.public_bytes(Encoding.DER)

    def _answer(self, asked: ocsp.OCSPRequest) -> ocsp.OCSPResponse:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509 import ocsp

        key, signer = self.signer_key, self.signer
        if Fault.STATUS_FORGED in self.faults:  # of the same name, appointed by nobody
            key = ec.generate_private_key(ec.SECP256R1())
            signer = appoint(self.issuer, key, key.public_key())
        known = read_register(self.register) if self._is_ours(asked) else {}
        entry = known.get(asked.serial_number)
        if entry is None:
            status = ocsp.OCSPCertStatus.UNKNOWN
        else:
            status = ocsp.OCSPCertStatus.REVOKED if entry.since else ocsp.OCSPCertStatus.GOOD
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response_by_hash(
                asked.issuer_name_hash,
                asked.issuer_key_hash,
                asked.serial_number,
                asked.hash_algorithm,
                status,
                this_update=self.now,
                next_update=self.now + FRESH,
                revocation_time=entry.since if entry else None,
                revocation_reason=entry.reason if entry else None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.NAME, signer)
            .certificates([signer])
        )
        with contextlib.suppress(x509.ExtensionNotFound):
            nonce = asked.extensions.get_extension_for_class(x509.OCSPNonce)
            builder = builder.add_extension(nonce.value, critical=False)
        return builder.sign(key, hashes.SHA256())

    def _is_ours(self, asked: ocsp.OCSPRequest) -> bool:
        """The request names this authority, by the hash of its choice (RFC 6960 §4.1.1)."""
        from cryptography.x509 import ocsp

        own = (
            ocsp.OCSPRequestBuilder()
            .add_certificate(self.signer, self.issuer, asked.hash_algorithm)
            .build()
        )
        return (own.issuer_name_hash, own.issuer_key_hash) == (
            asked.issuer_name_hash,
            asked.issuer_key_hash,
        )

    def list(self) -> bytes:
        """The certificate revocation list, in DER."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding

        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.issuer.subject)
            .last_update(self.now)
            .next_update(self.now + FRESH)
            .add_extension(x509.CRLNumber(int(self.now.timestamp())), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
        )
        for serial, entry in read_register(self.register).items():
            if entry.since is not None:
                builder = builder.add_revoked_certificate(
                    _listed(serial, entry.since, entry.reason)
                )
        forged = Fault.STATUS_FORGED in self.faults
        key = ec.generate_private_key(ec.SECP256R1()) if forged else self.key
        return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Whoever asked has left; that is no news for a screen."""
        log.debug("a request broke off", exc_info=True)


class Responder:
    """`desk` on http://localhost:PORT, with /ocsp and /crl; port 0 takes a free one."""

    def __init__(self, desk: Desk, port: int = 0) -> None:
        """Raises SandboxPortTaken."""
        self._ended = threading.Event()
        self._asked: list[bytes] = []
        try:
            self._server = _Server(("127.0.0.1", port), self._handler(desk))
        except OSError as error:
            raise SandboxPortTaken(port) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL,), name="responder", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://localhost:{self._server.server_port}"

    @property
    def asked(self) -> tuple[bytes, ...]:
        """What it was asked so far: OCSP requests in DER, and nothing for each list fetched."""
        return tuple(self._asked)

    def stop(self) -> None:
        """Answer nobody any more; never raises."""
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Responder:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _handler(self, desk: Desk) -> type[BaseHTTPRequestHandler]:
        asked, ended = self._asked, self._ended

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout: ClassVar[float] = 30.0  # seconds for a request that does not come
            server_version = sys_version = ""

            def do_GET(self) -> None:
                if self.path == "/crl":
                    asked.append(b"")
                    self._send(CRL_TYPE, desk.list)
                elif self.path.startswith("/ocsp/"):  # RFC 6960 appendix A.1
                    try:
                        data = base64.b64decode(unquote(self.path[6:]), validate=True)
                    except binascii.Error:
                        data = b""
                    self._ocsp(data)
                else:
                    self.send_error(404)

            def do_POST(self) -> None:
                length = self.headers.get("Content-Length", "")
                if self.path != "/ocsp" or not length.isdecimal() or int(length) > REQUEST_LIMIT:
                    self.close_connection = True
                    self.send_error(400)
                    return
                self._ocsp(self.rfile.read(int(length)))

            def _ocsp(self, data: bytes) -> None:
                asked.append(data)
                self._send(OCSP_TYPE, lambda: desk.answer(data))

            def _send(self, kind: str, make: Callable[[], bytes]) -> None:
                if Fault.STATUS_SLOW in desk.faults:
                    ended.wait(SLOW_SECONDS)
                if Fault.STATUS_DOWN in desk.faults:
                    self.send_error(503)
                    return
                if Fault.STATUS_NONSENSE in desk.faults:
                    kind, body = "text/html", b"<!doctype html><p>It works!"
                else:
                    body = make()
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing on a screen."""

        return Handler


def appoint(
    issuer: x509.Certificate,
    key: CertificateIssuerPrivateKeyTypes,
    public_key: CertificatePublicKeyTypes,
) -> x509.Certificate:
    """A certificate for signing OCSP answers in the issuer's place (RFC 6960 §4.2.2.2)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "TEST OCSP")])
    usage = x509.KeyUsage(True, *[False] * 8)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=True)
        .add_extension(x509.OCSPNoCheck(), critical=False)
        .sign(key, hashes.SHA256())
    )


def _listed(
    serial: int, since: datetime, reason: x509.ReasonFlags | None
) -> x509.RevokedCertificate:
    from cryptography import x509

    builder = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(since)
    if reason is not None:
        builder = builder.add_extension(x509.CRLReason(reason), critical=False)
    return builder.build()
