"""The sandbox's TLS identity: a TEST authority and a server certificate for this computer only."""

from __future__ import annotations

import os
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

LIFETIME = timedelta(days=397)
RENEW = timedelta(days=7)  # before the end
IDENTITY, CA_FILE = "tls.pem", "ca.pem"
NAMES, ADDRESSES = ("localhost",), ("127.0.0.1", "::1")


def server_identity(data: Path) -> tuple[Path, Path]:
    """The files in `data`: key with certificates for the server, and the CA for its clients.

    Both are made when they are missing or about to expire; the authority's own key is thrown
    away, so it can certify nothing else. Raises OSError.
    """
    identity, ca_file = data / IDENTITY, data / CA_FILE
    ca = _usable_authority(identity)
    if ca is None:
        key_and_chain, ca = make_identity(NAMES, ADDRESSES)
        write(identity, key_and_chain)
    if not ca_file.exists() or ca_file.read_bytes() != ca:
        write(ca_file, ca)
    return identity, ca_file


def server_context(identity: Path) -> ssl.SSLContext:
    """A server context, TLS 1.2 or newer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(identity)
    return context


def make_identity(
    names: tuple[str, ...],
    addresses: tuple[str, ...] = (),
    begin: datetime | None = None,
    lifetime: timedelta = LIFETIME,
) -> tuple[bytes, bytes]:
    """PEM of (server key, server certificate, CA certificate), and PEM of the CA alone."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    begin = begin or datetime.now(UTC) - timedelta(minutes=5)
    ca_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def builder(name: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(
                x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hca-bind sandbox TEST CA")])
            )
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + lifetime)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
                critical=False,
            )
        )

    def usage(*, authority: bool) -> x509.KeyUsage:
        return x509.KeyUsage(
            digital_signature=not authority,
            key_cert_sign=authority,
            crl_sign=authority,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )

    ca = (
        builder("hca-bind sandbox TEST CA", ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(authority=True), critical=True)
        .sign(ca_key, SHA256())
    )
    alternatives = [
        *(x509.DNSName(name) for name in names),
        *(x509.IPAddress(ip_address(address)) for address in addresses),
    ]
    server = (
        builder(names[0], server_key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(ca_key, SHA256())
    )
    key = server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    ca_pem = ca.public_bytes(Encoding.PEM)
    return key + server.public_bytes(Encoding.PEM) + ca_pem, ca_pem


def _usable_authority(identity: Path) -> bytes | None:
    """The CA in an identity file with enough life left in it; None where a new one is needed."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        chain = x509.load_pem_x509_certificates(identity.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    if len(chain) != 2 or any(
        certificate.not_valid_after_utc < datetime.now(UTC) + RENEW for certificate in chain
    ):
        return None
    return chain[1].public_bytes(Encoding.PEM)


def write(path: Path, content: bytes) -> None:
    """Replace `path` in one step; readable by its owner alone."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)
